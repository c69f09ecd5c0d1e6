"""Adaptive steps leave a saddle sooner where noise hardly touches its way out (lecture *Training DNNs*, Staib et al.).

f(x) = ½ xᵀHx + ‖x‖₁₀¹⁰ with H = diag(1, −γ), γ = 0.1, has a strict saddle at 0 and minima at x₂ = ±(γ/10)^⅛. Gradients
come with noise of standard deviations σ = (1, 0.1): little of it along the way out. RMSprop, here with bias correction
(Adam with β₁ = 0), divides each coordinate by the root mean square of its gradient, about σᵢ, and so takes the steps
eᵢ = lr/σᵢ where SGD takes eᵢ = lr. Along the way out RMSprop with lr/10 is therefore SGD with lr; across it is not.

* Time. As in `saddle_escape`, a step multiplies x₂ by a = 1 + e₂γ, the noise is worth a start at distance
  s = e₂σ₂/√(a² − 1) times a normal variable, and |x₂| first reaches R after (log(R/s) − log 0.6745 + d)/log a + ½ steps
  in the median. The delay d is that of the wall, −⅛ log(1 − 10R⁸/γ), and for RMSprop also that of the gradient −γx₂,
  which adds to what is divided by: with u = √(1 + (γR/σ₂)²), the integral of (√(1 + (γx/σ₂)²) − 1)/x is
  u − 1 − log((1 + u)/2).
* Floor. At a minimum with curvatures hᵢ = (1, 8γ), f − f* settles at Σ eᵢσᵢ²/(2(2 − eᵢhᵢ)): for RMSprop Σ lr σᵢ/4.
* Where both noises are equal, RMSprop is SGD with another learning rate, and nothing is gained.

Staib, Reddi, Kale, Kumar and Sra, "Escaping saddle points with adaptive gradient methods", 2019.
"""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import optlab as ol
from optlab import plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, fraction, median, ratio_of_medians
from optlab.random import derive_seed

GAMMA, RADIUS = 0.1, 0.4
MINIMUM = (GAMMA / 10) ** 0.125
NOISES = {"anisotropic": (1.0, 0.1), "isotropic": (0.1, 0.1)}
COLORS = (plotting.BLUE, plotting.VERMILLION, plotting.GREEN)
METHODS = ("SGD", "RMSprop")
MATCH = 10  # RMSprop divides by 0.1 along the way out
Cell = tuple[str, str, float]
"""Noise, method and learning rate."""

SADDLE = ol.landscapes.WalledQuadratic((1.0, -GAMMA))
LOWEST = -0.4 * GAMMA * MINIMUM**2


def rule(method: str, lr: float) -> ol.Optimizer:
    """SGD, or RMSprop with bias correction: without it the first step alone would leave the saddle."""
    return ol.SGD(lr) if method == "SGD" else ol.Adam(lr, betas=(0.0, 0.99))


def steps_of(method: str, lr: float, sigma: tuple[float, float]) -> np.ndarray:
    """The steps eᵢ of the two coordinates."""
    return lr / np.array(sigma if method == "RMSprop" else (1.0, 1.0))


def predicted_time(method: str, lr: float, sigma: tuple[float, float]) -> float:
    """The median number of steps from the saddle to |x₂| = R."""
    step, u = steps_of(method, lr, sigma)[1], math.hypot(1.0, GAMMA * RADIUS / sigma[1])
    spread = step * sigma[1] / math.sqrt((1 + step * GAMMA) ** 2 - 1)
    delay = -math.log1p(-10 * RADIUS**8 / GAMMA) / 8
    delay += u - 1 - math.log((1 + u) / 2) if method == "RMSprop" else 0.0
    return (math.log(RADIUS / spread) + 0.3938 + delay) / math.log1p(step * GAMMA) + 0.5


def predicted_floor(method: str, lr: float, sigma: tuple[float, float]) -> float:
    """The mean of f − f* at a minimum."""
    steps, curvatures = steps_of(method, lr, sigma), np.array([1.0, 8 * GAMMA])
    return float(np.sum(steps * np.square(sigma) / (2 * (2 - steps * curvatures))))


def cells(p: Params) -> list[Cell]:
    """What is measured: SGD and the RMSprop that is as fast, in both kinds of noise, and one that has SGD's floor."""
    pairs = [(noise, lr) for noise in NOISES for lr in (p.rates if noise == "anisotropic" else p.rates[:1])]
    matched = [(noise, method, lr if method == "SGD" else lr / MATCH) for noise, lr in pairs for method in METHODS]
    return [*matched, ("anisotropic", "RMSprop", p.rates[0])]


