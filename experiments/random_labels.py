"""Gradient descent fits labels without any meaning as it fits true ones (lecture I; Zhang et al. 2017).

One network, one step size and no regularization learn `optlab.data.random_labels`: 30 clouds of ten classes, with true
labels, with a share p of the labels drawn anew, and with inputs that were spoilt. Every set is fitted without an error,
so the training error says nothing about the test error.

* Who repeats the label of the nearest neighbour is right with probability (1 − p) q + p/10, where q is how often with
  true labels; hardly more than the 1 − 0.9 p of labels that are true. The network fits every wrong label, and is still
  right a little more often than that on new samples: it weighs several neighbours. The prototype expected test accuracy
  between guessing and 1 − 0.9 p; its own numbers, and these, are above.
* Random labels take longer, but not by much. Noise in the inputs does not: normal inputs are far from each other and
  are fitted sooner than random labels. The order of the features means nothing to such a network.
* Memory has a size. Training accuracy a on n random labels of ten classes stores
  n (log₂ 10 − H(a) − (1 − a) log₂ 9) bits. A single unit stores at most 2 bits a weight (Cover 1965); no network here
  stores more, and so none with fewer than log₂(10)/2 = 1.66 parameters a sample fits. From 4 on all do.
"""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import optlab as ol
from optlab import plotting
from optlab.data import random_labels
from optlab.experiment import Claim, Data, Experiment, Params, Progress, bounded, exact, fraction, mean
from optlab.nn import MLP
from optlab.random import derive_seed

CLASSES, FEATURES = 10, 32
INPUTS = ("shuffled", "gaussian")
EVERY, PATIENCE = 10, 6000
"""Steps from one look at the training set to the next, and after which a set counts as not fitted."""

SGD = ol.SGD(lr=0.05, momentum=0.9)
BATCH = 100
COVER = math.log2(CLASSES) / 2
"""Parameters a sample that random labels take at 2 bits each."""

ENOUGH = 4.0


def accuracy(mlp: MLP, theta: np.ndarray, X: np.ndarray, y: np.ndarray) -> float:
    """The share of samples whose largest output is that of their label."""
    return float(np.mean(mlp.predict(theta, X).argmax(axis=1) == y))


def fit(mlp: MLP, X: np.ndarray, y: np.ndarray, seed: int) -> tuple[np.ndarray, list[float]]:
    """The weights of the first look without a training error, and the training accuracy at every look up to then."""
    f, path, seen = mlp.on(X, y), None, []
    for first in range(0, PATIENCE, 10 * EVERY):
        x, state = (mlp.init(derive_seed(seed, "start")), None) if path is None else (path.last, path.state)
        options = {"batch_size": BATCH, "sampling": "shuffle", "seed": seed, "first_step": first, "state": state}
        path = ol.descend(f, SGD, x, 10 * EVERY, record=EVERY, **options)
        for theta in path.x[first > 0 :, 0]:  # what follows the first time begins with the last look
            seen.append(accuracy(mlp, theta, X, y))
            if seen[-1] == 1.0:
                return theta, seen
    return path.last[0], seen


