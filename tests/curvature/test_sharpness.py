"""The largest eigenvalue along runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from reference.compare import assert_same_bits, assert_within
from reference.spectra import network

import optlab as ol


def largest(f: Any, x: np.ndarray) -> float:
    return float(np.linalg.eigvalsh(f.hessian(x))[-1])


@pytest.mark.parametrize("name", ("plain", "batch"))
def test_along_training_runs(name: str) -> None:
    f, x = network(name)
    path = ol.descend(f, ol.SGD(lr=0.2), np.stack([x, x[::-1]]), steps=60, record=10)
    found = ol.curvature.sharpness(f, path)
    exact = [[largest(f, np.ascontiguousarray(row)) for row in record] for record in path.x]
    assert found.value.shape == (7, 2) and (found.step == path.step).all()
    assert_within(found.value, exact, found.residual + 1e-12)
    assert found.residual.max() < 8e-6 * np.max(exact)  # the tolerance times the shifted spectrum, below 4 · 2|H|
    assert found.products < 14 * 30  # a third of whole Hessians


def test_points_of_one_run_and_of_many() -> None:
    f = ol.landscapes.Rosenbrock(30)
    xs = np.random.default_rng(2).normal(size=(5, 3, 30))
    many = ol.curvature.sharpness(f, xs)
    assert many.step is None and many.value.shape == (5, 3)
    assert_within(many.value, [[largest(f, x) for x in row] for row in xs], many.residual + 1e-9)
    one = ol.curvature.sharpness(f, xs[:, 0])
    assert one.value.shape == (5,)
    assert_same_bits(one.value, np.ascontiguousarray(many.value[:, 0]))


def switching(dim: int) -> Any:
    """½ Σ w_i(x_0) x_i²: diagonal curvature, whose largest axis depends on x_0 alone; gradients are not needed."""

    def hvp(x: np.ndarray, v: np.ndarray) -> np.ndarray:
        w = np.tile(np.linspace(1, 2, dim), (len(x), 1))
        w[:, 3], w[:, 7] = 10 - x[:, 0], 5 + x[:, 0]
        return w * v

    return ol.landscapes.Custom(dim, lambda x: x.sum(1), np.ones_like, hvp)


def test_an_eigenvector_that_another_overtakes_does_not_stay() -> None:
    xs = np.zeros((9, 40))
    xs[:, 0] = np.arange(9.0)
    found = ol.curvature.sharpness(switching(40), xs)
    assert_within(found.value, np.maximum(10 - xs[:, 0], 5 + xs[:, 0]), found.residual)
    assert found.residual.max() < 1e-3


def test_a_warm_start_is_cheaper() -> None:
    f, x = ol.landscapes.Quadratic(np.linspace(0.0, 1.0, 400)), np.zeros((6, 400))
    cold = ol.curvature.sharpness(f, x[:1], tol=1e-3).products
    assert ol.curvature.sharpness(f, x, tol=1e-3).products < 2.5 * cold  # six times without what the last point taught


def test_the_largest_not_the_largest_in_size() -> None:
    f = ol.landscapes.Quadratic(np.linspace(-50, 2, 40), rotation=1)
    assert_within(ol.curvature.sharpness(f, np.zeros((2, 40))).value, 2.0, 50 * 8e-6)


def test_diverged_points_are_nan() -> None:
    xs = np.zeros((3, 25))
    xs[1] = np.inf
    f = ol.landscapes.Rosenbrock(25)
    found = ol.curvature.sharpness(f, xs)
    assert np.isnan(found.value[1]) and np.isfinite(found.value[[0, 2]]).all()
    xs[1] = 1e200  # finite, but its curvature is not
    assert np.isnan(ol.curvature.sharpness(f, xs).value[1])


def test_few_coordinates_and_float32() -> None:
    f = ol.landscapes.Beale()
    xs = np.array([[0.5, 0.5], [3.0, 0.5]], np.float32)
    exact = [largest(f, x.astype(np.float64)) for x in xs]
    assert_within(ol.curvature.sharpness(f, xs).value, exact, 1e-5 * np.max(exact))
    f, x = network("batch", "float32")
    found = ol.curvature.sharpness(f, x[None])
    assert_within(found.value, largest(network("batch")[0], x.astype(np.float64)), 1e-5 * found.value[0])
