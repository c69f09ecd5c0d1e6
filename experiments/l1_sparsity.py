"""An L1 penalty makes weights exactly zero by its proximal step, nearly so by its subgradient (*Training DNNs*).

The lecture adds λ sign(w) to the gradient. At 0 that jumps from −λ to λ: a weight that ought to be 0 is carried past it
again and again, by ηλ a step, and is never 0. The proximal step w ← sign(w) max(|w| − ηλ, 0) after the gradient's own
puts it on 0, where it stays.

* Features with XᵀX = nI tell what is to come. On |Xw − y|²/n + λ|w|₁ each weight is alone: it ends at its least-squares
  value z, moved by λ/2 towards 0 and no further. Where the truth is 0, z is normal with variance σ²/n, and the share of
  zeros is 2Φ(λ√n/2σ) − 1. With μ/2 |w|² weights end at z/(1 + μ/2), never at 0. Expected errors follow from integrals
  of the normal law (Donoho and Johnstone 1994).
* A network that sees 20 inputs, of which 3 matter. λ and μ are each the best of the same six values on other data sets.
"""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import norm

import optlab as ol
from optlab import plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, bounded, exact, fraction, mean, slope
from optlab.nn import MLP
from optlab.random import derive_seed, normal

Array = np.ndarray
ROWS, DIM, KEPT = 120, 100, 20
SPREAD = 0.1
"""Of the least-squares weights, σ/√n; the truth is 1 in KEPT coordinates and 0 in the others."""
PENALTIES = tuple(np.round(SPREAD * np.array([0.5, 1, 2, 3, 4, 6, 8]), 3).tolist())
SHOWN = 2  # its number in the list
RATES = (0.003, 0.01, 0.03)
INPUTS, WIDTH, SAMPLES, TEST = 20, 16, 150, 1000
LR, STEPS = 0.05, 2000
GRID = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
WAYS = ("L1, proximal step", "L1, subgradient", "L2")
EPS = float(np.finfo(np.float64).eps)
LINEAR = MLP([DIM, 1], bias=False, init="xavier_normal", dtype="float64")
NETWORK = MLP([INPUTS, WIDTH, 1])


def orthogonal(seed: int) -> tuple[Array, Array]:
    """Features with XᵀX = nI, and targets."""
    Q = np.linalg.qr(normal((ROWS, DIM), seed))[0]
    truth = (np.arange(DIM) < KEPT).astype(np.float64)
    X = np.ascontiguousarray(math.sqrt(ROWS) * Q)
    return X, X @ truth + SPREAD * math.sqrt(ROWS) * normal((ROWS,), seed, step=1)


def linear(seed: int) -> dict[str, Array]:
    """The least-squares weights, and where the proximal step and decay end, one for each penalty."""
    X, y = orthogonal(seed)
    f, start = LINEAR.on(X, y, "mse"), np.tile(LINEAR.init(seed), (len(PENALTIES), 1))
    ways = {"proximal": ol.SGD(lr=0.25, l1=PENALTIES), "decayed": ol.SGD(lr=0.25, weight_decay=PENALTIES)}
    return {"z": X.T @ y / ROWS, **{name: ol.descend(f, way, start, 100).last for name, way in ways.items()}}


def near(seed: int) -> Array:
    """Where the subgradient's steps of several sizes end under the penalty SHOWN, (rates, dim)."""
    f, start = LINEAR.on(*orthogonal(seed), "mse", l1=PENALTIES[SHOWN]), LINEAR.init(seed)
    return np.array([ol.descend(f, ol.SGD(lr=rate), start, round(10 / rate)).last[0] for rate in RATES])


def sample(seed: int, step: int, rows: int) -> tuple[Array, Array]:
    """A sum of three functions of an input each, with noise; further inputs that say nothing."""
    x = normal((rows, INPUTS), seed, step=2 * step)
    y = 2 * np.sin(x[:, 0]) + np.abs(x[:, 1]) - x[:, 2] + 0.5 * normal((rows,), seed, step=2 * step + 1)
    return x.astype(np.float32), y.astype(np.float32)


