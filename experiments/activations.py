"""Activation functions and their slopes on [−8, 8], and what a slope of 0 costs (lectures A, B, N, I).

All come from the kernels: y = f(x), and f′ from y. A unit whose input is negative on all data is dead when f′ = 0
there: no gradient, no step, for ever. With a slope it comes back, and how soon follows from the gradient flow of one
unit that is asked for 1, ½(f(b) − 1)², from the depth b = −d up to 0:

* leaky ReLU, slope s:  b′ = (1 − s b) s,       time  ln(1 + s d) / s²,
* ELU, α = 1:           b′ = (2 − eᵇ) eᵇ,       time  (e^d − 1)/2 + ¼ ln(2 e^d − 1),
* ReLU:                 b′ = 0,                 never.

Gradient descent with step η takes time / η steps, up to a relative error of the size of η. The cost of each function is
a benchmark (`optlab bench dense`), since a time is never the same twice.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from optlab import ops, plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, bounded, exact
from optlab.random import derive_seed, normal

SLOPE = 0.2  # of the leaky ReLU in the lectures
CURVES = {"sigmoid": None, "tanh": None, "relu": None, "leaky_relu": SLOPE, "elu": 1.0}
LABELS = {"sigmoid": "sigmoid", "tanh": "tanh", "relu": "ReLU", "leaky_relu": "leaky ReLU (0.2)", "elu": "ELU"}
PIECES = ((-0.6, -1.5), (0.1, 0.0), (0.8, -1.5))  # slope and offset of a maxout unit's lines
WAYS = {"leaky_relu": SLOPE, "elu": 1.0}


def formula(name: str, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """f(x) and f′(x) as the lectures write them, in float64."""
    if name == "sigmoid":
        y = 1 / (1 + np.exp(-x))
        return y, y * (1 - y)
    if name == "tanh":
        return np.tanh(x), 1 / np.cosh(x) ** 2
    left = {"relu": (0 * x, 0 * x), "leaky_relu": (SLOPE * x, SLOPE + 0 * x), "elu": (np.expm1(x), np.exp(x))}[name]
    return np.where(x > 0, x, left[0]), np.where(x > 0, 1.0, left[1])


def kernel(name: str, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """f(x), and f′ from it."""
    y = ops.activation_forward(x, name, parameter=CURVES[name])
    return y, ops.activation_backward(np.ones_like(y), y, name, parameter=CURVES[name])


def error(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest error, in eps of float32 and of what is expected (of 1 where that is smaller)."""
    return float(np.max(np.abs(found - expected) / np.maximum(1, np.abs(expected))) / np.finfo(np.float32).eps)


def maxout(x: np.ndarray) -> np.ndarray:
    """The largest of the three lines."""
    lines = np.array(PIECES, x.dtype)
    return ops.maxout_forward(ops.linear_forward(x[:, None], lines[:, :1].copy(), lines[:, 1].copy()), len(lines))[:, 0]


def revival(name: str, depths: np.ndarray, lr: float, most: int) -> np.ndarray:
    """How long gradient descent takes until each unit's input is positive, in units of time; one unit per depth."""
    x, weight, bias = np.zeros((1, 1)), np.ones((len(depths), 1)), -depths
    steps = np.full(len(depths), np.nan)
    for step in range(1, most + 1):
        y = ops.linear_forward(x, weight, bias, name, parameter=CURVES[name])
        bias -= lr * ops.linear_backward(y - 1, x, weight, y, name, parameter=CURVES[name])[2]
        # The crossing lies between two steps; the last one is taken in part.
        steps = np.where(np.isnan(steps) & (bias > 0), step, steps)
        if not np.isnan(steps).any():
            break
    return lr * steps


def flow_time(name: str, depth: np.ndarray) -> np.ndarray:
    """The same of the gradient flow."""
    if name == "leaky_relu":
        return np.log(1 + SLOPE * depth) / SLOPE**2
    return (np.exp(depth) - 1) / 2 + np.log(2 * np.exp(depth) - 1) / 4


def sign_limit() -> np.ndarray:
    """The slope of tanh(kx) at 1, by the kernel, against 4k e^{-2k} / (1 + e^{-2k})²: the gap in units of rounding.

    As k grows tanh(kx) becomes the sign of x, and its slope away from 0 vanishes faster than any power of k.
    """
    k = np.arange(1.0, 13.0)
    y = ops.activation_forward(k, "tanh")
    slope, law = k * ops.activation_backward(np.ones(k.shape), y, "tanh"), 4 * k * np.exp(-2 * k)
    law /= (1 + np.exp(-2 * k)) ** 2
    # y is good to 3 ulp, of which half stand below 1, and 1 - y carries them all; the law itself rounds 8 times.
    eps = np.finfo(np.float64).eps
    return np.abs(slope / law - 1) / (3 * eps / (1 - np.tanh(k)) + 8 * eps)


