"""The launches of one optimizer step, in their order; none allocates or waits, so that a graph can capture them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from optlab.backends.gpu import gate
from optlab.backends.gpu.device import device, empty, kernel
from optlab.backends.gpu.step_gate import Bound
from optlab.backends.gpu.step_plan import CHUNK, CONSTANTS, SQUARE_SCALES, Plan, Tables, parts
from optlab.kernels.select import cpu

Array = Any
THREADS, GRID_LIMIT = 256, 65535
"""The threads of a block, as cuda/grid.cuh has them, and the most blocks along the second axis of a grid."""


Place = tuple[Array, int, int]
"""Where constants stand: the array, its rows (1 or runs), and how far behind those of the next step are."""


@dataclass(frozen=True)
class Constants:
    """The constants of a step, or of those that a graph replays."""

    array: Array
    """(steps, rows, segments, CONSTANTS)."""
    first_step: int
    graph: Array | None = None
    """Inside of a graph: the numbers on the device that say which step is taken (``StepCounter``)."""

    def place(self) -> Place:
        """Of the step that comes next."""
        rows = int(self.array.shape[1])
        return self.array, rows, 0 if self.graph is None else int(np.prod(self.array.shape[1:]))


@dataclass(frozen=True)
class Draws:
    """The noise after a step, and the number of the first run, which addresses its draws."""

    sigma: float
    seed: int
    first_run: int = 0


class Launches:
    """A step on these arrays, with room for the norms that it wants."""

    def __init__(
        self, plan: Plan, tables: Tables, bound: Bound, constants: Constants, draws: Draws | None = None
    ) -> None:
        self.plan, self.tables, self.bound, self.constants = plan, tables, bound, constants
        self.draws = Draws(plan.sigma, plan.seed) if draws is None else draws
        self.real, self.scalar = gate.cpp(bound.dtype), np.dtype(bound.dtype).type
        # A norm, or the factor that clips, may be out of range.
        self.flags = plan.flags | (cpu.RARE if plan.layerwise or plan.clips else 0)
        self.given = constants.place()
        if plan.clips or plan.layerwise:
            self.now = empty((bound.runs, tables.count, CONSTANTS), bound.dtype)
        if plan.clips or plan.layerwise or plan.projects:
            self.sums = empty((bound.runs, tables.sum_blocks, 2, SQUARE_SCALES), bound.dtype)
            self.factors = empty((bound.runs, 2), bound.dtype)

    def run(self) -> None:
        """The whole step."""
        plan, now = self.plan, self.given
        if plan.clips:
            now = self.clip()
        if plan.layerwise:
            now = self._adapt(now)
        self._update(now)
        if plan.projects:
            self._project()

    def clip(self) -> Place:
        """Scales the constants by what the norm of the gradient asks for; returns where they stand now."""
        self._squares(of_gradient=True)
        tail = (self.sums, self.tables.sum_blocks, self.scalar(self.plan.clip_norm), self.now)
        self._launch("update_norms.cu", f"clip<{self.real}>", (self.bound.runs,), self.given, *tail)
        return self.now, self.bound.runs, 0

    def rows(self, named: Array, width: int, now: Place) -> None:
        """Updates the rows named of a matrix."""
        grid = (parts(width, CHUNK), min(len(named), GRID_LIMIT))
        name = f"update_rows<optlab::rules::{self.plan.rule}, {self.real}>"
        self._launch("updates.cu", name, grid, now, named, len(named), self.flags)

    def _adapt(self, now: Place) -> Place:
        names = f"<optlab::rules::{self.plan.rule}, {self.real}>"
        self._by_chunk("update_norms.cu", f"measure{names}", now, self.flags, self.sums, self.tables.sum_blocks)
        grid = (self.tables.count, min(self.bound.runs, GRID_LIMIT))
        self._launch("update_norms.cu", f"adapt{names}", grid, now, self.sums, self.tables.sum_blocks, self.now)
        return self.now, self.bound.runs, 0

    def _update(self, now: Place) -> None:
        plan, draws, noisy = self.plan, self.draws, "true" if self.draws.sigma else "false"
        tail = (self.flags, self.scalar(draws.sigma), np.uint64(draws.seed), draws.first_run)
        if plan.quantized:
            self._by_chunk("quantized.cu", f"update_quantized<{noisy}>", now, *tail, self.bound.scale_count)
        else:
            name = f"update<optlab::rules::{plan.rule}, {self.real}, {noisy}>"
            self._by_chunk("updates.cu", name, now, *tail)

    def _project(self) -> None:
        self._squares(of_gradient=False)
        tail = (self.sums, self.tables.sum_blocks, self.scalar(self.plan.max_norm), self.factors)
        self._launch("update_norms.cu", f"project<{self.real}>", (self.bound.runs,), self.given, *tail)
        self._by_chunk("update_norms.cu", f"scale<{self.real}>", self.given, self.factors)

    def _squares(self, of_gradient: bool) -> None:
        name = f"squares<{self.real}, {'true' if of_gradient else 'false'}>"
        self._by_chunk("update_norms.cu", name, self.given, self.sums, self.tables.sum_blocks)

    def _by_chunk(self, file: str, name: str, now: Place, *arguments: Any) -> None:
        grid = (self.tables.chunk_count, min(self.bound.runs, GRID_LIMIT))
        self._launch(file, name, grid, now, self.tables.chunks, *arguments)

    def _launch(self, file: str, name: str, grid: tuple[int, ...], now: Place, *arguments: Any) -> None:
        constants, rows, stride = now
        head = (self.bound.pieces, self.tables.count, self.bound.runs, self.tables.dim, rows, constants, stride)
        at = (self.constants.first_step, self.constants.graph)
        device().launch(kernel(file, f"optlab::{name}"), grid, (THREADS,), (*head, *at, *arguments))
