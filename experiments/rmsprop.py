"""RMSprop on f(x) = x cos(0.15πx) from 12: memory γ of the slope (notebook *Regularization and Optimization*).

s ← γ s + (1−γ) g²,  x ← x − lr g / (√s + ε), with ε outside the root, as in the notebook, and s = 0 at first.

* γ = 0: the step has length lr |g| / (|g| + ε). This is sign descent; a step misses the length lr by lr ε/(|g| + ε).
* γ > 0: s starts too small, and the first step is too long, lr / √(1−γ) up to ε. There is no bias correction.
* Where slopes no longer change in size, s = g² for every γ: runs end hopping by lr across a minimum. With γ > 0 the two
  places x and x + lr of the hop have the slopes −g and g, which determines x; with γ = 0 they are the start less
  multiples of lr, but for ε, which moves them there too, slowly.

Rounding, with u = eps/2. The quotient g / (√s + ε), s included, is rounded by at most 6u relatively; its product with
lr by u, and x − lr (…) by u |x|. So a step's length, in units of lr, is off by at most 8u + u |x| / lr. A slope, of
terms 1 and a = 0.15πx, is known to 8u (1 + |a|)² at most, and changes ε/(|g| + ε) by ε/(|g| + ε)² times that.
Nothing is random except the starts of the cloud.
"""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import optlab as ol
from optlab import plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, bounded, exact
from optlab.random import derive_seed, uniform

FREQUENCY, START, RATE = 0.15 * math.pi, 12.0, 0.5
GAMMAS = (0.0, 0.7, 0.9)
PRINTED = 1e-8  # the notebook's ε
HILLS = ol.landscapes.Cosine(FREQUENCY)
(VALLEY,) = HILLS.stationary(5.0, 10.0)
U = float(np.finfo(np.float64).eps) / 2


def height(x: np.ndarray | float) -> np.ndarray | float:
    """The function f(x)."""
    return x * np.cos(FREQUENCY * x)


def slope(x: np.ndarray | float) -> np.ndarray | float:
    """The derivative f′(x)."""
    return np.cos(FREQUENCY * x) - FREQUENCY * x * np.sin(FREQUENCY * x)


def paths(gammas: tuple[float, ...], starts: np.ndarray, eps: float, steps: int) -> np.ndarray:
    """The points x_0 … x_steps, shape (steps + 1, runs), one run for each γ or for each start."""
    way = ol.RMSprop(lr=RATE, alpha=gammas if len(gammas) > 1 else gammas[0], eps=eps)
    return ol.descend(HILLS, way, starts[:, None], steps, record=1).x[..., 0]


def shortfall(xs: np.ndarray, eps: float) -> tuple[np.ndarray, ...]:
    """By what part of lr each step misses the length lr: measured, predicted, and the bound on their difference."""
    before, size = xs[:-1], np.abs(slope(xs[:-1]))
    # Downhill counts as positive, so that a step in the wrong direction falls short by about 2.
    length = (before - xs[1:]) * np.sign(slope(before)) / RATE
    known = 8 * U * (1 + FREQUENCY * np.abs(before)) ** 2
    rounding = 8 * U + U * np.maximum(np.abs(before), np.abs(xs[1:])) / RATE + eps / (size + eps) ** 2 * known
    return 1 - length, eps / (size + eps), rounding


def defect(xs: np.ndarray, gamma: float) -> float:
    """By how much the steps of a path differ from the rule, in units of the bound on rounding, at worst."""
    g = slope(xs[:-1])
    s = np.array([(1 - gamma) * gamma ** (k - np.arange(k + 1)) @ g[: k + 1] ** 2 for k in range(len(g))])
    known = np.maximum.accumulate(8 * U * (1 + FREQUENCY * np.abs(xs[:-1])) ** 2 / np.abs(g))
    # No step exceeds lr / √(1−γ). Its slope and s, of which g² are the terms, carry the errors of the slopes.
    bound = RATE / math.sqrt(1 - gamma) * (2 * known + 8 * U) + U * np.maximum(np.abs(xs[1:]), np.abs(xs[:-1]))
    return float(np.max(np.abs(xs[1:] - xs[:-1] + RATE * g / (np.sqrt(s) + PRINTED)) / bound))