def trained(seed: int, optimizer: ol.SGD, runs: int, l1: float = 0.0) -> tuple[Array, Array]:
    """Networks (runs, dim) and their test losses; l1 is the landscape's penalty, descended by its subgradient."""
    (X, y), (test_X, test_y) = sample(seed, 0, SAMPLES), sample(seed, 1, TEST)
    start = np.tile(NETWORK.init(seed), (runs, 1))
    theta = ol.descend(NETWORK.on(X, y, "mse", l1=l1), optimizer, start, STEPS).last
    return theta, NETWORK.on(test_X, test_y, "mse").value(theta)


def tuned(p: Params, seed: int) -> list[float]:
    """The values of GRID with the least mean test loss, of the proximal step and of decay."""
    ways = (ol.SGD(lr=LR, l1=GRID), ol.SGD(lr=LR, weight_decay=GRID))
    seeds = [derive_seed(seed, "tuning", k) for k in range(p.tuning)]
    return [GRID[int(np.argmin(np.mean([trained(each, way, len(GRID))[1] for each in seeds], axis=0)))] for way in ways]


def networks(p: Params, seed: int) -> dict[str, Array]:
    """The first layer's weights (sets, ways, width, inputs) and the test losses (sets, ways)."""
    proximal, decay = tuned(p, seed)
    ways = ((ol.SGD(lr=LR, l1=proximal), 0.0), (ol.SGD(lr=LR), proximal), (ol.SGD(lr=LR, weight_decay=decay), 0.0))
    weights, losses = [], []
    for k in range(p.networks):
        found = [trained(derive_seed(seed, "network", k), way, 1, l1) for way, l1 in ways]
        weights.append([NETWORK.views(theta[0])["layers.0.weight"] for theta, _ in found])
        losses.append([loss[0] for _, loss in found])
    return {"weights": np.array(weights), "losses": np.array(losses), "tuned": np.array([proximal, decay])}


def compute(p: Params, seed: int, progress: Progress) -> dict[str, Array]:
    """Orthogonal features, then networks."""
    seeds = [derive_seed(seed, "linear", k) for k in range(p.sets)]
    found = [linear(each) for each in seeds]
    progress(0.2, "the subgradient")
    close = np.array([near(each) for each in seeds[: p.close]])
    progress(0.5, "networks")
    return {**{name: np.array([each[name] for each in found]) for name in found[0]}, "near": close, **networks(p, seed)}


def soft(z: Array, threshold: Array | float) -> Array:
    """z, moved towards 0 by the threshold and no further."""
    return np.sign(z) * np.maximum(np.abs(z) - threshold, 0)


def expected_errors(penalty: Array) -> tuple[Array, Array]:
    """The mean of |w − truth|² under L1 and under L2; ones are so far from 0 that L1 merely moves them."""
    t, c = penalty / (2 * SPREAD), 1 / (1 + penalty / 2)
    null = 2 * ((1 + t**2) * norm.cdf(-t) - t * norm.pdf(t))
    first = SPREAD**2 * ((DIM - KEPT) * null + KEPT * (1 + t**2))
    return first, KEPT * (1 - c) ** 2 + DIM * (c * SPREAD) ** 2


def errors(data: Data) -> tuple[Array, Array]:
    """|w − truth|², (sets, penalties), under L1 and L2."""
    truth = np.arange(DIM) < KEPT
    return tuple(np.square(data[name] - truth).sum(axis=2) for name in ("proximal", "decayed"))


