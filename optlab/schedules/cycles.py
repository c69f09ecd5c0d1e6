"""Cosines and cycles."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from optlab.checks import integer, real
from optlab.schedules.arithmetic import Factors, Steps, between, half_cosine, whole_power
from optlab.schedules.schedule import Schedule, one_of
from optlab.trajectory import MAX_STEP


@dataclass(frozen=True)
class Cosine(Schedule):
    """``floor + (1 − floor)(1 + cos(π t / total)) / 2``: PyTorch's CosineAnnealingLR with ``eta_min = floor · lr``.

    As there, it climbs again after step total, with period 2 total.

    Args:
        total: The step at which floor is reached, >= 1.
        floor: In [0, 1].

    Raises:
        TypeError: an argument is not a number.
        ValueError: an argument is out of range.

    Example:
        >>> Cosine(4, floor=0.5)([0, 2, 4, 6, 8])
        array([1.  , 0.75, 0.5 , 0.75, 1.  ])

    References:
        Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017, without the restarts.
    """

    total: int
    floor: float = 0.0

    def __post_init__(self) -> None:
        self._set(total=integer("total", self.total, 1, MAX_STEP), floor=real("floor", self.floor, 0.0, 1.0))

    def _factors(self, t: Steps) -> Factors:
        return between(self.floor, 1.0, half_cosine(t % (2 * self.total), self.total))


@dataclass(frozen=True)
class CosineRestarts(Schedule):
    """The first half of :class:`Cosine` again and again, each ``growth`` times as long: CosineAnnealingWarmRestarts.

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


@dataclass(frozen=True)
class OneCycle(Schedule):
    """Up to the full learning rate and down far below the start, once: PyTorch's OneCycleLR.

    The factors multiply ``max_lr``; the momentum is left alone. They pass through 1/div at step 0, 1 at step
    ``warm · total − 1`` and 1/(div · final_div) at step total − 1, where PyTorch ends and this stays. With three
    phases, as in the paper, 1/div is passed again at step ``2 (warm · total − 1)``.

    Args:
        total: The number of steps, >= 2.
        warm: The share of steps spent rising, in [0, 1).
        div: max_lr over the learning rate at the start, >= 1.
        final_div: The learning rate at the start over that at the end, >= 1.
        anneal: "cos" or "linear".
        three_phase: Down as slowly as up, and only then to the end.

    Raises:
        TypeError: an argument is not a number.
        ValueError: an argument is out of range, or the phases do not follow one another.

    Example:
        >>> OneCycle(9, warm=1 / 3, div=4, final_div=1, anneal="linear")([0, 1, 2, 5, 8, 99])
        array([0.25 , 0.625, 1.   , 0.625, 0.25 , 0.25 ])

    References:
        Smith and Topin, "Super-convergence: very fast training of neural networks using large learning rates", 2018.
    """

    total: int
    warm: float = 0.3
    div: float = 25.0
    final_div: float = 1e4
    anneal: str = "cos"
    three_phase: bool = False

    def __post_init__(self) -> None:
        self._set(total=integer("total", self.total, 2, MAX_STEP), warm=real("warm", self.warm, 0.0, 1.0))
        self._set(div=real("div", self.div, 1.0), final_div=real("final_div", self.final_div, 1.0))
        self._set(anneal=one_of("anneal", self.anneal, ("cos", "linear")))
        steps = self._corners()[0]
        if not all(step < later for step, later in itertools.pairwise(steps)):
            shown = ", ".join(f"{step:g}" for step in steps)
            raise ValueError(f"warm: got {self.warm:g} of {self.total} steps, corners at {shown}, expected increasing")

    def _corners(self) -> tuple[list[float], list[float]]:
        """The steps between which the factor is annealed, and its values there."""
        peak, low = self.warm * self.total - 1, 1.0 / self.div
        middle = ([2 * self.warm * self.total - 2], [low]) if self.three_phase else ([], [])
        return [0.0, peak, *middle[0], self.total - 1.0], [low, 1.0, *middle[1], low / self.final_div]

    def _factors(self, t: Steps) -> Factors:
        steps, values = map(np.array, self._corners())
        phase = np.searchsorted(steps[1:-1], t, side="left")
        length = steps[phase + 1] - steps[phase]
        share = (np.minimum(t, self.total - 1) - steps[phase]) / length
        left = half_cosine(share, 1.0) if self.anneal == "cos" else 1.0 - share
        return between(values[phase + 1], values[phase], left)
