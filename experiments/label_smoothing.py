"""Label smoothing bounds the logits, and is worth as much as labels are wrong (lecture *Training DNNs*).

Of m classes the target is 1 − (m−1)ε for the label and ε for each other one: in PyTorch's words a smoothing of mε.

* The least loss is at ŷ = target, where the label's logit exceeds each other one by log((1 − (m−1)ε)/ε), no
  further. With ε = 0 there is none: on free logits, of a mean over m samples, descent with step η widens the gap g by
  ηe⁻ᵍ a step, so that g nears log(ηt), for ever.
* The lecture says that with hard targets the other classes get no update. Through softmax they do: the slope at logit j
  is ŷ_j − ε, with ε = 0 as well, and these slopes together are as large as the one at the label.
* Networks that learn digits with one label in five wrong are sure of what they got by heart: smoothing brings their
  confidence near their accuracy, and lowers the test loss. Where no label is wrong it makes them less sure than they
  ought to be, and costs.
"""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.special import softmax

import optlab as ol
from optlab import ops, plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, bounded, exact, mean, slope
from optlab.nn import MLP
from optlab.random import derive_seed, integers, normal, uniform

Array = np.ndarray
CLASSES, RATE, STEPS = 10, 30.0, 15_000
EPSILONS = (0.0, 0.001, 0.003, 0.01, 0.03)
LATE = (500, 1500, 5000, 15_000)
"""Where the gap of hard targets is measured."""
RECORDS = sorted({*LATE, *ol.log_spaced(25).steps(0, STEPS)})
TRAIN, TEST, TRAINING = 300, 1000, 400
USED = (0.0, 0.003, 0.01, 0.03)
"""The ε that networks are trained with."""
WRONG = (0.0, 0.2)
STEP = 1e-4
"""Of finite differences: errors of 1e-9 from the third derivative, below 1/10, and 1e-11 from rounding."""
FREE = MLP([CLASSES, CLASSES], bias=False, init="xavier_normal", dtype="float64")
NETWORK = MLP([64, 32, CLASSES])


def closed(epsilon: float) -> float:
    """The gap at the minimum."""
    return math.log((1 - (CLASSES - 1) * epsilon) / epsilon) if epsilon else math.inf


def widen(p: Params, seed: int) -> tuple[Array, Array]:
    """Mean gaps on the way (ε, records), and the largest distance of a last gap from the closed form (ε,), of ε > 0."""
    start, labels = FREE.init(seed), np.arange(CLASSES)
    gaps, off = [], []
    for epsilon in EPSILONS:
        f = FREE.on(np.eye(CLASSES), labels, label_smoothing=CLASSES * epsilon)
        path = ol.descend(f, ol.SGD(lr=RATE), start, STEPS, record=RECORDS)
        logits = path.x[:, 0].reshape(-1, CLASSES, CLASSES).transpose(0, 2, 1)  # a weight's column is a sample's logits
        gap = np.diagonal(logits, axis1=1, axis2=2)[..., None] - logits
        gap = gap[:, ~np.eye(CLASSES, dtype=bool)]
        gaps.append(gap.mean(axis=1))
        off.append(np.abs(gap[-1] - closed(epsilon)).max())
    return np.array(gaps), np.array(off)


def slopes(p: Params, seed: int) -> dict[str, Array]:
    """What the loss's slopes at random logits are, by the kernel, by differences, and by formula."""
    z, labels = 2 * normal((p.rows, CLASSES), seed), integers((p.rows,), CLASSES, seed, step=1)
    other = np.arange(CLASSES) != labels[:, None]
    found, differences = [], []
    for epsilon in EPSILONS:
        options = {"label_smoothing": CLASSES * epsilon, "reduction": "none"}
        found.append(ops.softmax_cross_entropy(z, labels, **options)[1])
        sides = [
            [ops.softmax_cross_entropy(z + side * STEP * unit, labels, **options)[0] for unit in np.eye(CLASSES)]
            for side in (1, -1)
        ]
        differences.append((np.array(sides[0]) - np.array(sides[1])).T / (2 * STEP))
    found, predicted = np.array(found), softmax(z, axis=1) - np.array(EPSILONS)[:, None, None]
    hard = np.abs(found[0])
    return {
        "formula": np.abs(found - predicted)[:, other].max(),
        "differences": np.abs(found - differences).max(),
        "whole": (hard * other).sum(axis=1) / hard[~other],
        "dots": np.array([softmax(z, axis=1)[other][:60], *found[:, other][[0, -1], :60]]),
    }


