"""Which samples a step sees: with replacement, shuffled or in order, against loops and a twin in Python."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from reference import philox as twin
from reference.compare import assert_same_bits
from scipy import stats

import optlab as ol

DTYPES = (np.float32, np.float64)
SAMPLINGS = ("replacement", "shuffle", "order")
SAMPLES, DIM, RUNS, STEPS = 23, 9, 11, 12
SIZES = (1, 3, SAMPLES, 50)  # 3 does not divide 23, and 50 reaches over two ends of epochs at once
LEVEL = 1e-6  # of each statistical test; the seeds are fixed, so a test that passes passes always


@pytest.fixture(scope="module")
def f() -> ol.landscapes.LeastSquares:
    rng = np.random.default_rng(8)
    return ol.landscapes.LeastSquares(rng.normal(size=(SAMPLES, DIM)), rng.normal(size=SAMPLES))


def starts(dtype: Any, runs: int = RUNS) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(runs, DIM)).astype(dtype)


def batches(sampling: str, step: int, size: int, runs: int, seed: int, first_run: int) -> np.ndarray:
    """The samples ``(runs, size)`` that a step sees."""
    if sampling == "replacement":
        return ol.random.integers((runs, size), SAMPLES, seed, step=step, first_run=first_run)
    seen = []
    for place in range(step * size, step * size + size):
        epoch, at = divmod(place, SAMPLES)
        orders = np.tile(np.arange(SAMPLES), (runs, 1))
        if sampling == "shuffle":
            orders = ol.random.permutation((runs, SAMPLES), seed, step=epoch, first_run=first_run)
        seen.append(orders[:, at])
    return np.stack(seen, axis=1)


def loop(
    f: Any, opt: Any, x0: np.ndarray, sampling: str, size: int, seed: int, first_step: int = 0, first_run: int = 0
) -> np.ndarray:
    """The points ``(STEPS + 1, runs, DIM)``."""
    x, state, path = x0.copy(), opt.init(x0, runs_axis=True), [x0.copy()]
    for t in range(first_step, first_step + STEPS):
        seen = batches(sampling, t, size, len(x), seed, first_run)
        opt.step(x, np.stack([f.grad(row, batch=batch) for row, batch in zip(x, seen, strict=True)]), state)
        path.append(x.copy())
    return np.array(path)


# ---------------------------------------------------------------- whole studies


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("first_step", (0, 2 * SAMPLES - 5))  # the second begins before an epoch's end with every size
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_equals_the_loop(f: Any, sampling: str, size: int, first_step: int, dtype: Any) -> None:
    opt, x0 = ol.SGD(lr=0.05, momentum=0.5), starts(dtype)
    options = {"seed": 5, "first_step": first_step, "first_run": 100}
    path = ol.descend(f, opt, x0, STEPS, batch_size=size, sampling=sampling, record=1, **options)
    assert_same_bits(path.x, loop(f, opt, x0, sampling, size, **options))


def test_the_default_is_with_replacement(f: Any) -> None:
    x0 = starts(np.float64)
    path = ol.descend(f, ol.SGD(lr=0.05), x0, STEPS, batch_size=3, record=1, seed=2)
    assert_same_bits(path.x, loop(f, ol.SGD(lr=0.05), x0, "replacement", 3, 2))


def test_the_samplings_differ(f: Any) -> None:
    paths = [
        ol.descend(f, ol.SGD(lr=0.05), starts(np.float64), STEPS, batch_size=3, sampling=name).last
        for name in SAMPLINGS
    ]
    for a, b in itertools.combinations(paths, 2):
        assert (a != b).all(axis=1).all()


def test_in_order_the_seed_does_not_matter(f: Any) -> None:
    x0 = starts(np.float64)
    one, two = (ol.descend(f, ol.SGD(lr=0.05), x0, 30, batch_size=2, sampling="order", seed=seed) for seed in (1, 2))
    assert_same_bits(one.last, two.last)


def test_an_epoch_in_order_is_a_sweep(f: Any) -> None:
    """The smallest example, by hand: Kaczmarz's sweep over the rows."""
    x = np.zeros(DIM)
    for row, target in zip(f.A, f.b, strict=True):
        x = x - 0.05 * row * (row @ x - target)
    path = ol.descend(f, ol.SGD(lr=0.05), np.zeros(DIM), SAMPLES, batch_size=1, sampling="order")
    # every one of SAMPLES steps rounds a product of DIM terms; the constant is generous, an order would show at once
    np.testing.assert_allclose(path.last[0], x, rtol=0, atol=100 * SAMPLES * np.finfo(np.float64).eps)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_continues_to_the_bit(f: Any, sampling: str, size: int, dtype: Any) -> None:
    opt, options = ol.SGD(lr=0.05, momentum=0.5), {"batch_size": size, "sampling": sampling, "seed": 3}
    whole = ol.descend(f, opt, starts(dtype), 40, **options)
    first = ol.descend(f, opt, starts(dtype), 9, **options)
    second = ol.descend(f, opt, first.last, 31, state=first.state, first_step=first.last_step, **options)
    assert_same_bits(second.last, whole.last)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_one_run_of_many_alone(f: Any, sampling: str, dtype: Any) -> None:
    options = {"batch_size": 3, "sampling": sampling, "seed": 3}
    whole = ol.descend(f, ol.SGD(lr=0.05), starts(dtype), 40, first_run=7, **options)
    for run in (0, 4, RUNS - 1):
        alone = ol.descend(f, ol.SGD(lr=0.05), starts(dtype)[run], 40, first_run=7 + run, **options)
        assert_same_bits(alone.last[0], whole.last[run])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_threads_do_not_matter(f: Any, sampling: str, dtype: Any) -> None:
    x0 = starts(dtype, runs=131)
    options = {"batch_size": 3, "sampling": sampling, "seed": 3, "record": 7}
    alone, *others = (ol.descend(f, ol.SGD(lr=0.05), x0, 60, threads=count, **options) for count in (1, 2, 5))
    for other in others:
        assert_same_bits(other.x, alone.x)


