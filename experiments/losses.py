"""What a loss asks for: how far, how sure, and how much an outlier counts (lecture *Training DNNs*).

* Every pair of an output (identity, sigmoid, ½ sin z + ½, softmax) and a loss that fits it has the gradient that
  differences of the loss give, to their own order h². The lecture prints the binary cross entropy without its leading
  minus: descent on that learns the wrong answers.
* A bump that lies s bins off its target: Wasserstein's distance is s, the Kullback-Leibler divergence of normal bumps
  of width w is s²/2w², and the squared error no longer changes once the bumps do not overlap.
* The best constant for samples of which a share ε lies at +D: the mean is off by εD, the median by the spread times
  Φ⁻¹(1/(2(1−ε))), however large D is (Huber 1964). Without outliers the median pays, its variance is π/2 times that of
  the mean.
* A sigmoid that starts at z = −a, where 1 is right: the squared error's slope is 2e⁻ᵃ, and descent with step η takes
  eᵃ/2η steps to leave; the cross entropy's slope is 1, and it takes a/η. ½ sin z + ½ has no flat end and no bad
  minimum.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.optimize import brentq
from scipy.stats import norm

import optlab as ol
from optlab import ops, plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, bounded, fraction, mean
from optlab.nn import MLP
from optlab.random import derive_seed, normal, uniform

Array = np.ndarray
CLASSES = 5
STEPS = (1e-2, 1e-3)
"""Of the differences: large enough for their h² to show."""
BINS, BUMP = 121, 3.0
SHIFTS = np.arange(0, 81, 4)
SAMPLES, OUT = 101, 10
"""An odd number, so that the median is one of them; and how many are outliers."""
OUTLIERS = (0.0, 3.0, 10.0, 30.0, 100.0)
STARTS = (3.0, 4.0, 5.0, 6.0, 7.0)
RATE, PATIENCE = 0.1, 1000
EPS = float(np.finfo(np.float64).eps)


def sine(z: Array) -> tuple[Array, Array]:
    """½ sin z + ½ and its slope."""
    return 0.5 * np.sin(z) + 0.5, 0.5 * np.cos(z)


def sigmoid(z: Array) -> tuple[Array, Array]:
    """The sigmoid and its slope."""
    y = ops.activation_forward(z, "sigmoid")
    return y, ops.activation_backward(np.ones_like(z), y, "sigmoid")


def by_element(output: Callable[[Array], tuple[Array, Array]], loss: Callable[..., tuple[Array, Array]]) -> Callable:
    """Loss and gradient by z, for an output that acts on each number."""

    def pair(z: Array, t: Array) -> tuple[Array, Array]:
        y, dy = output(z)
        value, slopes = loss(y, t, reduction="none")
        return value, slopes * dy

    return pair


def by_row(loss: Callable[..., tuple[Array, Array]]) -> Callable:
    """The same for softmax."""

    def pair(z: Array, t: Array) -> tuple[Array, Array]:
        y = ops.softmax_forward(z)
        value, slopes = loss(y, t, reduction="none")
        return value, ops.softmax_backward(slopes, y)

    return pair


def divergence(z: Array, t: Array) -> tuple[Array, Array]:
    """Kullback-Leibler, whose kernel takes log-probabilities."""
    value, slopes = ops.kl_divergence(ops.log_softmax_forward(z), t, reduction="none")
    return value, ops.log_softmax_backward(slopes, ops.log_softmax_forward(z))


def surprise(y: Array, t: Array, reduction: str) -> tuple[Array, Array]:
    """The binary cross entropy of a probability, with its leading minus."""
    return -(t * np.log(y) + (1 - t) * np.log1p(-y)), (y - t) / (y * (1 - y))


PAIRS = {
    "identity, MSE": by_element(lambda z: (z, np.ones_like(z)), ops.mse),
    "identity, L1": by_element(lambda z: (z, np.ones_like(z)), ops.l1),
    "sigmoid, MSE": by_element(sigmoid, ops.mse),
    "sigmoid, L1": by_element(sigmoid, ops.l1),
    "sigmoid, cross entropy": lambda z, t: ops.binary_cross_entropy(z, t, reduction="none"),
    "sine, MSE": by_element(sine, ops.mse),
    "sine, L1": by_element(sine, ops.l1),
    "sine, cross entropy": by_element(sine, surprise),
    "softmax, MSE": by_row(ops.mse),
    "softmax, cross entropy": lambda z, t: ops.softmax_cross_entropy(z, t, reduction="none"),
    "softmax, KL": divergence,
    "softmax, Wasserstein": by_row(ops.wasserstein),
}


def checked(p: Params, seed: int, pair: Callable) -> list[float]:
    """How far the gradient is from central differences of the sum of losses, over its size, for each of STEPS."""
    z, t = normal((p.rows, CLASSES), seed), ops.softmax_forward(normal((p.rows, CLASSES), seed, step=1))
    slopes, found = pair(z, t)[1], []
    for h in STEPS:
        estimate = np.empty_like(z)
        for j, unit in enumerate(np.eye(CLASSES)):
            ends = [pair(z + side * h * unit, t)[0].reshape(p.rows, -1).sum(axis=1) for side in (1, -1)]
            estimate[:, j] = (ends[0] - ends[1]) / (2 * h)
        # The median over rows: where L1 or Wasserstein has a kink inside the step, differences are no judge.
        found.append(float(np.median(np.abs(estimate - slopes).max(axis=1)) / np.abs(slopes).max()))
    return found


def bumps() -> Array:
    """Wasserstein's distance, KL divergence and squared error of a bump from one SHIFTS bins away, (3, shifts)."""
    places = np.arange(BINS) - 20.0

    def bump(at: float) -> Array:
        found = np.exp(-((places - at) ** 2) / (2 * BUMP**2))
        return np.ascontiguousarray(found / found.sum())[None]

    found = []
    for shift in SHIFTS.tolist():
        there, target = bump(shift), bump(0)
        found.append(
            [
                float(ops.wasserstein(there, target, gradient=False)[0]),
                float(ops.kl_divergence(np.log(there), target, reduction="batchmean", gradient=False)[0]),
                float(ops.mse(there, target, reduction="sum", gradient=False)[0]),
            ]
        )
    return np.array(found).T


