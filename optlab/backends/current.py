"""The GPU in use, and whose an array is: what everything else of the backends stands on, without loading CuPy."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from optlab.backends.gpu.device import Device

_stack: list[Device] = []  # the innermost is last; empty until a device is wanted


def device() -> Device:
    """The device in use: CuPy's, unless another was put in its place.

    Raises:
        MissingPackageError: CuPy is not installed.
        OptlabError: there is no GPU, or its driver does not answer.
    """
    if not _stack:
        from optlab.backends.gpu.device import CuPyDevice  # when it is wanted: CuPy takes a second to load

        _stack.append(CuPyDevice())
    return _stack[-1]


@contextlib.contextmanager
def using(other: Device) -> Iterator[Device]:
    """Puts another device in the place of CuPy's."""
    _stack.append(other)
    try:
        yield other
    finally:
        _stack.remove(other)


def on_gpu(array: Any) -> bool:
    """Whether an array belongs to the GPU. Never loads CuPy: who has one of its arrays has done so."""
    if type(array) is np.ndarray:
        return False
    if type(array).__module__.partition(".")[0] == "cupy":
        return device().owns(array)
    return bool(_stack) and _stack[-1].owns(array)


def on_host(array: Any) -> Any:
    """A NumPy array as it is, or a copy of a device array as one."""
    return array.get() if on_gpu(array) else array


def array_module(array: Any) -> Any:
    """NumPy, or CuPy for its arrays."""
    return device().xp if on_gpu(array) else np
