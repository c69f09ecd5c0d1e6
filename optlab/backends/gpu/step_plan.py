"""What the steps of one optimizer on states of one format share: its numbers, and the tables that depend on sizes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optlab.backends.gpu.device import upload
from optlab.backends.specs import StepPlan
from optlab.kernels.select import cpu

CHUNK, SUM_BLOCK, CONSTANTS, SQUARE_SCALES = 4096, 256, 17, 3
"""As cuda/step.cuh, optlab/loops/sum.hpp and cuda/grid.cuh have them."""


def parts(size: int, of: int) -> int:
    """How many parts of at most ``of`` elements there are."""
    return -(-size // of)


class Tables:
    """Where segments of these sizes begin, in a run and among the sums, and which chunk each block works on."""

    def __init__(self, sizes: Sequence[int]) -> None:
        self.sizes, self.count, self.dim = list(sizes), len(sizes), sum(sizes)
        self.first = np.cumsum([0, *self.sizes])[:-1]
        blocks = np.cumsum([0, *(parts(size, SUM_BLOCK) for size in self.sizes)])
        self.first_block, self.sum_blocks = blocks[:-1], int(blocks[-1])
        numbers = [np.arange(parts(size, CHUNK), dtype=np.uint32) for size in self.sizes]
        owners = [np.full(len(part), k, np.uint32) for k, part in enumerate(numbers)]
        self.chunk_count = sum(map(len, numbers))
        self.chunks = upload(np.stack([np.concatenate(owners), np.concatenate(numbers)], axis=1))

    def pieces(self, pointers: Sequence[Sequence[int]], strides: Sequence[int | None]) -> NDArray[np.int64]:
        """The pieces, as cuda/step.cuh has them.

        Args:
            pointers: The addresses of x, the gradient and up to four states: of one array for all segments, or one for
                each.
            strides: The bytes between two elements of each of them; None for scales, which stand by blocks.
        """
        table = np.zeros((self.count, 9), np.int64)
        for column, (given, stride) in enumerate(zip(pointers, strides, strict=True)):
            offset = self.first_block * 4 if stride is None else self.first * stride
            table[:, column] = given if len(given) > 1 else np.asarray(given) + offset
        table[:, 6], table[:, 7], table[:, 8] = self.first, self.sizes, self.first_block
        return table


class Plan:
    """An optimizer's numbers, and what launches make of them."""

    def __init__(self, given: StepPlan) -> None:
        self.given = given
        self.rule = given.rule
        self.quantized = given.quantized
        self.flags = given.flags
        self.list = given.list
        self.runs_axis = given.runs_axis
        self.clip_norm, self.max_norm = given.clip_norm, given.max_norm
        self.clips, self.projects = math.isfinite(self.clip_norm), math.isfinite(self.max_norm)
        self.layerwise = cpu.rule_layerwise(self.rule)
        self.sigma, self.seed = math.sqrt(given.noise), given.seed
        self.own_rows = given.parameters.shape[1]
        self.tables = Tables(given.sizes)

    def constants(
        self, dtype: Any, first: int, factors: NDArray[np.float64], rates: Sequence[float] | None = None
    ) -> NDArray[Any]:
        """The constants of the steps from ``first`` on, (steps, rows, segments, CONSTANTS); rows are 1 or runs."""
        rows = max(self.own_rows, len(rates or ()))
        out = np.zeros((len(factors), rows, self.tables.count, CONSTANTS), dtype)
        cpu.step_constants(self.given, first, factors, None if rates is None else list(rates), out)
        return out
