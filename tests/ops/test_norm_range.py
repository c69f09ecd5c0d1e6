"""Every normalization is right to a few ulp of 1 wherever its numbers lie.

They lie far from 0, or have squares that float32 or float64 cannot hold. The twins take mantissas of 64 bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from reference import batch_norm as twin
from reference.compare import assert_same_bits, eps

import optlab as ol
from optlab import ops

Array = NDArray[Any]
WHERE = {
    np.float32: [
        (1e4, 0.1),
        (-1e6, 1.0),
        (3e7, 10.0),
        (0.0, 1e20),
        (0.0, 1e30),
        (1e30, 1e28),
        (-1e38, 1e36),
        (0.0, 1e-30),
    ],
    np.float64: [(1e10, 0.01), (-1e15, 1.0), (0.0, 1e160), (1e300, 1e298), (-1e308, 1e306), (0.0, 1e-200)],
}
PLACES = [(dtype, *place) for dtype, places in WHERE.items() for place in places]
SHAPES = [(5, 3), (300, 70), (4099, 5), (64, 200)]
K = 16
"""Units of eps of the largest result: a chain of some ten roundings, and the sums' own."""


def drawn(shape: tuple[int, int], dtype: Any, mean: float, deviation: float) -> list[Array]:
    """x around that mean, and x_dot, dy, dy_dot of such sizes that every result is of size 1 or of 1 / deviation."""
    rng = np.random.default_rng(shape[0])
    x, x_dot, dy, dy_dot = rng.standard_normal((4, *shape))
    return [array.astype(dtype) for array in (mean + deviation * x, deviation * x_dot, dy, dy_dot)]


def small(dtype: Any, deviation: float) -> float:
    """The eps of the docstrings: 0 where it would hide the variance."""
    return 0.0 if deviation < 1e-3 else 1e-5


def assert_right(found: Any, exact: Any, dtype: Any) -> None:
    """Each within K eps of the largest number of its column; sums over rows, of the largest of them all."""
    for ours, right in zip(found, exact, strict=True):
        error, size = np.abs(ours.astype(np.longdouble) - right).max(0), np.abs(right).max(0)
        worst = (error / np.maximum(size, np.abs(right).max() / 100)).max() if ours.ndim > 1 else error / size
        assert worst <= K * eps(dtype), float(worst) / eps(dtype)


def exact_passes(arrays: list[Array], small_eps: float, gamma: Any = 1.0) -> dict[str, Any]:
    """By the formulas, of columns without their means."""
    x, x_dot, dy, dy_dot = (array.astype(np.longdouble) for array in arrays)
    x, centred_dot = twin.centred(x)[1], twin.centred(x_dot)[1]
    rstd = 1 / np.sqrt((x**2).mean(0) + np.longdouble(small_eps))
    rstd_dot = -(rstd**3) * (x * centred_dot).mean(0)
    moves = [(dy, dy_dot), (x, centred_dot), (gamma, None), (0.0, None), (rstd, rstd_dot)]
    return {
        "forward": (x * rstd * gamma,),
        "backward": twin.backward(dy, x, gamma, 0.0, rstd),
        "tangent": twin.tangent(x, x_dot, 0.0, rstd, gamma, 0.0, 0.0)[:1],
        "backward tangent": twin.along(twin.backward, *moves),
    }


@pytest.mark.parametrize(("dtype", "mean", "deviation"), PLACES)
@pytest.mark.parametrize("shape", SHAPES)
def test_batch_normalization(shape: tuple[int, int], dtype: Any, mean: float, deviation: float) -> None:
    arrays, gamma = drawn(shape, dtype, mean, deviation), np.full(shape[1], 1.5, dtype)
    x, x_dot, dy, dy_dot = arrays
    exact = exact_passes(arrays, small(dtype, deviation), 1.5)
    y, at, rstd = ops.batch_norm_forward(x, gamma, eps=small(dtype, deviation))
    assert_right([y], exact["forward"], dtype)
    assert_right(ops.batch_norm_backward(dy, x, gamma, at, rstd), exact["backward"], dtype)
    y_dot, at_dot, rstd_dot = ops.batch_norm_forward_tangent(x_dot, x, gamma, at, rstd)
    assert_right([y_dot], exact["tangent"], dtype)
    found = ops.batch_norm_backward_tangent(dy_dot, x_dot, dy, x, gamma, at, rstd, at_dot, rstd_dot)
    if abs(mean) + deviation < np.sqrt(np.finfo(dtype).max) and deviation > np.sqrt(np.finfo(dtype).tiny):
        assert_right(found, exact["backward tangent"], dtype)  # else rstd_dot is out of range


