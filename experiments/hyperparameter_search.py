"""How to look for hyperparameters: grid, at random, by a model of what was seen; on which scale, and in which order.

A box of side s in d of D dimensions, its place drawn, n trials. Random search hits it with probability 1 − (1 − sᵈ)ⁿ,
whatever D is. A grid has only n^(1/D) different values of each parameter: where d < D, most of its trials repeat what
was tried (Bergstra and Bengio, 2012). Where all parameters matter, the grid is the better one, for it leaves no gaps.

Regret: how far above its minimum a bowl (u − c)² in two parameters is at the best of n trials, its centre drawn. Every
method gets the same budget: a coarse grid and a fine one around its best point; random; tree-structured Parzen
estimators, which model where good trials lie.

The notebook's order of work, on digits and a network with one hidden layer, by the loss on held-out images: defaults, a
sweep of the learning rate over decades, of weight decay, of the width; compared at the end, on images that had no part
in any choice. On a logarithmic scale every decade of [10⁻⁴, 1] gets a quarter of random trials, on a linear one the
lowest gets one in 1100.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import optlab as ol
from optlab import plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, bounded, exact, fraction, mean
from optlab.random import derive_seed, uniform
from optlab.search import Search, Space, Span, grid_point, search

Array = np.ndarray
CASES = {"1 of 2": (2, 1, 64, 0.05), "1 of 3": (3, 1, 64, 0.05), "2 of 4": (4, 2, 81, 0.15)}
CASES |= {"2 of 2": (2, 2, 64, 0.1), "3 of 3": (3, 3, 64, 0.2)}
"""How many parameters matter of how many: D, d, n and s."""
PLANE: Space = {"lr": Span(1e-4, 1.0, log=True), "other": Span(0.0, 1.0)}
SQUARE: Space = {"u": Span(0.0, 1.0), "v": Span(0.0, 1.0)}
METHODS = ("grid", "random", "tpe")
BUDGET = 32
NAMES = {"grid": "grid, coarse to fine", "random": "random", "tpe": "Bayesian (TPE)"}
RATES, DECAYS, WIDTHS = 10.0 ** np.arange(-3, 1, 0.5), np.array([0, 1e-5, 1e-4, 1e-3, 1e-2]), (16, 32, 64, 128)
DEFAULT = (2, 0, 1)
"""Where the defaults stand in these lists: lr 0.01, no decay, 32 units."""
STAGES = ("defaults", "lr", "decay", "width")
WORST = 10.0
"""Stands for the loss of a run that diverged."""


def hits(p: Params, seed: int, case: str) -> Array:
    """Whether grid and random search hit each box, (2, reps)."""
    dims, d, n, side = CASES[case]
    low = (1 - side) * uniform((p.reps, d), derive_seed(seed, case, "box"))
    drawn = uniform((p.reps, n * dims), derive_seed(seed, case, "points")).reshape(p.reps, n, dims)[..., :d]
    centres = cells(dims, n)[:, None, None]
    along = ((centres >= low) & (centres <= low + side)).any(axis=0)
    inside = (drawn >= low[:, None]) & (drawn <= low[:, None] + side)
    return np.array([along.all(axis=1), inside.all(axis=2).any(axis=1)])


def cells(dims: int, n: int) -> Array:
    """The values of each parameter on a grid of n points, in the middle of equal cells."""
    count = round(n ** (1 / dims))
    return (np.arange(count) + 0.5) / count


def predicted(case: str) -> tuple[float, float]:
    """The probabilities of a hit, of the grid, by the length where a box's lower end may lie, and of random search."""
    dims, d, n, side = CASES[case]
    ends, length = 0.0, 0.0
    for x in cells(dims, n):
        low, high = max(x - side, ends), min(x, 1 - side)
        length, ends = length + max(high - low, 0.0), max(ends, high)
    return (length / (1 - side)) ** d, 1 - (1 - side**d) ** n


def bowl(seed: int, method: str) -> Search:
    """A search on a bowl whose centre is drawn."""
    centre = 0.2 + 0.6 * uniform(2, derive_seed(seed, "centre"))
    return search(lambda x: (x["u"] - centre[0]) ** 2 + (x["v"] - centre[1]) ** 2, SQUARE, method, BUDGET, seed=seed)


def points(seed: int) -> tuple[Array, Array]:
    """64 points of (lr, other) on one grid and at random, (64, 2) each."""
    grid: list[tuple[dict[str, float], float]] = []
    for _ in range(64):
        grid.append((grid_point(PLANE, 128, grid), 0.0))
    drawn = search(lambda x: 0.0, PLANE, "random", 64, seed=derive_seed(seed, "points"))
    return np.array([list(x.values()) for x, _ in grid]), np.array([list(x.point.values()) for x in drawn.trials])


