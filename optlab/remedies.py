"""What turns an argument that was refused into one that is accepted, as the end of an error in one line."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np

from optlab.kernels.select import cpu


def check_point(x: Any, name: str, write: bool = False) -> None:
    """Has the gate of the CPU check a point, and says what would make one.

    Raises:
        TypeError: it is no array, or not of float32 or float64.
        ValueError: it is empty, strided, read-only where it is to be written, or has other axes.
    """
    try:
        cpu.check_point(x, name, write)
    except TypeError as error:
        raise TypeError(f"{error}{remedy(name, x)}") from None


def remedy(name: str, given: Any, dtype: str = "float64") -> str:
    """What makes a NumPy array of this dtype; empty where nothing does that is sure to be meant.

    Example:
        >>> remedy("x0", [1, 2]), remedy("x0", None)
        ('; np.asarray(x0, dtype=np.float64) makes one', '')
    """
    library = type(given).__module__.partition(".")[0]
    if isinstance(given, np.ndarray) or library == "cupy":
        return conversion(name, given, dtype)
    if library == "torch":
        return f"; {name}.detach().cpu().numpy() makes one"
    if library == "pandas":
        return f"; {name}.to_numpy(dtype=np.{dtype}) makes one"
    if isinstance(given, numbers.Real):
        return f"; np.array([{name}], dtype=np.{dtype}) makes one"
    if isinstance(given, list | tuple | range) or hasattr(given, "__array__"):
        return f"; np.asarray({name}, dtype=np.{dtype}) makes one"
    return ""


def conversion(name: str, given: Any, dtype: str) -> str:
    """What makes an array of this dtype of one of another in the same library; empty where numbers would be lost.

    Example:
        >>> conversion("y", np.zeros(3, np.int32), "int64")
        '; y.astype(np.int64) converts it'
    """
    if type(given).__module__.partition(".")[0] == "torch":
        return f"; {name}.to(torch.{dtype}) converts it"
    return f"; {name}.astype(np.{dtype}) converts it" if given.dtype.kind in "biuf" else ""
