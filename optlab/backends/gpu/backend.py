"""Computations on the GPU, for arrays that live there and for a caller's NumPy arrays, which are copied both ways."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optlab import remedies
from optlab.backends.base import CompiledStudy, Evaluator, Evaluators, OutsideStudy, Updater
from optlab.backends.current import device, on_gpu
from optlab.backends.gpu import descend, gate, outside, training, updates
from optlab.backends.gpu.device import download, empty, upload, zeros
from optlab.backends.gpu.landscape import DeviceLandscape, DeviceLandscapes
from optlab.backends.gpu.network import Network
from optlab.backends.specs import Frozen, LossSpec, NetworkSpec, StepPlan, StudySetup
from optlab.kernels.select import cpu
from optlab.typing import Array, DType


class GPUBackend:
    """See :class:`optlab.backends.base.Backend`.

    Args:
        copies_back: Whether the caller's arrays are NumPy's, and so are the results.
    """

    studies_bytes = True

    def __init__(self, copies_back: bool) -> None:
        self.copies_back = copies_back

    @property
    def device(self) -> object:
        """See :class:`~optlab.backends.base.Backend`."""
        return device()

    @property
    def xp(self) -> Any:
        """See :class:`~optlab.backends.base.Backend`."""
        return device().xp

    def check_point(self, x: Array, name: str) -> None:
        """See :class:`~optlab.backends.base.Backend`."""
        if not on_gpu(x):
            remedies.check_point(x, name)
            return
        gate.check_point(x, name)
        if x.ndim not in (1, 2):
            raise ValueError(f"{name}: got {x.ndim} dimensions, expected (dim,) or (runs, dim)")

    def check_array(self, x: Array, name: str) -> None:
        """See :class:`~optlab.backends.base.Backend`."""
        gate.check_point(x, name)

    def checked(self, array: Array, name: str) -> Array:
        """See :class:`~optlab.backends.base.Backend`.

        Raises:
            TypeError: it is a NumPy array beside arrays of the GPU, or no array.
        """
        if self.copies_back and isinstance(array, np.ndarray) and not on_gpu(array):
            return upload(array)
        here: Array = gate.on_device(array, name)
        return here

    def empty(self, shape: int | tuple[int, ...], dtype: DType) -> Array:
        """See :class:`~optlab.backends.base.Backend`."""
        return empty(shape, dtype)

    def zeros(self, shape: int | tuple[int, ...], dtype: DType) -> Array:
        """See :class:`~optlab.backends.base.Backend`."""
        return zeros(shape, dtype)

    def upload(self, array: NDArray[Any]) -> Array:
        """See :class:`~optlab.backends.base.Backend`."""
        return upload(array)

    def result(self, like: Array, out: Array | None) -> Array:
        """See :class:`~optlab.backends.base.Backend`."""
        if out is None:
            return empty(like.shape, like.dtype)
        if not self.copies_back:
            return out
        remedies.check_point(out, "out", True)
        if (out.dtype, out.shape) != (like.dtype, like.shape):
            raise ValueError(f"out: got {out.dtype} of shape {out.shape}, expected {like.dtype} of shape {like.shape}")
        return empty(like.shape, like.dtype)

    def returned(self, array: Array, out: Array | None = None) -> Array:
        """See :class:`~optlab.backends.base.Backend`."""
        if not self.copies_back or not on_gpu(array):
            return array
        if out is None:
            return download(array)
        out[...] = download(array)
        return out

    def updater(self, rule: str) -> Updater:
        """See :class:`~optlab.backends.base.Backend`."""
        return updates.Updater(list(cpu.rule_states(rule)))

    def evaluators(self, dtype: DType) -> Evaluators:
        """See :class:`~optlab.backends.base.Backend`."""
        return DeviceLandscapes(dtype)

    def network(
        self, spec: NetworkSpec, loss: LossSpec, dtype: DType, X: Array | None, y: Array | None, frozen: Frozen
    ) -> Any:
        """See :class:`~optlab.backends.base.Backend`."""
        return Network(spec, loss, dtype, X, y, frozen)

    def study(self, f: Evaluator, plan: StepPlan, setup: StudySetup, arrays: Mapping[str, Array]) -> CompiledStudy:
        """See :class:`~optlab.backends.base.Backend`.

        Raises:
            ValueError: coordinates are held, or the optimizer looks at gradients.
        """
        _refuse(plan, setup)
        if isinstance(f, Network):
            return training.Study(f, plan, setup, arrays)
        assert isinstance(f, DeviceLandscape)
        return descend.Study(f, plan, setup, arrays)

    def outside_study(self, plan: StepPlan, setup: StudySetup, arrays: Mapping[str, Array]) -> OutsideStudy:
        """See :class:`~optlab.backends.base.Backend`.

        Raises:
            ValueError: coordinates are held, or the optimizer looks at gradients.
        """
        _refuse(plan, setup)
        return outside.OutsideStudy(plan, setup, arrays)


def _refuse(plan: StepPlan, setup: StudySetup) -> None:
    """What only the CPU does."""
    if setup.held:
        raise ValueError("trainable: got it for points on the GPU, expected None there; the CPU holds coordinates")
    if plan.nonfinite:
        raise ValueError("optimizer: got nonfinite='raise' or 'skip' on the GPU, expected 'propagate' there")