@pytest.mark.parametrize("given", ("Shuffle", "", "with replacement", None, 1, ["order"]))
def test_other_samplings_are_refused(f: Any, given: Any) -> None:
    with pytest.raises(ValueError, match=r"^sampling: got .*, expected one of 'replacement', 'shuffle', 'order'$"):
        ol.descend(f, ol.SGD(lr=0.05), starts(np.float64), 1, batch_size=1, sampling=given)


# ---------------------------------------------------------------- permutations

ADDRESSES = (  # seed, stream, step, run
    (0, 3, 0, 0),
    (2**64 - 1, 5, 1, 3),
    (12345, 1, 2**32 - 1, 2**32 - 1),
    (7, 2**16 - 1, 2**32, 0),
    (2**32, 3, 2**48 - 1, 77),
)


def shuffled(count: int, seed: int, stream: int, step: int, run: int) -> list[int]:
    """Fisher and Yates: from the last place down, each is swapped with one that is not behind it."""
    order, words = list(range(count)), twin.words(count, np.float32, seed, stream, step, run)
    for last, word in zip(range(count - 1, 0, -1), words, strict=False):
        other = word * (last + 1) >> 32
        order[last], order[other] = order[other], order[last]
    return order


@pytest.mark.parametrize("count", (1, 2, 3, 4, 5, 6, 41))
@pytest.mark.parametrize(("seed", "stream", "step", "run"), ADDRESSES)
def test_permutations_equal_the_twin(seed: int, stream: int, step: int, run: int, count: int) -> None:
    drawn = ol.random.permutation(count, seed, stream=stream, step=step, first_run=run)
    assert drawn.dtype == np.int64 and drawn.tolist() == shuffled(count, seed, stream, step, run)


def test_the_default_stream_is_that_of_batches() -> None:
    assert_same_bits(ol.random.permutation(50, 1), ol.random.permutation(50, 1, stream=ol.random.Stream.BATCH))


