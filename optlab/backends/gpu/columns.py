"""How passes that sum over the rows of a matrix are cut into launches: see ``cpp/cuda/columns.cuh``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from optlab.backends.gpu.device import Argument, device
from optlab.backends.gpu.sources import Kernel

Array = Any

THREADS = 256
MOST_ACROSS = 8
"""Vectors of 16 bytes side by side in a tile: a line of the cache."""

BATCHES = 16
"""Rows that a thread takes of a chunk."""

WHOLE_ROWS, WHOLE_ELEMENTS, FEW_ROWS = 1024, 1 << 23, 4096
"""One block takes all rows of a tile up to so many, or up to the last number where the matrix is not large."""

WHOLE_TILES = 128
"""So many blocks are wanted at least, then: tiles become narrower."""

CACHE_SHARE = 0.25
"""The part of the second-level cache that a slab may fill; three are at work in a launch, one of them half gone."""


def ceil_div(a: int, b: int) -> int:
    """The quotient, rounded up."""
    return -(-a // b)


@dataclass(frozen=True)
class Plan:
    """The cut of a matrix: `across` vectors to a tile, `chunk` rows to a block (0: all of them)."""

    rows: int
    columns: int
    across: int
    tiles: int
    chunk: int
    chunks: int

    def numbers(self, quantities: int, coefficients: int) -> int:
        """How many numbers a pass keeps between its launches."""
        return (self.chunks * quantities + coefficients) * self.columns if self.chunks else 0


def plan(rows: int, columns: int, itemsize: int, *, whole: bool | None = None) -> Plan:
    """The cut, a function of the shape alone.

    Example:
        >>> plan(65536, 1024, 4)
        Plan(rows=65536, columns=1024, across=8, tiles=32, chunk=512, chunks=128)
    """
    vectors = ceil_div(columns, 16 // itemsize)
    if whole is None:
        whole = rows <= WHOLE_ROWS or (rows <= FEW_ROWS and rows * columns <= WHOLE_ELEMENTS)
    across = MOST_ACROSS
    while across > 1 and (2 * vectors <= across or (whole and across > 2 and vectors < WHOLE_TILES * across)):
        across //= 2
    chunk = 0 if whole else BATCHES * THREADS // across
    return Plan(rows, columns, across, ceil_div(vectors, across), chunk, ceil_div(rows, chunk) if chunk else 0)


def slab_tiles(cut: Plan, tile_bytes: int, cache: int) -> int:
    """How many tiles fit in the share of the cache."""
    return min(cut.tiles, max(1, int(CACHE_SHARE * cache) // tile_bytes))


def launch(
    kernel: Kernel,
    arguments: Sequence[Argument],
    cut: Plan,
    scratch: Array,
    *,
    quantities: int,
    itemsize: int,
    reads: int,
    applies: bool = True,
) -> None:
    """Launches a pass that reads `reads` matrices and sums `quantities`.

    Args:
        kernel: Its arguments end with OPTLAB_LAUNCH_ARGUMENTS.
        arguments: Those before.
        cut: See :func:`plan`.
        scratch: Room for what the plan's ``numbers`` say.
        quantities: Of each column, summed over the rows.
        itemsize: Of a number.
        reads: The matrices that are read twice.
        applies: Whether the pass writes after it has summed.
    """
    shape = (cut.rows, cut.columns, cut.across, cut.chunk, cut.chunks)
    if not cut.chunks:
        device().launch(kernel, (cut.tiles,), (THREADS,), [*arguments, *shape, 0, 0, 0, 0, 0, None, None])
        return
    room = [scratch, scratch[cut.chunks * quantities * cut.columns :]]
    tile_bytes = cut.across * 16 // itemsize * itemsize * cut.rows * reads
    width = slab_tiles(cut, tile_bytes, device().cache_bytes()) if applies else cut.tiles
    slabs = [(first, min(width, cut.tiles - first)) for first in range(0, cut.tiles, width)]
    none = (0, 0)
    for k in range(len(slabs) + (2 if applies else 1)):
        applied, combined, summed = (
            slabs[j] if 0 <= j < len(slabs) else none for j in (k - 2 if applies else -1, k - 1, k)
        )
        blocks = (applied[1] + summed[1]) * cut.chunks + combined[1]
        device().launch(kernel, (blocks,), (THREADS,), [*arguments, *shape, *applied, *combined, summed[0], *room])