def centres(p: Params, seed: int) -> Array:
    """The constants that MSE and L1 learn, (outliers, losses, sets): a set is an output of one linear map of 1."""
    clean, one = normal((SAMPLES, p.sets), seed), np.ones((SAMPLES, 1))
    mlp, found = MLP([1, p.sets], bias=False, init="zeros", dtype="float64"), []
    for size in OUTLIERS:
        y = clean.copy()
        y[: OUT if size else 0] = size
        for loss in ("mse", "l1"):
            # The mean over outputs divides each one's slope by their number.
            rule = ol.SGD(lr=0.4 * p.sets)
            path = ol.descend(mlp.on(one, y, loss), rule, mlp.init(0), 600, schedule=ol.schedules.Inverse(0.1))
            found.append(path.last[0])
    return np.array(found).reshape(len(OUTLIERS), 2, p.sets)


def turning(loss: str) -> list[int]:
    """Steps from z = −a until the sigmoid is at 1/2."""
    starts, one = -np.array(STARTS), np.ones((1, 1))
    if loss == "mse":
        mlp = MLP([1, 1, 1], "sigmoid", bias=False, dtype="float64")  # its second weight stays at 1
        f, x0 = mlp.on(one, one, loss), np.column_stack([starts, np.ones(len(starts))])
        rule, value = ol.SGD(lr=RATE, groups={"layers.1.weight": {"lr": 0.0}}), 0.25
    else:
        f = MLP([1, 1], bias=False, dtype="float64").on(one, one, loss)
        x0, rule, value = starts[:, None], ol.SGD(lr=RATE), math.log(2)
    return ol.descend(f, rule, x0, 20_000, stop=ol.stop.value(value), record=[]).stop_step.tolist()


