"""The loss of a student on a teacher: against samples, against 40 digits, and where directions coincide or are none."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest
from reference.compare import assert_within, eps

import optlab as ol

TEACHER = np.random.default_rng(1).normal(size=(2, 3))
ROUNDINGS = 200  # up to 30 on the longest path, with lengths up to 2 and pi for an angle
DTYPES = (np.float32, np.float64)


def kernel(a: Any, b: Any) -> Any:
    """E relu(a x) relu(b x) in mpmath."""
    cross = mpmath.fdot(a, b)
    lengths = mpmath.sqrt(mpmath.fdot(a, a) * mpmath.fdot(b, b))
    angle = mpmath.acos(cross / lengths)
    return (lengths * mpmath.sin(angle) + (mpmath.pi - angle) * cross) / (2 * mpmath.pi)


def loss(teacher: np.ndarray, numbers: Any) -> Any:
    """Of a point given as a list of mpmath's numbers."""
    d = teacher.shape[1]
    student = [numbers[i : i + d] for i in range(0, len(numbers), d)]
    given = [[mpmath.mpf(v) for v in row] for row in teacher.tolist()]
    own = [sum(kernel(a, b) for a in rows for b in rows) / 2 for rows in (student, given)]
    return own[0] + own[1] - sum(kernel(a, b) for a in student for b in given)


def differences(function: Any, x: list[Any], step: Any) -> list[Any]:
    """Central ones, whose error is of the order step²."""
    moved = [[[n + sign * step * (i == j) for j, n in enumerate(x)] for sign in (1, -1)] for i in range(len(x))]
    return [(function(up) - function(down)) / (2 * step) for up, down in moved]


def test_value_gradient_and_hessian_have_all_their_digits() -> None:
    f = ol.landscapes.TeacherStudent(3, TEACHER)
    x = f.starts(1, 5)[0]
    with mpmath.workdps(60):
        numbers, step = [mpmath.mpf(n) for n in x.tolist()], mpmath.mpf(10) ** -15
        value = loss(TEACHER, numbers)
        grad = differences(lambda y: loss(TEACHER, y), numbers, step)
        hessian = [
            differences(lambda y, i=i: differences(lambda z: loss(TEACHER, z), y, step)[i], numbers, step)
            for i in range(3)
        ]
    k = ROUNDINGS * eps(np.float64)
    assert abs(float(value) - f.value(x)) <= k
    assert_within(f.grad(x), np.array(grad, float), k)
    assert_within(f.hessian(x)[:3], np.array(hessian, float), k)


@pytest.mark.parametrize("units", (1, 2, 6))
def test_the_value_is_the_mean_over_inputs(units: int) -> None:
    f = ol.landscapes.TeacherStudent(units, TEACHER)
    inputs = np.random.default_rng(2).normal(size=(400_000, 3))
    w = f.starts(1, units)[0].reshape(units, 3)
    losses = (np.maximum(inputs @ w.T, 0).sum(1) - np.maximum(inputs @ TEACHER.T, 0).sum(1)) ** 2 / 2
    # five standard errors of the mean
    assert abs(losses.mean() - f.value(w.ravel())) < 5 * losses.std() / np.sqrt(len(losses))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("k", (1, 2, 5, 20))
