"""Basins of attraction: convex against nonconvex (lecture *Training DNNs: Basic Methods and Tricks*).

The nonconvex function is the lecture's g(x, y) = Σ_{i=1,2} a_i sin(b_i x + c_i y) + d_i cos(e_i x + f_i y), with random
amplitudes in [½, 1½) and frequencies in [−2, 2] rounded to halves. So g repeats itself every 4π in x and in y: one
period holds everything, and the global minimum is that of the plane. Waves that do not span the plane are drawn again.

Σ |amplitude| · |frequency vector|^n bounds the gradient (n = 1: L), the Hessian (n = 2: M) and its change (n = 3: K).
A step is 1/M, so that g falls at every step. Every point is within h/√2 of a grid of spacing h, so the minimum lies at
most L h/√2 below the grid's lowest value; a point with gradient G and least Hessian eigenvalue λ > √(2 K G) has a
strict minimum beside it (Newton-Kantorovich theorem).
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import optlab as ol
from optlab import plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, bounded, exact, fraction, mean
from optlab.landscapes import Quadratic, Sinusoid
from optlab.random import derive_seed, uniform

PERIOD = 4 * np.pi
BOX = (-PERIOD / 2, PERIOD / 2)
CONVEX = (0.25, 1.0)  # the curvatures of the convex function
SEPARATE = 1e-3  # limit points nearer than this are one; a run stops about 1e-7 from its limit
SAME = 1e-9  # limits with values nearer than this are equally low: copies of one minimum
ARRIVED = 1e-9  # a run stops once its gradient is smaller
COLUMNS = ("minima", "depth", "strictness", "area", "hits", "arrived")


def waves(seed: int) -> np.ndarray:
    """The coefficients of a random g with frequencies in halves, whose waves span the plane."""
    table = Sinusoid.draw(seed).table.copy()
    table[:, [1, 2, 4, 5]] = np.round(2 * table[:, [1, 2, 4, 5]]) / 2
    spans = np.linalg.matrix_rank(table[:, [1, 2, 4, 5]].reshape(4, 2)) == 2
    return table if spans else waves(derive_seed(seed, "again"))


def bound(table: np.ndarray, order: int) -> float:
    """Σ |amplitude| · |frequency vector|^order."""
    frequency = table[:, [1, 2, 4, 5]].reshape(2, 2, 2)
    return float(np.sum(np.abs(table[:, [0, 3]]) * np.linalg.norm(frequency, axis=2) ** order))


def lattice(points: int, seed: int) -> np.ndarray:
    """A square grid of points² over one period, shifted at random."""
    ticks = [(np.arange(points) + shift) * PERIOD / points + BOX[0] for shift in uniform(2, seed)]
    return np.stack(np.meshgrid(*ticks, indexing="ij"), axis=-1).reshape(-1, 2)


def wrapped(points: np.ndarray) -> np.ndarray:
    """The copies of the points in the period around 0."""
    return (points + PERIOD / 2) % PERIOD - PERIOD / 2


def limits(f: ol.Landscape, lr: float, starts: np.ndarray, p: Params) -> tuple[np.ndarray, np.ndarray]:
    """The different limit points of gradient descent (or a last point), and which each start reaches (-1: none)."""
    run = ol.descend(f, ol.SGD(lr=lr), starts, p.steps, stop=ol.stop.grad_norm(ARRIVED))
    found, label = [], np.full(len(starts), -1)
    waiting = np.flatnonzero(run.stop_reason == "grad_norm")
    while len(waiting):
        found.append(wrapped(run.last[waiting[0]]))
        near = np.linalg.norm(wrapped(run.last[waiting] - found[-1]), axis=1) < SEPARATE
        label[waiting[near]] = len(found) - 1
        waiting = waiting[~near]
    return np.array(found or run.last[:1]), label


def study(table: np.ndarray, seed: int, p: Params) -> tuple[float, ...]:
    """The numbers of COLUMNS for one g: its basins by a grid of starts, then by random ones."""
    f = Sinusoid(table)
    starts = [lattice(p.grid, derive_seed(seed, "grid")), PERIOD * uniform((p.starts, 2), derive_seed(seed, "starts"))]
    minima, label = limits(f, 1 / bound(table, 2), np.concatenate(starts), p)
    value = f.value(minima)
    hit = np.isin(label, np.flatnonzero(value < value.min() + SAME))
    curvature = np.linalg.eigvalsh(f.hessian(minima))[:, 0].min()
    lowest = f.value(lattice(p.certificate, derive_seed(seed, "certificate"))).min()
    depth = (lowest - value.min()) / (bound(table, 1) * PERIOD / p.certificate / np.sqrt(2))
    strictness = curvature / np.sqrt(2 * bound(table, 3) * ARRIVED)
    return len(minima), depth, strictness, hit[: p.grid**2].mean(), hit[p.grid**2 :].sum(), np.sum(label >= 0)


def picture(table: np.ndarray, seed: int, p: Params) -> dict[str, np.ndarray]:
    """The map of the basins of one g, the convex function beside it, and paths from the same starts on both."""
    f, bowl = Sinusoid(table), Quadratic(CONVEX, rotation=derive_seed(seed, "bowl"))
    rates, grid = {f: 1 / bound(table, 2), bowl: 0.5 / max(CONVEX)}, lattice(p.map, derive_seed(seed, "map"))
    minima, label = limits(f, rates[f], grid, p)
    meeting, ends = limits(bowl, rates[bowl], grid, p)
    few = 8 * uniform((12, 2), derive_seed(seed, "paths")) - 4  # near the middle: few paths leave the picture
    return {
        "label": label.astype(np.int16).reshape(p.map, p.map),
        "minima_of_map": minima,
        "value_of_map": f.value(minima),
        "paths": np.array([ol.descend(on, ol.SGD(lr=lr), few, 150, record=1).x for on, lr in rates.items()]),
        "convex_axes": bowl.rotation,
        "convex_ends": len(meeting) + np.sum(ends < 0),  # a start that arrives nowhere counts as one more end
    }


def compute(p: Params, seed: int, progress: Progress) -> dict[str, np.ndarray]:
    """Study random functions, then draw the map of the one with a middling number of minima."""
    tables, rows = [], []
    for i in range(p.functions):
        progress(i / (p.functions + 1), f"function {i + 1} of {p.functions}")
        tables.append(waves(derive_seed(seed, "waves", i)))
        rows.append(study(tables[-1], derive_seed(seed, "study", i), p))
    columns = dict(zip(COLUMNS, np.array(rows).T, strict=True))
    middling = np.argsort(columns["minima"], kind="stable")[p.functions // 2]
    return {**columns, **picture(tables[middling], seed, p)}


def claims(data: Data, p: Params) -> list[Claim]:
    """Convex against nonconvex, the certificates, and the share of good starts."""
    area, total, arrived = data["area"].mean(), p.functions * p.starts, int(data["arrived"].sum())
    # Eight standard errors: 3.3 for the interval at level 0.999 and 4.7 for chance. The area is known far better: only
    # cells on the basin's border can be counted wrongly. The 1 keeps variances positive where every start succeeds.
    margin = 8 * np.sqrt(area * (1 - area) / total)
    chance = (data["hits"] - p.starts * data["area"]) ** 2 / (p.starts * data["area"] * (1 - data["area"]) + 1)
    # Outside [0, 1] the multistart missed the minimum or the bound is wrong; the number furthest from it is judged.
    depth = data["depth"][np.argmax(np.abs(data["depth"] - 0.5))]
    said = {
        "convex": f"On the convex function all {p.map**2} starts meet: the number of different ends.",
        "several": f"A period of g holds several minima: their mean number over {p.functions} random functions.",
        "start_decides": "Most starts miss the global minimum: their share of the plane, a mean over the functions.",
        "strict": "Every limit point is a strict minimum: its least curvature, in units of what proves one, at least.",
        "arrives": f"Starts arrive: the share whose gradient falls below {ARRIVED:g} in {p.steps} steps.",
        "certified": "Multistart finds each global minimum: how far below a grid's, in units of what the grid allows.",
        "share": "The share of random starts that reach the global minimum is the area of its basin.",
        "each_share": "That is so for each function: the squared difference in units of its variance, on average.",
    }
    return [
        exact("convex", said["convex"], data["convex_ends"], 1),
        mean("several", said["several"], data["minima"], None, (2.0, None)),
        mean("start_decides", said["start_decides"], 1 - data["area"], None, (0.5, None)),
        bounded("strict", said["strict"], data["strictness"].min(), (1.0, None)),
        # Not all: now and then two critical points almost merge, and descent to such a flat minimum takes longer.
        fraction("arrives", said["arrives"], arrived, p.functions * (p.grid**2 + p.starts), None, (0.95, None)),
        bounded("certified", said["certified"], depth, (0.0, 1.0)),
        mean("each_share", said["each_share"], chance, 1.0, (None, 4.0)),  # 1 ± 0.2 by chance, and its interval ± 0.7
        fraction("share", said["share"], data["hits"].sum(), total, area, (area - margin, area + margin)),
    ]


def draw_paths(ax: Axes, path: np.ndarray, title: str) -> None:
    """Paths from their starts, cut where they leave the picture."""
    ax.plot(path[:, :, 0], path[:, :, 1], color=plotting.VERMILLION, linewidth=2.2)
    ax.plot(*path[0].T, "o", color=plotting.VERMILLION, markeredgecolor="white", label="start")
    ax.set(xlim=BOX, ylim=BOX, xlabel="x", ylabel="y", title=title)


def draw_map(ax: Axes, data: Data) -> None:
    """The value that each start descends to, white where two basins meet."""
    label, value = data["label"], data["value_of_map"]
    border = (label != np.roll(label, 1, 0)) | (label != np.roll(label, 1, 1))
    shade = np.where(border, np.nan, np.append(value, np.nan)[label]).T
    image = ax.imshow(shade, extent=BOX * 2, origin="lower", rasterized=True, interpolation="nearest")
    ax.figure.colorbar(image, ax=ax, label="g where the start ends", fraction=0.04)
    draw_paths(ax, data["paths"][0], f"Nonconvex: {len(value)} minima, the start decides")
    best = value < value.min() + SAME
    for mark, size, color, rows, text in (("o", 8, "w", ~best, "minimum"), ("*", 24, plotting.ORANGE, best, "lowest")):
        ax.plot(*data["minima_of_map"][rows].T, mark, ms=size, color=color, mec="black", label=text)
    ax.grid(False)
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=3)


def plot(data: Data, p: Params) -> Figure:
    """The basins of the nonconvex function; beside them the convex one, and shares against areas."""
    sheet, ((left, bowl), (lower, share)) = plotting.figure(2, 2, width_ratios=(1.5, 1))
    left.set_subplotspec(left.get_gridspec()[:, 0])
    lower.remove()
    draw_map(left, data)
    x = np.stack(np.meshgrid(*[np.linspace(*BOX, 121)] * 2), axis=-1)
    height = (x @ data["convex_axes"]) ** 2 @ np.array(CONVEX) / 2
    bowl.contour(x[..., 0], x[..., 1], height, levels=10, colors="#bbbbbb", linewidths=1.2)
    draw_paths(bowl, data["paths"][1], f"Convex: {p.map**2:,} starts meet")
    share.plot(100 * data["area"], 100 * data["hits"] / p.starts, "o", color=plotting.BLUE)
    plotting.theory_line(share, [0, 100], [0, 100], "share = area")
    share.set(xlabel="area of the lowest basin (%)", ylabel="share of starts (%)", title="The area predicts the share")
    share.legend(loc="upper left")
    return sheet


experiment = Experiment(
    title="On a nonconvex function the start decides where gradient descent ends",
    source="Training DNNs: Basic Methods and Tricks, convex and nonconvex functions",
    question="Which starts reach the global minimum?",
    params={"functions": 48, "grid": 96, "starts": 4000, "map": 400, "certificate": 1000, "steps": 50_000},
    quick={"grid": 48, "starts": 1500, "map": 320, "certificate": 400},
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