def flow(loss: str, a: Array) -> Array:
    """The same by the integral of dz/|slope|."""
    if loss == "mse":
        return (2.5 + 3 * a + np.exp(a) - 3 * np.exp(-a) - np.exp(-2 * a) / 2) / (2 * RATE)
    return (a + 1 - np.exp(-a)) / RATE


def reached(p: Params, seed: int) -> tuple[int, int]:
    """Of starts in ±20, how many come below a squared error of 1/4 with the sine and with the sigmoid."""
    start = 40 * uniform((p.starts,), seed) - 20
    found = []
    for output in (sine, sigmoid):
        z = start.copy()
        for _ in range(PATIENCE):
            y, dy = output(z)
            z -= RATE * 2 * (y - 1) * dy
        found.append(int(np.sum((output(z)[0] - 1) ** 2 < 0.25)))
    return found[0], found[1]


def opposite(seed: int) -> list[float]:
    """Accuracy of logistic regression that descends on the right cross entropy, and on the one without minus."""
    X = normal((200, 2), seed)
    y, mlp = (X @ normal((2,), seed, step=1) > 0).astype(np.float64), MLP([2, 1], dtype="float64")
    f, found = mlp.on(X, y, "binary_cross_entropy"), []
    for wrong in (False, True):
        theta = ol.descend(f, ol.SGD(lr=1.0, maximize=wrong), mlp.init(seed), 400, record=[]).last[0]
        found.append(float(np.mean((mlp.predict(theta, X)[:, 0] > 0) == (y > 0))))
    return found


def minus(p: Params, seed: int) -> float:
    """The kernel of logits less the formula with the minus, in eps/ŷ(1 − ŷ), to which logs of rounded ŷ are good."""
    z, t = normal((p.rows, CLASSES), seed), uniform((p.rows, CLASSES), seed, step=1)
    found, _ = ops.binary_cross_entropy(z, t, reduction="none")
    y = sigmoid(z)[0]
    return float(np.max(np.abs(found - surprise(y, t, "none")[0]) * y * (1 - y))) / EPS


def compute(p: Params, seed: int, progress: Progress) -> dict[str, Array]:
    """Every part, with seeds of its own."""
    seeds = [derive_seed(seed, "gradients", k) for k in range(p.seeds)]
    gradients = [[checked(p, each, pair) for pair in PAIRS.values()] for each in seeds]
    progress(0.3, "outliers")
    return {
        "gradients": np.array(gradients),
        "bumps": bumps(),
        "centres": centres(p, derive_seed(seed, "outliers")),
        "turning": np.array([turning("mse"), turning("binary_cross_entropy")]),
        "reached": np.array(reached(p, derive_seed(seed, "starts"))),
        "accuracy": np.array([opposite(derive_seed(each, "logistic")) for each in seeds]),
        "minus": np.array(max(minus(p, each) for each in seeds)),
    }


