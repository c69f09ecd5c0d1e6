"""A gradient of zero says little (notebook *Regularization and Optimization*, local minima and saddle points).

The three functions of the notebook are x cos(πx), x³ and x² − y². Newton's method finds where a gradient vanishes,
whatever the kind, and there the eigenvalues of the Hessian tell the kinds apart: all positive is a minimum, all
negative a maximum, both a saddle; where one is 0 they say nothing, and here f on both sides decides.

* x cos(πx): with u = πx the gradient is cos u − u sin u, which has one zero with u/π in each (k, k + ½), k ≥ 0, and its
  mirror image: 2n of them in [−n, n], minima and maxima in turn. There |f″| = π (2 + u²)/√(1 + u²), and a minimum is
  u²/(π√(1 + u²)) deep. The notebook draws [−1, 2] and marks the minima at −0.3 and 1.1, to one decimal.
* x³: f″ = 0 at the only zero, f rises through it. Newton's method only halves the distance in each step. Gradient
  descent from the right creeps: 1/x grows by 3η to 3η/(1 − 3ηx) a step; from the left it falls for ever.
* x² − y²: one stationary point, eigenvalues 2 and −2.

Rounding. Sine and cosine are good to 2.5 units in the last place, x and πx to half of one, so that a gradient near a
zero is wrong by at most ε (½ |x f″| + 4 (|cos u| + |u sin u|)). The last Newton step leaves one such error, reading the
gradient off adds one, and x is rounded: three in all are allowed.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import optlab as ol
from optlab import plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, bounded, exact, fraction
from optlab.landscapes import Cosine, Custom, HyperbolicParaboloid
from optlab.random import derive_seed, uniform

EPS = float(np.finfo(np.float64).eps)
WAVE, SADDLE = Cosine(np.pi), HyperbolicParaboloid()
CUBE = Custom(1, lambda x: x[:, 0] ** 3, lambda x: 3 * x**2, lambda x, v: 6 * x * v)
DRAWN, MARKS = (-1.0, 2.0), np.array([-0.3, 1.1])
KINDS = ("minimum", "maximum", "saddle", "undecided")
STEPS, FLAT = 60, 1e-6  # of Newton's method; eigenvalues nearer to 0 decide nothing


def hessians(f: ol.Landscape, x: np.ndarray) -> np.ndarray:
    """The Hessian at each point, shape (points, dim, dim)."""
    return np.stack([f.hvp(x, np.tile(axis, (len(x), 1))) for axis in np.eye(f.dim)], axis=2)


def newton(f: ol.Landscape, x: np.ndarray) -> np.ndarray:
    """Newton's method from every row of x, with steps of at most ¼, so that no zero nearby is passed over."""
    for _ in range(STEPS):
        move = np.einsum("nij,nj->ni", np.linalg.pinv(hessians(f, x), rcond=0.0), f.grad(x))
        x = x - move / np.maximum(1, 4 * np.linalg.norm(move, axis=1, keepdims=True))
    return x


def stationary(f: ol.Landscape, starts: np.ndarray, reach: float) -> np.ndarray:
    """The different limits of Newton's method within `reach` at which the gradient vanishes, in order."""
    x = newton(f, starts)
    flat = (np.linalg.norm(f.grad(x), axis=1) < 1e-9) & (np.abs(x).max(axis=1) <= reach)
    x = x[flat] if flat.any() else starts[:1]  # a point that fails every claim
    return x[np.unique(np.round(x, 6) + 0.0, axis=0, return_index=True)[1]]


def kinds(f: ol.Landscape, x: np.ndarray) -> np.ndarray:
    """The kind of each point by the eigenvalues of its Hessian, as an index into KINDS."""
    eigenvalues = np.linalg.eigvalsh(hessians(f, x))
    low, high = eigenvalues[:, 0], eigenvalues[:, -1]
    return np.select([np.abs(eigenvalues).min(axis=1) < FLAT, low > 0, high < 0], [3, 0, 1], 2)


def sides(f: ol.Landscape, x: np.ndarray) -> np.ndarray:
    """The kind of each point of a line by the sign of the slope on its two sides."""
    left, right = (np.sign(f.grad(x + h))[:, 0] for h in (-1e-3, 1e-3))
    return np.select([left == right, left < right], [3, 0], 1)


def grid(dim: int, reach: float, seed: int) -> np.ndarray:
    """Starts on a square grid of spacing about 1/40 over [−reach, reach], shifted at random."""
    count = int(80 * reach)
    ticks = [(np.arange(count) + shift) * 2 * reach / count - reach for shift in uniform(dim, seed)]
    return np.stack(np.meshgrid(*ticks, indexing="ij"), axis=-1).reshape(-1, dim)


