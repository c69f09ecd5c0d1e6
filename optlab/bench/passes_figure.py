"""The picture of the benchmarks of passes: a roofline, and the share of its limit that each pass and each peer reaches.

It needs no more than the rows of matmul, batchnorm and dense, so a record can be drawn again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from optlab import plotting
from optlab.bench.updates_figure import roofs

Record = Mapping[str, Any]
PEERS = {
    "PyTorch": ("PyTorch", "D", plotting.VERMILLION),
    "PyTorch autograd": ("PyTorch", "D", plotting.VERMILLION),
    "JAX": ("JAX jitted", "^", plotting.GREEN),
    "NumPy": ("NumPy", "v", plotting.ORANGE),
}
"""What a peer is called, its shape and its colour."""


@dataclass(frozen=True)
class Work:
    """What a pass needs for the sizes that its case names.

    Operations, an exponential being one, and bytes, each array being moved as often as the formula names it.
    """

    name: str
    color: str
    operations: Callable[..., float]
    bytes: Callable[..., float]
    case: str = ""  # of those rows that are shown as bars


WORK = {
    "matmul": Work(
        *("product", plotting.BLUE),
        lambda m, k, n: 2.0 * m * k * n,
        lambda m, k, n: 4.0 * (m * k + k * n + m * n),
        case="y = x W'",
    ),
    "linear + bias + relu, both ways": Work(
        *("linear, ReLU", plotting.SKY),
        lambda b, i, o: 6.0 * b * i * o,
        lambda b, i, o: 4.0 * (3 * b * i + 4 * b * o + 3 * i * o),
    ),
    "batch norm": Work(
        *("batch norm", plotting.PURPLE),
        lambda b, n: 18.0 * b * n,
        lambda b, n: 20.0 * b * n,
        case="given outputs",
    ),
    "layer norm, both ways": Work(
        *("layer norm", plotting.VERMILLION),
        lambda b, n: 18.0 * b * n,
        lambda b, n: 20.0 * b * n,
    ),
    "softmax cross entropy, both ways": Work(
        *("cross entropy", plotting.GREEN),
        lambda b, n: 6.0 * b * n,
        lambda b, n: 8.0 * b * n,
    ),
    "dropout": Work("dropout", plotting.ORANGE, lambda n: 2.0 * n, lambda n: 8.0 * n),
}
"""By kernel. Batch and layer norm: 8 operations an element forth, 10 back."""


def plot(rows: Sequence[Record]) -> Figure:
    """The figure, from the rows of a record as :meth:`Row.to_json` gives them."""
    drawn = [row for row in rows if row["kernel"] in WORK]
    sheet, (left, right) = plotting.figure(1, 2, width_ratios=(1.0, 1.15))
    with plotting.style():
        roofline(left, drawn)
        bars(right, [row for row in drawn if WORK[row["kernel"]].case in row["case"]])
        named = dict(zip(*reversed(right.get_legend_handles_labels()), strict=True))
        named = {"optlab": named.pop("optlab"), **named}
        sheet.legend(named.values(), named, loc="outside lower center", ncols=len(named), columnspacing=1.5)
    return sheet


def sizes(row: Record) -> list[int]:
    """The sizes that the case names."""
    return [int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*", row["case"])]


def limits(rows: Sequence[Record]) -> tuple[float, float]:
    """The speed of memory, GB/s, beside the largest batch normalization, and that of products in registers, GFLOP/s."""
    bound = [row for row in rows if row["limit"].endswith("GB/s") and row["kernel"] == "batch norm"]
    memory = float(max(bound, key=lambda row: WORK["batch norm"].bytes(*sizes(row)))["limit"].split()[0])
    product = next(row for row in rows if row["limit"] == "the FMA peak")
    return memory, rate(product) / product["limit_share"]


def rate(row: Record) -> float:
    """Billions of operations a second."""
    return WORK[row["kernel"]].operations(*sizes(row)) / float(row["seconds"]) / 1e9


def roofline(ax: Axes, rows: Sequence[Record]) -> None:
    """Operations a second over operations for each byte, under the roofs of the memory and of the registers."""
    memory, peak = limits(rows)
    roofs(ax, memory, peak, right=600.0)
    for row in rows:
        work = WORK[row["kernel"]]
        at = work.operations(*sizes(row)) / work.bytes(*sizes(row)), rate(row)
        ax.plot(*at, "o", color=work.color, label=work.name, markersize=10, markeredgecolor="white", zorder=4)
    named = dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
    ax.legend(named.values(), named, loc="lower right")
    ax.set(xlabel="flop per byte that must move", ylabel="GFLOP/s", title="Passes under their roofs")


def bars(ax: Axes, rows: Sequence[Record]) -> None:
    """The share of its limit that each pass reaches, and those of its peers."""
    cases = list(dict.fromkeys((row["kernel"], row["case"]) for row in rows))[::-1]
    for row in rows:
        place, share = cases.index((row["kernel"], row["case"])), 100 * row["limit_share"]
        ax.barh(place, share, color=plotting.BLUE, height=0.6, label="optlab")
        if row["peer"] in PEERS and row["ratio"]:
            name, shape, color = PEERS[row["peer"]]
            ax.plot(share / row["ratio"], place, shape, color=color, label=name, markersize=11, markeredgecolor="white")
    ax.axvline(100, color=plotting.BLACK)
    ax.set_yticks(range(len(cases)), [_label(kernel, case) for kernel, case in cases])
    ax.grid(visible=False, axis="y")
    products = [100 * row["limit_share"] for row in rows if row["kernel"] == "matmul"]
    ax.set(xlabel="% of the limit measured beside it", xlim=(0, 105), ylim=(-0.6, len(cases) - 0.4))
    ax.set_title(f"Products: {min(products):.0f} to {max(products):.0f} % of the peak")


def _label(kernel: str, case: str) -> str:
    size = " x ".join(f"{n:.0e}".replace("e+0", "e") if n >= 10**6 else str(n) for n in sizes({"case": case}))
    return f"{WORK[kernel].name} {size}"
