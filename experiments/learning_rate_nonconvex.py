"""The learning rate where minima compete: f(x) = x cos(0.15πx) (notebook *Regularization and Optimization*).

Gradient descent iterates g(x) = x − lr f′(x). Beside a minimum a step multiplies the distance by g′ = 1 − lr f″, so
that the minimum holds runs iff lr < 2/f″: the sharper of the two near 0 lets go at 1.103, the flatter at 2.043. Beyond
its edge a minimum gives way to a cycle of two points a and b = g(a), g(b) = a, which in turn holds runs as long as
|g′(a) g′(b)| < 1, then to one of four, and so on to chaos. Where the chaotic band meets the other valley, runs cross
over for good. Edges and cycles are predicted here by bisection, from NumPy's f′ and f″ alone.
"""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.optimize import brentq

import optlab as ol
from optlab import plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, bounded, exact, fraction
from optlab.random import derive_seed, uniform

FREQUENCY = 0.15 * math.pi
HILLS = ol.landscapes.Cosine(FREQUENCY)
FLAT, SHARP = HILLS.stationary(-3.0, 0.0)[0], HILLS.stationary(5.0, 10.0)[0]
PRINTED = {10.0: ((0.3, 7.27), (1.3, 5.56), (2.0, -1.53)), -7.0: ((0.5, -3.37), (2.7, -2.64), (3.5, 7.52))}
"""By start: learning rates of the notebook, and the ends it prints."""
STEPS = {10.0: 10, -7.0: 5}
CYCLING, CYCLE, OVERSHOOT = 1.3, (5.56, 8.38), 13.13
DIGIT = 0.005  # half a unit of the last printed digit
NUDGE, SPACING = 1e-6, 1e-3
FEW, LONG = 20, 400  # steps that measure a factor, and that tell whether it is below 1
NEAR_EDGE = np.arange(0.98 + SPACING / 2, 1.02, SPACING)  # in units of the edge
CLOUD = (0.9, 1.3, 2.0, 2.3)
VIEW = (-6.0, 10.5)  # of starts and of the map


def height(x: np.ndarray) -> np.ndarray:
    """The function f(x)."""
    return x * np.cos(FREQUENCY * x)


def step(x: float, lr: float) -> float:
    """One step of gradient descent, g(x)."""
    return x - lr * (math.cos(FREQUENCY * x) - FREQUENCY * x * math.sin(FREQUENCY * x))


def bend(x: float) -> float:
    """The second derivative f″(x)."""
    return -FREQUENCY * (2 * math.sin(FREQUENCY * x) + FREQUENCY * x * math.cos(FREQUENCY * x))


def cycle(lr: float) -> tuple[float, float]:
    """The two points between which runs hop around the sharper minimum, beyond its edge."""
    low = brentq(lambda a: step(step(a, lr), lr) - a, 4.5, SHARP - 0.1, xtol=1e-13)
    return low, step(low, lr)


def factor(lr: float) -> float:
    """What two steps multiply the distance from that cycle by."""
    return math.prod(1 - lr * bend(x) for x in cycle(lr))


def doubling() -> float:
    """The learning rate at which the cycle of two lets go."""
    return float(brentq(lambda lr: factor(lr) + 1, 1.2, 1.45))


def run(x0: np.ndarray, lr: np.ndarray | float, steps: int, record: int | list[int] | None = None) -> np.ndarray:
    """The recorded points, (records, runs)."""
    return ol.descend(HILLS, ol.SGD(lr=lr), x0[:, None], steps, record=record).x[..., 0]


def returns(points: np.ndarray, edge: float, period: int) -> np.ndarray:
    """The factors on the distance from a point after few periods and after many, for learning rates near `edge`."""
    few, many = run(points + NUDGE, NEAR_EDGE * edge, period * LONG, [period * FEW, period * LONG])
    return np.abs((np.array([few, many]) - points) / NUDGE)


def edges() -> np.ndarray:
    """Those factors beside the two minima and beside the cycle, (3, 2, learning rates)."""
    minima = [returns(np.full(len(NEAR_EDGE), x), 2 / bend(x), 1) for x in (FLAT, SHARP)]
    second = doubling()
    return np.array([*minima, returns(np.array([cycle(lr)[0] for lr in NEAR_EDGE * second]), second, 2)])


