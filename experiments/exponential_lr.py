"""Weight decay under normalization is a learning rate that grows (lecture on important techniques; Li and Arora, 2020).

Behind batch normalization with ε = 0 the loss does not change when a layer's weights are scaled. Momentum SGD with
decay, v ← γv + ∇f + λθ, θ ← θ − ηv, then walks through the same functions as without decay at the rates
η_t = η α^(−2t−1), where α is the larger root of x² − (1 + γ − λη) x + γ: there θ~_t = α^(−t) θ_t at every step,
provided that the buffer begins as v_0 = −(1 − α)/(ηα) θ_0, as if the weights had grown before, too. Without momentum
α = 1 − λη and no buffer is needed; with it α is about 1 − λη/(1 − γ).

Proof: θ_{t+1} = (1 + γ − λη) θ_t − γ θ_{t−1} − η ∇f(θ_t), and ∇f(cθ) = ∇f(θ)/c. Scales and shifts of normalization
and the last layer do not have this property and stay as they began, in all runs.

Controls part ways: a buffer of 0, the rate of plain SGD in place of α's, no growth, or an ε in the normalization, which
ties the scale down. In float32 the two runs round differently, and training amplifies that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import optlab as ol
from optlab import plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, bounded
from optlab.random import derive_seed, normal

Array = np.ndarray
WIDTHS, SAMPLES, BATCH = (20, 64, 64, 5), 512, 64
LR, DECAY, MOMENTUM = 0.1, 5e-3, 0.9
FROZEN = {"*.norm.*": {"lr": 0.0, "weight_decay": 0.0}, "layers.2.*": {"lr": 0.0, "weight_decay": 0.0}}
TRAINED = ("layers.0.weight", "layers.1.weight")


def shrinkage(momentum: float) -> float:
    """α: the larger root of x² − (1 + γ − λη) x + γ."""
    middle = (1 + momentum - DECAY * LR) / 2
    return middle + math.sqrt(middle**2 - momentum)


@dataclass(frozen=True)
class Pair:
    """A run with decay and one with a growing rate: what the second one does, and with which network."""

    momentum: float = MOMENTUM
    growth: float = shrinkage(MOMENTUM)  # α in the rates
    buffer: bool = True
    eps: float = 0.0
    dtype: str = "float64"


PAIRS = {
    "momentum": Pair(),
    "plain": Pair(momentum=0.0, growth=shrinkage(0.0)),
    "buffer": Pair(buffer=False),
    "rate": Pair(growth=1 - LR * DECAY),
    "constant": Pair(growth=1.0),
    "eps": Pair(eps=1e-5),
    "float32": Pair(dtype="float32"),
}
SAME = 1e-9
"""Rounding, 1e-16 a step, amplified by training over a few thousand steps; a wrong formula differs by 1e-3 and more."""


def both(p: Params, pair: Pair, seed: int) -> tuple[Array, Array, Array]:
    """Losses by record, (2, records); norms of the trained weights likewise; |1 − cos| of the two ends."""
    n = np.arange(SAMPLES)
    rows = 0.6 * normal((WIDTHS[-1], WIDTHS[0]), seed)[n % WIDTHS[-1]] + normal((SAMPLES, WIDTHS[0]), seed, step=1)
    mlp = ol.nn.MLP(list(WIDTHS), norm="batch", eps=pair.eps, dtype=pair.dtype)
    f, start = mlp.on(rows.astype(pair.dtype), n % WIDTHS[-1]), mlp.init(derive_seed(seed, "start"))
    decaying = ol.SGD(lr=LR, momentum=pair.momentum, weight_decay=DECAY, groups=FROZEN)
    growing = ol.SGD(lr=LR, momentum=pair.momentum, groups={name: {"lr": 0.0} for name in FROZEN})
    state = ol.descend(f, growing, start, 0).state
    if pair.momentum and pair.buffer:
        state["momentum_buffer"][:] = -(1 - pair.growth) / (LR * pair.growth) * start
    options = {"batch_size": BATCH, "seed": derive_seed(seed, "batches"), "record": p.every}
    paths = (
        ol.descend(f, decaying, start, p.steps, **options),
        ol.descend(
            f, growing, start, p.steps, state=state, schedule=lambda t: pair.growth ** (-2.0 * t - 1), **options
        ),
    )
    weights = [np.concatenate([mlp.views(x)[name].ravel() for name in TRAINED]) for path in paths for x in path.x[:, 0]]
    norms = np.linalg.norm(weights, axis=1).reshape(2, -1)
    last = [weights[len(weights) // 2 - 1], weights[-1]]
    turned = 1 - last[0] @ last[1] / norms[0, -1] / norms[1, -1]
    return np.array([path.value[:, 0] for path in paths]), norms, np.abs(turned)


def compute(p: Params, seed: int, progress: Progress) -> dict[str, Array]:
    """Every pair, on several data sets."""
    found: dict[str, Array] = {}
    for k, (name, pair) in enumerate(PAIRS.items()):
        progress(k / len(PAIRS), name)
        loss, norm, turned = zip(*(both(p, pair, derive_seed(seed, "set", run)) for run in range(p.runs)), strict=True)
        found |= {f"loss_{name}": np.array(loss), f"norm_{name}": np.array(norm), f"turned_{name}": np.array(turned)}
    return found


def apart(data: Data, name: str) -> Array:
    """The relative difference of the two losses, (runs, records)."""
    decaying, growing = data[f"loss_{name}"].swapaxes(0, 1)
    return np.abs(growing / decaying - 1)


def claims(data: Data, p: Params) -> list[Claim]:
    """The two runs are one; the controls are not."""
    alpha = shrinkage(MOMENTUM)
    decaying, growing = data["norm_momentum"].swapaxes(0, 1)[:, :, -1]
    said = {
        "momentum": "Decay at a constant rate, and none at η α^(−2t−1): the largest relative difference of the loss.",
        "plain": "The same without momentum, α = 1 − λη: the largest relative difference of the loss.",
        "norm": "The weights without decay are α^(−t) times those with: the largest relative difference of lengths.",
        "turned": "And they point the same way: the largest 1 − cos.",
    }
    controls = {
        "buffer": "With a buffer that begins at 0 the losses part: the least over data sets of the largest difference.",
        "rate": "With 1 − λη in place of α under momentum, likewise.",
        "constant": "With a constant rate and no decay, likewise.",
        "eps": "With ε = 1e-5 in the normalization, likewise.",
        "float32": "In float32 the two agree to its rounding at most, and training amplifies that; likewise.",
    }
    return [
        *(bounded(name, said[name], apart(data, name).max(), (0.0, SAME)) for name in ("momentum", "plain")),
        bounded("norm", said["norm"], np.abs(growing * alpha**p.steps / decaying - 1).max(), (0.0, SAME)),
        bounded("turned", said["turned"], data["turned_momentum"].max(), (0.0, SAME)),
        *(
            bounded(name, text, apart(data, name).max(axis=1).min(), (1e-8 if name == "float32" else 1e-3, None))
            for name, text in controls.items()
        ),
    ]


def draw_losses(ax: Axes, data: Data, steps: Array) -> None:
    """Both losses of one data set, one on top of the other."""
    decaying, growing = data["loss_momentum"][0]
    ax.plot(steps, decaying, color=plotting.SKY, linewidth=7, label="weight decay, constant rate")
    ax.plot(steps, growing, color=plotting.VERMILLION, linewidth=2, label="no decay, growing rate")
    ax.plot(steps, data["loss_constant"][0, 1], color="#777777", linewidth=2, label="neither")
    ax.set(yscale="log", xlabel="step", ylabel="training loss", title="Two recipes, one curve")
    ax.legend(loc="upper right")


def draw_difference(ax: Axes, data: Data, steps: Array) -> None:
    """The difference of the losses, with the controls."""
    looks = {
        "constant": ("no growth", "#777777"),
        "buffer": ("buffer from 0", plotting.PURPLE),
        "eps": ("ε = 1e-5", plotting.ORANGE),
        "float32": ("float32", plotting.GREEN),
        "momentum": ("as derived", plotting.VERMILLION),
    }
    for name, (text, color) in looks.items():
        floor = np.finfo(PAIRS[name].dtype).eps / 2
        ax.plot(steps[1:], np.maximum(np.median(apart(data, name), axis=0), floor)[1:], color=color, label=text)
    ax.set(yscale="log", ylim=(1e-16, 10), xlabel="step", ylabel="relative difference", title="Equal to rounding")
    ax.legend(loc="center", bbox_to_anchor=(0.66, 0.48), ncols=2, fontsize=13, columnspacing=1.0, handlelength=1.2)


def draw_growth(ax: Axes, data: Data, steps: Array) -> None:
    """The learning rate, and the length of the weights in both runs."""
    alpha, (decaying, growing) = shrinkage(MOMENTUM), data["norm_momentum"][0]
    ax.plot(steps, LR * alpha ** (-2.0 * steps - 1), color=plotting.PURPLE)
    ax.plot(steps, growing, color=plotting.VERMILLION)
    ax.plot(steps, decaying, color=plotting.SKY)
    line = plotting.theory_line(ax, steps, decaying * alpha ** (-steps), "theory: α$^{−t}$ |θ|")
    for text, x, y, color in (
        ("rate, no decay", 0.68, 0.72, plotting.PURPLE),
        ("|θ~|, no decay", 0.98, 0.4, plotting.VERMILLION),
        ("|θ|, decay", 0.98, 0.12, plotting.SKY),
    ):
        ax.text(x, y, text, color=color, ha="right", transform=ax.transAxes)
    ax.set(yscale="log", xlabel="step", ylabel="rate, length", title="Weights and rate grow together")
    ax.legend(handles=[line], loc="upper left")


def plot(data: Data, p: Params) -> Figure:
    """Losses at the left; their difference and the growth at the right."""
    sheet, ((left, above), (spare, below)) = plotting.figure(2, 2)
    left.set_subplotspec(left.get_gridspec()[:, 0])
    spare.remove()
    steps = np.minimum(p.every * np.arange(data["loss_momentum"].shape[2]), p.steps)
    draw_losses(left, data, steps)
    draw_difference(above, data, steps)
    draw_growth(below, data, steps)
    return sheet


experiment = Experiment(
    title="Behind batch normalization weight decay is nothing but a learning rate that grows exponentially",
    source="Important Techniques: batch normalization and weight decay",
    question="What does weight decay do to weights whose scale the loss does not see?",
    params={"runs": 5, "steps": 1500, "every": 20},
    quick={"runs": 2, "steps": 400},
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
