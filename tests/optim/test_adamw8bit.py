"""AdamW with its state in bytes: the code against a table search, the step against its twin, and float32 state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reference.compare import assert_same_bits

import optlab as ol
from optlab.kernels.select import cpu
from optlab.optim.rule import unpacked

BLOCK = 256
NAMES = ("exp_avg", "exp_avg_sq")
# The numbers that codes stand for, from the docstring: three bits of mantissa, and 0 for the signed average alone.
GRID = {
    "exp_avg": np.array([0.0, *[(1 + j / 8) * 2.0**e for e in range(-16, 0) for j in range(8)][2:], 1.0]),
    "exp_avg_sq": np.array([*[(1 + j / 8) * 2.0**e for e in range(-32, 0) for j in range(8)][1:], 1.0]),
}


def mixed(word: Any) -> Any:
    """One round of a multiply-xorshift hash of 32 bits."""
    word = (word ^ (word >> 16)) * 0x7FEB352D % 2**32
    return word ^ (word >> 15)


def dithers(elements: np.ndarray, step: int, run: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """The two dithers in (0, 1), 20 bits each, never 0."""
    word = mixed((elements * 0x9E3779B9 + run * 0x85EBCA6B + mixed(step)) % 2**32)
    return ((word >> 12) | 1) / 2**20, (word % 2**20 | 1) / 2**20


def searched(values: np.ndarray, name: str, dither: np.ndarray) -> np.ndarray:
    """One block rounded to its grid by a table search: up where fraction and dither make a whole."""
    scale = np.abs(values).max()
    if scale == 0:
        return values
    inverse, grid = np.float32(1) / scale, GRID[name]
    y = np.minimum(np.abs(values * inverse), np.float32(1)).astype(np.float64)
    low = np.clip(np.searchsorted(grid, y, side="right") - 1, 0, len(grid) - 2)
    least = (low == 0) & (name == "exp_avg")  # between 0 and the least number, whose distance no dither crosses
    gap = np.where(least, 2 * grid[1], np.diff(grid)[low])
    fraction = np.clip((y - grid[low]) / gap, 0, 1)
    up = np.floor(fraction * 2**20) / 2**20 + dither >= 1
    if name == "exp_avg":
        up = np.where(low == 0, y * (1 + dither / 8) >= grid[1], up) & (y >= grid[1] / 2)
    return (np.sign(values) * grid[low + up]).astype(np.float32) * scale


def twin_step(x: np.ndarray, g: np.ndarray, m: np.ndarray, v: np.ndarray, t: int, lr: float, decay: float) -> Any:
    """One step on the numbers that the bytes stand for, in float64 up to the rounding to bytes."""
    m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
    x = (1 - lr * decay) * x - lr * m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    return x, m, v


def data(n: int, steps: int) -> tuple[np.ndarray, list[np.ndarray]]:
    rng = np.random.default_rng(n)
    sizes = np.exp(3 * rng.normal(size=n))
    grads = [(sizes * rng.normal(size=n)).astype(np.float32) for _ in range(steps)]
    return rng.normal(size=n).astype(np.float32), grads


def numbers(opt: ol.AdamW8bit, state: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What the bytes of a flat state stand for."""
    rows = {name: array[None] for name, array in state.items() if name.startswith("exp_avg")}
    return {name: values[0] for name, values in unpacked(opt, {**rows, "format": state["format"]}).items()}


@pytest.mark.parametrize("name", NAMES)
def test_every_code_is_a_number_of_the_grid(name: str) -> None:
    codes = tuple(np.arange(BLOCK, dtype=np.uint8) for _ in NAMES)
    out = tuple(np.empty(BLOCK, np.float32) for _ in NAMES)
    cpu.decode_states(out, codes, (np.ones(1, np.float32), np.ones(1, np.float32)), False)
    got = out[NAMES.index(name)].astype(np.float64)
    if name == "exp_avg":
        assert_same_bits(got[:128], GRID[name])
        assert_same_bits(got[128:], -GRID[name])
    else:
        assert_same_bits(got, GRID[name])


@pytest.mark.parametrize("n", (1, 7, 15, 16, 17, 255, 256, 257, 600, 5000))
def test_a_step_is_adamw_rounded_by_a_table_search(n: int) -> None:
    opt, (x, grads) = ol.AdamW8bit(lr=0.01, weight_decay=0.1), data(n, 5)
    state = opt.init(x)
    for t, g in enumerate(grads, start=1):
        before, old = x.astype(np.float64), {k: a.astype(np.float64) for k, a in numbers(opt, state).items()}
        opt.step(x, g, state)
        exact, m, v = twin_step(before, g.astype(np.float64), old["exp_avg"], old["exp_avg_sq"], t, 0.01, 0.1)
        # Some 14 roundings between the old numbers and x, of terms that are |x| and the move at most.
        assert (np.abs(x - exact) <= 8 * 1.2e-7 * (np.abs(before) + np.abs(exact - before))).all()
        for name, value, dither in zip(NAMES, (m, v), dithers(np.arange(n), t - 1), strict=True):
            got, at = numbers(opt, state)[name], range(0, n, BLOCK)
            wanted = np.concatenate(
                [searched(value[b : b + BLOCK].astype(np.float32), name, dither[b : b + BLOCK]) for b in at]
            )
            # The kernel's average differs by a few roundings, which moves one in many thousands over an edge.
            differs = np.abs(got - wanted) > 1e-6 * np.abs(wanted)
            assert differs.mean() <= 2e-3 + 1.5 / n
            assert np.abs(got - value)[~differs].max(initial=0) <= np.abs(value).max() / 8


