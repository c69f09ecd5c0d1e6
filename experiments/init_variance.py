"""The variance of what a layer puts out, with and without scaled weights (lectures on initialization).

o = W x has n_in terms, so for weights and inputs of variance 1 the variance of o is n_in; with He's variance 2/n_in it
is 2 for every n_in. A following ReLU halves the mean square, E relu(z)² = E z²/2, and so E h² = 1 after every layer.

* The inputs of the first study are ±1. Given them each o is normal with variance n_in v, v the variance of a weight. So
  the mean square of n_out outputs is n_in v χ²/n_out, with n_out degrees of freedom at every n_in, and the slope fitted
  to its logarithm over log n_in has no bias.
* In a deep network of width n each layer multiplies the mean square of h, independently of all before it, by a number
  of mean nv (linear) or nv/2 (ReLU). Under He's weights it is (2/n) χ²_K with K of n units active, K ~ B(n, ½). Its
  mean is 1, but the mean of its logarithm is E ψ(K/2) + log(4/n), about −5/(2n): a typical network fades although the
  mean over networks stays. ψ is the digamma function.
"""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.special import digamma
from scipy.stats import binom

import optlab as ol
from optlab import plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, mean, slope
from optlab.nn import init
from optlab.random import derive_seed

N_OUT = 10
SINGLE = {"unscaled": (init.Normal(std=1.0), 1.0), "He": (init.KaimingNormal(), 0.0)}
"""Weights of one layer, and the slope of log variance over log n_in."""
DEEP = {
    "linear 1/n": ("linear", "linear", 1.0),
    "ReLU 2/n": ("relu", "relu", 1.0),
    "ReLU 1/n": ("relu", "linear", 0.5),
}
"""Deep networks: the activation, whose gain the weights have, and the mean factor a layer."""
HE = 1
"""Which of them are He's."""


def one_layer(p: Params, seed: int, weights: init.Initializer) -> np.ndarray:
    """The mean square of the outputs, shape (seeds, sizes), for inputs of ±1."""
    found = np.empty((p.seeds, len(p.sizes)))
    for k, n in enumerate(p.sizes):
        signs = np.where(ol.random.uniform((p.seeds, n), derive_seed(seed, "inputs"), step=k) < 0.5, -1.0, 1.0)
        for run, x in enumerate(signs):
            w = weights.draw((N_OUT, n), seed, step=k, run=run, dtype="float64")
            found[run, k] = np.mean(np.square((w * x).sum(axis=1)))
    return found


def deep(p: Params, seed: int, activation: str, gain: str) -> np.ndarray:
    """The mean square q after each layer, shape (nets, depth + 1), of networks that begin with q = 1."""
    weights, n = init.KaimingNormal(nonlinearity=gain), p.width
    found = np.ones((p.nets, p.depth + 1))
    for net in range(p.nets):
        h = np.ones(n)
        for layer in range(p.depth):
            z = (weights.draw((n, n), seed, step=layer, run=net, dtype="float64") * h).sum(axis=1)
            h = np.maximum(z, 0.0) if activation == "relu" else z
            found[net, layer + 1] = np.mean(h * h)
    return found


def typical(n: int) -> float:
    """The mean of the logarithm of a ReLU layer's factor under He's weights of width n."""
    k = np.arange(1, n + 1)  # that no unit is active has probability 2⁻ⁿ
    return float(np.sum(binom.pmf(k, n, 0.5) * digamma(k / 2))) + math.log(4 / n)


def compute(p: Params, seed: int, progress: Progress) -> dict[str, np.ndarray]:
    """Both studies; each kind of weights draws from a seed of its own."""
    single = []
    for k, (name, (weights, _)) in enumerate(SINGLE.items()):
        progress(0.2 * k, f"one layer, {name}")
        single.append(one_layer(p, derive_seed(seed, "single", name), weights))
    nets = []
    for k, (name, (activation, gain, _)) in enumerate(DEEP.items()):
        progress(0.4 + 0.2 * k, f"deep, {name}")
        nets.append(deep(p, derive_seed(seed, "deep", name), activation, gain))
    return {"single": np.array(single), "deep": np.array(nets)}


def single_claims(data: Data, p: Params) -> list[Claim]:
    """Slopes 1 and 0 in log-log, and the variances themselves."""
    found, places = [], np.log(p.sizes)
    for (name, (_, power)), rows in zip(SINGLE.items(), data["single"], strict=True):
        said = f"Weights {name}: the variance of the outputs grows as n_in to the power {power:g}; the slope."
        found.append(slope(f"slope_{name}", said, places, np.log(rows), power, (power - 0.05, power + 0.05)))
        law = np.array(p.sizes) if power else 2.0
        said = f"Weights {name}: the variance over {'n_in' if power else '2'}, n_in = 1 to {p.sizes[-1]}; the mean."
        found.append(mean(f"variance_{name}", said, (rows / law).mean(axis=1), 1.0, (0.93, 1.07)))
    return found


