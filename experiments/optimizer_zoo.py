"""Every optimizer of the package on three landscapes and a network, with one budget of tuning (lectures A, B and C).

Each method tries the same learning rates, a quarter of a decade apart, from the same starts, with what else it has at
its defaults (momentum 0.9 where there is one; no weight decay, which would help towards minima near 0). Shown on other
seeds is the rate whose worst run on the tuning seeds was best: at the end of a fixed number of steps, the decimal
logarithm of the distance in value from the global minimum, or of the network's loss over all of its data. A run that
ends higher than it began counts as one that stays there.

- `slope`: least squares with κ = 1000 along turned axes, its minimum away from 0. No axis is a coordinate, so that
  rates of their own for coordinates gain little; momentum gains much.
- `valley`: Rosenbrock's, from around (−1.2, 1).
- `saddle`: a strict saddle in 16 dimensions, bounded, from starts at a distance of about 10⁻³ from where descent stays.
- `network`: 64-32-10 on the digits, batches of 32.

Method and landscape meet on few seeds; differences are taken seed by seed, from the same start with the same batches.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable

import numpy as np
from matplotlib.figure import Figure

import optlab as ol
from optlab import optim, plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, exact, fraction, mean
from optlab.experiment.intervals import student
from optlab.landscape import random_rotation
from optlab.random import derive_seed, normal

Array = np.ndarray
METHODS: dict[str, Callable[[Array], ol.Optimizer]] = {
    "SGD": lambda lr: ol.SGD(lr),
    "SGD, momentum": lambda lr: ol.SGD(lr, momentum=0.9),
    "SGD, Nesterov": lambda lr: ol.SGD(lr, momentum=0.9, nesterov=True),
    "HeavyBall": lambda lr: ol.HeavyBall(lr, momentum=0.9),
    "AveragedMomentum": lambda lr: ol.AveragedMomentum(lr, momentum=0.9),
    "Adagrad": lambda lr: ol.Adagrad(lr),
    "Adadelta": lambda lr: ol.Adadelta(lr),
    "RMSprop": lambda lr: ol.RMSprop(lr),
    "Adam": lambda lr: ol.Adam(lr),
    "AdamW": lambda lr: ol.AdamW(lr, weight_decay=0.0),
    "AdamW8bit": lambda lr: ol.AdamW8bit(lr, weight_decay=0.0),
    "Adamax": lambda lr: ol.Adamax(lr),
    "NAdam": lambda lr: ol.NAdam(lr),
    "SparseAdam": lambda lr: ol.SparseAdam(lr),
    "LARS": lambda lr: ol.LARS(lr),
    "LAMB": lambda lr: ol.LAMB(lr),
}
PROBLEMS = ("slope", "valley", "saddle", "network")
TITLES = ("least squares,\nκ = 1000", "Rosenbrock's\nvalley", "strict saddle\nin 16 dim.", "network on\nthe digits")
DECADES, PER_DECADE = (-4.0, 1.0), 4
LEAST = 1e-7
"""Distances below are rounding of float32."""
DIM, CONDITION, SAMPLES = 16, 1000.0, 400
SADDLE = ol.landscapes.StrictSaddle(dim=DIM, negative=1, curvature=0.5)


def rates() -> Array:
    """The learning rates that every method tries."""
    return 10.0 ** np.arange(DECADES[0], DECADES[1] + 1e-9, 1 / PER_DECADE)


def slope(seed: int) -> ol.Landscape:
    """Least squares whose Hessian has eigenvalues from 1/κ to 1, its axes turned."""
    scales = np.sqrt(DIM * np.geomspace(1 / CONDITION, 1, DIM))
    matrix = scales[:, None] * random_rotation(DIM, seed)
    return ol.landscapes.LeastSquares(matrix, matrix @ normal(DIM, derive_seed(seed, "solution")))


def starts(problem: str, count: int, seed: int) -> Array:
    """(runs, dim), each from a seed of its own."""
    if problem == "valley":
        return np.array([-1.2, 1.0]) + 0.1 * normal((count, 2), seed)
    points = normal((count, DIM), seed)
    if problem == "saddle":
        points[:, 0] *= 1e-3
    return points


def ends(problem: str, f: ol.Landscape, method: str, lr: Array, count: int, steps: int, seed: int) -> Array:
    """The logarithms of what is left in the end, (rates, seeds)."""
    if problem == "network":
        first = f.mlp.init(derive_seed(seed, "start"), runs=count)  # type: ignore[attr-defined]
        options = {"batch_size": 32, "seed": derive_seed(seed, "batches")}
    else:
        first, options = starts(problem, count, derive_seed(seed, "start")).astype(np.float32), {}
    x0, each = np.tile(first, (len(lr), 1)), np.repeat(lr, count)
    last = ol.descend(f, METHODS[method](each), x0, steps, record=[], record_x=False, nonfinite="stop", **options).last
    least = 0.0 if problem == "network" else f.minimum or 0.0
    begun, left = (np.nan_to_num(np.asarray(f.value(x), float) - least, nan=np.inf) for x in (x0, last))
    return np.log10(np.clip(left, LEAST, np.maximum(begun, LEAST))).reshape(len(lr), count)


def compute(p: Params, seed: int, progress: Progress) -> dict[str, Array]:
    """The rate that each method takes on each problem, (problems, methods), and what is left on the seeds shown."""
    X, y = ol.data.digits()
    network = ol.nn.MLP([64, 32, 10]).on(X[: p.images], y[: p.images])
    surfaces = {"slope": slope(derive_seed(seed, "slope")), "valley": ol.landscapes.Rosenbrock(2)}
    surfaces |= {"saddle": SADDLE, "network": network}
    best, left = np.empty((len(PROBLEMS), len(METHODS))), {}
    for i, problem in enumerate(PROBLEMS):
        large = problem == "network"
        count, tuning, steps = (p.networks, p.tuned_on, p.network_steps) if large else (p.seeds, p.seeds, p.steps)
        left[problem] = np.empty((len(METHODS), count))
        for j, method in enumerate(METHODS):
            progress((i * len(METHODS) + j) / best.size, f"{problem}, {method}")
            this = (problem, surfaces[problem], method)
            tried = ends(*this, rates(), tuning, steps, derive_seed(seed, "tuning", i))
            best[i, j] = rates()[np.argmin(tried.max(axis=1))]
            left[problem][j] = ends(*this, best[i, j : j + 1], count, steps, derive_seed(seed, "shown", i))[0]
    return {"best": best, **left}


def gain(data: Data, problem: str, method: str, over: str) -> Array:
    """How much less a method leaves on a problem than another, seed by seed, in decades."""
    ours, theirs = (data[problem][list(METHODS).index(name)] for name in (method, over))
    return theirs - ours


def kinds() -> set[str]:
    """The optimizers of the package."""
    every = {name: getattr(optim, name) for name in optim.__all__}
    return {name for name, each in every.items() if inspect.isclass(each) and each is not optim.Optimizer}


def claims(data: Data, p: Params) -> list[Claim]:
    """Nobody is left out, and what momentum, adaptive rates and bytes do."""
    shown = {type(make(np.ones(1))).__name__ for make in METHODS.values()}
    # left the saddle: below the middle between its value, 0, and the minimum
    escaped = np.sum(10.0 ** data["saddle"] < -(SADDLE.minimum or 0.0) / 2)
    said = {
        "everyone": "Every optimizer of the package takes part: those that are left out.",
        "momentum": "On a narrow slope momentum gains orders of magnitude: log10 of SGD's rest over HeavyBall's.",
        "turned": "On turned axes Adagrad's own rates gain less than momentum: log10 of its rest over HeavyBall's.",
        "valley": "In a curved valley momentum gains, too: log10 of SGD's rest over that of SGD with momentum.",
        "valley_adam": "In the valley Adam gains over SGD: log10 of SGD's rest over Adam's.",
        "bytes": "Averages in bytes cost little on the network: log10 of AdamW8bit's loss over AdamW's.",
        "saddle": "Tuned, every method leaves the saddle: the share of runs.",
    }
    decades = (1.0, None)
    return [
        exact("everyone", said["everyone"], len(kinds() - shown), 0),
        mean("momentum", said["momentum"], gain(data, "slope", "HeavyBall", "SGD"), None, decades),
        mean("turned", said["turned"], gain(data, "slope", "HeavyBall", "Adagrad"), None, decades),
        mean("valley", said["valley"], gain(data, "valley", "SGD, momentum", "SGD"), None, decades),
        mean("valley_adam", said["valley_adam"], gain(data, "valley", "Adam", "SGD"), None, decades),
        mean("bytes", said["bytes"], gain(data, "network", "AdamW", "AdamW8bit"), 0.0, (-0.5, 0.5)),
        fraction("saddle", said["saddle"], int(escaped), data["saddle"].size, 1.0, (0.95, None)),
    ]


def plot(data: Data, p: Params) -> Figure:
    """A column for each problem, a row for each method: the mean of what is left, with its interval."""
    sheet, axes = plotting.figure(1, 4, sharey=True)
    rows = np.arange(len(METHODS))
    for ax, title, values in zip(axes, TITLES, (data[problem] for problem in PROBLEMS), strict=True):
        low, high = np.array([student(each, 0.999) for each in values]).T
        middle = values.mean(axis=1)
        first = middle <= middle.min() + 1e-12
        ax.hlines(rows, low, high, color=plotting.SKY, linewidth=7)
        ax.plot(middle[~first], rows[~first], "o", color=plotting.BLUE, markersize=9)
        ax.plot(middle[first], rows[first], "D", color=plotting.VERMILLION, markersize=11)
        ax.set_title(title, fontsize=16)
        ax.set_xlabel("log₁₀ of the loss" if ax is axes[3] else "log₁₀ of the rest")
        ax.tick_params(axis="y", length=0)
    axes[0].set_yticks(rows, list(METHODS), fontsize=14)
    axes[0].invert_yaxis()
    sheet.suptitle("Equal tuning: momentum decides on landscapes, on the network most are close")
    note = "diamonds: least; bars: 99.9 % intervals of the mean; 10⁻⁷ is where rounding begins"
    sheet.supxlabel(note, fontsize=14, color="#555555")
    return sheet


experiment = Experiment(
    title="With equal tuning momentum decides on landscapes; on a network most methods are close",
    source="Training DNNs: Basic Methods and Tricks, comparing optimizers",
    question="How do all optimizers compare, on landscapes and a network, when each may try the same learning rates?",
    params={"steps": 300, "network_steps": 300, "seeds": 200, "tuned_on": 8, "networks": 24, "images": 1024},
    quick={"network_steps": 60, "seeds": 50, "tuned_on": 6, "networks": 12, "images": 256},
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
