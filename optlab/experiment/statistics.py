"""Constructors of claims: each measures samples, finds an interval and says which.

Two rules hold throughout. A sample that is not finite is never dropped: the claim then fails, and its method says how
many there were. Samples too few for the level bound nothing: the interval is infinite and the claim inconclusive.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from optlab.experiment import intervals
from optlab.experiment.claim import MIN_LEVEL, Accept, Claim
from optlab.experiment.intervals import Interval, Vector
from optlab.experiment.question import Question

RESAMPLES = 100_000
"""Bootstrap resamples: at level 0.999 fifty of them lie beyond each end of the interval."""


def exact(name: str, statement: str, measured: float, expected: float, tolerance: float = 0.0) -> Claim:
    """A deterministic number that must equal `expected` within `tolerance`.

    Raises:
        ValueError: if the tolerance is negative or not finite.
    """
    if not 0.0 <= tolerance < math.inf:
        raise ValueError(f"claim '{name}': tolerance must be finite and at least 0, given {tolerance:g}")
    method = f"deterministic, tolerance {tolerance:g}" if tolerance else "exact equality"
    accept = (expected - tolerance, expected + tolerance)
    return Claim(name, statement, measured, expected, measured, measured, accept, 1.0, method, 0)


def bounded(name: str, statement: str, measured: float, accept: Accept, expected: float | None = None) -> Claim:
    """A deterministic number that must lie in `accept`; None leaves an end open.

    Raises:
        ValueError: if `accept` is empty or open on both sides.
    """
    return Claim(name, statement, measured, expected, measured, measured, accept, 1.0, "deterministic", 0)


def mean(
    name: str,
    statement: str,
    samples: ArrayLike,
    expected: float | None,
    accept: Accept,
    level: float = MIN_LEVEL,
) -> Claim:
    """The mean of independent samples, one a seed, with Student's t interval.

    The interval is exact for normal samples and covers less for skewed ones: at level 0.999, 98.4 %, 99.0 % and 99.6 %
    for 10, 30 and 100 samples of the exponential law (20 000 simulations each). `median` needs no assumption.

    Raises:
        ValueError: if `samples` is not one-dimensional, or for what `Claim` refuses.
    """
    values = _vector(name, "samples", samples)
    asked = Question(name, statement, expected, accept, level)
    return asked.answer("Student t interval of the mean", [values.size], _spoiled(values), lambda: _mean(values, level))


def slope(
    name: str,
    statement: str,
    x: ArrayLike,
    y: ArrayLike,
    expected: float | None,
    accept: Accept,
    level: float = MIN_LEVEL,
) -> Claim:
    """The slope of y against x, fitted seed by seed, with Student's t interval over the seeds.

    Each row of `y`, shape (seeds, points), is one seed's curve over `x`, shape (points,). One least-squares slope a row
    is one sample, so points of the same seed may depend on each other; the usual regression interval forbids that.

    Raises:
        ValueError: if the shapes do not fit, if `x` holds fewer than two different numbers or one that is not finite,
            or for what `Claim` refuses.
    """
    place, rows = _vector(name, "x", x), np.asarray(y, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[1] != place.size:
        raise ValueError(f"claim '{name}': y must have shape (seeds, {place.size}) to go with x, given {rows.shape}")
    if not np.isfinite(place).all() or np.unique(place).size < 2:
        raise ValueError(f"claim '{name}': x must hold at least two different numbers, all of them finite")
    offset = place - place.mean()
    with np.errstate(over="ignore", invalid="ignore"):
        slopes = (rows - rows.mean(axis=1, keepdims=True)) @ offset / (offset @ offset)
    asked = Question(name, statement, expected, accept, level)
    return asked.answer(
        "Student t interval of the slopes fitted by seed", [slopes.size], _spoiled(slopes), lambda: _mean(slopes, level)
    )


def fraction(
    name: str,
    statement: str,
    successes: int,
    total: int,
    expected: float | None,
    accept: Accept,
    level: float = MIN_LEVEL,
) -> Claim:
    """The share of `total` independent runs that succeeded, with the Clopper-Pearson interval.

    Clopper-Pearson because it never covers less than it says. The shares of interest are close to 0 or 1, where the
    Wilson interval at level 0.999 covers too little; the price is an interval that is a little wide.

    Raises:
        ValueError: unless `successes` and `total` are integers with 0 <= successes <= total, or for what `Claim`
            refuses.
    """
    hits, runs = int(successes), int(total)
    if hits != successes or runs != total or not 0 <= hits <= runs:
        raise ValueError(f"claim '{name}': need integers 0 <= successes <= total, given {successes} of {total}")
    asked = Question(name, statement, expected, accept, level)
    return asked.answer(
        "Clopper-Pearson interval", [runs], 0, lambda: (hits / runs, intervals.clopper_pearson(hits, runs, level))
    )


def median(
    name: str,
    statement: str,
    samples: ArrayLike,
    expected: float | None,
    accept: Accept,
    level: float = MIN_LEVEL,
) -> Claim:
    """The median of independent samples, one a seed, with the interval between two order statistics.

    Raises:
        ValueError: if `samples` is not one-dimensional, or for what `Claim` refuses.
    """
    values = _vector(name, "samples", samples)
    asked = Question(name, statement, expected, accept, level)
    return asked.answer(
        "order-statistic interval of the median",
        [values.size],
        _spoiled(values),
        lambda: (float(np.median(values)), intervals.order_statistics(values, level)),
    )


def ratio_of_medians(
    name: str,
    statement: str,
    numerator: ArrayLike,
    denominator: ArrayLike,
    expected: float | None,
    accept: Accept,
    *,
    seed: int,
    level: float = MIN_LEVEL,
) -> Claim:
    """The ratio of the medians of two independent samples, with a percentile bootstrap interval drawn from `seed`.

    Raises:
        ValueError: if a sample is not one-dimensional, if a denominator is not positive, or for what `Claim` refuses.
    """
    top, bottom = _vector(name, "numerator", numerator), _vector(name, "denominator", denominator)
    if np.any(bottom[np.isfinite(bottom)] <= 0.0):
        raise ValueError(f"claim '{name}': every number of the denominator must be positive")

    def measure() -> tuple[float, Interval]:
        ratio = float(np.median(top) / np.median(bottom))
        low, high = intervals.bootstrap_ratio(top, bottom, level, seed, RESAMPLES)
        # A percentile interval need not contain the estimate; widening it to do so only makes it safer.
        return ratio, (min(low, ratio), max(high, ratio))

    asked = Question(name, statement, expected, accept, level)
    what = f"percentile bootstrap ({RESAMPLES} resamples) of the ratio of medians"
    return asked.answer(what, [top.size, bottom.size], _spoiled(top) + _spoiled(bottom), measure)


def _mean(values: Vector, level: float) -> tuple[float, Interval]:
    with np.errstate(over="ignore"):
        return float(np.mean(values)), intervals.student(values, level)


def _spoiled(values: Vector) -> int:
    return int(values.size - np.isfinite(values).sum())


def _vector(name: str, argument: str, values: ArrayLike) -> Vector:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"claim '{name}': {argument} must be one-dimensional, given shape {array.shape}")
    return array