def digits(seed: int, wrong: float) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """Training digits, some with another label than their own, and test digits."""
    (X, y), test = ol.data.split(*ol.data.digits(), (TRAIN, TEST), derive_seed(seed, "split"))
    other = (y + 1 + integers((TRAIN,), CLASSES - 1, derive_seed(seed, "label"))) % CLASSES
    return (X, np.where(uniform((TRAIN,), derive_seed(seed, "wrong")) < wrong, other, y)), test


def networks(seed: int) -> Array:
    """The gap on training data, then confidence, accuracy and loss on test data: (shares wrong, ε, 4)."""
    found = np.empty((len(WRONG), len(USED), 4))
    for row, wrong in zip(found, WRONG, strict=True):
        (X, y), (test_X, test_y) = digits(seed, wrong)
        for k, epsilon in enumerate(USED):
            f = NETWORK.on(X, y, label_smoothing=CLASSES * epsilon)
            theta = ol.descend(f, ol.Adam(lr=0.01), NETWORK.init(derive_seed(seed, "start")), TRAINING).last[0]
            z, own = NETWORK.predict(theta, X), np.arange(TRAIN)
            sure = softmax(NETWORK.predict(theta, test_X).astype(np.float64), axis=1)
            loss = -np.log(sure[np.arange(TEST), test_y]).mean()
            gap = (z[own, y] - z.mean(axis=1)) * CLASSES / (CLASSES - 1)
            row[k] = gap.mean(), sure.max(axis=1).mean(), np.mean(sure.argmax(axis=1) == test_y), loss
    return found


def compute(p: Params, seed: int, progress: Progress) -> dict[str, Array]:
    """Free logits, slopes, networks."""
    ways = [widen(p, derive_seed(seed, "free", k)) for k in range(p.starts)]
    progress(0.3, "networks")
    return {
        "gaps": np.array([gaps for gaps, _ in ways]),
        "off": np.array([off for _, off in ways]),
        **slopes(p, derive_seed(seed, "slopes")),
        "networks": np.array([networks(derive_seed(seed, "network", k)) for k in range(p.networks)]),
    }


def free_claims(data: Data, p: Params) -> list[Claim]:
    """Gaps of free logits, and slopes."""
    late = data["gaps"][:, 0, [RECORDS.index(step) for step in LATE]]
    eps = float(np.finfo(np.float64).eps)
    # A step rounds a logit below 8 by 8 eps, and contracts by η ε/m at least; it stops changing that far from its end.
    rounding = 8 * eps / (RATE * EPSILONS[1] / CLASSES)
    said = {
        "gap": "With ε > 0 every gap ends at log((1 − (m−1)ε)/ε); the largest distance.",
        "hard_slope": "With hard targets it grows by one unit of log t for ever; the slope.",
        "hard_level": "It is log(ηt); the mean distance at the last step.",
        "slopes": "The slope at another logit is ŷ_j − ε; the largest gap, in eps.",
        "differences": "All slopes are the loss's, by differences; the largest gap.",
        "printed": "Hard targets do move the other classes: all their slopes over the label's are 1, not 0; the worst.",
    }
    asked = {name: (name, text) for name, text in said.items()}
    return [
        bounded(*asked["gap"], data["off"][:, 1:].max(), (0, rounding), 0),
        slope(*asked["hard_slope"], np.log(LATE), late, 1.0, (0.98, 1.02)),
        mean(*asked["hard_level"], late[:, -1] - math.log(RATE * STEPS), 0.0, (-0.05, 0.05)),
        bounded(*asked["slopes"], float(data["formula"]) / eps, (0, CLASSES)),
        bounded(*asked["differences"], float(data["differences"]), (0, 2e-9)),
        # The label's slope ŷ − 1, above 1e-7 in size, has lost as many digits.
        exact(*asked["printed"], data["whole"][np.abs(data["whole"] - 1).argmax()], 1.0, 1e-8),
    ]


def network_claims(data: Data, p: Params) -> list[Claim]:
    """Networks on right and on wrong labels, with ε = 0.01 as against none."""
    gap, sure, right, loss = np.moveaxis(data["networks"], 3, 0)
    at, bounds = USED.index(0.01), [closed(epsilon) for epsilon in USED[2:]]
    excess, worth = (sure - right)[..., [0, at]], np.log(loss[..., at] / loss[..., 0])
    said = {
        "network_gap": "A network that has learned its labels is at the closed form's gap, ε >= 0.01; the mean ratio.",
        "unsure": "No label wrong, ε = 0.01: it is less sure than right; mean confidence less accuracy.",
        "too_sure": "One label in five wrong, ε = 0: it is surer than right; mean confidence less accuracy.",
        "calibrated": "One label in five wrong, ε = 0.01: confidence is near accuracy; the mean difference.",
        "cost": "No label wrong: ε = 0.01 raises the test loss; the mean log ratio.",
        "gain": "One label in five wrong: it lowers the test loss; the mean log ratio.",
        "accuracy": "It leaves the accuracy on test data as it was, labels right or wrong; the mean difference.",
    }
    asked = {name: (name, text) for name, text in said.items()}
    return [
        mean(*asked["network_gap"], (gap[:, 0, 2:] / bounds).mean(axis=1), 1.0, (0.93, 1.07)),
        mean(*asked["unsure"], excess[:, 0, 1], None, (None, -0.05)),
        mean(*asked["too_sure"], excess[:, 1, 0], None, (0.05, None)),
        mean(*asked["calibrated"], excess[:, 1, 1], 0.0, (-0.08, 0.08)),
        mean(*asked["cost"], worth[:, 0], None, (0.05, None)),
        mean(*asked["gain"], worth[:, 1], None, (None, -0.05)),
        mean(*asked["accuracy"], (right[..., at] - right[..., 0]).mean(axis=1), 0.0, (-0.05, 0.05)),
    ]


