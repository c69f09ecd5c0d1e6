"""Bad input is refused in one line that names the argument, before work; so is what is not deterministic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from reference.spectra import network

import optlab as ol

c = ol.curvature
F, X = ol.landscapes.Quadratic(np.arange(1.0, 6.0)), np.zeros(5)
V, W = np.eye(5)[:2]
PATH = np.arange(15.0).reshape(3, 5) ** 2
AT: dict[str, Callable[[Any, Any], Any]] = {  # every function of a landscape and a point
    "hvp": lambda f, x: c.hvp(f, x, np.ones_like(x)),
    "hessian": c.hessian,
    "eigenvalues": lambda f, x: c.eigenvalues(f, x, 1),
    "trace": c.trace,
    "diagonal": c.diagonal,
    "density": c.density,
    "condition_number": c.condition_number,
    "classify": c.classify,
    "sharpness": lambda f, x: c.sharpness(f, x[None] if isinstance(x, np.ndarray) and x.ndim == 1 else x),
    "slice_1d": lambda f, x: c.slice_1d(f, x, np.ones(f.dim)),
    "slice_2d": lambda f, x: c.slice_2d(f, x, np.ones(f.dim), np.arange(float(f.dim))),
    "project_path": lambda f, x: c.project_path(
        f,
        c.Plane(x, np.array([np.ones(f.dim), np.arange(float(f.dim))])),
        np.zeros((1, f.dim), getattr(x, "dtype", None)),
    ),
}


def test_every_function_of_a_landscape_is_here() -> None:
    callables = {name for name in c.__all__ if not name[0].isupper()}
    assert callables == set(AT) | {"filter_normalized", "plane_of_path", "plane_through"}


@pytest.mark.parametrize("name", AT)
def test_dropout_must_be_frozen(name: str) -> None:
    f, x = network("plain", dropout=0.3)
    with pytest.raises(ValueError, match=r"^f: got a landscape with dropout.*f\.sample\(seed, step, run\)$"):
        AT[name](f, x)
    AT[name](f.sample(seed=0, step=0), x)


def noisy(what: str) -> Any:
    """A landscape whose value or product is drawn anew at each call."""
    rng = np.random.default_rng(0)

    def jitter(on: str) -> float:
        return 1e-9 * rng.random() if on == what else 0.0

    return ol.landscapes.Custom(
        5, lambda x: (x**2).sum(1) + jitter("value"), lambda x: 2 * x, lambda x, v: 2 * v + jitter("hvp")
    )


@pytest.mark.parametrize("name", AT)
def test_two_values_at_one_point_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"^f: got different values in two evaluations.*freeze it with f\.sample"):
        AT[name](noisy("value"), X)


@pytest.mark.parametrize("name", sorted(set(AT) - {"hvp", "hessian", "slice_1d", "slice_2d", "project_path"}))
def test_two_products_at_one_point_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"^f: got different Hessian-vector products in two evaluations"):
        AT[name](noisy("hvp"), X)


class Silent:
    """Without hvp."""

    dim = 5

    def value(self, x: Any) -> Any:
        return 0.0

    grad = value


WRONG_POINTS: dict[str, tuple[Any, str]] = {
    "list": ([0.0] * 5, "list"),
    "int": (np.zeros(5, np.int64), "int64"),
    "long": (np.zeros(6), r"6"),
    "runs": (np.zeros((2, 5)), r"\(2, 5\)"),
    "nan": (np.full(5, np.nan), "5 numbers that are not finite"),
    "strided": (np.zeros(10)[::2], "stri|contiguous"),
}


@pytest.mark.parametrize("wrong", WRONG_POINTS)
@pytest.mark.parametrize("name", sorted(set(AT) - {"sharpness"}))
def test_wrong_points(name: str, wrong: str) -> None:
    x, said = WRONG_POINTS[wrong]
    with pytest.raises((TypeError, ValueError), match=rf"^x: .*({said})"):
        AT[name](F, x)


@pytest.mark.parametrize("name", AT)
def test_what_is_no_landscape(name: str) -> None:
    with pytest.raises(TypeError, match=r"^f: got Silent, expected a landscape with dim, value, grad, hvp"):
        AT[name](Silent(), X)


@pytest.mark.parametrize("name", AT)
def test_a_curvature_that_is_not_finite(name: str) -> None:
    f = ol.landscapes.Custom(5, lambda x: x.sum(1), np.ones_like, lambda x, v: v * np.inf)
    if name in ("eigenvalues", "trace", "diagonal", "density", "condition_number", "classify"):
        with np.errstate(invalid="ignore"), pytest.raises(c.NotFiniteError, match=r"^f: its Hessian-vector product"):
            AT[name](f, X)


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "hvp v": (lambda: c.hvp(F, X, np.zeros(4)), r"v: got shape \(4,\), expected one point \(5,\)"),
    "hvp dtype": (lambda: c.hvp(F, X, np.zeros(5, np.float32)), "v: got dtype float32, expected float64"),
    "network dtype": (
        lambda: c.trace(*network("plain")[:1], np.zeros(90, np.float32)),
        "x: got dtype float32, expected float64",
    ),
    "hessian": (
        lambda: c.hessian(ol.landscapes.Rastrigin(20_000), np.zeros(20_000)),
        "f: got 20000 coordinates, expected at",
    ),
    "k": (lambda: c.eigenvalues(F, X, 6), "k: got 6, expected a whole number from 1 to 5"),
    "k both": (lambda: c.eigenvalues(F, X, 1, "both"), "k: got 1, expected a whole number from 2 to 5"),
    "which": (lambda: c.eigenvalues(F, X, 1, "LA"), "which: got 'LA', expected one of 'largest', 'smallest', 'both'"),
    "tol": (lambda: c.eigenvalues(F, X, 1, tol=0.0), "tol: got 0.0, expected"),
    "max_products": (lambda: c.eigenvalues(F, X, 1, max_products=0), "max_products: got 0"),
    "max_products small": (
        lambda: c.eigenvalues(F, X, 1, max_products=4),
        "eigenvalues: not converged after 4 products",
    ),
    "probes": (lambda: c.trace(F, X, 1), "probes: got 1, expected a whole number from 2"),
    "distribution": (lambda: c.diagonal(F, X, distribution="cauchy"), "distribution: got 'cauchy', expected one of"),
    "seed": (lambda: c.trace(F, X, 2, seed=-1), "seed: got -1"),
    "steps": (lambda: c.density(F, X, steps=0), "steps: got 0"),
    "width": (lambda: c.density(F, X, width=0.0), "width: got 0.0, expected a finite number > 0"),
    "grid": (lambda: c.density(F, X, grid=[]), r"grid: got shape \(0,\), expected \(points,\), not empty"),
    "grid nan": (lambda: c.density(F, X, grid=[np.nan]), "grid: got 1 numbers that are not finite"),
    "moment": (lambda: c.density(F, X).moment(-1), "power: got -1"),
    "dense_up_to": (lambda: c.classify(F, X, dense_up_to=10**6), "dense_up_to: got 1000000"),
    "gradient_tol": (lambda: c.classify(F, X, gradient_tol=-1.0), "gradient_tol: got -1.0"),
    "eigenvalue_tol": (lambda: c.classify(F, X, eigenvalue_tol=2.0), "eigenvalue_tol: got 2.0"),
    "path none": (
        lambda: c.sharpness(F, ol.descend(F, ol.SGD(lr=0.1), X, 3, record_x=False)),
        "path: got NoneType, expected an",
    ),
    "path shape": (lambda: c.sharpness(F, X), r"path: got shape \(5,\), expected \(records, dim\)"),
    "path dim": (lambda: c.sharpness(F, np.zeros((2, 4))), r"path: got shape \(2, 4\), expected \(n, 5\)"),
    "path nan": (lambda: c.sharpness(F, np.full((2, 5), np.nan)), "path: got no finite point"),
    "network": (lambda: c.filter_normalized(3, X, 0), "network: got int, expected a network, a landscape or a layout"),
    "theta": (lambda: c.filter_normalized(F, np.zeros(4), 0), r"theta: got shape \(4,\), expected one point \(5,\)"),
    "direction": (lambda: c.slice_1d(F, X, np.zeros(5)), "direction: got zeros, expected a direction"),
    "at": (lambda: c.slice_1d(F, X, V, at=0.5), r"at: got shape \(\), expected \(points,\), not empty"),
    "d1": (lambda: c.slice_2d(F, X, np.zeros(5), V), "d1: got zeros, expected a direction"),
    "d2": (lambda: c.slice_2d(F, X, V, -2 * V), "d2: got directions along one line"),
    "path dtype": (
        lambda: c.slice_2d(F, X, V, W, path=np.zeros((2, 5), np.float32)),
        "path: got float32, expected an array of float64",
    ),
    "plane": (lambda: c.project_path(F, X, PATH), "plane: got ndarray, expected a Plane"),
    "xs": (
        lambda: c.project_path(F, c.Plane(X, np.array([V, W])), PATH[:, :4]),
        r"xs: got shape \(3, 4\), expected \(n, 5\)",
    ),
    "same point": (lambda: c.plane_through(X, X, V), "a, b, c: got a point twice"),
    "one line": (lambda: c.plane_through(X, V, 2 * V), "a, b, c: got directions along one line"),
    "c shape": (lambda: c.plane_through(X, V, np.zeros(4)), r"c: got shape \(4,\), expected one point \(5,\)"),
    "line of path": (lambda: c.plane_of_path(np.outer(np.arange(4.0), V)), "xs: got points on one line"),
    "one point": (lambda: c.plane_of_path(PATH[:1]), "xs: got points on one line"),
    "center": (lambda: c.plane_of_path(PATH, "first"), "center: got 'first', expected one of 'last', 'mean'"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name: str) -> None:
    call, said = REFUSED[name]
    with pytest.raises((TypeError, ValueError, c.ConvergenceError), match=r"^" + said) as caught:
        call()
    assert "\n" not in str(caught.value)
