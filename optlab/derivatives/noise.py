"""How much a computed function wobbles where its points move by a few units in the last place."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from optlab.derivatives.differences import Function, Vector
from optlab.random import derive_seed, uniform

Array = NDArray[Any]
PAIRS = 8
"""Of points at both sides of x."""


class Wobble(NamedTuple):
    """A function at points, and how far rounding may take it from there, both ``(runs, entries)``."""

    center: Vector
    rounding: Vector


def signs(count: int, dim: int, seed: int, name: str) -> NDArray[np.float64]:
    """Rows of random signs, of a power of two that makes their length about 1."""
    size = np.ldexp(1.0, -round(np.log2(dim) / 2))
    drawn = uniform((count, dim), derive_seed(seed, "check_gradient", name))
    return np.asarray(np.where(drawn < 0.5, -size, size))


def scales(x: Array) -> Array:
    """What a step is measured in, for each coordinate: the power of two that is at least ``max(|x|, 1)``."""
    fraction, exponent = np.frexp(np.maximum(np.abs(x), 1))
    scale: Array = np.ldexp(np.ones_like(x), exponent - (fraction == 0.5))
    return scale


def wobble(function: Function, x: Array, seed: int) -> Wobble:
    """A function at x, with the more of two kinds of rounding that some points nearby show.

    With even and odd part E, O(δ) = (f(x + δ) ± f(x − δ)) / 2, one is |O(2δ) − O(δ)|, divided by the units in the last
    place of x that δ has: the effect of a unit, as large as that of rounding within a function whose numbers are of the
    size of x. The other is |E(4δ) − 3E(2δ) + 2E(δ)| / 4, for the flat functions that round alike over many units. Jumps
    and kinks at x itself leave both; δ is at most ε^(-1/3) units, where curvature is far below rounding.
    """
    center, digits = function(x), np.finfo(x.dtype).nmant
    rounding = np.zeros_like(center)
    for k, row in enumerate(signs(PAIRS, x.shape[1], seed, "noise")):
        units = k * (digits // 3) // (PAIRS - 1)
        move = np.ldexp(scales(x) * np.sign(row).astype(x.dtype), units - digits)
        plus, minus = (np.array([function(x + by * move) - center for by in (s, 2 * s, 4 * s)]) for s in (1, -1))
        even, odd = (plus + minus) / 2, (plus - minus) / 2
        unit = np.abs(odd[1] - odd[0]) / 2**units
        rounding = np.maximum(rounding, np.maximum(unit, np.abs(even[2] - 3 * even[1] + 2 * even[0]) / 4))
    return Wobble(center, rounding)
