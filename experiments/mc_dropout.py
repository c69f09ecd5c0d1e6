"""Dropout left on at test time: the spread over masks as a measure of doubt (the notebook; Gal and Ghahramani, 2016).

Repeated passes with dropout give different predictions. Their spread is larger far from the data than on it, and that
is what the notebook shows. What it measures can be said exactly where the dropped units feed a linear output: over
masks the variance is p/(1 − p) Σ w_j² h_j(x)², with the weights w and the units h of the whole network. So

* with ReLU it grows as |x| far away, trained or not: an untrained network has the same doubt pattern;
* in a gap between two clusters of data, where |x| is small, it is smaller than on them;
* it does not shrink as data are added, where the spread of a posterior would fall as 1/√n.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import optlab as ol
from optlab import plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, mean, slope
from optlab.random import derive_seed, normal, uniform

Array = np.ndarray
RATE, UNITS, STEPS = 0.2, 64, 1000
COUNTS = (16, 64, 256)
"""Samples of a data set."""
SHOWN = 1
"""Which of COUNTS the other measurements use."""
GRID = np.linspace(-4.0, 4.0, 33)
FAR = 2.0 ** np.arange(4, 9)
ON_DATA, IN_GAP, AWAY = np.abs(np.abs(GRID) - 1) < 0.3, GRID == 0, np.abs(GRID) == 4


def samples(n: int, seed: int) -> tuple[Array, Array]:
    """Two clusters, uniform on [−1.5, −0.5) and [0.5, 1.5), and sin 2x with noise."""
    x = (0.5 + uniform((n,), seed)) * (-1.0) ** np.arange(n)
    return x[:, None], np.sin(2 * x) + 0.1 * normal((n,), seed, step=1)


def trained(n: int, seed: int) -> tuple[ol.nn.MLP, Array, Array]:
    """A network with dropout, its parameters before and after training on n samples."""
    mlp = ol.nn.MLP([1, UNITS, 1], dropout=RATE, dtype="float64")
    start = mlp.init(derive_seed(seed, "start"))
    f = mlp.on(*samples(n, derive_seed(seed, "data")), "mse", weight_decay=1e-4)
    return mlp, start, ol.descend(f, ol.Adam(lr=1e-2), start, STEPS, seed=seed, record=[]).last[0]


def passes(mlp: ol.nn.MLP, theta: Array, x: Array, masks: int, seed: int) -> Array:
    """Predictions with dropout, (points, masks): a row of the data for each, with a mask of its own."""
    rows = np.repeat(x, masks)[:, None]
    return mlp.on(rows, np.zeros(len(rows)), "mse").sample(seed, 0).outputs(theta).reshape(len(x), masks)


def law(mlp: ol.nn.MLP, theta: Array, x: Array) -> Array:
    """The standard deviation over masks, exact."""
    units = mlp.on(x[:, None], np.zeros(len(x)), "mse").outputs(theta, 0)
    return np.sqrt(RATE / (1 - RATE) * units**2 @ mlp.views(theta)["layers.1.weight"][0] ** 2)


def measured(p: Params, seed: int) -> dict[str, Array]:
    """Spreads over masks on GRID and FAR, before and after training, and by the number of samples."""
    draws = derive_seed(seed, "masks")
    networks = [trained(n, seed) for n in COUNTS]
    mlp, start, theta = networks[SHOWN]
    drawn = passes(mlp, theta, GRID, p.masks, draws)
    return {
        "mean": drawn.mean(axis=1),
        "spread": drawn.std(axis=1, ddof=1),
        "law": law(mlp, theta, GRID),
        "untrained": passes(mlp, start, GRID, p.masks, draws).std(axis=1, ddof=1),
        "far": passes(mlp, theta, FAR, p.masks, draws + 1).std(axis=1, ddof=1),
        "by_count": np.array(
            [passes(*each[::2], GRID[ON_DATA], p.masks, draws).std(axis=1).mean() for each in networks]
        ),
    }


def compute(p: Params, seed: int, progress: Progress) -> dict[str, Array]:
    """One data set after the other."""
    found = []
    for k in range(p.sets):
        progress(k / p.sets, f"data set {k}")
        found.append(measured(p, derive_seed(seed, "set", k)))
    x, y = samples(COUNTS[SHOWN], derive_seed(derive_seed(seed, "set", 0), "data"))
    return {**{name: np.array([each[name] for each in found]) for name in found[0]}, "x": x[:, 0], "y": y}


def claims(data: Data, p: Params) -> list[Claim]:
    """The law, and what the spread knows of the data."""
    on, gap, away = (np.log2(data["spread"][:, where].mean(axis=1)) for where in (ON_DATA, IN_GAP, AWAY))
    before_on, before_away = (np.log2(data["untrained"][:, where]).mean(axis=1) for where in (ON_DATA, AWAY))
    ratio = (data["spread"] ** 2).mean(axis=1) / (data["law"] ** 2).mean(axis=1)
    said = {
        "law": "The variance over masks is p/(1 − p) Σ w² h²: measured over predicted, mean.",
        "off": "At |x| = 4, off the data, the spread is larger than on them; mean log2 of the ratio.",
        "gap": "Between the clusters it is smaller than on them; mean log2 of the ratio.",
        "untrained": "Before training, too, it is larger at |x| = 4 than at 1; mean log2 of the ratio.",
        "far": f"From |x| = {FAR[0]:g} to {FAR[-1]:g} it grows as |x|: the slope in log-log.",
        "count": f"On the data it does not fall with n = {COUNTS[0]} to {COUNTS[-1]} as 1/√n: the slope in log-log.",
    }
    return [
        mean("law", said["law"], ratio, 1.0, (0.95, 1.05)),
        mean("off", said["off"], away - on, None, (1.0, None)),
        mean("gap", said["gap"], gap - on, None, (None, 0.0)),
        mean("untrained", said["untrained"], before_away - before_on, None, (1.0, None)),
        slope("far", said["far"], np.log(FAR), np.log(data["far"]), 1.0, (0.92, 1.08)),
        slope("count", said["count"], np.log(COUNTS), np.log(data["by_count"]), 0.0, (-0.2, 0.2)),
    ]


def shade(ax: Axes) -> None:
    """Where the data are."""
    for left in (-1.5, 0.5):
        ax.axvspan(left, left + 1, color=plotting.YELLOW, alpha=0.25, linewidth=0)


def draw_band(ax: Axes, data: Data) -> None:
    """One data set, the mean over masks and two spreads around it."""
    middle, spread = data["mean"][0], data["spread"][0]
    shade(ax)
    ax.fill_between(
        GRID,
        middle - 2 * spread,
        middle + 2 * spread,
        color=plotting.SKY,
        alpha=0.5,
        linewidth=0,
        label="± 2 spreads over masks",
    )
    ax.plot(GRID, middle, color=plotting.BLUE, label="mean over masks")
    ax.plot(data["x"], data["y"], ".", color=plotting.BLACK, markersize=9, label=f"{len(data['x'])} samples")
    ax.set(xlabel="input x", ylabel="prediction", title="Doubt grows away from the data …")
    ax.legend(loc="upper center")
    ax.set_ylim(top=ax.get_ylim()[1] * 1.5)


def draw_spread(ax: Axes, data: Data) -> None:
    """The spread by input, trained and untrained, with the law."""
    shade(ax)
    ax.plot(GRID, np.where(IN_GAP, np.nan, data["untrained"].mean(axis=0)), ":", color="#777777", label="untrained")
    ax.plot(GRID, data["spread"].mean(axis=0), "o", color=plotting.BLUE, label="trained")
    line = plotting.theory_line(ax, GRID, data["law"].mean(axis=0), "theory: √(p/(1 − p) Σ w²h²)")
    ax.set(yscale="log", ylim=(0.03, 60), xlabel="input x", ylabel="spread", title="… but not in the gap")
    ax.legend(handles=[*ax.get_legend_handles_labels()[0][:2], line], loc="upper center", ncols=2, fontsize=13)


def draw_counts(ax: Axes, data: Data) -> None:
    """The spread on the data by their number."""
    middle = np.exp(np.log(data["by_count"]).mean(axis=0))
    ax.plot(COUNTS, middle, "o-", color=plotting.BLUE, markersize=10)
    plotting.theory_line(ax, COUNTS, middle[0] * np.sqrt(COUNTS[0] / np.array(COUNTS)))
    ax.text(COUNTS[-1], 0.6 * middle[-1], "over masks", color=plotting.BLUE, ha="right")
    ax.text(COUNTS[0], 0.35 * middle[0], "a posterior: 1/√n")
    ax.set(
        xscale="log",
        yscale="log",
        ylim=(0.15 * middle[0], 2 * middle[0]),
        xlabel="samples n",
        ylabel="spread on the data",
    )
    ax.set_xticks(COUNTS, [str(n) for n in COUNTS])
    ax.minorticks_off()
    ax.set_title("More data do not reduce it")


def plot(data: Data, p: Params) -> Figure:
    """Predictions at the left; the spread by input and by data at the right."""
    sheet, ((left, above), (spare, below)) = plotting.figure(2, 2)
    left.set_subplotspec(left.get_gridspec()[:, 0])
    spare.remove()
    draw_band(left, data)
    draw_spread(above, data)
    draw_counts(below, data)
    return sheet


experiment = Experiment(
    title="Dropout left on at test spreads most off the data; yet it knows the size of the units, not the data",
    source="The notebook: Monte Carlo dropout",
    question="Does the spread of predictions over dropout masks say where a network has seen no data?",
    params={"sets": 60, "masks": 400},
    quick={"sets": 16, "masks": 200},
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
