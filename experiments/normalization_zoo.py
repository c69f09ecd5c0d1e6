"""Which numbers share a mean and a variance: batch, layer, instance, group and weight normalization (lectures B and I).

Numbers stand by sample, channel and position. Batch normalization takes its statistics over samples and positions,
layer normalization over channels and positions, instance normalization over positions, group normalization over some
channels and positions. What is normalized in parts is so in wholes made of them: instance gives all four, group gives
layer. Each output ignores the scale of what it divides by, and only batch normalization looks at other samples. Weight
normalization looks at no sample: w = g v/|v| has the length g, and a gradient by v has no part along v.

Batch normalization at batch size B: a normal unit z and its normalized value have the correlation E s, s the (biased)
standard deviation of B draws, √(2/B) Γ(B/2)/Γ((B − 1)/2). For B = 2 that is 1/√π: the normalized values are 1 and −1,
and only the order of the two survives. So in training the test error rises at small batches, with batch normalization
alone. Every kind and batch size has the same learning rates to choose from, on other data sets than those shown.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import optlab as ol
from optlab import ops, plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, bounded, exact, mean
from optlab.random import derive_seed, normal

Array = np.ndarray
SAMPLES, CHANNELS, POSITIONS, GROUPS = 6, 8, 10, 4
PARTS: dict[str, Callable[[Array], Array]] = {  # rows that share their statistics
    "batch": lambda x: x.transpose(1, 0, 2).reshape(CHANNELS, -1),
    "layer": lambda x: x.reshape(SAMPLES, -1),
    "instance": lambda x: x.reshape(SAMPLES * CHANNELS, -1),
    "group": lambda x: x.reshape(SAMPLES * GROUPS, -1),
}
NORMALIZED = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [1, 1, 1, 1], [0, 1, 0, 1]], bool)
"""Whether normalization by the row's kind leaves mean 0 and variance 1 in the column's parts."""
IGNORED = np.array([[0, 1, 0], [1, 0, 1], [1, 1, 1], [1, 0, 1]], bool)
"""Whether it ignores the scale of a sample, that of a channel, and another sample."""
ROUNDING = 1e-12
"""Some eps times a variance of up to 30 over the least one, near 0.1."""
INPUTS, CLASSES, WIDTH, TRAIN, TEST, EPOCHS = 16, 4, 32, 512, 1024, 6
KINDS: dict[str, Mapping[str, Any]] = {
    "batch": {"norm": "batch"},
    "layer": {"norm": "layer"},
    "group": {"norm": "group", "groups": 4},
    "none": {},
}
BATCHES = (2, 4, 8, 16, 64)
LRS = 2.0 ** np.arange(-7, 1)


def normalize(kind: str, x: Array) -> Array:
    """One of PARTS by its kernel, ε = 0."""
    if kind == "batch":
        rows = np.ascontiguousarray(x.transpose(0, 2, 1)).reshape(-1, CHANNELS)
        y = ops.batch_norm_forward(rows, eps=0.0)[0].reshape(SAMPLES, POSITIONS, CHANNELS)
        return np.ascontiguousarray(y.transpose(0, 2, 1))
    if kind == "layer":
        return ops.layer_norm_forward(x.reshape(SAMPLES, -1), eps=0.0)[0].reshape(x.shape)
    if kind == "instance":
        return ops.instance_norm_forward(x, eps=0.0)[0]
    return ops.group_norm_forward(x, GROUPS, eps=0.0)[0]


def axes_of(seed: int) -> tuple[Array, Array]:
    """For each kind: the largest |mean| or |variance − 1| in each kind's parts, and the largest change by IGNORED."""
    shape = (SAMPLES, CHANNELS, POSITIONS)
    drawn = normal((2 * SAMPLES, CHANNELS * POSITIONS), seed).reshape(2, *shape)
    x = drawn[0] * (1 + np.arange(CHANNELS))[:, None] + normal(shape[:2], seed, step=1)[:, :, None]
    louder, brighter, other = x.copy(), x.copy(), x.copy()
    louder[0] *= 3
    brighter[:, 0] *= 3
    other[1] = drawn[1, 1]
    left, changed = np.empty((4, 4)), np.empty((4, 3))
    for i, kind in enumerate(PARTS):
        y = normalize(kind, x)
        for j, part in enumerate(PARTS.values()):
            rows = part(y)
            left[i, j] = max(np.abs(rows.mean(axis=1)).max(), np.abs(rows.var(axis=1) - 1).max())
        for j, moved in enumerate((louder, brighter, other)):
            changed[i, j] = np.abs(normalize(kind, moved) - y)[0].max()
    return left, changed


