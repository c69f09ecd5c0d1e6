"""The functions of the schedules, with the same bits on every machine.

NumPy's own power and cosine differ between processors in their last bits, and a study would inherit that. Here stand
only IEEE operations and the kernels' log, exp and cosine.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from optlab.kernels.select import cpu

Factors = NDArray[Any]
"""float64; numpy's own types are not that precise."""

Steps = NDArray[np.int64]


def _special(name: str, x: Factors) -> Factors:
    out = np.empty_like(x)
    if x.size:  # the kernels refuse empty arrays
        cpu.special(out, x, cpu.special_functions.index(name), False)
    return out


def whole_power(base: Any, exponent: Any) -> Factors:
    """``base ** exponent`` for whole exponents >= 0, by squaring: no worse than that many multiplications."""
    squared, left = np.asarray(base, np.float64), np.asarray(exponent, np.int64)
    result = np.ones(np.broadcast_shapes(squared.shape, left.shape))
    with np.errstate(over="ignore"):  # of squares that no exponent asks for
        while left.any():
            result = np.where(left & 1, result * squared, result)
            squared, left = squared * squared, left >> 1
    return result


def power(base: Factors, exponent: float) -> Factors:
    """``base ** exponent`` for base and exponent >= 0; ``0 ** 0 = 1``."""
    if exponent.is_integer() and exponent < 2**53:
        return whole_power(base, int(exponent))
    return _special("exp", exponent * _special("log", base))


def half_cosine(position: Any, length: Any) -> Factors:
    """``(1 + cos(π position / length)) / 2``, as the square of the half angle's cosine: never below zero."""
    return _special("cos_turns", np.asarray(position / length, np.float64) / 4.0) ** 2


def between(start: Any, end: Any, share: Factors) -> Factors:
    """From start at share 0 to end at share 1, exact at both."""
    factors: Factors = start * (1.0 - share) + end * share
    return factors
