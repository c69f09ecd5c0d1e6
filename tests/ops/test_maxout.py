"""Maxout: the twin, ties and NaN, PyTorch, differences, bits and refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from reference.activations import maxout_winners
from reference.compare import assert_same_bits, assert_within, eps
from reference.refusals import refused

import optlab as ol
from optlab import ops

DTYPES = (np.float32, np.float64)
PIECES = (1, 2, 3, 4, 5, 17)
each_dtype = pytest.mark.parametrize("dtype", DTYPES)
each_pieces = pytest.mark.parametrize("pieces", PIECES)


def arrays(dtype: Any, rows: int, units: int, pieces: int) -> list[np.ndarray]:
    """x with many ties and some NaN, x_dot, dy, dy_dot."""
    rng = np.random.default_rng(rows + units + pieces)
    x = rng.integers(-2, 3, (rows, units * pieces)).astype(dtype)
    x[rng.random(x.shape) < 0.05] = np.nan
    return [
        x,
        rng.normal(size=x.shape).astype(dtype),
        *(rng.normal(size=(rows, units)).astype(dtype) for _ in range(2)),
    ]


def passes(x: Any, x_dot: Any, dy: Any, dy_dot: Any, pieces: int) -> tuple[np.ndarray, ...]:
    """y, y_dot, dx, dx_dot."""
    return (
        ops.maxout_forward(x, pieces),
        ops.maxout_forward_tangent(x_dot, x, pieces),
        ops.maxout_backward(dy, x, pieces),
        ops.maxout_backward_tangent(dy_dot, x, pieces),
    )


@each_dtype
@each_pieces
@pytest.mark.parametrize("units", (1, 2, 7, 16, 33, 65))
def test_the_twin_to_the_bit(units: int, pieces: int, dtype: Any) -> None:
    given = arrays(dtype, 5, units, pieces)
    x, x_dot, dy, dy_dot = given
    won = maxout_winners(x, pieces)
    y, y_dot, dx, dx_dot = passes(*given, pieces)
    assert_same_bits(y, x.reshape(won.shape)[won].reshape(dy.shape))
    assert_same_bits(y_dot, x_dot.reshape(won.shape)[won].reshape(dy.shape))
    assert_same_bits(dx, np.where(won, dy[..., None], dtype(0)).reshape(x.shape))
    assert_same_bits(dx_dot, np.where(won, dy_dot[..., None], dtype(0)).reshape(x.shape))


@each_dtype
@each_pieces
def test_threads_and_places_change_no_bit(pieces: int, dtype: Any) -> None:
    given = arrays(dtype, 70, 1001, pieces)
    with ol.threads(1):
        alone = passes(*given, pieces)
    for threads in (2, 3):
        with ol.threads(threads):
            for got, expected in zip(passes(*given, pieces), alone, strict=True):
                assert_same_bits(got, expected)
    shifted = [np.concatenate([np.zeros(1, dtype), a.reshape(-1)])[1:].reshape(a.shape) for a in given]
    for got, expected in zip(passes(*shifted, pieces), alone, strict=True):
        assert_same_bits(got, expected)


@each_pieces
def test_pytorch_agrees(pieces: int) -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(1)
    x, dy = rng.normal(size=(9, 11 * pieces)), rng.normal(size=(9, 11))
    tensor = torch.from_numpy(x).requires_grad_()
    y = tensor.reshape(9, 11, pieces).max(dim=2).values
    (dx,) = torch.autograd.grad(y, tensor, torch.from_numpy(dy))
    assert_same_bits(ops.maxout_forward(x, pieces), y.detach().numpy())
    assert_same_bits(ops.maxout_backward(dy, x, pieces), dx.numpy())


@each_pieces
def test_differences_and_symmetry(pieces: int) -> None:
    rng = np.random.default_rng(2)
    x, x_dot, dy = rng.normal(size=(9, 11 * pieces)), rng.normal(size=(9, 11 * pieces)), rng.normal(size=(9, 11))
    h = 1e-7  # no piece overtakes another, so the difference is exact but for rounding
    y_dot, dx = ops.maxout_forward_tangent(x_dot, x, pieces), ops.maxout_backward(dy, x, pieces)
    high, low = (ops.maxout_forward(x + t * x_dot, pieces) for t in (h, -h))
    assert_within(y_dot, (high - low) / (2 * h), 10 * eps(np.float64) / h)
    terms = np.abs(dy * y_dot).sum()
    assert abs((dy * y_dot).sum() - (dx * x_dot).sum()) <= dy.size * eps(np.float64) * terms


X = np.ones((3, 4))
REFUSED: list[tuple[Any, type[Exception], str]] = [
    (lambda: ops.maxout_forward(X, 3), ValueError, r"x: got shape \(3, 4\), expected \(rows, units \* 3\)"),
    (lambda: ops.maxout_forward(X, 0), ValueError, "pieces: got 0, expected a whole number from 1"),
    (lambda: ops.maxout_forward(X, -2), ValueError, "pieces: got -2"),
    (lambda: ops.maxout_forward(X, 2.0), TypeError, "pieces: got 2.0, expected a whole number"),
    (lambda: ops.maxout_forward(np.ones(4), 2), ValueError, r"x: got shape \(4,\), expected \(any, any\)"),
    (lambda: ops.maxout_forward(X, 2, out=np.ones((3, 4))), ValueError, r"out: got shape.*expected \(3, 2\)"),
    (lambda: ops.maxout_forward(X, 1, out=X), ValueError, "x and out: got overlapping memory"),
    (lambda: ops.maxout_backward(X, X, 2), ValueError, r"dy: got shape \(3, 4\), expected \(3, 2\)"),
    (lambda: ops.maxout_backward(X[:, :2].astype("f"), X, 2), TypeError, "dy: got dtype float32"),
    (lambda: ops.maxout_backward_tangent(X, X, 2), ValueError, r"dy_dot: got shape \(3, 4\)"),
    (lambda: ops.maxout_forward_tangent(X[:1], X, 2), ValueError, r"x_dot: got shape \(1, 4\)"),
]


@pytest.mark.parametrize(("call", "kind", "pattern"), REFUSED, ids=[case[2] for case in REFUSED])
def test_refusals(call: Any, kind: type[Exception], pattern: str) -> None:
    refused(call, kind, pattern)
    assert (X == 1).all()
