"""What the first weights decide: how far a signal comes, whether units differ, whether a deep network trains at all.

q_l is the mean square of what layer l puts out, of 30 layers with normal inputs, n units and weights of variance σ²/n.

* ReLU: E q_l = (σ²/2) q_{l−1}, exactly. Kaiming's σ² = 2 keeps it and σ² = 1 halves it. √2 times an orthogonal matrix
  keeps it, too.
* PyTorch's linear layer begins with U(±1/√n), σ² = ⅓, and so does its bias, which A takes for 0. Then
  E q_l = (q_{l−1} + 1/n)/6 for ReLU: the input is lost, and 1/(5n) of the biases remains. Without them 6⁻ˡ does.
* tanh: q_l = E tanh²(σ √q_{l−1} Z), Z normal, for wide networks: Xavier's σ² = 1 fades as 1/l, σ² = ⅓ as 3⁻ˡ.
* Defazio and Bottou's variance 2/√(n_in n_out) gives E q_l = √(n_0/n_l) q_0, whatever the widths between.
* A network of 30 layers trains by SGD from variance 2/n (ReLU) or from Xavier's weights (tanh). From 1/n (ReLU) or
  U(±1/√n) (tanh) it stays at log 4, four classes being guessed, at a step twenty times as long, too. Gradients are
  clipped at norm 1 in all of them, as a rare long one throws a network of width 64 back.
* From zero weights no weight ever moves. From equal ones the units of a layer stay equal, to the last bit.
"""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import optlab as ol
from optlab import plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, bounded, exact, mean
from optlab.nn import init
from optlab.random import derive_seed, normal

Array = np.ndarray
WIDTH, NARROW, DEPTH, ROWS = 128, 32, 30, 16
INPUTS, CLASSES, SAMPLES, CHANCE = 16, 4, 128, math.log(4)
DEEP, BATCH = 64, 16
"""The width of deep networks that are trained, and their batch."""
FLOOR = slice(12, None)
"""Layers by which PyTorch's networks have forgotten their input, for 6⁻¹² is far below 1/n."""


SIGNALS = {
    "Kaiming": ("relu", init.KaimingNormal(), "zeros"),
    "orthogonal·√2": ("relu", init.Orthogonal(math.sqrt(2)), "zeros"),
    "Xavier": ("relu", init.XavierNormal(), "zeros"),
    "PyTorch": ("relu", init.TorchDefault(), "torch_default"),
    "PyTorch without bias": ("relu", init.TorchDefault(), "zeros"),
    "Defazio–Bottou": ("relu", init.DefazioBottou(), "zeros"),
    "tanh Xavier": ("tanh", init.XavierUniform(), "zeros"),
    "tanh orthogonal": ("tanh", init.Orthogonal(), "zeros"),
    "tanh U(±1/√n)": ("tanh", init.TorchDefault(), "zeros"),
}
"""The activation, and the initializers of weights and biases."""
TRAINED = {
    "ReLU, variance 2/n": ("relu", "kaiming_normal", (0.05,)),
    "ReLU, variance 1/n": ("relu", "xavier_normal", (0.05, 1.0)),
    "tanh, Xavier": ("tanh", "xavier_uniform", (0.05,)),
    "tanh, U(±1/√n)": ("tanh", "torch_default", (0.05, 1.0)),
}
"""The activation, the initializer, and the steps of SGD: those that fail may also take a long one."""
EQUAL = {"random": "kaiming_normal", "equal": init.Constant(0.1), "zero": "zeros"}


def widths(name: str) -> list[int]:
    """The widths of a network that passes a signal on: equal ones, or alternating for Defazio and Bottou."""
    return [WIDTH, *((NARROW if name == "Defazio–Bottou" and k % 2 else WIDTH) for k in range(1, DEPTH + 1)), 1]


