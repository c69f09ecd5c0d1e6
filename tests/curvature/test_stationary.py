"""Kinds of stationary points and condition numbers, on the declared truth of every landscape."""

from __future__ import annotations

import numpy as np
import pytest
from reference.compare import assert_within, eps
from reference.spectra import network, orthogonal

import optlab as ol

rng = np.random.default_rng(5)
LISTED = {
    "quadratic": ol.landscapes.Quadratic(np.linspace(0.5, 3, 9), rotation=orthogonal(9)),
    "flat": ol.landscapes.Quadratic([0.0, 1.0, 2.0]),
    "indefinite": ol.landscapes.Quadratic(np.linspace(-1, 3, 40), rotation=orthogonal(40)),
    "hyperbolic": ol.landscapes.HyperbolicParaboloid(),
    "strict_saddle": ol.landscapes.StrictSaddle(7, 2, 0.7, rotation=3),
    "strict_saddle_long": ol.landscapes.StrictSaddle(30, 3),
    "cosine": ol.landscapes.Cosine(0.4),
    "rosenbrock": ol.landscapes.Rosenbrock(8),
    "beale": ol.landscapes.Beale(),
    "rastrigin": ol.landscapes.Rastrigin(25),
    "long_valley": ol.landscapes.LongValley(6, 50.0),
    "walled_quadratic": ol.landscapes.WalledQuadratic(np.linspace(-1, 3, 12)),
    "octopus": ol.landscapes.Octopus(4, 2.0, 0.7),
    "teacher_student": ol.landscapes.TeacherStudent(4),
    "recurrent_unit": ol.landscapes.RecurrentUnit(20),
    "sinusoid": ol.landscapes.Sinusoid.draw(3),
    "factorization": ol.landscapes.MatrixFactorization(8, [3.0, 2.0, 1.0], rotation=1),
    "completion": ol.landscapes.MatrixCompletion.draw(9, [2.0, 1.0], 0.6, seed=3),
    "sensing": ol.landscapes.MatrixSensing.draw(6, [2.0, 1.0], 30, seed=4),
    "quadratic_network": ol.landscapes.QuadraticNetwork.draw(5, 2, 40, seed=5),
    "orthogonal_tensor": ol.landscapes.OrthogonalTensor(5),
    "least_squares": ol.landscapes.LeastSquares(rng.normal(size=(30, 8)), rng.normal(size=30)),
    "least_squares_wide": ol.landscapes.LeastSquares(rng.normal(size=(5, 30)), rng.normal(size=5)),
}
POINTS = [
    (name, declared, i)
    for name, f in LISTED.items()
    for declared in ("minima", "saddles")
    for i in range(len(getattr(f, declared)) if getattr(f, declared) is not None else 0)
]


@pytest.mark.parametrize("dense_up_to", (512, 0))
@pytest.mark.parametrize("dtype", (np.float64, np.float32))
@pytest.mark.parametrize(("name", "declared", "i"), POINTS)
def test_declared_points(name: str, declared: str, i: int, dtype: type, dense_up_to: int) -> None:
    f = LISTED[name]
    x = getattr(f, declared)[i].astype(dtype)
    exact = np.linalg.eigvalsh(f.hessian(x.astype(np.float64)))
    found = ol.curvature.classify(f, x, dense_up_to=dense_up_to)
    singular = np.abs(exact).min() <= np.sqrt(eps(dtype)) * np.abs(exact).max()  # float32 sees no κ above 2900
    falls_everywhere = exact[-1] <= np.sqrt(eps(dtype)) * -exact[0]  # as factorizations do at 0
    settled = "maximum" if falls_everywhere else "minimum"
    strict = declared == "saddles" and not falls_everywhere
    assert found.kind == ("saddle" if strict else "degenerate" if singular else settled)
    assert declared == "minima" or found.smallest < 0
    assert found.gradient_norm <= found.gradient_tol
    slack = (1e-10 if dtype == np.float64 else 3e-5) * np.abs(exact).max()
    assert_within([found.smallest, found.largest], exact[[0, -1]], slack)
    if found.dense:
        assert found.index == np.count_nonzero(exact < -found.eigenvalue_tol)
        assert found.zeros == np.count_nonzero(np.abs(exact) <= found.eigenvalue_tol)


def test_all_declared_truth_is_visited() -> None:
    named = {type(f).__name__ for f in LISTED.values()}
    assert named | {"Custom"} == set(ol.landscapes.__all__)
    assert {name for name, *_ in POINTS} >= set(LISTED) - {"cosine", "sinusoid"}


