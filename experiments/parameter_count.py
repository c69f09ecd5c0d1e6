"""How many numbers a network learns, and where they are (lectures A and B; the notebook's CNN).

A linear layer from n to m units has a weight for each pair and a bias for each output, (n + 1) m. A convolution with
k × k kernels is a linear layer on patches of k² n inputs that shares its weights over the image, (k² n + 1) m, however
large the image is. Normalization before the activation trades the m biases for m scales and m shifts.

Measured are the networks of `optlab.nn`: the length of their parameter vector, and how many of its numbers the loss
depends on (a slope that is not 0). The notebook's CNN is counted by the same means, a convolution as the linear layer
on patches that it is: kernels of 3 × 3, and 32 × 32 pixels halved by each pooling; the printed total needs four.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import optlab as ol
from optlab import plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, exact
from optlab.nn import MLP
from optlab.random import derive_seed

NETWORKS = {"small": ((50, 100, 100, 10), 16_210), "digits": ((784, 512, 512, 10), 669_706)}
"""The lectures' networks and their totals."""
CHANNELS, PIXELS, KERNEL, DENSE = (3, 64, 128, 256, 256), 32, 9, (512, 10)
CNN, POOLINGS = 1_490_826, 4
NORMS = ((None, "before"), ("batch", "before"), ("layer", "after"))


def formula(widths: Sequence[int], norm: str | None = None, position: str = "before") -> int:
    """Σ (n + 1) m, and what normalization adds to the hidden layers: 2 m, less the m biases that it makes idle."""
    linear = sum((n + 1) * m for n, m in pairwise(widths))
    return linear + (0 if norm is None else 1 if position == "before" else 2) * sum(widths[1:-1])


