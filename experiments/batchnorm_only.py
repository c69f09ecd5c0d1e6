"""Training only γ and β of batch normalization, all else as it was drawn (lecture on important techniques).

Frankle, Schwab and Morcos (2021) train the scales and shifts of a deep residual network on random features and find
far more than chance. Here: multilayer perceptrons on ten overlapping classes, whose weights, the output layer's too,
stay as drawn. Against them stand networks in which nothing, all, only the output layer, or as many weights as there are
γ and β, chosen at random, are trained; each with the same learning rates to choose from, on other data sets.

* γ and β alone learn far more than chance, more with every width, and more than as many random weights; in a narrow
  network the two are alike.
* The output layer alone learns more than γ and β where there are two layers, less where there are many.
* That a third of all γ becomes nearly 0 does not reproduce at this scale: hardly any does.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import optlab as ol
from optlab import plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, exact, mean
from optlab.random import derive_seed, normal, permutation

Array = np.ndarray
Shape = tuple[int, int]
INPUTS, CLASSES, TRAIN, TEST, BATCH = 32, 10, 800, 2000, 64
DEPTH, WIDTH = 2, 64
"""The depth of the networks whose width changes, and the width of those whose depth does."""
METHODS = {
    "all": plotting.BLACK,
    "γ and β": plotting.BLUE,
    "output layer": plotting.GREEN,
    "random weights": plotting.VERMILLION,
    "nothing": "#777777",
}
LRS = (0.03, 0.1, 0.3, 1.0, 3.0)
DEAD = 0.05
"""A γ below it counts as switched off."""


def samples(n: int, seed: int, step: int) -> tuple[Array, Array]:
    """Normal clouds around random centres, one a class."""
    classes = np.arange(n) % CLASSES
    rows = 0.55 * normal((CLASSES, INPUTS), seed)[classes] + normal((n, INPUTS), seed, step=step)
    return rows.astype(np.float32), classes


def network(shape: Shape) -> ol.nn.MLP:
    """So many hidden layers of such a width."""
    depth, width = shape
    return ol.nn.MLP([INPUTS, *[width] * depth, CLASSES], norm="batch")


def chosen(mlp: ol.nn.MLP, pattern: str) -> Array:
    """Which parameters belong to the segments with this in their name."""
    return np.concatenate([np.full(segment.size, pattern in segment.name) for segment in mlp.layout])


def trainable(mlp: ol.nn.MLP, method: str, seed: int) -> Array:
    """Which parameters a method trains."""
    norms = chosen(mlp, ".norm.")
    if method == "random weights":
        weights = np.flatnonzero(chosen(mlp, ".weight") & ~norms)
        found = np.zeros(mlp.dim, bool)
        found[weights[permutation(len(weights), seed)[: norms.sum()]]] = True
        return found
    last = f"layers.{len(mlp.widths) - 2}."
    return {"all": norms | True, "γ and β": norms, "output layer": chosen(mlp, last), "nothing": norms & False}[method]


def trained(p: Params, shape: Shape, method: str, lrs: Array, seed: int) -> tuple[Array, float, int]:
    """Test accuracies by rate, the share of dead γ with the first of them, and how many held parameters moved."""
    mlp, (x, y), (test_x, test_y) = network(shape), samples(TRAIN, seed, 1), samples(TEST, seed, 2)
    moves = trainable(mlp, method, derive_seed(seed, "chosen"))
    start = np.tile(mlp.init(derive_seed(seed, "start")), (len(lrs), 1))
    optimizer, options = ol.SGD(lr=lrs, momentum=0.9), {"batch_size": BATCH, "seed": seed, "record": []}
    last = ol.descend(mlp.on(x, y), optimizer, start, p.steps, trainable=moves, **options).last
    logits = [mlp.predict(theta, test_x, mlp.statistics(theta, x)) for theta in last]
    gamma = last[0][chosen(mlp, "norm.weight")]
    moved = np.sum(last[:, ~moves] != start[:, ~moves])
    return np.array([np.mean(z.argmax(axis=1) == test_y) for z in logits]), np.mean(np.abs(gamma) < DEAD), moved


def shapes(p: Params) -> list[Shape]:
    """All networks: those that get wider, then those that get deeper."""
    return [*((DEPTH, width) for width in p.widths), *((depth, WIDTH) for depth in p.depths)]


def compute(p: Params, seed: int, progress: Progress) -> dict[str, Array]:
    """The rate of each method in each network, then its accuracy on other data sets."""
    places = [(i, j) for i in range(len(shapes(p))) for j in range(len(METHODS))]
    size = (len(shapes(p)), len(METHODS))
    found, tuned = np.empty((*size, p.sets)), np.empty(size, int)
    dead, moved = np.empty((len(shapes(p)), p.sets)), 0
    for k, (i, j) in enumerate(places):
        shape, method = shapes(p)[i], list(METHODS)[j]
        progress(k / len(places), f"{shape[0]} layers of {shape[1]}, {method}")
        tuning = [trained(p, shape, method, np.array(LRS), derive_seed(seed, "tuning", n))[0] for n in range(p.tuning)]
        tuned[i, j] = np.argmax(np.mean(tuning, axis=0))
        for n in range(p.sets):
            rate = np.array(LRS[tuned[i, j] : tuned[i, j] + 1])
            accuracy, share, away = trained(p, shape, method, rate, derive_seed(seed, "shown", n))
            found[i, j, n], moved = accuracy[0], moved + away
            if method == "γ and β":
                dead[i, n] = share
    return {"accuracy": found, "tuned": tuned, "dead": dead, "moved": np.array(moved)}


def claims(data: Data, p: Params) -> list[Claim]:
    """What γ and β learn, against the others."""
    narrow, wide, deep = 0, len(p.widths) - 1, len(data["accuracy"]) - 1
    norms, output, random, nothing = data["accuracy"].swapaxes(0, 1)[1:]
    at_narrow, at_wide = (f"{DEPTH} layers of {width}" for width in (p.widths[0], p.widths[-1]))
    at_deep = f"{p.depths[-1]} layers of {WIDTH}"
    said = {
        "chance": f"{at_wide}, nothing trained: test accuracy at chance, a tenth; mean.",
        "far": f"{at_wide}: γ and β alone, over nothing trained; mean gain of accuracy.",
        "wider": f"γ and β alone: {at_wide} over {at_narrow}; mean gain.",
        "random": f"{at_wide}: γ and β over as many random weights; mean gain.",
        "narrow": f"{at_narrow}: γ and β are like as many random weights; mean gain.",
        "shallow": f"{at_narrow}: the output layer alone over γ and β; mean gain.",
        "deep": f"{at_deep}: γ and β over the output layer alone; mean gain.",
        "dead": f"{at_wide}: |γ| < {DEAD} in hardly a unit, where the source has a third; mean share.",
    }
    return [
        mean("chance", said["chance"], nothing[wide], 0.1, (0.02, 0.18)),
        mean("far", said["far"], norms[wide] - nothing[wide], None, (0.3, None)),
        mean("wider", said["wider"], norms[wide] - norms[narrow], None, (0.1, None)),
        mean("random", said["random"], norms[wide] - random[wide], None, (0.01, None)),
        mean("narrow", said["narrow"], norms[narrow] - random[narrow], None, (-0.15, 0.15)),
        mean("shallow", said["shallow"], output[narrow] - norms[narrow], None, (0.01, None)),
        mean("deep", said["deep"], norms[deep] - output[deep], None, (0.01, None)),
        mean("dead", said["dead"], data["dead"][wide], None, (None, 0.2)),
        exact("held", "What is not trained does not move: how many numbers do.", data["moved"], 0),
    ]


def draw(ax: Axes, places: tuple[int, ...], accuracy: Array, label: str, title: str) -> None:
    """Test accuracy of every method by width or depth, the standard error as a band."""
    for values, (method, color), mark in zip(accuracy.swapaxes(0, 1), METHODS.items(), "Dos^x", strict=True):
        middle, error = values.mean(axis=1), values.std(axis=1, ddof=1) / np.sqrt(values.shape[1])
        ax.fill_between(places, 100 * (middle - error), 100 * (middle + error), color=color, alpha=0.2, linewidth=0)
        ax.plot(places, 100 * middle, mark + "-", color=color, label=method, markersize=9)
    ax.axhline(100 / CLASSES, color=plotting.BLACK, linestyle=":", linewidth=1.6)
    ax.set(xscale="log", ylim=(0, 90), xlabel=label, ylabel="test accuracy [%]", title=title)
    ax.set_xticks(places, [str(place) for place in places])
    ax.minorticks_off()


def plot(data: Data, p: Params) -> Figure:
    """By width at the left, by depth at the right."""
    sheet, (left, right) = plotting.figure(1, 2, sharey=True)
    count, narrow = len(p.widths), p.widths.index(WIDTH) if WIDTH in p.widths else None
    draw(left, p.widths, data["accuracy"][:count], f"width of {DEPTH} hidden layers", "Wider: γ and β learn ever more")
    deeper, depths = data["accuracy"][count:], tuple(p.depths)
    if narrow is not None:
        deeper, depths = np.concatenate([data["accuracy"][narrow : narrow + 1], deeper]), (DEPTH, *depths)
    draw(right, depths, deeper, f"hidden layers of width {WIDTH}", "Deeper: more than the output layer")
    right.set(ylabel="")
    left.text(p.widths[0], 11.5, "chance")
    left.legend(loc="lower right", bbox_to_anchor=(1.0, 0.12))
    return sheet


experiment = Experiment(
    title="Scales and shifts of batch normalization, trained alone, learn from random features",
    source="Important Techniques: batch normalization on random features",
    question="How much can a network learn whose weights stay as they were drawn?",
    params={"widths": (32, 64, 128, 256), "depths": (4, 8), "tuning": 2, "sets": 12, "steps": 200},
    quick={"widths": (32, 128), "depths": (6,), "tuning": 1, "sets": 7, "steps": 100},
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
