"""Trace and diagonal against exact ones, and whether their standard errors are honest."""

from __future__ import annotations

import numpy as np
import pytest
from reference.compare import assert_same_bits, assert_within, eps
from reference.spectra import NETWORKS, network, orthogonal

import optlab as ol
from optlab import blocks

DISTRIBUTIONS = ("rademacher", "normal")
SPECTRUM = np.linspace(-2.0, 5.0, 40)
F, X = ol.landscapes.Quadratic(SPECTRUM, rotation=orthogonal(40)), np.zeros(40)
H = orthogonal(40) @ np.diag(SPECTRUM) @ orthogonal(40).T
SEEDS = 600


def variances(distribution: str) -> tuple[float, np.ndarray]:
    """Of one probe's term of the trace and of the diagonal, from the formulas."""
    squares, own = H**2, np.diag(H) ** 2
    if distribution == "normal":
        return 2 * squares.sum(), squares.sum(axis=1) + own
    return 2 * (squares.sum() - own.sum()), squares.sum(axis=1) - own


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_standard_errors_are_honest(distribution: str) -> None:
    found = [ol.curvature.trace(F, X, 16, distribution=distribution, seed=seed) for seed in range(SEEDS)]
    value, error = np.array([(each.value, each.standard_error) for each in found]).T
    variance = variances(distribution)[0] / 16
    # unbiased: the mean of all seeds within 4 of its own standard deviations; so is the mean of the squared errors,
    # whose own spread is near √(2/15) for 16 probes
    assert abs(value.mean() - SPECTRUM.sum()) < 4 * np.sqrt(variance / SEEDS)
    assert abs((error**2).mean() / variance - 1) < 4 * np.sqrt(2 / 15 / SEEDS) * 1.5
    # Student's t with 15 degrees of freedom: 95 % lie within 2.131 errors; the count's standard deviation is 0.9 %
    assert 0.914 < (np.abs(value - SPECTRUM.sum()) < 2.131 * error).mean() < 0.986


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_the_diagonals_errors_are_honest(distribution: str) -> None:
    found = [ol.curvature.diagonal(F, X, 39, distribution=distribution, seed=seed) for seed in range(150)]
    value = np.array([each.value for each in found])
    error = np.array([each.standard_error for each in found])
    variance = variances(distribution)[1] / 39
    assert (np.abs(value.mean(axis=0) - np.diag(H)) < 4.5 * np.sqrt(variance / 150)).all()
    # normal probes' terms have an excess kurtosis below 12: the mean squared error spreads by √((2/38 + 12/39)/150)
    assert_within((error**2).mean(axis=0) / variance, 1, 4.5 * np.sqrt((2 / 38 + 12 / 39) / 150))
    # products of two normals are heavier in the tails than Student's t allows for, hence the lower end
    assert 0.92 < (np.abs(value - np.diag(H)) < 2.024 * error).mean() < 0.97


def test_terms_are_those_of_the_probes() -> None:
    z = ol.curvature.probes.probes(16, 40, 3, "rademacher")
    assert set(np.unique(z)) == {-1.0, 1.0} and abs(z.mean()) < 4 / np.sqrt(z.size)
    terms = np.sum(z * (z @ H), axis=1)
    found = ol.curvature.trace(F, X, 16, seed=3)
    assert_within(found.value, terms.mean(), 1e-12)
    assert_within(found.standard_error, terms.std(ddof=1) / 4, 1e-12)
    assert found.probes == 16


@pytest.mark.parametrize("function", (ol.curvature.trace, ol.curvature.diagonal))
def test_exact_where_probes_are_no_fewer_than_coordinates(function: object) -> None:
    found = function(F, X, 40)  # type: ignore[operator]
    exact = np.diag(H).sum() if function is ol.curvature.trace else np.diag(H)
    assert_within(found.value, exact, 100 * eps(np.float64) * 5)
    assert not np.any(found.standard_error) and found.probes == 0


def test_rademacher_probes_see_a_diagonal_exactly() -> None:
    f = ol.landscapes.Quadratic(SPECTRUM)
    found = ol.curvature.diagonal(f, X, 3)
    assert_within(found.value, SPECTRUM, 2 * eps(np.float64) * np.abs(SPECTRUM))  # the mean of three equal terms
    assert found.standard_error.max() < 1e-15 and found.probes == 3


@pytest.mark.parametrize("dtype", ("float64", "float32"))
@pytest.mark.parametrize("name", NETWORKS)
def test_networks(name: str, dtype: str) -> None:
    f, x = network(name, dtype)
    exact = network(name)[0].hessian(x.astype(np.float64))
    found = ol.curvature.trace(f, x, 60)
    assert abs(found.value - exact.trace()) < 4 * found.standard_error
    entries = ol.curvature.diagonal(f, x, 60)
    inside = np.abs(entries.value - np.diag(exact)) < 4 * entries.standard_error + 1e-5
    assert inside.mean() > 0.98 and entries.value.dtype == np.float64


@pytest.mark.parametrize("function", (ol.curvature.trace, ol.curvature.diagonal))
def test_blocks_do_not_show(function: object, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = function(F, X, 30)  # type: ignore[operator]
    monkeypatch.setattr(blocks, "BLOCK", 7 * 40)
    parts = function(F, X, 30)  # type: ignore[operator]
    # blocks of 7 probes are combined; some roundings more than a single mean
    assert_within(parts.value, whole.value, 100 * eps(np.float64) * 5)
    assert_within(parts.standard_error, whole.standard_error, 1e-13)


def test_more_probes_begin_with_the_same() -> None:
    few, many = (ol.curvature.probes.probes(count, 40, 1, "normal") for count in (3, 9))
    assert_same_bits(few, many[:3])
    assert_same_bits(ol.curvature.probes.probes(4, 40, 1, "normal", first=5), many[5:])