@pytest.mark.parametrize("count", (1, 2, 7, 100, 4099))
def test_permutations_hold_every_number_once(count: int) -> None:
    drawn = ol.random.permutation((20, count), 3, step=4)
    assert (np.sort(drawn, axis=1) == np.arange(count)).all()


def test_rows_are_runs() -> None:
    whole = ol.random.permutation((37, 29), 2, step=3, first_run=100)
    assert len({tuple(row) for row in whole.tolist()}) == 37
    for run in (0, 5, 36):
        assert_same_bits(ol.random.permutation((1, 29), 2, step=3, first_run=100 + run)[0], whole[run])
        assert_same_bits(ol.random.permutation(29, 2, step=3, first_run=100 + run), whole[run])


@pytest.mark.parametrize(
    "change", ({"step": 1}, {"step": 2**32}, {"first_run": 1}, {"stream": 4}, {"seed": 9}), ids=str
)
def test_every_part_of_the_address_counts(change: dict[str, int]) -> None:
    at = {"seed": 8, "stream": 3, "step": 0, "first_run": 0}
    assert (ol.random.permutation(1000, **at) != ol.random.permutation(1000, **{**at, **change})).mean() > 0.9


def cells(drawn: np.ndarray) -> np.ndarray:
    """How often each order of a few numbers came."""
    orders = list(itertools.permutations(range(drawn.shape[1])))
    places = {order: place for place, order in enumerate(orders)}
    return np.bincount([places[tuple(row)] for row in drawn.tolist()], minlength=len(orders))


@pytest.mark.parametrize("count", (2, 3, 4, 5))
def test_every_order_is_as_likely_over_runs(count: int) -> None:
    assert stats.chisquare(cells(ol.random.permutation((50_000, count), 6))).pvalue > LEVEL


def test_every_order_is_as_likely_over_epochs() -> None:
    drawn = np.array([ol.random.permutation(4, 6, step=epoch) for epoch in range(20_000)])
    assert stats.chisquare(cells(drawn)).pvalue > LEVEL


def test_every_place_is_as_likely() -> None:
    drawn = ol.random.permutation((20_000, 50), 7)
    counts = np.array([np.bincount(column, minlength=50) for column in drawn.T])
    # 49 * 49 cells are free, since rows and columns add up to 20 000; along each of these directions a permutation
    # scatters by 1/49, not by the 1/50 of independent cells
    assert stats.chi2.sf(np.sum((counts - 400) ** 2) / 400 * 49 / 50, 49**2) > LEVEL


@pytest.mark.parametrize("later", ({"step": 1}, {"first_run": 50_000}), ids=str)
def test_neighbours_are_independent(later: dict[str, int]) -> None:
    pairs = np.hstack([ol.random.permutation((50_000, 3), 8), 3 + ol.random.permutation((50_000, 3), 8, **later)])
    table = [cells(pairs[(pairs[:, :3] == order).all(axis=1)][:, 3:] - 3) for order in itertools.permutations(range(3))]
    assert stats.chisquare(np.ravel(table)).pvalue > LEVEL


@pytest.mark.parametrize(
    ("shape", "given", "error"),
    (
        (0, {}, ValueError),
        ((3, 0), {}, ValueError),
        ((1, 2, 3), {}, ValueError),
        (2.5, {}, TypeError),
        (3, {"seed": -1}, ValueError),
        (3, {"seed": 2**64}, ValueError),
        (3, {"step": -1}, ValueError),
        (3, {"step": 2**48}, ValueError),
        (3, {"stream": 2**16}, ValueError),
        ((2, 3), {"first_run": 2**32 - 1}, ValueError),
    ),
)
def test_bad_addresses_are_refused(shape: Any, given: dict[str, int], error: type[Exception]) -> None:
    with pytest.raises(error, match=f"^{next(iter(given), 'shape')}: got"):
        ol.random.permutation(shape, **{"seed": 0, **given})