def escapes(cell: Cell, p: Params, seed: int) -> np.ndarray:
    """When each run leaves; the last step stands for later."""
    noise, method, lr = cell
    cap = int(4 * predicted_time(method, lr, NOISES[noise]))
    leaves = ol.stop.leaves_ball(RADIUS, np.zeros(2), [1])
    options = {"gradient_noise": NOISES[noise], "seed": derive_seed(seed, "escape", *cell), "record_x": False}
    return ol.descend(SADDLE, rule(method, lr), np.zeros((p.runs, 2)), cap, stop=leaves, **options).stop_step


def floors(cell: Cell, p: Params, seed: int) -> np.ndarray:
    """The mean of f − f* of each run, started at a minimum, after the noise has settled."""
    noise, method, lr = cell
    settled = int(5 / steps_of(method, lr, NOISES[noise]).min()) + 500
    options = {"gradient_noise": NOISES[noise], "seed": derive_seed(seed, "floor", *cell), "record_x": False}
    x0, record = np.tile(SADDLE.minima[1], (p.floor_runs, 1)), list(range(settled, 6 * settled, 20))
    study = ol.descend(SADDLE, rule(method, lr), x0, 6 * settled, record=record, **options)
    return study.value.mean(axis=0) - LOWEST


def diverged(method: str, lr: float, p: Params, seed: int) -> int:
    """How many runs from the saddle leave every bound."""
    options = {"gradient_noise": NOISES["anisotropic"], "seed": derive_seed(seed, "diverge", method), "record": [0]}
    rules = [ol.stop.nonfinite(), ol.stop.leaves_ball(1e3)]
    study = ol.descend(SADDLE, rule(method, lr), np.zeros((p.floor_runs, 2)), p.long, stop=rules, **options)
    return int(np.sum(study.stop_reason != "steps"))


def curve(method: str, lr: float, p: Params, seed: int) -> np.ndarray:
    """The mean of f − f* over runs from the saddle, every 20 steps."""
    options = {"gradient_noise": NOISES["anisotropic"], "seed": derive_seed(seed, "curve"), "record_x": False}
    study = ol.descend(SADDLE, rule(method, lr), np.zeros((p.floor_runs, 2)), p.long, record=20, **options)
    return study.value.mean(axis=1) - LOWEST


def compute(p: Params, seed: int, progress: Progress) -> dict[str, np.ndarray]:
    """Escape times and floors of every cell, diverging runs, and three mean curves."""
    times, levels = [], []
    for i, cell in enumerate(cells(p)):
        progress(0.8 * i / len(cells(p)), f"{cell[1]} {cell[2]:g}, {cell[0]} noise")
        times.append(escapes(cell, p, seed))
        levels.append(floors(cell, p, seed))
    lr = p.rates[0]
    shown = (("SGD", lr), ("RMSprop", lr / MATCH), ("RMSprop", lr))
    return {
        "times": np.array(times, np.uint16),
        "floors": np.array(levels),
        "diverged": np.array([diverged("SGD", p.high, p, seed), diverged("RMSprop", p.high / MATCH, p, seed)]),
        "curves": np.array([curve(*which, p, seed) for which in shown]),
    }


def claims(data: Data, p: Params) -> list[Claim]:
    """Each median time against its formula, and the pairs against each other."""
    found, at = [], {cell: i for i, cell in enumerate(cells(p))}
    for (noise, method, lr), i in at.items():
        expected = predicted_time(method, lr, NOISES[noise])
        said = f"{method} with lr {lr:g} under {noise} noise leaves after {expected:.0f} steps: the median."
        # A noise wrong by a quarter would show.
        bound = (0.92 * expected, 1.08 * expected)
        found.append(median(f"time_{method}_{lr:g}_{noise}".lower(), said, data["times"][i], expected, bound))
    for noise, lr in [("anisotropic", lr) for lr in p.rates] + [("isotropic", p.rates[0])]:
        found += pair_claims(data, at, (noise, "SGD", lr), (noise, "RMSprop", lr / MATCH))
    same = ("anisotropic", "SGD", p.rates[0]), ("anisotropic", "RMSprop", p.rates[0])
    return [*found, *pair_claims(data, at, *same), *divergence_claims(data, p)]


def pair_claims(data: Data, at: dict[Cell, int], sgd: Cell, rms: Cell) -> list[Claim]:
    """How much longer SGD takes than RMSprop, and how much higher its floor is."""
    found, label = [], f"{sgd[2]:g}_{rms[2]:g}_{sgd[0]}"
    pair = f"SGD {sgd[2]:g} and RMSprop {rms[2]:g}, {sgd[0]} noise"
    for name, law, said, margin in (
        # A learning rate wrong by an eighth would show, of either method.
        ("times", predicted_time, "the ratio of their median escape times.", 1.12),
        # The formula leaves out how far the root mean square itself strays, which is worth 4 %.
        ("floors", predicted_floor, "the ratio of their floors.", 1.15),
    ):
        expected = law(*sgd[1:], NOISES[sgd[0]]) / law(*rms[1:], NOISES[rms[0]])
        samples, bound = (data[name][at[sgd]], data[name][at[rms]]), (expected / margin, expected * margin)
        found.append(ratio_of_medians(f"{name}_{label}", f"{pair}: {said}", *samples, expected, bound, seed=0))
    return found


