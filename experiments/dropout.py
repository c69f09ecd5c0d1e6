"""Dropout: masks, two places for the scale, an average of thinned networks, the gap that it closes (A, B, C, N).

Each step of training keeps a hidden unit with probability 1 − p. For the network at test, which keeps all, to put out
what training put out on average, somebody must scale, by 1/(1 − p) in training or by 1 − p at test: the same function.
Two recipes as printed do not: A's draws v uniform from [0, 1), sets it to 0 where v < p and leaves the others as they
are instead of setting them to 1, so that the mean is (1 + p)/2 of what it should be; C's divides the weights by p at
test instead of multiplying them by 1 − p, and the mean in training is p (1 − p) of the output at test.

The test network is the average of all thinned networks, exactly so where the outputs are linear in what is dropped: one
hidden layer, whose average over M masks comes near as 1/√M. With more layers a small difference stays. The average over
M masks is measured in one call: the mean of |y − t| over M copies of one input, each with a mask of its own and t far
below all y.

What is said of the gap and of the test loss is said after a fixed number of steps: trained for much longer, the network
with dropout learns the noise as well, only later.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import optlab as ol
from optlab import ops, plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, bounded, exact, mean, median, slope
from optlab.nn import MLP
from optlab.ops.dropout import DROPOUT
from optlab.random import derive_seed, normal, uniform

P = 0.5
RATES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
RECIPES = {  # training's mean over the output at test
    "scaled in training, or at test": lambda p: 1 + 0 * p,
    "A as printed: v uniform": lambda p: (1 + p) / 2,
    "not scaled": lambda p: 1 - p,
    "C as printed: 1/p at test": lambda p: p * (1 - p),
}
BELOW = -64.0  # a target below all outputs
MASKS = tuple(4**k for k in range(6))
CHANCE = 0.455  # the median of the square of a normal number
HIDDEN = {"one hidden layer": (64,), "three": (64, 64, 64)}
INPUTS, CLASSES = 20, 2


def ratios(p: Params, seed: int) -> np.ndarray:
    """Training's mean over the output at test, (recipes, rates)."""
    h, found = np.maximum(normal((p.units,), derive_seed(seed, "h")), 0), np.empty((len(RECIPES), len(RATES)))
    for k, rate in enumerate(RATES):
        kept = ops.dropout_forward(h, rate, seed, step=k)
        v = uniform((p.units,), seed, stream=DROPOUT, step=k, dtype="float32").astype(np.float64)
        printed = h * np.where(v < rate, 0, v) / (1 - rate)
        plain = kept * (1 - rate)
        found[:, k] = [x.mean() / y for x, y in zip((kept, printed, plain, plain), _at_test(h, rate), strict=True)]
    return found


def _at_test(h: np.ndarray, rate: float) -> tuple[float, ...]:
    """What each recipe puts out at test."""
    return h.mean(), h.mean(), h.mean(), h.mean() / rate


def masks_differ(p: Params, seed: int) -> int:
    """How many elements of a mask are not 1/(1 − p) where the uniform draw reaches p, and 0 elsewhere."""
    found = ops.dropout_forward(np.ones(p.units), P, seed)
    v = uniform((p.units,), seed, stream=DROPOUT, dtype="float32")
    return int(np.sum(found != np.where(v >= P, 1 / (1 - P), 0)))


def two_places(p: Params, seed: int) -> float:
    """A network scaled in training and one at test: the largest gap of their outputs, masked and whole, in eps."""
    h, weight = normal((64, 50), derive_seed(seed, "h")), normal((10, 50), derive_seed(seed, "w"))
    rate = 0.3
    kept = ops.dropout_forward(h, rate, seed)
    theirs = weight / (1 - rate)  # the weights of the network that is scaled at test
    pairs = (
        (ops.linear_forward(kept, weight), ops.linear_forward(np.where(kept != 0, h, 0), theirs)),
        (ops.linear_forward(h, weight), ops.linear_forward(h, (1 - rate) * theirs)),
    )
    scale = np.abs(h) @ np.abs(theirs.T)
    return max(float(np.max(np.abs(a - b) / scale)) for a, b in pairs) / np.finfo(np.float64).eps


