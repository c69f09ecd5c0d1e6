"""Numbers that carry how far a computation in another precision may be off: running error analysis, to first order.

A twin computes with these. Its values are float64. Each operation is charged one eps of its result: half for the
kernel's rounding, and half for what the analysis does not follow, the twin's own rounding or one that the kernel makes
elsewhere because it takes factors in another order. Errors already made pass on as the operation's derivative says.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reference.compare import eps

SUM_ROUNDINGS = 24
"""eps per sum of terms >= 0: each passes at most 16 + 4 + 2 additions of the kernel's tree at half an eps, and as many
of NumPy's pairwise sum."""


@dataclass(frozen=True)
class Rounded:
    """``|any correct computation - value| <= error``, both float64 arrays; eps is the type's."""

    value: NDArray[np.float64]
    error: NDArray[np.float64]
    eps: float
    __array_ufunc__ = None  # NumPy numbers leave the operation to this class

    def of(self, value: ArrayLike, error: ArrayLike) -> Rounded:
        """The result of an operation: the errors passed on, and its own."""
        value = np.asarray(value, np.float64)
        return Rounded(value, error + self.eps * np.abs(value), self.eps)

    def number(self, given: Any) -> Rounded:
        """A constant, which is rounded to the type when it enters."""
        return given if isinstance(given, Rounded) else self.of(given, 0.0)

    def __add__(self, other: Any) -> Rounded:
        other = self.number(other)
        return self.of(self.value + other.value, self.error + other.error)

    def __sub__(self, other: Any) -> Rounded:
        other = self.number(other)
        return self.of(self.value - other.value, self.error + other.error)

    def __mul__(self, other: Any) -> Rounded:
        other = self.number(other)
        return self.of(
            self.value * other.value,
            np.abs(self.value) * other.error + (np.abs(other.value) + other.error) * self.error,
        )

    def __truediv__(self, other: Any) -> Rounded:
        other = self.number(other)
        with np.errstate(divide="ignore", invalid="ignore"):
            quotient = self.value / other.value
            room = np.maximum(np.abs(other.value) - other.error, 0.0)
            return self.of(quotient, (self.error + np.abs(quotient) * other.error) / room)

    def __neg__(self) -> Rounded:
        return Rounded(-self.value, self.error, self.eps)

    def __radd__(self, other: Any) -> Rounded:
        return self + other

    def __rsub__(self, other: Any) -> Rounded:
        return -self + other

    def __rmul__(self, other: Any) -> Rounded:
        return self * other

    def __rtruediv__(self, other: Any) -> Rounded:
        return self.number(other) / self

    def __getitem__(self, part: Any) -> Rounded:
        return Rounded(self.value[part], self.error[part], self.eps)


def exact(array: ArrayLike, dtype: Any) -> Rounded:
    """What is given: no error yet."""
    value = np.asarray(array, np.float64)
    return Rounded(value, np.zeros_like(value), eps(dtype))


def sqrt(x: Rounded) -> Rounded:
    """√(v ± e) is off by at most e / √v where e <= v, and by at most √e."""
    root = np.sqrt(x.value)
    with np.errstate(divide="ignore", invalid="ignore"):
        return x.of(root, np.where(x.error <= x.value, np.fmin(x.error / root, np.sqrt(x.error)), np.sqrt(x.error)))


def absolute(x: Rounded) -> Rounded:
    """|x|, exactly."""
    return Rounded(np.abs(x.value), x.error, x.eps)


def maximum(x: Rounded, y: Any) -> Rounded:
    """The larger: its own error where it surely is, else no more than the one of them that moves further."""
    y = x.number(y)
    apart, unsure = np.abs(x.value - y.value) > x.error + y.error, np.maximum(x.error, y.error)
    error = np.where(apart, np.where(x.value > y.value, x.error, y.error), unsure)
    return Rounded(np.maximum(x.value, y.value), error, x.eps)


def minimum(x: Rounded, y: Any) -> Rounded:
    """The smaller."""
    return -maximum(-x, -x.number(y))


def norm(x: Rounded) -> Rounded:
    """The square root of a sum of squares."""
    squares = x * x
    total = np.sum(squares.value)
    return sqrt(Rounded(total, np.sum(squares.error) + SUM_ROUNDINGS * x.eps * total, x.eps))


POWER_ROUNDINGS = 6
"""eps of float64: the five units that the kernels promise for 1 − βᵗ, and one for the value below."""


def one_minus_power(like: Rounded, beta: float, t: int) -> Rounded:
    """1 − βᵗ, accurate where the difference would lose its digits; made in float64, then rounded to the type."""
    value = 1.0 if beta == 0 else -math.expm1(t * math.log(beta))
    return like.of(value, POWER_ROUNDINGS * eps(np.float64) * value)
