"""SparseAdam: the rows named against PyTorch and against all rows at once; other rows, and wrong rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from reference.compare import assert_same_bits, eps

import optlab as ol

DTYPES = (np.float32, np.float64)
ROWS, COLUMNS = 23, 7


def table(dtype: Any, columns: int = COLUMNS) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(ROWS, columns)).astype(dtype)


def draws(dtype: Any, steps: int = 6, columns: int = COLUMNS) -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(2)
    chosen = [rng.permutation(ROWS)[: 1 + step % 5] for step in range(steps)]
    return [(rows, rng.normal(size=(len(rows), columns)).astype(dtype)) for rows in chosen]


@pytest.mark.parametrize("maximize", (False, True))
@pytest.mark.parametrize("dtype", DTYPES)
def test_agrees_with_pytorch(dtype: Any, maximize: bool) -> None:
    torch = pytest.importorskip("torch")
    opt, x = ol.SparseAdam(lr=0.1, betas=(0.8, 0.99), maximize=maximize), table(dtype)
    state, point = opt.init(x), torch.nn.Parameter(torch.from_numpy(x.copy()))
    peer = torch.optim.SparseAdam([point], lr=0.1, betas=(0.8, 0.99), maximize=maximize)
    for step, (rows, values) in enumerate(draws(dtype), start=1):
        opt.step(x, values, state, rows=rows)
        point.grad = torch.sparse_coo_tensor(
            torch.from_numpy(rows)[None], torch.from_numpy(values.copy()), x.shape, check_invariants=True
        )
        peer.step()
        # Each step adds some 12 roundings to a move of at most lr · 3 (the averages are a few gradients old).
        bound = 12 * step * eps(dtype) * (np.abs(x).max() + 0.3)
        assert np.abs(x - point.detach().numpy()).max() <= bound


@pytest.mark.parametrize("columns", (1, 7, 16, 33))
@pytest.mark.parametrize("dtype", DTYPES)
def test_all_rows_named_are_the_dense_step(dtype: Any, columns: int) -> None:
    opt, dense = ol.SparseAdam(lr=0.1, clip_norm=0.5, l1=0.01), table(dtype, columns)
    sparse, one, other = dense.copy(), opt.init(dense), opt.init(dense)
    order = np.random.default_rng(3).permutation(ROWS)
    for _, values in draws(dtype, 3, columns):
        grad = np.resize(values, dense.shape)
        opt = ol.SparseAdam(lr=0.1, l1=0.01)
        opt.step(dense, grad, one)
        opt.step(sparse, grad[order], other, rows=order)
        assert_same_bits(sparse, dense)


@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_not_named_are_not_touched(dtype: Any) -> None:
    opt, x = ol.SparseAdam(lr=0.1), table(dtype)
    before, state = x.copy(), opt.init(x)
    opt.step(x, np.ones((2, COLUMNS), dtype), state, rows=np.array([4, 9]))
    others = np.setdiff1d(np.arange(ROWS), [4, 9])
    assert_same_bits(x[others], before[others])
    assert not state["exp_avg"][others].any() and not state["exp_avg_sq"][others].any()
    assert (x[[4, 9]] != before[[4, 9]]).all() and int(state["step"]) == 1


def test_clipping_sees_the_rows_named() -> None:
    opt, x = ol.SparseAdam(lr=1.0, betas=(0.0, 0.0), eps=1.0, clip_norm=1.0), np.zeros((5, 2))
    opt.step(x, np.array([[3.0, 0.0], [0.0, 4.0]]), opt.init(x), rows=np.array([1, 3]))
    shrunk = np.array([3.0, 4.0]) / 5
    # √(1 − β₂) / (1 − β₁) = 1, and a clipped gradient g moves x by g / (|g| + eps); 1e-6 is what clipping adds.
    np.testing.assert_allclose(-x[[1, 3], [0, 1]], shrunk / (shrunk + 1.0), rtol=1e-6)


def test_threads_change_nothing() -> None:
    rng, results = np.random.default_rng(5), []
    values, rows = rng.normal(size=(3000, 32)).astype(np.float32), rng.permutation(9000)[:3000]
    for threads in (1, 2, 5):
        opt, x = ol.SparseAdam(lr=0.1, clip_norm=2.0), np.ones((9000, 32), np.float32)
        with ol.threads(threads):
            opt.step(x, values, opt.init(x), rows=rows)
        results.append(x)
    assert_same_bits(results[1], results[0])
    assert_same_bits(results[2], results[0])


WRONG: dict[str, tuple[Any, Any, str]] = {
    "too large": ([0, ROWS], None, f"rows: got {ROWS}, expected rows from 0 to {ROWS - 1}"),
    "negative": ([-1, 2], None, "rows: got -1, expected rows from 0"),
    "twice": ([3, 3], None, "rows: got 3 twice, expected each row once"),
    "floats": (np.array([1.0, 2.0]), None, "rows: got dtype float64, expected int64"),
    "a list": ("list", None, "rows: got builtins.list, expected a numpy.ndarray of int64"),
    "more gradients": ([1], (2, COLUMNS), r"grad: got shape \(2, 7\), expected \(1, 7\)"),
    "fewer columns": ([1, 2], (2, COLUMNS - 1), r"grad: got shape \(2, 6\), expected \(2, 7\)"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_rows_are_refused_before_anything_moves(case: str) -> None:
    given, shape, message = WRONG[case]
    rows = [1, 2] if isinstance(given, str) else np.asarray(given)
    opt, x = ol.SparseAdam(lr=0.1), table(np.float64)
    before, state = x.copy(), opt.init(x)
    with pytest.raises((TypeError, ValueError), match=message):
        opt.step(x, np.ones(shape or (2, COLUMNS)), state, rows=rows)  # type: ignore[arg-type]
    assert_same_bits(x, before)
    assert int(state["step"]) == 0


def test_rows_want_one_array_that_has_rows() -> None:
    opt, point = ol.SparseAdam(lr=0.1), np.ones(())
    with pytest.raises(ValueError, match=r"x: got an array of shape \(\), expected one that has rows"):
        opt.step(point, np.ones(1), opt.init(point), rows=np.array([0]))
    x = np.ones((4, 2))
    state = opt.init(x, [ol.Segment("a", 0, (2, 2)), ol.Segment("b", 4, (2, 2))])
    with pytest.raises(ValueError, match="rows: expected a state of one array, without a layout"):
        opt.step(x, np.ones((1, 2)), state, rows=np.array([0]))
    assert (x == 1).all() and int(state["step"]) == 0


@pytest.mark.parametrize("field", ({"max_norm": 1.0}, {"noise": 1e-3}))
def test_what_touches_every_row_is_refused(field: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="since it touches every row"):
        ol.SparseAdam(**field)  # type: ignore[arg-type]
