"""The coverage of the intervals, by simulation or by exact sums."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats

from optlab.experiment import intervals

LEVEL = 0.999


def most_misses(trials: int) -> int:
    """The number of misses that an honest interval exceeds with probability 1e-6 only; the seeds are fixed anyway."""
    return int(scipy.stats.binom.isf(1e-6, trials, 1.0 - LEVEL))


def misses(ends: np.ndarray, truth: float) -> int:
    return int(np.sum((ends[:, 0] > truth) | (ends[:, 1] < truth)))


def test_student_covers_the_mean_and_is_not_too_wide() -> None:
    samples = np.random.default_rng(4).normal(size=(4000, 6))
    ends = np.array([intervals.student(row, LEVEL) for row in samples])
    assert misses(ends, 0.0) <= most_misses(4000)
    # The interval is exact, so at level 0.9 close to a tenth must miss: within five standard errors of it.
    ends = np.array([intervals.student(row, 0.9) for row in samples])
    assert abs(misses(ends, 0.0) - 400) <= 5.0 * math.sqrt(4000 * 0.1 * 0.9)


def test_clopper_pearson_covers_every_share() -> None:
    for total, share in [(10, 0.02), (30, 0.5), (200, 0.995)]:
        hits = np.arange(total + 1)
        ends = np.array([intervals.clopper_pearson(int(k), total, LEVEL) for k in hits])
        covered = (ends[:, 0] <= share) & (share <= ends[:, 1])
        # No simulation: the coverage is a finite sum.
        assert scipy.stats.binom.pmf(hits[covered], total, share).sum() >= LEVEL


def test_order_statistics_cover_the_median_of_a_skewed_law() -> None:
    samples = np.random.default_rng(5).exponential(size=(4000, 15))
    ends = np.array([intervals.order_statistics(row, LEVEL) for row in samples])
    assert misses(ends, math.log(2.0)) <= most_misses(4000)
    # Not too wide either: one order statistic further in covers less than the level.
    k = int(np.searchsorted(np.sort(samples[0]), ends[0, 0])) + 1
    assert 2.0 * scipy.stats.binom.cdf(k - 1, 15, 0.5) <= 1.0 - LEVEL < 2.0 * scipy.stats.binom.cdf(k, 15, 0.5)


@pytest.mark.parametrize("n", [4, 5])
def test_resampled_medians_follow_the_bootstrap(n: int) -> None:
    values = np.random.default_rng(6).normal(size=n)
    drawn = intervals.resampled_medians(values, 40_000, np.random.default_rng(7))
    grid = np.array(np.meshgrid(*[values] * n)).reshape(n, -1)
    every = np.median(grid, axis=0)
    points = np.unique(every)
    # The shares of all n**n equally likely resamples, each within five standard errors.
    for point in points:
        share = np.mean(np.isclose(every, point))
        error = math.sqrt(share * (1.0 - share) / drawn.size)
        assert abs(np.mean(np.isclose(drawn, point)) - share) <= 5.0 * error + 1e-12
    assert np.isin(np.round(drawn, 12), np.round(points, 12)).all()


def test_ratio_of_medians_covers_the_ratio() -> None:
    rng = np.random.default_rng(8)
    trials = 400
    top, bottom = rng.exponential(3.0, size=(trials, 60)), rng.exponential(1.0, size=(trials, 60))
    ends = np.array(
        [
            intervals.bootstrap_ratio(a, b, LEVEL, seed, 4000)
            for seed, (a, b) in enumerate(zip(top, bottom, strict=True))
        ]
    )
    # The bootstrap is close, not exact: at this size we allow it three times the misses of an exact interval.
    assert misses(ends, 3.0) <= scipy.stats.binom.isf(1e-6, trials, 3.0 * (1.0 - LEVEL))
    assert misses(ends, 9.0) > trials / 2
