"""Schedules after one another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from optlab.checks import integer, real
from optlab.schedules.arithmetic import Factors, Steps, between
from optlab.schedules.schedule import Constant, Function, Schedule, factors_of, function, increasing
from optlab.trajectory import MAX_STEP


def _switch(t: Steps, at: int, before: Factors, after: Function) -> Factors:
    return np.where(t < at, before, factors_of(after, np.maximum(t - at, 0)))


@dataclass(frozen=True)
class Warmup(Schedule):
    """A straight line from start to the first factor of another schedule, which then runs from its own step 0.

    It is PyTorch's SequentialLR of a LinearLR and the other, and may start at 0 and stand before any schedule.

    Args:
        steps: The length of the ramp, >= 0; step ``steps`` is the other's step 0.
        then: A schedule, or a function of an int64 array of steps.
        start: The factor at step 0, >= 0.

    Raises:
        TypeError: an argument is not a number, or ``then`` cannot be called.
        ValueError: an argument is out of range.

    Example:
        >>> from optlab.schedules import Cosine
        >>> print((0.1 * Warmup(2, Cosine(8)))(range(10)).round(4))
        [0.     0.05   0.1    0.0962 0.0854 0.0691 0.05   0.0309 0.0146 0.0038]

    References:
        Goyal et al., "Accurate, large minibatch SGD: training ImageNet in 1 hour", 2017.
    """

    steps: int
    then: Function = field(default=Constant())
    start: float = 0.0

    def __post_init__(self) -> None:
        self._set(steps=integer("steps", self.steps, 0, MAX_STEP), start=real("start", self.start, 0.0))
        function("then", self.then)

    def _factors(self, t: Steps) -> Factors:
        first = factors_of(self.then, np.zeros(1, np.int64))[0]
        ramp = between(self.start, first, np.minimum(t, self.steps) / max(self.steps, 1))
        return _switch(t, self.steps, ramp, self.then)


@dataclass(frozen=True)
class Chain(Schedule):
    """Schedules one after another, each from its own step 0 at its milestone: PyTorch's SequentialLR.

    PyTorch's ChainedScheduler is another thing, a product: ``a * b``.

    Args:
        schedules: Schedules, or functions of an int64 array of steps.
        milestones: The steps at which the second and later ones begin, increasing, >= 1.

    Raises:
        TypeError: one of the schedules cannot be called, or a milestone is not a whole number.
        ValueError: the milestones do not increase, or are not one fewer than the schedules.

    Example:
        >>> from optlab.schedules import Constant, Exponential
        >>> Chain([Constant(0.1), Exponential(0.5)], milestones=[2])([0, 1, 2, 3, 4])
        array([0.1 , 0.1 , 1.  , 0.5 , 0.25])
    """

    schedules: Sequence[Function]
    milestones: Sequence[int]

    def __post_init__(self) -> None:
        given = self.schedules if isinstance(self.schedules, Iterable) else [self.schedules]
        self._set(schedules=tuple(function("schedules", each) for each in given))
        self._set(milestones=increasing("milestones", self.milestones))
        if len(self.schedules) != len(self.milestones) + 1:
            raise ValueError(
                f"milestones: got {len(self.milestones)} for {len(self.schedules)} schedules, expected one fewer"
            )

    def _factors(self, t: Steps) -> Factors:
        factors = factors_of(self.schedules[0], t)
        for start, schedule in zip(self.milestones, self.schedules[1:], strict=True):
            factors = _switch(t, start, factors, schedule)
        return factors
