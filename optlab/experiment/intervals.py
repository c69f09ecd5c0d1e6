"""Confidence intervals, each a function from finite samples to its two ends.

Samples too few for the level bound nothing, and the ends are infinite. SciPy is imported inside the functions, so that
importing this module stays light.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Interval = tuple[float, float]

UNBOUNDED: Interval = (-math.inf, math.inf)


def student(values: Vector, level: float) -> Interval:
    """Student's t interval of the mean; exact for normal samples, infinite for a single one."""
    from scipy.stats import t

    n = values.size
    if n < 2:
        return UNBOUNDED
    with np.errstate(over="ignore", invalid="ignore"):
        centre = float(np.mean(values))
        half = float(t.isf((1.0 - level) / 2.0, n - 1)) * float(np.std(values, ddof=1)) / math.sqrt(n)
    return centre - half, centre + half


def clopper_pearson(successes: int, total: int, level: float) -> Interval:
    """The Clopper-Pearson interval of a share: it never covers less than `level`."""
    from scipy.stats import beta

    tail = (1.0 - level) / 2.0
    low = 0.0 if successes == 0 else float(beta.ppf(tail, successes, total - successes + 1))
    high = 1.0 if successes == total else float(beta.isf(tail, successes + 1, total - successes))
    return low, high


def order_statistics(values: Vector, level: float) -> Interval:
    """The interval of the median between the k-th sample from below and the k-th from above.

    The number of samples below the true median is Binomial(n, 1/2) for every continuous law, so the interval covers at
    least `level` without further assumption. At level 0.999 it takes 11 samples to bound anything.
    """
    from scipy.stats import binom

    # The k-th sample from below exceeds the median with probability P(Bin < k), which must not exceed the tail. `ppf`
    # returns the first count at which the probability P(Bin <= count) reaches the tail: the largest such k.
    k = int(binom.ppf((1.0 - level) / 2.0, values.size, 0.5))
    if k < 1:
        return UNBOUNDED
    ordered = np.sort(values)
    return float(ordered[k - 1]), float(ordered[values.size - k])


def bootstrap_ratio(top: Vector, bottom: Vector, level: float, seed: int, resamples: int) -> Interval:
    """The percentile bootstrap interval of median(top) / median(bottom), the two resampled independently.

    Infinite where either sample is too small for `order_statistics` to bound its median: there the bootstrap would
    still return the extreme samples, and cover too little.
    """
    if not all(np.isfinite(order_statistics(values, level)).all() for values in (top, bottom)):
        return UNBOUNDED
    rng = np.random.default_rng(seed)
    ratios = resampled_medians(top, resamples, rng) / resampled_medians(bottom, resamples, rng)
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(ratios, [tail, 1.0 - tail])
    return float(low), float(high)


def resampled_medians(values: Vector, resamples: int, rng: np.random.Generator) -> Vector:
    """Draw medians of bootstrap resamples directly, with one or two random numbers for each.

    A resample of n values is n uniform ranks; its k-th smallest value is the sample at rank n * U, where U is the k-th
    smallest of n uniform numbers, hence Beta(k, n + 1 - k). Drawing that U replaces n draws and a sort.
    """
    ordered, n = np.sort(values), values.size
    if n % 2 == 1:
        return ordered[_rank(rng.beta((n + 1) / 2, (n + 1) / 2, resamples), n)]
    m = n // 2
    lower = rng.beta(m, m + 1, resamples)
    # Given the m-th smallest, the m numbers above it are uniform on (lower, 1); the next one is the least of them.
    upper = lower + (1.0 - lower) * rng.beta(1, m, resamples)
    return (ordered[_rank(lower, n)] + ordered[_rank(upper, n)]) / 2.0


def _rank(uniform: Vector, n: int) -> NDArray[np.int64]:
    # The minimum guards against a uniform number that rounds to 1.
    return np.minimum((uniform * n).astype(np.int64), n - 1)
