"""The matrix product: exact bits, every shape and stride, every thread count."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import matmul as twin
from reference.compare import assert_same_bits, assert_within
from reference.refusals import refused

import optlab as ol
from optlab.kernels.select import cpu

DTYPES = (np.float32, np.float64)
SIZES = (1, 2, 3, 5, 6, 7, 13, 14, 15, 16, 17, 29, 31, 32, 33, 64, 65)
THIN = [(1, 1, 1), (1, 1025, 1), (1, 3, 2000), (2000, 3, 1), (3000, 2, 2), (2, 1, 3000), (521, 7, 3), (3, 521, 7)]
LARGE = [(64, 784, 512), (513, 1030, 97), (600, 40, 600)]
FUSED = cpu.isa != "v2"  # the baseline of x86-64 multiplies and adds in two steps


def draw(shape: tuple[int, int], dtype: Any, seed: int) -> Any:
    return ol.random.normal(shape, seed, dtype=dtype) if 0 not in shape else np.empty(shape, dtype)


def ordered(matrix: Any, order: str) -> Any:
    """The same numbers in another memory order."""
    if order == "F":
        return np.asfortranarray(matrix)
    if order == "slice":
        wide = np.full((matrix.shape[0], matrix.shape[1] + 5), np.nan, matrix.dtype)
        wide[:, 3:-2] = matrix
        return wide[:, 3:-2]
    if order == "strided":
        wide = np.full((2 * matrix.shape[0], 3 * matrix.shape[1]), np.nan, matrix.dtype)
        wide[::2, ::3] = matrix
        return wide[::2, ::3]
    return np.ascontiguousarray(matrix[::-1])[::-1] if order == "backwards" else matrix


ORDERS = ("C", "F", "slice", "strided", "backwards")


@pytest.mark.skipif(not FUSED, reason="without fused multiply-adds")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(3, 7, 5), (2, 520, 3), (1, 1025, 2)])
def test_bits_are_those_of_fused_steps_in_order(dtype: Any, shape: tuple[int, int, int]) -> None:
    m, k, n = shape
    a, b = draw((m, k), dtype, 1), draw((k, n), dtype, 2)
    if dtype is np.float64 and k > 100:
        a, b = a[:1], b[:, :1]
    assert_same_bits(ol.ops.matmul(a, b), twin.fused_product(a, b))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [*((m, 9, n) for m in SIZES for n in SIZES[::3]), *THIN, *LARGE])
def test_equals_the_definition(dtype: Any, shape: tuple[int, int, int]) -> None:
    m, k, n = shape
    a, b = draw((m, k), dtype, 1), draw((k, n), dtype, 2)
    exact = a.astype(np.longdouble) @ b.astype(np.longdouble)
    assert_within(ol.ops.matmul(a, b), exact, twin.error_bound(a, b))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("right", ORDERS)
@pytest.mark.parametrize("left", ORDERS)
def test_strides_change_no_bit(left: str, right: str, dtype: Any) -> None:
    for m, k, n in [(1, 1, 1), (15, 7, 33), (33, 70, 17), (14, 530, 32), (65, 31, 3)]:
        a, b = draw((m, k), dtype, 1), draw((k, n), dtype, 2)
        assert_same_bits(ol.ops.matmul(ordered(a, left), ordered(b, right)), ol.ops.matmul(a, b))


@settings(max_examples=60, deadline=None)
@given(st.tuples(*[st.integers(1, 90)] * 3), st.sampled_from(DTYPES), st.integers(2, 7), st.booleans())
def test_threads_change_no_bit(shape: tuple[int, int, int], dtype: Any, threads: int, turned: bool) -> None:
    m, k, n = (shape[0] * 3, shape[1], shape[2] * 4)
    a, b = draw((m, k), dtype, 1), draw((k, n), dtype, 2)
    b = np.asfortranarray(b) if turned else b
    with ol.threads(1):
        alone = ol.ops.matmul(a, b)
    with ol.threads(threads):
        assert_same_bits(ol.ops.matmul(a, b), alone)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(0, 3, 4), (3, 0, 4), (3, 4, 0), (0, 0, 0)])
def test_a_sum_of_nothing_is_zero(dtype: Any, shape: tuple[int, int, int]) -> None:
    m, k, n = shape
    a, b = np.empty((m, k), dtype), np.empty((k, n), dtype)
    assert_same_bits(ol.ops.matmul(a, b), np.zeros((m, n), dtype))
    held = np.ones((m, n), dtype)
    if held.size:
        assert (ol.ops.matmul(a, b, out=held, accumulate=True) == 1).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("k", (1, 60, 1100))
def test_accumulates_behind_the_last_block(dtype: Any, k: int) -> None:
    a, b, before = draw((20, k), dtype, 1), draw((k, 37), dtype, 2), draw((20, 37), dtype, 3)
    out = before.copy()
    assert ol.ops.matmul(a, b, out=out, accumulate=True) is out
    bound = twin.error_bound(a, b) * 2 + np.finfo(dtype).eps * (np.abs(before) + np.abs(a) @ np.abs(b))
    assert_within(out, before.astype(np.longdouble) + a.astype(np.longdouble) @ b, bound)
    if k <= twin.BLOCK:
        assert_same_bits(out, before + ol.ops.matmul(a, b))


@pytest.mark.parametrize("dtype", DTYPES)
def test_non_finite_values_stay_in_their_rows_and_columns(dtype: Any) -> None:
    a, b = draw((40, 30), dtype, 1), draw((30, 50), dtype, 2)
    a[7, 3], b[5, 49] = np.nan, np.inf
    wrong = ~np.isfinite(ol.ops.matmul(a, b))
    expected = np.zeros((40, 50), bool)
    expected[7], expected[:, 49] = True, True
    assert (wrong == expected).all()


def test_out_is_written_and_nothing_around_it() -> None:
    memory = np.full(17 * 33 + 2, 7.0, np.float32)
    out = memory[1:-1].reshape(17, 33)
    a, b = draw((17, 5), np.float32, 1), draw((5, 33), np.float32, 2)
    assert ol.ops.matmul(a, b, out=out) is out
    assert_same_bits(out, ol.ops.matmul(a, b))
    assert memory[0] == memory[-1] == 7


@pytest.mark.parametrize(
    ("kind", "said", "change"),
    [
        (TypeError, "a: got builtins.list", {"a": [[1.0]]}),
        (TypeError, "a: got dtype int64", {"a": np.ones((3, 4), np.int64)}),
        (TypeError, "b: got dtype float32, expected float64", {"b": np.ones((4, 5), np.float32)}),
        (ValueError, r"a: got shape \(3,\), expected \(any, any\)", {"a": np.ones(3)}),
        (ValueError, r"b: got shape \(3, 5\), expected \(4, any\)", {"b": np.ones((3, 5))}),
        (ValueError, r"out: got shape \(3, 4\), expected \(3, 5\)", {"out": np.ones((3, 4))}),
        (ValueError, "out: got a strided array", {"out": np.ones((5, 3)).T}),
        (TypeError, "out: got dtype float32", {"out": np.ones((3, 5), np.float32)}),
        (ValueError, "out: got None, expected the array to which to add", {"accumulate": True}),
    ],
)
def test_wrong_input_is_refused(kind: type[Exception], said: str, change: dict[str, Any]) -> None:
    given = {"a": np.ones((3, 4)), "b": np.ones((4, 5)), **change}
    refused(lambda: ol.ops.matmul(**given), kind, said)


def test_memory_that_cannot_be_written_is_refused() -> None:
    a, locked = np.ones((5, 5)), np.ones((5, 5))
    locked.flags.writeable = False
    refused(lambda: ol.ops.matmul(a, a, out=locked), ValueError, "out: got a read-only array")
    refused(lambda: ol.ops.matmul(a, a.copy(), out=a), ValueError, "a and out: got overlapping memory")
    backwards = a[::-1, ::-1]
    refused(lambda: ol.ops.matmul(np.eye(5), backwards, out=a), ValueError, "b and out: got overlapping memory")
    assert (a == 1).all()
