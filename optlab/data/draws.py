"""How data sets draw: float64 numbers of the stream DATA, a run for each sample, a seed for each part of a set."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from optlab.kernels.select import cpu
from optlab.random import derive_seed, integers, normal, permutation, uniform

Array = NDArray[Any]
DATA = cpu.streams["DATA"]


def normals(n: int, dim: int, seed: int, *part: str) -> Array:
    """Standard normal numbers (n, dim); row i depends on i alone."""
    return normal((n, dim), derive_seed(seed, *part), stream=DATA)


def uniforms(n: int, dim: int, seed: int, *part: str) -> Array:
    """Uniform numbers (n, dim) on [0, 1); row i depends on i alone."""
    return uniform((n, dim), derive_seed(seed, *part), stream=DATA)


def choices(n: int, count: int, seed: int, *part: str) -> NDArray[np.int64]:
    """A number from 0 to count − 1 for each of n samples, with replacement."""
    return integers((n, 1), count, derive_seed(seed, *part), stream=DATA)[:, 0]


def orders(n: int, count: int, seed: int, *part: str) -> NDArray[np.int64]:
    """Random orders (n, count) of 0 … count − 1; row i depends on i alone."""
    return permutation((n, count), derive_seed(seed, *part), stream=DATA)


def special(name: str, x: Array) -> Array:
    """One of the kernels' own functions of every element: NumPy's differ between processors in their last bits."""
    out = np.empty_like(x)
    cpu.special(out, x, cpu.special_functions.index(name), False)
    return out
