"""Does the best learning rate of a narrow network serve a wide one (lecture *Training neural networks 2*)?

A network d-n-n-C without biases, ReLU, Kaiming's weights. Standard parametrization: one learning rate for all layers.
A step of Adam moves each weight by about lr, so the n weights of a hidden unit, which move in step, move what it puts
out by about n lr, and the best lr falls as 1/n. Gradients of hidden weights are 1/√n, so SGD moves it by √n lr.

μP (Yang, Hu et al., 2021): a readout whose variance falls as n₀/n², and a learning rate for each layer: of Adam lr for
the input, lr n₀/n for hidden weights and readout; of SGD lr n/n₀, lr and lr n₀/n. At the base width n₀ it is the
standard one. A step then moves a unit equally far at every width, which the coordinate check measures, and the best lr
stays.

The best lr of a run is the vertex of the parabola through five points of log loss against log₂ lr, the lowest of the
smoothed curve in the middle. Powers of the width are limits: at these widths they are a little less.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import optlab as ol
from optlab import plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, exact, mean, slope
from optlab.random import derive_seed

Array = np.ndarray
INPUTS, CLASSES, BATCH, FEW = 32, 10, 32, 64
KINDS = ("standard", "mup")
METHODS = {"Adam": (ol.Adam, (-12, -2)), "SGD": (ol.SGD, (-6, 2))}
"""Each method with the range of log₂ lr, in steps of 1."""
STEP = {"Adam": 2.0**-12, "SGD": 2.0**-6}
"""The learning rate of the coordinate check."""
POWER = {"Adam": 1.0, "SGD": 0.5}
"""The power of the width with which a step moves a hidden unit of the standard network."""
FALLS = {"Adam": -0.5, "SGD": 0.0}
"""The slope above which the best lr of the standard network is not said to fall. SGD's is weak at these widths."""
WORST = 100.0
"""Stands for the loss of a run that diverged."""


def network(kind: str, n: int, base: int) -> ol.nn.MLP:
    """The network of width n."""
    widths = [INPUTS, n, n, CLASSES]
    if kind == "standard":
        return ol.nn.MLP(widths, bias=False)
    return ol.nn.MLP(widths, bias=False, parametrization="mup", base_widths=[INPUTS, base, base, CLASSES])


def rates(method: str) -> Array:
    """The grid of log₂ lr."""
    return np.arange(*METHODS[method][1], dtype=float)


def losses(p: Params, seed: int, method: str, kind: str, n: int, samples: tuple[Array, Array]) -> Array:
    """The loss on all samples after training, (rates, seeds)."""
    mlp, grid = network(kind, n, p.widths[0]), rates(method)
    first = np.tile(mlp.init(derive_seed(seed, "init"), p.seeds), (len(grid), 1))
    opt = mlp.per_layer(METHODS[method][0](np.repeat(2.0**grid, p.seeds)))
    options = {"batch_size": BATCH, "seed": derive_seed(seed, "batches"), "record": [p.steps], "record_x": False}
    with np.errstate(over="ignore"):
        value = ol.descend(mlp.on(*samples), opt, first, p.steps, nonfinite="stop", **options).value[-1]
    return np.where(value < WORST, value, WORST).reshape(len(grid), p.seeds)


def changes(p: Params, seed: int, method: str, kind: str, samples: tuple[Array, Array]) -> Array:
    """How far small steps move units, (widths, layers, seeds).

    The inputs are made small, so that outputs begin near 0 and slopes of the loss are the same at every width.
    """
    nets = [network(kind, n, p.check[0]) for n in p.check]
    X, y = samples[0][:FEW] * np.float32(0.25), samples[1][:FEW]
    options = {"steps": 2, "runs": p.seeds, "seed": derive_seed(seed, "check")}
    return ol.nn.coordinate_check(nets, METHODS[method][0](STEP[method]), X, y, **options).change


