"""Where a computation takes place: where its arrays are, or on the GPU inside ``with optlab.device("gpu")``."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optlab.backends.gpu import device as gpu
from optlab.backends.gpu import gate
from optlab.backends.gpu.device import on_gpu

Array = Any

_asked: ContextVar[bool] = ContextVar("optlab_device", default=False)


@contextlib.contextmanager
def device(name: str) -> Iterator[None]:
    """Says where :func:`optlab.descend` and the landscapes compute inside the ``with`` block, in this context only.

    With "gpu", NumPy arrays are copied to the GPU, and what comes of them is copied back: bit for bit what the CPU
    would give. What has no kernel there raises an error. With "cpu", as without the block, arrays choose their device:
    NumPy arrays are computed on the CPU, CuPy arrays on the GPU. All other functions always go by their arrays.

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
        gpu.device()
    token = _asked.set(name == "gpu")
    try:
        yield
    finally:
        _asked.reset(token)


def elsewhere(x: Any) -> bool:
    """Whether a computation on this array is one for the GPU."""
    return _asked.get() if type(x) is np.ndarray else on_gpu(x)


class Host:
    """Computations in NumPy's memory."""

    xp: Any = np

    def empty(self, shape: int | tuple[int, ...], dtype: Any) -> Array:
        """Memory for kernels here."""
        return np.empty(shape, dtype)

    def bring(self, array: Array, name: str) -> Array:
        """The array as kernels take it here."""
        return array

    def hold(self, array: NDArray[Any]) -> Array:
        """An array of our own, made by NumPy, as kernels take it here."""
        return array

    def back(self, array: Array) -> Array:
        """A result as the caller gets it."""
        return array


class Card(Host):
    """Computations on the GPU; a guest's arrays are NumPy's, and so are the results."""

    def __init__(self, guest: bool) -> None:
        self.guest = guest
        self.xp = gpu.device().xp

    def empty(self, shape: int | tuple[int, ...], dtype: Any) -> Array:
        """See :class:`Host`."""
        return gpu.empty(shape, dtype)

    def bring(self, array: Array, name: str) -> Array:
        """See :class:`Host`.

        Raises:
            TypeError: it is a NumPy array beside arrays of the GPU, or no array.
        """
        if self.guest and isinstance(array, np.ndarray) and not on_gpu(array):
            return gpu.upload(array)
        return gate.on_device(array, name)

    def hold(self, array: NDArray[Any]) -> Array:
        """See :class:`Host`."""
        return gpu.upload(array)

    def back(self, array: Array) -> Array:
        """See :class:`Host`."""
        return gpu.download(array) if self.guest and on_gpu(array) else array


def place_of(x: Any) -> Host:
    """Where a computation on this array takes place."""
    return Card(guest=not on_gpu(x)) if elsewhere(x) else Host()
