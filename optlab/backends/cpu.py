"""Computations in NumPy's memory, by the compiled module."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optlab import remedies
from optlab.backends.base import CompiledStudy, Evaluator, Evaluators, OutsideStudy, Updater
from optlab.backends.specs import Frozen, LossSpec, NetworkSpec, StepPlan, StudySetup
from optlab.kernels.select import cpu
from optlab.typing import Array, DType


class CPUBackend:
    """See :class:`optlab.backends.base.Backend`. Arrays go to the gate of the compiled module as they are."""

    device = "cpu"
    xp: Any = np
    studies_bytes = False

    def check_point(self, x: Array, name: str) -> None:
        """See :class:`~optlab.backends.base.Backend`."""
        remedies.check_point(x, name)

    def check_array(self, x: Array, name: str) -> None:
        """See :class:`~optlab.backends.base.Backend`."""
        cpu.check_array(x, name)

    def checked(self, array: Array, name: str) -> Array:
        """See :class:`~optlab.backends.base.Backend`."""
        return array

    def empty(self, shape: int | tuple[int, ...], dtype: DType) -> Array:
        """See :class:`~optlab.backends.base.Backend`."""
        return np.empty(shape, dtype)

    def zeros(self, shape: int | tuple[int, ...], dtype: DType) -> Array:
        """See :class:`~optlab.backends.base.Backend`."""
        return np.zeros(shape, dtype)

    def upload(self, array: NDArray[Any]) -> Array:
        """See :class:`~optlab.backends.base.Backend`."""
        return array

    def result(self, like: Array, out: Array | None) -> Array:
        """See :class:`~optlab.backends.base.Backend`."""
        return np.empty_like(like) if out is None else out

    def returned(self, array: Array, out: Array | None = None) -> Array:
        """See :class:`~optlab.backends.base.Backend`."""
        return array

    def updater(self, rule: str) -> Updater:
        """See :class:`~optlab.backends.base.Backend`."""
        updater: Updater = cpu.Updater(rule)
        return updater

    def evaluators(self, dtype: DType) -> Evaluators:
        """See :class:`~optlab.backends.base.Backend`."""
        made: Evaluators = cpu.Landscape32 if dtype == np.float32 else cpu.Landscape64
        return made

    def network(
        self, spec: NetworkSpec, loss: LossSpec, dtype: DType, X: Array | None, y: Array | None, frozen: Frozen
    ) -> Any:
        """See :class:`~optlab.backends.base.Backend`.

        Raises:
            ValueError: products of fewer digits are asked for.
        """
        if loss.products != "float32":
            raise ValueError(f"products: got {loss.products!r} on the CPU, expected 'float32' there")
        return (cpu.Network32 if dtype == np.float32 else cpu.Network64)(spec, loss, X, y, frozen)

    def study(self, f: Evaluator, plan: StepPlan, setup: StudySetup, arrays: Mapping[str, Array]) -> CompiledStudy:
        """See :class:`~optlab.backends.base.Backend`."""
        study: CompiledStudy = _study(arrays)(f, plan, setup, arrays)
        return study

    def outside_study(self, plan: StepPlan, setup: StudySetup, arrays: Mapping[str, Array]) -> OutsideStudy:
        """See :class:`~optlab.backends.base.Backend`."""
        study: OutsideStudy = _study(arrays)(None, plan, setup, arrays)
        return study


def _study(arrays: Mapping[str, Array]) -> Any:
    return cpu.Study32 if arrays["last"].dtype == np.float32 else cpu.Study64