def neighbour(X: np.ndarray, y: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The label of the nearest sample of each point."""
    squares = np.square(X).sum(axis=1) - 2 * points @ X.T
    return np.asarray(y[squares.argmin(axis=1)])


def one_set(p: Params, seed: int) -> dict[str, np.ndarray]:
    """All conditions on one set of samples: looks until fitted, curves, and what is right on new samples."""
    mlp, n = MLP([FEATURES, p.width, CLASSES]), p.samples
    truth = random_labels(n + p.test, 0.0, seed).y[n:]
    curves, tests, repeats = np.ones((len(p.shares) + len(INPUTS), PATIENCE // EVERY + 1), np.float32), [], []
    looks = np.full(len(curves), np.nan)
    for k, case in enumerate([*((share, "true") for share in p.shares), *((0.0, name) for name in INPUTS)]):
        X, y = random_labels(n + p.test, case[0], seed, inputs=case[1])
        theta, seen = fit(mlp, X[:n], y[:n], derive_seed(seed, "batches"))
        curves[k, : len(seen)] = seen
        looks[k] = len(seen) - 1 if seen[-1] == 1.0 else np.nan
        tests.append((accuracy(mlp, theta, X[n:], truth), accuracy(mlp, theta, X[n:], y[n:])))
        repeats.append(np.mean(neighbour(X[:n], y[:n], X[n:]) == truth))
    return {"curves": curves[:, : p.shown], "steps": EVERY * looks, "tests": np.array(tests), "repeats": repeats}


def memory(p: Params, seed: int) -> np.ndarray:
    """Training accuracy on random labels for each width."""
    X, y = random_labels(p.samples, 1.0, derive_seed(seed, "memory"))
    found = []
    for width in p.widths:
        mlp = MLP([FEATURES, width, CLASSES])
        path = ol.descend(
            mlp.on(X, y), SGD, mlp.init(seed), p.long, batch_size=BATCH, sampling="shuffle", seed=seed, record=[]
        )
        found.append(accuracy(mlp, path.last[0], X, y))
    return np.array(found)


def compute(p: Params, seed: int, progress: Progress) -> dict[str, np.ndarray]:
    """The same for every seed."""
    found = []
    for k in range(p.seeds):
        progress(k / p.seeds, f"set {k}")
        own = derive_seed(seed, "set", k)
        with ol.threads(1):  # a step is too short to share
            found.append(one_set(p, own) | ({"memory": memory(p, own)} if k < p.memories else {}))
    return {name: np.array([each[name] for each in found if name in each]) for name in found[0]}


def parameters(p: Params) -> np.ndarray:
    """Of each width, by sample."""
    return np.array([MLP([FEATURES, width, CLASSES]).dim for width in p.widths]) / p.samples


def bits(share: np.ndarray, samples: int) -> np.ndarray:
    """What knowing the labels with that accuracy is worth; guessing is worth nothing."""
    a = np.clip(share, 1 / CLASSES, 1 - 1e-12)
    unsure = -a * np.log2(a) - (1 - a) * np.log2(1 - a) + (1 - a) * np.log2(CLASSES - 1)
    return samples * (math.log2(CLASSES) - unsure)


def claims(data: Data, p: Params) -> list[Claim]:
    """Fit, test, time, memory."""
    return [*fit_claims(data, p), *test_claims(data, p), *memory_claims(data, p)]


def fit_claims(data: Data, p: Params) -> list[Claim]:
    """Everything is fitted; how long it takes."""
    steps, n = data["steps"], len(p.shares)
    true, chance, normal = (steps[:, k] for k in (0, n - 1, n + 1))
    said = {
        "fitted": f"Every set is fitted without an error, whatever its labels: how many of {steps.size} are not.",
        "longer": "Random labels take more than twice the steps of true ones: the mean log2 of the ratio.",
        "inputs": "Normal inputs are fitted sooner than random labels: the mean log2 of the ratio of steps.",
        "order": "The order of the features means nothing: test accuracy with and without it, the mean difference.",
    }
    gap = data["tests"][:, n, 0] - data["tests"][:, 0, 0]
    return [
        exact("fitted", said["fitted"], np.isnan(steps).sum(), 0),
        mean("longer", said["longer"], np.log2(chance / true), None, (1.0, None)),
        mean("inputs", said["inputs"], np.log2(normal / chance), None, (None, 0.0)),
        mean("order", said["order"], gap, 0.0, (-0.02, 0.02)),
    ]


def test_claims(data: Data, p: Params) -> list[Claim]:
    """What is right on new samples."""
    shares, n = np.array(p.shares), len(p.shares)
    right, same, repeated = data["tests"][:, :n, 0], data["tests"][:, n - 1, 1], data["repeats"][:, :n]
    law = repeated[:, :1] * (1 - shares) + 0.1 * shares
    said = {
        "structure": "With true labels the network knows new samples, too: test accuracy.",
        "chance": "With random labels it is guessing: the share of new samples of the same kind that is right.",
        "falls": "Every share of random labels more lowers test accuracy: the mean of the least fall.",
        "neighbour": "Repeating the nearest neighbour's label is right with chance (1 - p) q + p/10: the mean gap.",
        "vote": "The network, without a training error, is right more often than that: the mean gain over 0 < p < 1.",
    }
    return [
        mean("structure", said["structure"], right[:, 0], None, (0.85, 1.0)),
        fraction("chance", said["chance"], round(same.sum() * p.test), p.test * len(same), 0.1, (0.08, 0.12)),
        mean("falls", said["falls"], -np.diff(right, axis=1).max(axis=1), None, (0.0, None)),
        mean("neighbour", said["neighbour"], (repeated - law)[:, 1:].mean(axis=1), 0.0, (-0.05, 0.05)),
        mean("vote", said["vote"], (right - repeated)[:, 1:-1].mean(axis=1), None, (0.0, None)),
    ]


def memory_claims(data: Data, p: Params) -> list[Claim]:
    """How much a network of each size keeps."""
    size, fitted = parameters(p), data["memory"] == 1.0
    most = (bits(data["memory"], p.samples) / (size * p.samples)).max()
    small, large = fitted[:, size < COVER], fitted[:, size > ENOUGH]
    said = {
        "bits": f"No network stores more than 2 bits a parameter: the most of {fitted.size}.",
        "small": f"With fewer than {COVER:.2f} parameters a sample none fits them: how many of {small.size} do.",
        "large": f"With more than {ENOUGH:g} all do: how many of {large.size} do not.",
    }
    return [
        bounded("bits", said["bits"], most, (0.5, 2.0)),
        exact("small", said["small"], small.sum(), 0),
        exact("large", said["large"], large.size - large.sum(), 0),
    ]


def draw_curves(ax: Axes, data: Data, p: Params) -> None:
    """The median training error of four conditions."""
    n = len(p.shares)
    steps = EVERY * np.arange(data["curves"].shape[2])
    named = {0: "true labels", n - 1: "random labels", n + 1: "normal inputs", n: "shuffled features"}
    for (k, text), color in zip(named.items(), plotting.COLORS, strict=False):
        style = "--" if k == n else "-"
        ax.plot(steps, 100 * (1 - np.median(data["curves"][:, k], axis=0)), style, color=color, label=text)
    ax.set(xlabel="step of SGD", ylabel="training error in %", xlim=(0, steps[-1]), ylim=(0, 100))
    ax.set_title("Every set is fitted to the last label")
    ax.legend(loc="upper right")


def draw_tests(ax: Axes, data: Data, p: Params) -> None:
    """What is right on new samples, against the share of random labels."""
    shares, n = np.array(p.shares), len(p.shares)
    for rows, marker, k in ((data["repeats"][:, :n], "s", 3), (data["tests"][:, :n, 0], "o", 0)):
        ax.plot(shares, 100 * rows.mean(axis=0), marker, color=plotting.COLORS[k], markersize=10)
    plotting.theory_line(ax, shares, 100 * (1 - 0.9 * shares))
    ax.axhline(10, color=plotting.BLACK, linewidth=1.4, linestyle=":")
    ax.text(0.22, 89, "network", color=plotting.COLORS[0])
    ax.text(0.0, 38, "nearest neighbour", color=plotting.COLORS[3])
    ax.text(0.5, 61, "theory: 1 − 0.9 p")
    ax.text(0.0, 12, "guessing")
    ax.set(xlabel="share p of labels drawn anew", ylabel="test accuracy in %", ylim=(0, 105), xlim=(-0.05, 1.05))
    ax.set_title("It knows a little better than its labels")


def draw_memory(ax: Axes, data: Data, p: Params) -> None:
    """Training accuracy on random labels against the size of the network."""
    size = parameters(p)
    ax.plot(size, 100 * data["memory"].T, "o", color=plotting.COLORS[1], alpha=0.35, markersize=7)
    ax.plot(size, 100 * data["memory"].mean(axis=0), color=plotting.COLORS[1])
    share = np.linspace(1 / CLASSES, 1 - 1e-6, 300)
    line = plotting.theory_line(ax, bits(share, 1) / 2, 100 * share, "theory: 2 bits a parameter")
    ax.set(xscale="log", xlim=(0.08, 30), ylim=(0, 105), xlabel="parameters a sample")
    ax.set_xticks([0.1, 1, 10], ["0.1", "1", "10"])
    ax.set(ylabel="training accuracy in %")
    ax.set_title("Random labels take memory")
    ax.legend(handles=[line], loc="lower right")


def plot(data: Data, p: Params) -> Figure:
    """Training at the left; tests and memory at the right."""
    sheet, ((left, above), (spare, below)) = plotting.figure(2, 2)
    left.set_subplotspec(left.get_gridspec()[:, 0])
    spare.remove()
    draw_curves(left, data, p)
    draw_tests(above, data, p)
    draw_memory(below, data, p)
    return sheet


experiment = Experiment(
    title="Gradient descent fits random labels as it fits true ones: no training error says what a network knows",
    source="Important Techniques in Neural Network Training: generalization; Zhang et al. 2017",
    question="Can a network that generalizes also fit labels without meaning, and what does that cost?",
    params={
        "samples": 400,
        "test": 1000,
        "width": 128,
        "shares": (0.0, 0.2, 0.4, 0.6, 0.8, 1.0),
        "seeds": 24,
        "shown": 60,
        "widths": (1, 2, 4, 8, 16, 24, 32, 64, 128),
        "long": 3000,
        "memories": 8,
    },
    quick={
        "samples": 250,
        "shares": (0.0, 0.4, 1.0),
        "seeds": 20,
        "widths": (2, 8, 16, 64),
        "long": 1500,
        "memories": 2,
    },
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