def weights(seed: int) -> Array:
    """Weight normalization: |w| over g, the change when v is scaled, the part of dv along v; the largest of each."""
    v, g = normal((CHANNELS, INPUTS), seed), 1 + normal((CHANNELS,), seed, step=1) ** 2
    w, norm = ops.weight_norm_forward(v, g)
    dv, _ = ops.weight_norm_backward(normal(v.shape, seed, step=2), v, g, norm)
    along = np.sum(dv * v, axis=1) / np.linalg.norm(dv, axis=1) / norm
    scaled = ops.weight_norm_forward(3 * v, g)[0]
    found = (np.linalg.norm(w, axis=1) / g - 1, (scaled - w) / np.abs(w).max(), along)
    return np.array([np.abs(each).max() for each in found])


def survives(p: Params, seed: int) -> Array:
    """The correlation of normal units with their normalized values, for each of BATCHES."""
    found = []
    for b in BATCHES:
        z = normal((b, p.columns), seed, step=b)
        found.append(np.mean(z * ops.batch_norm_forward(z, eps=0.0)[0]))
    return np.array(found)


def expected_spread(b: int) -> float:
    """E s of b normal draws, s biased."""
    return math.sqrt(2 / b) * math.exp(math.lgamma(b / 2) - math.lgamma((b - 1) / 2))


def mixture(n: int, seed: int, step: int) -> tuple[Array, Array]:
    """Two normal clouds to each class, around random centres."""
    clouds = np.arange(n) % (2 * CLASSES)
    rows = 0.8 * normal((2 * CLASSES, INPUTS), seed)[clouds] + normal((n, INPUTS), seed, step=step)
    return rows.astype(np.float32), clouds % CLASSES


