"""Cycles, over and over."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optlab.checks import integer, real
from optlab.schedules.arithmetic import Factors, Steps, between, half_cosine, whole_power
from optlab.schedules.schedule import Schedule, one_of
from optlab.trajectory import MAX_STEP


@dataclass(frozen=True)
class CosineRestarts(Schedule):
    """:class:`Cosine` up to its end, again and again, each ``growth`` times as long: CosineAnnealingWarmRestarts.

    Args:
        first: The length of the first cycle, >= 1.
        growth: A whole number >= 1.
        floor: In [0, 1]; never quite reached, since the next cycle begins at that step.

    Raises:
        TypeError: an argument is not a number.
        ValueError: an argument is out of range.

    Example:
        >>> CosineRestarts(2, growth=2)([0, 1, 2, 4, 6])
        array([1. , 0.5, 1. , 0.5, 1. ])

    References:
        Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017.
    """

    first: int
    growth: int = 1
    floor: float = 0.0

    def __post_init__(self) -> None:
        self._set(first=integer("first", self.first, 1, MAX_STEP), growth=integer("growth", self.growth, 1, MAX_STEP))
        self._set(floor=real("floor", self.floor, 0.0, 1.0))

    def _factors(self, t: Steps) -> Factors:
        position, length = (t % self.first, self.first) if self.growth == 1 else self._growing(t)
        return between(self.floor, 1.0, half_cosine(position, length))

    def _growing(self, t: Steps) -> tuple[Steps, Factors]:
        """Each step's place in its cycle, and that cycle's length."""
        starts, lengths = [0], [self.first]
        while starts[-1] + lengths[-1] <= t.max(initial=0):
            starts.append(starts[-1] + lengths[-1])
            lengths.append(lengths[-1] * self.growth)
        cycle = np.searchsorted(starts, t, side="right") - 1
        # as floats, since the last cycle may end beyond the integers
        return t - np.array(starts)[cycle], np.array(lengths, np.float64)[cycle]


@dataclass(frozen=True)
class Cyclic(Schedule):
    """Straight lines from low up to high and down again, over and over: PyTorch's CyclicLR.

    With r the height in the cycle, from 0 to 1 and back, and c the cycle, from 0::

        low + (high − low) · r · scale,   scale = 1 | 2 ** −c | gamma ** t

    for the modes "triangular", "triangular2" and "exp_range". The momentum is left alone.

    Args:
        up: How many steps up, >= 1.
        down: How many steps down, >= 1; as many as up by default.
        low: In [0, high]; the paper takes a third or a quarter of high.
        high: >= low.
        mode: "triangular", "triangular2" or "exp_range".
        gamma: >= 0, for "exp_range" only.

    Raises:
        TypeError: an argument is not a number.
        ValueError: an argument is out of range, or gamma is given for another mode.

    Example:
        >>> Cyclic(2, low=0)([0, 1, 2, 3, 4])
        array([0. , 0.5, 1. , 0.5, 0. ])

    References:
        Smith, "Cyclical learning rates for training neural networks", WACV 2017.
    """

    up: int
    down: int | None = None
    low: float = 0.25
    high: float = 1.0
    mode: str = "triangular"
    gamma: float = 1.0

    def __post_init__(self) -> None:
        self._set(up=integer("up", self.up, 1, MAX_STEP), high=real("high", self.high, 0.0))
        if self.down is not None:
            self._set(down=integer("down", self.down, 1, MAX_STEP))
        self._set(
            low=real("low", self.low, 0.0, self.high),
            mode=one_of("mode", self.mode, ("triangular", "triangular2", "exp_range")),
        )
        self._set(gamma=real("gamma", self.gamma, 0.0))
        if self.gamma != 1.0 and self.mode != "exp_range":
            raise ValueError(f"gamma: got {self.gamma:g} with mode {self.mode!r}, expected mode 'exp_range'")

    def _factors(self, t: Steps) -> Factors:
        down = self.down or self.up
        cycle, position = np.divmod(t, self.up + down)
        height = np.minimum(position / self.up, (self.up + down - position) / down)
        if self.mode == "triangular2":
            height *= whole_power(0.5, cycle)
        elif self.mode == "exp_range":
            height *= whole_power(self.gamma, t)
        return between(self.low, self.high, height)