def test_the_hessian_at_the_teacher_is_known(k: int, dtype: Any) -> None:
    f = ol.landscapes.TeacherStudent(k)
    x = f.minima[0].astype(dtype)
    one, units = np.eye(k), np.arange(k)
    expected = np.einsum("ij,rs->irjs", one / 4 + 1 / 4, one)
    for i in units:
        for j in units[units != i]:
            expected[i, :, j] += (np.outer(one[i], one[j]) + np.outer(one[j], one[i])) / (2 * np.pi)
    # every angle is a right one or 0, the roundings those of a few operations on numbers up to pi
    assert_within(f.hessian(x), expected.reshape(f.dim, f.dim), 20 * eps(dtype))
    assert_within(f.grad(x), 0 * x, 20 * k * eps(dtype))
    # in exact numbers; for k = 1 there is no other unit
    assert (
        abs(np.linalg.eigvalsh(expected.reshape(f.dim, f.dim))[0] - (0.25 - 1 / (2 * np.pi) if k > 1 else 0.5)) < 1e-13
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("factor", (2.0, -0.5))
def test_coinciding_and_opposed_directions_are_limits(factor: float, dtype: Any) -> None:
    f, v = ol.landscapes.TeacherStudent(2, TEACHER), TEACHER[0]
    x = np.concatenate([factor * v, -factor / 2 * v]).astype(dtype)
    aside = np.random.default_rng(3).normal(size=6).astype(dtype)
    h = np.cbrt(eps(dtype))
    near = (x + np.array([[h], [-h]]) * aside).astype(dtype)
    # f has two derivatives and the second is Lipschitz: with constants of the order 1 the differences err by h
    assert np.isfinite(f.value(x))
    assert_within(f.grad(x), f.grad(near).mean(0), 30 * h**2)
    assert_within(f.hvp(x, aside), f.hvp(near, np.tile(aside, (2, 1))).mean(0), 30 * h)


def test_a_multiple_of_the_teacher_is_met_to_rounding() -> None:
    rows = np.random.default_rng(8).normal(size=(500, 1, 7))
    for row in rows:
        f = ol.landscapes.TeacherStudent(1, row)
        # the kernel's value is |w - v|²/4, its gradient (w - v)/2, its Hessian 1/2
        assert_within(f.grad(3 * row.ravel()), row.ravel(), ROUNDINGS * eps(np.float64))
        assert_within(f.hessian(3 * row.ravel()), np.eye(7) / 2, ROUNDINGS * eps(np.float64))


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_unit_without_direction_has_the_mean_of_both_sides(dtype: Any) -> None:
    f = ol.landscapes.TeacherStudent(3, TEACHER)
    x = f.starts(1, 2)[0].astype(dtype)
    x[3:6] = 0
    step = dtype(eps(dtype)) ** dtype(0.5)
    sides = [f.value(x.astype(np.float64) + step * sign * np.eye(9)[3:6]) for sign in (1.0, -1.0)]
    value, grad = f.value_and_grad(x)
    assert np.isfinite(value) and np.isfinite(f.hessian(x)).all()
    assert_within(
        grad[3:6], (sides[0] - sides[1]) / (2 * step), ROUNDINGS * eps(np.float64) / step + ROUNDINGS * eps(dtype)
    )
    zeros = np.zeros(9, dtype)
    assert np.isfinite(f.grad(zeros)).all() and f.value(zeros) > 0
    assert_within(f.grad(zeros), -np.tile(TEACHER.sum(0) / 4, 3), ROUNDINGS * eps(dtype))


def test_orthonormal_teachers_are_rotations_of_each_other() -> None:
    q = np.linalg.qr(np.random.default_rng(4).normal(size=(5, 5)))[0]
    plain, turned = ol.landscapes.TeacherStudent(7, np.eye(5)[:4]), ol.landscapes.TeacherStudent(7, q[:4])
    w = plain.starts(9, 0)
    moved = (w.reshape(-1, 5) @ q).reshape(w.shape)
    assert_within(turned.value(moved), plain.value(w), 7 * ROUNDINGS * eps(np.float64))


@pytest.mark.parametrize("extra", (0, 1, 3))
def test_more_units_than_the_teacher_share_its_last_one(extra: int) -> None:
    f = ol.landscapes.TeacherStudent(2 + extra, TEACHER)
    x = f.minima[0]
    assert abs(f.value(x)) < ROUNDINGS * eps(np.float64) and f.minimum == 0
    assert_within(f.grad(x), 0 * x, ROUNDINGS * eps(np.float64))
    assert ol.landscapes.TeacherStudent(1, TEACHER).minima is None


def test_a_teacher_of_length_zero_says_nothing() -> None:
    silent = ol.landscapes.TeacherStudent(3, np.concatenate([TEACHER, np.zeros((1, 3))]))
    x = silent.starts(4, 0)
    np.testing.assert_array_equal(silent.grad(x), ol.landscapes.TeacherStudent(3, TEACHER).grad(x))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0,), "units: got 0"),
        ((65,), "units: got 65"),
        ((3, [1.0, 2.0]), r"teacher: got shape \(2,\)"),
        ((3, np.zeros((2, 0))), r"teacher: got shape \(2, 0\)"),
        ((3, [[np.nan]]), "finite"),
    ],
)
def test_refusals(arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ol.landscapes.TeacherStudent(*arguments)