def signal(p: Params, seed: int, name: str) -> tuple[Array, Array]:
    """The mean square q by layer, shape (nets, depth + 1), and hidden biases where they are drawn."""
    activation, weights, biases = SIGNALS[name]
    mlp = ol.nn.MLP(widths(name), activation, init=weights, bias_init=biases, dtype="float64")
    found, drawn = [], []
    for net in range(p.nets):
        theta, x = mlp.init(seed, first_run=net), normal((1, ROWS * WIDTH), seed, first_run=net).reshape(ROWS, WIDTH)
        sizes = mlp.on(x, np.zeros(ROWS), "mse").norms(theta)["outputs"][:-1]
        found.append(np.append(np.mean(x * x), sizes**2 / (ROWS * np.array(widths(name)[1:-1]))))
        drawn.append([mlp.views(theta)[f"layers.{layer}.bias"] for layer in range(0, DEPTH, 2)])
    return np.array(found), np.array(drawn if name == "PyTorch" else [])


def law(name: str) -> Array:
    """What :func:`signal` gives in expectation, from q = 1; for tanh at infinite width."""
    z, share = np.polynomial.hermite_e.hermegauss(120)
    share, q = share / share.sum(), [1.0]
    for _ in range(DEPTH):
        before = q[-1]
        q.append(
            {
                "Kaiming": before,
                "orthogonal·√2": before,
                "Xavier": before / 2,
                "PyTorch": (before + 1 / WIDTH) / 6,
                "PyTorch without bias": before / 6,
                "Defazio–Bottou": 0.0,
            }.get(name, float(share @ np.tanh(math.sqrt(before / (3 if "U(" in name else 1)) * z) ** 2))
        )
    return np.sqrt(WIDTH / np.array(widths(name)[:-1])) if name == "Defazio–Bottou" else np.array(q)


def mixture(seed: int) -> tuple[Array, Array]:
    """Normal clouds around random centres, as many samples of each class."""
    classes = np.arange(SAMPLES) % CLASSES
    rows = 0.6 * normal((CLASSES, INPUTS), seed)[classes] + normal((SAMPLES, INPUTS), seed, step=1)
    return rows.astype(np.float32), classes