def dead_units(p: Params, seed: int, name: str) -> tuple[int, int]:
    """Of units that start dead on all of their data: how many moved by a bit, and how many came to life."""
    x, target = normal((p.samples, 1), derive_seed(seed, "data")), np.ones((p.samples, p.units))
    weight = normal((p.units, 1), derive_seed(seed, "weights"))
    bias = -np.abs(weight[:, 0]) * np.abs(x).max() - 0.5
    start = weight.copy(), bias.copy()
    for _ in range(p.steps):
        y = ops.linear_forward(x, weight, bias, name, parameter=CURVES[name])
        _, dweight, dbias = ops.linear_backward((y - target) / p.samples, x, weight, y, name, parameter=CURVES[name])
        weight -= 0.5 * dweight
        bias -= 0.5 * dbias
    moved = (weight[:, 0] != start[0][:, 0]) | (bias != start[1])
    return int(moved.sum()), int(((x @ weight.T + bias) > 0).any(axis=0).sum())


def compute(p: Params, seed: int, progress: Progress) -> dict[str, np.ndarray]:
    """Curves in float32, their errors, the times of revival, and a population of dead units."""
    x = np.linspace(-8, 8, p.points, dtype=np.float32)
    curves = {name: kernel(name, x) for name in CURVES}
    exact_curves = {name: formula(name, x.astype(np.float64)) for name in CURVES}
    z = normal((p.points, 1), derive_seed(seed, "maxout"))
    pieces = {name: ops.maxout_forward(np.hstack([z, s * z]), 2) for name, s in (("relu", 0.0), ("leaky_relu", SLOPE))}
    depths = np.linspace(0.5, p.depth, 8)
    dead = [dead_units(p, derive_seed(seed, "units"), name) for name in ("relu", "leaky_relu")]
    return {
        "x": x,
        "y": np.array([y for y, _ in curves.values()]),
        "slope": np.array([slope for _, slope in curves.values()]),
        "errors": np.array([[error(*pair) for pair in zip(curves[n], exact_curves[n], strict=True)] for n in CURVES]),
        "maxout": maxout(x),
        "maxout_differs": np.array([(y != kernel(name, z)[0]).sum() for name, y in pieces.items()]),
        "sign_gap": sign_limit(),
        "depths": depths,
        "times": np.array([revival(name, depths, p.lr, int(3 * flow_time(name, p.depth) / p.lr)) for name in WAYS]),
        "dead": np.array(dead),
    }


def shape_claims(data: Data, p: Params) -> list[Claim]:
    """The kernels are their formulas; the largest slopes."""
    names, found = list(CURVES), []
    for name, (value, slope) in zip(names, data["errors"], strict=True):
        # f is good to 2 eps of itself; f' is made of y, whose error of 2 eps (of 1) it may carry on twice.
        found.append(bounded(f"{name}_value", f"{LABELS[name]}: f(x) in float32, largest error in eps.", value, (0, 2)))
        found.append(bounded(f"{name}_slope", f"{LABELS[name]}: f'(x) from y, largest error in eps.", slope, (0, 4)))
    quarter = "The slope of the sigmoid is at most 1/4, at 0."
    none = (
        "The sign is the limit of tanh(kx), whose slope at 1 vanishes as 4k e^-2k, k = 1 ... 12: the gap, by rounding."
    )
    same = "A maxout unit with the pieces z and {} z is the {}: how many of {} values differ in a bit."
    return [
        *found,
        exact("sigmoid_quarter", quarter, data["slope"][names.index("sigmoid")].max(), 0.25),
        bounded("sign_flat", none, data["sign_gap"].max(), (0, 1)),
        exact("maxout_relu", same.format(0, "ReLU", p.points), data["maxout_differs"][0], 0),
        exact("maxout_leaky", same.format(SLOPE, "leaky ReLU", p.points), data["maxout_differs"][1], 0),
    ]


