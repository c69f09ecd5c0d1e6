"""Past d saddles gradient descent takes a time exponential in d, perturbed descent does not (Du et al.).

On the octopus a coordinate waits in a well, curvature 2L, until those before it have moved out; then it is at a saddle
and falls along curvature −2γ. While it waits, each step of gradient descent multiplies it by 1 − 2ηL; then by 1 + 2ηγ.
What it lost in the t_i steps until coordinate i had moved out, it wins back in κ − 1 times as many, where

    κ = 1 + log(1/(1 − 2ηL)) / log(1 + 2ηγ),

so t_{i+1} = κ t_i + a number that depends on its start alone. The gaps t_{i+1} − t_i are in the ratio κ on average, and
the minimum of the octopus of dimension d is reached after about κ^d steps. Perturbed descent replaces what the
coordinates lose by noise of a fixed size: all its gaps are alike, and it takes steps in proportion to d.

Waiting coordinates shrink as (1 − 2ηL)^t, with η = 1/(4L) as 2^−t, and after 1074 steps are 0 in float64, for ever. The
dimensions and the starts, no closer to 0 than 0.1, are such that no run comes there: all here is theory, not rounding.

Du, Jin, Lee, Jordan, Poczos and Singh, "Gradient descent can take exponential time to escape saddle points", 2017.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import optlab as ol
from optlab import plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, fraction, mean, slope
from optlab.random import derive_seed, uniform

CLOSE = 0.01
NEVER = 65535
LARGEST = {1.0: 6, 1.5: 5, 2.0: 4, 3.0: 4}
"""The curvatures L, and the largest dimension in which no run meets the smallest float64."""
PLAIN, SHAKEN = "gradient descent", "perturbed descent"
COLORS = {PLAIN: plotting.VERMILLION, SHAKEN: plotting.BLUE}
SHADES = dict(zip(LARGEST, plotting.COLORS, strict=False))


def rate(curvature: float) -> float:
    """η, as in the paper."""
    return 1 / (4 * curvature)


def kappa(curvature: float) -> float:
    """κ for γ = 1."""
    lr = rate(curvature)
    return 1 - math.log1p(-2 * lr * curvature) / math.log1p(2 * lr)


def starts(dim: int, runs: int, seed: int) -> np.ndarray:
    """Uniform in [−1, 1]^dim, without |xᵢ| < 0.1."""
    u = 2 * uniform((runs, dim), derive_seed(seed, "start", dim)) - 1
    return np.copysign(0.1 + 0.9 * np.abs(u), u)


def descend(
    f: ol.landscapes.Octopus, x0: np.ndarray, steps: int, p: Params, seed: int, method: str, **options: object
) -> ol.Trajectory:
    """Gradient descent, or the paper's simplified perturbed one: it jumps wherever the gradient is small."""
    jumps = ol.Perturbation(p.radius, p.small, wait=1) if method == SHAKEN else None
    drawn = derive_seed(seed, "jumps", f.dim, f.L)
    return ol.descend(f, ol.SGD(rate(f.L)), x0, steps, perturbation=jumps, seed=drawn, **options)


def times(study: ol.Trajectory) -> np.ndarray:
    """When each run met its rule."""
    return np.where(study.stop_reason == "steps", NEVER, study.stop_step).astype(np.uint16)


def arrivals(dim: int, curvature: float, method: str, p: Params, seed: int) -> np.ndarray:
    """When each run is at a minimum."""
    f, x0 = ol.landscapes.Octopus(dim, curvature), starts(dim, p.runs, seed)
    return times(descend(f, x0, p.steps, p, seed, method, stop=ol.stop.value(f.minimum + CLOSE), record=[]))


def departures(dim: int, curvature: float, method: str, p: Params, seed: int, which: range) -> np.ndarray:
    """When each of some coordinates has moved out, which is when a saddle is left: (coordinates, runs)."""
    f, x0 = ol.landscapes.Octopus(dim, curvature), starts(dim, p.runs, seed)
    rules = [ol.stop.leaves_ball(2 * f.tau, np.zeros(dim), [i - 1]) for i in which]
    return np.array([times(descend(f, x0, p.steps, p, seed, method, stop=rule, record=[])) for rule in rules])


def budget(curvature: float, method: str, p: Params, seed: int) -> np.ndarray:
    """Which runs are at a minimum within the steps of the paper's figure, in its larger dimension."""
    f = ol.landscapes.Octopus(p.shown_dim, curvature)
    study = descend(f, starts(f.dim, p.runs, seed), p.shown, p, seed, method, record_x=False)
    return study.value[-1] <= f.minimum + CLOSE


def heights(curvature: float, method: str, p: Params, seed: int) -> np.ndarray:
    """The number of saddles and minima that the shown run is still above, at every step."""
    f = ol.landscapes.Octopus(p.shown_dim, curvature)
    study = descend(f, starts(f.dim, 1, seed), p.shown, p, seed, method, record=1, record_x=False)
    return ((study.value[:, 0] - f.minimum) / f.depth).astype(np.float32)