def claims(data: Data, p: Params) -> list[Claim]:
    """Free logits, slopes, networks."""
    return [*free_claims(data, p), *network_claims(data, p)]


def draw_gaps(ax: Axes, data: Data) -> None:
    """The mean gap against the step."""
    steps, gaps = np.maximum(RECORDS, 0.7), data["gaps"].mean(axis=0)
    for k, (epsilon, path) in enumerate(zip(EPSILONS, gaps, strict=True)):
        color = plotting.COLORS[k]
        ax.plot(steps, path, color=color)
        height = path[-1] + 0.25
        ax.text(steps[-1], height, f"ε = {epsilon:g}", color=color, ha="right", va="bottom")
        if epsilon:
            line = plotting.theory_line(ax, [300, STEPS], [closed(epsilon)] * 2, "theory: log((1 − (m−1)ε)/ε), log ηt")
    late = np.array([step for step in RECORDS if step >= 10])
    plotting.theory_line(ax, late, np.log(RATE * late))
    ax.set(xscale="log", ylim=(-0.5, 17), xlabel="step t", ylabel="logit of the label less the others'")
    ax.set_title("Smoothing bounds the gap")
    ax.legend(handles=[line], loc="upper left")


def draw_slopes(ax: Axes, data: Data) -> None:
    """Slopes at the other logits against their probability."""
    sure, *found = data["dots"]
    fine = np.geomspace(1e-5, 1, 200)
    for values, epsilon, color in zip(found, EPSILONS[::4], plotting.COLORS[::4], strict=True):
        ax.plot(sure, values, "o", color=color, label=f"ε = {epsilon:g}", zorder=6)
        line = plotting.theory_line(ax, fine, fine - epsilon, "theory: ŷ_j − ε")
    ax.axhline(0, color="#777777", linestyle=":", linewidth=2.4)
    ax.text(0.48, -0.035, "the lecture", color="#555555", ha="right", va="center")
    ax.set(xscale="log", xlim=(5e-4, 0.5), ylim=(-0.06, 0.26), xlabel="probability ŷ_j of another class")
    ax.set(ylabel="∂loss/∂z_j", title="Other classes are moved, too")
    ax.legend(handles=[*ax.get_legend_handles_labels()[0][:3:2], line], loc="upper left")


def draw_confidence(ax: Axes, data: Data) -> None:
    """Confidence less accuracy against ε, with the means' standard deviation over networks."""
    places, (_, sure, right, _) = np.arange(len(USED)), np.moveaxis(data["networks"], 3, 0)
    for k, text in enumerate(("no label wrong", "one in five wrong")):
        found = (sure - right)[:, k]
        ax.errorbar(places, found.mean(axis=0), found.std(axis=0), fmt="o-", color=plotting.COLORS[k], label=text)
    ax.axhline(0, color="#777777", linestyle=":", linewidth=2.4)
    ax.set_xticks(places, [f"{epsilon:g}" for epsilon in USED])
    ax.set(xlabel="ε", ylabel="confidence − accuracy", title="It makes less sure, rightly or not")
    ax.legend(loc="lower left")


def plot(data: Data, p: Params) -> Figure:
    """Gaps at the left; slopes and networks at the right."""
    sheet, ((left, above), (spare, below)) = plotting.figure(2, 2)
    left.set_subplotspec(left.get_gridspec()[:, 0])
    spare.remove()
    draw_gaps(left, data)
    draw_slopes(above, data)
    draw_confidence(below, data)
    return sheet


experiment = Experiment(
    title="Label smoothing bounds the logits; that helps where labels are wrong, and costs where they are right",
    source="Training DNNs: label smoothing",
    question="Where do smoothed targets bring the logits, and what is that worth on test data?",
    params={"starts": 20, "rows": 500, "networks": 40},
    quick={"starts": 3, "rows": 100, "networks": 12},
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
