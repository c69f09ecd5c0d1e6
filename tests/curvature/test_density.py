"""Stochastic Lanczos quadrature against exact spectra."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest
from reference.compare import assert_within, eps
from reference.spectra import NETWORKS, network, orthogonal

import optlab as ol

lanczos = importlib.import_module("optlab.curvature.lanczos")
OUTLIERS = np.array([4.0, 6.0, 9.0, 13.0, 20.0])
SPECTRUM = np.concatenate([np.linspace(-0.5, 1.0, 195), OUTLIERS])
F, X = ol.landscapes.Quadratic(SPECTRUM, rotation=orthogonal(200)), np.zeros(200)
H = orthogonal(200) @ np.diag(SPECTRUM) @ orthogonal(200).T


def smoothed(spectrum: np.ndarray, at: np.ndarray, width: float) -> np.ndarray:
    return np.exp(-0.5 * ((at[:, None] - spectrum) / width) ** 2).mean(axis=1) / (width * np.sqrt(2 * np.pi))


@pytest.mark.parametrize("distribution", ("rademacher", "normal"))
def test_each_probe_is_a_gauss_quadrature(distribution: str) -> None:
    found = ol.curvature.density(F, X, probes=3, steps=6, distribution=distribution, seed=5)
    z = ol.curvature.probes.probes(3, 200, 5, distribution)
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    for power in range(2 * 6):  # exact for polynomials up to 2 steps − 1, and no further
        exact = np.sum((z @ orthogonal(200)) ** 2 * SPECTRUM**power, axis=1)
        # k roundings in each of up to 11 factors of size 20
        assert_within(np.sum(found.weights * found.nodes**power, axis=1), exact, 1e3 * eps(np.float64) * 20.0**power)
    exact = np.sum((z @ orthogonal(200)) ** 2 * SPECTRUM**12, axis=1)
    assert (np.abs(np.sum(found.weights * found.nodes**12, axis=1) - exact) > 1e-9 * exact).all()
    assert_within(found.weights.sum(axis=1), 1, 1e-14)


def test_moments_against_exact_ones_with_honest_errors() -> None:
    spectrum, rotation = np.linspace(-2.0, 5.0, 60), orthogonal(60)  # no outlier, whose terms would be skew
    f, x, matrix = ol.landscapes.Quadratic(spectrum, rotation=rotation), np.zeros(60), np.eye(60)
    runs = [ol.curvature.density(f, x, probes=12, steps=3, grid=[0.0], seed=seed) for seed in range(300)]
    for power in (1, 2, 3):
        matrix = matrix @ rotation @ np.diag(spectrum) @ rotation.T
        exact, variance = (spectrum**power).mean(), 2 * (np.sum(matrix**2) - np.sum(np.diag(matrix) ** 2)) / 60**2 / 12
        found = [each.moment(power) for each in runs]
        value, error = np.array([(each.value, each.standard_error) for each in found]).T
        assert abs(value.mean() - exact) < 4 * np.sqrt(variance / 300)
        assert_within((error**2).mean() / variance, 1, 4 * 1.5 * np.sqrt(2 / 11 / 300))  # 1.5 for the terms' tails
        # Student's t, 11 degrees of freedom: 95 % within 2.201 errors; the count's standard deviation is 1.3 %
        assert 0.90 < (np.abs(value - exact) < 2.201 * error).mean() < 0.995


def outliers(found: Any) -> list[np.ndarray]:
    return [row[row > 2.0] for row in found.nodes]


def test_no_ghosts() -> None:
    found = ol.curvature.density(F, X, probes=3, steps=120)
    for row in outliers(found):
        assert_within(row, OUTLIERS, 1e-12 * 20)  # each once, and to rounding


def test_without_reorthogonalization_there_are_ghosts(monkeypatch: pytest.MonkeyPatch) -> None:
    def three_terms(w: np.ndarray, basis: np.ndarray) -> np.ndarray:
        for row in basis[-2:]:
            w = w - (w @ row) * row
        return w

    monkeypatch.setattr(lanczos, "orthogonalized", three_terms)
    assert all(len(row) > len(OUTLIERS) for row in outliers(ol.curvature.density(F, X, probes=3, steps=120)))


@pytest.mark.parametrize("dtype", (np.float64, np.float32))
def test_lanczos_vectors_are_orthonormal(dtype: Any) -> None:
    f, x = network("batch", np.dtype(dtype).name)
    product = ol.curvature.products.Products(f, x)
    diagonal, off, basis = lanczos.lanczos(product, np.arange(1.0, f.dim + 1), 60, 10 * eps(dtype))
    assert basis.shape == (60, f.dim)
    assert_within(basis @ basis.T, np.eye(60), 60 * eps(np.float64))
    image = basis @ f.hessian(x).astype(np.float64) @ basis.T
    tridiagonal = np.diag(diagonal) + np.diag(off, 1) + np.diag(off, -1)
    assert_within(image, tridiagonal, 200 * eps(dtype) * np.abs(diagonal).max())


def test_all_steps_find_all_eigenvalues() -> None:
    spectrum = np.linspace(-1.0, 2.0, 40)
    f = ol.landscapes.Quadratic(spectrum, rotation=orthogonal(40))
    found = ol.curvature.density(f, np.zeros(40), probes=2, steps=1000)
    assert_within(found.nodes, np.tile(spectrum, (2, 1)), 100 * eps(np.float64) * 2)


@pytest.mark.parametrize("rotation", (None, orthogonal(60)))
def test_an_exhausted_space_ends_the_steps(rotation: Any) -> None:
    spectrum = np.repeat([-1.0, 2.0, 5.0], [30, 20, 10])
    f = ol.landscapes.Quadratic(spectrum, rotation=rotation)
    found = ol.curvature.density(f, np.zeros(60), probes=300, steps=30)
    assert_within(found.nodes[:, :3], np.tile([-1.0, 2.0, 5.0], (300, 1)), 1e-13)
    assert not found.weights[:, 3:].any() and (found.nodes[:, 3:] == found.nodes[:, 2:3]).all()
    for low, high, share in ((-2, 0, 1 / 2), (0, 3, 1 / 3), (3, 9, 1 / 6)):
        part = found.share(low, high)
        assert abs(part.value - share) <= 4 * part.standard_error + 1e-14
    exact = smoothed(spectrum, found.grid, found.width)
    assert_within(found.density, exact, 4.5 * found.standard_error + 1e-12)


def test_zero_and_constant_hessians() -> None:
    for level in (0.0, -3.0):
        found = ol.curvature.density(ol.landscapes.Quadratic(np.full(50, level)), np.zeros(50))
        assert_within(found.nodes, level, 1e-14)
        assert_within(found.moment(1).value, level, 1e-14)
        assert found.width > 0 and np.isfinite(found.density).all()


def test_the_density_has_mass_one_and_its_grid_and_width() -> None:
    found = ol.curvature.density(F, X)
    assert_within(np.trapezoid(found.density, found.grid), 1, 1e-8)
    assert found.width == 0.01 * np.ptp(found.nodes) and found.grid.size == 1001
    assert_within(
        found.grid[[0, -1]], [found.nodes.min() - 6 * found.width, found.nodes.max() + 6 * found.width], 1e-13
    )
    at = np.linspace(-1, 21, 7)
    chosen = ol.curvature.density(F, X, grid=at, width=0.5)
    rows = zip(chosen.nodes, chosen.weights, strict=True)
    by_hand = np.mean([[np.sum(w * smoothed(np.zeros(1), t - row, 0.5)) for t in at] for row, w in rows], axis=0)
    assert_within(chosen.density, by_hand, 1e-14)
    assert chosen.width == 0.5


def test_the_smoothed_density_is_the_exact_one_within_its_errors() -> None:
    found = ol.curvature.density(F, X, probes=60, steps=100, width=0.3)
    gap = np.abs(found.density - smoothed(SPECTRUM, found.grid, 0.3))
    # 4.5 errors of the mean; wide Gaussians, so that 100 steps of quadrature leave less than 1e-3 of the peak
    assert (gap <= 4.5 * found.standard_error + 1e-3 * found.density.max()).all()


@pytest.mark.parametrize("dtype", ("float64", "float32"))
@pytest.mark.parametrize("name", NETWORKS)
def test_networks(name: str, dtype: str) -> None:
    f, x = network(name, dtype)
    exact = np.linalg.eigvalsh(network(name)[0].hessian(x.astype(np.float64)))
    found = ol.curvature.density(f, x, probes=40, steps=50)
    for power in (1, 2):
        moment = found.moment(power)
        assert abs(moment.value - (exact**power).mean()) < 4 * moment.standard_error
    assert_within(found.nodes[:, -1], exact[-1], (1e-6 if dtype == "float64" else 1e-5) * exact[-1])
    assert found.nodes.min() >= exact[0] - 1e-5 * exact[-1]
    middle = np.sort(found.nodes.ravel())
    mass = np.cumsum(found.weights.ravel()[np.argsort(found.nodes.ravel())]) / 40
    distance = np.mean(np.abs(np.interp((np.arange(f.dim) + 0.5) / f.dim, mass, middle) - exact))
    assert distance < 0.02 * np.ptp(exact)  # Wasserstein-1
