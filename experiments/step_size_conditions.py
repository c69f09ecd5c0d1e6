"""Which step sizes let stochastic gradient descent converge (lecture *Training DNNs: Basic Methods and Tricks*).

The lecture's conditions on the step sizes are Σ η_k = ∞, so that any distance can be walked, and Σ η_k² < ∞, so that
the noise is averaged away. On ½ x² with gradient noise of variance 1 a step is x ← (1 − η_k) x − η_k ξ. The distance is
therefore normal at every step, with mean 10 Π (1 − η_k) from the start 10, and with the variance of the recursion
v ← (1 − η_k)² v + η_k²: each number below is predicted, and nothing is fitted. From these two follows, for large k:

* η constant: v tends to η / (2 − η), the noise floor.
* η ∝ k⁻ᵖ with 0 < p < 1: v ≈ η_k / 2. The distance goes to 0 even where p ≤ ½ and Σ η² = ∞: on a quadratic that
  condition is sufficient, not necessary, but the less η falls, the longer it takes.
* η = c/k: v ≈ c² / ((2c − 1) k), the fastest, if c > ½ in units of 1/curvature. The start is forgotten as k⁻ᶜ: with
  c = 0.3 both conditions hold, and the distance crawls.
* η ∝ k⁻ᵖ with p > 1, or geometric: the product does not reach 0, and the run stops short of the minimum.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from statistics import NormalDist

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import optlab as ol
from optlab import plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, exact, fraction, mean, slope
from optlab.random import derive_seed

START, FIRST = 10.0, 0.75  # the first distance, and the first step of all rules but one
ERRORS = 8  # standard errors that are accepted: 3.3 for the interval at level 0.999 and 4.7 for chance
EXPONENTS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0)


def power(exponent: float, k: np.ndarray) -> np.ndarray:
    """The step sizes ¾ k⁻ᵖ for k = 1, 2 and so on."""
    return FIRST * k**-exponent


RULES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    **{f"power_{p:g}": partial(power, p) for p in EXPONENTS},
    "geometric": lambda k: FIRST * 0.5 ** (k - 1),
    "short": lambda k: 0.3 / k,
}
SHOWN = {
    "power_0": "constant ¾",
    "power_0.5": "¾/√k",
    "power_1": "¾/k",
    "short": "0.3/k",
    "power_2": "¾/k²",
    "geometric": "1.5 · 0.5ᵏ",
}
NAMES = tuple(RULES)


def law(steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The exact mean and variance of the distance before the first step and after each; rules in the columns."""
    centre, variance = [np.full(steps.shape[1:], START)], [np.zeros(steps.shape[1:])]
    for eta in steps:
        centre.append((1 - eta) * centre[-1])
        variance.append((1 - eta) ** 2 * variance[-1] + eta**2)
    return np.array(centre), np.array(variance)


def predicted(p: Params) -> tuple[np.ndarray, np.ndarray]:
    """The law of every rule."""
    k = np.arange(1.0, p.steps + 1)
    return law(np.stack([rule(k) for rule in RULES.values()], axis=1))


def compute(p: Params, seed: int, progress: Progress) -> dict[str, np.ndarray]:
    """Run every rule on blocks of independent copies, each copy a coordinate of a round quadratic."""
    f, x0 = ol.landscapes.Quadratic(np.ones(p.block)), np.full((p.blocks, p.block), START)
    found: dict[str, list[np.ndarray]] = {"squares": [], "ends": [], "near": []}
    for i, (name, rule) in enumerate(RULES.items()):
        progress(i / len(RULES), name)
        run = ol.descend(
            f,
            ol.SGD(lr=1.0),
            x0,
            p.steps,
            schedule=lambda t, rule=rule: rule(t + 1.0),
            gradient_noise=1.0,
            seed=derive_seed(seed, name),
            record=ol.log_spaced(40),
        )
        found["squares"].append(np.mean(run.x**2, axis=2))
        found["ends"].append(np.mean(run.last, axis=1))
        found["near"].append(np.sum(np.abs(run.last) < p.near))
    return {"step": run.step, **{key: np.array(rows) for key, rows in found.items()}}


def claims(data: Data, p: Params) -> list[Claim]:
    """How far every rule ends from the minimum, how fast it gets there, and what keeps the others away."""
    centre, variance = predicted(p)
    return [
        *distance_claims(data, p, centre[-1], variance[-1]),
        *rate_claims(data, p, (centre**2 + variance)[data["step"]]),
        *end_claims(data, p, centre[-1], np.sqrt(variance[-1])),
    ]


def distance_claims(data: Data, p: Params, centre: np.ndarray, variance: np.ndarray) -> list[Claim]:
    """The mean squared distance after the last step, and the exponent with the least."""
    said, found = f"Steps {{}}: the mean squared distance from the minimum after {p.steps} steps.", []
    squares, scatters = data["squares"][:, -1], 2 * variance**2 + 4 * centre**2 * variance  # of normal numbers
    for name, samples, expected, scatter in zip(NAMES, squares, centre**2 + variance, scatters, strict=True):
        margin = ERRORS * np.sqrt(scatter / (p.blocks * p.block))
        text = said.format(SHOWN.get(name, name.replace("power_", "∝ 1/k^")))
        found.append(mean(f"distance_{name}", text, samples, expected, (expected - margin, expected + margin)))
    best = EXPONENTS[np.argmin(squares[: len(EXPONENTS)].mean(axis=1))]
    text = f"Of {len(EXPONENTS)} exponents from 0 to 2, the one that ends nearest is the largest with an infinite sum."
    return [*found, exact("best_exponent", text, best, 1.0)]