def held(p: Params, seed: int) -> np.ndarray:
    """How many runs from random starts end at the two minima, (learning rates, minima)."""
    starts = VIEW[0] + (VIEW[1] - VIEW[0]) * uniform(len(CLOUD) * p.starts, seed)
    ends = run(starts, np.repeat(CLOUD, p.starts), p.late)[-1].reshape(len(CLOUD), -1, 1)
    return np.sum(np.abs(ends - (FLAT, SHARP)) < 1e-3, axis=1)


def settled(p: Params, seed: int) -> np.ndarray:
    """Where runs from random starts are in the end: counts by pixel, (learning rates, places)."""
    rates, places = np.linspace(0, p.highest, p.columns + 1)[1:], np.linspace(*VIEW, p.rows + 1)
    starts = VIEW[0] + (VIEW[1] - VIEW[0]) * uniform(p.columns * p.each, seed)
    late = run(starts, np.repeat(rates, p.each), p.late + p.seen, list(range(p.late, p.late + p.seen)))
    seen = [np.histogram(column, places)[0] for column in late.reshape(p.seen, p.columns, p.each).swapaxes(0, 1)]
    return np.array(seen, np.uint16)


def compute(p: Params, seed: int, progress: Progress) -> dict[str, np.ndarray]:
    """The six printed runs, the edges, and clouds of random starts."""
    paths = {
        f"from_{start:g}": run(np.full(3, start), np.array([lr for lr, _ in PRINTED[start]]), STEPS[start], 1)
        for start in PRINTED
    }
    return {
        **paths,
        "hop": run(np.array([10.0]), CYCLING, LONG, 1)[-2:, 0],
        "growth": edges(),
        "held": held(p, derive_seed(seed, "cloud")),
        "settled": settled(p, derive_seed(seed, "map")),
    }


def printed_claims(data: Data) -> list[Claim]:
    """The ends that the notebook prints, and the places on the way that it names."""
    found = []
    for start, ends in PRINTED.items():
        for (lr, end), x in zip(ends, data[f"from_{start:g}"][-1], strict=True):
            said = f"From {start:g} with lr {lr:g}, {STEPS[start]} steps end at {end:g}, as printed."
            found.append(exact(f"end_{start:g}_{lr:g}", said, x, end, DIGIT))
    over = f"From -7 with lr 3.5 the last step but one is thrown to {OVERSHOOT:g}, as printed."
    hops = f"Lr {CYCLING:g} hops between {CYCLE[0]:g} and {CYCLE[1]:g}, as printed: the {{}} of the last two points."
    same = f"They are the two points with g(a) = b and g(b) = a: the largest gap after {LONG} steps."
    low, high = np.sort(data["hop"])
    return [
        *found,
        exact("overshoot", over, data["from_-7"][-2, 2], OVERSHOOT, DIGIT),
        exact("hop_low", hops.format("lower"), low, CYCLE[0], DIGIT),
        exact("hop_high", hops.format("higher"), high, CYCLE[1], DIGIT),
        # A rounding is one unit in 10, 2e-15; the cycle contracts by 0.4, and what the solver leaves is 1e-13.
        bounded("cycle", same, np.abs(np.sort(data["hop"]) - cycle(CYCLING)).max(), (0, 1e-12)),
    ]


def edge_claims(data: Data) -> list[Claim]:
    """How fast runs come back beside a minimum or a cycle, and up to which learning rate."""
    names, found = ("flat", "sharp", "cycle"), []
    ends = (2 / bend(FLAT), 2 / bend(SHARP), doubling())
    what = (f"The minimum {FLAT:.3f}", f"The minimum {SHARP:.3f}", "The cycle of two around 7.269")
    rules = ("2/f''", "2/f''", "the lr where g'(a)g'(b) = -1")
    for name, edge, place, rule, many in zip(names, ends, what, rules, data["growth"][:, 1], strict=True):
        measured = NEAR_EDGE[0] + SPACING * (np.sum(many < 1) - 0.5)
        said = f"{place} holds runs up to {rule}: the edge."
        found.append(exact(f"edge_{name}", said, measured * edge, edge, SPACING / 2 * edge))
    laws = [np.abs(1 - 2 * NEAR_EDGE)] * 2 + [np.abs([factor(lr) for lr in NEAR_EDGE * ends[2]])]
    gap = "Beside minima and cycle a period changes the distance by |g'|, or |g'(a)g'(b)|: the largest gap."
    # The distance stays below 1e-4, and what bends there is of the first order in it.
    return [*found, bounded("growth", gap, np.abs(data["growth"][:, 0] ** (1 / FEW) - laws).max(), (0, 1e-4))]