def test_zero_stays_zero_and_small_ones_divide_safely() -> None:
    opt, x = ol.AdamW8bit(lr=0.1, weight_decay=0.0), np.ones(BLOCK, np.float32)
    state, g = opt.init(x), np.zeros(BLOCK, np.float32)
    g[0], g[1] = 1.0, 1e-12  # far below the code's range
    for _ in range(50):
        opt.step(x, g, state)
    assert x[0] < 0.0 and (x[2:] == 1.0).all()
    assert np.isfinite(x).all() and 0 <= 1 - x[1] <= 50 * 0.1


def test_the_dither_lets_a_slow_average_move() -> None:
    """v falls by 0.1 % a step where codes are 6 to 12 % apart: nearest rounding would hold it for ever."""
    opt, x = ol.AdamW8bit(lr=0.0), np.ones(4 * BLOCK, np.float32)
    state, g = opt.init(x), np.ones(4 * BLOCK, np.float32)
    steady = np.zeros_like(g)
    g[::BLOCK], steady[::BLOCK] = 2.0, 2.0  # keeps each block's scale up
    for _ in range(30):
        opt.step(x, g, state)
    first = numbers(opt, state)["exp_avg_sq"].copy()
    for _ in range(700):
        opt.step(x, steady, state)
    rest = np.arange(len(x)) % BLOCK != 0
    shrunk = numbers(opt, state)["exp_avg_sq"][rest].mean() / first[rest].mean()
    # Some 40 codes are passed on the way down, each rounding right in the mean and off by 6 % at most: over 1020
    # elements a standard error near 1 %.
    assert abs(shrunk / 0.999**700 - 1) < 0.05


@pytest.mark.parametrize(("runs", "dim"), ((40, 4), (3, 600), (1, 1000), (20, 300)))
def test_a_study_equals_the_step_loop(runs: int, dim: int) -> None:
    f, opt = ol.landscapes.Rosenbrock(dim), ol.AdamW8bit(lr=0.01, clip_norm=5.0)
    x = np.random.default_rng(7).normal(size=(runs, dim)).astype(np.float32)
    path = ol.descend(f, opt, x, 25)
    half = ol.descend(f, opt, ol.descend(f, opt, x, 10).last, 15, state=ol.descend(f, opt, x, 10).state, first_step=10)
    state = opt.init(x, runs_axis=True)
    for _ in range(25):
        opt.step(x, f.grad(x), state)
    assert_same_bits(path.last, x)
    assert_same_bits(half.last, x)
    for name, array in state.items():
        np.testing.assert_array_equal(path.state[name], array)


def test_lists_threads_and_saved_states_change_nothing(tmp_path: Path) -> None:
    sizes, (x, grads) = (300, 70_000, 5), data(70_305, 3)
    cuts = np.cumsum(sizes)[:-1]
    layout = [ol.Segment(str(k), int(sum(sizes[:k])), (n,)) for k, n in enumerate(sizes)]
    opt, pieces = ol.AdamW8bit(lr=0.1), [part.copy() for part in np.split(x, cuts)]
    state, several = opt.init(x, layout), opt.init(pieces)
    for g in grads:
        with ol.threads(1):
            opt.step(x, g, state)
        np.savez(tmp_path / "state.npz", **several)
        with np.load(tmp_path / "state.npz", allow_pickle=False) as saved:
            several = dict(saved)
        with ol.threads(5):
            opt.step(pieces, [part.copy() for part in np.split(g, cuts)], several)
    assert_same_bits(np.concatenate(pieces), x)
    for name in (*NAMES, "exp_avg_scale", "exp_avg_sq_scale"):
        assert_same_bits(several[name], state[name])


def test_training_follows_float32_state() -> None:
    """Logistic regression with 2000 weights: the loss of both runs falls alike."""
    rng = np.random.default_rng(11)
    A, truth = rng.normal(size=(500, 2000)).astype(np.float32), rng.normal(size=2000).astype(np.float32)
    sign = np.sign(A @ truth)
    losses = {}
    for kind in (ol.AdamW, ol.AdamW8bit):
        opt, x = kind(lr=3e-3), np.zeros(2000, np.float32)
        state, curve = opt.init(x), []
        for _ in range(200):
            margin = sign * (A @ x)
            curve.append(np.log1p(np.exp(-margin)).mean())
            opt.step(x, np.ascontiguousarray(A.T @ (-sign / (1 + np.exp(margin))) / 500), state)
        losses[kind] = np.array(curve)
    ratio = losses[ol.AdamW8bit][1:] / losses[ol.AdamW][1:]
    assert losses[ol.AdamW][-1] < 0.05 and np.abs(np.log(ratio)).max() < 0.25


def test_wrong_input_is_refused() -> None:
    with pytest.raises(TypeError, match="x: got dtype float64, expected float32"):
        ol.AdamW8bit().init(np.ones(3))
    with pytest.raises(ValueError, match="amsgrad: got True"):
        ol.AdamW8bit(amsgrad=True)
    x = np.ones(300, np.float32)
    with pytest.raises(ValueError, match="got the state of 'adam', expected that of 'adam_8bit'"):
        ol.AdamW8bit().step(x, x.copy(), ol.AdamW().init(x))
    memory = np.ones(302, np.float32)
    state = ol.AdamW8bit().init(x) | {"exp_avg_scale": memory[299:301]}
    with pytest.raises(ValueError, match="x and exp_avg_scale: got overlapping memory"):
        ol.AdamW8bit().step(memory[:300], x, state)
    assert (memory == 1).all()
    state = ol.AdamW8bit().init(x)
    state["exp_avg_scale"] = np.zeros(1, np.float32)
    with pytest.raises(ValueError, match=r"exp_avg_scale: got shape \(1,\), expected \(2,\)"):
        ol.AdamW8bit().step(x, x.copy(), state)