@pytest.mark.parametrize(("dtype", "mean", "deviation"), PLACES)
@pytest.mark.parametrize("kind", ("layer", "group", "instance"))
def test_normalizations_of_rows(kind: str, dtype: Any, mean: float, deviation: float) -> None:
    """(batch, channels, positions) with rows of 60 numbers; dgamma is a sum over rows and positions."""
    batch, groups, positions = {"layer": (12, 1, 1), "group": (4, 3, 5), "instance": (6, 2, 60)}[kind]
    rows, channels = batch * groups, 60 * groups // positions
    arrays = drawn((60, rows), dtype, mean, deviation)
    shape = (batch, channels) if kind == "layer" else (batch, channels, positions)
    x, x_dot, dy, dy_dot = (np.ascontiguousarray(array.T).reshape(shape) for array in arrays)
    exact, pick = exact_passes(arrays, small(dtype, deviation)), lambda name: getattr(ops, f"{kind}_norm_{name}")
    counted = (groups,) if kind == "group" else ()
    y, at, rstd = pick("forward")(x, *counted, eps=small(dtype, deviation))
    as_columns = lambda array: array.reshape(rows, 60).T  # noqa: E731
    assert_right([as_columns(y)], exact["forward"], dtype)
    dx, dgamma, _ = pick("backward")(dy, x, None, at, rstd)
    by_channel = (exact["forward"][0] * arrays[2]).T.reshape(batch, channels, positions).sum((0, 2))
    assert_right([as_columns(dx), dgamma], [exact["backward"][0], by_channel], dtype)
    y_dot, at_dot, rstd_dot = pick("forward_tangent")(x_dot, x, None, at, rstd)
    assert_right([as_columns(y_dot)], exact["tangent"], dtype)
    found = pick("backward_tangent")(dy_dot, x_dot, dy, x, None, at, rstd, at_dot, rstd_dot)
    if abs(mean) + deviation < np.sqrt(np.finfo(dtype).max) and deviation > np.sqrt(np.finfo(dtype).tiny):
        assert_right([as_columns(found[0])], exact["backward tangent"][:1], dtype)


@pytest.mark.parametrize(("mean", "deviation"), WHERE[np.float32])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_linear_layer_with_batch_normalization(shape: tuple[int, int], mean: float, deviation: float) -> None:
    """The identity as weights: what it hands on is x itself."""
    x, weight = drawn(shape, np.float32, mean, deviation)[0], np.eye(shape[1], dtype=np.float32)
    y, z, at, rstd = ops.linear_batch_norm_forward(x, weight, eps=small(np.float32, deviation))
    assert_same_bits(z, x)
    for ours, alone in zip((y, at, rstd), ops.batch_norm_forward(x, eps=small(np.float32, deviation)), strict=True):
        assert_same_bits(ours, alone)


@pytest.mark.parametrize("shape", [(300, 70), (4099, 5), (40, 3)])
def test_columns_out_of_range_leave_the_others_alone(shape: tuple[int, int]) -> None:
    """And threads change nothing; running averages hold the variance where it can be held."""
    x = drawn(shape, np.float32, 3.0, 2.0)[0]
    mixed = x.copy()
    mixed[:, 1] *= np.float32(1e19)
    usual = ops.batch_norm_forward(x)
    results = []
    for count in (1, 2, 5):
        kept = (np.zeros(shape[1], np.float32), np.ones(shape[1], np.float32), np.zeros((), np.int64))
        with ol.threads(count):
            results.append((*ops.batch_norm_forward(mixed, running=kept, momentum=1.0), *kept[:2]))
    for other in results[1:]:
        for ours, first in zip(other, results[0], strict=True):
            assert_same_bits(ours, first)
    for ours, alone in zip(results[0], usual, strict=False):
        assert_same_bits(np.delete(ours, 1, -1), np.delete(alone, 1, -1))
    variance = x[:, 1].astype(np.float64).var(ddof=1) * 1e38
    assert results[0][4][1] == (pytest.approx(variance, rel=1e-6) if variance < np.finfo(np.float32).max else np.inf)


@pytest.mark.parametrize("dtype", WHERE)
def test_columns_near_the_largest_number(dtype: Any) -> None:
    """Whose sums and whose distances from the first row overflow."""
    largest = dtype(np.finfo(dtype).max / 2)
    x = np.tile(np.array([[1.0], [-1.0], [0.5], [-0.5]], dtype) * largest, (100, 9))
    y, mean, rstd = ops.batch_norm_forward(x, eps=0.0)
    deviation = np.sqrt(dtype(5 / 8))
    np.testing.assert_allclose(y, np.tile([[1.0], [-1.0], [0.5], [-0.5]], (100, 9)) / deviation, rtol=K * eps(dtype))
    assert (mean == 0).all()
    np.testing.assert_allclose(rstd * largest, 1 / deviation, rtol=1e-6)  # rstd is subnormal, and has fewer digits