@pytest.mark.parametrize(
    ("spectrum", "kind", "index", "zeros"),
    (
        ([1.0, 2.0], "minimum", 0, 0),
        ([-1.0, -2.0], "maximum", 2, 0),
        ([-1.0, 2.0], "saddle", 1, 0),
        ([-1.0, 0.0, 2.0], "saddle", 1, 1),
        ([0.0, 2.0], "degenerate", 0, 1),
        ([-2.0, 0.0], "degenerate", 1, 1),
        ([0.0, 0.0], "degenerate", 0, 2),
        ([1e-9, 1.0], "degenerate", 0, 1),
        ([1e-7, 1.0], "minimum", 0, 0),
        ([-1e-9, 1.0], "degenerate", 0, 1),
        ([3.0], "minimum", 0, 0),
    ),
)
def test_kinds(spectrum: list[float], kind: str, index: int, zeros: int) -> None:
    short = ol.curvature.classify(ol.landscapes.Quadratic(spectrum), np.zeros(len(spectrum)))
    assert (short.kind, short.index, short.zeros, short.dense) == (kind, index, zeros, True)
    filler = np.full(40 - len(spectrum), spectrum[-1])  # the same by the two ends alone
    f = ol.landscapes.Quadratic(np.concatenate([spectrum, filler]), rotation=orthogonal(40))
    long = ol.curvature.classify(f, np.zeros(40), dense_up_to=0)
    assert (long.kind, long.dense) == (kind, False)
    if kind in ("minimum", "maximum"):
        assert (long.index, long.zeros) == (0 if kind == "minimum" else 40, 0)
    if kind == "saddle":
        assert (long.index, long.zeros) == (None, None)


def test_a_quartic_is_no_strict_minimum() -> None:
    f = ol.landscapes.Custom(2, lambda x: (x**4).sum(1), lambda x: 4 * x**3, lambda x, v: 12 * x**2 * v)
    assert ol.curvature.classify(f, np.zeros(2)).kind == "degenerate"
    assert ol.curvature.classify(f, np.full(2, 1e-3)).kind == "not stationary"


def test_where_the_gradient_is_not_zero() -> None:
    f = ol.landscapes.Rosenbrock(2)
    found = ol.curvature.classify(f, f.start)
    assert found.kind == "not stationary" and found.gradient_norm == np.linalg.norm(f.grad(f.start))
    assert ol.curvature.classify(f, f.start, gradient_tol=1e9).kind == "minimum"
    near = f.minima[0] + 1e-6
    assert ol.curvature.classify(f, near).gradient_tol < 1e-4
    assert ol.curvature.classify(f, near, gradient_tol=1e-12).kind == "not stationary"


def test_the_tolerance_is_the_users() -> None:
    f = ol.landscapes.Quadratic([1e-9, 1.0])
    assert ol.curvature.classify(f, np.zeros(2), eigenvalue_tol=1e-12).kind == "minimum"
    assert ol.curvature.classify(f, np.zeros(2), eigenvalue_tol=0.5).eigenvalue_tol == 0.5


def test_a_trained_networks_symmetries_are_degenerate_or_saddles() -> None:
    mlp = ol.nn.MLP([2, 4, 1], activation="relu", dtype="float64")
    f = mlp.on(np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), np.zeros((3, 1)), loss="mse")
    assert ol.curvature.classify(f, np.zeros(mlp.dim)).kind == "degenerate"


@pytest.mark.parametrize("dense_up_to", (512, 0))
@pytest.mark.parametrize("spectrum", (np.linspace(2, 50, 60), -np.linspace(1, 30, 60), np.geomspace(1, 1e4, 60)))
def test_condition_numbers(spectrum: np.ndarray, dense_up_to: int) -> None:
    f = ol.landscapes.Quadratic(spectrum, rotation=orthogonal(60))
    found = ol.curvature.condition_number(f, np.zeros(60), dense_up_to=dense_up_to)
    exact = np.abs(spectrum).max() / np.abs(spectrum).min()
    assert_within(found.value, exact, 1e-10 * exact**2)  # an error ε|H| of the smallest eigenvalue is ε κ² of κ
    assert found.low <= found.value <= found.high and found.high - found.low < 1e-6 * exact**2
    assert_within([found.smallest, found.largest], [spectrum.min(), spectrum.max()], 1e-9 * np.abs(spectrum).max())


def test_condition_numbers_of_other_hessians() -> None:
    f, x = network("batch")
    found = ol.curvature.condition_number(f, x)
    assert found.dense
    assert_within(found.value, np.linalg.cond(f.hessian(x)), 1e-8 * found.value)
    for spectrum in ([0.0, 1.0, 2.0], [0.0, 0.0]):
        assert ol.curvature.condition_number(ol.landscapes.Quadratic(spectrum), np.zeros(len(spectrum))).value == np.inf
    singular = ol.landscapes.Quadratic(np.arange(60.0), rotation=orthogonal(60))  # its 0 is a rounding of either sign
    found = ol.curvature.condition_number(singular, np.zeros(60))
    assert found.value == found.high == np.inf and found.low > 1e12
    assert ol.curvature.condition_number(ol.landscapes.Quadratic([-4.0, 1.0, 2.0]), np.zeros(3)).value == 4.0
    with pytest.raises(ValueError, match="expected one sign, or at most dense_up_to=0"):
        ol.curvature.condition_number(ol.landscapes.Quadratic(np.linspace(-1, 2, 50)), np.zeros(50), dense_up_to=0)