def linear_claims(data: Data, p: Params) -> list[Claim]:
    """Zeros and errors where all is known."""
    penalty, ends = PENALTIES[SHOWN], soft(data["z"][:, None], np.array(PENALTIES)[:, None] / 2)
    gap = np.abs(data["proximal"] - ends).max() / (ROWS * EPS * np.abs(data["z"]).max())
    zeros, decayed = data["proximal"][:, SHOWN, KEPT:] == 0, data["decayed"][:, SHOWN, KEPT:]
    close, law = 2 * RATES[1] * penalty, 2 * norm.cdf(penalty / (2 * SPREAD)) - 1
    few = 2 * norm.cdf(close * (1 + penalty / 2) / SPREAD) - 1
    off = np.abs(data["near"] - ends[: p.close, None, SHOWN]) / (np.array(RATES)[:, None] * penalty)
    sizes = np.sqrt(np.mean(np.where(ends[: p.close, None, SHOWN] == 0, data["near"], 0) ** 2, axis=2))
    (lasso, ridge), (best, worse) = errors(data), expected_errors(np.array(PENALTIES))
    gain, expected = ridge[:, worse.argmin()] - lasso[:, best.argmin()], worse.min() - best.min()
    said = {
        "soft": "The proximal step ends at z moved by λ/2 towards 0; the largest gap, in units of n eps.",
        "same": "Its zeros are those of |z| <= λ/2, exactly; how many are not.",
        "zeros": f"With λ = {penalty:g} a share 2Φ(λ√n/2σ) − 1 of the weights whose truth is 0 is exactly 0.",
        "l2_zeros": "L2 leaves none of them at 0; how many.",
        "l2_near": f"With μ = {penalty:g} no more are within 2ηλ of 0, η = {RATES[1]:g}, than chance puts there.",
        "near": "The subgradient ends within 2ηλ of the proximal step's end; the largest distance, over ηλ.",
        "never": "But never at 0; how many weights.",
        "near_size": "The size of what ought to be 0 is proportional to η; the slope of its log over log η.",
        "error": "Each at its best penalty of seven, L2 errs more than L1, as predicted; the mean difference.",
    }
    asked = {name: (name, text) for name, text in said.items()}
    return [
        bounded(*asked["soft"], gap, (0, 1), 0),
        exact(*asked["same"], np.sum((data["proximal"] == 0) != (ends == 0)), 0),
        fraction(*asked["zeros"], zeros.sum(), zeros.size, law, (law - 0.06, law + 0.06)),
        exact(*asked["l2_zeros"], np.sum(data["decayed"] == 0), 0),
        fraction(*asked["l2_near"], np.sum(np.abs(decayed) <= close), decayed.size, few, (0, 2 * few)),
        bounded(*asked["near"], off.max(), (0, 2)),
        exact(*asked["never"], np.sum(data["near"] == 0), 0),
        slope(*asked["near_size"], np.log(RATES), np.log(sizes), 1.0, (0.8, 1.2)),
        mean(*asked["error"], gain, expected, (0.75 * expected, 1.25 * expected)),
    ]


def network_claims(data: Data, p: Params) -> list[Claim]:
    """The same in a network's first layer."""
    size = np.abs(data["weights"]).reshape(p.networks, len(WAYS), -1)
    zeros, close = np.mean(size == 0, axis=2), np.mean(size <= 2 * LR * data["tuned"][0], axis=2)
    said = {
        "network": "The proximal step makes more than half of a first layer's weights 0; the mean share.",
        "network_never": "The subgradient makes none of them 0, nor does L2; how many of all.",
        "network_near": "The subgradient brings about as many within 2ηλ of 0; the mean share less that of zeros.",
        "network_l2": "L2 does not; the mean share within 2ηλ of 0.",
        "test": "Where few inputs matter L1 beats L2 on test data, both tuned alike; the mean log ratio of losses.",
    }
    asked = {name: (name, text) for name, text in said.items()}
    return [
        mean(*asked["network"], zeros[:, 0], None, (0.5, 1)),
        exact(*asked["network_never"], np.sum(size[:, 1:] == 0), 0),
        mean(*asked["network_near"], close[:, 1] - zeros[:, 0], 0.0, (-0.05, 0.05)),
        mean(*asked["network_l2"], close[:, 2], None, (0, 0.25)),
        mean(*asked["test"], np.log(data["losses"][:, 0] / data["losses"][:, 2]), None, (None, 0)),
    ]


