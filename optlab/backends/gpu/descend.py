"""Whole studies on the GPU: what ``optlab.descend`` runs where the starting points stand there."""

from __future__ import annotations

import bisect
import math
from collections.abc import Mapping
from enum import IntFlag
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optlab.backends.gpu.device import Argument, device, download, kernel, upload
from optlab.backends.gpu.landscape import Surface, block_of, rounded
from optlab.backends.gpu.sources import Kernel
from optlab.backends.gpu.step_plan import CONSTANTS
from optlab.backends.specs import StepPlan, StudySetup
from optlab.kernels.select import cpu
from optlab.stop import StopRule

Array = Any


class Does(IntFlag):
    """What a study does beside its steps, as cuda/study.cuh has it: what it does not do is no part of its kernel."""

    NOISE = 1
    GRADIENT_NOISE = 2
    STOPS = 4
    PERTURBS = 8
    MUST_DECREASE = 16
    CLIPS = 32
    PROJECTS = 64
    OWN_PARAMETERS = 128
    SEGMENTS = 256
    BYTES = 512
    STOPS_BY_VALUE = 1024
    STOPS_BY_NORM = 2048
    LOOKS = 4096
    BATCHES = 8192


TABLE = 1 << 20
"""Numbers that the host writes down for one launch, which says how many steps it may take."""


