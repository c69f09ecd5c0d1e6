"""Comparing arrays: to the bit, or within a derived bound."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def digest(*arrays: ArrayLike) -> str:
    """The sha256 of types, shapes and contents; all NaNs count as one, since their payloads are promised nowhere."""
    hasher = hashlib.sha256()
    for given in arrays:
        array = np.array(given)
        if array.dtype.kind == "f":
            array[np.isnan(array)] = np.nan
        hasher.update(f"{array.dtype}{array.shape}".encode() + array.tobytes())
    return hasher.hexdigest()


def assert_same_bits(actual: NDArray[Any], expected: NDArray[Any]) -> None:
    """Type, shape and every bit, so that -0.0 is not 0.0."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert (actual.dtype, actual.shape) == (expected.dtype, expected.shape)
    if digest(actual) == digest(expected):
        return
    words = f"u{actual.dtype.itemsize}"
    differ = np.argwhere(np.ascontiguousarray(actual).view(words) != np.ascontiguousarray(expected).view(words))
    first = tuple(differ[0])
    raise AssertionError(
        f"{len(differ)} of {actual.size} differ, first at {first}: {actual[first]!r}, {expected[first]!r}"
    )


def assert_within(actual: ArrayLike, expected: ArrayLike, bound: ArrayLike) -> None:
    """``|actual - expected| <= bound`` everywhere; NaN never passes."""
    error = np.abs(np.asarray(actual, np.float64) - np.asarray(expected, np.float64))
    assert error.shape == np.broadcast_shapes(error.shape, np.shape(bound))
    inside = error <= bound
    assert inside.all(), f"worst error {np.max(error / np.maximum(bound, 5e-324)):.3g} times the bound"


def eps(dtype: Any) -> float:
    """The distance from 1 to the next number: twice the largest relative error of one rounding."""
    return float(np.finfo(dtype).eps)
