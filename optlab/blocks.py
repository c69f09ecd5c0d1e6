"""Rows of points in blocks, so that memory stays bounded however many rows are wanted."""

from __future__ import annotations

from collections.abc import Iterator

BLOCK = 2**22
"""Numbers in one block of points: 32 MiB of float64. A block has at least one row."""


def blocks(count: int, dim: int) -> Iterator[slice]:
    """Slices that cover ``range(count)``, each of at most BLOCK / dim rows.

    Example:
        >>> list(blocks(5, BLOCK // 2))
        [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    rows = max(1, BLOCK // dim)
    for first in range(0, count, rows):
        yield slice(first, min(first + rows, count))
