"""Test error is bias² + variance + noise: capacity trades one for the other (*Additional Techniques*; the notebook).

Over training sets of n samples, the prediction at x has a mean and a variance. The square of what the mean is off by,
the variance and that of the noise in y add up to the expected squared test error, for whatever model.

* Linear regression on the first k of d normal features with y = Σ β_j x_j + σζ. What it leaves out acts as noise:
  with B = Σ_{j>k} β_j², bias² is B and the variance (σ² + B) k/(n − k − 1), for every k < n − 1 (Breiman and Freedman
  1983). No number is free.
* Networks with one hidden layer of k tanh units on a sine in noise, after 1000 steps of Adam. Bias falls with k, and
  the three add up; but here the variance does not rise with the width, as the lectures have it for capacity: four
  times the units change it by little (so Neal and others 2018 found).
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import optlab as ol
from optlab import plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, mean, slope
from optlab.nn import MLP
from optlab.random import derive_seed, normal, uniform

Array = np.ndarray
ROWS, DIM, SIGMA = 40, 24, 1.0
BETA = 1.2 * 0.85 ** np.arange(DIM)
KEPT = (1, 2, 4, 8, 12, 17, 24)
POINTS = 500
UNITS = (1, 2, 4, 16)
SAMPLES, NOISE, STEPS = 24, 0.4, 1000
GRID = np.linspace(-1, 1, 81)[:, None]


def linear(p: Params, seed: int) -> Array:
    """Bias², variance, and the squared error on fresh samples less σ², (3, kept)."""
    x = normal((POINTS, DIM), derive_seed(seed, "points"))
    truth, found = x @ BETA, []
    X = normal((p.sets, ROWS * DIM), derive_seed(seed, "X")).reshape(p.sets, ROWS, DIM)
    y = X @ BETA + SIGMA * normal((p.sets, ROWS), derive_seed(seed, "noise"))
    for kept in KEPT:
        part, turned = X[..., :kept], np.swapaxes(X[..., :kept], 1, 2)
        weights = np.linalg.solve(turned @ part, turned @ y[..., None])[..., 0]
        found.append(parts(weights @ x[:, :kept].T, truth, SIGMA, derive_seed(seed, "fresh", kept)))
    return np.array(found).T


def parts(predicted: Array, truth: Array, noise: float, seed: int) -> list[float]:
    """Bias², variance and the error on fresh samples less the noise's, of predictions (sets, points)."""
    # The mean of a finite number of predictions is off by the variance over their number, which counts as no bias.
    spread = predicted.var(axis=0, ddof=1)
    off = np.square(predicted.mean(axis=0) - truth) - spread / len(predicted)
    fresh = truth + noise * normal(predicted.shape, seed)
    return [off.mean(), spread.mean(), np.square(predicted - fresh).mean() - noise**2]


def sine(x: Array) -> Array:
    """What the networks learn."""
    return np.sin(2 * np.pi * x)


def networks(p: Params, seed: int) -> Array:
    """The same of networks, (3, units)."""
    found = []
    for units in UNITS:
        mlp, predicted = MLP([1, units, 1], "tanh", init="xavier_normal", dtype="float64"), []
        for k in range(p.nets):
            own = derive_seed(seed, "net", k)
            X = 2 * uniform((SAMPLES, 1), own) - 1
            y = sine(X) + NOISE * normal((SAMPLES, 1), own, step=1)
            theta = ol.descend(mlp.on(X, y, "mse"), ol.Adam(lr=0.02), 3 * mlp.init(own), STEPS, record=[]).last[0]
            predicted.append(mlp.predict(theta, GRID)[:, 0])
        found.append(parts(np.array(predicted), sine(GRID[:, 0]), NOISE, derive_seed(seed, "fresh", units)))
    return np.array(found).T


def compute(p: Params, seed: int, progress: Progress) -> dict[str, Array]:
    """Some times over, for intervals."""
    found = [linear(p, derive_seed(seed, "linear", k)) for k in range(p.times)]
    progress(0.2, "networks")
    return {
        "linear": np.array(found),
        "networks": np.array([networks(p, derive_seed(seed, "networks", k)) for k in range(p.again)]),
    }


def theory() -> tuple[Array, Array]:
    """Bias² and variance of linear regression."""
    kept = np.array(KEPT)
    left = np.array([np.sum(BETA[k:] ** 2) for k in KEPT])
    return left, (SIGMA**2 + left) * kept / (ROWS - kept - 1)