def train(p: Params, seed: int, name: str) -> Array:
    """The training loss of deep networks, shape (records, nets)."""
    activation, weights, lrs = TRAINED[name]
    mlp = ol.nn.MLP([INPUTS, *[DEEP] * DEPTH, CLASSES], activation, init=weights)
    f = mlp.on(*mixture(derive_seed(seed, "data")))
    optimizer = ol.SGD(lr=np.resize(lrs, p.trained), clip_norm=1.0)
    options = {"batch_size": BATCH, "sampling": "shuffle", "seed": derive_seed(seed, "order", name), "record_x": False}
    start = mlp.init(derive_seed(seed, "trained", name), runs=p.trained)
    return ol.descend(f, optimizer, start, p.steps, record=p.steps // 10, **options).value


def symmetry(seed: int) -> tuple[Array, Array, Array]:
    """From equal, zero and random weights: losses (kinds, records), largest weight, and how far apart units are."""
    x, y = mixture(derive_seed(seed, "data"))
    losses, largest, apart = [], [], []
    for weights in EQUAL.values():
        found = []
        for activation in ("relu", "tanh"):
            mlp = ol.nn.MLP([INPUTS, 32, 32, CLASSES], activation, init=weights)
            options = {"batch_size": 24, "seed": derive_seed(seed, "symmetry"), "record": 20, "record_x": False}
            path = ol.descend(mlp.on(x, y), ol.SGD(lr=0.1), mlp.init(derive_seed(seed, "equal")), 400, **options)
            v = mlp.views(path.last[0])
            w = [v[f"layers.{layer}.weight"] for layer in range(3)]
            gaps = [w[0] - w[0][0], w[1] - w[1][0], w[1].T - w[1].T[0], w[2].T - w[2].T[0]]
            found.append((path.value[:, 0], max(np.abs(each).max() for each in w), max(np.abs(g).max() for g in gaps)))
        losses.append(found[0][0])
        largest.append([each[1] for each in found])
        apart.append([each[2] for each in found])
    return np.array(losses), np.array(largest), np.array(apart)


def compute(p: Params, seed: int, progress: Progress) -> dict[str, Array]:
    """Signals through deep networks, their training, and equal units."""
    passed, biases = [], np.zeros(0)
    for k, name in enumerate(SIGNALS):
        progress(0.5 * k / len(SIGNALS), name)
        q, drawn = signal(p, derive_seed(seed, "signal", name), name)
        passed.append(q)
        biases = drawn if drawn.size else biases
    trained = []
    for k, name in enumerate(TRAINED):
        progress(0.5 + 0.5 * k / len(TRAINED), name)
        trained.append(train(p, seed, name))
    losses, largest, apart = symmetry(seed)
    return {
        "signals": np.array(passed),
        "laws": np.array([law(name) for name in SIGNALS]),
        "biases": np.array([np.mean(biases**2) * 3 * WIDTH, np.abs(biases).max() * math.sqrt(WIDTH)]),
        "trained": np.array(trained),
        "equal": losses,
        "largest": largest,
        "apart": apart,
    }


def signal_claims(data: Data, p: Params) -> list[Claim]:
    """The factors of all layers, and the floor of PyTorch's biases."""
    found = []
    for name, q, expected in zip(SIGNALS, data["signals"], data["laws"], strict=True):
        key = name.replace(" ", "_").replace("·√2", "").replace("–", "_").replace("U(±1/√n)", "U")
        if name == "PyTorch":
            said = f"{name}: from layer {FLOOR.start} on biases leave the mean square 1/(5n); the mean of its 5n-fold."
            found.append(mean(key, said, (5 * WIDTH * q[:, FLOOR]).mean(axis=1), 1.0, (0.9, 1.1)))
            continue
        factors = np.mean(q[:, 1:] / q[:, :-1] * expected[:-1] / expected[1:], axis=1)
        total = expected[-1] / expected[0]
        said = (
            f"{name}: {DEPTH} layers pass on {total:.2g} of a signal; the mean factor of a layer over that predicted."
        )
        found.append(mean(key, said, factors, 1.0, (0.88, 1.12)))
    second, most = data["biases"]
    spread = "PyTorch's biases are no zeros: their mean square over 1/(3n), that of U(±1/√n)."
    bound = "PyTorch's biases: the largest, over 1/√n."
    return [
        *found,
        bounded("bias_spread", spread, second, (0.97, 1.03), 1.0),
        bounded("bias_bound", bound, most, (0.99, 1.0)),
    ]


def training_claims(data: Data, p: Params) -> list[Claim]:
    """Deep networks that train and that do not, and the symmetry of units."""
    ends, found = data["trained"][:, -1], []
    for key, name, values in zip(
        ("relu_trains", "relu_stalls", "tanh_trains", "tanh_stalls"), TRAINED, ends, strict=True
    ):
        trains = key.endswith("trains")
        does = "train" if trains else "stay at guessing"
        said = f"{name}: {DEPTH} layers {does}; the mean loss after {p.steps} steps, over log 4."
        found.append(
            mean(key, said, values / CHANCE, None if trains else 1.0, (None, 0.85) if trains else (0.98, 1.05))
        )
    (random, _, _), (_, equal, _) = data["apart"].min(axis=1), data["apart"].max(axis=1)
    random_loss, equal_loss, zero_loss = data["equal"][:, -1]
    return [
        *found,
        exact(
            "zero", "Zero weights, ReLU and tanh: the largest weight after 400 steps.", data["largest"][2].max(), 0.0
        ),
        bounded(
            "zero_loss", "Zero weights, ReLU: the loss after 400 steps, over log 4.", zero_loss / CHANCE, (0.999, 1.05)
        ),
        exact("equal", "Equal weights: the largest difference of two units of a layer after 400 steps.", equal, 0.0),
        bounded(
            "equal_moves",
            "Equal weights do move: the least largest weight, which began as 0.1.",
            data["largest"][1].min(),
            (0.15, None),
        ),
        bounded("random", "Random weights: the least largest difference of two units.", random, (0.1, None)),
        bounded(
            "equal_loss",
            "ReLU: the loss from equal weights over that from random ones.",
            equal_loss / random_loss,
            (1.5, None),
        ),
    ]


def claims(data: Data, p: Params) -> list[Claim]:
    """Signals, then training."""
    return [*signal_claims(data, p), *training_claims(data, p)]


def draw_signals(ax: Axes, data: Data, places: dict[str, tuple[float, float, str, str]]) -> None:
    """The mean over networks of q by layer, and its law; a place, a colour and a marker for each kind."""
    layers, names = np.arange(DEPTH + 1), list(SIGNALS)
    for name, (x, y, color, marker) in places.items():
        k = names.index(name)
        q = data["signals"][k].mean(axis=0)
        ax.plot(layers, q, marker, color=color, markersize=10 if marker == "o" else 7)
        line = plotting.theory_line(ax, layers, data["laws"][k], "theory")
        ax.text(x, y, name, color=color)
    ax.set(yscale="log", xlabel="layer l", ylabel="mean square q")
    ax.set_xticks((0, 10, 20, 30))
    ax.legend(handles=[line], loc="lower left")


def draw_trained(ax: Axes, data: Data, p: Params) -> None:
    """The training loss of networks of 30 layers, one by one and in the mean."""
    steps = np.linspace(0, p.steps, data["trained"].shape[1])
    colors, styles = (plotting.BLUE, plotting.VERMILLION, plotting.GREEN, plotting.PURPLE), ("-", "-", "-", "--")
    for losses, color, style in zip(data["trained"], colors, styles, strict=True):
        ax.plot(steps, losses[:, :10], color=color, linewidth=0.7, alpha=0.4)
        ax.plot(steps, losses.mean(axis=1), style, color=color, linewidth=4)
    for (x, y), text, color in zip(((0.45, 1.05), (0.14, 1.6), (0.01, 0.03), (0.5, 1.6)), TRAINED, colors, strict=True):
        ax.text(x * p.steps, y, text.replace("variance ", ""), color=color)
    ax.set(ylim=(0, 2), xlabel="step of SGD", ylabel="training loss", title="30 layers: only scaled weights train")


def draw_equal(ax: Axes, data: Data) -> None:
    """The loss from random, equal and zero weights."""
    steps = np.arange(0, 401, 20)
    places = ((180, 0.22), (180, 1.0), (180, 1.47))
    for losses, text, (x, y), k in zip(data["equal"], EQUAL, places, (0, 4, 1), strict=True):
        ax.plot(steps, losses, color=plotting.COLORS[k])
        ax.text(x, y, f"{text} weights", color=plotting.COLORS[k])
    ax.set(ylim=(0, 2), xlabel="step of SGD", ylabel="training loss", title="Equal units stay equal for ever")


def plot(data: Data, p: Params) -> Figure:
    """Signals above, training below."""
    sheet, ((fading, kept), (trained, equal)) = plotting.figure(2, 2)
    draw_signals(
        fading,
        data,
        {
            "Xavier": (31, 1e-10, plotting.VERMILLION, "o"),
            "PyTorch": (31, 1e-4, plotting.PURPLE, "o"),
            "PyTorch without bias": (1.5, 1e-21, plotting.ORANGE, "o"),
            "tanh U(±1/√n)": (31, 1e-15, plotting.BLUE, "s"),
        },
    )
    fading.set(xlim=(-1, 46), ylim=(1e-28, 1e3), title="What fades (ReLU unless said)")
    draw_signals(
        kept,
        data,
        {
            "Kaiming": (3.5, 0.33, plotting.BLUE, "o"),
            "orthogonal·√2": (10.5, 0.33, plotting.SKY, "s"),
            "Defazio–Bottou": (13, 2.6, plotting.ORANGE, "o"),
            "tanh Xavier": (11, 0.012, plotting.GREEN, "o"),
            "tanh orthogonal": (17, 0.055, plotting.PURPLE, "s"),
        },
    )
    kept.set(xlim=(-1, 32), ylim=(0.004, 8), title="What stays (ReLU unless said)")
    draw_trained(trained, data, p)
    draw_equal(equal, data)
    return sheet


experiment = Experiment(
    title="A deep network trains only from weights that pass its signal on; equal weights never part",
    source="Additional Techniques; Training DNNs; Important Techniques: initialization",
    question="What do Xavier, Kaiming, PyTorch, orthogonal, Defazio–Bottou, equal and zero weights do to a network?",
    params={"nets": 100, "trained": 24, "steps": 300},
    quick={"nets": 16, "trained": 12, "steps": 200},
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
