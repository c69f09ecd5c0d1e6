"""Gradient descent from random starts avoids strict saddles almost surely (lecture I, the stable manifold theorem).

Starts are uniform on the box [−1, 1]ᵈ. On the quadratic saddle with m falling directions of curvature −1, a step
multiplies the distance |y| from the stable manifold by a = 1 + η, so that |y_t| < 1 if and only if |y₀| < a⁻ᵗ. After t
steps the share of runs still within 1 is therefore v a⁻ᵐᵗ, where v = (√π/2)ᵐ / Γ(1 + m/2) is the share of the box that
the unit ball fills. What never leaves is the stable manifold y = 0, which no random start hits.

On the bounded saddle, f = −y²/2 + y⁴/4 + ½ Σ λᵢ xᵢ², a step y ← y (1 + η − ηy²) keeps the sign of y: a run ends at the
minimum, y = 1 or y = −1, on whose side it started, with probability 1/2 each.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

import optlab as ol
from optlab import plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, exact, fraction, slope
from optlab.random import derive_seed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FLAT = 1e-8
"""A run ends where the gradient is shorter than this."""


def starts(runs: int, dim: int, seed: int) -> np.ndarray:
    """Uniform points of the box."""
    return 2 * ol.random.uniform((runs, dim), seed) - 1


def share(p: Params, falling: int, step: np.ndarray | int) -> np.ndarray | float:
    """The predicted share of runs that are still near the saddle."""
    return (math.sqrt(math.pi) / 2) ** falling / math.gamma(1 + falling / 2) * (1 + p.lr) ** (-falling * step)


def staying(p: Params, falling: int, seed: int) -> np.ndarray:
    """The number of runs of each block that are still near the saddle after each step, shape (blocks, steps + 1)."""
    f = ol.landscapes.StrictSaddle(falling + 2, falling, bounded=False)
    leaves = ol.stop.leaves_ball(1.0, np.zeros(f.dim), range(falling))
    x0 = starts(p.blocks * p.block, f.dim, seed)
    study = ol.descend(f, ol.SGD(lr=p.lr), x0, p.steps, stop=leaves, record_x=False)
    # A run that has not left has no step at which it did.
    left = np.where(study.stop_reason == "left", study.stop_step, p.steps + 1).reshape(p.blocks, p.block)
    gone = [np.cumsum(np.bincount(block, minlength=p.steps + 2))[:-1] for block in left]
    return (p.block - np.array(gone)).astype(np.int32)


def ends(p: Params, seed: int) -> dict[str, np.ndarray]:
    """Where runs on the bounded saddle end: how many at either minimum, the least curvature, and who changed sides."""
    f, x0 = ol.landscapes.StrictSaddle(p.dim), starts(p.runs, p.dim, seed)
    study = ol.descend(f, ol.SGD(lr=p.lr), x0, 10 * p.steps, stop=ol.stop.grad_norm(FLAT), record_x=False)
    y, others = study.last[:, 0], study.last[:, 1:]
    # The least curvature at a minimum is 0.5, which turns the length of the gradient into a distance.
    there = np.hypot(np.abs(y) - 1, np.linalg.norm(others, axis=1)) < 2.1 * FLAT
    # The Hessian is diagonal, so that its product with ones holds its eigenvalues.
    curvatures = f.hvp(study.last, np.ones_like(study.last))
    return {
        "ends": np.array([np.sum(there & (y < 0)), np.sum(there & (y > 0))]),
        "least_curvature": curvatures.min(),
        "changed_sides": np.sum(np.sign(y) != np.sign(x0[:, 0])),
    }


def compute(p: Params, seed: int, progress: Progress) -> dict[str, np.ndarray]:
    """The runs near the quadratic saddle, the ends on the bounded one, and a few paths in the plane."""
    progress(0.0, "near the saddle")
    found = {"staying": np.stack([staying(p, m, derive_seed(seed, "staying", m)) for m in p.falling])}
    progress(0.5, "ends")
    found |= ends(p, derive_seed(seed, "ends"))
    x0 = np.concatenate([starts(12, 2, derive_seed(seed, "paths")), [(0.0, 1.0), (0.0, -1.0)]])
    found["paths"] = ol.descend(ol.landscapes.StrictSaddle(2), ol.SGD(lr=p.lr), x0, 100, record=1).x
    return found


def claims(data: Data, p: Params) -> list[Claim]:
    """Every run leaves, at the predicted rate, and ends at a minimum."""
    rates = [claim for m, counts in zip(p.falling, data["staying"], strict=True) for claim in rate_claims(m, counts, p)]
    return [*rates, *end_claims(data, p)]


def rate_claims(m: int, counts: np.ndarray, p: Params) -> list[Claim]:
    """How the share of runs near a saddle with m falling directions shrinks."""
    n, rate, subject = p.blocks * p.block, m * math.log1p(p.lr), f"{m} falling direction{'s' if m > 1 else ''}"
    # As long as a block is expected to keep 100 runs, so that the logarithm of a count is close to that of its mean.
    steps = np.arange(int(math.log(share(p, m, 0) * p.block / 100) / rate))
    late = round(math.log(share(p, m, 0) / 0.1) / rate)
    near = share(p, m, late)
    all_leave = f"{subject}: all {n} random starts leave; the share that does."
    stays = f"{subject}: the share still near the saddle after {late} steps."
    falls = f"{subject}: what a step adds to the logarithm of the share near the saddle."
    return [
        # Without an exception, n runs exclude shares above 7.6 / n.
        fraction(f"all_leave_{m}", all_leave, n - counts[:, -1].sum(), n, 1.0, (1 - 10 / n, 1.0)),
        # A box or a radius wrong by 6 % would show, and a learning rate wrong by 4 %.
        fraction(f"share_{m}", stays, counts[:, late].sum(), n, near, (0.94 * near, 1.06 * near)),
        slope(f"rate_{m}", falls, steps, np.log(counts[:, steps] / p.block), -rate, (-1.04 * rate, -0.96 * rate)),
    ]


def end_claims(data: Data, p: Params) -> list[Claim]:
    """Where the runs on the bounded saddle end."""
    n, (left, right) = p.runs, data["ends"]
    all_end = f"In {p.dim} dimensions all {n} random starts end at a minimum: the share that does."
    valley = "No run ends where f falls in some direction: the least Hessian eigenvalue, −1 at the saddle."
    sides = "The stable manifold divides the box: the runs that end on the other side of it."
    return [
        fraction("at_a_minimum", all_end, left + right, n, 1.0, (1 - 10 / n, 1.0)),
        # Curvatures at the minima are 0.5 to 2, and 3y² − 1 changes by 6 times the distance, which is below 2 · 10⁻⁸.
        exact("least_curvature", valley, data["least_curvature"], 0.5, 12 * FLAT),
        # A box whose middle is off by 0.06 would show.
        fraction("half", "Half of the runs end at each minimum: the share at y = 1.", right, n, 0.5, (0.47, 0.53)),
        exact("sides", sides, data["changed_sides"], 0),
    ]


def draw_paths(ax: Axes, paths: np.ndarray) -> None:
    """Paths over the level lines of the bounded saddle, coloured by where they end."""
    y, x = np.linspace(-1.4, 1.4, 140), np.linspace(-1.1, 1.1, 140)
    points = np.stack(np.meshgrid(y, x), axis=-1)
    values = ol.landscapes.StrictSaddle(2).value(points.reshape(-1, 2)).reshape(140, 140)
    ax.contour(y, x, values, (-0.2, -0.1, 0.0, 0.2, 0.4), colors="#bbbbbb", linewidths=1, linestyles="solid")
    colors = {-1: plotting.BLUE, 0: plotting.BLACK, 1: plotting.VERMILLION}
    for path in np.moveaxis(paths, 1, 0):
        ax.plot(*path.T, color=colors[np.sign(path[-1, 0])], marker="o", markevery=[0], markersize=6, linewidth=2)
    ax.set(xticks=(-1, 0, 1), yticks=(-1, 0, 1), xlabel="y, along which f falls", ylabel="x, along which f rises")
    ax.grid(False)
    ax.set_title("Only the stable manifold\n(black) leads to the saddle")


def draw_decay(ax: Axes, p: Params, counts: np.ndarray) -> None:
    """The share of runs near the saddle against the step, with the prediction."""
    n = p.blocks * p.block
    for m, row in zip(p.falling, counts.sum(axis=1), strict=True):
        # To where ten runs are expected.
        steps = np.arange(int(math.log(share(p, m, 0) * n / 10) / (m * math.log1p(p.lr))))
        ax.plot(steps[::6], row[steps[::6]] / n, "o", label=f"m = {m}")
        plotting.theory_line(ax, steps, share(p, m, steps), "theory" if m == p.falling[-1] else "_")
    ax.set(yscale="log", xlabel="step t", ylabel="share of runs still at distance below 1")
    ax.set_title("With m falling directions\na share ∝ (1 + η)⁻ᵐᵗ stays")
    ax.legend(loc="upper right")


def draw_ends(ax: Axes, p: Params, ends: np.ndarray) -> None:
    """How many runs end at either minimum, and how many do not."""
    heights = (ends[0], p.runs - ends.sum(), ends[1])
    bars = ax.bar(("y = −1", "saddle", "y = 1"), heights, color=(plotting.BLUE, plotting.BLACK, plotting.VERMILLION))
    ax.bar_label(bars, [f"{height:,}" for height in heights], padding=3)
    ax.margins(y=0.1)
    ax.set(yticks=[], ylabel=f"number of runs in {p.dim} dimensions", title="No run ends\nat the saddle")


def plot(data: Data, p: Params) -> Figure:
    """Three panels: paths in the plane, the share near the saddle, and where the runs end."""
    sheet, (plane, decay, bars) = plotting.figure(1, 3, size=(12.8, 6.4), width_ratios=(1.2, 1.2, 0.9))
    draw_paths(plane, data["paths"])
    draw_decay(decay, p, data["staying"])
    draw_ends(bars, p, data["ends"])
    return sheet


experiment = Experiment(
    title="Randomly started gradient descent avoids strict saddles: the share of runs near one falls exponentially",
    source="Important Techniques in Neural Network Training, escaping saddle points",
    question="Does gradient descent without noise end at a saddle when its start is random?",
    params={
        "lr": 0.1,
        "falling": (1, 2, 3),
        "blocks": 20,
        "block": 50_000,
        "steps": 400,
        "dim": 100,
        "runs": 50_000,
    },
    quick={"runs": 20_000},
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