def averages(p: Params, seed: int, hidden: tuple[int, ...]) -> np.ndarray:
    """The average over M masks less the prediction, in units of the spread over masks, for each M."""
    mlp = MLP([INPUTS, *hidden, 1], "tanh", dropout=P, init="xavier_normal", dtype="float64")
    theta, x = mlp.init(derive_seed(seed, "theta")), normal((1, INPUTS), derive_seed(seed, "x"))
    found = []
    for step, count in enumerate(MASKS):
        copies, target = np.tile(x, (count, 1)), np.full((count, 1), BELOW)
        distance, square = (mlp.on(copies, target, loss).sample(seed, step).value(theta) for loss in ("l1", "mse"))
        found.append(distance + BELOW)
    spread = np.sqrt(square - distance**2)  # over the most masks: a single one has none
    return (np.array(found) - mlp.predict(theta, x)[0, 0]) / spread


def data_set(p: Params, seed: int, name: str, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Inputs, and the classes of a linear teacher, some of them wrong."""
    x = normal((rows, INPUTS), derive_seed(seed, name))
    teacher = normal((INPUTS,), derive_seed(seed, "teacher"))
    wrong = uniform((rows,), derive_seed(seed, name, "wrong")) < 0.1
    return x.astype(np.float32), ((x @ teacher > 0) ^ wrong).astype(np.int64)


def training(p: Params, seed: int, rate: float) -> np.ndarray:
    """Loss on the training and the test set, (2, records)."""
    mlp = MLP([INPUTS, p.width, p.width, CLASSES], dropout=rate)
    f, test = (mlp.on(*data_set(p, seed, name, rows)) for name, rows in (("train", p.train), ("test", p.test)))
    start = mlp.init(derive_seed(seed, "start"), runs=p.starts)
    path = ol.descend(
        f, ol.Adam(lr=3e-3), start, p.steps, record=p.every, record_x=False, probes={"test": test}, seed=seed
    )
    return np.array([path.value.mean(axis=1), path.probes["test"].mean(axis=1)])


def compute(p: Params, seed: int, progress: Progress) -> dict[str, np.ndarray]:
    """Every part, with seeds of its own."""
    parts = [derive_seed(seed, "masks", k) for k in range(p.seeds)]
    progress(0.0, "masks")
    found = {
        "ratios": np.array([ratios(p, each) for each in parts]),
        "differ": np.array(sum(masks_differ(p, each) for each in parts)),
        "places": np.array([two_places(p, each) for each in parts]),
    }
    progress(0.1, "averages of thinned networks")
    found["averages"] = np.array([[averages(p, each, hidden) for each in parts] for hidden in HIDDEN.values()])
    curves = []
    for k in range(p.sets):
        progress(0.3 + 0.7 * k / p.sets, f"data set {k}")
        curves.append([training(p, derive_seed(seed, "set", k), rate) for rate in (0.0, P)])
    return {**found, "curves": np.array(curves)}


def mask_claims(data: Data, p: Params) -> list[Claim]:
    """Masks and scales."""
    found = []
    names = ("scaled", "printed_mask", "unscaled", "printed_scale")
    for k, (name, (recipe, law)) in enumerate(zip(names, RECIPES.items(), strict=True)):
        said = f"p = 1/2, {recipe}: training's mean activation over the one at test."
        at = law(P)
        found.append(mean(name, said, data["ratios"][:, k, RATES.index(P)], at, (at - 0.02, at + 0.02)))
    mask = f"A mask is 1/(1 - p) where v >= p, else 0: elements of {p.seeds} masks of {p.units} that differ."
    same = "Weights W with masks over 1 - p, and W/(1 - p) times 1 - p at test, are one network: largest gap in eps."
    # Each output is a sum of 50 products, each of whose roundings is at most half an eps of the sum of their sizes.
    return [*found, exact("mask", mask, data["differ"], 0), bounded("places", same, data["places"].max(), (0, 54))]


def average_claims(data: Data, p: Params) -> list[Claim]:
    """The test network as an average."""
    one, three = data["averages"]
    law = "One hidden layer: the average over M masks nears the prediction as M to the power -1/2; the slope."
    unit = "One hidden layer: the mean square of that gap is the variance over M, M = 1 to {}: the mean ratio."
    size = (
        f"Three hidden layers: a small squared gap stays with {MASKS[-1]} masks, in variances over masks; its median."
    )
    squares = one**2 * np.array(MASKS)
    return [
        slope("average_slope", law, np.log(MASKS), np.log(np.abs(one)), -0.5, (-0.7, -0.3)),
        mean("average", unit.format(MASKS[-1]), squares.mean(axis=1), 1.0, (0.5, 1.5)),
        median("deep", size, three[:, -1] ** 2, None, (CHANCE / MASKS[-1], 0.1)),
    ]


def gap_claims(data: Data, p: Params) -> list[Claim]:
    """What is learned about the training set alone."""
    last = data["curves"][..., -1]
    gap = last[:, :, 1] - last[:, :, 0]
    drop = np.log10(last[:, 1] / last[:, 0])
    said = {
        "gap": "Dropout closes the gap between test and training loss: the gap that is left, without it 1.",
        "train": "It pays with training loss: log10 of the ratio.",
        "test": "And gains on the test set: log10 of the ratio.",
    }
    return [
        mean("gap", said["gap"], gap[:, 1] / gap[:, 0], None, (0, 0.8)),
        mean("train", said["train"], drop[:, 0], None, (0, None)),
        mean("test", said["test"], drop[:, 1], None, (None, 0)),
    ]


def claims(data: Data, p: Params) -> list[Claim]:
    """Masks, averages, generalization."""
    return [*mask_claims(data, p), *average_claims(data, p), *gap_claims(data, p)]


def draw_curves(ax: Axes, data: Data, p: Params) -> None:
    """Training and test loss, the mean over data sets."""
    steps = np.minimum(p.every * np.arange(data["curves"].shape[3]), p.steps)
    styles = ((plotting.VERMILLION, "without"), (plotting.BLUE, "dropout ½"))
    places = (((0.24, 0.02), (0.55, 0.06)), ((0.36, 0.04), (0.2, 0.04)))  # where along the steps, and how far above
    for curves, (color, name), spots in zip(data["curves"].mean(axis=0), styles, places, strict=True):
        for curve, kind, (along, above) in zip(curves, ("training", "test"), spots, strict=True):
            line = {"linestyle": "-", "linewidth": 3.5} if kind == "test" else {"linestyle": (0, (1.5, 1))}
            ax.plot(steps, curve, color=color, **line)
            ha, at = ("right" if name == "without" and kind == "test" else "left"), along * p.steps
            ax.text(at, np.interp(at, steps, curve) + above, f"{kind}, {name}", color=color, ha=ha)
    ax.set(xlabel="step", ylabel="loss", ylim=(0, None), title=f"{p.train} samples, one in ten mislabelled")


def draw_averages(ax: Axes, data: Data, p: Params) -> None:
    """The root mean square gap between the average of thinned networks and the prediction."""
    for gaps, name, color in zip(data["averages"], HIDDEN, (plotting.GREEN, plotting.PURPLE), strict=True):
        ax.plot(MASKS, np.sqrt(np.mean(gaps**2, axis=0)), "o", color=color, markersize=10, label=name)
    line = plotting.theory_line(ax, MASKS, 1 / np.sqrt(MASKS), "1/√M")
    ax.set(xscale="log", yscale="log", xlabel="thinned networks M in the average", ylabel="gap / spread")
    ax.set_title("their average nears the whole network")
    ax.legend(handles=[*ax.get_legend_handles_labels()[0][:2], line], loc="lower left")


def draw_ratios(ax: Axes, data: Data, p: Params) -> None:
    """What training puts out on average, in units of what the network puts out at test."""
    rates, fine = np.array(RATES), np.linspace(0.05, 0.85, 50)
    colors = (plotting.BLUE, plotting.VERMILLION, "#777777", plotting.ORANGE)
    places = ((0.06, 1.07), (0.46, 0.6), (0.06, 0.66), (0.4, 0.06))
    for found, (name, law), color, place in zip(
        data["ratios"].mean(axis=0), RECIPES.items(), colors, places, strict=True
    ):
        ax.plot(rates, found, "o", color=color, markersize=8)
        plotting.theory_line(ax, fine, law(fine)).set(linewidth=1.5)
        ax.text(*place, name, color=color, fontsize=14)
    ax.set(ylim=(0, 1.28), xlabel="probability p of dropping", ylabel="training / test", title="mean output")


def plot(data: Data, p: Params) -> Figure:
    """Curves at the left; averages and scales at the right."""
    sheet, ((left, right), (spare, below)) = plotting.figure(2, 2)
    left.set_subplotspec(left.get_gridspec()[:, 0])
    spare.remove()
    draw_curves(left, data, p)
    draw_averages(right, data, p)
    draw_ratios(below, data, p)
    return sheet


experiment = Experiment(
    title="Dropout trains many thinned networks at once; their average overfits less",
    source="Additional Techniques; Training DNNs; Training neural networks 2; the notebook: dropout",
    question="What does dropout keep, what is the network at test, and what does it do to overfitting?",
    params={
        "seeds": 200,
        "units": 20_000,
        "sets": 40,
        "starts": 2,
        "train": 100,
        "test": 1000,
        "width": 64,
        "steps": 200,
        "every": 5,
    },
    quick={"seeds": 60, "units": 4000, "sets": 16, "starts": 1, "test": 500, "every": 20},
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