def cnn_layers(poolings: int) -> list[tuple[int, int]]:
    """Inputs and outputs of each layer of the notebook's network, a convolution's inputs being a patch."""
    convolutions = [(KERNEL * n, m) for n, m in pairwise(CHANNELS)]
    flat = CHANNELS[-1] * (PIXELS // 2**poolings) ** 2
    return [*convolutions, *zip((flat, *DENSE), DENSE, strict=False)]


def cnn_total(poolings: int) -> int:
    """By the lengths of parameter vectors."""
    return sum(MLP(layer).dim for layer in cnn_layers(poolings))


def by_layer(mlp: MLP) -> np.ndarray:
    """Weights and biases of each layer, (layers, 2)."""
    sizes = {segment.name: segment.size for segment in mlp.layout}
    return np.array([[sizes[f"layers.{k}.{name}"] for name in ("weight", "bias")] for k in range(len(mlp.widths) - 1)])


def used(widths: Sequence[int], seed: int) -> int:
    """How many parameters the loss depends on, by slopes at a random point and random data."""
    mlp = MLP(widths, "tanh", dtype="float64", init="xavier_normal")
    x = ol.random.normal((8, widths[0]), derive_seed(seed, "x"))
    f = mlp.on(x, ol.random.integers(8, widths[-1], derive_seed(seed, "y")))
    return int(np.count_nonzero(f.grad(mlp.init(derive_seed(seed, "theta")))))


def random_widths(p: Params, seed: int) -> list[tuple[int, ...]]:
    """Networks of one to five layers, as wide as up to p.widest."""
    depths = 2 + ol.random.integers(p.networks, 5, derive_seed(seed, "depths"))
    widths = 1 + ol.random.integers(p.networks * 6, p.widest, derive_seed(seed, "widths")).reshape(-1, 6)
    return [tuple(int(n) for n in row[:depth]) for row, depth in zip(widths, depths, strict=True)]


def compute(p: Params, seed: int, progress: Progress) -> dict[str, np.ndarray]:
    """Totals, parts, slopes that are not 0, and random networks against the formula."""
    gaps = []
    for widths in random_widths(p, seed):
        for norm, position in NORMS:
            mlp = MLP(widths, norm=norm, norm_position=position)
            gaps.append(mlp.dim - formula(widths, norm, position))
    return {
        "totals": np.array([MLP(widths).dim for widths, _ in NETWORKS.values()]),
        "used": np.array([used(widths, derive_seed(seed, name)) for name, (widths, _) in NETWORKS.items()]),
        **{name: by_layer(MLP(widths)) for name, (widths, _) in NETWORKS.items()},
        "cnn": np.concatenate([by_layer(MLP(layer)) for layer in cnn_layers(POOLINGS)]),
        "poolings": np.array([cnn_total(poolings) for poolings in range(6)]),
        "gaps": np.array(gaps),
    }


def claims(data: Data, p: Params) -> list[Claim]:
    """The printed totals, that every parameter counts, and the formula on random networks."""
    found = []
    for (name, (widths, total)), dim, slopes in zip(NETWORKS.items(), data["totals"], data["used"], strict=True):
        label = "-".join(map(str, widths))
        found.append(exact(name, f"{label} has as many parameters as printed.", dim, total))
        said = f"{label}: the loss depends on each of them: how many slopes are not 0."
        found.append(exact(f"{name}_used", said, slopes, total))
    fits = np.flatnonzero(data["poolings"] == CNN)
    rule = f"(n + 1) m, 2 m for a normalization, less m idle biases: {len(data['gaps'])} random networks: largest gap."
    only = "Of 0 to 5 poolings only one number gives the notebook's total: the least and the most that do."
    return [
        *found,
        exact("cnn", "The notebook's CNN has as many parameters as printed.", data["cnn"].sum(), CNN),
        exact("poolings_least", only, fits.min(initial=6), POOLINGS),
        exact("poolings_most", only, fits.max(initial=-1), POOLINGS),
        exact("formula", rule, np.abs(data["gaps"]).max(), 0),
    ]


def draw(ax: Axes, parts: np.ndarray, names: Sequence[str], title: str) -> None:
    """A bar for each layer, with its number."""
    total = parts.sum(axis=1)
    rows = np.arange(len(parts))
    colors = [plotting.GREEN if name.startswith("conv") else plotting.BLUE for name in names]
    ax.barh(rows, total, color=colors, height=0.6)
    for row, count in zip(rows, total, strict=True):
        ax.annotate(f"{count:,}", (count, row), xytext=(6, 0), textcoords="offset points", va="center")
    ax.set_yticks(rows, names)
    ax.set(xlim=(0, 1.32 * total.max()), ylim=(len(parts) - 0.4, -0.6), title=f"{title}: {total.sum():,}")
    ax.set_xticks([])
    ax.grid(False)
    ax.spines["bottom"].set_visible(False)
    ax.tick_params(length=0)


def plot(data: Data, p: Params) -> Figure:
    """The lectures' networks at the left, the notebook's at the right."""
    sheet, ((small, cnn), (digits, spare)) = plotting.figure(2, 2)
    cnn.set_subplotspec(cnn.get_gridspec()[:, 1])
    spare.remove()
    for ax, (name, (widths, _)) in zip((small, digits), NETWORKS.items(), strict=True):
        names = [f"{n} → {m}" for n, m in pairwise(widths)]
        draw(ax, data[name], names, "-".join(map(str, widths)))
    names = [f"conv {n} → {m}" for n, m in pairwise(CHANNELS)]
    names += [f"{n:,} → {m}" for n, m in cnn_layers(POOLINGS)[-2:]]
    draw(cnn, data["cnn"], names, "the notebook's CNN")
    cnn.text(0.99, 0.97, "convolution: (9 n + 1) m,\nhowever large the image", **_at(cnn, plotting.GREEN))
    cnn.text(0.99, 0.855, "linear n → m: (n + 1) m", **_at(cnn, plotting.BLUE))
    return sheet


def _at(ax: Axes, color: str) -> dict[str, Any]:
    return {"transform": ax.transAxes, "color": color, "ha": "right", "va": "top"}


experiment = Experiment(
    title="A linear layer learns (n + 1) m numbers, a convolution (9 n + 1) m, however large the image",
    source="Additional Techniques; Training DNNs; the notebook: number of parameters",
    question="How many parameters does a network have, and in which layers?",
    params={"networks": 200, "widest": 200},
    quick={"networks": 50, "widest": 100},
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
