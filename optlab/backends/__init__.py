"""Who computes: the CPU, or the GPU, which is loaded when it is first wanted. Chosen once, here."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

from optlab.backends import current
from optlab.backends.base import Backend
from optlab.backends.cpu import CPUBackend
from optlab.backends.current import on_gpu
from optlab.kernels.select import cpu

__all__ = ["Backend", "device", "home_of", "kernels", "of"]

_CPU = CPUBackend()
_asked: ContextVar[bool] = ContextVar("optlab_device", default=False)


@contextlib.contextmanager
def device(name: str) -> Iterator[None]:
    """Says where :func:`optlab.descend` and the landscapes compute inside the ``with`` block, in this context only.

    With "gpu", NumPy arrays are copied to the GPU, and what comes of them is copied back: bit for bit what the CPU
    would give. The functions of a :class:`~optlab.landscapes.Custom` landscape are given CuPy arrays there. What has no
    kernel there raises an error. With "cpu", as without the block, arrays choose their device: NumPy arrays are
    computed on the CPU, CuPy arrays on the GPU. All other functions always go by their arrays.

    Args:
        name: "cpu" or "gpu".

    Raises:
        ValueError: it is another name.
        MissingPackageError: "gpu", and CuPy is not installed.
        OptlabError: "gpu", and there is none, or its driver does not answer.

    Example:
        >>> import numpy as np, optlab as ol
        >>> with ol.device("cpu"):
        ...     ol.landscapes.Beale().value(np.array([3.0, 0.5]))
        np.float64(0.0)
    """
    if name not in ("cpu", "gpu"):
        raise ValueError(f"device: got {name!r}, expected 'cpu' or 'gpu'")
    if name == "gpu":
        current.device()
    token = _asked.set(name == "gpu")
    try:
        yield
    finally:
        _asked.reset(token)


def home_of(array: Any) -> Backend:
    """The backend where an array lives, whatever :func:`device` says."""
    return _gpu(False) if on_gpu(array) else _CPU


def of(x: Any) -> Backend:
    """The backend that computes a landscape or a study at these points.

    Example:
        >>> import numpy as np
        >>> of(np.zeros(3)).xp is np
        True
    """
    return _gpu(True) if _asked.get() and not on_gpu(x) else home_of(x)


@functools.cache
def _gpu(copies_back: bool) -> Backend:
    from optlab.backends.gpu.backend import GPUBackend  # when it is wanted, so that `import optlab` stays light

    return GPUBackend(copies_back)


def kernels(array: Any) -> Any:
    """The kernels of :mod:`optlab.ops` and of the optimizers where this array lives.

    Example:
        >>> import numpy as np
        >>> kernels(np.zeros(3)) is cpu
        True
    """
    if not on_gpu(array):
        return cpu
    from optlab.backends.gpu import ops

    return ops
