"""The checks of arrays that all of data share."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

Array = NDArray[Any]


def features(name: str, given: Any, count: int | None = None) -> Array:
    """``given`` itself, if it is a matrix of finite numbers with at least one row, and with ``count`` columns.

    Raises:
        TypeError: it is no float32 or float64 array.
        ValueError: its shape is another, or a number is not finite.
    """
    _require_real(name, given)
    if given.ndim != 2 or not given.size or count not in (None, given.shape[1]):
        expected = "features" if count is None else count
        raise ValueError(f"{name}: got shape {given.shape}, expected (n, {expected}), not empty")
    return _finite(name, given)


def images(name: str, given: Any) -> Array:
    """``given`` as (n, height, width, channels), one channel where it had no such axis; the same numbers, not copied.

    Raises:
        TypeError: it is no float32 or float64 array.
        ValueError: it is empty or of another shape, or a number is not finite.
    """
    _require_real(name, given)
    if given.ndim not in (3, 4) or not given.size:
        expected = "(n, height, width) or (n, height, width, channels), not empty"
        raise ValueError(f"{name}: got shape {given.shape}, expected {expected}")
    return _finite(name, given if given.ndim == 4 else given[..., None])


def _require_real(name: str, given: Any) -> None:
    if not isinstance(given, np.ndarray) or given.dtype not in (np.float32, np.float64):
        found = getattr(given, "dtype", type(given).__name__)
        raise TypeError(f"{name}: got {found}, expected a float32 or float64 array")


def _finite(name: str, given: Array) -> Array:
    if not np.isfinite(given).all():
        wrong = int(given.size - np.isfinite(given).sum())
        raise ValueError(f"{name}: got {wrong} numbers that are not finite, expected finite ones")
    return given


def labels(name: str, given: Any) -> NDArray[np.int64]:
    """``given`` as int64, if it is a non-empty vector of whole numbers from 0.

    Raises:
        TypeError: it is no array of whole numbers.
        ValueError: it is empty, not one-dimensional, or a label is negative.
    """
    if not isinstance(given, np.ndarray) or given.dtype.kind not in "iu":
        found = getattr(given, "dtype", type(given).__name__)
        raise TypeError(f"{name}: got {found}, expected an array of whole numbers")
    if given.ndim != 1 or not given.size:
        raise ValueError(f"{name}: got shape {given.shape}, expected (n,), not empty")
    if given.min() < 0:
        raise ValueError(f"{name}: got the label {given.min()}, expected labels from 0")
    return given.astype(np.int64)


def real_dtype(given: DTypeLike) -> np.dtype[Any]:
    """Float32 or float64.

    Raises:
        TypeError: it is neither.
    """
    if given not in (np.float32, np.float64, "float32", "float64"):
        raise TypeError(f"dtype: got {given}, expected float32 or float64")
    return np.dtype(given)
