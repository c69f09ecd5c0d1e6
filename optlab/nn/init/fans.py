"""How many numbers meet in a unit, and how many units read one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from optlab.checks import integer


class Fans(NamedTuple):
    """The inputs of each unit of a weight, and the units that each input reaches."""

    fan_in: int
    fan_out: int


def fans(shape: Sequence[int]) -> Fans:
    """The fans of a weight (fan_out, fan_in), or (channels out, channels in, *kernel), counted as PyTorch does.

    A kernel multiplies both: an input reaches every output channel at each place of the kernel, whatever the stride.

    Raises:
        ValueError: the shape has fewer than two dimensions.

    Example:
        >>> fans((512, 784)), fans((64, 3, 5, 5))
        (Fans(fan_in=784, fan_out=512), Fans(fan_in=75, fan_out=1600))
    """
    if len(shape) < 2:
        raise ValueError(f"shape: got {tuple(shape)}, which has no fans; expected (fan_out, fan_in), or give fans=")
    kernel = math.prod(shape[2:])
    return Fans(shape[1] * kernel, shape[0] * kernel)


def checked_fans(given: Any, shape: Sequence[int]) -> Fans:
    """The given pair, or without one the fans of the shape.

    Raises:
        TypeError: given is not a pair of whole numbers.
        ValueError: one of them is below 1, or nothing is given and the shape has no fans.
    """
    if given is None:
        return fans(shape)
    if not isinstance(given, tuple) or len(given) != 2:
        raise TypeError(f"fans: got {given!r}, expected a pair (fan_in, fan_out)")
    return Fans(*(integer("fans", fan, 1, 2**40) for fan in given))
