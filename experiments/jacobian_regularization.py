"""A penalty on the Jacobian of outputs by inputs makes a network smooth, and hardier against noise (*Training DNNs*).

The loss is the cross entropy plus μ/2 times the mean over samples of |∂y/∂x|², y being the logits.

* Its gradient goes through the Jacobian; differences of the loss judge it. On a linear map the penalty is μ/2 |W|²,
  weight decay, as training on inputs with noise of variance μ/2 is for the squared error (Bishop 1995).
* Small noise of variance σ² in each input moves the outputs by σ²|∂y/∂x|² in the mean square. So a network whose
  Jacobian is small where it has never been, on held-out data, is hardier there: measured on digits, with noise in their
  pixels. μ is as declared, not tuned.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import optlab as ol
from optlab import plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, bounded, mean
from optlab.nn import MLP
from optlab.random import derive_seed, normal

Array = np.ndarray
MUS = (0.0, 0.001, 0.01)
SHOWN = 2
"""The number of the μ that claims speak of."""
SIGMAS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
TRAIN, TEST, STEPS = 150, 1000, 150
SMALL = 0.01
"""The noise that counts as small: the outputs' curvature adds a share of σ² or so."""
STEP = 1e-5
"""Of differences: their h² and eps/h are both 1e-10 or so."""
EPS = float(np.finfo(np.float64).eps)
NETWORK = MLP([64, 24, 10], "tanh", init="xavier_normal")


def checked(seed: int) -> list[float]:
    """Relative errors of the penalized gradient and of the penalty; a linear map's gap to decay, in eps."""
    mlp, linear = MLP([4, 6, 3], "tanh", dtype="float64"), MLP([4, 3], bias=False, dtype="float64")
    X, y = normal((20, 4), seed), np.arange(20) % 3
    theta, f = mlp.init(seed), mlp.on(X, y, jacobian=1.0)
    steps = STEP * np.eye(mlp.dim)
    estimate = (f.value(theta + steps) - f.value(theta - steps)) / (2 * STEP)
    grad = f.grad(theta)
    sides = [[mlp.predict(theta, X + side * STEP * unit) for unit in np.eye(4)] for side in (1, -1)]
    size = np.square((np.array(sides[0]) - np.array(sides[1])) / (2 * STEP)).sum(axis=(0, 2)).mean()
    penalty, weights = f.value(theta) - mlp.on(X, y).value(theta), linear.init(seed)
    both = [linear.on(X, y, **{name: 1.0}).value(weights) for name in ("jacobian", "weight_decay")]
    return [
        float(np.abs(estimate - grad).max() / np.abs(grad).max()),
        float(abs(penalty / (size / 2) - 1)),
        float(abs(both[0] / both[1] - 1) / EPS),
    ]


def robust(seed: int) -> dict[str, Array]:
    """On held-out data, for each μ: accuracy by noise, |∂y/∂x|², small noise's effect over its prediction."""
    (X, y), (test_X, test_y) = ol.data.split(*ol.data.digits(), (TRAIN, TEST), derive_seed(seed, "split"))
    noise, start = normal(test_X.shape, derive_seed(seed, "noise"), dtype="float32"), NETWORK.init(seed)
    right, sizes, moved = [], [], []
    for mu in MUS:
        theta = ol.descend(NETWORK.on(X, y, jacobian=mu), ol.Adam(lr=0.01), start, STEPS, record=[]).last[0]
        answers = [NETWORK.predict(theta, test_X + np.float32(sigma) * noise) for sigma in (*SIGMAS, SMALL)]
        right.append([np.mean(answer.argmax(axis=1) == test_y) for answer in answers[:-1]])
        held = [NETWORK.on(test_X, test_y, jacobian=each).value(theta) for each in (2.0, 0.0)]
        sizes.append(held[0] - held[1])
        change = np.square(answers[-1].astype(np.float64) - answers[0]).sum(axis=1).mean()
        moved.append(change / (SMALL**2 * sizes[-1]))
    return {"right": np.array(right), "sizes": np.array(sizes), "moved": np.array(moved)}


def compute(p: Params, seed: int, progress: Progress) -> dict[str, Array]:
    """Checks, then networks."""
    found = []
    for k in range(p.sets):
        progress(k / p.sets, "networks")
        found.append(robust(derive_seed(seed, "set", k)))
    checks = [checked(derive_seed(seed, "checks", k)) for k in range(p.checks)]
    return {**{name: np.array([each[name] for each in found]) for name in found[0]}, "checks": np.array(checks)}


