"""The generator's published vectors, its addressing, and the distributions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from reference import philox as twin
from reference.compare import assert_same_bits, eps
from scipy import stats

import optlab as ol
from optlab.kernels.select import cpu

DTYPES = (np.float32, np.float64)
LEVEL = 1e-6  # of each statistical test; the seeds are fixed, so a test that passes passes always
FIVE_SIGMA = 5.0  # for correlations: n of them have a standard deviation of 1/sqrt(n)

KNOWN = (  # Random123's kat_vectors: counter, key, result
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
)


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN)
def test_published_vectors(counter: tuple[int, ...], key: tuple[int, int], expected: tuple[int, ...]) -> None:
    assert tuple(cpu.philox(counter, key[0] | key[1] << 32)) == expected
    assert twin.philox(counter, key[0] | key[1] << 32) == expected


def test_the_twin_is_the_generator() -> None:
    numbers = np.random.default_rng(0).integers(0, 2**32, (50, 6)).tolist()
    for *counter, low, high in numbers:
        assert tuple(cpu.philox(counter, low | high << 32)) == twin.philox(tuple(counter), low | high << 32)


ADDRESSES = (  # seed, stream, step, run
    (0, 0, 0, 0),
    (2**64 - 1, 5, 1, 3),
    (12345, 1, 2**32 - 1, 2**32 - 2),
    (7, 2**16 - 1, 2**32, 0),
    (2**32, 3, 2**48 - 1, 77),
)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("seed", "stream", "step", "run"), ADDRESSES)
def test_uniform_addressing(seed: int, stream: int, step: int, run: int, dtype: Any) -> None:
    drawn = ol.random.uniform(41, seed, stream=stream, step=step, first_run=run, dtype=dtype)
    expected = [twin.uniform(word, dtype) for word in twin.words(41, dtype, seed, stream, step, run)]
    assert_same_bits(drawn, np.array(expected, dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("seed", "stream", "step", "run"), ADDRESSES)
def test_normal_addressing(seed: int, stream: int, step: int, run: int, dtype: Any) -> None:
    drawn = ol.random.normal(142, seed, stream=stream, step=step, first_run=run, dtype=dtype)
    words = twin.words(142, dtype, seed, stream, step, run)
    for i in range(0, 142, 2):
        *pair, radius = twin.normals(words[i], words[i + 1], dtype)
        # in units of eps/2: the radius errs by 2, since the root halves the 2 of log and adds 1; 3 roundings of an
        # angle below pi/4 pass to the sine, itself off by 2; the product adds 1
        for got, exact in zip(drawn[i : i + 2].tolist(), pair, strict=True):
            assert abs(got - exact) <= 8 * eps(dtype) / 2 * radius


@pytest.mark.parametrize(("seed", "stream", "step", "run"), ADDRESSES)
def test_integer_addressing(seed: int, stream: int, step: int, run: int) -> None:
    for high in (1, 2, 10, 2**31 + 1, 2**32 - 1):
        drawn = ol.random.integers(9, high, seed, stream=stream, step=step, first_run=run)
        expected = [word * high >> 32 for word in twin.words(9, np.float32, seed, stream, step, run)]
        assert drawn.tolist() == expected and drawn.dtype == np.int64


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("dim", (1, 2, 3, 7, 33))
def test_ball_addressing(dim: int, dtype: Any) -> None:
    drawn = ol.random.ball((5, dim), 3, radius=2.5, step=9, first_run=4, dtype=dtype)
    z = ol.random.normal((5, dim), 3, stream=1, step=9, first_run=4, dtype=dtype).astype(np.float64)
    per_block = 4 if dtype == np.float32 else 2
    last = -(-dim // per_block) * per_block  # the radius comes from the block behind the last element
    for row in range(5):
        u = twin.uniform(twin.words(last + 1, dtype, 3, 1, 9, 4 + row)[last], dtype)
        expected = 2.5 * u ** (1 / dim) * z[row] / np.linalg.norm(z[row])
        # relative, in eps/2: log u / dim errs by 3 and |log u| < 24 turns that to an error of exp; the rest is a dozen
        bound = (3 * abs(np.log(u)) / dim + 24) * eps(dtype) / 2 * np.abs(expected)
        assert (np.abs(drawn[row] - expected) <= bound).all()


# ---------------------------------------------------------------- a pure function of the address

DRAWS = (ol.random.normal, ol.random.uniform, ol.random.ball)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("draw", (ol.random.normal, ol.random.uniform))
def test_shapes_do_not_matter(draw: Any, dtype: Any) -> None:
    whole = draw((70, 5000), 11, dtype=dtype)
    for dim in (1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 64, 66, 4097):
        for runs in (1, 3, 16, 70):
            assert_same_bits(draw((runs, dim), 11, dtype=dtype), np.ascontiguousarray(whole[:runs, :dim]))
            assert_same_bits(
                draw(dim, 11, first_run=runs - 1, dtype=dtype), np.ascontiguousarray(whole[runs - 1, :dim])
            )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("draw", DRAWS)
@pytest.mark.parametrize("shape", (100_003, (1, 100_003), (2000, 33), (3, 20_001)))
def test_threads_do_not_matter(shape: Any, draw: Any, dtype: Any) -> None:
    drawn = []
    for count in (1, 2, 5):
        with ol.threads(count):
            drawn.append(draw(shape, 5, dtype=dtype))
    assert_same_bits(drawn[1], drawn[0])
    assert_same_bits(drawn[2], drawn[0])


@pytest.mark.parametrize("draw", DRAWS)
def test_rows_are_runs(draw: Any) -> None:
    whole = draw((37, 9), 2, step=3, first_run=100)
    for run in (0, 5, 36):
        assert_same_bits(draw((1, 9), 2, step=3, first_run=100 + run), whole[run : run + 1])
    assert_same_bits(ol.random.integers((37, 9), 10, 2)[5], ol.random.integers(9, 10, 2, first_run=5))


def test_the_streams_are_public() -> None:
    names = {
        "NOISE": 0,
        "PERTURBATION": 1,
        "GRADIENT_NOISE": 2,
        "BATCH": 3,
        "INIT": 4,
        "DATA": 5,
        "DROPOUT": 6,
        "NORM_NOISE": 7,
    }
    assert {stream.name: stream.value for stream in ol.random.Stream} == names
    assert_same_bits(ol.random.normal(5, 0, stream=ol.random.Stream.INIT), ol.random.normal(5, 0, stream=4))
    assert_same_bits(ol.random.ball(5, 0), ol.random.ball(5, 0, stream=ol.random.Stream.PERTURBATION))
    assert_same_bits(ol.random.integers(5, 9, 0), ol.random.integers(5, 9, 0, stream=ol.random.Stream.BATCH))


def test_derived_seeds_are_fixed_and_differ() -> None:
    import hashlib

    text = repr((3, "dataset", 1)).encode()
    assert ol.random.derive_seed(3, "dataset", 1) == int.from_bytes(
        hashlib.blake2b(text, digest_size=8).digest(), "little"
    )
    axes = [(0,), (1,), (0, "a"), (0, "b"), (0, "a", 1), (0, "a", "1"), (0, 1), (0, "1")]
    assert len({ol.random.derive_seed(*given) for given in axes}) == len(axes)


# ---------------------------------------------------------------- distributions


@pytest.mark.parametrize("dtype", DTYPES)
def test_uniform_distribution(dtype: Any) -> None:
    u = ol.random.uniform((1000, 1000), 1, dtype=dtype).ravel()
    assert u.min() >= 0 and u.max() < 1
    assert stats.kstest(u, "uniform").pvalue > LEVEL
    grid = 2.0 ** (24 if dtype == np.float32 else 52)
    assert (u * grid == np.floor(u * grid)).all() and np.mean(u * grid % 2) == pytest.approx(0.5, abs=5 * 0.5 / 1000)


@pytest.mark.parametrize("dtype", DTYPES)
def test_normal_distribution(dtype: Any) -> None:
    x = ol.random.normal((1000, 1000), 1, dtype=dtype).astype(np.float64).ravel()
    assert stats.kstest(x, "norm").pvalue > LEVEL
    # the k-th moment of n normals has the variance (m_2k - m_k**2) / n, with the even moments 1, 3, 15, 105, ...
    even = {0: 1, 2: 1, 4: 3, 6: 15, 8: 105, 10: 945, 12: 10395}
    for k in range(1, 7):
        exact = even.get(k, 0)
        assert abs(np.mean(x**k) - exact) < 5 * np.sqrt((even[2 * k] - exact**2) / x.size)


@pytest.mark.parametrize("dtype", DTYPES)
def test_normal_tails_to_five_sigma(dtype: Any) -> None:
    chunk, chunks = 2**19, 100
    levels, above, below = np.arange(1, 6), np.zeros(5, int), np.zeros(5, int)
    for step in range(chunks):
        x = ol.random.normal(chunk, 42, step=step, dtype=dtype)
        above += [np.count_nonzero(x > k) for k in levels]
        below += [np.count_nonzero(x < -k) for k in levels]
    n = chunk * chunks
    assert n >= 5e7
    for counted in (above, below):
        low, high = stats.binom.interval(1 - LEVEL, n, stats.norm.sf(levels))
        assert (low <= counted).all() and (counted <= high).all(), (counted, low, high)


@pytest.mark.parametrize(("dtype", "end"), ((np.float32, 6.6605), (np.float64, 8.5717)))
def test_normals_end_where_stated(dtype: Any, end: float) -> None:
    x = ol.random.normal(2**22, 3, dtype=dtype)
    smallest = 2.0 ** (-32 if dtype == np.float32 else -53)
    assert np.isfinite(x).all() and np.abs(x).max() <= end == pytest.approx(np.sqrt(-2 * np.log(smallest)), abs=1e-3)


N = 2**20
FIRST = {"step": 0, "stream": 0, "first_run": 0, "seed": 8}
NEIGHBOURS = [
    {"step": 1},
    {"step": 2**32},
    {"stream": 1},
    {"stream": 2},
    {"stream": 2**15},
    {"first_run": 1},
    {"first_run": 2**31},
    {"seed": 9},
    {"seed": 8 + 2**32},
]


def correlations(x: np.ndarray, y: np.ndarray) -> list[float]:
    """Of the values, the squares, and each with the other's squares."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    pairs = ((x, y), (x**2, y**2), (x, y**2), (x**2, y))
    return [abs(np.corrcoef(a, b)[0, 1]) for a, b in pairs]