def best(grid: Array, loss: Array) -> float:
    """The vertex of the parabola through the five points around the lowest of a smoothed curve."""
    curve = np.log(loss)
    smooth = np.convolve(np.pad(curve, 1, "edge"), np.ones(3) / 3, "valid")
    k = int(np.clip(np.argmin(smooth), 2, len(grid) - 3))
    bend, tilt, _ = np.polyfit(grid[k - 2 : k + 3] - grid[k], np.minimum(curve[k - 2 : k + 3], curve[k] + 3), 2)
    return float(grid[k] + np.clip(-tilt / (2 * bend), -2, 2)) if bend > 0 else float(grid[np.argmin(curve)])


def compute(p: Params, seed: int, progress: Progress) -> dict[str, Array]:
    """Losses (kinds, widths, rates, seeds) of each method, the best rates, and the coordinate checks."""
    samples = ol.data.gaussian_mixture(
        p.samples, classes=CLASSES, dim=INPUTS, separation=p.separation, seed=derive_seed(seed, "data")
    )
    found: dict[str, Array] = {}
    for m, method in enumerate(METHODS):
        table = []
        for k, kind in enumerate(KINDS):
            progress((2 * m + k) / 4, f"{method}, {kind}")
            table.append([losses(p, seed, method, kind, n, (samples.X, samples.y)) for n in p.widths])
            found[f"{method}_{kind}_change"] = changes(p, seed, method, kind, (samples.X, samples.y))
        found[f"{method}_loss"] = np.array(table)
        found[f"{method}_best"] = np.array(
            [[[best(rates(method), row) for row in loss.T] for loss in kind] for kind in found[f"{method}_loss"]]
        )
    return found


def method_claims(data: Data, p: Params, m: str) -> list[Claim]:
    """Where the best rate of one method goes with the width, and how far small steps move a unit."""
    x, low, ends = np.log2(p.widths), m.lower(), (p.widths[-1], p.widths[0])
    standard, mup = data[f"{m}_best"]
    faster = np.polyfit(x, standard, 1)[0] - np.polyfit(x, mup, 1)[0]
    stays = (
        f"{m}, muP: the best lr stays within a cell of the grid: log2 of it at width {ends[0]}, by that at {ends[1]}."
    )
    falls = f"{m}, standard: the best lr falls as the network widens: the slope of its log2 against log2 width."
    less = f"{m}: that slope less muP's, seed by seed."
    return [
        mean(f"{low}_stays", stays, mup[-1] - mup[0], 0.0, (-1, 1)),
        slope(f"{low}_falls", falls, x, standard.T, None, (None, FALLS[m])),
        mean(f"{low}_faster", less, faster, None, (None, 0)),
        *check_claims(data, p, m),
    ]


def check_claims(data: Data, p: Params, m: str) -> list[Claim]:
    """The coordinate check of one method."""
    said = "{}, {}: the power of the width by which small steps move a hidden unit."
    x, low, power = np.log2(p.check), m.lower(), POWER[m]
    change = {kind: np.log2(np.moveaxis(data[f"{m}_{kind}_change"], 0, -1)) for kind in KINDS}
    band = (0.35 * power, 1.25 * power)
    return [
        slope(f"{low}_hidden", said.format(m, "muP"), x, change["mup"][1], 0.0, (-0.25, 0.25)),
        slope(f"{low}_hidden_standard", said.format(m, "standard"), x, change["standard"][1], power, band),
    ]


def claims(data: Data, p: Params) -> list[Claim]:
    """Both methods; how far Adam's best rate goes; the base width."""
    standard, ends = data["Adam_best"][0], (p.widths[0], p.widths[-1])
    leaves = "Adam, standard: the best lr of width {} is more than a cell above that of width {}: log2 of their ratio."
    same = "At the base width muP is the standard parametrization, to the last bit: how many losses differ."
    differ = sum(np.sum(data[f"{m}_loss"][0, 0] != data[f"{m}_loss"][1, 0]) for m in METHODS)
    return [
        *(claim for m in METHODS for claim in method_claims(data, p, m)),
        mean("adam_leaves", leaves.format(*ends), standard[0] - standard[-1], None, (1, None)),
        exact("base", same, differ, 0),
    ]


