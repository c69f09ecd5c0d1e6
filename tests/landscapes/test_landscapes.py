"""Every public landscape against its formula, its finite differences and its declared truth; one table drives all."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases.landscapes import CASES, ROUNDINGS, compiled, orthogonal, samples
from reference.compare import assert_same_bits, assert_within, eps
from reference.landscapes import MAJORANT, PLAIN

import optlab as ol
from optlab import blocks

LIST = Path(__file__).parents[2] / "cpp/include/optlab/landscapes/list.hpp"
DTYPES = (np.float32, np.float64)
MANY = 64  # runs: whole packs for every register, so that lanes are runs; a single run has its elements in the lanes
EVERY = [(name, dim) for name, case in CASES.items() for dim in case.sizes]
SMALL = [(name, dim) for name, dim in EVERY if dim <= 17]


def points(f: Any, runs: int, dtype: Any, seed: int = 0) -> np.ndarray:
    """Seeded points of the customary box."""
    u = np.random.default_rng(seed).random((runs, f.dim))
    return (f.bounds[0] + u * (f.bounds[1] - f.bounds[0])).astype(dtype)


def directions(f: Any, runs: int, dtype: Any) -> np.ndarray:
    return np.random.default_rng(5).normal(size=(runs, f.dim)).astype(dtype)


def test_the_table_names_every_public_landscape() -> None:
    made = {type(case.make(case.sizes[-1])).__name__ for case in CASES.values()}
    assert made | {"Custom"} == set(ol.landscapes.__all__)


def test_every_kind_of_the_compiled_list_stands_for_itself_on_the_gpu() -> None:
    listed = re.findall(r"X\((\w+), \w+\) *\\?$", LIST.read_text(), re.MULTILINE)
    assert len(listed) >= 15 and {f.kind for f in compiled().values()} - {None} == set(listed)


# ---------------------------------------------------------------- against the formula


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "dim"), EVERY)
def test_matches_the_formula(name: str, dim: int, dtype: Any) -> None:
    case = CASES[name]
    f, twin, few = case.make(dim), case.twin(dim), 3
    x, v = points(f, MANY, dtype), directions(f, MANY, dtype)
    value, grad = f.value_and_grad(x)
    product = f.hvp(x, v)
    assert {value.dtype, grad.dtype, product.dtype} == {np.dtype(dtype)}
    for row in range(few):
        point, along = x[row].astype(np.float64), v[row].astype(np.float64)
        exact, major = twin(point, PLAIN), twin(np.abs(point), MAJORANT)
        k = case.roundings * eps(dtype)
        assert_within(value[row], exact[0], k * major[0])
        assert_within(grad[row], exact[1], k * major[1])
        assert_within(product[row], exact[2] @ along, k * major[2] @ np.abs(along))


@pytest.mark.parametrize(("name", "dim"), SMALL)
def test_the_twins_gradient_is_the_complex_step_of_its_value(name: str, dim: int) -> None:
    twin, f = CASES[name].twin(dim), CASES[name].make(dim)
    x, step = points(f, 1, np.float64)[0], 1e-30
    slopes = [twin(x + 1j * step * axis, PLAIN)[0].imag / step for axis in np.eye(dim)]
    # no difference is taken, so only roundings remain; the truncation is of the order step**2
    assert_within(slopes, twin(x, PLAIN)[1], CASES[name].roundings * eps(np.float64) * twin(np.abs(x), MAJORANT)[1])


def central(function: Callable[[np.ndarray], Any], x: np.ndarray, h: float) -> np.ndarray:
    """Central differences along every axis, the axes first."""
    return np.array([(function(x + h * axis) - function(x - h * axis)) / (2 * h) for axis in np.eye(x.size)])


@pytest.mark.parametrize(("name", "dim"), SMALL)
def test_derivatives_are_finite_differences(name: str, dim: int) -> None:
    case = CASES[name]
    f, twin = case.make(dim), case.twin(dim)
    x, h = points(f, 1, np.float64)[0], 1e-4
    major = twin(np.abs(x) + h, MAJORANT)
    for function, derivative, size in ((f.value, f.grad(x), major[0]), (f.grad, f.hessian(x), major[1])):
        coarse, fine = central(function, x, h), central(function, x, h / 2)
        # of the two the finer is off by a third of their difference to leading order; roundings of f are divided by h/2
        truncation = 0.5 * np.abs(coarse - fine)
        rounding = 2 * case.roundings * eps(np.float64) * size / (h / 2)
        assert_within(fine, derivative, truncation + rounding)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "dim"), SMALL)
def test_hessian_is_symmetric_and_holds_the_products(name: str, dim: int, dtype: Any) -> None:
    f, case = CASES[name].make(dim), CASES[name]
    x = points(f, 1, dtype)[0]
    hessian = f.hessian(x)
    assert hessian.dtype == dtype and (hessian == hessian.T).all()
    exact, major = (
        case.twin(dim)(x.astype(np.float64), PLAIN)[2],
        case.twin(dim)(np.abs(x).astype(np.float64), MAJORANT)[2],
    )
    assert_within(hessian, exact, case.roundings * eps(dtype) * major)


def small_network(dtype: Any) -> Any:
    rng = np.random.default_rng(1)
    mlp = ol.nn.MLP([3, 4, 2], activation="tanh", norm="batch", dtype=np.dtype(dtype).name)
    return mlp.on(rng.normal(size=(9, 3)).astype(dtype), rng.integers(0, 2, 9))


HESSIANS: dict[str, Callable[[Any], Any]] = {  # by dtype
    "compiled": lambda _: ol.landscapes.StrictSaddle(17, 2, rotation=orthogonal(17)),
    "network": small_network,
    "custom": lambda _: ol.landscapes.Custom(7, rastrigin_value, rastrigin_grad, lambda x, v: x[:, ::-1] * v),
    "custom_differences": lambda _: ol.landscapes.Custom(7, rastrigin_value, rastrigin_grad),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", HESSIANS)
def test_hessians_of_many_runs_are_those_of_each(name: str, dtype: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    f = HESSIANS[name](dtype)
    x = points(f, 5, dtype)
    many = f.hessian(x)
    assert many.shape == (5, f.dim, f.dim) and many.dtype == dtype
    assert_same_bits(many, many.swapaxes(1, 2))
    for run in range(5):
        columns = np.array([f.hvp(x[run], axis) for axis in np.eye(f.dim, dtype=dtype)])
        assert_same_bits(f.hessian(x[run]), (columns + columns.T) / 2)
        assert_same_bits(many[run], f.hessian(x[run]))
    rows: list[int] = []
    hvp = f.hvp
    monkeypatch.setattr(f, "hvp", lambda x, *more: (rows.append(len(x)), hvp(x, *more))[1])
    assert_same_bits(f.hessian(x), many)
    assert rows == [5 * f.dim]  # all columns of all runs at once
    for most in (3 * f.dim, 1):  # in pieces that end within a run, and in rows
        monkeypatch.setattr(blocks, "BLOCK", most)
        rows.clear()
        assert_same_bits(f.hessian(x), many)
        assert max(rows) == max(1, most // f.dim) and sum(rows) == 5 * f.dim


def test_hessians_of_many_runs_on_a_batch() -> None:
    f = ol.landscapes.LeastSquares(*samples(7))
    x, batch = points(f, 3, np.float64), np.array([4, 8])
    part = ol.landscapes.LeastSquares(f.A[batch], f.b[batch])
    assert_same_bits(f.hessian(x, batch=batch), part.hessian(x))
    network, labels = small_network(np.float64), np.array([2, 5, 8])
    of_batch = network.mlp.on(network.X[labels], network.y[labels])
    theta = points(network, 2, np.float64)
    assert_same_bits(network.hessian(theta, batch=labels), of_batch.hessian(theta))


@pytest.mark.parametrize("shape", ((6,), (2, 6), (2, 3), (2, 2, 7), (0, 7)))
@pytest.mark.parametrize("name", ("compiled", "custom"))
def test_hessians_refuse_other_points(name: str, shape: tuple[int, ...]) -> None:
    f = ol.landscapes.Rastrigin(7) if name == "compiled" else HESSIANS[name](np.float64)
    with pytest.raises(ValueError, match=r"^x: got"):
        f.hessian(np.zeros(shape))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "dim"), [(name, dim) for name, dim in EVERY if dim <= 64 or dim == 1000])
def test_check_gradient_finds_nothing_wrong(name: str, dim: int, dtype: Any) -> None:
    f = CASES[name].make(dim)
    special = [f.start[None], *(given[:3] for given in (f.minima, f.saddles) if given is not None)]
    x = np.concatenate([points(f, 10 if dim < 100 else 2, dtype), *special]).astype(dtype)
    found = ol.check_gradient(f, x, coordinates=100)
    assert found.ok and found.products is not None, str(found)


# ---------------------------------------------------------------- the declared truth


@pytest.mark.parametrize(("name", "dim"), SMALL)
def test_declared_minima(name: str, dim: int) -> None:
    case = CASES[name]
    f, twin = case.make(dim), case.twin(dim)
    if f.minima is None:
        assert "minima" not in case.declares
        return
    for x in f.minima:
        value, grad, hessian = twin(np.abs(x), MAJORANT)
        # a minimum is stated to eps: its coordinates' rounding moves the gradient by the Hessian's size
        slack = case.roundings * eps(np.float64)
        assert_within(f.grad(x), 0 * x, slack * (grad + hessian @ np.abs(x)))
        assert_within(f.value(x), f.minimum, slack * value)
        assert np.linalg.eigvalsh(f.hessian(x)).min() >= -slack * np.linalg.norm(hessian)


@pytest.mark.parametrize(("name", "dim"), SMALL)
def test_declared_saddles(name: str, dim: int) -> None:
    f = CASES[name].make(dim)
    if f.saddles is None:
        assert "saddles" not in CASES[name].declares
        return
    for x in f.saddles:
        if not CASES[name].exact_saddles:
            grad, hessian = CASES[name].twin(dim)(np.abs(x), MAJORANT)[1:]
            assert_within(f.grad(x), 0 * x, CASES[name].roundings * eps(np.float64) * (grad + hessian @ np.abs(x)))
        else:
            assert_same_bits(np.abs(f.grad(x)), np.zeros(dim))  # all other stated saddles are exact
        assert np.linalg.eigvalsh(f.hessian(x)).min() < -0.1


def test_no_point_lies_below_the_declared_minimum() -> None:
    for case in CASES.values():
        f = case.make(case.sizes[-1])
        if f.minimum is not None:
            assert f.value(points(f, 500, np.float64)).min() >= f.minimum


def test_customary_starts_and_bounds_are_points() -> None:
    for name, dim in EVERY:
        f = CASES[name].make(dim)
        assert f.start.shape == (dim,) and f.bounds.shape == (2, dim) and (f.bounds[0] < f.bounds[1]).all()
        assert np.isfinite(f.value(f.start))


def test_strict_saddle_lists_all_corners() -> None:
    f = ol.landscapes.StrictSaddle(5, negative=3, curvature=0.25)
    assert f.minima.shape == (8, 5) and len({tuple(row) for row in f.minima}) == 8
    assert (np.abs(f.minima[:, :3]) == 0.5).all() and (f.minima[:, 3:] == 0).all()
    assert f.minimum == -3 / 64 and ol.landscapes.StrictSaddle(20, negative=13).minima is None
    assert ol.landscapes.StrictSaddle(5, bounded=False).minimum is None


@pytest.mark.parametrize(
    "f",
    [
        ol.landscapes.MatrixFactorization(7, [3.0, 2.0, 1.0], rotation=1),
        ol.landscapes.MatrixFactorization(6, [3.0, 2.0, 2.0, 1.0], rank=2, rotation=2),
        ol.landscapes.MatrixFactorization(4, [2.0, 1.0], rank=4),
        ol.landscapes.MatrixCompletion.draw(9, [2.0, 1.0], 0.6, seed=3),
        ol.landscapes.MatrixSensing.draw(6, [2.0, 1.0], 20, seed=4),
        ol.landscapes.QuadraticNetwork.draw(5, 2, 40, seed=5, width=3),
        ol.landscapes.OrthogonalTensor(5),
    ],
    ids=lambda f: type(f).__name__,
)
def test_matrix_problems_know_every_eigenvalue_at_their_saddles(f: Any) -> None:
    assert len(f.saddles) == len(f.saddle_eigenvalues) and f.saddle_eigenvalues[:, 0].max() < -0.1
    for x, eigenvalues in zip(f.saddles, f.saddle_eigenvalues, strict=True):
        # entries of the Hessian are sums of up to 100 products, and eigvalsh is off by dim eps |H| at most
        assert_within(np.linalg.eigvalsh(f.hessian(x)), eigenvalues, 300 * eps(np.float64) * np.abs(eigenvalues).max())
        assert np.linalg.norm(f.grad(x)) <= 300 * eps(np.float64) * np.abs(eigenvalues).max()
    for x in f.minima:
        eigenvalues, size = np.linalg.eigvalsh(f.hessian(x)), np.abs(f.hessian(x)).max()
        assert eigenvalues[0] >= -300 * eps(np.float64) * size
        assert_within(f.value(x), f.minimum, 300 * eps(np.float64) * size)


def test_factorization_lists_one_point_of_every_choice() -> None:
    f = ol.landscapes.MatrixFactorization(6, [3.0, 2.0, 2.0, 1.0], rank=2, rotation=2)
    assert len(f.minima) == 2 and len(f.saddles) == 1 + 4 + 4 and f.minimum == (4 + 1) / 4
    missing = np.sort(f.value(f.saddles))
    assert_within(missing, np.sort([18, 9, 14, 14, 17, 8, 10, 13, 13]) / 4, 100 * eps(np.float64) * 18)
    many = ol.landscapes.MatrixFactorization(20, np.linspace(20, 1, 20), rank=3)
    assert many.saddles is None and many.saddle_eigenvalues is None and len(many.minima) == 1


def test_tensors_see_directions_only() -> None:
    f = ol.landscapes.OrthogonalTensor(5)
    x = points(f, 7, np.float64)
    unit = f.on_spheres(x)
    assert_within(np.linalg.norm(unit.reshape(7, 5, 5), axis=2), 1.0, 10 * eps(np.float64))
    # 5 products a sum, divisions and a square; F is at most d (d - 1)
    assert_within(f.value(unit), f.value(x), 60 * eps(np.float64) * 20)
    rows = (f.grad(x) * x).reshape(7, 5, 5).sum(axis=2)
    assert_within(rows, 0.0, 60 * eps(np.float64) * 20)


def test_drawn_matrices_are_the_planted_ones() -> None:
    for f in (
        ol.landscapes.MatrixSensing.draw(6, [2.0, 1.0], 20, seed=4, rank=3),
        ol.landscapes.MatrixCompletion.draw(6, [2.0, 1.0], 0.5, seed=4, rank=3, lam=1.0),
    ):
        s = np.linalg.svd(f.product(f.minima[0]), compute_uv=False)
        assert_within(s, [2, 1, 0, 0, 0, 0], 30 * eps(np.float64))
        assert f.minimum == 0 and f.product(np.zeros((4, f.dim))).shape == (4, 6, 6)
        assert f.layout[0].shape == (6, 3)
    short = ol.landscapes.MatrixSensing.draw(6, [2.0, 1.0], 20, seed=4, rank=1)
    assert short.minima is None and short.minimum is None
    # with this scale a measurement of M has the variance |M|² = 5; 4000 squares have a standard error of 5 √(2 / 4000)
    y = ol.landscapes.MatrixSensing.draw(6, [2.0, 1.0], 4000, seed=1).y
    assert abs(np.mean(y**2) - 5) < 5 * 5 * np.sqrt(2 / 4000)
    known = ol.landscapes.MatrixCompletion.draw(100, [2.0, 1.0], 0.3, seed=1).mask
    assert (known == known.T).all() and abs(known.mean() - 0.3) < 5 * np.sqrt(0.3 * 0.7 / 5050)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda m: m.MatrixFactorization(3, [1.0, 2.0]), "singular_values: got"),
        (lambda m: m.MatrixFactorization(3, [0.0]), "singular_values: got"),
        (lambda m: m.MatrixFactorization(3, [1.0] * 4), "expected 1 to 3 numbers"),
        (lambda m: m.MatrixFactorization(3, [1.0], rank=4), "rank: got 4"),
        (lambda m: m.MatrixCompletion(np.eye(3), np.eye(3), 1), "mask: expected"),
        (lambda m: m.MatrixCompletion(np.tri(3), np.ones((3, 3), bool), 1), "not finite and symmetric"),
        (lambda m: m.MatrixCompletion(np.eye(2), np.ones((3, 3), bool), 1), "M: got shape"),
        (lambda m: m.MatrixCompletion.draw(3, [1.0], 0.0, seed=0), "share: got 0.0"),
        (lambda m: m.MatrixCompletion(np.eye(2), np.ones((2, 2), bool), 1, lam=-1.0), "lam: got -1.0"),
        (lambda m: m.MatrixCompletion(np.eye(2), np.ones((2, 2), bool), 1, alpha=0.0), "alpha: got 0.0"),
        (lambda m: m.MatrixSensing(np.eye(3), [1.0], 1), r"A: got shape \(3, 3\)"),
        (lambda m: m.MatrixSensing(np.eye(3)[None], [1.0, 2.0], 1), r"y: got shape \(2,\)"),
        (lambda m: m.QuadraticNetwork(np.eye(3), np.ones(3)), r"teacher: got shape \(3,\)"),
        (lambda m: m.QuadraticNetwork(np.eye(3), np.ones((2, 1))), "teacher: got 2 rows"),
        (lambda m: m.OrthogonalTensor(1), "components: got 1"),
    ],
)
def test_matrix_problems_refuse_what_makes_no_sense(make: Callable[[Any], Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make(ol.landscapes)


def test_cosine_knows_its_stationary_points() -> None:
    f = ol.landscapes.Cosine(0.15 * np.pi)
    roots = f.stationary(-40.0, 40.0)
    grid = np.linspace(-40, 40, 100_001)[:, None]
    changes = np.count_nonzero(np.diff(np.sign(f.grad(grid)[:, 0])))
    assert len(roots) == changes and (np.diff(roots) > 0).all()
    # a root's last bit moves the slope by |f''| ulp(x); |f''| <= 2 c + c² |x| < 11, plus the gradient's own roundings
    for root in roots:
        assert abs(f.grad(np.array([root]))[0]) <= (11 + ROUNDINGS) * eps(np.float64) * 40
    assert len(ol.landscapes.Cosine(-0.15 * np.pi).stationary(-40.0, 40.0)) == len(roots)


def test_recurrent_unit_knows_its_wall() -> None:
    f = ol.landscapes.RecurrentUnit(50)
    for w in (4.5, 6.0):
        # the growth factor is good to 8 eps, its 50th power to 400; what rounding adds to the state grows as they do
        law, growth = f.slope_on_wall(w), w * 0.235004
        assert_within(f.grad(f.wall(w)), law, 1e3 * eps(np.float64) * growth**50 * np.abs(law))


def test_sinusoids_are_drawn_and_bounded() -> None:
    f = ol.landscapes.Sinusoid.draw(3)
    assert_same_bits(f.table, ol.landscapes.Sinusoid.draw(3).table)
    assert not np.array_equal(f.table, ol.landscapes.Sinusoid.draw(4).table)
    tables = np.array([ol.landscapes.Sinusoid.draw(seed).table for seed in range(300)])
    amplitudes, frequencies = tables[:, :, [0, 3]], tables[:, :, [1, 2, 4, 5]]
    assert 0.5 <= amplitudes.min() < 0.51 and 1.49 < amplitudes.max() < 1.5
    assert -2 <= frequencies.min() < -1.99 and 1.99 < frequencies.max() < 2
    norms = np.linalg.norm(f.grad(points(f, 5000, np.float64)), axis=1)
    assert norms.max() <= f.gradient_bound()


def test_rotations_of_a_seed_are_orthogonal() -> None:
    plain, turned = ol.landscapes.StrictSaddle(17), ol.landscapes.StrictSaddle(17, rotation=4)
    q = turned.rotation
    # entries of Q Q^T are sums of 17 products of rows orthogonalized twice
    assert_within(q @ q.T, np.eye(17), 2 * 17 * eps(np.float64))
    assert_same_bits(q, ol.landscapes.Quadratic(np.ones(17), rotation=4).rotation)
    assert not np.array_equal(q, ol.landscapes.StrictSaddle(17, rotation=5).rotation)
    x = points(plain, 9, np.float64)
    # x is of size 2 in every coordinate; 2 products by Q each sum 17 terms
    assert_within(turned.value(x @ q.T), plain.value(x), 4 * 17 * eps(np.float64) * plain.value(np.abs(x) + 2))


def test_random_rotations_are_uniform_over_the_group() -> None:
    corners = np.array([ol.landscapes.Quadratic(np.ones(3), rotation=seed).rotation for seed in range(2000)])
    # entries of a Haar matrix have mean 0 and variance 1/dim; five standard deviations of the mean and the mean square
    assert np.abs(corners.mean(0)).max() < 5 / np.sqrt(3 * 2000)
    assert np.abs((corners**2).mean(0) - 1 / 3).max() < 5 * np.sqrt(4 / 45 / 2000)
    assert 0.4 < (np.linalg.det(corners) > 0).mean() < 0.6


# ---------------------------------------------------------------- the same bits in both layouts


def _everything(f: Any, x: np.ndarray) -> tuple[np.ndarray, ...]:
    return (*f.value_and_grad(x), f.hvp(x, directions(f, MANY, x.dtype)[: len(x)]))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("name", "dim"), [*EVERY, ("saddle", 255), ("rastrigin", 256), ("long_valley", 257), ("cosine", 4099)]
)
def test_one_run_alone_gives_the_bits_of_many(name: str, dim: int, dtype: Any) -> None:
    f = CASES[name].make(dim)
    x, v = points(f, MANY, dtype), directions(f, MANY, dtype)
    many = (*f.value_and_grad(x), f.hvp(x, v))
    for run in (0, 1, MANY - 1):
        for one, all_runs in zip((*f.value_and_grad(x[run]), f.hvp(x[run], v[run])), many, strict=True):
            assert_same_bits(one, all_runs[run])
    for part, all_runs in zip(_everything(f, x[:3]), many, strict=True):
        assert_same_bits(part, all_runs[:3])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ("saddle", "quadratic_rotated", "rastrigin", "rosenbrock", "octopus", "least_squares"))
def test_threads_change_nothing(name: str, dtype: Any) -> None:
    f = CASES[name].make(64)
    x = points(f, 331, dtype)  # more than the 2**13 elements from which threads share the work
    results = []
    for count in (1, 2, 5):
        with ol.threads(count):
            results.append((*f.value_and_grad(x), f.hvp(x, x[::-1].copy())))
    for result in results[1:]:
        for array, expected in zip(result, results[0], strict=True):
            assert_same_bits(array, expected)


@pytest.mark.parametrize("name", CASES)
def test_value_alone_grad_alone_and_out_are_the_same(name: str) -> None:
    f = CASES[name].make(CASES[name].sizes[-1])
    x = points(f, 5, np.float32)
    value, grad = f.value_and_grad(x)
    assert_same_bits(f.value(x), value)
    assert_same_bits(f.grad(x), grad)
    out = np.full_like(x, np.nan)
    assert f.grad(x, out=out) is out
    assert_same_bits(out, grad)


def test_inputs_may_be_read_only_and_start_anywhere() -> None:
    f = CASES["rastrigin"].make(33)
    x = points(f, 4, np.float32)
    for offset in (0, 1, 3):
        shifted = np.zeros(x.size + offset, np.float32)[offset:].reshape(x.shape)
        shifted[:] = x
        shifted.flags.writeable = False
        assert_same_bits(f.grad(shifted), f.grad(x))


def test_values_far_out_are_inf_or_nan_and_never_an_error() -> None:
    for name, case in CASES.items():
        f = case.make(case.sizes[0])
        for number in (np.inf, np.nan, 1e300):
            assert f.value(np.full((3, f.dim), number)).shape == (3,), name


def test_an_infinite_value_keeps_its_sign() -> None:
    assert ol.landscapes.Quadratic([1.0, 1.0]).value(np.array([1e200, 1.0])) == np.inf
    assert ol.landscapes.Quadratic([-1.0, 1.0]).value(np.array([1e200, 1.0])) == -np.inf


# ---------------------------------------------------------------- pickling, Custom, batches


@pytest.mark.parametrize("name", CASES)
def test_landscapes_pickle(name: str) -> None:
    f = CASES[name].make(CASES[name].sizes[-1])
    x = points(f, 4, np.float64)
    again = pickle.loads(pickle.dumps(f))
    f.value(x)
    for g in (again, pickle.loads(pickle.dumps(f))):  # before it was built, and after
        assert_same_bits(g.grad(x), f.grad(x))
        assert g.n_samples == f.n_samples and g.minimum == f.minimum


def rastrigin_value(x: np.ndarray) -> np.ndarray:
    return (x**2 + 10 * (1 - np.cos(2 * np.pi * x))).sum(1)


def rastrigin_grad(x: np.ndarray) -> np.ndarray:
    return 2 * x + 20 * np.pi * np.sin(2 * np.pi * x)


def test_custom_agrees_with_compiled() -> None:
    f, custom = (
        ol.landscapes.Rastrigin(7),
        ol.landscapes.Custom(7, rastrigin_value, rastrigin_grad, minima=np.zeros((1, 7))),
    )
    x, v = points(f, 9, np.float64), directions(f, 9, np.float64)
    slack = 2 * ROUNDINGS * eps(np.float64) * 20 * np.pi * 33  # roundings of sin(2πx), whose angle is up to 32
    assert_within(custom.value(x), f.value(x), 7 * slack)
    assert_within(custom.grad(x), f.grad(x), slack)
    assert_same_bits(custom.minima, f.minima)
    one = custom.value_and_grad(x[0])
    assert np.ndim(one[0]) == 0 and one[1].shape == (7,)
    # central differences with h = eps^(1/3) (1 + |x|): h²/6 |g'''| of truncation along v/|v|, with |g'''| <= 20 π (2π)³
    h = np.cbrt(eps(np.float64)) * (1 + np.linalg.norm(x, axis=1, keepdims=True))
    size = np.linalg.norm(v, axis=1, keepdims=True)
    bound = size * (h**2 / 6 * 20 * np.pi * (2 * np.pi) ** 3 + slack / h)
    assert_within(custom.hvp(x, v), f.hvp(x, v), bound)
    assert_within(custom.hvp(x, 0 * v), 0 * v, 0.0)
    assert_same_bits(ol.landscapes.Custom(7, rastrigin_value, rastrigin_grad, f.hvp).hvp(x, v), f.hvp(x, v))


def test_custom_pickles_and_freezes_to_itself() -> None:
    custom = ol.landscapes.Custom(3, np.sum, rastrigin_grad)
    assert custom.sample(0, 0) is custom and custom.n_samples is None
    assert pickle.loads(pickle.dumps(custom)).dim == 3


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("dim", (1, 7, 16, 33))
def test_batches_are_sums_over_their_rows(dim: int, dtype: Any) -> None:
    matrix, target = samples(dim)
    f = ol.landscapes.LeastSquares(matrix, target)
    x, v = points(f, 3, dtype), directions(f, 3, dtype)
    for batch in ([4], [0, 29], [3, 3, 3], [*range(30)]):
        index, part = np.array(batch), ol.landscapes.LeastSquares(matrix[batch], target[batch])
        assert_same_bits(f.value(x, batch=index), part.value(x))
        assert_same_bits(f.grad(x, batch=index), part.grad(x))
        assert_same_bits(f.hvp(x, v, batch=index), part.hvp(x, v))
    assert_same_bits(f.grad(x, batch=np.arange(30)), f.grad(x))
    assert_same_bits(
        f.hessian(x[0], batch=np.array([4])), ol.landscapes.LeastSquares(matrix[[4]], target[[4]]).hessian(x[0])
    )


def test_least_squares_freezes_the_batch_a_study_draws() -> None:
    f = ol.landscapes.LeastSquares(*samples(7))
    x = points(f, 5, np.float64)
    drawn = f.batch_grad(x, 6, seed=3, step=11, first_run=2)
    for run in range(5):
        assert_same_bits(f.sample(3, 11, run + 2, batch_size=6).grad(x[run]), drawn[run])
    assert f.n_samples == 30
