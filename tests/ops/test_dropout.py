"""Dropout: the mask is the public draw, its frequencies, independence, linearity, bits and refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from reference.activations import dropout_mask
from reference.compare import assert_same_bits, eps
from reference.refusals import refused
from scipy import stats

import optlab as ol
from optlab import ops
from optlab.kernels.select import cpu

DTYPES = (np.float32, np.float64)
MAPS = (ops.dropout_forward, ops.dropout_backward, ops.dropout_forward_tangent, ops.dropout_backward_tangent)
SIZES = (1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 33, 63, 64, 65, 255, 256, 257, 1000, 4095, 4097)
ADDRESSES = (  # seed, stream, step, run
    (0, 6, 0, 0),
    (2**64 - 1, 0, 1, 3),
    (12345, 2**16 - 1, 2**48 - 1, 2**32 - 1),
    (2**32, 6, 2**32, 77),
)
LEVEL = 1e-6  # of each statistical test; the seeds are fixed, so a test that passes passes always
each_dtype = pytest.mark.parametrize("dtype", DTYPES)


def kept(p: float, seed: int, count: int, **address: int) -> np.ndarray:
    """The mask, as seen from outside."""
    return np.asarray(ops.dropout_forward(np.ones(count, np.float32), p, seed, **address) != 0)


def test_the_stream_is_public() -> None:
    assert ol.random.Stream.DROPOUT == 6
    assert_same_bits(kept(0.5, 1, 99), kept(0.5, 1, 99, stream=6, step=0, run=0))


@each_dtype
@pytest.mark.parametrize("p", (0.0, 1e-9, 0.1, 0.5, 0.999))
@pytest.mark.parametrize("size", SIZES)
def test_the_mask_is_the_uniform_draw_at_its_address(size: int, p: float, dtype: Any) -> None:
    x = np.random.default_rng(size).normal(size=size).astype(dtype)
    u = ol.random.uniform(size, 5, stream=6, step=9, first_run=4, dtype=np.float32).astype(np.float64)
    for apply in MAPS:  # all of them are one linear map
        assert_same_bits(apply(x, p, 5, step=9, run=4), x * np.where(u >= p, dtype(1 / (1 - p)), dtype(0)))


@pytest.mark.parametrize(("seed", "stream", "step", "run"), ADDRESSES)
def test_the_mask_by_the_generators_definition(seed: int, stream: int, step: int, run: int) -> None:
    address = {"stream": stream, "step": step, "run": run}
    assert_same_bits(kept(0.3, seed, 301, **address), dropout_mask(301, 0.3, seed, stream, step, run))


@each_dtype
def test_a_tile_anywhere_is_the_tile_of_the_whole(dtype: Any) -> None:
    x = np.random.default_rng(8).normal(size=1100).astype(dtype)
    whole = ops.dropout_forward(x, 0.4, 7)
    for first in (0, 1, 2, 3, 4, 30, 31, 32, 257):
        for size in (1, 2, 3, 5, 31, 32, 33, 64, 253, 256, 257, 800):
            tile = x[first : first + size].copy()
            cpu.dropout_tile(tile, first, 0.4, 7)  # in place
            assert_same_bits(tile, whole[first : first + size])


def test_p_between_two_draws_and_at_one() -> None:
    count = 2**16
    u = ol.random.uniform(count, 3, stream=6, dtype=np.float32).astype(np.float64)
    drawn = float(np.sort(u)[count // 2])
    for p in (drawn, np.nextafter(drawn, 1), np.nextafter(drawn, 0), drawn + 2**-25):
        assert_same_bits(kept(p, 3, count), u >= p)
    assert not kept(np.nextafter(1, 0), 3, count).any()  # no draw reaches it
    assert kept(0.0, 3, count).all()


@each_dtype
def test_shapes_places_and_threads_change_no_bit(dtype: Any) -> None:
    x = np.random.default_rng(0).normal(size=99_999).astype(dtype)
    with ol.threads(1):
        alone = ops.dropout_forward(x, 0.4, 7)
    for threads in (2, 3):
        with ol.threads(threads):
            assert_same_bits(ops.dropout_forward(x, 0.4, 7), alone)
    assert_same_bits(ops.dropout_forward(x.reshape(3, 3, -1), 0.4, 7).reshape(-1), alone)
    shifted = np.concatenate([np.zeros(1, dtype), x])[1:]
    out = np.full_like(x, np.nan)
    assert ops.dropout_forward(shifted, 0.4, 7, out=out) is out
    assert_same_bits(out, alone)
    assert_same_bits(ops.dropout_forward(x[:1001].copy(), 0.4, 7), alone[:1001])


@pytest.mark.parametrize("p", (0.01, 0.1, 0.5, 0.9))
def test_frequencies(p: float) -> None:
    count = 1_000_000
    # binomial: its standard deviation is sqrt(count p (1 - p)); the bound is the normal quantile of LEVEL
    bound = stats.norm.isf(LEVEL / 2) * np.sqrt(count * p * (1 - p))
    for seed in range(5):
        mask = kept(p, seed, count)
        assert abs(mask.sum() - count * (1 - p)) <= bound
        for lag in (1, 2, 4, 8, 32, 256):  # neighbours are independent: both kept with probability (1 - p)²
            both, q = (mask[lag:] & mask[:-lag]).sum(), (1 - p) ** 2
            spread = np.sqrt(q * (1 - q) + 2 * (q * (1 - p) - q * q))  # consecutive products share one factor
            assert abs(both - (count - lag) * q) <= stats.norm.isf(LEVEL / 2) * np.sqrt(count) * spread


@pytest.mark.parametrize("other", ({"step": 1}, {"step": 2**32}, {"run": 1}, {"stream": 0}, {"stream": 7}, {"seed": 2}))
def test_masks_of_other_addresses_are_independent(other: dict[str, int]) -> None:
    count, p = 1_000_000, 0.5
    mine, yours = kept(p, 1, count), kept(p, **{"seed": 1, **other}, count=count)
    equal = (mine == yours).sum()  # each element with probability 1/2
    assert abs(equal - count / 2) <= stats.norm.isf(LEVEL / 2) * np.sqrt(count) / 2


@each_dtype
def test_the_mean_is_kept_and_the_map_is_its_own_transpose(dtype: Any) -> None:
    rng, count, p = np.random.default_rng(3), 100_000, 0.3
    x, dy = (rng.normal(size=count).astype(dtype) for _ in range(2))
    y, dx = ops.dropout_forward(x, p, 1), ops.dropout_backward(dy, p, 1)
    left, right = dy.astype(np.float64) @ y, dx.astype(np.float64) @ x
    terms = np.abs(dy.astype(np.float64) * y).sum()  # one rounding of a product in each, and those of the sums
    assert abs(left - right) <= (2 * eps(dtype) + count * eps(np.float64)) * terms
    mean = ops.dropout_forward(np.ones(count, dtype), p, 1).mean(dtype=np.float64)
    assert abs(mean - 1) <= stats.norm.isf(LEVEL / 2) * np.sqrt(p / (1 - p) / count)


def test_what_is_not_finite_shows_where_it_is_dropped() -> None:
    x = np.array([np.nan, np.inf, -np.inf, 1.0] * 50)
    with np.errstate(invalid="ignore"):
        expected = x * np.where(kept(0.5, 4, 200), 2.0, 0.0)
    np.testing.assert_array_equal(ops.dropout_forward(x, 0.5, 4), expected)


X = np.ones((3, 4))
REFUSED: list[tuple[Any, type[Exception], str]] = [
    (lambda: ops.dropout_forward(X, 1.0, 0), ValueError, "p: got 1.0, expected a number >= 0 and < 1"),
    (lambda: ops.dropout_forward(X, -0.1, 0), ValueError, "p: got -0.1, expected a number >= 0 and < 1"),
    (lambda: ops.dropout_forward(X, float("nan"), 0), ValueError, "p: got nan"),
    (lambda: ops.dropout_forward(X, "0.5", 0), TypeError, "p: got '0.5', expected a number"),
    (lambda: ops.dropout_forward(X, True, 0), TypeError, "p: got True, expected a number"),
    (lambda: ops.dropout_forward(X, None, 0), TypeError, "p: got None, expected a number"),
    (lambda: ops.dropout_forward(X, 0.5, -1), ValueError, "seed: got -1, expected a whole number from 0 to 18446"),
    (lambda: ops.dropout_forward(X, 0.5, 2**64), ValueError, "seed: got 18446744073709551616"),
    (lambda: ops.dropout_forward(X, 0.5, 1.0), TypeError, "seed: got 1.0, expected a whole number"),
    (lambda: ops.dropout_forward(X, 0.5, 0, stream=2**16), ValueError, "stream: got 65536.* 0 to 65535"),
    (lambda: ops.dropout_forward(X, 0.5, 0, step=2**48), ValueError, "step: got 281474976710656"),
    (lambda: ops.dropout_forward(X, 0.5, 0, run=2**32), ValueError, "run: got 4294967296"),
    (lambda: ops.dropout_forward(X, 0.5, 0, out=X), ValueError, "x and out: got overlapping memory"),
    (lambda: ops.dropout_forward(X.T, 0.5, 0), ValueError, "x: got a strided array"),
    (lambda: ops.dropout_backward(X.astype(int), 0.5, 0), TypeError, "dy: got dtype int64"),
    (lambda: ops.dropout_forward_tangent(np.ones(()), 0.5, 0), ValueError, "x_dot: got 0 dimensions"),
    (lambda: ops.dropout_backward_tangent([1.0], 0.5, 0), TypeError, "dy_dot: got builtins.list"),
]


@pytest.mark.parametrize(("call", "kind", "pattern"), REFUSED, ids=[case[2] for case in REFUSED])
def test_refusals(call: Any, kind: type[Exception], pattern: str) -> None:
    refused(call, kind, pattern)
    assert (X == 1).all()