def train(p: Params, seed: int, width: int, lr: Array, decay: Array) -> Array:
    """Losses after training on digits with each lr and decay: on held-out and on test images, (2, runs)."""
    digits = ol.data.digits()
    sets = ol.data.split(digits.X, digits.y, (0.5, 0.25, 0.25), seed=derive_seed(seed, "split"))
    mlp = ol.nn.MLP([digits.X.shape[1], width, 10])
    train_on, held, test = (mlp.on(*part) for part in sets)
    start = np.tile(mlp.init(derive_seed(seed, "init")), (len(lr), 1))
    options = {"batch_size": 32, "seed": derive_seed(seed, "batches"), "record": [p.steps], "record_x": False}
    path = ol.descend(
        train_on, ol.SGD(lr, weight_decay=decay), start, p.steps, probes={"held": held, "test": test}, **options
    )
    found = np.array([path.probes["held"][-1], path.probes["test"][-1]])
    return np.where(found < WORST, found, WORST)


def workflow(p: Params, seed: int) -> tuple[Array, Array]:
    """The held-out losses (rates, decays) at the default width, and the test loss after each stage."""
    lr, decay = (each.ravel() for each in np.meshgrid(RATES, DECAYS, indexing="ij"))
    held, test = train(p, seed, WIDTHS[DEFAULT[2]], lr, decay).reshape(2, len(RATES), len(DECAYS))
    rate = int(np.argmin(held[:, DEFAULT[1]]))
    level = int(np.argmin(held[rate]))
    wide = np.array([train(p, seed, n, RATES[[rate]], DECAYS[[level]])[:, 0] for n in WIDTHS])
    stages = [test[DEFAULT[:2]], test[rate, DEFAULT[1]], test[rate, level], wide[np.argmin(wide[:, 0]), 1]]
    return held, np.array(stages)


def compute(p: Params, seed: int, progress: Progress) -> dict[str, Array]:
    """Hits, points, regret curves (methods, seeds, trials), and the workflow on digits."""
    progress(0.0, "boxes")
    found = {f"hits_{case}": hits(p, seed, case) for case in CASES}
    found["grid_points"], found["random_points"] = points(seed)
    progress(0.2, "regret")
    seeds = [derive_seed(seed, "search", k) for k in range(p.searches)]
    found["regret"] = np.array([[bowl(each, method).curve for each in seeds] for method in METHODS])
    progress(0.6, "digits")
    runs = [workflow(p, derive_seed(seed, "digits", k)) for k in range(p.splits)]
    found["held"], found["stages"] = (np.array(part) for part in zip(*runs, strict=True))
    return found


def box_claims(data: Data, case: str) -> list[Claim]:
    """Both methods hit as often as their formulas say; which is better depends on what matters."""
    found, hit, name = predicted(case), data[f"hits_{case}"].astype(float), case.replace(" ", "_")
    said = f"{case} parameters matter: the share of boxes that {{}} hits."
    better = "random search hits more boxes, by share" if case[0] != case[-1] else "the grid hits no fewer"
    sides = [
        fraction(f"{method}_{name}", said.format(method), int(row.sum()), len(row), value, (value - 0.05, value + 0.05))
        for method, row, value in zip(("grid", "random"), hit, found, strict=True)
    ]
    accept = (0.3, None) if case[0] != case[-1] else (None, 0.0)
    gap = f"{case} parameters matter: {better}: random less grid."
    return [*sides, mean(f"gap_{name}", gap, hit[1] - hit[0], found[1] - found[0], accept)]


def share_of_rate(held: Array) -> Array:
    """The part of the variance of log loss over the table that the learning rate's means explain, by seed."""
    loss = np.log(held)
    return loss.mean(axis=2).var(axis=1) / loss.var(axis=(1, 2))


def claims(data: Data, p: Params) -> list[Claim]:
    """Boxes, values, scales, regret at equal budgets, and the order of work."""
    grid, drawn = (len(np.unique(data[f"{kind}_points"][:, 0])) for kind in ("grid", "random"))
    low = np.mean([np.log10(x) < -3 for x in data["random_points"][:, 0]])
    log = np.log10(data["regret"][..., -1])
    model, fine = log[1] - log[2], log[1] - log[0]
    gain = np.log(data["stages"][:, :1] / data["stages"][:, 1:])
    of = f"{BUDGET} trials each: log10 of the regret of random search over that of"
    return [
        *(claim for case in CASES for claim in box_claims(data, case)),
        exact(
            "grid_values", "64 trials on a grid of two parameters try so many values of the one that matters.", grid, 8
        ),
        exact("random_values", "64 random trials try so many.", drawn, 64),
        bounded(
            "low_decade", "Of random trials on a log scale, the share in the lowest of four decades.", low, (0.03, 0.55)
        ),
        mean("model", f"{of} the model's.", model, None, (0, None)),
        mean("coarse_to_fine", f"{of} the coarse and the fine grid.", fine, None, (0, None)),
        mean(
            "rate_matters",
            "Digits: the share of the variance of log loss that the learning rate explains alone, beside weight decay.",
            share_of_rate(data["held"]),
            None,
            (0.5, None),
        ),
        mean(
            "workflow", "Digits: log of the test loss with defaults over that at the end.", gain[:, -1], None, (0, None)
        ),
        mean(
            "rate_first",
            "Digits: the sweep of the learning rate alone brings more than half of it.",
            gain[:, 0] - gain[:, -1] / 2,
            None,
            (0, None),
        ),
    ]