def cloud_claims(data: Data, p: Params) -> list[Claim]:
    """Which minimum holds runs from random starts."""
    some, all_, none, found = (0.2, 0.8), (0.99, 1.0), (0.0, 0.01), []
    accepted = ((some, some), (some, none), (all_, none), (none, none))
    for lr, ranges, held in zip(CLOUD, accepted, data["held"], strict=True):
        for name, x, accept, count in zip(("flat", "sharp"), (FLAT, SHARP), ranges, held, strict=True):
            said = f"Lr {lr:g}: the minimum {x:.3f} lets go at {2 / bend(x):.3f}; the share of starts that end there."
            found.append(fraction(f"share_{name}_{lr:g}", said, count, p.starts, None, accept))
    return found


def claims(data: Data, p: Params) -> list[Claim]:
    """What is printed, the edges, and the clouds."""
    return [*printed_claims(data), *edge_claims(data), *cloud_claims(data, p)]


def draw_paths(ax: Axes, data: Data, start: float, span: tuple[float, float], depth: float) -> None:
    """The three runs from one start, along f."""
    curve = np.linspace(*span, 300)
    ax.plot(curve, height(curve), color="#999999", linewidth=2)
    for (lr, _), xs, color in zip(PRINTED[start], data[f"from_{start:g}"].T, plotting.COLORS, strict=False):
        ax.plot(xs, height(xs), "o-", color=color, linewidth=1.8, label=f"lr {lr:g} → {xs[-1]:.2f}".replace("-", "−"))
        ax.plot(xs[-1], height(xs[-1]), "o", color=color, markersize=17, markeredgecolor=plotting.BLACK)
    ax.set(xlim=span, xlabel="x", ylabel="x cos(0.15πx)")
    ax.set_ylim(bottom=depth)
    ax.legend(loc="lower left")
    ax.set_title(f"{STEPS[start]} steps from {start:g}".replace("-", "−"))


def draw_settled(ax: Axes, data: Data, p: Params) -> None:
    """Where runs are in the end, for each learning rate, and the edges of both minima."""
    shade = (data["settled"].T / (p.seen * p.each)) ** 0.15  # so that what is rare is seen
    span = {"origin": "lower", "aspect": "auto", "interpolation": "none", "extent": (0, p.highest, *VIEW)}
    ax.imshow(shade, cmap="Purples", vmin=0, vmax=1, zorder=0, **span)
    for x in (SHARP, FLAT):
        ax.plot([2 / bend(x)] * 2, [x - 2, x + 2], color=plotting.BLACK, linestyle=(0, (4, 2)), linewidth=2.2)
        ax.text(2 / bend(x), x - 2.3, f"2/f″ = {2 / bend(x):.3f}", ha="center", va="top")
        ax.text(0.05, x + 0.5, f"minimum {x:.2f}".replace("-", "−"))
    ax.set(xlabel="learning rate", ylabel="x in the end")
    ax.set_title("From random starts: beyond its edge a minimum gives way to cycles, then to chaos")


def plot(data: Data, p: Params) -> Figure:
    """The printed runs above; below, where runs settle."""
    sheet, ((left, right), (below, spare)) = plotting.figure(2, 2, height_ratios=(1, 1.1))
    below.set_subplotspec(below.get_gridspec()[1, :])
    spare.remove()
    draw_paths(left, data, 10.0, (-5.0, 11.0), -10.0)
    draw_paths(right, data, -7.0, (-9.0, 14.0), -19.0)
    draw_settled(below, data, p)
    return sheet


experiment = Experiment(
    title="A minimum holds gradient descent only while lr < 2/f'': a higher rate ends in the flatter valley",
    source="Regularization and Optimization (notebook), learning rate on a nonconvex function",
    question="What does the learning rate do on x cos(0.15πx), from 10 and from -7?",
    params={
        "starts": 20_000,
        "late": 2000,
        "highest": 3.2,
        "columns": 480,
        "rows": 240,
        "each": 48,
        "seen": 24,
    },
    quick={"starts": 2000, "late": 1000, "columns": 96, "rows": 120, "each": 16},
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