def descents(p: Params, seed: int) -> dict[str, np.ndarray]:
    """How many runs of gradient descent end at each minimum that is drawn, and what becomes of runs on x³."""
    low, high = DRAWN
    starts = low + (high - low) * uniform((p.runs, 1), derive_seed(seed, "starts"))
    # The step is below 1/|f″| on the interval, so that no run jumps over a maximum.
    ends = ol.descend(WAVE, ol.SGD(lr=0.05), starts, 2000, stop=ol.stop.grad_norm(1e-12)).last
    minima = WAVE.stationary(*DRAWN)[::2]
    starts = 2 * uniform((p.cubes, 1), derive_seed(seed, "cubes")) - 1
    run = ol.descend(CUBE, ol.SGD(lr=p.lr), starts, p.steps, stop=ol.stop.leaves_box(-2.0, 2.0))
    right = starts[:, 0] > 0
    return {
        "ends": np.sum(np.abs(ends - minima) < 1e-9, axis=0),
        "fell": np.sum(run.stop_reason == "left"),
        "creep": (1 / run.last[right, 0] - 1 / starts[right, 0]) / (3 * p.lr * p.steps),
        "newton_cube": newton(CUBE, np.array([[0.25]]))[0, 0],
    }


def compute(p: Params, seed: int, progress: Progress) -> dict[str, np.ndarray]:
    """The stationary points with their kinds, and where gradient descent goes from random starts."""
    found = {}
    for name, f, reach in (("wave", WAVE, p.reach), ("cube", CUBE, 2.0), ("saddle", SADDLE, 1.0)):
        x = stationary(f, grid(f.dim, reach, derive_seed(seed, name)), reach)
        found |= {name: x, f"{name}_kind": kinds(f, x), f"{name}_grad": f.grad(x), f"{name}_hessian": hessians(f, x)}
    found |= {"wave_sides": sides(WAVE, found["wave"]), "cube_sides": sides(CUBE, found["cube"])}
    progress(0.5, "descent")
    return found | descents(p, seed)


def claims(data: Data, p: Params) -> list[Claim]:
    """Every stationary point is found, and its kind is right, on all three functions."""
    return [*wave_claims(data, p), *drawn_claims(data, p), *cube_claims(data, p), *saddle_claims(data)]


def wave_claims(data: Data, p: Params) -> list[Claim]:
    """All stationary points of x cos(πx) far out, against bisection and closed forms."""
    x, kind, curvature = data["wave"][:, 0], data["wave_kind"], data["wave_hessian"][:, 0, 0]
    roots = WAVE.stationary(-p.reach, p.reach)
    u, same = np.pi * roots, len(x) == len(roots)
    law = np.pi * (2 + u**2) / np.sqrt(1 + u**2)
    unit = EPS * (np.abs(roots) * law / 2 + 4 * (np.abs(np.cos(u)) + np.abs(u * np.sin(u))))
    place = np.max(np.abs(x - roots) * law / unit) if same else np.inf
    slopes = np.max(np.abs(data["wave_grad"][:, 0]) / unit) if same else np.inf
    off = np.max(np.abs(np.abs(curvature) / law - 1)) if same else np.inf
    n = f"x cos(πx) on [−{p.reach}, {p.reach}]"
    count = f"{n}: two stationary points to every unit of distance from 0; the number that Newton's method finds."
    where = "They are where bisection puts them: the largest distance, by the distance that rounding explains."
    zero = "The gradient is zero there: the largest, by the error of one evaluation."
    bend = "There |f''| = π (2 + u²)/√(1 + u²): the largest relative error."
    turns = "Minima and maxima take turns, by the sign of f'': neighbours of the same kind."
    agree = "The sign of the slope on both sides gives the same kind as f'': points at which it does not."
    return [
        exact("wave_count", count, len(x), 2 * p.reach),
        # Three for Newton's method and three for bisection.
        bounded("wave_places", where, place, (0.0, 6.0)),
        bounded("wave_gradient", zero, slopes, (0.0, 3.0)),
        # The relative condition of f'' is at most 2, of a point and of πx that are each good to a few ε.
        bounded("wave_curvature", bend, off, (0.0, 32 * EPS)),
        exact("wave_turns", turns, np.sum(kind[1:] + kind[:-1] != 1), 0),
        exact("wave_sides", agree, np.sum(kind != data["wave_sides"]), 0),
    ]


