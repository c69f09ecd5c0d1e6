"""What each optimizer keeps in memory for every parameter (lecture *Training neural networks 2*).

Training holds, for each parameter, its weight and its gradient, and besides what the optimizer remembers: a momentum
(an average or a sum of gradients) and an adaptive state (what the step is divided by, or a scale of it). In float32
each of these takes four bytes: 8 bytes a parameter for SGD, 12 with momentum, 16 for Adam.

The table `KEEPS` says what each optimizer should keep. It must name every optimizer that the library exports: one that
it does not know fails a claim. Measured are the arrays of a fresh state, and, as a second opinion, what NumPy asked the
allocator for meanwhile (`tracemalloc`). Both count a few hundred bytes besides, which do not grow with the network: the
step counter and a text that says whose state it is. Nothing is random here; the seed changes nothing.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import optlab as ol
from optlab import optim, plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, bounded, exact

Bytes = Callable[[int, int], int]
"""How many bytes are kept for a number of parameters of a number of bytes each."""

DTYPES = ("float32", "float64")
CONSTANT = 16_384  # bytes that an optimizer may take besides, however large the network is
COLUMNS = ("momentum", "adaptive", "left", "peak", "stepping")
MOMENTUM = ("momentum_buffer", "delta", "exp_avg", "exp_avg_scale")
"""The names of state arrays that are momentum; all others but the counter and the text are adaptive."""
NEITHER = ("step", "format")


def arrays(count: int) -> Bytes:
    """As many arrays, each with a number of the parameters' own type for every parameter."""
    return lambda n, size: count * n * size


def eight_bits(n: int, _: int) -> int:
    """A byte for every parameter, and a float32 scale for every block of 256, whatever the parameters' type."""
    return n + 4 * -(-n // 256)


NONE, ONE, TWO = arrays(0), arrays(1), arrays(2)
KEEPS: dict[str, tuple[type[ol.Optimizer], dict[str, object], Bytes, Bytes]] = {
    "SGD": (ol.SGD, {"lr": 0.1}, NONE, NONE),
    "SGD momentum": (ol.SGD, {"lr": 0.1, "momentum": 0.9}, ONE, NONE),
    "SGD Nesterov": (ol.SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True}, ONE, NONE),
    "HeavyBall": (ol.HeavyBall, {"lr": 0.1, "momentum": 0.9}, ONE, NONE),
    "AveragedMomentum": (ol.AveragedMomentum, {"lr": 0.1}, ONE, NONE),
    "LARS": (ol.LARS, {"lr": 0.1}, ONE, NONE),
    "Adagrad": (ol.Adagrad, {}, NONE, ONE),
    "RMSprop": (ol.RMSprop, {}, NONE, ONE),
    "RMSprop centered": (ol.RMSprop, {"centered": True}, NONE, TWO),
    "RMSprop momentum": (ol.RMSprop, {"momentum": 0.9}, ONE, ONE),
    "Adadelta": (ol.Adadelta, {}, NONE, TWO),
    "Adam": (ol.Adam, {}, ONE, ONE),
    "AdamW": (ol.AdamW, {}, ONE, ONE),
    "Adamax": (ol.Adamax, {}, ONE, ONE),
    "NAdam": (ol.NAdam, {}, ONE, ONE),
    "LAMB": (ol.LAMB, {"lr": 0.1}, ONE, ONE),
    "Adam amsgrad": (ol.Adam, {"amsgrad": True}, ONE, TWO),
    "SparseAdam": (ol.SparseAdam, {}, ONE, ONE),
    "AdamW 8-bit": (ol.AdamW8bit, {}, eight_bits, eight_bits),
}
"""Each optimizer in every form that keeps something else: what it is built from, its momentum, its adaptive state."""


def exported() -> set[str]:
    """The optimizers that users can take from the library, without the base of all."""
    return {name for name in optim.__all__ if name != "Optimizer"}


def state_bytes(state: dict[str, np.ndarray]) -> tuple[int, int]:
    """The bytes of the momentum and of the adaptive state."""
    momentum = sum(array.nbytes for name, array in state.items() if name in MOMENTUM)
    rest = sum(array.nbytes for name, array in state.items() if name not in (*MOMENTUM, *NEITHER))
    return momentum, rest


def once(way: ol.Optimizer, x: np.ndarray, grad: np.ndarray) -> tuple[int, ...]:
    """The bytes of COLUMNS for a fresh state and two steps."""
    tracemalloc.start()
    state = way.init(x)
    left, peak = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    for _ in range(2):
        way.step(x, grad, state)
    stepping = tracemalloc.get_traced_memory()[1] - left
    tracemalloc.stop()
    return (*state_bytes(state), left, peak, stepping)


def measure(name: str, n: int, dtype: str) -> np.ndarray:
    """The bytes of COLUMNS for n parameters: the least of a few times, as other threads allocate, too."""
    build, options, *_ = KEEPS[name]
    dtype = "float32" if build is ol.AdamW8bit else dtype  # it takes no other
    way, x, grad = build(**options), np.ones(n, dtype), np.ones(n, dtype)
    return np.min([once(way, x, grad) for _ in range(4)], axis=0)


