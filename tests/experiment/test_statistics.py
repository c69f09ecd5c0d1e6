"""The claims against SciPy's own intervals, and what they do with bad samples."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import scipy.stats

from optlab.experiment import bounded, exact, fraction, mean, median, ratio_of_medians, slope

LEVEL = 0.999
WORDS = ("name", "in words")


def test_mean_is_students_interval() -> None:
    samples = np.random.default_rng(1).normal(3.0, 2.0, 17)
    claim = mean(*WORDS, samples, 3.0, (0.0, 6.0))
    oracle = scipy.stats.ttest_1samp(samples, 0.0).confidence_interval(LEVEL)
    # 1e-12: both evaluate the same formula in float64; the t quantile is good to about 1e-13.
    np.testing.assert_allclose((claim.low, claim.high), oracle, rtol=1e-12)
    assert claim.measured == np.mean(samples)
    assert claim.method == "Student t interval of the mean over 17 samples"
    assert (claim.seeds, claim.level, claim.expected, claim.verdict) == (17, LEVEL, 3.0, "holds")


def test_fraction_is_clopper_and_pearsons_interval() -> None:
    for hits, total in [(0, 20), (20, 20), (3, 50), (9990, 10_000), (1, 1)]:
        claim = fraction(*WORDS, hits, total, None, (0.0, None))
        oracle = scipy.stats.binomtest(hits, total).proportion_ci(LEVEL, method="exact")
        # 1e-9: SciPy finds the ends by a search to that accuracy, we by the quantile of the beta law.
        np.testing.assert_allclose((claim.low, claim.high), oracle, rtol=1e-9)
        assert (claim.measured, claim.seeds) == (hits / total, total)


def test_median_lies_between_order_statistics() -> None:
    rng = np.random.default_rng(2)
    for n in (11, 12, 40, 41, 1000):
        samples = rng.exponential(size=n)
        claim = median(*WORDS, samples, math.log(2.0), (0.0, 10.0))
        ordered = np.sort(samples)
        # Each pair from outside in, as long as the true median lies outside with probability 0.001 at most.
        below = [sum(math.comb(n, i) for i in range(k)) / 2**n for k in range(1, n // 2 + 1)]
        k = sum(2.0 * tail <= 1.0 - LEVEL for tail in below)
        assert (claim.low, claim.high) == (ordered[k - 1], ordered[-k])
        assert claim.measured == np.median(samples)


def test_slope_is_the_mean_of_fitted_slopes() -> None:
    rng = np.random.default_rng(3)
    x = np.array([0.0, 1.0, 2.0, 5.0])
    y = 2.0 * x + rng.normal(size=(12, 4)).cumsum(axis=1)
    claim = slope(*WORDS, x, y, 2.0, (1.0, 3.0))
    fitted = [np.polyfit(x, row, 1)[0] for row in y]
    oracle = scipy.stats.ttest_1samp(fitted, 0.0).confidence_interval(LEVEL)
    np.testing.assert_allclose((claim.low, claim.high), oracle, rtol=1e-10)
    assert claim.seeds == 12
    assert "slopes fitted by seed" in claim.method


def test_ratio_of_medians_depends_on_its_seed_alone() -> None:
    rng = np.random.default_rng(9)
    top, bottom = rng.exponential(size=30), rng.exponential(size=31)
    claim, again, other = (ratio_of_medians(*WORDS, top, bottom, 1.0, (0.0, 9.0), seed=seed) for seed in (1, 1, 2))
    assert claim == again
    assert (claim.low, claim.high) != (other.low, other.high)
    assert claim.measured == np.median(top) / np.median(bottom)
    assert claim.seeds == 30


def test_exact_and_bounded_are_deterministic() -> None:
    assert exact(*WORDS, 1.0, 1.0).verdict == "holds"
    assert exact(*WORDS, 1.0 + 2.0**-52, 1.0).verdict == "fails"
    assert exact(*WORDS, 1.1, 1.0, tolerance=0.2).verdict == "holds"
    assert exact(*WORDS, 1.3, 1.0, tolerance=0.2).verdict == "fails"
    assert bounded(*WORDS, 3.0, (None, 3.0)).verdict == "holds"
    assert bounded(*WORDS, 3.0, (3.1, None), expected=4.0).verdict == "fails"
    for claim in (exact(*WORDS, 1.0, 1.0), bounded(*WORDS, 1.0, (0.0, 2.0))):
        assert (claim.low, claim.high, claim.level, claim.seeds) == (1.0, 1.0, 1.0, 0)
    with pytest.raises(ValueError, match="tolerance"):
        exact(*WORDS, 1.0, 1.0, tolerance=-1.0)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_sample_that_is_not_finite_fails_the_claim_and_is_counted(bad: float) -> None:
    samples = np.ones(20)
    samples[[3, 7]] = bad
    rows = np.ones((20, 3))
    rows[[3, 7], 1] = bad
    for claim in (
        mean(*WORDS, samples, 1.0, (0.0, 2.0)),
        median(*WORDS, samples, 1.0, (0.0, 2.0)),
        slope(*WORDS, [1.0, 2.0, 3.0], rows, 0.0, (-1.0, 1.0)),
        ratio_of_medians(*WORDS, samples, np.ones(20), 1.0, (0.0, 2.0), seed=0),
        ratio_of_medians(*WORDS, np.ones(20), samples, 1.0, (0.0, 2.0), seed=0),
    ):
        assert claim.verdict == "fails"
        assert claim.method.endswith("2 of them not finite")


def test_no_samples_fail_the_claim() -> None:
    for claim in (
        mean(*WORDS, [], 1.0, (0.0, 2.0)),
        median(*WORDS, [], 1.0, (0.0, 2.0)),
        fraction(*WORDS, 0, 0, 1.0, (0.0, 2.0)),
        slope(*WORDS, [1.0, 2.0], np.ones((0, 2)), 0.0, (-1.0, 1.0)),
        ratio_of_medians(*WORDS, [], [1.0], 1.0, (0.0, 2.0), seed=0),
    ):
        assert (claim.verdict, claim.seeds) == ("fails", 0)


def test_too_few_samples_decide_nothing() -> None:
    few = [1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8, 1.9]
    for claim in (
        mean(*WORDS, few[:1], 1.0, (0.0, 2.0)),
        median(*WORDS, few, 1.0, (0.0, 2.0)),
        ratio_of_medians(*WORDS, few, few * 2, 1.0, (0.0, 2.0), seed=0),
    ):
        assert claim.verdict == "inconclusive"
        assert claim.method.endswith("too few for the level")


def test_samples_too_large_to_average_fail_without_a_warning() -> None:
    assert mean(*WORDS, [1e308] * 10, 1.0, (0.0, None)).verdict == "fails"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mean(*WORDS, [[1.0]], 1.0, (0, 2)), r"samples must be one-dimensional, given shape \(1, 1\)"),
        (lambda: mean(*WORDS, [1.0, 1.0], 1.0, (0, 2), level=0.95), "level must be between"),
        (lambda: median(*WORDS, [1.0, 1.0], 1.0, (0, 2), level=2.0), "level must be between"),
        (lambda: fraction(*WORDS, 3, 2, 1.0, (0, 1)), "need integers 0 <= successes <= total, given 3 of 2"),
        (lambda: fraction(*WORDS, 0.5, 2, 1.0, (0, 1)), "need integers"),  # type: ignore[arg-type]
        (lambda: slope(*WORDS, [1.0, 2.0], [[1.0, 2.0, 3.0]], 1.0, (0, 1)), r"\(seeds, 2\).*given \(1, 3\)"),
        (lambda: slope(*WORDS, [1.0, 1.0], [[1.0, 2.0]], 1.0, (0, 1)), "at least two different"),
        (lambda: slope(*WORDS, [1.0, math.inf], [[1.0, 2.0]], 1.0, (0, 1)), "all of them finite"),
        (lambda: ratio_of_medians(*WORDS, [1.0], [0.0], 1.0, (0, 1), seed=0), "must be positive"),
    ],
)
def test_wrong_arguments_are_refused(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