def drawn_claims(data: Data, p: Params) -> list[Claim]:
    """The interval that the notebook draws, and its marks."""
    x, kind = data["wave"][:, 0], data["wave_kind"]
    inside = (x > DRAWN[0]) & (x < DRAWN[1])
    # Were there fewer minima, the marks would be compared with nothing.
    local, lowest = np.pad(x[inside & (kind == 0)], (0, 2), constant_values=np.nan)[:2]
    truth = WAVE.stationary(*DRAWN)
    u = np.pi * truth[[0, 2]]
    gap = np.subtract(*(-(u**2) / (np.pi * np.sqrt(1 + u**2))))
    share = (truth[1] - DRAWN[0]) / (DRAWN[1] - DRAWN[0])
    # Eight standard errors: 3.3 for the interval at level 0.999 and 4.7 for chance.
    margin, n = 8 * np.sqrt(share * (1 - share) / p.runs), p.runs
    higher = "The first minimum is only local: how far it lies above the second."
    ends = f"From {n} random starts in [−1, 2] gradient descent ends at a minimum, never at the maximum: the share."
    stuck = "The share that ends in the local minimum is the part of the interval left of the maximum."
    heights = WAVE.value(np.array([[local], [lowest]]))
    return [
        exact("drawn", "Stationary points between −1 and 2: their number.", np.sum(inside), 3),
        exact("mark_local", "The notebook's mark −0.3 is a local minimum, to one decimal.", local, MARKS[0], 0.05),
        exact("mark_global", "The notebook's mark 1.1 is the other one, to one decimal.", lowest, MARKS[1], 0.05),
        exact("only_local", higher, heights[0] - heights[1], gap, 16 * EPS),
        fraction("ends", ends, data["ends"].sum(), n, 1.0, (1 - 10 / n, 1.0)),
        fraction("stuck", stuck, data["ends"][0], n, share, (share - margin, share + margin)),
    ]


def cube_claims(data: Data, p: Params) -> list[Claim]:
    """x³ at 0: a gradient of zero, a Hessian of zero, and neither a minimum nor a maximum."""
    n, eta = p.cubes, p.lr
    # Halving begins at ½ at the latest, 6 steps of ¼ from a start at ±2.
    least = 2.0 ** -(STEPS - 6 + 1)
    margin = 8 * np.sqrt(0.25 / n)
    creep = data["creep"][np.argmax(np.abs(data["creep"] - 1))]
    # 1/x grows by 3η/(1 − 3ηx) a step and x ≤ 1/(1 + 3ηk), summed over the steps.
    most = 1 + (3 * eta + np.log1p(3 * eta * p.steps)) / ((1 - 3 * eta) * p.steps)
    found = data["cube"]
    neither = np.sum((data["cube_kind"] == 3) & (data["cube_sides"] == 3))
    halves = "Newton's method only halves the distance to 0 on x³: what is left of 1/4 after all steps, times 2^steps."
    flat = "f'' = 0 at the stationary point of x³: the largest |f''|, in units of what halving leaves."
    creeps = f"From the right x³ is descended as 1/(3ηt): growth of 1/x in {p.steps} steps, by 3ηt, farthest from 1."
    half = "From the left the run falls for ever: the share of starts in [−1, 1] that has fallen."
    return [
        exact("cube_count", "x³ has one stationary point: the number found.", len(found), 1),
        bounded("cube_flat", flat, np.max(np.abs(data["cube_hessian"])) / (6 * least), (0.0, 1.0)),
        exact("cube_neither", "It is neither minimum nor maximum, the slope is positive on both sides.", neither, 1),
        exact("cube_halves", halves, data["newton_cube"] * 2.0**STEPS, 0.25, STEPS * EPS),
        bounded("cube_creeps", creeps, creep, (1.0, most), 1.0),
        fraction("cube_falls", half, data["fell"], n, 0.5, (0.5 - margin, 0.5 + margin)),
    ]


def saddle_claims(data: Data) -> list[Claim]:
    """x² − y² at 0."""
    low, high = np.linalg.eigvalsh(data["saddle_hessian"][0])
    steep = np.max(np.abs(data["saddle_grad"]))
    saddles = np.sum(data["saddle_kind"] == KINDS.index("saddle"))
    return [
        exact("saddle_count", "x² − y² has one stationary point: the number found.", len(data["saddle"]), 1),
        exact("saddle_kind", "It is a saddle, by the signs of the eigenvalues: the number of saddles.", saddles, 1),
        exact("saddle_gradient", "Its gradient vanishes: the largest component.", steep, 0.0),
        exact("saddle_rises", "Along x it curves upwards: the larger eigenvalue.", high, 2.0),
        exact("saddle_falls", "Along y it curves downwards: the smaller eigenvalue.", low, -2.0),
    ]