def draw_points(ax: Axes, data: Data) -> None:
    """Grid and random points, and above them the values of lr that each has tried."""
    for kind, color, y in (("grid", plotting.VERMILLION, 1.09), ("random", plotting.BLUE, 1.2)):
        lr, other = data[f"{kind}_points"].T
        ax.plot(lr, other, "o", color=color, markersize=7)
        ax.plot(np.unique(lr), np.full(len(np.unique(lr)), y), "|", color=color, markersize=18, markeredgewidth=2)
        ax.text(1.3, y, f"{len(np.unique(lr))} values", color=color, va="center", fontsize=15)
    ax.set(xscale="log", xlim=(1e-4, 1), ylim=(0, 1.3), xlabel="learning rate (matters)", ylabel="other (does not)")
    ax.set_yticks([0, 0.5, 1])
    ax.set_title("64 trials: grid and random")


def draw_boxes(ax: Axes, data: Data) -> None:
    """Shares of hits, measured as bars and predicted as marks."""
    place = np.arange(len(CASES))
    for k, (method, color) in enumerate((("grid", plotting.VERMILLION), ("random", plotting.BLUE))):
        share = [data[f"hits_{case}"][k].mean() for case in CASES]
        ax.bar(place + 0.4 * k - 0.2, share, 0.38, color=color, label=method)
        theory = [predicted(case)[k] for case in CASES]
        ax.plot(place + 0.4 * k - 0.2, theory, "k_", markersize=22, markeredgewidth=3, label="theory" if k else None)
    ax.set_xticks(place, list(CASES))
    ax.set(
        xlabel="how many parameters matter",
        ylabel="share of targets hit",
        title="a small target, drawn anywhere",
        ylim=(0, 1.32),
        yticks=(0, 0.5, 1),
    )
    ax.legend(loc="upper right", ncols=3)


def draw_regret(ax: Axes, data: Data) -> None:
    """Medians of the regret against trials, and the middle half of the seeds."""
    trials = np.arange(1, BUDGET + 1)
    for method, curves, color in zip(
        METHODS, data["regret"], (plotting.VERMILLION, plotting.BLUE, plotting.GREEN), strict=True
    ):
        few, middle, many = np.quantile(curves, (0.25, 0.5, 0.75), axis=0)
        ax.plot(trials, middle, color=color, label=NAMES[method])
        ax.fill_between(trials, few, many, color=color, alpha=0.2, linewidth=0)
    ax.set(yscale="log", xlabel="trials", ylabel="regret", title="both matter: a model beats chance")
    ax.set_ylim(1e-4, 3)
    ax.legend(loc="upper right")


def draw_stages(ax: Axes, data: Data) -> None:
    """The test loss after each stage of the workflow."""
    place = np.arange(len(STAGES))
    ax.plot(place, data["stages"][:12].T, "-o", color=plotting.SKY, alpha=0.6, linewidth=1.5, markersize=5)
    ax.plot(place, np.median(data["stages"], axis=0), "-o", color=plotting.BLUE, linewidth=3.5)
    ax.set_xticks(place, STAGES)
    ax.set(yscale="log", xlabel="tuned so far", ylabel="test loss", title="digits: the learning rate first")
    ax.set_yticks([0.1, 0.2, 0.5, 1, 2], ["0.1", "0.2", "0.5", "1", "2"])
    ax.minorticks_off()


def plot(data: Data, p: Params) -> Figure:
    """Points and boxes above; regret and the workflow below."""
    sheet, ((left, right), (below, last)) = plotting.figure(2, 2)
    draw_points(left, data)
    draw_boxes(right, data)
    draw_regret(below, data)
    draw_stages(last, data)
    return sheet


experiment = Experiment(
    title="Random search beats a grid where few parameters matter; where all do, a model of what was seen beats chance",
    source="Additional Techniques; Training DNNs; Training 2; notebook: hyperparameter search",
    question="How are hyperparameters found with few trials?",
    params={"reps": 20_000, "searches": 60, "splits": 24, "steps": 400},
    quick={"reps": 6000, "searches": 24, "splits": 8, "steps": 200},
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
