"""Line searches: how far to go along a direction in which the value falls."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np

from optlab.landscape import Landscape
from optlab.typing import Array

__all__ = ["Counted", "Line", "LineSearch", "Point", "armijo", "dot", "exact", "strong_wolfe", "weak_wolfe"]

MAX_TRIALS = 60
MAX_GROWTH = 4.0**10
"""How far a search goes beyond its first trial, as along a direction without a minimum."""
SUFFICIENT = 1e-4
"""The share of the decrease that the slope promises, which a step must reach."""


class Counted:
    """A landscape at one point at a time, which counts its evaluations."""

    def __init__(self, landscape: Landscape, batch: Array | None = None) -> None:
        self.landscape, self.batch = landscape, batch
        self.values = self.grads = self.products = 0

    def value_and_grad(self, x: Array) -> tuple[float, Array]:
        """f(x) and its gradient."""
        self.values, self.grads = self.values + 1, self.grads + 1
        value, grad = self.landscape.value_and_grad(x[None], self.batch)
        return float(value[0]), grad[0]

    def hvp(self, x: Array, v: Array) -> Array:
        """The Hessian at x times v."""
        self.products += 1
        product: Array = self.landscape.hvp(x[None], v[None], self.batch)[0]
        return product

    def hessian(self, x: Array) -> Array:
        """The Hessian at x; counts as ``dim`` products."""
        self.products += len(x)
        return self.landscape.hessian(x, self.batch)


class Point(NamedTuple):
    """What is known at a trial step: an infinite value stands for whatever is not finite there."""

    step: float
    value: float
    slope: float
    x: Array
    grad: Array


class Line:
    """φ(a) = f(x + a d), with the slope φ'(a) = d·∇f(x + a d)."""

    def __init__(self, f: Counted, x: Array, direction: Array, value: float, grad: Array, first: float) -> None:
        self.f, self.direction = f, direction
        self.start = Point(0.0, value, dot(grad, direction), x, grad)
        rounding = 4 * float(np.finfo(x.dtype).eps) * abs(value)
        self.slack = rounding if first * abs(self.start.slope) <= 256 * rounding else 0.0

    def at(self, step: float) -> Point:
        """The trial point at a step."""
        with np.errstate(all="ignore"):
            x = self.start.x + self.start.x.dtype.type(step) * self.direction
            value, grad = self.f.value_and_grad(x)
        if not (math.isfinite(value) and np.isfinite(grad).all()):
            return Point(step, math.inf, math.inf, x, grad)
        return Point(step, value, dot(grad, self.direction), x, grad)

    def enough(self, point: Point) -> bool:
        """Armijo's condition, with slack only where the first trial promises little more than rounding."""
        bound = self.start.value + SUFFICIENT * point.step * self.start.slope + self.slack
        lower = self.slack > 0 or point.value < self.start.value
        return lower and point.value <= bound and bool(np.any(point.x != self.start.x))


LineSearch: TypeAlias = Callable[[Line, float], Point | None]
"""From a line and a first trial step to the point accepted, or None."""


def dot(a: Array, b: Array) -> float:
    """a·b, by a sum whose order depends on nothing but the length."""
    with np.errstate(over="ignore", invalid="ignore"):
        return float(np.add.reduce(np.multiply(a, b, dtype=np.float64)))


def armijo(line: Line, step: float = 1.0) -> Point | None:
    """Backtracking: halves the step until ``φ(a) <= φ(0) + 1e-4 a φ'(0)`` (Armijo 1966)."""
    for _ in range(MAX_TRIALS):
        if line.enough(point := line.at(step)):
            return point
        step /= 2
    return None


def weak_wolfe(line: Line, step: float = 1.0) -> Point | None:
    """Armijo's condition and ``φ'(a) >= 0.9 φ'(0)`` (Wolfe 1969), by bracketing with cubic interpolation."""
    return _bracketed(line, step, lambda point: point.slope >= 0.9 * line.start.slope)


def strong_wolfe(line: Line, step: float = 1.0, curvature: float = 0.9) -> Point | None:
    """Armijo's condition and ``|φ'(a)| <= curvature |φ'(0)|``, by bracketing with cubic interpolation.

    Example:
        >>> import numpy as np, optlab as ol
        >>> path = ol.minimize(ol.landscapes.Rosenbrock(2), np.array([-1.2, 1.0]), tol=1e-8)
        >>> str(path.stop_reason[0])
        'gradient'
    """
    return _bracketed(line, step, lambda point: abs(point.slope) <= curvature * abs(line.start.slope))


def _bracketed(line: Line, step: float, flat: Callable[[Point], bool]) -> Point | None:
    low, high, best, limit = line.start, None, None, MAX_GROWTH * step
    for _ in range(MAX_TRIALS):
        point = line.at(step)
        if not line.enough(point) or (best is not None and point.value > low.value + line.slack):
            high = point
        elif flat(point):
            return point
        elif point.slope >= 0:
            high, best = point, point
        else:
            low = best = point
        step = 4 * low.step if high is None and low.step > 0 else _between(low, high or point)
        if step > limit:
            break
        if high is not None and abs(high.step - low.step) <= 1e-14 * high.step:
            break
    return best


def _between(low: Point, high: Point) -> float:
    """The minimum of the cubic through both ends, kept off them; a tenth of the way where an end is not finite."""
    width = high.step - low.step
    if not math.isfinite(high.value):
        return low.step + 0.1 * width
    d = low.slope + high.slope - 3 * (high.value - low.value) / width
    root = d * d - low.slope * high.slope
    share = 0.5
    if root >= 0 and (bottom := high.slope - low.slope + 2 * math.sqrt(root)) != 0:
        share = 1 - (high.slope + math.sqrt(root) - d) / bottom
    return low.step + width * (min(max(share, 0.1), 0.9) if math.isfinite(share) else 0.5)


def exact(line: Line, step: float = 1.0) -> Point | None:
    """The minimum along the line of a quadratic, ``−φ'(0) / dᵀHd``; None where the curvature is not positive."""
    curvature = dot(line.direction, line.f.hvp(line.start.x, line.direction))
    return line.at(-line.start.slope / curvature) if curvature > 0 else None
