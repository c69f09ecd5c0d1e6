"""The picture of the updates benchmark: a roofline, and how much of the memory's speed each update reaches.

It needs no more than the rows, so a record can be drawn again. Each rule appears at its largest size.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from optlab import plotting
from optlab.bench.updates_rules import RULES

Record = Mapping[str, Any]
Drawn = Mapping[str, Sequence[Record]]

OURS, GREY = plotting.BLUE, "#999999"
EAGER = ("PyTorch eager", "v", plotting.ORANGE)
PEERS = {
    "PyTorch fused": ("PyTorch fused", "D", plotting.VERMILLION),
    "PyTorch compiled": ("PyTorch compiled", "s", plotting.PURPLE),
    "PyTorch foreach": EAGER,
    "PyTorch loop": EAGER,
    "optax": ("optax jitted", "^", plotting.GREEN),
}
"""What a peer is called, its shape and its colour; each of the two tells them apart."""


def plot(rows: Sequence[Record]) -> Figure:
    """The figure, from the rows of a record as :meth:`Row.to_json` gives them."""
    speed = {row["limit"]: 1.0 / row["seconds"] for row in rows if row["kernel"] == "machine"}  # billions a second
    drawn = largest([row for row in rows if row["kernel"] in RULES])
    sheet, (left, right) = plotting.figure(1, 2, width_ratios=(1.0, 1.15))
    with plotting.style():
        roofline(left, drawn, speed["update bandwidth"], speed["vector peak"])
        bars(right, drawn, speed["update bandwidth"])
        named = dict(zip(*reversed(right.get_legend_handles_labels()), strict=True))
        named = {"optlab": named.pop("optlab"), **named}
        sheet.legend(named.values(), named, loc="outside lower center", ncols=len(named), columnspacing=1.5)
    return sheet


def elements(row: Record) -> int:
    """The number of parameters that the case names."""
    (arrays, size), *_ = re.findall(r"(?:(\d+) x )?([\d,]+) parameters", row["case"])
    return int(arrays or 1) * int(size.replace(",", ""))


def largest(rows: Sequence[Record]) -> dict[str, list[Record]]:
    """The rows of each rule at its largest size; the rules with the least traffic, then arithmetic, come first."""
    sizes: dict[str, int] = {}
    for row in rows:
        sizes[row["kernel"]] = max(sizes.get(row["kernel"], 0), elements(row))
    order = sorted(sizes, key=lambda rule: (RULES[rule].bytes, RULES[rule].operations))
    return {rule: [row for row in rows if row["kernel"] == rule and elements(row) == sizes[rule]] for rule in order}


def rates(row: Record, per_element: float) -> tuple[float, float | None]:
    """Billions a second, of what an element costs so many of: ours and the peer's."""
    amount = per_element * elements(row) / 1e9
    return amount / row["seconds"], amount / row["peer_seconds"] if row["peer_seconds"] else None


def intensity(rule: str) -> float:
    """Operations for each byte of memory traffic."""
    return RULES[rule].operations / RULES[rule].bytes


def mark(ax: Axes, row: Record, x: float, per_element: float, size: float, *, lying: bool = False) -> None:
    """A peer, if it could run."""
    name, shape, color = PEERS.get(row["peer"], (row["peer"], "X", GREY))
    _, y = rates(row, per_element)
    if y is not None:
        at = (y, x) if lying else (x, y)
        ax.plot(*at, shape, color=color, label=name, markersize=size, markeredgecolor="white", zorder=4)


def roofline(ax: Axes, drawn: Drawn, memory: float, peak: float) -> None:
    """Operations a second over operations for each byte, under the two roofs."""
    roofs(ax, memory, peak)
    used = 0.0
    for place, rule in enumerate(sorted(drawn, key=intensity)):
        x, operations = intensity(rule), RULES[rule].operations
        y, _ = rates(drawn[rule][0], operations)
        for row in drawn[rule]:
            mark(ax, row, x, operations, 8)
        ax.plot(x, y, "o", color=OURS, markeredgecolor="white", markersize=11, zorder=5)
        name(ax, rule, (x, y), (1.6, 5e-3 * peak * 1.38**place))
        used = max(used, y / peak)
    ax.set(xlabel="flop per byte of memory traffic", ylabel="GFLOP/s")
    ax.set_title(f"Arithmetic: at most {used:.0%} of its limit")


def roofs(ax: Axes, memory: float, peak: float, right: float = 30.0) -> None:
    """The speed of memory and that of registers, and where they meet."""
    left, ridge = 0.1, peak / memory
    ax.loglog([left, ridge, right], [memory * left, peak, peak], color=plotting.BLACK)
    ax.set(xlim=(left, right), ylim=(3.5e-3 * peak, 2 * peak))
    ax.text(right, 1.15 * peak, f"vector units {peak:.0f} GFLOP/s", horizontalalignment="right")
    ax.text(
        *(0.1 * ridge, 1.3 * memory * 0.1 * ridge),
        f"memory {memory:.0f} GB/s",
        rotation=math.degrees(math.atan(1.3 * memory)),  # of a parallel to the roof, whose steepness is y/x
        rotation_mode="anchor",
        transform_rotates_text=True,
    )


def name(ax: Axes, rule: str, point: tuple[float, float], spot: tuple[float, float]) -> None:
    """The name of a rule beside the cloud of points, with a thin line to its own."""
    ax.plot([point[0], 0.93 * spot[0]], [point[1], spot[1]], color=GREY, linewidth=0.7, zorder=2)
    ax.text(*spot, rule, fontsize=14, verticalalignment="center")


def bars(ax: Axes, drawn: Drawn, memory: float) -> None:
    """Bytes a second of each update as a bar with its peers as marks on it, and its share of the limit beside it."""
    shares = [rows[0]["limit_share"] for rows in drawn.values()]
    for place, (rule, rows) in enumerate(drawn.items()):
        ax.barh(place, rates(rows[0], RULES[rule].bytes)[0], color=OURS, height=0.6, label="optlab")
        for row in rows:
            mark(ax, row, place, RULES[rule].bytes, 13, lying=True)
        ax.text(1.02, place, f"{shares[place]:.0%}", transform=ax.get_yaxis_transform(), verticalalignment="center")
    ax.axvline(memory, color=plotting.BLACK)
    ax.set_yticks(range(len(drawn)), [f"{rule}  {RULES[rule].bytes:.0f} B" for rule in drawn])
    ax.grid(visible=False, axis="y")
    ax.set(xlabel="GB/s (B: bytes that a parameter needs)", xlim=(0, None), ylim=(-0.6, len(drawn) - 0.4))
    ax.set_title(f"Memory: {min(shares):.0%} to {max(shares):.0%} of its limit")