def hop() -> float:
    """The lower place of the hop: f′(x) + f′(x + lr) = 0, by bisection; the sum rises across a minimum."""
    low, high = VALLEY - RATE, VALLEY
    while (middle := (low + high) / 2) not in (low, high):
        low, high = (middle, high) if slope(middle) + slope(middle + RATE) < 0 else (low, middle)
    return high


def cloud(p: Params, seed: int) -> dict[str, np.ndarray]:
    """The first steps of sign descent from random starts, judged for each ε, and some of them to show."""
    starts = 15 * uniform(p.starts, seed)
    found = [shortfall(paths((0.0,), starts, eps, 1), eps) for eps in p.epsilons]
    size = np.abs(slope(starts))
    order = np.argsort(size)
    shown = order[np.unique(np.searchsorted(size[order], np.geomspace(1e-3, size.max(), 24)).clip(max=p.starts - 1))]
    return {
        "gaps": np.array([np.max(np.abs(measured - law) / rounding) for measured, law, rounding in found]),
        "shown_slopes": size[shown],
        "shown_shortfall": np.array([measured[0, shown] for measured, _, _ in found]),
    }


def compute(p: Params, seed: int, progress: Progress) -> dict[str, np.ndarray]:
    """The three paths, their ends, and the first steps of sign descent from a cloud of starts."""
    start = np.full(len(GAMMAS), START)
    xs = paths(GAMMAS, start, PRINTED, p.steps)
    return {
        "paths": xs,
        "defects": np.array([defect(path, gamma) for path, gamma in zip(xs.T, GAMMAS, strict=True)]),
        "ends": paths(GAMMAS, start, PRINTED, p.long)[-3:],
        "path_shortfall": np.array(shortfall(xs[:, 0], PRINTED)),
        **cloud(p, derive_seed(seed, "starts")),
    }


def sign_claims(data: Data, p: Params) -> list[Claim]:
    """Without memory RMSprop is sign descent, but for ε."""
    measured, predicted, rounding = data["path_shortfall"]
    k = int(np.argmax(predicted))
    largest = f"Gamma 0 is sign descent up to eps/|g|: the largest part of lr that one of {p.steps} steps falls short."
    cloud = f"From {p.starts} starts it falls short by eps/(|g| + eps), eps = {{:g}}: the largest gap, by rounding."
    return [
        exact("sign_descent", largest, measured[k], predicted[k], rounding[k]),
        *(
            bounded(f"eps_{e:g}", cloud.format(e), gap, (0.0, 1.0))
            for e, gap in zip(p.epsilons, data["gaps"], strict=True)
        ),
    ]


def memory_claims(data: Data, p: Params) -> list[Claim]:
    """Every path follows the rule, and memory makes the first step longer."""
    follows = f"Gamma {{:g}}: each of {p.steps} steps is that of the rule; the largest gap, in units of rounding."
    long = "Gamma {:g}: s starts at 0, and the first step is 1/sqrt(1 - gamma) times lr: its length, in units of lr."
    found = []
    for gamma, path, gap in zip(GAMMAS, data["paths"].T, data["defects"], strict=True):
        first = 1 / math.sqrt(1 - gamma)
        # ε shortens the step by a part ε/(√s + ε), which is far above rounding.
        slack = first**2 * PRINTED / abs(slope(START)) + 8 * U * first + U * START / RATE
        found.append(bounded(f"follows_{gamma:g}", follows.format(gamma), gap, (0.0, 1.0)))
        found.append(exact(f"first_{gamma:g}", long.format(gamma), (START - path[1]) / RATE, first, slack))
    return found