def compute(p: Params, seed: int, progress: Progress) -> dict[str, np.ndarray]:
    """The bytes of every optimizer, (dtypes, optimizers, columns), and how many optimizers the table lacks."""
    found = []
    for i, dtype in enumerate(DTYPES):
        progress(i / len(DTYPES), dtype)
        found.append([measure(name, p.parameters, dtype) for name in KEEPS])
    return {"bytes": np.array(found), "unlisted": len(exported() - {build.__name__ for build, *_ in KEEPS.values()})}


def predicted(p: Params) -> np.ndarray:
    """The table's bytes of momentum and adaptive state, (dtypes, optimizers, 2)."""
    sizes = [np.dtype(dtype).itemsize for dtype in DTYPES]
    return np.array([[[part(p.parameters, size) for part in row[2:]] for row in KEEPS.values()] for size in sizes])


def worst(differences: np.ndarray) -> float:
    """The one that is farthest from 0."""
    return float(differences.flat[np.argmax(np.abs(differences))])


def table_claims(data: Data, p: Params) -> list[Claim]:
    """The lecture's table in float32, a row a claim."""
    found, n = [], p.parameters
    for name, measured, kept in zip(KEEPS, data["bytes"][0], predicted(p)[0] / n, strict=True):
        said = f"{name}: weight 4, gradient 4, momentum {kept[0]:g}, adaptive state {kept[1]:g}: bytes a parameter."
        label = name.lower().replace(" ", "_")
        found.append(exact(label, said, 8 + measured[:2].sum() / n, 8 + kept.sum()))
    return found


def claims(data: Data, p: Params) -> list[Claim]:
    """The table, its columns in both number types, what the allocator says, and that nobody is left out."""
    found, table = dict(zip(COLUMNS, np.moveaxis(data["bytes"], 2, 0), strict=True)), predicted(p)
    total, few = table.sum(axis=2), (0, CONSTANT)
    said = {
        "momentum": "The momentum alone, in float32 and float64: the bytes farthest from the table.",
        "adaptive": "The adaptive state alone, in float32 and float64: the bytes farthest from the table.",
        "allocated": "NumPy asked for that and a small constant: bytes beyond the table after init, at most.",
        "peak": "Init makes no array that it does not keep: bytes beyond the table at its peak, at most.",
        "in_place": f"A step makes no array, of {4 * p.parameters} bytes each: bytes at its peak, at most.",
        "none_left_out": "The table knows every optimizer of the library: the ones that it lacks.",
    }
    return [
        *table_claims(data, p),
        exact("momentum", said["momentum"], worst(found["momentum"] - table[..., 0]), 0),
        exact("adaptive", said["adaptive"], worst(found["adaptive"] - table[..., 1]), 0),
        bounded("allocated", said["allocated"], worst(found["left"] - total), few),
        bounded("peak", said["peak"], worst(found["peak"] - total), few),
        bounded("in_place", said["in_place"], found["stepping"].max(), few),
        exact("none_left_out", said["none_left_out"], data["unlisted"], 0),
    ]


def draw_bars(ax: Axes, columns: dict[str, np.ndarray]) -> None:
    """Stacked bars in megabytes, the smallest on top."""
    total = sum(columns.values())
    order = np.argsort(-total, kind="stable")
    left = np.zeros(len(order))
    for (label, values), color in zip(columns.items(), ("#bbbbbb", "#777777", *plotting.COLORS), strict=False):
        ax.barh(range(len(order)), values[order], left=left, color=color, edgecolor="white", label=label)
        left += values[order]
    for row, end in enumerate(left):
        ax.text(end + 0.12, row, f"{end:.1f}", va="center")
    ax.set_yticks(range(len(order)), [list(KEEPS)[i] for i in order])


def plot(data: Data, p: Params) -> Figure:
    """One bar for every optimizer."""
    sheet, ax = plotting.figure()
    each = np.full(len(KEEPS), 4.0 * p.parameters)
    momentum, adaptive = data["bytes"][0, :, :2].T
    parts = {"weights": each, "gradients": each, "momentum": momentum, "adaptive state": adaptive}
    draw_bars(ax, {label: values / 1e6 for label, values in parts.items()})
    ax.set(xlabel=f"memory in MB, float32, {p.parameters:,} parameters", xlim=(0, 15.5 * p.parameters / 669_706))
    ax.set_title("Momentum costs one more copy of the network, Adam two")
    ax.grid(axis="y", visible=False)
    ax.legend(loc="upper right")
    return sheet


experiment = Experiment(
    title="Momentum costs one more copy of the network, Adam two",
    source="Training neural networks 2, memory of the optimizers",
    question="How many bytes does each optimizer need for a parameter?",
    params={"parameters": 669_706},
    quick={},
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
