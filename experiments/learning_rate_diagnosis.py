"""Reading a loss curve: a learning rate too low, good, high and too high on a network (lectures B and C).

Gradient descent on all data trains a small network with tanh, mean squared error and weight decay on noisy values of a
smooth function. The curves are those of the lectures, and one number puts the learning rates in order: the sharpness λ,
the largest eigenvalue of the Hessian at the minimum that a moderate learning rate finds. There a step multiplies the
distance to the minimum along the sharpest direction by 1 − lr λ. So no run can stay at a minimum with lr > 2/λ: it
falls fast at first, then bounces from side to side, or finds a flatter place, or diverges.

Each seed has a data set, a start and a minimum of its own. The minimum is found from the end of a long run at
0.1 by a trust region with exact Hessians. All learning rates are in units of its 2/λ.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.optimize import minimize

import optlab as ol
from optlab import plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, bounded, exact, fraction, mean
from optlab.nn import MLP, NetworkLandscape
from optlab.random import derive_seed, normal

RATES = {"low": 0.02, "good": 0.7, "high": 1.6, "too high": 6.0}
"""In units of 2/λ."""
COLORS = (plotting.GREEN, plotting.BLUE, plotting.ORANGE, plotting.VERMILLION)
OCTAVES = (-8, 3)  # of the sweep
SPACING = 0.02
NEAR_EDGE = np.arange(0.8 + SPACING / 2, 1.2, SPACING)
FIRST_RATE = 0.1  # of the run that shows where the minimum is
HUGE = 1e3  # what a figure shows of losses beyond
NUDGE, NUDGED_STEPS = 1e-6, 20
RECORD = 4  # steps from one point of a curve to the next
EARLY = 40


def landscape(p: Params, seed: int) -> tuple[NetworkLandscape, np.ndarray]:
    """The loss on one data set, and where training starts."""
    mlp = MLP([2, p.width, 1], "tanh", init="xavier_normal", dtype="float64")
    x = normal((p.samples, 2), derive_seed(seed, "inputs"))
    y = np.tanh(2 * x[:, 0]) * x[:, 1] + 0.3 * normal((p.samples,), derive_seed(seed, "noise"))
    return mlp.on(x, y, "mse", weight_decay=0.01), mlp.init(derive_seed(seed, "start"))


def sweep(p: Params) -> np.ndarray:
    """Learning rates in units of 2/λ."""
    return 2.0 ** np.arange(OCTAVES[0], OCTAVES[1] + 0.01, 1 / p.per_octave)


def minimum(f: NetworkLandscape, start: np.ndarray, steps: int) -> np.ndarray:
    """The minimum that gradient descent approaches."""
    near = ol.descend(f, ol.SGD(lr=FIRST_RATE), start, 5 * steps).last[0]
    found = minimize(f.value, near, method="trust-exact", jac=f.grad, hess=f.hessian, options={"gtol": 1e-7}).x
    for _ in range(3):  # Newton's steps, for the last digits
        found = found - np.linalg.solve(f.hessian(found), f.grad(found))
    return np.asarray(found)


def growth(f: NetworkLandscape, at: np.ndarray, sharpness: float, direction: np.ndarray) -> np.ndarray:
    """The factor a step on the distance from the minimum, along its sharpest direction, for learning rates near 2/λ."""
    beside = np.tile(at + NUDGE * direction, (len(NEAR_EDGE), 1))
    last = ol.descend(f, ol.SGD(lr=NEAR_EDGE * 2 / sharpness), beside, NUDGED_STEPS).last
    return np.abs((last - at) @ direction / NUDGE) ** (1 / NUDGED_STEPS)


def one_seed(p: Params, seed: int) -> dict[str, np.ndarray]:
    """The minimum, what happens beside it, and the training runs at all learning rates."""
    f, start = landscape(p, seed)
    best = minimum(f, start, p.steps)
    values, vectors = np.linalg.eigh(f.hessian(best))
    rates = np.array([*RATES.values(), *sweep(p)]) * 2 / values[-1]
    options = {"record": RECORD, "record_x": False, "nonfinite": "stop"}
    path = ol.descend(f, ol.SGD(lr=rates), np.tile(start, (len(rates), 1)), p.steps, **options)
    return {
        "slope": np.abs(f.grad(best)).max(),
        "eigenvalues": values[[0, -1]],
        "least": f.value(best),
        "growth": growth(f, best, values[-1], vectors[:, -1]),
        "curves": path.value[:, : len(RATES)].T,
        "final": path.value[-1, len(RATES) :],
    }


def compute(p: Params, seed: int, progress: Progress) -> dict[str, np.ndarray]:
    """The same for every seed."""
    found = []
    for k in range(p.seeds):
        progress(k / p.seeds, f"data set {k}")
        found.append(one_seed(p, derive_seed(seed, "run", k)))
    return {name: np.array([each[name] for each in found]) for name in found[0]}


def diverged(loss: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Which losses are not finite, or above what they started from."""
    return ~(loss <= start)