def death_claims(data: Data, p: Params) -> list[Claim]:
    """A dead ReLU stays dead; others come back when the flow says so."""
    (relu_moved, _), (_, leaky_alive) = data["dead"]
    moved = f"Of {p.units} ReLU units dead on all data, how many moved by a bit in {p.steps} steps."
    alive = f"Of {p.units} {{}} units in that place, how many came to life in {p.steps} steps."
    took = "{}: the time to come back from depth d is that of the gradient flow: the largest relative gap."
    # A step changes the slope by a factor of up to 1 + 2 lr, and the count of steps is rounded up.
    found = [
        exact("relu_stays_dead", moved, relu_moved, 0),
        exact("leaky_revives", alive.format("leaky ReLU"), leaky_alive, p.units),
    ]
    for name, times in zip(WAYS, data["times"], strict=True):
        gap = np.max(np.abs(times / flow_time(name, data["depths"]) - 1))
        found.append(bounded(f"{name}_time", took.format(LABELS[name]), gap, (0, 5 * p.lr)))
    return found


def claims(data: Data, p: Params) -> list[Claim]:
    """Shapes, and what a slope of 0 does."""
    return [*shape_claims(data, p), *death_claims(data, p)]


def draw_curves(ax: Axes, data: Data, key: str) -> None:
    """All functions or all slopes."""
    # Three of them are the same on the right: each later line is thinner, so that none hides another.
    for color, width, name, curve in zip(plotting.COLORS, (3, 3, 8, 5.5, 3), CURVES, data[key], strict=False):
        ax.plot(data["x"], curve, color=color, linewidth=width, zorder=2 + (width == 3), label=LABELS[name])
    ax.set(xlim=(-8, 8), xlabel="x")


def draw_maxout(ax: Axes, data: Data) -> None:
    """A maxout unit is the largest of its lines."""
    x = data["x"]
    for slope, offset in PIECES:
        line = ax.plot(x, slope * x + offset, "--", color="#999999", linewidth=2)
    ax.plot(x, data["maxout"], color=plotting.BLUE, linewidth=4, label="maxout of 3 lines")
    line[0].set_label("its lines")
    ax.set(xlim=(-8, 8), ylim=(-3, 5), xlabel="x", ylabel="y")
    ax.legend(loc="upper center")


def draw_revival(ax: Axes, data: Data, p: Params) -> None:
    """How long a unit takes to come back from below, for those that do."""
    depths = np.linspace(data["depths"][0], data["depths"][-1], 100)
    for name, times in zip(WAYS, data["times"], strict=True):
        color = plotting.COLORS[list(CURVES).index(name)]
        ax.semilogy(data["depths"], times, "o", color=color, markersize=10, label=LABELS[name])
        law = plotting.theory_line(ax, depths, flow_time(name, depths), "gradient flow")
    ax.legend(handles=[*ax.get_legend_handles_labels()[0][:1], *ax.get_legend_handles_labels()[0][2:3], law])
    ax.set(xlabel="depth d: the unit starts at input −d", ylabel="time, steps × lr")


def plot(data: Data, p: Params) -> Figure:
    """Functions, slopes, maxout, and coming back from the dead."""
    sheet, axes = plotting.figure(2, 2)
    draw_curves(axes[0, 0], data, "y")
    axes[0, 0].set(ylim=(-1.8, 4), ylabel="f(x)")
    axes[0, 0].legend(loc="upper left", fontsize=14)
    axes[0, 0].set_title("the functions")
    draw_curves(axes[0, 1], data, "slope")
    axes[0, 1].set(ylim=(-0.05, 1.1), ylabel="f′(x)")
    plotting.theory_line(axes[0, 1], [-8, 8], [0.25, 0.25], "¼: the sigmoid")
    axes[0, 1].text(-7.8, 0.29, "¼: the sigmoid")
    axes[0, 1].set_title("their slopes: the sigmoid's is at most ¼")
    draw_maxout(axes[1, 0], data)
    axes[1, 0].set_title("maxout: the largest of its lines")
    draw_revival(axes[1, 1], data, p)
    axes[1, 1].set_title(f"coming back: {data['dead'][0, 1]:.0f} of {p.units:,} dead ReLUs do")
    return sheet


experiment = Experiment(
    title="A unit learns through its slope: the sigmoid passes on a quarter at most, a dead ReLU nothing",
    source="Additional Techniques, Basic Methods and Tricks, Regularization and Optimization, Important Techniques",
    question="What do the activation functions and their slopes look like, and what does a slope of 0 cost?",
    params={"points": 4001, "units": 1000, "samples": 200, "steps": 2000, "depth": 6.0, "lr": 0.005},
    quick={"points": 1001, "units": 200, "samples": 50, "steps": 1000, "depth": 4.0, "lr": 0.01},
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