def rate_claims(data: Data, p: Params, squares: np.ndarray) -> list[Claim]:
    """The powers of k with which the squared distances fall, over the last two decades."""
    late, found = data["step"] >= p.steps / 100, []
    x = np.log(data["step"][late])
    said = "Steps {}: the power of k with which the mean squared distance falls over the last two decades."
    for name, label in SHOWN.items():
        i = NAMES.index(name)
        expected = float(np.polyfit(x, np.log(squares[late, i]), 1)[0])
        # The powers are near 0, -1/2, -3/5 and -1: the nearest two are 0.1 apart.
        accept = (expected - 0.05, expected + 0.05)
        found.append(slope(f"rate_{name}", said.format(label), x, np.log(data["squares"][i, late].T), expected, accept))
    return found


def end_claims(data: Data, p: Params, centre: np.ndarray, spread: np.ndarray) -> list[Claim]:
    """Where the runs of too fast rules stop, and the share of runs that arrive."""
    n, found = p.blocks * p.block, []
    stops = "Steps {} stop short: the mean end is 10 times the product of 1 - step."
    for name in ("power_1.25", "power_1.5", "power_2", "geometric"):
        i, text = NAMES.index(name), stops.format(SHOWN.get(name, name.replace("power_", "∝ 1/k^")))
        margin = ERRORS * spread[i] / np.sqrt(n)
        accept = (centre[i] - margin, centre[i] + margin)
        found.append(mean(f"stops_{name}", text, data["ends"][i], centre[i], accept))
    arrives = f"Steps {{}}: the share of {n} runs that end within {p.near:g} of the minimum."
    for name in ("power_0", "power_0.5", "power_1", "power_2"):
        i = NAMES.index(name)
        normal = NormalDist(centre[i], spread[i])
        share = normal.cdf(p.near) - normal.cdf(-p.near)
        # Where all or none are expected to arrive, n runs exclude a share of 7.6 / n.
        margin = ERRORS * np.sqrt(share * (1 - share) / n) + 10 / n
        accept = (max(0.0, share - margin), min(1.0, share + margin))
        found.append(fraction(f"arrives_{name}", arrives.format(SHOWN[name]), data["near"][i], n, share, accept))
    return found


def draw_paths(ax: Axes, data: Data, p: Params) -> None:
    """Root mean squared distance against step for the shown rules."""
    centre, variance = predicted(p)
    k, keep = data["step"][1:], np.unique(np.geomspace(1, p.steps, 200).astype(int))
    for name, label in SHOWN.items():
        i = NAMES.index(name)
        (dots,) = ax.loglog(k, np.sqrt(data["squares"][i, 1:].mean(axis=1)), "o", markersize=7)
        plotting.label_line(ax, dots, label)
        line = plotting.theory_line(ax, keep, np.sqrt(centre**2 + variance)[keep, i], "exact, nothing is fitted")
    ax.set(xlabel="step k", ylabel="distance from the minimum (root mean square)")
    ax.set_title("Steps ∝ 1/k win, unless they are short")
    ax.legend(handles=[line], loc="lower left")


def draw_exponents(ax: Axes, data: Data, p: Params) -> None:
    """The final distance against the exponent, and what keeps it from 0 on either side."""
    fine = np.linspace(0, 2, 81)
    centre, variance = law(FIRST * np.arange(1.0, p.steps + 1)[:, None] ** -fine)
    ends = np.sqrt(data["squares"][: len(EXPONENTS), -1].mean(axis=1))
    ax.axvspan(0.5, 1, color="#e8e8e8", linewidth=0)
    ax.plot(fine, np.sqrt(variance[-1]), color=plotting.ORANGE, linewidth=7, alpha=0.6)
    ax.plot(fine, np.abs(centre[-1]), color=plotting.SKY, linewidth=7, alpha=0.6)
    ax.semilogy(EXPONENTS, ends, "o", color=plotting.BLACK, markersize=11)
    plotting.theory_line(ax, fine, np.sqrt(centre[-1] ** 2 + variance[-1]))
    for x, y, text, color in (
        (0.02, 0.2, "noise stays", "#a06a00"),
        (1.07, 0.05, "the start stays", "#1f77a8"),
        (0.53, 0.88, "Σ η = ∞\nΣ η² < ∞", plotting.BLACK),
    ):
        ax.text(x, y, text, color=color, transform=ax.get_xaxis_transform())
    low = ends.min() / 3
    ax.set(ylim=(low, START), xlabel="exponent p of the steps ¾ k⁻ᵖ", ylabel=f"distance after {p.steps:,} steps")
    ax.set_title("Steps ∝ k⁻ᵖ: p near 1 is best")


def plot(data: Data, p: Params) -> Figure:
    """Left the distance against the step, right the final distance against the exponent."""
    sheet, (left, right) = plotting.figure(1, 2, width_ratios=(1.25, 1))
    draw_paths(left, data, p)
    draw_exponents(right, data, p)
    return sheet


experiment = Experiment(
    title="Steps must sum to infinity and their squares must not: 1/k converges, slower and faster decays do worse",
    source="Training DNNs: Basic Methods and Tricks, step sizes of stochastic gradient descent",
    question="Which step sizes bring stochastic gradient descent to the minimum?",
    params={"steps": 10_000, "blocks": 64, "block": 500, "near": 0.1},
    quick={"steps": 2000, "block": 200},
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
