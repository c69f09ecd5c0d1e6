"""Checks of scalar arguments: one line that names the argument, what was given and what is accepted."""

from __future__ import annotations

import math
import numbers
import operator
from typing import Any


def integer(name: str, given: Any, low: int, high: int) -> int:
    """A whole number from low to high, bools and floats refused.

    Raises:
        TypeError: given is not a whole number.
        ValueError: it lies outside.
    """
    try:
        value = operator.index(given)
    except TypeError:
        value = None
    if value is None or isinstance(given, bool):
        raise TypeError(f"{name}: got {given!r}, expected a whole number")
    if not low <= value <= high:
        raise ValueError(f"{name}: got {value}, expected a whole number from {low} to {high}")
    return value


def real(
    name: str,
    given: Any,
    low: float = -math.inf,
    high: float = math.inf,
    *,
    open_low: bool = False,
    open_high: bool = False,
) -> float:
    """A finite number from low to high (above low when open_low, below high when open_high).

    Raises:
        TypeError: given is not a number.
        ValueError: it is not finite or lies outside.
    """
    if isinstance(given, bool) or not isinstance(given, numbers.Real):
        raise TypeError(f"{name}: got {given!r}, expected a number")
    value = float(given)
    ends = [low] * open_low + [high] * open_high
    if math.isfinite(value) and low <= value <= high and value not in ends:
        return value
    expected = "a finite number"
    if low > -math.inf:
        expected += f" {'>' if open_low else '>='} {low:g}"
    if high < math.inf:
        expected += f"{' and' if low > -math.inf else ''} {'<' if open_high else '<='} {high:g}"
    raise ValueError(f"{name}: got {value!r}, expected {expected}")
