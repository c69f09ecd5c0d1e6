"""From where to where a strength is drawn."""

from __future__ import annotations

import math
from typing import Any

from optlab.checks import real

Range = tuple[float, float]


def interval(name: str, given: Any, low: float = -math.inf) -> Range:
    """The ends (low, high) of what is drawn from; a number alone is both.

    Raises:
        TypeError: an end is no number.
        ValueError: an end is below ``low`` or not finite, or there are not two in order.
    """
    if not isinstance(given, tuple):
        return (real(name, given, low),) * 2
    if len(given) != 2 or not real(name, given[0], low) <= real(name, given[1], low):
        raise ValueError(f"{name}: got {given}, expected (low, high) with low <= high")
    return float(given[0]), float(given[1])
