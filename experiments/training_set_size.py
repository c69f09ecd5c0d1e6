"""More data lower the test error, by a law where the model is right and by a rule of thumb where not (*Additional …*).

* Digits: softmax regression on growing parts of the same training set, each part holding the ones before, and one test
  set. A power law a n⁻ᵇ fits the test error well over two decades, but bends: the law of the first four sizes promises
  for the last one half of the error that is there. With labels that are shuffled, more data change nothing.
* Three normal clouds of one shape: there softmax regression is the right model, with k = (classes − 1)(inputs + 1) free
  numbers, and the expected test loss exceeds that of the true probabilities by k/2n, the training loss falls short of
  it by as much, up to O(1/n²) (Akaike 1974).
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import optlab as ol
from optlab import ops, plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, mean, slope
from optlab.nn import MLP
from optlab.random import derive_seed, permutation

Array = np.ndarray
SIZES = (20, 40, 80, 160, 320, 640, 1280)
TEST, FIRST = 500, 4
"""How many digits are held out, and how many sizes the extrapolation is made from."""
PIXELS = MLP([64, 10], init="zeros")
CLASSES, INPUTS, HELD = 3, 4, 3000
FREE = (CLASSES - 1) * (INPUTS + 1)
AMOUNTS = (100, 200, 400, 800)
CLOUDS = MLP([INPUTS, CLASSES], init="zeros", dtype="float64")


def digits(seed: int, shuffled: bool) -> Array:
    """Errors (sizes, 2) on the part that is learned and on the test set."""
    data = ol.data.digits()
    y = data.y[permutation((len(data),), derive_seed(seed, "labels"))] if shuffled else data.y
    (X, y), (test_X, test_y) = ol.data.split(data.X, y, (SIZES[-1], TEST), derive_seed(seed, "split"))
    found = []
    for n in SIZES:
        theta = ol.descend(PIXELS.on(X[:n], y[:n]), ol.Adam(lr=0.03), PIXELS.init(0), 200, record=[]).last[0]
        parts = ((X[:n], y[:n]), (test_X, test_y))
        found.append([np.mean(PIXELS.predict(theta, a).argmax(axis=1) != b) for a, b in parts])
    return np.array(found)


def clouds(seed: int) -> Array:
    """Losses (amounts, 2) on training and test data, above those of the true probabilities on the same data."""
    means = np.zeros((CLASSES, INPUTS))
    means[:, :CLASSES] = 1.5 * np.eye(CLASSES)
    options = {"means": means, "dtype": "float64"}
    test = ol.data.gaussian_mixture(HELD, seed=derive_seed(seed, "test"), **options)
    found = []
    for n in AMOUNTS:
        train = ol.data.gaussian_mixture(n, seed=derive_seed(seed, "train", n), **options)
        theta = ol.descend(CLOUDS.on(*train), ol.SGD(lr=1.0), CLOUDS.init(0), 150, record=[]).last[0]
        row = []
        for X, y in (train, test):
            true = ops.softmax_cross_entropy(X @ means.T - np.square(means).sum(axis=1) / 2, y, gradient=False)[0]
            row.append(float(CLOUDS.on(X, y).value(theta) - true))
        found.append(row)
    return np.array(found)


def compute(p: Params, seed: int, progress: Progress) -> dict[str, Array]:
    """Digits, their control, clouds."""
    seeds = [derive_seed(seed, "set", k) for k in range(p.sets)]
    found = {name: np.array([digits(each, name == "shuffled") for each in seeds]) for name in ("digits", "shuffled")}
    progress(0.5, "clouds")
    return {**found, "clouds": np.array([clouds(derive_seed(seed, "clouds", k)) for k in range(p.clouds)])}


def fitted(n: Array, error: Array) -> tuple[float, float]:
    """Log of a and −b of the power law through the errors."""
    b, a = np.polyfit(np.log(n), np.log(error), 1)
    return float(a), float(b)


def quality(error: Array) -> float:
    """The share of the variance of log error that its power law explains."""
    log = np.log(error)
    a, b = fitted(np.array(SIZES), error)
    return float(1 - np.var(log - a - b * np.log(SIZES)) / np.var(log))


def promise(error: Array) -> float:
    """Log of the last error over what the power law of the first sizes promises."""
    a, b = fitted(np.array(SIZES[:FIRST]), error[:FIRST])
    return float(np.log(error[-1]) - a - b * np.log(SIZES[-1]))


def claims(data: Data, p: Params) -> list[Claim]:
    """Digits, then clouds."""
    learned, test = data["digits"][..., 0], data["digits"][..., 1]
    chance, n = data["shuffled"][..., 1], np.array(AMOUNTS)
    train_loss, test_loss = np.moveaxis(data["clouds"] * n[:, None] / (FREE / 2), 2, 0)
    said = {
        "falls": "Digits: the test error falls with the training set; slope of its log over log n.",
        "fit": "A power law explains most of the fall; the mean share of variance of log error, R².",
        "promise": "But bends: the error at the last size over what the first four promise; the mean log.",
        "gap": "The gap of test and training error shrinks; the mean ratio, last size over first.",
        "control": "Shuffled labels: the test error stays at chance, 0.9, with the most data; the mean.",
        "no_slope": "And does not fall: the slope of its log over log n.",
        "excess": f"Clouds: the loss is k/2n above the truth's, k = {FREE}; n = {AMOUNTS[-1]}, the mean over k/2n.",
        "optimism": "On training data it is k/2n below; the mean over k/2n.",
        "law": "So the loss above the truth's falls as 1/n; slope of the log of its mean, by groups of five sets.",
    }
    asked = {name: (name, text) for name, text in said.items()}
    groups = data["clouds"][: len(data["clouds"]) // 5 * 5, :, 1].reshape(-1, 5, len(n)).mean(axis=1)
    gap = (test - learned)[:, [0, -1]]
    return [
        slope(*asked["falls"], np.log(SIZES), np.log(test), None, (None, -0.4)),
        mean(*asked["fit"], [quality(error) for error in test], None, (0.9, 1)),
        mean(*asked["promise"], [promise(error) for error in test], None, (0.05, None)),
        mean(*asked["gap"], gap[:, 1] / gap[:, 0], None, (None, 0.25)),
        mean(*asked["control"], chance[:, -1], 0.9, (0.87, 0.93)),
        slope(*asked["no_slope"], np.log(SIZES), np.log(chance), 0.0, (-0.02, 0.02)),
        mean(*asked["excess"], test_loss[:, -1], 1.0, (0.5, 1.6)),
        mean(*asked["optimism"], train_loss[:, -1], -1.0, (-1.5, -0.5)),
        slope(*asked["law"], np.log(AMOUNTS), np.log(groups), -1.0, (-1.45, -0.75)),
    ]


def draw_digits(ax: Axes, data: Data) -> None:
    """Errors against n, and the two power laws."""
    test, chance = data["digits"][..., 1].mean(axis=0), data["shuffled"][..., 1].mean(axis=0)
    spread = np.quantile(data["digits"][..., 1], (0.1, 0.9), axis=0)
    ax.fill_between(SIZES, *spread, color=plotting.BLUE, alpha=0.2, linewidth=0)
    (dots,) = ax.plot(SIZES, test, "o", color=plotting.BLUE, markersize=11, label="digits, test error; 80 % of splits")
    (control,) = ax.plot(SIZES, chance, "s", color=plotting.ORANGE, markersize=9, label="labels shuffled")
    a, b = fitted(np.array(SIZES), test)
    whole = plotting.theory_line(ax, SIZES, np.exp(a) * np.array(SIZES) ** b, f"fit: error ∝ n^({b:.2f})")
    a, b = fitted(np.array(SIZES[:FIRST]), test[:FIRST])
    (first,) = ax.plot(SIZES, np.exp(a) * np.array(SIZES) ** b, ":", color=plotting.VERMILLION)
    first.set_label(f"fit to the first four: n^({b:.2f})")
    ax.set(xscale="log", yscale="log", ylim=(0.0015, 1.2), xlabel="training samples n", ylabel="test error")
    ax.set_title("Digits: a rule of thumb, which bends")
    ax.legend(handles=[control, dots, whole, first], loc="lower left")


def draw_clouds(ax: Axes, data: Data) -> None:
    """What both losses differ from the truth's by."""
    n, (train, test) = np.array(AMOUNTS), data["clouds"].mean(axis=0).T
    ax.plot(n, test, "o", color=plotting.BLUE, markersize=11, label="test loss above the truth's")
    ax.plot(n, -train, "s", color=plotting.GREEN, markersize=9, label="training loss below it")
    line = plotting.theory_line(ax, n, FREE / 2 / n, "theory: k/2n")
    ax.set(xscale="log", yscale="log", ylim=(1.5e-3, 0.2), xlabel="training samples n", ylabel="difference of losses")
    ax.set_yticks([0.002, 0.005, 0.01, 0.02, 0.05, 0.1], ["0.002", "0.005", "0.01", "0.02", "0.05", "0.1"])
    ax.set_xticks(AMOUNTS, [str(each) for each in AMOUNTS])
    ax.minorticks_off()
    ax.set_title("Normal clouds: a law")
    ax.legend(handles=[*ax.get_legend_handles_labels()[0][:2], line], loc="upper right")


def plot(data: Data, p: Params) -> Figure:
    """Digits and clouds."""
    sheet, (left, right) = plotting.figure(1, 2)
    draw_digits(left, data)
    draw_clouds(right, data)
    return sheet


experiment = Experiment(
    title="The test error falls with the training set: as 1/n to the best there is, where the model is right",
    source="Additional Techniques: size of the training set",
    question="How does the test error depend on the number of training samples?",
    params={"sets": 40, "clouds": 400},
    quick={"sets": 16, "clouds": 70},
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