def form_claims(data: Data, p: Params) -> list[Claim]:
    """Gradients, the minus, bumps."""
    errors, (way, bits, square) = data["gradients"], data["bumps"]
    curved = [k for k, name in enumerate(PAIRS) if not name.startswith("identity")]
    order = np.log10(errors[:, curved, 0] / errors[:, curved, 1]).mean(axis=1)
    law = SHIFTS**2 / (2 * BUMP**2)
    off = max(np.abs(way - SHIFTS).max() / SHIFTS[-1], np.abs(bits - law).max() / law[-1])
    flat, last = SHIFTS > 7 * BUMP, square[-1]
    said = {
        "gradients": f"{len(PAIRS)} outputs with losses: slopes are those of differences, h = {STEPS[1]:g}; the worst.",
        "order": "Differences err by h² where there is curvature: log10 of the errors' ratio, h over h/10.",
        "minus": "The kernel is −t log ŷ − (1−t) log(1−ŷ), with the minus; the largest gap in eps/ŷ(1−ŷ).",
        "right": "Descent on it learns the labels; the mean accuracy.",
        "printed": "Descent on the printed form, without the minus, learns the opposite; the mean accuracy.",
        "way": "Of a bump s bins away Wasserstein's distance is s, KL s²/2w²; the largest gap, relative.",
        "flat": "Its squared error is the same at all distances beyond 7w; the largest change, relative.",
    }
    asked = {name: (name, text) for name, text in said.items()}
    return [
        # h²/6 of a third derivative, which near the sine's ends is some ten times the slope.
        bounded(*asked["gradients"], errors[..., 1].max(), (0, 10 * STEPS[1] ** 2)),
        mean(*asked["order"], order, 2.0, (1.9, 2.1)),
        bounded(*asked["minus"], float(data["minus"]), (0, 8)),
        mean(*asked["right"], data["accuracy"][:, 0], 1.0, (0.95, None)),
        mean(*asked["printed"], data["accuracy"][:, 1], 0.0, (None, 0.2)),
        bounded(*asked["way"], off, (0, 1e-6), 0),
        bounded(*asked["flat"], np.abs(square[flat] / last - 1).max(), (0, 1e-4), 0),
    ]


def outlier_claims(data: Data, p: Params) -> list[Claim]:
    """Means and medians."""
    found, share, size = data["centres"], OUT / SAMPLES, OUTLIERS[-1]
    pull, shift = share * size, float(norm.ppf(0.5 / (1 - share)))
    clean = SAMPLES * found[0] ** 2
    said = {
        "mse": f"A share ε of outliers at {size:g} spreads moves the squared error's constant by εD; the mean.",
        "l1": "It moves that of L1 by Φ⁻¹(1/(2(1−ε))); the mean.",
        "l1_far": f"Whether they lie at {OUTLIERS[2]:g} or at {size:g} is the same to L1; the largest change.",
        "clean_mse": "Without outliers the squared error's constant has variance σ²/n; n times it.",
        "clean_l1": "That of L1 has π/2 times as much: what robustness costs.",
    }
    asked = {name: (name, text) for name, text in said.items()}
    return [
        mean(*asked["mse"], found[-1, 0], pull, (0.98 * pull, 1.02 * pull)),
        mean(*asked["l1"], found[-1, 1], shift, (shift - 0.05, shift + 0.05)),
        # Descent has come as near to a median as its last step, 0.4/61 of the share of samples that one step passes.
        bounded(*asked["l1_far"], np.abs(found[-1, 1] - found[2, 1]).max(), (0, 0.4 / 61), 0),
        mean(*asked["clean_mse"], clean[0], 1.0, (0.7, 1.3)),
        mean(*asked["clean_l1"], clean[1], math.pi / 2, (1.1, 2.1)),
    ]


def output_claims(data: Data, p: Params) -> list[Claim]:
    """Flat ends."""
    starts, found = np.array(STARTS), data["turning"]
    off = [np.abs(found[k] / flow(loss, starts) - 1).max() for k, loss in enumerate(("mse", "cross entropy"))]
    stays = (20 - float(brentq(lambda a: flow("mse", a) - PATIENCE, 0, 20))) / 40
    said = {
        "plateau": "A sigmoid with squared error leaves −a in (eᵃ + 3a + 5/2)/2η steps; the largest relative gap.",
        "cross_entropy": "With cross entropy in (a + 1)/η; the largest relative gap.",
        "sine": f"½ sin z + ½ turns from everywhere in {PATIENCE} steps; the share of starts.",
        "sigmoid": "The sigmoid does not from where it takes longer; the share of starts that are left.",
    }
    asked = {name: (name, text) for name, text in said.items()}
    sine_turned, sigmoid_turned = data["reached"]
    return [
        bounded(*asked["plateau"], off[0], (0, 0.05), 0),
        bounded(*asked["cross_entropy"], off[1], (0, 0.05), 0),
        fraction(*asked["sine"], sine_turned, p.starts, 1.0, (0.98, 1)),
        fraction(*asked["sigmoid"], p.starts - sigmoid_turned, p.starts, stays, (stays - 0.06, stays + 0.06)),
    ]


