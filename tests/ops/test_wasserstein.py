"""Wasserstein's distance: SciPy's, differences, directions, reductions and refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from reference.compare import assert_within, eps
from reference.refusals import refused
from scipy.stats import wasserstein_distance

from optlab import ops

DTYPES = (np.float32, np.float64)
each_dtype = pytest.mark.parametrize("dtype", DTYPES)
each_bins = pytest.mark.parametrize("bins", (2, 3, 8, 65, 1000))
ROWS = 5


def shares(bins: int, dtype: Any = np.float64) -> tuple[Any, Any]:
    """Histograms, some bins empty."""
    found = np.random.default_rng(bins).gamma(0.5, size=(2, ROWS, bins)) + 1e-3
    p, t = found / found.sum(axis=2, keepdims=True)
    return p.astype(dtype), t.astype(dtype)


@each_dtype
@each_bins
def test_it_is_the_least_work(bins: int, dtype: Any) -> None:
    p, t = shares(bins, dtype)
    loss, _ = ops.wasserstein(p, t, reduction="none", gradient=False)
    places = np.arange(bins)
    expected = [wasserstein_distance(places, places, a, b) for a, b in zip(p, t, strict=True)]
    # Each of the bins' running sums of mass 1 is rounded by bins eps at most, and all of them are added.
    assert loss.dtype == dtype
    assert_within(loss, expected, bins * bins * eps(dtype))


@each_bins
def test_the_slope_is_that_of_differences(bins: int) -> None:
    p, t = shares(bins)
    slope = ops.wasserstein(p, t, reduction="sum")[1]
    h = 1e-9  # no running sum here is so near to 0, so that the loss is linear as far as this
    for j in range(min(bins, 8)):
        step = h * (np.arange(bins) == j)
        ends = [ops.wasserstein(p + side * step, t, reduction="none", gradient=False)[0] for side in (1, -1)]
        assert_within((ends[0] - ends[1]) / (2 * h), slope[:, j], bins * bins * eps(np.float64) / h)


@each_dtype
def test_reductions_and_the_direction_agree(dtype: Any) -> None:
    p, t = shares(33, dtype)
    each, slope = ops.wasserstein(p, t, reduction="none")
    for reduction, weight in (("sum", 1.0), ("mean", 1 / ROWS)):
        loss, weighted = ops.wasserstein(p, t, reduction=reduction)
        assert_within(loss, each.sum(dtype=np.float64) * weight, 2 * ROWS * eps(dtype) * each.sum())
        assert_within(weighted, slope * weight, 2 * eps(dtype) * 33)
        loss_dot, slope_dot = ops.wasserstein_tangent(t, p, t, reduction=reduction)
        # 33 products of slopes below 33 with shares, and their sums.
        assert_within(loss_dot, np.sum(weighted.astype(np.float64) * t), ROWS * 33 * 33 * eps(dtype))
        assert not slope_dot.any()
    assert ops.wasserstein_tangent(t, p, t, reduction="none")[0].shape == (ROWS,)


def test_equal_histograms_cost_nothing() -> None:
    p, _ = shares(7)
    loss, slope = ops.wasserstein(p, p)
    assert loss == 0
    assert not slope.any()


def test_wrong_arguments_are_refused() -> None:
    p, t = shares(4)
    refused(lambda: ops.wasserstein(p[:, :1].copy(), t[:, :1].copy()), ValueError, r"prediction: got shape \(5, 1\)")
    refused(lambda: ops.wasserstein(p[0], t[0]), ValueError, r"prediction: got shape \(4,\)", r"\(rows, bins\)")
    refused(lambda: ops.wasserstein(p, t[:2]), ValueError, r"target: got shape \(2, 4\), expected \(5, 4\)")
    refused(lambda: ops.wasserstein(p, t.astype(np.float32)), TypeError, "target: got dtype float32, expected float64")
    refused(lambda: ops.wasserstein(p, t, reduction="max"), ValueError, "reduction: got 'max'", "'mean', 'sum', 'none'")
    refused(lambda: ops.wasserstein_tangent(p[:2], p, t), ValueError, r"prediction_dot: got shape \(2, 4\)")