def line(dtype: Any, **address: int) -> np.ndarray:
    at = FIRST | address
    return ol.random.normal(N, at.pop("seed"), dtype=dtype, **at)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("change", NEIGHBOURS, ids=str)
def test_neighbouring_addresses_are_independent(change: dict[str, int], dtype: Any) -> None:
    assert max(correlations(line(dtype), line(dtype, **change))) < FIVE_SIGMA / np.sqrt(N)


@pytest.mark.parametrize("dtype", DTYPES)
def test_elements_are_independent(dtype: Any) -> None:
    x = line(dtype)
    for lag in (1, 2, 3, 4, 5, 8, 16, 32, 64, 4096):
        assert max(correlations(x[:-lag], x[lag:])) < FIVE_SIGMA / np.sqrt(N - lag)


def test_pairs_of_uniforms_fill_the_square() -> None:
    u = ol.random.uniform(2 * N, 6).reshape(N, 2)
    counts, *_ = np.histogram2d(u[:, 0], u[:, 1], bins=32, range=((0, 1), (0, 1)))
    assert stats.chisquare(counts.ravel()).pvalue > LEVEL


def test_no_number_comes_twice_in_float64() -> None:
    drawn = [ol.random.uniform((4, 5000), 1, step=step, stream=stream) for step in (0, 1, 2**32) for stream in (0, 1)]
    everything = np.concatenate(drawn, axis=None)
    assert np.unique(everything).size == everything.size  # 52 bits: the chance of a single repetition is 2e-6


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("dim", (1, 2, 3, 10, 64))
def test_balls_are_uniform(dim: int, dtype: Any) -> None:
    runs, radius = 40_000, 1.5
    x = ol.random.ball((runs, dim), 4, radius=radius, dtype=dtype).astype(np.float64)
    length = np.linalg.norm(x, axis=1)
    assert length.max() <= radius * (1 + 32 * eps(dtype))  # some twenty roundings, see test_ball_addressing
    assert stats.kstest((length / radius) ** dim, "uniform").pvalue > LEVEL
    direction = x / length[:, None]
    # coordinates of a uniform direction: mean 0 and variance 1/dim, and (1 + c)/2 is Beta((dim - 1)/2, (dim - 1)/2)
    assert np.abs(direction.mean(0)).max() < 5 / np.sqrt(dim * runs)
    assert np.abs(direction.T @ direction / runs - np.eye(dim) / dim).max() < 5 * np.sqrt(3 / (dim * (dim + 2) * runs))
    if dim > 1:
        beta = stats.beta((dim - 1) / 2, (dim - 1) / 2)
        assert stats.kstest((1 + direction[:, -1]) / 2, beta.cdf).pvalue > LEVEL
    assert abs(np.corrcoef(length, direction[:, 0])[0, 1]) < FIVE_SIGMA / np.sqrt(runs)


@pytest.mark.parametrize("high", (2, 3, 10, 1000))
def test_integers_are_uniform(high: int) -> None:
    drawn = ol.random.integers((100, 10_000), high, 5).ravel()
    assert drawn.min() >= 0 and drawn.max() < high
    assert stats.chisquare(np.bincount(drawn, minlength=high)).pvalue > LEVEL
    assert (ol.random.integers(100, 1, 5) == 0).all()
