"""Learning rates that change: the schedules, what decay gains, and what warmup allows (lectures A, B, C, notebook N).

The curves. Each schedule is a factor on the learning rate, compared with its formula at every step; N printed ten
values of warmup and cosine. The factors of "multiplicative", 1 − 1/(t + 20), telescope to 20/(t + 20).

Decay. On ½ Σ hᵢxᵢ² with noise of standard deviation σ in the gradient, a step with learning rate η makes
E xᵢ² ← (1 − ηhᵢ)² E xᵢ² + η²σ², whatever η was before: the mean loss under every schedule is known exactly. A constant
rate must trade the noise floor, ∝ η, against the slowest coordinate, which shrinks by (1 − ηh) a step; decay need not.

Warmup. On x²/2 + x⁴/4 the curvature 1 + 3x² falls along the path. From x₀ a constant rate contracts while
η (1 + x²) < 2, hence iff η < 2/(1 + x₀²); at the minimum any η < 2 would do. Behind a linear ramp of W steps the
learning rate of step t is ηt/W. Far out x² dominates, and u = √(η/W) x follows u ← u − t u³, which depends on its start
alone: it contracts up to a critical u₀² = c (1.69). The largest stable rate is thus cW/(1 + x₀²), until that meets 2.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import optlab as ol
from optlab import plotting, schedules
from optlab.experiment import Claim, Data, Experiment, Params, Progress, bounded, exact, mean
from optlab.random import derive_seed, uniform

EPS, LENGTH = float(np.finfo(np.float64).eps), 100
PRINTED = (0, 0.05, 0.1, 0.0962, 0.0854, 0.0691, 0.05, 0.0309, 0.0146, 0.0038)
PATIENCE, FLAT = 9, 30  # of reduce-on-plateau, and the step from which its losses no longer fall


def triangle(t: int) -> float:
    """Up from 0.1 to 1 in 20 steps, and down again."""
    return 0.1 + 0.9 * (1 - abs(t % 40 - 20) / 20)


def half_cosine(t: float) -> float:
    """From 1 at 0 to 0 at 1."""
    return (1 + math.cos(math.pi * t)) / 2


def one_cycle(t: int) -> float:
    """Up from 1/25 to 1 at step 29, down to 1/250000 at step 99, both along cosines."""
    low, end = 1 / 25, 1 / 250_000
    return 1 + (low - 1) * half_cosine(t / 29) if t <= 29 else end + (1 - end) * half_cosine((t - 29) / 70)


FORMULAS: dict[str, tuple[schedules.Schedule, Callable[[int], float]]] = {
    "step": (schedules.Step(25, 0.5), lambda t: 0.5 ** (t // 25)),
    "staircase": (
        schedules.Staircase([30, 60, 80], [0.5, 0.4, 0.2]),
        lambda t: 1.0 if t < 30 else 0.5 if t < 60 else 0.2 if t < 80 else 0.04,
    ),
    "linear": (schedules.Linear(LENGTH), lambda t: 1 - t / LENGTH),
    "exponential": (schedules.Exponential(0.96), lambda t: 0.96**t),
    "inverse": (schedules.Inverse(0.05), lambda t: 1 / (1 + 0.05 * t)),
    "1/k": (schedules.OneOverK(), lambda t: 1 / (t + 1)),
    "multiplicative": (schedules.Multiplicative(lambda t: 1 - 1 / (t + 20)), lambda t: 20 / (t + 20)),
    "cosine": (schedules.Cosine(LENGTH), lambda t: half_cosine(t / LENGTH)),
    "cyclic": (schedules.Cyclic(20, low=0.1), triangle),
    "warmup": (
        schedules.Warmup(20, schedules.Cosine(80)),
        lambda t: t / 20 if t < 20 else half_cosine((t - 20) / 80),
    ),
    "one cycle": (schedules.OneCycle(LENGTH), one_cycle),
}
DECAYS = {
    "high": lambda steps: schedules.Constant(),
    "low": lambda steps: schedules.Constant(0.01),
    "best constant": lambda steps: schedules.Constant(best_constant(steps)),
    "staircase": lambda steps: schedules.Staircase([steps // 2, 3 * steps // 4]),
    "linear": schedules.Linear,
    "cosine": schedules.Cosine,
    "too early": lambda steps: schedules.Staircase([steps // 40, 3 * steps // 80]),
}
"""Factors on the high learning rate, by the number of steps."""
COMPARED = (
    ("high", "staircase"),
    ("low", "staircase"),
    ("too early", "staircase"),
    *(("best constant", name) for name in ("staircase", "linear", "cosine")),
)
"""Which way to decay ends above which."""
CURVATURES, NOISE, HIGH, START = np.geomspace(0.05, 1.0, 16), 1.0, 0.25, 30.0
BOWL = ol.landscapes.Quadratic(CURVATURES)
STEEP = ol.landscapes.Custom(1, lambda x: np.sum(x**2 / 2 + x**4 / 4, axis=1), lambda x: x + x * x * x)


def plateau() -> np.ndarray:
    """The factors of reduce-on-plateau while a loss falls until step FLAT and then stays."""
    control = schedules.ReduceOnPlateau(factor=0.5, patience=PATIENCE)
    return np.array([control.update(float(max(FLAT - t, 0) + 1)) for t in range(LENGTH)])


def expected_loss(factors: np.ndarray) -> np.ndarray:
    """The mean loss before and after each step."""
    square, losses = np.full(CURVATURES.shape, START**2), [CURVATURES.sum() * START**2 / 2]
    for rate in HIGH * factors:
        square = (1 - rate * CURVATURES) ** 2 * square + (rate * NOISE) ** 2
        losses.append(CURVATURES @ square / 2)
    return np.array(losses)


def best_constant(steps: int) -> float:
    """The constant factor with the least mean loss at the end, by the formula: no run decides it."""
    grid = np.geomspace(0.01, 1.0, 41)
    return float(grid[np.argmin([expected_loss(np.full(steps, factor))[-1] for factor in grid])])


def losses(name: str, p: Params, seed: int) -> np.ndarray:
    """The losses of all runs at the recorded steps, (records, runs)."""
    x0, record = np.full((p.runs, len(CURVATURES)), START), ol.log_spaced(40)
    options = {"schedule": DECAYS[name](p.steps), "gradient_noise": NOISE, "seed": derive_seed(seed, "decay", name)}
    return ol.descend(BOWL, ol.SGD(HIGH), x0, p.steps, record=record, record_x=False, **options).value


def ramp_limit() -> float:
    """c: the largest u₀² from which u ← u − t u³ contracts, by bisection."""
    low, high = 1.0, 2.0
    for _ in range(60):
        u = math.sqrt((low + high) / 2)
        for t in range(1, 40):
            u = min(max(u - t * u**3, -9.0), 9.0)
        low, high = (low, (low + high) / 2) if abs(u) > 1 else ((low + high) / 2, high)
    return low


def largest_stable(warmup: int, start: np.ndarray) -> np.ndarray:
    """The prediction."""
    contracts = 1 + start**2
    return np.maximum(2 / contracts, np.minimum(ramp_limit() * warmup / contracts, 2.0))


def stable_edge(warmup: int, start: np.ndarray, p: Params, seed: int) -> np.ndarray:
    """Between which learning rates of a grid runs from each start cease to converge; NaN if they always do."""
    grid = np.geomspace(1 / (1 + start.max() ** 2), 4.0, p.rates)
    lr, x0 = np.tile(grid, len(start)), np.repeat(start, p.rates)[:, None]
    # A little noise, because a ramp can contract to 0 exactly, from where nothing diverges any more.
    options = {"noise": 1e-12, "seed": derive_seed(seed, "warmup", warmup), "stop": ol.stop.leaves_ball(1e3)}
    study = ol.descend(STEEP, ol.SGD(lr), x0, warmup + p.settle, schedule=schedules.Warmup(warmup), **options)
    stays = np.abs(study.last).reshape(len(start), p.rates) < 1e-3
    first = np.argmin(stays, axis=1)
    return np.where(stays[:, -1] | (first == 0), np.nan, np.sqrt(grid[first] * grid[first - 1]))


def compute(p: Params, seed: int, progress: Progress) -> dict[str, np.ndarray]:
    """The curves, the losses under each way to decay, and the largest stable rate behind each ramp."""
    steps, start = np.arange(LENGTH), 8 + 4 * uniform(p.starts, derive_seed(seed, "starts"))
    progress(0.0, "decay")
    found = {f"loss {name}": losses(name, p, seed) for name in DECAYS}
    progress(0.3, "warmup")
    return {
        **{name: np.mean(values, axis=1) for name, values in found.items()},
        "final": np.array([values[-1] for values in found.values()]),
        "curves": np.array([ours(steps) for ours, _ in FORMULAS.values()] + [plateau()]),
        "printed": (0.1 * schedules.Warmup(2, schedules.Cosine(8)))(range(10)),
        "start": start,
        "edges": np.array([stable_edge(warmup, start, p, seed) for warmup in p.warmups]),
    }


def claims(data: Data, p: Params) -> list[Claim]:
    """The curves, then decay, then warmup."""
    return [*curve_claims(data), *decay_claims(data, p), *warmup_claims(data, p)]


def curve_claims(data: Data) -> list[Claim]:
    """Every schedule against its formula."""
    found, steps = [], np.arange(LENGTH)
    formulas = [formula for _, formula in FORMULAS.values()] + [lambda t: 0.5 ** max((t - FLAT) // (PATIENCE + 1), 0)]
    for name, curve, formula in zip((*FORMULAS, "reduce on plateau"), data["curves"], formulas, strict=True):
        # One rounding for each step so far, as a power or a product has, and a few more for a cosine.
        error = np.abs(curve - [formula(int(t)) for t in steps]) / (EPS * (steps + 8))
        said = f"{name.capitalize()} is its formula at {LENGTH} steps: the error in units of the bound on rounding."
        found.append(bounded(name.replace(" ", "_").replace("/", "_over_"), said, error.max(), (0.0, 1.0)))
    off = np.sum(np.round(data["printed"], 4) != PRINTED)
    return [
        exact("printed", "Warmup and cosine give the notebook's ten printed values: those that differ.", off, 0),
        *found,
    ]


def decay_claims(data: Data, p: Params) -> list[Claim]:
    """Each mean loss against its formula, and the ways against each other."""
    ends = {name: expected_loss(make(p.steps)(np.arange(p.steps)))[-1] for name, make in DECAYS.items()}
    # Means of 50 runs, whose ratio is close to that of the true means.
    blocks = {name: row.reshape(-1, 50).mean(axis=1) for name, row in zip(DECAYS, data["final"], strict=True)}
    found = []
    for name, end in ends.items():
        said = f"Decay, {name}: the mean loss after {p.steps} steps, in units of its formula."
        found.append(mean(f"loss_{name.replace(' ', '_')}", said, blocks[name] / end, 1.0, (0.9, 1.1)))
    for worse, better in COMPARED:
        expected, label = ends[worse] / ends[better], f"{worse}_above_{better}".replace(" ", "_")
        said = f"Decay, {worse}: ends above {better}; the ratio of their losses."
        found.append(mean(label, said, blocks[worse] / blocks[better], expected, (0.85 * expected, 1.15 * expected)))
    return found


def warmup_claims(data: Data, p: Params) -> list[Claim]:
    """The largest stable learning rate behind each ramp."""
    found = []
    for warmup, edges in zip(p.warmups, data["edges"], strict=True):
        said = f"Behind a warmup of {warmup} steps runs are stable up to the predicted learning rate: in its units."
        ratio = edges / largest_stable(warmup, data["start"])
        found.append(mean(f"edge_{warmup}", said, ratio, 1.0, (0.96, 1.04)))
    top, contracts = p.warmups[-1], 1 + data["start"] ** 2
    gain, expected = data["edges"][-1] / data["edges"][0] / contracts, float(np.mean(contracts))
    said = f"Warmup of {top} steps raises the largest stable learning rate from 2/(1 + x0^2) to 2: the factor."
    return [*found, mean("gain", said, gain * expected, expected, (0.95 * expected, 1.05 * expected))]


def draw_curve(ax: Axes, name: str, curve: np.ndarray) -> None:
    """One schedule."""
    ax.plot(curve, color=plotting.BLUE, drawstyle="steps-post")
    ax.set_title(name, fontsize=15, pad=4)
    ax.set(xlim=(0, LENGTH), ylim=(-0.05, 1.08), xticks=(0, 50, 100), yticks=(0, 1))


def draw_decay(ax: Axes, data: Data, p: Params) -> None:
    """The mean loss under each way to decay, and its formula."""
    steps = ol.log_spaced(40).steps(0, p.steps)
    names = {"high": 1.0, "low": 1.0, "best constant": 1.0, "cosine": 1.0, "too early": 1.0}
    for name, color in zip(names, plotting.COLORS, strict=False):
        law = expected_loss(DECAYS[name](p.steps)(np.arange(p.steps)))
        (line,) = ax.loglog(steps[1:], data[f"loss {name}"][1:], "o", color=color, markersize=6)
        ax.loglog(np.arange(1, p.steps + 1), law[1:], color=color, linewidth=1.8)
        said = {"high": f"constant {HIGH:g}", "low": f"constant {HIGH / 100:g}"}.get(name, name)
        plotting.label_line(ax, line, said).set_position((8, {"best constant": 5, "cosine": -7}.get(name, 0)))
    ax.set(xlim=(1, 40 * p.steps), ylim=(0.02, 8e3), xlabel="step", ylabel="mean loss", xticks=(1, 10, 100, 1000))
    ax.set_title("Decay beats constants (lines: theory)")


def draw_warmup(ax: Axes, data: Data, p: Params) -> None:
    """The largest stable learning rate against the length of the ramp."""
    ramps = np.geomspace(1, p.warmups[-1])
    law = [np.mean(largest_stable(ramp, data["start"])) for ramp in ramps]
    line = plotting.theory_line(ax, ramps, law, "theory")
    places = np.maximum(p.warmups, 1)
    ax.loglog(places, data["edges"].mean(axis=1), "o", color=plotting.VERMILLION, markersize=12)
    ax.set_xticks(places, ["none", *map(str, p.warmups[1:])])
    ax.minorticks_off()
    ax.legend(handles=[line], loc="upper left")
    ax.set(xlabel="warmup steps", ylabel="largest stable lr", title="Warmup allows larger rates")


def plot(data: Data, p: Params) -> Figure:
    """Left all the curves, right what decay and warmup do."""
    sheet, ax = plotting.figure()
    ax.remove()
    # Parts of their own, so that the labels of the right do not tear the rows of the left apart.
    left, right = sheet.subfigures(1, 2, width_ratios=(1.1, 1))
    panels = left.subplots(4, 3, sharex=True, sharey=True)
    for panel, name, curve in zip(panels.flat, (*FORMULAS, "on plateau"), data["curves"], strict=True):
        draw_curve(panel, name, curve)
    left.supylabel("factor on the learning rate", fontsize=17)
    left.supxlabel("step", fontsize=17)
    for panel, draw in zip(right.subplots(2, 1), (draw_decay, draw_warmup), strict=True):
        draw(panel, data, p)
    return sheet


experiment = Experiment(
    title="Decay removes the noise floor, warmup lets the learning rate be a hundred times as large",
    source="Additional Techniques; Training DNNs; Training 2; Regularization and Optimization: schedules",
    question="What do learning-rate schedules do, and what for?",
    params={"steps": 2000, "runs": 3000, "starts": 24, "rates": 500, "settle": 1200, "warmups": (0, 3, 10, 30, 300)},
    quick={"runs": 2000, "starts": 8, "rates": 240},
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