def claims(data: Data, p: Params) -> list[Claim]:
    """Forms, outliers, outputs."""
    return [*form_claims(data, p), *outlier_claims(data, p), *output_claims(data, p)]


def draw_bumps(ax: Axes, data: Data) -> None:
    """Each loss of a bump against its distance, over its value at twenty bins."""
    names, fine = ("Wasserstein", "Kullback–Leibler", "squared error"), np.linspace(0, SHIFTS[-1], 200)
    laws = (fine, fine**2 / (2 * BUMP**2), data["bumps"][2, -1] * (1 - np.exp(-((fine / BUMP) ** 2) / 4)))
    for k, (found, law, name) in enumerate(zip(data["bumps"], laws, names, strict=True)):
        unit = found[SHIFTS.tolist().index(20)]
        ax.plot(SHIFTS, found / unit, "o", color=plotting.COLORS[k], markersize=10, label=name)
        line = plotting.theory_line(ax, fine, law / unit, "theory")
    ax.set(ylim=(0, 4.6), xlabel="distance s of a bump from its target (bins)", ylabel="loss (at 20 bins: 1)")
    ax.set_title("How far off? Wasserstein's loss says it")
    ax.legend(handles=[*ax.get_legend_handles_labels()[0][:5:2], line], loc="lower right", bbox_to_anchor=(1.03, -0.02))


def draw_outliers(ax: Axes, data: Data) -> None:
    """The learned constants against the outliers' size."""
    size, fine, share = np.array(OUTLIERS[1:]), np.geomspace(OUTLIERS[1], OUTLIERS[-1], 50), OUT / SAMPLES
    laws = (share * fine, np.full_like(fine, norm.ppf(0.5 / (1 - share))))
    for k, (name, law) in enumerate(zip(("squared error", "L1"), laws, strict=True)):
        ax.plot(size, data["centres"][1:, k].mean(axis=1), "o", color=plotting.COLORS[k], markersize=11, label=name)
        line = plotting.theory_line(ax, fine, law)
    ax.set(xscale="log", yscale="log", ylim=(0.07, 40), xlabel="outliers at D spreads, one sample in ten")
    ax.set(ylabel="error", title="How much does an outlier count?")
    ax.legend(handles=[*ax.get_legend_handles_labels()[0][:3:2], line], loc="upper left")


def draw_turning(ax: Axes, data: Data) -> None:
    """Steps to turn a sigmoid."""
    fine = np.linspace(STARTS[0], STARTS[-1], 50)
    for k, (name, loss) in enumerate((("squared error", "mse"), ("cross entropy", "cross entropy"))):
        ax.plot(STARTS, data["turning"][k], "o", color=plotting.COLORS[2 * k], markersize=11, label=name)
        line = plotting.theory_line(ax, fine, flow(loss, fine))
    ax.set(yscale="log", ylim=(10, 5e4), xlabel="sigmoid that starts at z = −a, a", ylabel="steps to ½")
    ax.set_title("How hard is it to unlearn?")
    ax.legend(handles=[*ax.get_legend_handles_labels()[0][:3:2], line], loc="upper left", ncols=2)


def plot(data: Data, p: Params) -> Figure:
    """Bumps at the left; outliers and outputs at the right."""
    sheet, ((left, above), (spare, below)) = plotting.figure(2, 2)
    left.set_subplotspec(left.get_gridspec()[:, 0])
    spare.remove()
    draw_bumps(left, data)
    draw_outliers(above, data)
    draw_turning(below, data)
    return sheet


experiment = Experiment(
    title="A loss decides what counts: how far off, how sure, and how much an outlier",
    source="Training DNNs: loss functions and output units",
    question="What do squared, absolute and cross-entropy errors, divergences and distances ask of an output?",
    params={"seeds": 40, "rows": 100, "sets": 2000, "starts": 4000},
    quick={"seeds": 12, "rows": 40, "sets": 900, "starts": 2000},
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
