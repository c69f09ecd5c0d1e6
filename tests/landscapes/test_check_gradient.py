"""Wrong derivatives are found and named; right ones pass, at kinks, in both types, in networks."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import optlab as ol
from optlab.landscapes import Custom

DTYPES = (np.float32, np.float64)
F, OTHER = ol.landscapes.Rosenbrock(7), ol.landscapes.LongValley(7)
TURN = np.random.default_rng(0).normal(size=(7, 7))


def at(dtype: Any, runs: int = 4, dim: int = 7) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(runs, dim)).astype(dtype)


def near(x: np.ndarray) -> np.ndarray:
    """Which rows lie about run 2 of :func:`at`."""
    return np.linalg.norm(x - at(np.float64)[2], axis=1, keepdims=True) < 0.1


def only_third(g: np.ndarray, factor: float) -> np.ndarray:
    return g * np.where(np.arange(g.shape[1]) == 3, factor, 1).astype(g.dtype)


GRADIENTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "sign": lambda x: -F.grad(x),
    "factor": lambda x: 2 * F.grad(x),
    "one coordinate": lambda x: only_third(F.grad(x), 1.001),
    "another function": lambda x: OTHER.grad(x),
    "one run": lambda x: np.where(near(x), 1.01 * F.grad(x), F.grad(x)).astype(x.dtype),
    "zero": np.zeros_like,
    "not a number": lambda x: F.grad(x) * x.dtype.type(np.nan),
}
PRODUCTS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "sign": lambda x, v: -F.hvp(x, v),
    "factor": lambda x, v: 2 * F.hvp(x, v),
    "one row": lambda x, v: only_third(F.hvp(x, v), 1.001),
    "another function": lambda x, v: OTHER.hvp(x, v),
    "not symmetric": lambda x, v: F.hvp(x, v) + (v @ (TURN - TURN.T)).astype(x.dtype) / 100,
    "of another point": lambda x, v: F.hvp(x + x.dtype.type(0.01), v),
    "one run": lambda x, v: np.where(near(x), 1.01 * F.hvp(x, v), F.hvp(x, v)).astype(x.dtype),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", GRADIENTS)
def test_wrong_gradients_are_found(name: str, dtype: Any) -> None:
    x = at(dtype)
    found = ol.check_gradient(Custom(7, F.value, GRADIENTS[name]), x)
    worst = found.gradient
    assert not found.ok and not worst.ok and found.worst is worst and found.products is None
    assert name != "one coordinate" or worst.coordinate == 3
    assert name != "one run" or worst.run == 2
    if name != "not a number":
        assert worst.error > worst.expected
        assert worst.stated == GRADIENTS[name](x)[worst.run, worst.coordinate]
        exact = F.grad(x.astype(np.float64))
        # extrapolated differences of values up to 2e4 in float64 are good to better than 1e-8 of the largest slope
        assert abs(worst.numeric - exact[worst.run, worst.coordinate]) < 1e-8 * np.abs(exact[worst.run]).max()
    assert f"coordinate {worst.coordinate} of run {worst.run} is {worst.stated:.9g}" in str(found)
    assert f"{worst.numeric:.9g} numerically" in str(found) and f"explain {worst.expected:.2g}" in str(found)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", PRODUCTS)
def test_wrong_products_are_found(name: str, dtype: Any) -> None:
    found = ol.check_gradient(Custom(7, F.value, F.grad, PRODUCTS[name]), at(dtype))
    assert found.gradient.ok and not found.ok and found.products is found.worst and not found.worst.ok
    assert name != "one row" or found.worst.coordinate == 3
    assert name != "one run" or found.worst.run == 2
    assert str(found).startswith("The Hessian-vector product contradicts central differences")


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_is_expected_is_small(dtype: Any) -> None:
    for f in (F, Custom(7, F.value, F.grad, F.hvp)):
        found = ol.check_gradient(f, at(dtype))
        assert found.ok and found.products is not None and "agrees" in str(found)
        for part in (found.gradient, found.products):
            # what a user may rely on to see: one part in 10⁹ and in 10⁴
            assert part.error <= part.expected < {np.float64: 1e-9, np.float32: 1e-4}[dtype]


def test_points_of_one_run_and_many() -> None:
    x = at(np.float64)
    alone = ol.check_gradient(F, x[0])
    assert alone == ol.check_gradient(F, x[:1]) and alone.gradient.run == 0
    assert ol.check_gradient(F, x) == ol.check_gradient(F, x)
    assert alone.coordinates == 7 and alone.directions == 0


def in_float32(x: np.ndarray) -> np.ndarray:
    return np.sum(x**2, axis=1).astype(np.float32)


def test_functions_of_float32_alone() -> None:
    x = at(np.float32)
    right = ol.check_gradient(Custom(7, in_float32, lambda x: 2 * x), x)
    assert right.ok and right.gradient.expected < 1e-2
    assert not ol.check_gradient(Custom(7, in_float32, lambda x: only_third(2 * x, 1.05)), x).ok


# ---------------------------------------------------------------- complex steps


def test_complex_steps() -> None:
    x, analytic = at(np.float64), lambda x: np.sum(np.exp(x) * x, axis=1)
    found = ol.check_gradient(Custom(7, analytic, lambda x: np.exp(x) * (1 + x)), x)
    # 32 ε of the step, 16 ε (1 + the gain of one unit in the last place, below 4) of the gradient, 4 ε of the largest
    assert found.ok and found.gradient.method == "complex step" and found.gradient.expected < 200 * 2.2e-16
    wrong = ol.check_gradient(Custom(7, analytic, lambda x: np.exp(x) * (1 + x) * (1 + 1e-12)), x)
    assert not wrong.ok and wrong.gradient.method == "complex step"


REAL: dict[str, Callable[[np.ndarray], np.ndarray]] = {  # of |x|², of which complex steps would say something else
    "absolute": lambda x: (np.abs(x) ** 2).sum(1),
    "real part": lambda x: (x.real**2).sum(1) + 0 * x.sum(1),
    "discards": lambda x: (x.astype(np.float64) ** 2).sum(1),
    "raises": lambda x: np.square(x, dtype=np.float64, casting="safe").sum(1),
    "shape": lambda x: (x**2).sum(1) if x.dtype.kind == "f" else (x**2).sum(),
}


@pytest.mark.parametrize("name", REAL)
def test_functions_that_are_for_real_numbers(name: str) -> None:
    found = ol.check_gradient(Custom(7, REAL[name], lambda x: 2 * x), at(np.float64))
    assert found.ok and found.gradient.method == "central differences"
    assert not ol.check_gradient(Custom(7, REAL[name], lambda x: -2 * x), at(np.float64)).ok


# ---------------------------------------------------------------- many coordinates


def planted(dim: int, wrong: list[int], factor: float) -> Custom:
    """Rastrigin's function with a gradient that is off by a factor in some coordinates."""
    f = ol.landscapes.Rastrigin(dim)

    def grad(x: np.ndarray) -> np.ndarray:
        g = f.grad(x)
        g[:, wrong] *= factor
        return g

    return Custom(dim, f.value, grad)


