"""Passes over flat vectors: the batch gathered, penalties, sums (``cuda/network.cu``)."""

from __future__ import annotations

from typing import Any

import numpy as np

from optlab.backends.gpu import gate
from optlab.backends.gpu.device import device, empty, kernel
from optlab.backends.gpu.step_plan import SQUARE_SCALES, SUM_BLOCK

Array = Any
THREADS, SUM_CHUNK, GRID_LIMIT = 256, 4096, 65535
CPP = {"float32": "float", "float64": "double", "int64": "optlab::i64"}


def _launch(name: str, grid: tuple[int, ...], *arguments: Any, threads: int = THREADS) -> None:
    device().launch(kernel("network.cu", f"optlab::{name}"), grid, (threads,), arguments)


def _blocks(elements: int) -> tuple[int]:
    return (max(1, min(-(-elements // THREADS), 32 * device().processors())),)


def gather(to: Array, of: Array, index: Array, graph: Array | None) -> None:
    """Row k of ``to`` becomes row index[k] of ``of``; of a graph's (steps, rows), row ``graph[0]`` counts."""
    rows, width = len(to), to.size // len(to)
    grid = (-(-width // THREADS), min(rows, GRID_LIMIT))
    _launch(f"gather<{CPP[np.dtype(to.dtype).name]}>", grid, to, of, index, rows, width, graph)


def penalize(g: Array, theta: Array, v: Array | None, decay: float, l1: float) -> None:
    """Adds to g: decay θ + l1 sign(θ) or, along v, decay v."""
    scalar = np.dtype(g.dtype).type
    _launch(f"penalize<{gate.cpp(g.dtype)}>", _blocks(g.size), g, theta, v, g.size, scalar(decay), scalar(l1))


def add(to: Array, more: Array) -> None:
    """Adds to a vector."""
    _launch(f"add<{gate.cpp(to.dtype)}>", _blocks(to.size), to, more, to.size)


def copy(to: Array, of: Array) -> None:
    """Copies an array."""
    _launch(f"copy<{gate.cpp(to.dtype)}>", _blocks(to.size), to, of, to.size)


def advance(graph: Array) -> None:
    """A graph goes on to its next step: the three numbers of ``StepCounter`` in ``cuda/grid.cuh``."""
    _launch("advance<optlab::i64>", (1,), graph, threads=3)


class Sums:
    """Room for sums over a vector of this length."""

    def __init__(self, size: int, dtype: Any) -> None:
        self.size, self.blocks = size, -(-size // SUM_BLOCK)
        self.squares, self.sizes = empty((self.blocks, SQUARE_SCALES), dtype), empty(self.blocks, dtype)
        self.real, self.scalar = gate.cpp(dtype), np.dtype(dtype).type

    def penalty(self, value: Array, theta: Array, decay: float, l1: float) -> None:
        """Adds decay/2 |θ|² + l1 |θ|₁ to the value."""
        self._finish(value, None, theta, decay, l1)

    def norm(self, out: Array, x: Array) -> None:
        """The norm of x."""
        self._finish(None, out, x, 0.0, 0.0)

    def _finish(self, value: Array | None, norm: Array | None, x: Array, decay: float, l1: float) -> None:
        _launch(f"block_sums<{self.real}>", (-(-self.size // SUM_CHUNK),), self.squares, self.sizes, x, self.size)
        tail = (self.blocks, self.scalar(decay), self.scalar(l1))
        _launch(f"finish_sums<{self.real}>", (1,), value, norm, self.squares, self.sizes, *tail)