class DeviceStudy:
    """One study with its arrays, and what its kernels read of them.

    Args:
        surface: The landscape.
        plan: The optimizer's numbers.
        setup: The checked arguments of ``descend``.
        arrays: What it works on and fills, on the device; ``stop_step`` and ``stop_reason`` on the host.
    """

    def __init__(self, surface: Surface, plan: StepPlan, setup: StudySetup, arrays: Mapping[str, Array]) -> None:
        self.surface, self.plan, self.setup, self.arrays = surface, plan, setup, arrays
        self.step = setup.first_step
        self.any_active = True
        self.segments = len(plan.sizes)
        self.own_rows = plan.parameters.shape[1] > 1
        self.does = self._does()
        self._device: dict[str, Array] = {}  # what the table points to beside the caller's arrays
        self.table = upload(self._table())

    def _does(self) -> int:
        setup, plan, jumps = self.setup, self.plan, self.setup.perturbation
        stops = {rule.kind for rule in setup.stops}
        given = {
            Does.NOISE: rounded(setup.noise, self.surface.dtype) > 0,
            Does.GRADIENT_NOISE: setup.gradient_noise is not None,
            Does.STOPS: bool(stops),
            Does.STOPS_BY_VALUE: "value" in stops,
            Does.STOPS_BY_NORM: "grad_norm" in stops,
            Does.LOOKS: setup.looks,
            Does.PERTURBS: jumps is not None,
            Does.MUST_DECREASE: self._must_decrease,
            Does.CLIPS: math.isfinite(plan.clip_norm),
            Does.PROJECTS: math.isfinite(plan.max_norm),
            Does.OWN_PARAMETERS: self.own_rows,
            Does.SEGMENTS: self.segments > 1,
            Does.BYTES: plan.quantized,
            Does.BATCHES: setup.batch_size > 0,
        }
        return sum(int(option) for option, on in given.items() if on)

    @property
    def _must_decrease(self) -> bool:
        jumps = self.setup.perturbation
        return jumps is not None and jumps.decrease is not None

    # ---------------------------------------------------------------- what the kernel reads

    def _table(self) -> NDArray[np.uint64]:
        """The pointers and whole numbers of cuda/study.cuh, in its order."""
        setup, arrays = self.setup, self.arrays
        rules, jumps = setup.stops, setup.perturbation
        kinds = [[cpu.stop_kinds.index(rule.kind), rule.below] for rule in rules]
        states = list(cpu.rule_states(self.plan.rule))
        scales = [f"{name}_scale" for name in states] if self.plan.quantized else []
        pointers = [
            self.surface.coefficients,
            self.surface.rotation,
            arrays["last"],
            *_padded([arrays[name] for name in states], 4),
            *_padded([arrays[name] for name in scales], 2),
            self._own("stop_step", arrays["stop_step"]),
            self._own("stop_reason", arrays["stop_reason"]),
            self._own("record_steps", np.array(setup.record_steps, np.int64)),
            *(arrays.get(name) for name in ("value", "grad_norm", "x")),
            *(arrays.get(f"perturbed_{name}") for name in ("x", "value", "norm", "step")),
            self._numbers("gradient_noise", [] if setup.gradient_noise is None else setup.gradient_noise),
            self._own("stop_kinds", np.array(kinds, np.int64)),
            self._numbers("stop_numbers", [self._stop_numbers(rule) for rule in rules]),
            self._own("ends", np.cumsum(self.plan.sizes)),
            self._own("parameters", np.ascontiguousarray(self.plan.parameters.transpose(0, 2, 1))),
            self._numbers("numbers", self._real_numbers()),
            self._own("progress", np.array([1, setup.first_step, 0])),
        ]
        whole = [setup.runs, setup.first_run, setup.first_step, setup.last_step, setup.rule_step]
        whole += [len(setup.record_steps), len(rules), self.segments]
        whole += [arrays[scales[0]].shape[1] if scales else 0, 0 if jumps is None else jumps.wait]
        whole += [self.surface.samples, setup.batch_size]
        pointer = device().pointer
        addresses = [0 if array is None else pointer(array) for array in pointers]
        return np.array([*addresses, *whole, setup.seed], np.uint64)

    def _own(self, name: str, array: NDArray[Any]) -> Array | None:
        """A copy on the device that lives as long as the study; none of what is empty."""
        self._device[name] = upload(array) if array.size else None
        return self._device[name]

    def _numbers(self, name: str, numbers: Any) -> Array | None:
        return self._own(name, rounded(numbers, self.surface.dtype))

    def _stop_numbers(self, rule: StopRule) -> NDArray[np.float64]:
        dim = self.setup.dim
        low, high = (np.zeros(dim) if bound is None else bound for bound in (rule.low, rule.high))
        return np.concatenate([[rule.threshold], low, high])

    def _real_numbers(self) -> list[float]:
        jumps = self.setup.perturbation
        jump = [0.0, 0.0, 0.0] if jumps is None else [jumps.radius, jumps.grad_norm, jumps.decrease or 0.0]
        return [self.setup.noise, *jump, self.plan.clip_norm, self.plan.max_norm]

    # ---------------------------------------------------------------- steps

    def _rates(self, factors: NDArray[np.float64]) -> tuple[Array | None, Array | None]:
        """The constants of the next steps, or, where each run has its own, the factors from which it makes them."""
        if self.own_rows:
            return None, upload(factors)
        constants = np.zeros((len(factors), 1, self.segments, CONSTANTS), self.surface.dtype)
        now = self.setup.rule_step + self.step - self.setup.first_step
        cpu.step_constants(self.plan, now, factors, None, constants)
        return upload(constants), None

    def _launch(self, kernel: Kernel, *arguments: Argument) -> None:
        """A thread for each run, which sees the table first."""
        block = block_of(self.setup.runs)
        device().launch(kernel, (-(-self.setup.runs // block),), (block,), [self.table, *arguments])

    def flush(self) -> None:
        """Tells the host which runs have stopped; points and states stand in the caller's arrays after each launch."""
        self.step = int(download(self._device["progress"])[1])  # Ctrl-C may have come between a launch and its count
        for name in ("stop_step", "stop_reason"):
            self.arrays[name][...] = download(self._device[name])


class Study(DeviceStudy):
    """A study of a landscape in compiled code; see :class:`optlab.backends.base.CompiledStudy`."""

    def __init__(self, surface: Surface, plan: StepPlan, setup: StudySetup, arrays: Mapping[str, Array]) -> None:
        super().__init__(surface, plan, setup, arrays)
        self.kernel = study_kernel(surface, plan.rule, self.does, plan.flags)
        self._slab(0, False)  # compiles, so that the first step that is timed is one

    def advance(self, steps: int, factors: NDArray[np.float64]) -> None:
        """Takes steps, with these factors on the learning rate, and waits for them."""
        most = max(1, TABLE // max(self.segments * CONSTANTS, self.setup.runs * self.setup.batch_size))
        for begin in range(0, steps, most):
            self._take(factors[begin : begin + most])
        self.any_active = bool(download(self._device["progress"])[0])

    def _take(self, factors: NDArray[np.float64]) -> None:
        self._slab(len(factors), False, *self._rates(factors), self._batches(len(factors)))
        self.step += len(factors)

    def _batches(self, steps: int) -> Array | None:
        """The numbers of the samples that the next steps see, (runs, steps, batch); None where they see all."""
        setup = self.setup
        if not setup.batch_size:
            return None
        index = np.empty((setup.runs, steps, setup.batch_size), np.int64)
        for run, rows in enumerate(index):
            address = (setup.seed, self.step, setup.first_run + run)
            cpu.batch_indices(rows, setup.sampling, self.surface.samples, *address)
        return upload(index)

    def settle(self) -> None:
        """Tests and records the last point; runs that stopped have filled their records."""
        if self.setup.stops or self.setup.looks or self._must_decrease or self.step in self.setup.record_steps[-1:]:
            self._slab(0, True)

    def _slab(self, count: int, settle: bool, *tables: Array | None) -> None:
        device().write(self._device["progress"], np.array([0, self.step, 0]))
        row = bisect.bisect_left(self.setup.record_steps, self.step)
        self._launch(self.kernel, self.step, count, row, int(settle), *(tables or (None, None, None)))


def study_kernel(surface: Surface, rule: str, does: int, flags: int) -> Kernel:
    """The kernel for studies of one kind on one landscape."""
    return kernel("descend.cu", f"optlab::descend<{surface.name}, optlab::rules::{rule}, {int(does)}, {flags}>")


def _padded(arrays: list[Array], count: int) -> list[Array | None]:
    return arrays + [None] * (count - len(arrays))
