"""Line-search methods reach published minima, and meet traps with a reason."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import optlab as ol

METHODS = ["lbfgs", "bfgs", "cg", "newton"]
START = np.array([-1.2, 1.0])


def custom(value: Any, grad: Any, dim: int = 1, **more: Any) -> ol.Landscape:
    return ol.landscapes.Custom(dim, value, grad, **more)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("f", "x0"), [(ol.landscapes.Rosenbrock(2), START), (ol.landscapes.Beale(), [1.0, 1.0])])
def test_it_reaches_the_published_minimum(f: ol.Landscape, x0: Any, method: str) -> None:
    path = ol.minimize(f, np.array(x0), method, tol=1e-7)
    assert path.stop_reason[0] == "gradient"
    assert path.value[-1, 0] < 1e-12


@pytest.mark.parametrize("method", [*METHODS, "gd"])
def test_a_run_equals_itself_alone(method: str) -> None:
    x0 = np.random.default_rng(0).normal(size=(7, 2))
    f = ol.landscapes.Rosenbrock(2)
    path = ol.minimize(f, x0, method, max_steps=30)
    for run in range(7):
        assert (ol.minimize(f, x0[run], method, max_steps=30).last[0] == path.last[run]).all()


def test_lbfgs_with_exact_search_is_cg_on_a_quadratic() -> None:
    h = np.geomspace(1, 100, 8)
    f = custom(lambda x: (h * x * x).sum(-1) / 2, lambda x: h * x, 8, hvp=lambda x, v: h * v)
    a = ol.minimize(f, np.ones(8), ol.methods.LBFGS(search=ol.line_search.exact), max_steps=6, record=1)
    for beta in ("FR", "PR+", "HZ"):
        b = ol.minimize(f, np.ones(8), ol.methods.ConjugateGradient(beta, ol.line_search.exact), max_steps=6, record=1)
        assert a.x is not None
        assert b.x is not None
        np.testing.assert_allclose(a.x, b.x, rtol=0, atol=1e-9)


@pytest.mark.parametrize("kappa", [1.0, 1e3, 1e6])
def test_newton_takes_one_step_on_a_quadratic(kappa: float) -> None:
    h = np.geomspace(1, kappa, 5)
    f = custom(lambda x: (h * x * x).sum(-1) / 2, lambda x: h * x, 5, hvp=lambda x, v: h * v)
    path = ol.minimize(f, np.ones(5), "newton", tol=1e-8)
    assert path.stop_step[0] == 1


@pytest.mark.parametrize("method", [*METHODS, "gd"])
def test_a_trial_that_is_not_finite_cuts_the_step(method: str) -> None:
    with np.errstate(all="ignore"):
        f = custom(lambda x: (x - np.log(x)).sum(-1), lambda x: 1 - 1 / x)
        path = ol.minimize(f, np.array([3.0]), method, tol=1e-6)
    assert path.stop_reason[0] == "gradient"
    assert abs(path.last[0, 0] - 1) < 1e-5


@pytest.mark.parametrize("method", [*METHODS, "gd"])
def test_a_gradient_of_the_wrong_sign_is_said(method: str) -> None:
    path = ol.minimize(custom(lambda x: (x * x).sum(-1), lambda x: -2 * x), np.array([1.0]), method)
    assert path.stop_reason[0] == "line_search"


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_stationary_start_stays(sign: float) -> None:
    path = ol.minimize(custom(lambda x: sign * (x * x).sum(-1), lambda x: 2 * sign * x), np.zeros(1))
    assert (path.stop_reason[0], path.stop_step[0]) == ("gradient", 0)


@pytest.mark.parametrize("method", METHODS)
def test_an_unbounded_direction_ends_with_a_finite_point(method: str) -> None:
    path = ol.minimize(custom(lambda x: x.sum(-1), np.ones_like), np.array([0.0]), method, max_steps=20)
    assert np.isfinite(path.last).all()


@pytest.mark.parametrize("method", METHODS)
def test_float32_stops_at_its_floor(method: str) -> None:
    path = ol.minimize(ol.landscapes.Rosenbrock(2), START.astype(np.float32), method, tol=0.0, max_steps=5000)
    assert path.stop_reason[0] in ("rounding", "line_search", "gradient")


def test_pairs_without_curvature_are_skipped_and_counted() -> None:
    f = custom(lambda x: -(x * x).sum(-1), lambda x: -2 * x)
    path = ol.minimize(f, np.array([1.0]), ol.methods.LBFGS(search=ol.line_search.armijo), max_steps=3)
    assert path.state["skipped"][0] == 3


def test_ctrl_c_returns_what_is_there() -> None:
    calls = []

    def value(x: Any) -> Any:
        calls.append(1)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return (x**4).sum(-1)

    path = ol.minimize(custom(value, lambda x: 4 * x**3), np.array([1.3]), "gd", tol=0.0)
    assert path.interrupted
    assert path.stop_reason[0] == "interrupted"
    assert 0 < abs(path.last[0, 0]) < 1.3