def watched(method: str, p: Params, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A run for the animation, at every step: log₁₀ |xᵢ|, and how many saddles and minima it is above."""
    f = ol.landscapes.Octopus(LARGEST[1.0], 1.0)
    study = descend(f, starts(f.dim, 1, seed), p.watched, p, seed, method, record=1)
    places = np.log10(np.maximum(np.abs(study.x[:, 0]), np.finfo(float).tiny))
    return places.astype(np.float32), ((study.value[:, 0] - f.minimum) / f.depth).astype(np.float32)


def compute(p: Params, seed: int, progress: Progress) -> dict[str, np.ndarray]:
    """Times of arrival by dimension, times at which coordinates move out, and the runs that are shown."""
    found = {}
    for k, (curvature, largest) in enumerate(LARGEST.items()):
        progress(0.2 * k, f"L = {curvature:g}")
        for method, dims in ((PLAIN, range(2, largest + 1)), (SHAKEN, p.dims)):
            found[f"arrivals {method} {k}"] = np.array([arrivals(d, curvature, method, p, seed) for d in dims])
        found[f"left {PLAIN} {k}"] = departures(largest, curvature, PLAIN, p, seed, range(1, largest + 1))
        quarters = range(p.dims[-1] // 4, p.dims[-1] + 1, p.dims[-1] // 4)
        found[f"left {SHAKEN} {k}"] = departures(p.dims[-1], curvature, SHAKEN, p, seed, quarters)
        for method in COLORS:
            found[f"budget {method} {k}"] = budget(curvature, method, p, seed)
            found[f"heights {method} {k}"] = heights(curvature, method, p, seed)
    for method in COLORS:
        found[f"places {method}"], found[f"above {method}"] = watched(method, p, seed)
    return found


def when(data: Data, key: str) -> np.ndarray:
    """Times as numbers; one that never came spoils every mean."""
    return np.where(data[key] == NEVER, np.nan, data[key].astype(float))


def claims(data: Data, p: Params) -> list[Claim]:
    """Gradient descent against κ, and perturbed descent against a constant."""
    found = []
    for k, curvature in enumerate(LARGEST):
        found += plain_claims(data, k, curvature) + shaken_claims(data, p, k, curvature)
        found += budget_claims(data, p, k, curvature)
    return found


def plain_claims(data: Data, k: int, curvature: float) -> list[Claim]:
    """The gaps' ratio, and the growth with the dimension."""
    left, expected, label = when(data, f"left {PLAIN} {k}"), kappa(curvature), f"{curvature:g}"
    before, after = np.diff(left, axis=0)[-2:]
    # The mean of these is the ratio of the mean gaps, and their scatter is its scatter.
    ratios = expected + (after - expected * before) / before.mean()
    gap = f"L = {label}: between saddles gradient descent takes κ = {expected:.2f} times longer each time: the ratio."
    reached = when(data, f"arrivals {PLAIN} {k}")[-3:]
    dims = np.arange(LARGEST[curvature] - 2, LARGEST[curvature] + 1)
    grows = f"L = {label}: its steps to the minimum grow as κ^dim: the slope of their logarithm, over log κ."
    return [
        mean(f"gaps_{label}", gap, ratios, expected, (0.995 * expected, 1.005 * expected)),
        # What depends on the start alone is worth up to 4 % where the smallest of the three dimensions is 2.
        slope(f"growth_{label}", grows, dims, np.log(reached).T / math.log(expected), 1.0, (0.93, 1.07)),
    ]


def shaken_claims(data: Data, p: Params, k: int, curvature: float) -> list[Claim]:
    """The gaps do not grow, and steps are as the dimension."""
    left, label = when(data, f"left {SHAKEN} {k}"), f"{curvature:g}"
    flat = f"L = {label}: perturbed, the last quarter of {p.dims[-1]} saddles takes as long as the second: the ratio."
    reached = when(data, f"arrivals {SHAKEN} {k}")
    grows = f"L = {label}: perturbed, the steps to the minimum grow as a power of the dimension: the exponent."
    return [
        mean(f"flat_{label}", flat, (left[3] - left[2]) / (left[1] - left[0]).mean(), 1.0, (0.97, 1.03)),
        # Above 1, because the first saddle is left from further away and noise of fixed length is shared by all.
        slope(f"power_{label}", grows, np.log(p.dims), np.log(reached).T, 1.0, (0.95, 1.2)),
    ]


def budget_claims(data: Data, p: Params, k: int, curvature: float) -> list[Claim]:
    """Who arrives in the paper's number of steps."""
    found = []
    for method, word, expected in ((PLAIN, "none", 0.0), (SHAKEN, "all", 1.0)):
        said = f"L = {curvature:g}, {p.shown_dim} dimensions, {p.shown} steps: by {method} {word} of the runs arrive."
        # Without an exception, n runs exclude shares beyond 7.6 / n.
        bound = (0.0, 10 / p.runs) if method == PLAIN else (1 - 10 / p.runs, 1.0)
        arrived = np.sum(data[f"budget {method} {k}"])
        found.append(fraction(f"{word}_arrive_{curvature:g}", said, arrived, p.runs, expected, bound))
    return found


def draw_stairs(ax: Axes, data: Data, p: Params, k: int, curvature: float) -> None:
    """How high both methods are, step by step."""
    for method, color in COLORS.items():
        ax.plot(data[f"heights {method} {k}"], color=color, label=method)
    ax.set(
        xlabel="step, with γ = 1, η = 1/(4L)",
        ylabel="saddles ahead",
        ylim=(-0.3, p.shown_dim + 0.5),
        yticks=range(0, p.shown_dim + 1, 2),
    )
    ax.set_title(f"A run in {p.shown_dim} dimensions, L = {curvature:g}")


def draw_gaps(ax: Axes, data: Data) -> None:
    """How long gradient descent takes from one saddle to the next, with the slope that theory gives."""
    for k, (curvature, color) in enumerate(SHADES.items()):
        gaps = np.diff(when(data, f"left {PLAIN} {k}"), axis=0).mean(axis=1)
        number = np.arange(2, len(gaps) + 2)
        ax.semilogy(number, gaps, "o", color=color, markersize=11, label=f"L = {curvature:g}")
        law = gaps[-1] * kappa(curvature) ** (number - number[-1])
        plotting.theory_line(ax, number, law, "slope log κ" if k == len(SHADES) - 1 else "_")
    ax.set(xlabel="saddle", ylabel="steps since the last", xlim=(1.6, 7.8), xticks=range(2, 7), ylim=(10, 6000))
    ax.set_title("Gradient descent: κ times longer for each")
    ax.legend(loc="lower right", labelspacing=0.2, frameon=True)


def draw_linear(ax: Axes, data: Data, p: Params) -> None:
    """When perturbed descent arrives, by dimension."""
    for k, (curvature, color) in enumerate(SHADES.items()):
        reached = when(data, f"arrivals {SHAKEN} {k}").mean(axis=1)
        (line,) = ax.plot(p.dims, reached, "o-", color=color, markersize=9)
        plotting.label_line(ax, line, f"L = {curvature:g}")
    ax.set(xlabel="dimension", ylabel="steps to the minimum", ylim=(0, None), xlim=(0, 1.25 * p.dims[-1]))
    ax.set_title("Perturbed descent: as long for each")


def plot(data: Data, p: Params) -> Figure:
    """Above two runs, below the times from saddle to saddle and to the minimum."""
    sheet, ((first, second), (gaps, linear)) = plotting.figure(2, 2)
    draw_stairs(first, data, p, 0, 1.0)
    draw_stairs(second, data, p, 3, 3.0)
    first.legend(loc="upper right")
    draw_gaps(gaps, data)
    draw_linear(linear, data, p)
    return sheet


def animate(data: Data, p: Params) -> Iterator[Figure]:
    """What waits sinks: the coordinates of both runs on a logarithmic scale, and how many have moved out."""
    sheet, (places, stairs) = plotting.figure(1, 2, size=(12.8, 5.6))
    number, drawn = np.arange(1, LARGEST[1.0] + 1), []
    for (method, color), shift in zip(COLORS.items(), (-0.13, 0.13), strict=True):
        (dots,) = places.plot(number + shift, 0 * number, "o", color=color, markersize=13, label=method)
        (trail,) = stairs.plot([], [], color=color)
        (head,) = stairs.plot([], [], "o", color=color, markersize=13)
        drawn.append((dots, trail, head, data[f"places {method}"], data[f"above {method}"]))
    lowest = 20 * math.floor(min(data[f"places {method}"].min() for method in COLORS) / 20)
    places.set(xlabel="coordinate i", ylabel="log₁₀ |xᵢ|", ylim=(lowest, 8), title="What waits, sinks")
    stairs.set(xlabel="step", ylabel="saddles ahead", xlim=(0, p.watched), ylim=(-0.3, LARGEST[1.0] + 0.3))
    places.legend(loc="lower left")
    for step in np.unique(np.geomspace(1, p.watched, p.frames).round().astype(int)):
        for dots, trail, head, place, above in drawn:
            dots.set_ydata(place[step])
            trail.set_data(np.arange(step + 1), above[: step + 1])
            head.set_data([step], above[step : step + 1])
        stairs.set_title(f"step {step}")
        yield sheet


experiment = Experiment(
    title="Each saddle holds gradient descent κ times longer than the one before; perturbed, it leaves all alike",
    source="Important Techniques in Neural Network Training, escaping saddle points; Du et al. 2017",
    question="Does gradient descent from a random start pass many saddles in a reasonable time?",
    params={
        "runs": 4000,
        "steps": 20_000,
        "dims": (4, 8, 16, 32, 64),
        "radius": 0.01 * math.e,
        "small": 0.01 * math.e,
        "shown": 1000,
        "shown_dim": 10,
        "watched": 2000,
        "frames": 80,
    },
    quick={"runs": 500, "dims": (4, 8, 16, 32), "frames": 8},
    compute=compute,
    plot=plot,
    claims=claims,
    animate=animate,
)

if __name__ == "__main__":
    experiment.main()
