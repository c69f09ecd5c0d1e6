"""A grid over the whole space, then a finer one around its best point."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from optlab.search.space import Choice, Point, Space, Span

ROUNDS = 2
"""The coarse grid, and the fine one."""
LEAST = 3
"""Points along each axis: with two, the finer grid would span what the coarse one did."""


def points_along(space: Space, trials: int) -> int:
    """How many points each interval gets, so that ``trials`` points make up both grids exactly.

    Raises:
        ValueError: no whole number of points does.

    Example:
        >>> points_along({"lr": Span(1e-4, 1.0, log=True), "width": Span(8, 64)}, 50)
        5
    """
    axes = sum(isinstance(each, Span) for each in space.values())
    choices = math.prod(len(each.values) for each in space.values() if isinstance(each, Choice))

    def size(count: int) -> int:
        return ROUNDS * choices * int(count**axes)

    count = LEAST
    while axes and size(count + 1) <= trials:
        count += 1
    if not axes:
        raise ValueError("space: got choices only, expected an interval for a grid that becomes finer")
    if size(count) != trials:
        near = size(count) if size(count) > trials else f"{size(count)} or {size(count + 1)}"
        what = f"{ROUNDS} grids over {axes} intervals" + (f" and {choices} choices" if choices > 1 else "")
        raise ValueError(f"trials: got {trials}, expected {near} for {what}")
    return count


def grid_point(
    space: Space, trials: int, done: Sequence[tuple[Point, float]], maximize: bool = False
) -> dict[str, Any]:
    """The point that comes after those that are done.

    The coarse grid has its points in the middle of equal cells, the fine one reaches from the best point to its
    neighbours on either side; both are even on each parameter's own scale. Choices are all tried in both.

    Example:
        >>> space = {"lr": Span(1e-4, 1.0, log=True)}
        >>> done = []
        >>> for _ in range(8):
        ...     point = grid_point(space, 8, done)
        ...     done.append((point, abs(point["lr"] - 0.03)))
        >>> [round(point["lr"], 5) for point, _ in done]
        [0.00032, 0.00316, 0.03162, 0.31623, 0.00562, 0.01778, 0.05623, 0.17783]
    """
    count = points_along(space, trials)
    sizes = {key: count if isinstance(each, Span) else len(each.values) for key, each in space.items()}
    size = math.prod(sizes.values())
    fine, index = divmod(len(done), size)
    best = min(done[:size], key=lambda pair: -pair[1] if maximize else pair[1])[0] if fine else None
    places = np.unravel_index(index, tuple(sizes.values()))
    return {
        key: _place(each, int(place), count, None if best is None else best[key])
        for (key, each), place in zip(space.items(), places, strict=True)
    }


def _place(each: Span | Choice, place: int, count: int, best: Any) -> Any:
    if isinstance(each, Choice):
        return each.values[place]
    width = 1.0 if best is None else 2.0 / count
    low = 0.0 if best is None else min(max(each.share(best) - width / 2, 0.0), 1.0 - width)
    return each.at(low + width * (place + 0.5) / count)