def edge_claims(data: Data, p: Params) -> list[Claim]:
    """What the Hessian at the minimum says about the steps beside it."""
    gap = np.abs(data["growth"] - np.abs(1 - 2 * NEAR_EDGE)).max()
    edges = NEAR_EDGE[0] + SPACING * (np.sum(data["growth"] < 1, axis=1) - 0.5)
    worst = edges[np.argmax(np.abs(edges - 1))]
    minima = f"Each of the {p.seeds} points is a minimum: the least eigenvalue of all Hessians."
    steps = "Beside the minimum a step multiplies the distance by |1 - lr sharpness|: the largest gap."
    ends = f"Runs come back to the minimum up to lr = 2/sharpness, with each of {p.seeds} data sets: the edge, in 2/s."
    return [
        bounded("minima", minima, data["eigenvalues"][:, 0].min(), (0, None)),
        # The distance stays below 1e-6 times 1.4^20; what bends there is of the second order in it.
        bounded("growth", steps, gap, (0, 1e-3)),
        exact("edge", ends, worst, 1.0, SPACING),
    ]


def curve_claims(data: Data, p: Params) -> list[Claim]:
    """What tells the four curves apart."""
    low, good, high, beyond = np.moveaxis(data["curves"], 1, 0)
    left = np.log10(low[:, -1] - data["least"]) - np.log10(good[:, -1] - data["least"])
    soonest = np.log10(high[:, : EARLY // RECORD + 1].min(axis=1) / good[:, : EARLY // RECORD + 1].min(axis=1))
    third, last = (np.median(part, axis=1) for part in np.array_split(high[:, 1:], 4, axis=1)[2:])
    lost = diverged(beyond[:, -1], good[:, 0]).sum()
    said = {
        "low": "Low is still far when good has arrived: log10 of the ratio of what is left above the minimum.",
        "first": f"High falls faster than good at first: log10 of the ratio of the least loss in {EARLY} steps.",
        "good": "High ends above good all the same: log10 of the ratio of losses, high's the median of a quarter.",
        "plateau": "High falls no more: log10 of its median loss in the last quarter over that in the quarter before.",
        "below_low": "High ends below low: log10 of the ratio.",
        "too_high": "Too high diverges: the share of runs that end above where they began, or are not finite.",
    }
    return [
        mean("low", said["low"], left, None, (1.0, None)),
        mean("high_first", said["first"], soonest, None, (None, 0)),
        mean("high_last", said["good"], np.log10(last / good[:, -1]), None, (0, None)),
        mean("plateau", said["plateau"], np.log10(last / third), 0.0, (-0.15, 0.15)),
        mean("below_low", said["below_low"], np.log10(last / low[:, -1]), None, (None, 0)),
        fraction("too_high", said["too_high"], lost, p.seeds, 1, (0.5, 1)),
    ]


def sweep_claims(data: Data, p: Params) -> list[Claim]:
    """Where in the sweep the best and the first divergent learning rate lie."""
    rates, lost = sweep(p), diverged(data["final"], data["curves"][:, 1, :1])
    below, first = rates < 1, rates[np.argmax(lost, axis=1)]
    best = rates[np.argmin(np.where(lost, np.inf, data["final"]), axis=1)]
    safe = f"Below 2/sharpness nothing diverges: how many of {lost[:, below].size} runs."
    rises = "Divergence begins beyond 2/sharpness, and not far: log2 of the first learning rate of the sweep, in 2/s."
    near = "The best learning rate of the sweep is 2/sharpness within a factor of 2: its log2, in 2/s."
    return [
        exact("safe", safe, lost[:, below].sum(), 0),
        mean("first_divergent", rises, np.where(lost.any(axis=1), np.log2(first), np.nan), None, (0, 3)),
        mean("best", near, np.log2(best), None, (-1, 1)),
    ]


def claims(data: Data, p: Params) -> list[Claim]:
    """The edge, the curves, the sweep."""
    return [*edge_claims(data, p), *curve_claims(data, p), *sweep_claims(data, p)]


def loss_axis(ax: Axes, title: str) -> None:
    """A logarithmic axis of losses with plain numbers."""
    ax.set(yscale="log", ylim=(0.12, 2.5), ylabel="loss", title=title)
    ax.set_yticks([0.2, 0.5, 1, 2], ["0.2", "0.5", "1", "2"])
    ax.minorticks_off()


def draw_curves(ax: Axes, data: Data, p: Params) -> None:
    """The median over seeds, and the half of them that is nearest to it."""
    places = {"low": (0.45, 0.83), "good": (0.45, 0.135), "high": (0.45, 0.45), "too high": (0.05, 2.1)}
    steps = np.minimum(RECORD * np.arange(data["curves"].shape[2]), p.steps)
    for k, (name, color) in enumerate(zip(RATES, COLORS, strict=True)):
        curves = np.fmin(data["curves"][:, k], HUGE)
        few, median, many = (np.sort(curves, axis=0)[round(q * (p.seeds - 1))] for q in (0.25, 0.5, 0.75))
        ax.plot(steps, median, color=color, linewidth=3.5)
        ax.fill_between(steps, few, many, color=color, alpha=0.3, linewidth=0)
        where, height = places[name]
        ax.text(where * p.steps, height, f"{name}: {RATES[name]:g} × 2/λ", color=color)
    loss_axis(ax, "λ: the sharpness at the minimum")
    ax.set_xlabel("step")


def draw_sweep(ax: Axes, data: Data, p: Params) -> None:
    """What is left after training, against the learning rate."""
    rates, final = sweep(p), np.fmin(data["final"], HUGE)
    ax.plot(rates, final[:12].T, ".", color=plotting.PURPLE, alpha=0.35, markersize=7)
    ax.plot(rates, np.sort(final, axis=0)[p.seeds // 2], "-o", color=plotting.PURPLE)
    ax.axvspan(1, 2.0 ** OCTAVES[1], color=plotting.VERMILLION, alpha=0.12, linewidth=0)
    ax.text(1.15, 0.132, "above 2/λ", color=plotting.VERMILLION)
    loss_axis(ax, f"loss after {p.steps} steps")
    ax.set(xscale="log", xlim=(2.0 ** OCTAVES[0], 2.0 ** OCTAVES[1]), xlabel="learning rate, in units of 2/λ")
    ax.set_xticks([0.01, 0.1, 1], ["0.01", "0.1", "1"])


def draw_growth(ax: Axes, data: Data, p: Params) -> None:
    """The factor on the distance from the minimum."""
    ax.plot(NEAR_EDGE, data["growth"].T, "o", color=plotting.SKY)
    line = plotting.theory_line(ax, NEAR_EDGE, np.abs(1 - 2 * NEAR_EDGE), "theory: |1 − lr λ|")
    ax.axvspan(1, 1.2, color=plotting.VERMILLION, alpha=0.12, linewidth=0)
    ax.text(1.01, 0.65, "leaves", color=plotting.VERMILLION)
    ax.text(0.99, 0.65, "comes back", ha="right")
    ax.set(
        xlim=(0.8, 1.2), ylim=(0.55, 1.45), xlabel="learning rate, in units of 2/λ", ylabel="distance after / before"
    )
    ax.set_title("beside the minimum: the factor of a step")
    ax.legend(handles=[line], loc="upper left")


def plot(data: Data, p: Params) -> Figure:
    """The curves at the left; the sweep, and what happens at the minimum, at the right."""
    sheet, ((left, right), (spare, below)) = plotting.figure(2, 2)
    left.set_subplotspec(left.get_gridspec()[:, 0])
    spare.remove()
    draw_curves(left, data, p)
    draw_sweep(right, data, p)
    draw_growth(below, data, p)
    return sheet


experiment = Experiment(
    title="The loss curve tells whether the learning rate is low, good, high or too high; the edge is 2/sharpness",
    source="Training DNNs; Training neural networks 2: choosing the learning rate",
    question="What do loss curves look like at learning rates from low to too high, and where does divergence begin?",
    params={"width": 10, "samples": 64, "seeds": 60, "steps": 400, "per_octave": 2},
    quick={"seeds": 16, "per_octave": 1},
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
