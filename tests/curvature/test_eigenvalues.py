"""Extreme eigenvalues against spectra that are given, and against dense Hessians of networks."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest
from reference.compare import assert_same_bits, assert_within, eps
from reference.spectra import NETWORKS, SPECTRA, dense, network, quadratic

import optlab as ol
from optlab.curvature import extremes

ROUNDING = 100  # two rotations of up to 300 terms and the eigensolver, each of order √dim roundings of |H|


def expected(spectrum: np.ndarray, k: int, which: str) -> np.ndarray:
    rising = np.sort(spectrum)
    if which == "smallest":
        return rising[:k]
    above = k if which == "largest" else (k + 1) // 2
    return np.concatenate([rising[::-1][:above], rising[: k - above][::-1]])


@pytest.mark.parametrize("rotated", (False, True))
@pytest.mark.parametrize("which", ("largest", "smallest", "both"))
@pytest.mark.parametrize("name", SPECTRA)
def test_given_spectra_with_multiplicity(name: str, which: str, rotated: bool) -> None:
    f, spectrum = quadratic(name, rotated), SPECTRA[name]
    x, scale = np.zeros(f.dim), np.abs(spectrum).max()
    for k in {min(k, f.dim) for k in (1, 2, 3, 6)} - ({1} if which == "both" else set()):
        found = ol.curvature.eigenvalues(f, x, k, which, vectors=True, seed=k)
        rounding = ROUNDING * eps(np.float64) * scale
        # residual <= tol times the shifted spectrum, below 4 * 2|H|; an eigenvalue lies within it
        assert found.residuals.max() <= 8 * eps(np.float64) ** (2 / 3) * scale + rounding
        assert_within(found.values, expected(spectrum, k, which), found.residuals.max() + rounding)
        assert_within(found.vectors @ found.vectors.T, np.eye(k), 1e-8)
        image = np.array([f.hvp(x, v) for v in found.vectors])
        off = (image - found.values[:, None] * found.vectors) / (scale or 1.0)
        assert_within(np.linalg.norm(off, axis=1) * (scale or 1.0), found.residuals, rounding)


def test_lanczos_is_what_was_tested() -> None:
    ways = {name: ol.curvature.eigenvalues(quadratic(name), np.zeros(SPECTRA[name].size), 1).dense for name in SPECTRA}
    lanczos = {name for name, whole in ways.items() if not whole}
    assert lanczos >= {"repeated", "pairs", "clustered", "outliers", "identity", "zero"}


@pytest.mark.parametrize("which", ("largest", "smallest", "both"))
def test_where_the_whole_matrix_cannot_help(which: str) -> None:
    spectrum = np.concatenate([[-2.0, -2.0], np.linspace(-1.0, 1.0, 2500), [3.0, 3.0, 4.0]])
    found = ol.curvature.eigenvalues(ol.landscapes.Quadratic(spectrum), np.zeros(2505), 4, which)
    assert not found.dense
    assert_within(found.values, expected(spectrum, 4, which), found.residuals.max() + 1e-14)


@pytest.mark.parametrize("rotated", (False, True))
def test_copies_that_one_start_misses_are_found(rotated: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    f = quadratic("pairs", rotated)
    assert_within(ol.curvature.eigenvalues(f, np.zeros(300), 2).values, [149, 149], 1e-7)
    monkeypatch.setattr(extremes, "_missed", lambda *_: (-np.inf, None))
    assert_within(
        ol.curvature.eigenvalues(f, np.zeros(300), 2).values, [149, 148], 1e-7
    )  # the control: it does miss it


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_against_the_dense_hessian(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.import_module("optlab.curvature.eigenvalues"), "DENSE", 0)
    f, x = network(name)
    exact = np.linalg.eigvalsh(dense(f, x))
    found = ol.curvature.eigenvalues(f, x, 6, "both")
    assert not found.dense
    # differences of gradients: eps/h from rounding, h⁴ from truncation, both near 1e-11
    assert_within(found.values, expected(exact, 6, "both"), 1e-9 * np.abs(exact).max())
    assert_within(ol.curvature.hessian(f, x), dense(f, x), 1e-9 * np.abs(exact).max())


def test_float32_is_within_its_residuals() -> None:
    f, x = network("batch", "float32")
    exact = np.linalg.eigvalsh(network("batch")[0].hessian(x.astype(np.float64)))
    found = ol.curvature.eigenvalues(f, x, 4)
    assert found.values.dtype == np.float64 and found.residuals.max() < 1e-4 * exact[-1]
    # the Hessian of the float32 network is itself off by some roundings of its size
    assert_within(found.values, exact[::-1][:4], found.residuals.max() + 20 * eps(np.float32) * exact[-1])


def test_scipy_agrees_on_its_own() -> None:
    f, x = network("plain")
    sparse = pytest.importorskip("scipy.sparse.linalg")
    peer = np.sort(sparse.eigsh(f.hessian(x), 3, which="LA", return_eigenvectors=False))[::-1]
    assert_within(ol.curvature.eigenvalues(f, x, 3).values, peer, 1e-10)


def counting(f: Any) -> tuple[Any, list[int]]:
    calls: list[int] = []

    def hvp(x: np.ndarray, v: np.ndarray) -> np.ndarray:
        calls.append(len(v))
        return f.hvp(x, v)

    return ol.landscapes.Custom(f.dim, f.value, f.grad, hvp), calls


@pytest.mark.parametrize("name", ("repeated", "few"))
def test_products_are_counted(name: str) -> None:
    f, calls = counting(quadratic(name))
    found = ol.curvature.eigenvalues(f, np.zeros(f.dim), 2)
    assert sum(calls) == found.products + 2  # two for the test of determinism


def test_it_gives_up_and_says_so() -> None:
    f = ol.landscapes.LeastSquares(np.random.default_rng(0).normal(size=(10, 3000)), np.zeros(10))
    with pytest.raises(ol.curvature.ConvergenceError, match="not converged after 25 products; allow more"):
        ol.curvature.eigenvalues(f, np.zeros(3000), 3, max_products=25)


def test_the_whole_matrix_helps_where_lanczos_is_slow() -> None:
    f = ol.landscapes.Quadratic(np.geomspace(1e-6, 1.0, 200))
    found = ol.curvature.eigenvalues(f, np.zeros(200), 2, "smallest")
    assert found.dense and found.products <= 402
    assert_within(found.values, np.geomspace(1e-6, 1.0, 200)[:2], 1e-14)


@pytest.mark.parametrize("dim", (5, 60))
def test_products_that_are_not_symmetric_are_refused(dim: int) -> None:
    matrix = np.random.default_rng(1).normal(size=(dim, dim))
    f = ol.landscapes.Custom(dim, lambda x: x.sum(1), np.ones_like, lambda x, v: v @ matrix)
    with pytest.raises(ol.curvature.ConvergenceError, match="not linear and symmetric"):
        ol.curvature.eigenvalues(f, np.zeros(dim), 1)


def test_a_custom_landscape_without_products() -> None:
    known = network("plain")[0]
    f = ol.landscapes.Custom(known.dim, known.value, known.grad)
    x = known.start
    # central differences: ε^⅔ times the size of third derivatives and of the point
    assert_within(
        ol.curvature.eigenvalues(f, x, 2).values,
        ol.curvature.eigenvalues(known, x, 2).values,
        1e-7 * (1 + abs(x).max()),
    )


def test_one_seed_one_result() -> None:
    f, x = network("batch")
    first, second = (ol.curvature.eigenvalues(f, x, 3, vectors=True, seed=4) for _ in range(2))
    assert_same_bits(first.vectors, second.vectors)
    other = ol.curvature.eigenvalues(f, x, 3, vectors=True, seed=5)
    assert not np.array_equal(first.vectors, other.vectors)
    assert_within(np.abs(np.sum(first.vectors * other.vectors, axis=1)), 1, 1e-8)