def note(ax: Axes, text: str, at: tuple[float, float], to: tuple[float, float], color: str) -> None:
    """Text with an arrow to a point."""
    arrow = {"arrowstyle": "-", "color": color, "linewidth": 1.5, "shrinkB": 9}
    ax.annotate(text, to, at, color=color, ha="center", va="center", arrowprops=arrow)


def draw_wave(ax: Axes, data: Data, p: Params) -> None:
    """The curve, coloured by where descent ends, and its stationary points."""
    local, top, lowest = (float(x) for x in data["wave"][:, 0] if DRAWN[0] < x < DRAWN[1])
    share = 100 * data["ends"] / p.runs
    for low, high, color in ((DRAWN[0], top, plotting.VERMILLION), (top, DRAWN[1], plotting.BLUE)):
        x = np.linspace(low, high, 200)
        ax.plot(x, x * np.cos(np.pi * x), color=color)
    for x, text, at, color in (
        (local, f"local minimum:\n{share[0]:.0f} % of starts", (-0.3, -0.9), plotting.VERMILLION),
        (top, "maximum", (0.4, 0.85), plotting.BLACK),
        (lowest, f"global minimum:\n{share[1]:.0f} % of starts", (0.45, -1.5), plotting.BLUE),
    ):
        height = x * np.cos(np.pi * x)
        ax.plot(x, height, "o", color=color, markersize=12)
        note(ax, text, at, (x, height), color)
    ax.plot(MARKS, [-1.82, -1.82], "^", color=plotting.BLACK, markersize=11, label="notebook's marks")
    ax.legend(loc="upper left")
    ax.set(
        ylim=(-1.9, 2.1),
        xlabel="x",
        ylabel="f(x) = x cos(πx)",
        title="Descent ends at a minimum,\nnot always the lowest",
    )


def draw_cube(ax: Axes) -> None:
    """x³ with its stationary point."""
    x = np.linspace(-2, 2, 201)
    ax.plot(x, x**3, color=plotting.BLUE)
    ax.plot(0, 0, "o", color=plotting.BLACK, markersize=12)
    note(ax, "f′ = f″ = 0:\nneither", (0.4, -4.6), (0, 0), plotting.BLACK)
    ax.text(1.4, 0.4, "descent\ncreeps", color=plotting.BLUE, ha="center", va="top")
    ax.text(-1.2, 0.4, "descent\nfalls", color=plotting.BLUE, ha="center", va="bottom")
    ax.set(xlabel="x", ylabel="f(x) = x³", title="x³: zero curvature\ndecides nothing")


def draw_saddle(sheet: Figure, spare: Axes) -> None:
    """x² − y² as a surface, with the two lines through the saddle."""
    place = spare.get_subplotspec()
    spare.remove()
    ax, t = sheet.add_subplot(place, projection="3d"), np.linspace(-1, 1, 41)
    x, y = np.meshgrid(t, t)
    ax.plot_surface(x, y, x**2 - y**2, color="#dddddd", alpha=0.55, rstride=4, cstride=4, edgecolor="#aaaaaa", lw=0.6)
    ax.plot(t, 0 * t, t**2, color=plotting.GREEN, linewidth=4, zorder=10)
    ax.plot(0 * t, t, -(t**2), color=plotting.VERMILLION, linewidth=4, zorder=10)
    ax.plot([0], [0], [0], "o", color=plotting.BLACK, markersize=12, zorder=11)
    ax.set(xticks=(-1, 0, 1), yticks=(-1, 0, 1), zticks=(-1, 0, 1), title="x² − y²: a saddle,\neigenvalues 2 and −2")
    ax.set_xlabel("x", labelpad=10)
    ax.set_ylabel("y", labelpad=10)
    ax.set_zlabel("f", labelpad=-2)
    ax.set_box_aspect(None, zoom=0.92)  # room for the label
    ax.view_init(28, -58)


def plot(data: Data, p: Params) -> Figure:
    """The notebook's three panels."""
    sheet, (wave, cube, saddle) = plotting.figure(1, 3, size=(12.8, 5.6), width_ratios=(1.25, 0.9, 1.1))
    draw_wave(wave, data, p)
    draw_cube(cube)
    draw_saddle(sheet, saddle)
    return sheet


experiment = Experiment(
    title="Where the gradient is zero, the Hessian tells minimum, maximum and saddle apart, unless it is zero too",
    source="Regularization and Optimization (notebook), local minima and saddle points",
    question="What kinds of points have a gradient of zero?",
    params={"reach": 50, "runs": 100_000, "cubes": 10_000, "lr": 0.1, "steps": 1000},
    quick={"reach": 20, "runs": 20_000, "cubes": 2000},
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