def end_claims(data: Data, p: Params) -> list[Claim]:
    """All runs end hopping by lr across the minimum."""
    ends = data["ends"]
    hops = "Gamma {:g}: after {} steps x still hops by lr across the minimum {:.3f}: the length of a hop, by lr."
    place = "Gamma {:g}: the lower place of the hop, where f'(x) + f'(x + lr) = 0."
    # Neither place has a slope below 0.2, and ε shortens a hop by ε/|g|.
    slack = PRINTED / 0.2
    return [
        *(
            exact(f"hops_{gamma:g}", hops.format(gamma, p.long, VALLEY), np.ptp(ends[-2:, i]) / RATE, 1.0, slack)
            for i, gamma in enumerate(GAMMAS)
        ),
        *(exact(f"place_{GAMMAS[i]:g}", place.format(GAMMAS[i]), ends[:, i].min(), hop(), slack) for i in (1, 2)),
    ]


def claims(data: Data, p: Params) -> list[Claim]:
    """Sign descent, memory, and where it ends."""
    return [*sign_claims(data, p), *memory_claims(data, p), *end_claims(data, p)]


def draw_path(ax: Axes, xs: np.ndarray, ends: np.ndarray, color: str, p: Params) -> None:
    """The hops of one run on f, and the two places between which it ends."""
    curve = np.linspace(5.6, 12.7, 200)
    ring = {"color": plotting.BLACK, "linestyle": "none", "fillstyle": "none", "markersize": 15, "markeredgewidth": 1.8}
    ax.plot(curve, height(curve), color="#999999", linewidth=2)
    ax.plot(xs, height(xs), "o-", color=color, markersize=9)
    ax.plot(ends, height(ends), "o", label=f"in the end ({p.long:,} steps)", **ring)
    ax.annotate("start", (START, height(START)), xytext=(-12, 4), textcoords="offset points", ha="right")
    ax.set(xlim=(5.6, 12.7), xlabel="x", ylabel="x cos(0.15πx)")


def draw_shortfall(ax: Axes, data: Data, p: Params) -> None:
    """By what part of lr a step of sign descent falls short, against the slope, for several ε."""
    sizes = np.geomspace(1e-3, 10, 50)
    for eps, measured in zip(p.epsilons, data["shown_shortfall"], strict=True):
        ax.loglog(data["shown_slopes"], measured, "o", markersize=9)
        law = plotting.theory_line(ax, sizes, eps / (sizes + eps), "ε / (|g| + ε)")
        plotting.label_line(ax, law, f"ε = {eps:.0e}".replace("e-0", "e−"))
    ax.legend(handles=[law], loc="lower left")
    ax.set(xlim=(1e-3, 10), xlabel="slope |g|", ylabel="part of lr missing")
    ax.set_title("γ = 0 is sign descent up to ε/|g|")


def plot(data: Data, p: Params) -> Figure:
    """Four panels: the path of each γ, and what ε takes from the steps of sign descent."""
    sheet, axes = plotting.figure(2, 2)
    first = (START - data["paths"][1]) / RATE
    found = (
        "every step has length lr",
        f"first {first[1]:.1f} lr, then it brakes",
        f"first {first[2]:.1f} lr, then it brakes",
    )
    for ax, i in zip(axes.flat, range(3), strict=False):
        draw_path(ax, data["paths"][:, i], data["ends"][-2:, i], plotting.COLORS[i], p)
        ax.set_title(f"γ = {GAMMAS[i]:g}: {found[i]}")
    axes[0, 0].legend(loc="upper left")
    draw_shortfall(axes[1, 1], data, p)
    return sheet


experiment = Experiment(
    title="RMSprop without memory is sign descent; with memory it brakes, and still ends hopping by lr",
    source="Regularization and Optimization (notebook), RMSprop",
    question="What does RMSprop's memory γ do on x cos(0.15πx), ten steps of 0.5 from 12?",
    params={"steps": 10, "long": 3000, "starts": 20_000, "epsilons": (1e-8, 1e-6, 1e-4, 1e-2)},
    quick={"long": 1000, "starts": 2000},
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
