"""Slopes by central differences over many steps, with what rounding, curvature and kinks leave uncertain."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from optlab.blocks import blocks
from optlab.landscape import Landscape

Array = NDArray[Any]
Vector = NDArray[np.float64]
Function = Callable[[Array], Vector]
"""Points ``(n, dim)`` to numbers ``(n, entries)``."""
Moves = Callable[[NDArray[np.intp]], Array]
"""Numbers of items ``(n,)`` to what their points move by, ``(n, dim)``."""

TINY = 1e-30
"""The imaginary step: its square vanishes beside 1, and nothing is subtracted."""
SAFETY = 8.0
"""By how much rounding at one point may exceed the most that was measured at some points nearby."""


class Estimate(NamedTuple):
    """Slopes, the most by which each may be off, and whether the slopes from both sides disagree there."""

    value: Vector
    bound: Vector
    kinked: NDArray[np.bool_]


def steps(dtype: Any) -> Array:
    """The steps h, powers of two from about ε^(1/7) down to about ε^(1/2), each a quarter of the one before."""
    digits = np.finfo(dtype).nmant
    return np.ldexp(1.0, -np.arange(round(digits / 7), digits // 2 + 1, 2)).astype(dtype)


def slopes(function: Function, at: Array, moves: Moves, runs: Array, noise: Vector) -> Estimate:
    """The derivatives of a function along moves, by :func:`estimate`, in blocks.

    Args:
        function: What is differentiated.
        at: Points ``(runs, dim)``.
        moves: What x moves by, for items of these numbers.
        runs: The run of each item.
        noise: The rounding of the function, ``(runs, entries)``.
    """
    found = []
    for block in blocks(len(runs), at.shape[1] + 2 * len(steps(at.dtype)) * noise.shape[1]):
        items = np.arange(block.start, block.stop)
        x, move = at[runs[block]], moves(items)
        sides = [np.array([function(x + h * move) for h in s * steps(at.dtype)]) for s in (1, -1)]
        found.append(estimate(sides[0], sides[1], function(x), noise[runs[block]], at.dtype))
    return Estimate(*(np.concatenate(parts) for parts in zip(*found, strict=True)))


def estimate(plus: Vector, minus: Vector, center: Vector, noise: Vector, dtype: Any) -> Estimate:
    """The best of the slopes of all steps, for each entry.

    Central differences D(h) = (f(x + h) − f(x − h)) / 2h are extrapolated once, P(h) = (16 D(h/4) − D(h)) / 15. The
    rounding of D is at most SAFETY · (noise + ε |f|) / h. What else is wrong with P shows in the P of smaller steps,
    beyond their rounding; for the smallest step there is none, but the true slope lies between those of the two sides.
    The step with the least sum of both wins.

    Args:
        plus: f(x + h) for each step, ``(steps, n, entries)``.
        minus: f(x − h).
        center: f(x), ``(n, entries)``.
        noise: The rounding of f there, of the same shape.
        dtype: In which f was computed.
    """
    h = steps(dtype).astype(np.float64)[:, None, None]
    central = (plus - minus) / (2 * h)
    rough = SAFETY * (noise + np.finfo(dtype).eps * np.maximum(np.abs(plus), np.abs(minus))) / h
    finer, rounding = (16 * central[1:] - central[:-1]) / 15, (16 * rough[1:] + rough[:-1]) / 15
    bend = np.abs(plus + minus - 2 * center) / h  # by how much the slopes of the two sides differ
    kinked = bend[-1] - bend[-2] / 2 > 4 * rough[-1]  # for a smooth function it falls to a quarter
    kinked |= np.abs(finer[-1]) - 2 * np.abs(finer[-2]) > 2 * rounding[-1]  # slopes grow as 1/h over a jump
    bound = rounding + 2 * drift(finer, rounding) + np.where(kinked, bend[-1] / 2 + rough[-1], 0)
    bound[-1] = rounding[-1] + bend[-1] / 2 + 2 * np.abs(finer[-1] - finer[-2])
    bound[0] = np.inf  # the largest step only shows the drift
    best = np.argmin(np.where(np.isfinite(bound), bound, np.inf), axis=0)[None]
    return Estimate(np.take_along_axis(finer, best, 0)[0], np.take_along_axis(bound, best, 0)[0], kinked)


def drift(finer: Vector, rounding: Vector) -> Vector:
    """By how much smaller steps contradict each one: the next as it is, all of them beyond their rounding.

    Two of them may agree by chance, between kinks of a second derivative as ELU has, whose share in a slope falls with
    h; so a quarter of the drift of the step before counts, too, and a sixteenth of the one before that.
    """
    found = np.zeros_like(finer)
    for k in range(1, len(finer)):
        apart = np.abs(finer[:k] - finer[k])
        found[:k] = np.maximum(found[:k], apart - rounding[k])
        found[k - 1] = np.maximum(found[k - 1], apart[-1])
    for _ in range(2):
        found[1:] = np.maximum(found[1:], found[:-1] / 4)
    return found


def jumps(stated: Callable[[Array, Array], Vector], at: Array, moves: Array) -> Vector:
    """What a kink within four of the smallest steps explains, from stated slopes at ±1, ±2 and ±4 of these steps.

    A slope that jumps by Δ misses its line of regression by Δ/3 or more somewhere, and differences miss it by Δ/2 at
    most, so that twice the first is an upper bound of the second. A smooth slope misses its line by the order of ε.

    Args:
        stated: Points and moves ``(n, dim)`` to the slopes along them, ``(n, entries)``.
        at: Points ``(n, dim)``.
        moves: Moves ``(n, dim)``.
    """
    found, places = [], np.array([-4.0, -2.0, -1.0, 1.0, 2.0, 4.0], at.dtype)
    for block in blocks(len(at), at.shape[1]):
        x, move = at[block], moves[block]
        near = np.array([stated(x + s * steps(at.dtype)[-1] * move, move) for s in places])
        line = near.mean(axis=0) + np.multiply.outer(places, np.tensordot(places, near, 1) / np.sum(places**2))
        found.append(2 * np.abs(near - line).max(axis=0))
    return np.concatenate(found)


def complex_steps(f: Landscape, at: Array, moves: Moves, runs: Array, known: Estimate) -> Estimate | None:
    """Im f(x + i h move) / h, good to a few ε, where f takes complex points and all agree with the known slopes.

    Args:
        f: The landscape.
        at: Points ``(runs, dim)``.
        moves: What x moves by, for items of these numbers.
        runs: The run of each item.
        known: Slopes that decide whether f is analytic as it is written; |z|, for example, is not.
    """
    found = []
    for block in blocks(len(runs), 2 * at.shape[1]):
        move = 1j * TINY * moves(np.arange(block.start, block.stop))
        made = f.complex_value(at[runs[block]].astype(np.float64) + move)
        if made is None:
            return None
        found.append(made.imag / TINY)
    value = np.concatenate(found)[:, None]
    if not (np.abs(value - known.value) <= known.bound).all():
        return None
    most = np.zeros(len(at))
    np.maximum.at(most, runs, np.abs(value[:, 0]))
    return Estimate(value, 32 * np.finfo(np.float64).eps * most[runs, None], known.kinked)
