"""What every GPU array passes before its memory is touched; the words are those of the gate of the CPU."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from optlab.backends.gpu.device import device, on_gpu

Array = Any
CPP_NAMES = {"float32": "float", "float64": "double"}


def real_dtype(array: Array, name: str) -> Any:
    """The dtype of an array of floats.

    Raises:
        TypeError: it is not float32 or float64.
    """
    on_device(array, name)
    if array.dtype not in (np.float32, np.float64):
        raise TypeError(f"{name}: got dtype {array.dtype}, expected float32 or float64")
    return array.dtype


def check_point(x: Array, name: str) -> None:
    """Refuses what is no array of floats in one piece of memory, or is empty.

    Raises:
        TypeError: it is not of the GPU, or not float32 or float64.
        ValueError: it is strided, or has no element.
    """
    check_filled(check(x, name, real_dtype(x, name)), name)


def check_filled(array: Array, name: str) -> Array:
    """An array with an element.

    Raises:
        ValueError: it has none.
    """
    if array.size == 0:
        raise ValueError(f"{name}: got an empty array of shape {tuple(array.shape)}, expected at least one element")
    return array


def cpp(dtype: Any) -> str:
    """The C++ name of a dtype: float or double."""
    return CPP_NAMES[np.dtype(dtype).name]


def check(array: Array, name: str, dtype: Any, shape: Sequence[int] | None = None) -> Array:
    """An array of the device with this dtype and, where given, this shape (-1: any length), in C order.

    Raises:
        TypeError: it is no array of the GPU, or of another dtype.
        ValueError: its shape differs, or it is strided.
    """
    on_device(array, name)
    if array.dtype != dtype:
        raise TypeError(f"{name}: got dtype {array.dtype}, expected {np.dtype(dtype)}")
    if shape is not None and (
        array.ndim != len(shape) or any(w not in (-1, n) for n, w in zip(array.shape, shape, strict=True))
    ):
        wanted = "(" + ", ".join("any" if n == -1 else str(n) for n in shape) + ("," if len(shape) == 1 else "") + ")"
        raise ValueError(f"{name}: got shape {tuple(array.shape)}, expected {wanted}")
    if not array.flags.c_contiguous:
        raise ValueError(f"{name}: got a strided array, expected contiguous memory in C order (cupy.ascontiguousarray)")
    return array


def on_device(array: Array, name: str) -> Array:
    """An array of the device.

    Raises:
        TypeError: it is something else.
    """
    if isinstance(array, np.ndarray) and not on_gpu(array):
        raise TypeError(f"{name}: got a NumPy array beside arrays of the GPU, expected a CuPy array (cupy.asarray)")
    if not on_gpu(array):
        raise TypeError(f"{name}: got {type(array).__name__}, expected a CuPy array")
    return array


def check_separate(arrays: Sequence[tuple[str, Array]]) -> None:
    """Refuses memory that overlaps.

    Raises:
        ValueError: two of the arrays, named in their order here, share memory.
    """
    pointer = device().pointer
    extents = sorted((pointer(a), pointer(a) + a.nbytes, k) for k, (_, a) in enumerate(arrays) if a.nbytes)
    for (_, end, before), (begin, _, after) in itertools.pairwise(extents):
        if begin < end:
            first, second = sorted((before, after))
            raise ValueError(
                f"{arrays[first][0]} and {arrays[second][0]}: got overlapping memory, expected separate arrays"
            )