def draw_sweep(ax: Axes, data: Data, p: Params, kind: int, title: str) -> None:
    """Adam's loss against lr, one curve for each width, its best rate marked."""
    grid = rates("Adam")
    for k, n in enumerate(p.widths):
        curve, color = np.median(data["Adam_loss"][kind, k], axis=1), plotting.COLORS[k]
        ax.plot(grid, curve, color=color, label=f"width {n}")
        at = np.median(data["Adam_best"][kind, k])
        ax.plot(at, np.exp(np.interp(at, grid, np.log(curve))), "o", color=color, markersize=13, markeredgecolor="k")
    ax.set(yscale="log", ylim=(0.1, 6), xlabel="log₂ learning rate (Adam)", ylabel="loss", title=title)
    ax.set_yticks([0.1, 0.3, 1, 3], ["0.1", "0.3", "1", "3"])
    ax.minorticks_off()


def draw_widths(ax: Axes, widths: tuple[int, ...], lines: dict[str, tuple[Array, str, str]]) -> None:
    """Medians over seeds against the width, on logarithmic axes."""
    for name, (values, color, style) in lines.items():
        ax.plot(widths, np.median(values, axis=-1), style, color=color, label=name)
    ax.set(xscale="log", xlabel="width n")
    ax.set_xticks(widths, [str(n) for n in widths])
    ax.minorticks_off()


def plot(data: Data, p: Params) -> Figure:
    """Adam's sweeps above; the best rates, and the coordinate check, below."""
    sheet, ((left, right), (below, check)) = plotting.figure(2, 2)
    draw_sweep(left, data, p, 0, "standard: the best rate moves")
    draw_sweep(right, data, p, 1, "μP: it stays")
    right.legend(loc="upper center", ncols=2, columnspacing=1.2)
    looks = {"standard": (plotting.VERMILLION, "o-", "s--"), "mup": (plotting.BLUE, "o-", "s--")}
    names = {"standard": "standard", "mup": "μP"}
    best_of, moved = {}, {}
    for k, (kind, (color, *styles)) in enumerate(looks.items()):
        for m, style in zip(METHODS, styles, strict=True):
            best_of[f"{m}, {names[kind]}"] = (data[f"{m}_best"][k], color, style)
            change = data[f"{m}_{kind}_change"][:, 1]
            moved[f"{m}, {names[kind]}"] = (change / np.median(change[0]), color, style)
    draw_widths(below, p.widths, best_of)
    n = np.array(p.widths, float)
    plotting.theory_line(below, n, np.median(data["Adam_best"][0, 0]) - np.log2(n / n[0]), "1/n")
    below.set(ylabel="log₂ best learning rate", ylim=(-10.5, 2.5), title="the best rate, by width")
    below.legend(loc="upper right", ncols=3, fontsize=14, columnspacing=1.0)
    draw_widths(check, p.check, moved)
    n = np.array(p.check, float)
    plotting.theory_line(check, n, n / n[0], "n")
    plotting.theory_line(check, n, np.sqrt(n / n[0]), "√n")
    check.set(yscale="log", ylabel="change / that at n₀", title="how far small steps move a hidden unit")
    check.set_yticks([1, 4, 16], ["1", "4", "16"])
    check.text(n[-1], n[-1] / n[0], " n", va="center")
    check.text(n[-1], np.sqrt(n[-1] / n[0]), " √n", va="center")
    check.minorticks_off()
    return sheet


experiment = Experiment(
    title="The best learning rate of a narrow network fails a wide one; under μP it stays the best",
    source="Training neural networks 2: hyperparameter transfer",
    question="Does the best learning rate of a narrow network serve a wide one?",
    params={
        "widths": (64, 128, 256, 512),
        "check": (64, 256, 1024),
        "seeds": 8,
        "steps": 100,
        "samples": 2048,
        "separation": 0.6,
    },
    quick={"widths": (32, 64, 128), "check": (32, 128, 512), "seeds": 10},
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
