"""The matrix product by its definition, in exact order where the bits are promised."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

BLOCK = 512
"""The longest block of k."""


def blocks(k: int) -> list[range]:
    """The blocks of k: as few as can be, as even as can be, the longer ones first."""
    count = math.ceil(k / BLOCK)
    edges = [0]
    for number in range(count):
        edges.append(edges[-1] + k // count + (number < k % count))
    return [range(*pair) for pair in itertools.pairwise(edges)]


def rounded(value: Fraction, dtype: Any) -> Any:
    """The nearest number of the type, ties to even; by way of 120 bits, which no double rounding can upset here."""
    return dtype(float(value)) if dtype is np.float64 else _nearest32(value)


def _nearest32(value: Fraction) -> np.float32:
    near = np.float32(float(value))
    around = [np.nextafter(near, np.float32(-np.inf)), near, np.nextafter(near, np.float32(np.inf))]
    gaps = [abs(Fraction(float(number)) - value) for number in around]
    least = min(gaps)
    ties = [number for number, gap in zip(around, gaps, strict=True) if gap == least]
    return next(n for n in ties if len(ties) == 1 or not int(n.view(np.uint32)) & 1)


def fused_product(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    """Each element by fused multiply-adds in rising k within each block, the blocks added in rising order."""
    dtype = a.dtype.type
    out = np.empty((a.shape[0], b.shape[1]), dtype)
    for i, j in np.ndindex(*out.shape):
        total = None
        for block in blocks(a.shape[1]):
            part = dtype(0)
            for k in block:
                part = rounded(Fraction(float(a[i, k])) * Fraction(float(b[k, j])) + Fraction(float(part)), dtype)
            total = part if total is None else dtype(total + part)
        out[i, j] = dtype(0) if total is None else total
    return out


def error_bound(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    """What rounding can do at most: half an eps of |a| |b| for each step of a block and each addition of blocks."""
    k = a.shape[1]
    steps = max((len(block) for block in blocks(k)), default=0) + len(blocks(k))
    half = float(np.finfo(a.dtype).eps) / 2
    scale = np.abs(a.astype(np.float64)) @ np.abs(b.astype(np.float64))
    return np.asarray(steps * half / (1 - steps * half) * scale + 1e-300)