def claims(data: Data, p: Params) -> list[Claim]:
    """Orthogonal features, then networks."""
    return [*linear_claims(data, p), *network_claims(data, p)]


COLORS = (plotting.BLUE, plotting.ORANGE, plotting.VERMILLION)


def draw_weights(ax: Axes, data: Data) -> None:
    """The first layers' weights by size, all networks together."""
    for k, (name, color) in enumerate(zip(WAYS, COLORS, strict=True)):
        size = np.sort(np.abs(data["weights"][:, k]).ravel())
        share = (np.arange(size.size) + 0.5) / size.size
        ax.plot(share[:: size.size // 400], np.maximum(size, 1e-6)[:: size.size // 400], color=color, label=name)
    ax.axhline(2 * LR * data["tuned"][0], color="#777777", linestyle=":", linewidth=2)
    ax.text(1.0, 2.5 * LR * data["tuned"][0], "2ηλ", color="#555555", ha="right")
    ax.set(yscale="log", ylim=(6e-7, 5), yticks=[1e-6, 1e-4, 1e-2, 1], yticklabels=["exactly 0", "10⁻⁴", "10⁻²", "1"])
    ax.set(xlabel="share of the weights", ylabel="|w|", title="A network's first layer, sorted")
    ax.legend(loc="lower left", bbox_to_anchor=(0.08, 0.08))


def draw_zeros(ax: Axes, data: Data) -> None:
    """The share of exact zeros where the truth is 0, against λ."""
    fine = np.linspace(0, 1.05 * PENALTIES[-1], 100)
    for name, label, color in zip(("proximal", "decayed"), WAYS[::2], COLORS[::2], strict=True):
        found = np.mean(data[name][:, :, KEPT:] == 0, axis=(0, 2))
        ax.plot(PENALTIES, found, "o", color=color, markersize=10, label=label, zorder=6)
    plotting.theory_line(ax, fine, 2 * norm.cdf(fine / (2 * SPREAD)) - 1, "theory")
    ax.set(xlabel="λ or μ", ylabel="share of zeros", ylim=(-0.05, 1.08), title="Only L1 has zeros")
    ax.legend(loc="center right")


def draw_errors(ax: Axes, data: Data) -> None:
    """The mean squared error against the penalty."""
    fine = np.geomspace(0.8 * PENALTIES[0], 1.2 * PENALTIES[-1], 100)
    laws, names = expected_errors(fine), ("L1", "L2")
    for found, law, name, color in zip(errors(data), laws, names, COLORS[::2], strict=True):
        ax.plot(PENALTIES, found.mean(axis=0), "o", color=color, markersize=10)
        ax.text(PENALTIES[0], law[0] + (0.12 if name == "L2" else -0.3), name, color=color, ha="center")
        line = plotting.theory_line(ax, fine, law, "theory")
    ax.set(
        xscale="log",
        ylim=(0, 1.8),
        xlabel="λ or μ",
        ylabel="|w − truth|²",
        title="… and gains where the truth has many",
    )
    ax.legend(handles=[line], loc="lower left")


def plot(data: Data, p: Params) -> Figure:
    """Networks at the left, orthogonal features at the right."""
    sheet, ((left, above), (spare, below)) = plotting.figure(2, 2)
    left.set_subplotspec(left.get_gridspec()[:, 0])
    spare.remove()
    draw_weights(left, data)
    draw_zeros(above, data)
    draw_errors(below, data)
    return sheet


experiment = Experiment(
    title="L1 makes weights exactly zero by its proximal step, nearly so by its subgradient; L2 does neither",
    source="Training DNNs: L1 and L2 regularization",
    question="Which penalty, taken in which way, makes weights zero, and what is that worth?",
    params={"sets": 50, "close": 30, "networks": 50, "tuning": 10},
    quick={"close": 12, "networks": 30, "tuning": 4},
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