def errors(kind: str, batch: int, lrs: Array, seed: int) -> Array:
    """Test errors after EPOCHS, one for each rate."""
    (x, y), (test_x, test_y) = mixture(TRAIN, seed, 1), mixture(TEST, seed, 2)
    mlp = ol.nn.MLP([INPUTS, WIDTH, WIDTH, CLASSES], **KINDS[kind])
    start = np.tile(mlp.init(derive_seed(seed, "start")), (len(lrs), 1))
    options = {"batch_size": batch, "sampling": "shuffle", "seed": seed, "record": []}
    path = ol.descend(mlp.on(x, y), ol.SGD(lr=lrs), start, EPOCHS * TRAIN // batch, nonfinite="stop", **options)
    found = []
    for run, theta in enumerate(path.last):
        stats = mlp.averages(path.state, run) if kind == "batch" else None
        logits = mlp.predict(theta, test_x, stats)
        found.append(np.mean(logits.argmax(axis=1) != test_y) if np.isfinite(logits).all() else 1 - 1 / CLASSES)
    return np.array(found)


def compute(p: Params, seed: int, progress: Progress) -> dict[str, Array]:
    """Axes, weights, what survives; then training, rates chosen first."""
    parts = [derive_seed(seed, "tensor", k) for k in range(p.tensors)]
    left, changed = zip(*(axes_of(each) for each in parts), strict=True)
    tuned, shown = np.empty((len(KINDS), len(BATCHES)), int), np.empty((len(KINDS), len(BATCHES), p.sets))
    for i, kind in enumerate(KINDS):
        for j, batch in enumerate(BATCHES):
            progress((i + j / len(BATCHES)) / len(KINDS), f"{kind}, batches of {batch}")
            tuning = [errors(kind, batch, LRS, derive_seed(seed, "tuning", k)) for k in range(p.tuning)]
            tuned[i, j] = np.argmin(np.mean(tuning, axis=0))
            rate = LRS[tuned[i, j] : tuned[i, j] + 1]
            shown[i, j] = [errors(kind, batch, rate, derive_seed(seed, "shown", k))[0] for k in range(p.sets)]
    return {
        "left": np.array(left),
        "changed": np.array(changed),
        "weights": np.array([weights(each) for each in parts]),
        "survives": np.array([survives(p, each) for each in parts]),
        "tuned": tuned,
        "error": shown,
    }


def kernel_claims(data: Data) -> list[Claim]:
    """Axes, invariances, weights, batches of few."""
    pattern = "Mean 0 and variance 1 where the axes say so and nowhere else: entries of 4 × 4 that disagree."
    ignore = "Scale of a sample, scale of a channel, another sample: ignored as predicted; entries that disagree."
    row = "Weight normalization: |w| = g, blind to |v|, no gradient along v; the largest deviation."
    two = "Batches of two: what batch normalization leaves of a unit, its correlation; the mean."
    eight = "Batches of eight: the same."
    return [
        exact("axes", pattern, np.sum((data["left"] < ROUNDING) != NORMALIZED), 0),
        exact("ignored", ignore, np.sum((data["changed"] < ROUNDING) != IGNORED), 0),
        bounded("weights", row, data["weights"].max(), (0.0, ROUNDING)),
        *(
            mean(name, said, data["survives"][:, BATCHES.index(b)], law := expected_spread(b), (law - 0.02, law + 0.02))
            for name, said, b in (("two", two, 2), ("eight", eight, 8))
        ),
    ]


def claims(data: Data, p: Params) -> list[Claim]:
    """Kernels, then training."""
    batch, layer, group, _ = data["error"]
    small, large = 0, len(BATCHES) - 1
    said = {
        "degrades": f"Batch normalization, batches of two: test error above that with batches of {BATCHES[-1]}; mean.",
        "group_two": "Batches of two: test error with batch normalization above that with group; mean.",
        "layer_two": "Batches of two: test error with batch normalization above that with layer; mean.",
        "group": f"Group normalization: test error at batches of two less that at {BATCHES[-1]}; mean.",
        "layer": f"Layer normalization: test error at batches of two less that at {BATCHES[-1]}; mean.",
        "sixteen": "Batches of 16: test error with batch normalization less that with group; mean.",
    }
    sixteen = BATCHES.index(16)
    return [
        *kernel_claims(data),
        mean("degrades", said["degrades"], batch[small] - batch[large], None, (0.1, None)),
        mean("group_two", said["group_two"], batch[small] - group[small], None, (0.1, None)),
        mean("layer_two", said["layer_two"], batch[small] - layer[small], None, (0.1, None)),
        mean("group", said["group"], group[small] - group[large], None, (None, 0.05)),
        mean("layer", said["layer"], layer[small] - layer[large], None, (None, 0.05)),
        mean("sixteen", said["sixteen"], batch[sixteen] - group[sixteen], None, (None, 0.03)),
    ]


def draw_axes(ax: Axes, kind: str) -> None:
    """Samples by channels, one colour for each set of numbers that shares its statistics."""
    sample, channel = np.meshgrid(np.arange(SAMPLES), np.arange(CHANNELS))
    sets = {
        "batch": channel,
        "layer": sample,
        "instance": sample + channel,
        "group": sample + channel // (CHANNELS // GROUPS),
    }
    palette = np.array([[0, 114, 178], [230, 159, 0], [0, 158, 115], [204, 121, 167]]) / 255
    ax.imshow(palette[sets[kind] % len(palette)], aspect="auto", alpha=0.85)
    ax.set_xticks(np.arange(0.5, SAMPLES - 1), [])
    ax.set_yticks(np.arange(0.5, CHANNELS - 1), [])
    ax.grid(True, color="white", linewidth=2)
    ax.tick_params(length=0)
    ax.set(title=kind, xlabel="sample")
    if kind == "batch":
        ax.set(ylabel="channel")


def draw_survival(ax: Axes, data: Data) -> None:
    """The correlation of units with their normalized values by batch size."""
    ax.plot(BATCHES, data["survives"].mean(axis=0), "o", color=plotting.VERMILLION, markersize=10)
    fine = np.arange(2, BATCHES[-1] + 1)
    line = plotting.theory_line(ax, fine, [expected_spread(int(b)) for b in fine], "theory: E s of B draws")
    ax.annotate(
        "1/√π: only\nthe order", (2, expected_spread(2)), (3.4, 0.6), va="center", arrowprops={"arrowstyle": "-"}
    )
    ax.set(
        xscale="log",
        ylim=(0.5, 1.03),
        xlabel="batch size B",
        ylabel="correlation",
        title="What batch norm leaves of a unit",
    )
    ax.set_xticks(BATCHES, [str(b) for b in BATCHES])
    ax.minorticks_off()
    ax.legend(handles=[line], loc="lower right")


def draw_errors(ax: Axes, data: Data) -> None:
    """Test errors by batch size, each with its own best rate."""
    looks = ((plotting.VERMILLION, "o-"), (plotting.BLUE, "s-"), (plotting.GREEN, "^-"), ("#777777", "d:"))
    for error, kind, (color, style) in zip(data["error"], KINDS, looks, strict=True):
        ax.plot(BATCHES, 100 * error.mean(axis=1), style, color=color, label=kind)
    ax.set(
        xscale="log",
        ylim=(0, None),
        xlabel="batch size B",
        ylabel="test error [%]",
        title="At small batches batch norm alone fails",
    )
    ax.set_xticks(BATCHES, [str(b) for b in BATCHES])
    ax.minorticks_off()
    ax.legend(loc="upper right")


def plot(data: Data, p: Params) -> Figure:
    """The axes above; batches of few below."""
    sheet, (above, (left, spare, right, rest)) = plotting.figure(2, 4, height_ratios=(1, 1.3))
    for ax, kind in zip(above, PARTS, strict=True):
        draw_axes(ax, kind)
    left.set_subplotspec(left.get_gridspec()[1, :2])
    right.set_subplotspec(right.get_gridspec()[1, 2:])
    spare.remove()
    rest.remove()
    sheet.suptitle("Each colour shares one mean and one variance")
    draw_survival(left, data)
    draw_errors(right, data)
    return sheet


experiment = Experiment(
    title="Normalizations differ in what shares a mean and a variance; over few samples only batch normalization fails",
    source="Training DNNs; Important Techniques: batch, layer, instance, group and weight normalization",
    question="Which numbers does each normalization average over, what does it ignore, and what do small batches cost?",
    params={"tensors": 60, "columns": 4000, "tuning": 10, "sets": 60},
    quick={"tensors": 16, "columns": 2000, "tuning": 2, "sets": 12},
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
