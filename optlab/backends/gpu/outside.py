"""Studies on the GPU of landscapes that Python evaluates there, one step at a time, in two launches."""

from __future__ import annotations

import bisect
from collections.abc import Mapping

import numpy as np

from optlab.backends.gpu import gate
from optlab.backends.gpu.descend import DeviceStudy, Does
from optlab.backends.gpu.device import device, download, kernel
from optlab.backends.gpu.landscape import Surface
from optlab.backends.gpu.sources import Kernel
from optlab.backends.specs import StepPlan, StudySetup
from optlab.typing import Array, DType

BEGINS = Does.STOPS | Does.STOPS_BY_VALUE | Does.STOPS_BY_NORM | Does.LOOKS | Does.PERTURBS | Does.MUST_DECREASE
"""What is done before Python may be asked for the gradient again; the rest comes with the rule."""


class OutsideStudy(DeviceStudy):
    """See :class:`optlab.backends.base.OutsideStudy`.

    Args:
        plan: The numbers of the optimizer.
        setup: The checked arguments of ``descend``.
        arrays: What it works on and fills, on the device; ``stop_step`` and ``stop_reason`` on the host.
    """

    def __init__(self, plan: StepPlan, setup: StudySetup, arrays: Mapping[str, Array]) -> None:
        dtype, dim = arrays["last"].dtype, setup.dim
        super().__init__(Surface(f"Given<{gate.cpp(dtype)}, {dim}>", dim, (None, None), dtype), plan, setup, arrays)
        self.begins = begin_kernel(dtype, dim, self.does)
        self.ends = end_kernel(dtype, dim, self.plan.rule, self.does, self.plan.flags)

    def begin(self, value: Array, grad: Array) -> bool:
        """See :class:`~optlab.backends.base.OutsideStudy`.

        Raises:
            TypeError: value or grad is not of the GPU, or of another dtype.
            ValueError: a shape differs.
        """
        gate.check(value, "value", self.surface.dtype, (self.setup.runs,))
        self._gate(grad)
        device().write(self._device["progress"], np.array([0, self.step, 0]))
        self._launch(self.begins, self.step, bisect.bisect_left(self.setup.record_steps, self.step), value, grad)
        goes_on, _, jumped = download(self._device["progress"])
        self.any_active = bool(goes_on)
        return bool(jumped)

    def end(self, grad: Array, factor: float) -> None:
        """See :class:`~optlab.backends.base.OutsideStudy`.

        Raises:
            TypeError: grad is not of the GPU, or of another dtype.
            ValueError: its shape differs.
        """
        self._gate(grad)
        self._launch(self.ends, self.step, grad, *self._rates(np.array([factor])))
        self.step += 1

    def _gate(self, grad: Array) -> None:
        gate.check(grad, "grad", self.surface.dtype, (self.setup.runs, self.setup.dim))

    def settle(self) -> None:
        """Runs that have stopped have filled their records, and others are begun."""


def begin_kernel(dtype: DType, dim: int, does: int) -> Kernel:
    """What measures, tests, records and jumps."""
    return kernel("outside.cu", f"optlab::begin_step<{gate.cpp(dtype)}, {dim}, {does & BEGINS}>")


def end_kernel(dtype: DType, dim: int, rule: str, does: int, flags: int) -> Kernel:
    """What applies the rule, and what stands around it."""
    options = does & ~int(BEGINS)
    return kernel(
        "outside.cu", f"optlab::end_step<{gate.cpp(dtype)}, {dim}, optlab::rules::{rule}, {options}, {flags}>"
    )
