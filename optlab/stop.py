"""Stopping rules of a study. Each is tested for every run at every step, at x_t before the step is taken.

A run that meets a rule stays where it is; its later records repeat that point.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from optlab.checks import integer, real

__all__ = ["StopRule", "grad_norm", "leaves_ball", "leaves_box", "near", "nonfinite", "value"]


@dataclass(frozen=True)
class StopRule:
    """A rule as the compiled loop takes it. Use the functions of this module instead.

    ``low`` and ``high`` are the bounds of a box, or center and weight of a distance.
    """

    name: str
    kind: str
    threshold: float
    below: bool
    low: tuple[float, ...] | float | NDArray[np.float64] | None = None
    high: tuple[float, ...] | float | NDArray[np.float64] | None = None

    def of_dim(self, dim: int) -> StopRule:
        """The rule with vectors of dim coordinates, as compiled code reads it.

        Raises:
            ValueError: the rule was made for another number of coordinates.
        """
        if self.low is None:
            return self
        return replace(self, low=self._vector(self.low, dim), high=self._vector(self.high, dim))

    def _vector(self, given: ArrayLike | None, dim: int) -> NDArray[np.float64]:
        array = np.asarray(given, np.float64)
        if array.ndim and array.shape != (dim,):
            raise ValueError(f"stop: {self.name} was made for {array.size} coordinates, expected {dim}")
        return np.full(dim, array) if array.ndim == 0 else array


def _point(name: str, given: ArrayLike) -> tuple[float, ...] | float:
    try:
        array = np.asarray(given, np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"{name}: got {given!r}, expected a number or a vector of numbers") from None
    if array.ndim > 1 or array.size == 0 or np.isnan(array).any():
        raise ValueError(f"{name}: got {given!r}, expected a number or a vector of numbers")
    return tuple(array.tolist()) if array.ndim else float(array)


def grad_norm(below: float) -> StopRule:
    """Stops a run once ``|∇f(x)| <= below``, with the full gradient even where the steps use batches."""
    return StopRule("grad_norm", "grad_norm", real("below", below, 0.0), True)


def value(below: float) -> StopRule:
    """Stops a run once ``f(x) <= below``."""
    return StopRule("value", "value", real("below", below), True)


def near(point: ArrayLike, radius: float) -> StopRule:
    """Stops a run once ``|x − point| <= radius`` (a number stands for all coordinates)."""
    return StopRule("near", "distance", real("radius", radius, 0.0), True, _point("point", point), 1.0)


def leaves_ball(radius: float, center: ArrayLike = 0.0, coordinates: Sequence[int] | None = None) -> StopRule:
    """Stops a run once ``|x − center| >= radius``, measured in the given coordinates only (all by default).

    Raises:
        ValueError: coordinates are given but the center is a number, so that dim is unknown, or one is out of range.
    """
    middle = _point("center", center)
    if coordinates is None:
        return StopRule("left", "distance", real("radius", radius, 0.0), False, middle, 1.0)
    if isinstance(middle, float):
        raise ValueError("center: got a number, expected a vector when coordinates are given")
    weight = [0.0] * len(middle)
    for index in coordinates:
        weight[integer("coordinates", index, 0, len(middle) - 1)] = 1.0
    return StopRule("left", "distance", real("radius", radius, 0.0), False, middle, tuple(weight))


def leaves_box(low: ArrayLike, high: ArrayLike) -> StopRule:
    """Stops a run once some coordinate reaches a bound of the box (numbers stand for all coordinates)."""
    return StopRule("left", "box", 0.0, False, _point("low", low), _point("high", high))


def nonfinite() -> StopRule:
    """Stops a run at the first step at which a coordinate is infinite or NaN."""
    return StopRule("nonfinite", "nonfinite", 0.0, False)
