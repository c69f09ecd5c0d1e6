"""Schedules that fall, or climb, without an end."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from optlab.checks import integer, real
from optlab.schedules.arithmetic import Factors, Steps, power, whole_power
from optlab.schedules.schedule import Function, Schedule, factors_of, function, increasing
from optlab.trajectory import MAX_STEP


@dataclass(frozen=True)
class Step(Schedule):
    """``gamma ** (t // every)``: PyTorch's StepLR.

    Args:
        every: How many steps share a factor, >= 1.
        gamma: >= 0.

    Raises:
        TypeError: an argument is not a number.
        ValueError: an argument is out of range.

    Example:
        >>> Step(every=2, gamma=0.5)([0, 1, 2, 3, 4])
        array([1.  , 1.  , 0.5 , 0.5 , 0.25])
    """

    every: int
    gamma: float = 0.1

    def __post_init__(self) -> None:
        self._set(every=integer("every", self.every, 1, MAX_STEP), gamma=real("gamma", self.gamma, 0.0))

    def _factors(self, t: Steps) -> Factors:
        return whole_power(self.gamma, t // self.every)


@dataclass(frozen=True)
class Staircase(Schedule):
    """The product of the gammas whose milestones have been reached: PyTorch's MultiStepLR.

    Args:
        milestones: Increasing steps >= 1; a gamma counts from its milestone on.
        gamma: >= 0, one number or, beyond PyTorch, one per milestone.

    Raises:
        TypeError: an argument is not made of numbers.
        ValueError: an argument is out of range, or the gammas are not as many as the milestones.

    Example:
        >>> Staircase([2, 3], gamma=[0.5, 0.1])([0, 1, 2, 3, 4])
        array([1.  , 1.  , 0.5 , 0.05, 0.05])
    """

    milestones: Sequence[int]
    gamma: float | Sequence[float] = 0.1

    def __post_init__(self) -> None:
        self._set(milestones=increasing("milestones", self.milestones))
        if isinstance(self.gamma, Iterable):
            self._set(gamma=tuple(real("gamma", each, 0.0) for each in self.gamma))
        else:
            self._set(gamma=real("gamma", self.gamma, 0.0))
        if np.size(self.gamma) not in (1, len(self.milestones)):
            raise ValueError(f"gamma: got {np.size(self.gamma)} numbers, expected one or {len(self.milestones)}")

    def _factors(self, t: Steps) -> Factors:
        levels: Factors = np.cumprod([1.0, *np.broadcast_to(self.gamma, len(self.milestones))])
        return levels[np.searchsorted(self.milestones, t, side="right")]


@dataclass(frozen=True)
class Exponential(Schedule):
    """``gamma ** t``: PyTorch's ExponentialLR.

    Args:
        gamma: >= 0; above 1 it climbs.

    Raises:
        TypeError: gamma is not a number.
        ValueError: it is out of range.

    Example:
        >>> Exponential(0.5)([0, 1, 2, 3])
        array([1.   , 0.5  , 0.25 , 0.125])
    """

    gamma: float

    def __post_init__(self) -> None:
        self._set(gamma=real("gamma", self.gamma, 0.0))

    def _factors(self, t: Steps) -> Factors:
        return whole_power(self.gamma, t)


@dataclass(frozen=True)
class Multiplicative(Schedule):
    """``factor(1) · factor(2) ⋯ factor(t)``: PyTorch's MultiplicativeLR, with a factor of an array of steps.

    Every call forms the product from step 1 on, so that it stays pure: memory and time grow with the largest step.

    Args:
        factor: A schedule, or a function of an int64 array of steps; it pickles if the function does.

    Raises:
        TypeError: factor cannot be called.

    Example:
        >>> Multiplicative(lambda t: t / (t + 1))([0, 1, 2, 3])
        array([1.        , 0.5       , 0.33333333, 0.25      ])
    """

    factor: Function

    def __post_init__(self) -> None:
        function("factor", self.factor)

    def _factors(self, t: Steps) -> Factors:
        each = factors_of(self.factor, np.arange(1, t.max(initial=0) + 1))
        products: Factors = np.cumprod(np.concatenate([[1.0], each]))  # in order, so that a later end changes no bit
        return products[t]


@dataclass(frozen=True)
class Inverse(Schedule):
    """``1 / (1 + decay · t) ** power``: inverse time decay; PyTorch has none.

    Args:
        decay: >= 0.
        power: >= 0.

    Raises:
        TypeError: an argument is not a number.
        ValueError: an argument is out of range.

    Example:
        >>> Inverse(decay=1, power=2)([0, 1, 3])
        array([1.    , 0.25  , 0.0625])
    """

    decay: float
    power: float = 1.0

    def __post_init__(self) -> None:
        self._set(decay=real("decay", self.decay, 0.0), power=real("power", self.power, 0.0))

    def _factors(self, t: Steps) -> Factors:
        return power(1.0 / (1.0 + self.decay * t), self.power)


@dataclass(frozen=True)
class OneOverK(Schedule):
    """``offset / (offset + t)``, which is 1/k with k = t + 1 for offset 1.

    The classical condition of stochastic approximation: the factors sum to infinity, so that every point is in reach,
    and their squares do not, so that noise averages out.

    Args:
        offset: > 0; a larger one keeps the factor near 1 for about so many steps.

    Raises:
        TypeError: offset is not a number.
        ValueError: it is out of range.

    Example:
        >>> OneOverK()([0, 1, 3])
        array([1.  , 0.5 , 0.25])

    References:
        Robbins and Monro, "A stochastic approximation method", 1951.
    """

    offset: float = 1.0

    def __post_init__(self) -> None:
        self._set(offset=real("offset", self.offset, sys.float_info.min))

    def _factors(self, t: Steps) -> Factors:
        return self.offset / (self.offset + t)