def claims(data: Data, p: Params) -> list[Claim]:
    """Linear regression, then networks."""
    (off, spread, error), (bias, variance) = np.moveaxis(data["linear"], 1, 0), theory()
    wide, varied, whole = np.moveaxis(data["networks"], 1, 0)
    best = int(np.argmin(bias + variance))
    said = {
        "sum": "Linear: bias² + variance + noise is the error on fresh samples; the mean of their quotient over k.",
        "bias": "Bias² is the sum of β² that is left out; the mean quotient over k < d.",
        "variance": "Variance is (σ² + B) k/(n − k − 1); the mean quotient over k.",
        "less": f"The error is least at k = {KEPT[best]}: a quarter of the features costs more; the mean difference.",
        "more": "All features, though they are all true, cost more, too; the mean difference.",
        "network_sum": "Networks: the three add up as well; the mean quotient over widths.",
        "network_bias": "Their bias² falls with the width; the slope of its log over log k, k <= 4.",
        "network_variance": "But their variance hardly depends on it: its log at 16 units less that at 4; the mean.",
    }
    asked = {name: (name, text) for name, text in said.items()}
    few = np.log(np.maximum(wide[:, :3], 1e-6))
    return [
        mean(*asked["sum"], ((off + spread + SIGMA**2) / (error + SIGMA**2)).mean(axis=1), 1.0, (0.97, 1.03)),
        mean(*asked["bias"], (off[:, :-1] / bias[:-1]).mean(axis=1), 1.0, (0.75, 1.25)),
        mean(*asked["variance"], (spread / variance).mean(axis=1), 1.0, (0.85, 1.15)),
        mean(*asked["less"], error[:, KEPT.index(2)] - error[:, best], None, (0.1, None)),
        mean(*asked["more"], error[:, -1] - error[:, best], None, (0.1, None)),
        mean(*asked["network_sum"], ((wide + varied + NOISE**2) / (whole + NOISE**2)).mean(axis=1), 1.0, (0.9, 1.1)),
        slope(*asked["network_bias"], np.log(UNITS[:3]), few, None, (None, -0.3)),
        mean(*asked["network_variance"], np.log(varied[:, -1] / varied[:, 2]), 0.0, (-0.7, 0.7)),
    ]


NAMES = ("bias²", "variance", "test error − noise")


def draw_parts(ax: Axes, at: tuple[int, ...], found: Array, laws: tuple[Array, ...]) -> None:
    """Bias², variance and their sum against capacity."""
    for k, (values, name) in enumerate(zip(found, NAMES, strict=True)):
        style = "o" if laws else "o-"
        ax.plot(at, values, style, color=plotting.COLORS[k], markersize=10, label=name)
    lines = [plotting.theory_line(ax, at, law) for law in laws]
    ax.set(xscale="log", yscale="log")
    ax.set_xticks(at, [str(each) for each in at])
    ax.minorticks_off()
    ax.legend(handles=[*ax.get_legend_handles_labels()[0][:3], *lines[:1]], loc="lower left")


def plot(data: Data, p: Params) -> Figure:
    """Linear regression at the left, networks at the right."""
    sheet, (left, right) = plotting.figure(1, 2)
    bias, variance = theory()
    seen = data["linear"].mean(axis=0)
    seen[0, -1] = np.nan  # no bias is left, and nothing of it can be drawn on a logarithm
    draw_parts(left, KEPT, seen, (np.where(bias > 0, bias, np.nan), variance, bias + variance))
    left.set(xlabel=f"features used, of {DIM}", ylabel="squared error", title="Linear regression: all is predicted")
    draw_parts(right, UNITS, data["networks"].mean(axis=0), ())
    right.set(ylim=(5e-3, 2), xlabel="hidden units", ylabel="squared error", title="Networks: width costs no variance")
    return sheet


experiment = Experiment(
    title="Test error is bias², variance and noise: more features trade one for the other, more units lower bias",
    source="Additional Techniques; the notebook: underfitting and overfitting",
    question="What is the test error made of, and how does it depend on the capacity of the model?",
    params={"times": 40, "sets": 200, "again": 12, "nets": 32},
    quick={"times": 12, "sets": 100, "again": 8, "nets": 24},
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