def divergence_claims(data: Data, p: Params) -> list[Claim]:
    """Where SGD's step is too long for the noise across the way out."""
    n, (sgd, rms) = p.floor_runs, data["diverged"]
    blown = f"SGD with lr {p.high:g} is thrown over the wall of x^10: the share of runs that diverge in {p.long} steps."
    kept = f"RMSprop with lr {p.high / MATCH:g}, as fast along the way out, is not: the share that diverges."
    return [
        fraction("diverged_sgd", blown, sgd, n, None, (0.75, 1.0)),
        fraction("diverged_rmsprop", kept, rms, n, 0.0, (0.0, 0.03)),
    ]


def draw_curves(ax: Axes, data: Data, p: Params) -> None:
    """The mean height above the minimum of three methods, from the saddle on."""
    lr, steps = p.rates[0], 20 * np.arange(data["curves"].shape[1])
    named = (f"SGD, lr {lr:g}", f"RMSprop,\nlr {lr / MATCH:g}", f"RMSprop, lr {lr:g}")
    places = ((0.62, 1.3), (0.2, 0.6), (0.25, 0.72))
    for mean, label, color, (along, height) in zip(data["curves"], named, COLORS, places, strict=True):
        ax.semilogy(steps, mean, color=color)
        at = along * p.long
        ax.text(at, height * np.interp(at, steps, mean), label, color=color, va="center")
    ax.axhline(-LOWEST, color="#999999", linewidth=2)
    ax.text(p.long, -LOWEST, "height of the saddle", color="#666666", ha="right", va="bottom")
    ax.set(xlabel="step, from the saddle", ylabel="mean of f − f*", title="Sooner out, or lower down")


def draw_front(ax: Axes, data: Data, p: Params) -> None:
    """Escape time against floor, with the pairs of equal time and of equal floor."""
    points = np.median(data["times"], axis=1), np.median(data["floors"], axis=1)
    for method, color, low, high in (("SGD", COLORS[0], 0.008, 0.08), ("RMSprop", COLORS[1], 0.0008, 0.04)):
        rates, rows = np.geomspace(low, high), [cell[:2] == ("anisotropic", method) for cell in cells(p)]
        laws = [[law(method, lr, NOISES["anisotropic"]) for lr in rates] for law in (predicted_time, predicted_floor)]
        line = plotting.theory_line(ax, *laws, "theory")
        ax.loglog(*(each[rows] for each in points), "o", markersize=13, color=color)
        ax.annotate(method, np.array(laws)[:, -1], xytext=(8, 4), textcoords="offset points", color=color)
    (x, y), slow = ([each[row] for row in (0, 1, -1)] for each in points), {"arrowstyle": "->", "linewidth": 2}
    for end, text, place in (
        (1, f"{y[0] / y[1]:.0f} times\nlower", (x[0] * 0.9, math.sqrt(y[0] * y[1]))),
        (2, f"{x[0] / x[2]:.0f} times sooner", (math.sqrt(x[0] * x[2]), y[0] * 1.1)),
    ):
        ax.annotate("", (x[end], y[end]), (x[0], y[0]), arrowprops={**slow, "shrinkA": 9, "shrinkB": 9})
        ax.text(*place, text, ha="right" if end == 1 else "center", va="center" if end == 1 else "bottom")
    ax.legend(handles=[line], loc="lower left")
    ax.set(xlabel="median steps to leave the saddle", ylabel="noise floor, mean of f − f*")
    ax.set_title("Each point a learning rate")
    ax.xaxis.set_minor_formatter("")


def plot(data: Data, p: Params) -> Figure:
    """Left mean curves, right the front of time and floor."""
    sheet, (curves, front) = plotting.figure(1, 2, width_ratios=(1.15, 1))
    draw_curves(curves, data, p)
    draw_front(front, data, p)
    return sheet


experiment = Experiment(
    title="Where noise is small along the way out, RMSprop leaves a saddle sooner than SGD at the same noise floor",
    source="Training DNNs: Basic Methods and Tricks, adaptive methods; Staib et al. 2019",
    question="Does dividing by the size of the gradient help to leave a saddle?",
    params={"rates": (0.01, 0.02, 0.05), "runs": 3000, "floor_runs": 600, "high": 0.2, "long": 6000},
    quick={"rates": (0.02, 0.05), "runs": 2000, "floor_runs": 300},
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