def deep_claims(data: Data, p: Params) -> list[Claim]:
    """The mean factor a layer, and what is typical under He's weights."""
    found = []
    for (name, (_, _, expected)), q in zip(DEEP.items(), data["deep"], strict=True):
        factors = (q[:, 1:] / q[:, :-1]).ravel()  # independent over layers, too
        said = f"{name}: each of {p.depth} layers multiplies the mean square by {expected:g}; the mean factor."
        found.append(mean(f"factor_{name}", said, factors, expected, (0.96 * expected, 1.04 * expected)))
    logs, law = np.diff(np.log(data["deep"][HE]), axis=1).ravel(), typical(p.width)
    said = f"He's weights, width {p.width}: a typical network fades by e^{law:.3f} a layer all the same; the mean log."
    return [*found, mean("typical", said, logs, law, (1.5 * law, 0.5 * law))]


def claims(data: Data, p: Params) -> list[Claim]:
    """One layer, then thirty."""
    return [*single_claims(data, p), *deep_claims(data, p)]


def draw_single(ax: Axes, data: Data, p: Params) -> None:
    """The variance against n_in: small dots for some seeds, large ones for the mean."""
    n = np.array(p.sizes)
    laws = (n, np.full(len(n), 2.0))
    for rows, law, color in zip(data["single"], laws, plotting.COLORS, strict=False):
        ax.plot(n, rows[:40].T, ".", color=color, alpha=0.2, markersize=7)
        ax.plot(n, rows.mean(axis=0), "o", color=color, markersize=11)
        line = plotting.theory_line(ax, n, law, "theory: n_in, and 2")
    ax.text(1, 2e3, "weights of variance 1", color=plotting.COLORS[0])
    ax.text(30, 0.11, "of variance 2/n_in (He)", color=plotting.COLORS[1])
    ax.set(xscale="log", yscale="log", xlabel="number of inputs n_in, each ±1", ylabel="variance of the outputs")
    ax.set(ylim=(0.06, 1e5), title="Unscaled, a layer adds up its inputs")
    ax.legend(handles=[line], loc="upper left")


def draw_deep(ax: Axes, data: Data, p: Params) -> None:
    """The mean over networks of the mean square, layer by layer."""
    layers = np.arange(p.depth + 1)
    for q, (name, (_, _, factor)), color in zip(data["deep"], DEEP.items(), plotting.COLORS[2:], strict=False):
        ax.plot(layers, q.mean(axis=0), "o", color=color, markersize=12 if name[0] == "l" else 7, label=name)
        line = plotting.theory_line(ax, layers, factor**layers, "theory: 1, and 2⁻ˡ")
    ax.set(yscale="log", xlabel="", ylabel="mean square of h", ylim=(1e-10, 1e2))
    ax.set_title("ReLU needs twice the variance")
    handles = [*ax.get_legend_handles_labels()[0][0::2], line]
    ax.legend(handles=handles, loc="lower left")


def draw_typical(ax: Axes, data: Data, p: Params) -> None:
    """He's networks one by one, their mean and their geometric mean."""
    layers, q, color = np.arange(p.depth + 1), data["deep"][HE], plotting.COLORS[2 + HE]
    ax.plot(layers, q[:40].T, color=color, linewidth=0.8, alpha=0.35)
    ax.plot(layers, np.exp(np.log(q).mean(axis=0)), "s", color=plotting.BLUE, markersize=7, label="geometric mean")
    line = plotting.theory_line(ax, layers, np.exp(typical(p.width) * layers), "theory: exp(l (E ψ(K/2) + log 4/n))")
    ax.axhline(1, color=plotting.BLACK, linewidth=1.5, linestyle=":")
    ax.set(yscale="log", xlabel="layer l", ylabel="mean square of h", ylim=(1e-4, 20))
    ax.set_title(f"He's networks of width {p.width}, one by one")
    ax.legend(handles=[ax.get_legend_handles_labels()[0][-2], line], loc="lower left")


def plot(data: Data, p: Params) -> Figure:
    """One layer at the left, thirty at the right."""
    sheet, ((left, right), (spare, below)) = plotting.figure(2, 2)
    left.set_subplotspec(left.get_gridspec()[:, 0])
    spare.remove()
    draw_single(left, data, p)
    draw_deep(right, data, p)
    draw_typical(below, data, p)
    return sheet


experiment = Experiment(
    title="Unscaled weights multiply the variance by n_in a layer; He's keep it through layers of ReLU",
    source="Additional Techniques; Training DNNs; the notebook; Important Techniques: initialization",
    question="How does the variance of what a layer puts out depend on n_in, and what becomes of it in 30 layers?",
    params={
        "sizes": (1, 3, 10, 30, 100, 300, 1000, 3000, 10_000),
        "seeds": 1000,
        "width": 64,
        "depth": 30,
        "nets": 1000,
    },
    quick={"seeds": 300, "nets": 200},
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
