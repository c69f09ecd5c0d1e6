"""How far the learning rate may be off: SGD and Adam on six problems (lectures B and C).

The lectures say that Adam is less sensitive. Measured are the decades of learning rates after which a fixed number of
steps has gone at least 90 % of the way from log 4, four classes being guessed, to the least loss of the same method on
the same problem: its window. Both methods try the same rates, with the same starts and batches.

On any one problem the two windows are about as wide. What differs is where they are: inputs that are ten times as large
or small, more layers or more units move the window of SGD, whose step is proportional to the gradient, and hardly that
of Adam, whose step is lr. So one rate of Adam serves all six problems, and hardly any of SGD does.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import optlab as ol
from optlab import plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, exact, mean
from optlab.nn import MLP
from optlab.random import derive_seed

Array = np.ndarray
METHODS: dict[str, Callable[[Array], ol.Optimizer]] = {"SGD": lambda lr: ol.SGD(lr), "Adam": lambda lr: ol.Adam(lr)}
PROBLEMS: dict[str, tuple[tuple[int, ...], float]] = {
    "2 layers of 24": ((24, 24), 1.0),
    "inputs × 10": ((24, 24), 10.0),
    "inputs / 10": ((24, 24), 0.1),
    "no hidden layer": ((), 1.0),
    "4 layers of 16": ((16, 16, 16, 16), 1.0),
    "1 layer of 64": ((64,), 1.0),
}
"""Hidden layers, and the factor on the inputs."""
COLORS = (plotting.BLACK, *plotting.COLORS[:5])
INPUTS, CLASSES, BATCH = 16, 4, 32
DECADES = (-3.5, 1.0)
PART = 0.1  # of the way that may be left
GUESSING = math.log(CLASSES)


def rates(p: Params) -> Array:
    """The decimal logarithms of the learning rates that both methods try."""
    return np.arange(DECADES[0], DECADES[1] + 1e-9, 1 / p.per_decade)


def final(problem: str, method: str, p: Params, seed: int) -> Array:
    """The training loss in the end, the mean of its last records, for each learning rate."""
    hidden, scale = PROBLEMS[problem]
    mixture = {"classes": CLASSES, "dim": INPUTS, "separation": 0.6}
    X, y = ol.data.gaussian_mixture(p.samples, seed=derive_seed(seed, "data"), **mixture)
    f = MLP([INPUTS, *hidden, CLASSES]).on((scale * X).astype(np.float32), y)
    lr, start = 10.0 ** rates(p), f.mlp.init(derive_seed(seed, "start"))
    record = [round(share * p.steps) for share in (0.9, 0.95, 1.0)]
    path = ol.descend(
        f,
        METHODS[method](lr),
        np.tile(start, (len(lr), 1)),
        p.steps,
        nonfinite="stop",
        batch_size=BATCH,
        seed=derive_seed(seed, "batches"),
        record=record,
        record_x=False,
    )
    return np.nan_to_num(path.value.mean(axis=0), nan=np.inf)


def compute(p: Params, seed: int, progress: Progress) -> dict[str, Array]:
    """The final losses, (methods, problems, seeds, rates)."""
    found = np.empty((len(METHODS), len(PROBLEMS), p.seeds, len(rates(p))))
    for k in range(p.seeds):
        progress(k / p.seeds, f"data set {k}")
        run = derive_seed(seed, "run", k)
        found[:, :, k] = [[final(problem, method, p, run) for problem in PROBLEMS] for method in METHODS]
    return {"final": found}


def windows(data: Data) -> Array:
    """Which rates leave at most a part of the way, (methods, problems, seeds, rates)."""
    least = data["final"].min(axis=-1, keepdims=True)
    return data["final"] <= least + PART * (GUESSING - least)


def middles(inside: Array, p: Params) -> Array:
    """The middle of each window, in decades."""
    return np.sum(np.where(inside, rates(p), 0), axis=-1) / np.sum(inside, axis=-1)


def claims(data: Data, p: Params) -> list[Claim]:
    """How wide windows are, how far they move, and how wide the one is that serves all problems."""
    inside = windows(data)
    wide, joint = inside.sum(axis=-1) / p.per_decade, inside.all(axis=1).sum(axis=-1) / p.per_decade
    spread = np.ptp(middles(inside, p), axis=1)
    reach = np.sum(inside[..., [0, -1]])
    said = {
        "grid": f"All {inside[..., 0].size} windows lie inside the grid: those that touch an end of it.",
        "wide": "On a single problem Adam's window is not much wider, as the lectures have it: decades more, the mean.",
        "moves": "The middle of SGD's window moves further between problems than of Adam's: decades more, the mean.",
        "adam": "Rates of Adam that serve all six problems: decades, the mean.",
        "sgd": "Rates of SGD that serve all six problems: decades, the mean.",
        "joint": "Adam has more rates that serve all problems than SGD: decades more, the mean.",
    }
    return [
        exact("grid", said["grid"], reach, 0),
        mean("wide", said["wide"], (wide[1] - wide[0]).mean(axis=0), 0.0, (-0.5, 0.5)),
        mean("moves", said["moves"], spread[0] - spread[1], None, (0.2, None)),
        mean("adam", said["adam"], joint[1], None, (0.2, None)),
        mean("sgd", said["sgd"], joint[0], None, (None, 0.5)),
        mean("joint", said["joint"], joint[1] - joint[0], None, (0.1, None)),
    ]


def draw_curves(ax: Axes, losses: Array, p: Params) -> None:
    """The median final loss of each problem against the learning rate."""
    for values, color in zip(np.median(losses, axis=1), COLORS, strict=True):
        ax.plot(rates(p), np.fmin(values, 9), color=color)
    ax.axhline(GUESSING, color="#999999", linewidth=1.5)
    ax.set(ylim=(0, 2.2), xlim=DECADES)


def draw_windows(ax: Axes, inside: Array, p: Params) -> None:
    """The window of each problem as a bar, the median over seeds of its ends, and what they have in common."""
    usual = np.mean(inside, axis=1) >= 0.5
    for k, (row, color) in enumerate(zip(usual, COLORS, strict=True)):
        held = rates(p)[row]
        ax.plot([held[0], held[-1]], [k, k], color=color, linewidth=11, solid_capstyle="butt")
    low, high = (pick(rates(p)[row][end] for row in usual) for pick, end in ((max, 0), (min, -1)))
    if low < high:
        ax.axvspan(low, high, color=plotting.YELLOW, alpha=0.5, linewidth=0, zorder=0)
        ax.text((low + high) / 2, 6.1, "serves all", ha="center", va="center")
    ax.set(ylim=(-0.7, 6.7), xlim=DECADES, xlabel="learning rate")
    ax.set_yticks(range(len(PROBLEMS)), list(PROBLEMS))
    ax.set_xticks(range(-3, 2), [f"10{str(k).translate(str.maketrans('-0123', '⁻⁰¹²³'))}" for k in range(-3, 2)])


def plot(data: Data, p: Params) -> Figure:
    """Final losses above, windows below; SGD at the left, Adam at the right."""
    sheet, axes = plotting.figure(2, 2, sharex=True, sharey="row")
    for (above, below), losses, inside, name in zip(axes.T, data["final"], windows(data), METHODS, strict=True):
        draw_curves(above, losses, p)
        draw_windows(below, inside, p)
        above.set_title(f"{name}, {p.steps} steps")
    axes[0, 0].set_ylabel("final training loss")
    axes[0, 1].text(DECADES[1], GUESSING - 0.05, "guessing", color="#666666", va="top", ha="right")
    axes[1, 0].set_title("90 % of the way: windows hardly meet")
    axes[1, 1].set_title("as wide, but in one place")
    return sheet


experiment = Experiment(
    title="Adam's window of learning rates is no wider than SGD's, but it stays in place from problem to problem",
    source="Training DNNs; Training neural networks 2: choosing an optimizer",
    question="By how much may the learning rate be off, on one problem and over several?",
    params={"samples": 1024, "steps": 400, "seeds": 24, "per_decade": 8},
    quick={"seeds": 14, "steps": 300, "per_decade": 4},
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