@pytest.mark.parametrize("wrong", ([1234], [2999], [7, 8, 1500]))
def test_wrong_coordinates_beyond_the_sample(wrong: list[int]) -> None:
    x, f = at(np.float64, 2, 3000), planted(3000, wrong, 1.001)
    found = ol.check_gradient(f, x, coordinates=20)
    assert not found.ok and found.gradient.coordinate in wrong and found.coordinates == 20 and found.directions == 8
    assert str(found).endswith("Checked were 20 coordinates and 8 random directions.")
    right = ol.check_gradient(planted(3000, wrong, 1.0), x, coordinates=20)
    assert right.ok and str(right).endswith("Checked were 20 coordinates and 8 random directions.")


def test_all_coordinates() -> None:
    x = at(np.float64, 1, 1500)
    found = ol.check_gradient(planted(1500, [1400], 1.0 + 1e-6), x, coordinates="all")
    assert not found.ok and found.gradient.coordinate == 1400 and found.directions == 0
    assert ol.check_gradient(planted(1500, [], 1.0), x).coordinates == 1000


# ---------------------------------------------------------------- kinks


def bent(slope: float) -> Custom:
    """Σ |x|, whose gradient at 0 is said to be some number."""
    return Custom(2, lambda x: np.abs(x).sum(1), lambda x: np.where(x == 0, slope, np.sign(x)).astype(x.dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("slope", (-1.0, 0.0, 0.7, 1.0))
def test_subgradients_pass_at_a_kink(slope: float, dtype: Any) -> None:
    found = ol.check_gradient(bent(slope), np.array([[0.0, 2.0], [0.3, 0.0]], dtype))
    assert found.ok and found.gradient.expected < 1 + 1e-4 and found.gradient.kink


@pytest.mark.parametrize("slope", (-1.01, 1.01, 3.0))
def test_other_slopes_at_a_kink_do_not_pass(slope: float) -> None:
    found = ol.check_gradient(bent(slope), np.array([2.0, 0.0]))
    assert not found.ok and found.gradient.coordinate == 1 and found.gradient.kink
    assert str(found).endswith("; the slopes of the two sides differ there, as at a kink.")


@pytest.mark.parametrize("distance", 10.0 ** -np.arange(1, 12))
def test_slopes_beside_a_kink(distance: float) -> None:
    for side in (1, -1):
        assert ol.check_gradient(bent(0.0), np.array([1.0, side * distance])).ok
    wrong = Custom(2, lambda x: np.abs(x).sum(1), lambda x: -np.sign(x))
    if distance > 2.0**-25:  # the smallest step, within which the slope of the other side is one of the kink's
        assert not ol.check_gradient(wrong, np.array([1.0, distance])).ok


FLAT, NEAR = 1e-5, 1e-8
"""A jump of slopes that drowns in the rounding of 1000 at the smallest step, 3e-8, and lies nearer than that."""


@pytest.mark.parametrize("factor", (1.0, 1.001))
def test_small_kinks_nearer_than_the_smallest_step(factor: float) -> None:
    def value(x: np.ndarray) -> np.ndarray:
        return (1000 + x**2 + FLAT * np.abs(x - NEAR)).sum(1)

    f = Custom(1, value, lambda x: 2 * x + factor * FLAT * np.sign(x - NEAR) + (factor - 1))
    assert ol.check_gradient(f, np.zeros(1)).ok is (factor == 1)


@pytest.mark.parametrize("factor", (1.0, 1.001))
def test_small_kinks_of_gradients_nearer_than_the_smallest_step(factor: float) -> None:
    def value(x: np.ndarray) -> np.ndarray:
        return (1000 * x + x**2 + FLAT / 2 * (x - NEAR) * np.abs(x - NEAR)).sum(1)

    def product(x: np.ndarray, v: np.ndarray) -> np.ndarray:
        return factor * (2 + FLAT * np.sign(x - NEAR)) * v

    f = Custom(1, value, lambda x: 1000 + 2 * x + FLAT * np.abs(x - NEAR), product)
    assert ol.check_gradient(f, np.zeros(1)).ok is (factor == 1)


# ---------------------------------------------------------------- networks


def network(activation: str, norm: str | None, dtype: Any, loss: str = "cross_entropy", **more: Any) -> tuple[Any, Any]:
    rng, name = np.random.default_rng(5), np.dtype(dtype).name
    mlp = ol.nn.MLP([5, 9, 6, 3], activation, norm, dtype=name, **more)
    X = rng.normal(1, 2, (60, 5)).astype(dtype)
    y = rng.integers(0, 3, 60) if loss == "cross_entropy" else rng.random((60, 3)).astype(dtype)
    f = mlp.on(X, y, loss, weight_decay=0.03, l1=0.02)
    theta = mlp.init(0, 2)  # biases are 0, where |θ|₁ has a kink
    theta[1] += (0.1 * rng.standard_normal(mlp.dim)).astype(dtype)
    return f.sample(seed=1, step=2), theta


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("loss", ("cross_entropy", "huber"))
@pytest.mark.parametrize("norm", (None, "batch", "layer"))
@pytest.mark.parametrize("activation", ("relu", "elu", "tanh"))
def test_networks_pass(activation: str, norm: str | None, loss: str, dtype: Any) -> None:
    f, theta = network(activation, norm, dtype, loss, dropout=0.2)
    found = ol.check_gradient(f, theta)
    assert found.ok and found.products is not None, str(found)


@pytest.mark.parametrize("dtype", DTYPES)
def test_networks_with_noise_pass(dtype: Any) -> None:
    f, theta = network("tanh", "batch", dtype, norm_noise=(0.5, 1.25, 0.1))
    assert ol.check_gradient(f, theta).ok


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("norm", (None, "batch"))
def test_wrong_gradients_of_networks_are_found(norm: str | None, dtype: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    f, theta = network("relu", norm, dtype)
    grad, largest = f.grad, int(np.argmax(np.abs(f.grad(theta)[1])))
    weights = np.where(np.arange(f.dim) == largest, 1.01, 1).astype(dtype)
    monkeypatch.setattr(f, "grad", lambda x: grad(x) * weights)
    found = ol.check_gradient(f, theta[1])
    assert not found.gradient.ok and found.gradient.coordinate == largest


def test_a_network_of_float32_is_the_same_in_float64() -> None:
    f, theta = network("tanh", "batch", np.float32, dropout=0.2)
    g = f.precise()
    assert g.mlp.dtype == np.float64 and f.mlp.dtype == np.float32 and g.precise() is g
    # three layers, normalized: 1e-5 is some hundred roundings
    np.testing.assert_allclose(f.value(theta), g.value(theta.astype(np.float64)), rtol=1e-5)


def test_products_that_are_none_or_differences_are_left_out() -> None:
    f, theta = network("tanh", None, np.float64)
    penalized = f.mlp.on(f.X, f.y, jacobian=0.1)
    assert ol.check_gradient(f, theta).products is not None
    for g, x in ((penalized, theta), (Custom(7, F.value, F.grad), at(np.float64))):
        found = ol.check_gradient(g, x)
        assert found.ok and found.products is None


# ---------------------------------------------------------------- refusals


def random_one(what: str) -> Custom:
    rng = np.random.default_rng(0)

    def jitter(on: str) -> float:
        return 1e-9 * rng.random() if on == what else 0.0

    return Custom(2, lambda x: (x**2).sum(1) + jitter("value"), lambda x: 2 * x + jitter("grad"))


def hole(x: np.ndarray) -> np.ndarray:
    return np.where(x[:, 0] > 0, x[:, 0], np.nan)


X = np.ones(2)
REFUSED: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "no landscape": (
        lambda: ol.check_gradient(abs, X),
        TypeError,
        "f: got builtin_function_or_method, expected a landscape with dim",
    ),  # type: ignore[arg-type]
    "values": (lambda: ol.check_gradient(random_one("value"), X), ValueError, "f: got different values in two evalu"),
    "gradients": (lambda: ol.check_gradient(random_one("grad"), X), ValueError, "f: got different gradients in two"),
    "list": (lambda: ol.check_gradient(random_one(""), [1.0, 1.0]), TypeError, "x: got builtins.list, expected"),  # type: ignore[arg-type]
    "shape": (
        lambda: ol.check_gradient(random_one(""), np.ones((2, 3))),
        ValueError,
        r"x: got shape (2, 3), expected (2,) or (runs, 2)",
    ),
    "nan": (lambda: ol.check_gradient(random_one(""), X * np.nan), ValueError, "x: got 2 numbers that are not finite"),
    "hole": (
        lambda: ol.check_gradient(Custom(2, hole, np.ones_like), -X),
        ValueError,
        "x: got a point where f is not finite, expected",
    ),
    "none": (lambda: ol.check_gradient(F, at(np.float64), coordinates=0), ValueError, "coordinates: got 0, expected"),
    "some": (lambda: ol.check_gradient(F, at(np.float64), coordinates="some"), TypeError, "coordinates: got 'some'"),
    "seed": (lambda: ol.check_gradient(F, at(np.float64), seed=-1), ValueError, "seed: got -1, expected"),
    "check": (
        lambda: Custom(2, lambda x: (x**2).sum(1), lambda x: 3 * x, check=True),
        ValueError,
        "check: The gradient contradicts complex step: at worst, coordinate ",
    ),
    "check of products": (
        lambda: Custom(2, lambda x: (x**2).sum(1), lambda x: 2 * x, lambda x, v: -2 * v, check=True),
        ValueError,
        "check: The Hessian-vector product contradicts central differences: ",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name: str) -> None:
    call, kind, said = REFUSED[name]
    with pytest.raises(kind, match="^" + re.escape(said)) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_dropout_must_be_frozen() -> None:
    mlp = ol.nn.MLP([2, 3, 2], dropout=0.5)
    f = mlp.on(np.eye(2, dtype=np.float32), np.array([0, 1]))
    with pytest.raises(ValueError, match=r"^f: got a landscape with dropout.*f\.sample\(seed, step, run\)$"):
        ol.check_gradient(f, mlp.init(0))
    assert ol.check_gradient(f.sample(0, 0), mlp.init(0)).ok


def test_landscapes_that_are_checked_when_they_are_made() -> None:
    def log(x: np.ndarray) -> np.ndarray:
        return (x - np.log(x)).sum(1)

    # points of the box without a logarithm are left out; the start alone would not show that x / 2 is wrong
    assert Custom(1, log, lambda x: 1 - 1 / x, start=[1.0], bounds=[[-1.0], [4.0]], check=True).dim == 1
    with pytest.raises(ValueError, match=r"^check: The gradient contradicts"):
        Custom(1, log, lambda x: (x - 1) / 2, start=[1.0], bounds=[[-1.0], [4.0]], check=True)
    assert Custom(1, log, lambda x: (x - 1) / 2, start=[1.0]).dim == 1