def claims(data: Data, p: Params) -> list[Claim]:
    """The penalty, then what it is worth."""
    gradient, value, decay = data["checks"].max(axis=0)
    right, hard = data["right"], SIGMAS.index(0.4)
    gain = right[:, SHOWN] - right[:, 0]
    fall = [right[:, k, 0] - right[:, k, hard] for k in (0, SHOWN)]
    mu = f"μ = {MUS[SHOWN]:g}"
    said = {
        "gradient": "The gradient through the penalty is that of differences; the largest relative gap.",
        "value": "The penalty is half the mean square of differences of outputs by inputs; the largest relative gap.",
        "decay": "Of a linear map it is weight decay; the largest relative gap, in eps.",
        "small_noise": "Held out: small noise moves the outputs by σ²|∂y/∂x|² in the mean square; the mean quotient.",
        "smooth": f"Held out: {mu} divides |∂y/∂x|² by more than 4; the mean log of the quotient.",
        "robust": f"Held out: {mu} raises the accuracy under noise of σ = {SIGMAS[hard]:g}; the mean difference.",
        "falls_less": "Noise of that size costs less accuracy than without the penalty; the mean difference.",
        "clean": "Without noise it costs no accuracy; the mean difference.",
    }
    asked = {name: (name, text) for name, text in said.items()}
    return [
        bounded(*asked["gradient"], float(gradient), (0, 1e-7)),
        bounded(*asked["value"], float(value), (0, 1e-7)),
        bounded(*asked["decay"], float(decay), (0, 16)),
        mean(*asked["small_noise"], data["moved"].mean(axis=1), 1.0, (0.92, 1.08)),
        mean(*asked["smooth"], np.log(data["sizes"][:, SHOWN] / data["sizes"][:, 0]), None, (None, -np.log(4))),
        mean(*asked["robust"], gain[:, hard], None, (0.02, None)),
        mean(*asked["falls_less"], fall[1] - fall[0], None, (None, -0.02)),
        mean(*asked["clean"], gain[:, 0], None, (-0.02, None)),
    ]


def draw_accuracy(ax: Axes, data: Data) -> None:
    """Accuracy against the noise."""
    for mu, found, color in zip(MUS, data["right"].mean(axis=0), plotting.COLORS, strict=False):
        ax.plot(SIGMAS, found, "o-", color=color, label=f"μ = {mu:g}")
    ax.set(ylim=(0, 1.02), xlabel="standard deviation σ of noise in each pixel", ylabel="accuracy on held-out digits")
    ax.set_title("The penalized network is hardier")
    ax.legend(loc="lower left")


def draw_sizes(ax: Axes, data: Data) -> None:
    """The Jacobian's mean square on held-out data."""
    places = np.arange(len(MUS))
    ax.bar(places, data["sizes"].mean(axis=0), color=plotting.COLORS[: len(MUS)], width=0.6)
    ax.set_xticks(places, [f"{mu:g}" for mu in MUS])
    ax.set(yscale="log", ylim=(30, 1000), xlabel="μ", ylabel="mean |∂y/∂x|²", title="… as its slopes are small")
    ax.set_yticks([50, 100, 200, 500], ["50", "100", "200", "500"])
    ax.minorticks_off()


def draw_moved(ax: Axes, data: Data) -> None:
    """What small noise does, against its prediction."""
    law, found = SMALL**2 * data["sizes"], SMALL**2 * data["sizes"] * data["moved"]
    for k in range(len(MUS)):
        ax.plot(law[:, k], found[:, k], "o", color=plotting.COLORS[k], markersize=8)
    ends = np.array([law.min(), law.max()])
    line = plotting.theory_line(ax, ends, ends, "theory: σ²|∂y/∂x|²")
    ax.set(xscale="log", yscale="log", xlabel="predicted square change of outputs", ylabel="measured")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_ticks([0.005, 0.01, 0.02, 0.05], ["0.005", "0.01", "0.02", "0.05"])
    ax.minorticks_off()
    ax.set_title(f"Small noise, σ = {SMALL:g}, does as they say")
    ax.legend(handles=[line], loc="upper left")


def plot(data: Data, p: Params) -> Figure:
    """Accuracy at the left; slopes at the right."""
    sheet, ((left, above), (spare, below)) = plotting.figure(2, 2)
    left.set_subplotspec(left.get_gridspec()[:, 0])
    spare.remove()
    draw_accuracy(left, data)
    draw_sizes(above, data)
    draw_moved(below, data)
    return sheet


experiment = Experiment(
    title="A penalty on the Jacobian makes a network smooth, and so hardier against noise on data it has not seen",
    source="Training DNNs: Jacobian regularization",
    question="What does a penalty on the derivative of outputs by inputs do to a network, and is its gradient right?",
    params={"sets": 40, "checks": 20},
    quick={"sets": 10, "checks": 5},
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
