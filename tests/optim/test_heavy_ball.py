"""Polyak's heavy ball against its twin in his own form, and against SGD with momentum."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reference.compare import assert_same_bits, assert_within, eps
from reference.optimizers import heavy_ball
from reference.stepping import HEAVY_BALL_CASES, ROUNDINGS, SIZES, assert_follows, compare, data, stepped

import optlab as ol

DTYPES = (np.float32, np.float64)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", SIZES)
def test_follows_its_twin(size: int, dtype: Any) -> None:
    compare(ol.HeavyBall, HEAVY_BALL_CASES, heavy_ball, heavy_ball, dtype, size)


@pytest.mark.parametrize("dtype", DTYPES)
def test_memory_may_start_anywhere(dtype: Any) -> None:
    opt = ol.HeavyBall(**HEAVY_BALL_CASES["climb"])
    for size in SIZES:
        x, (grad, *_) = data(size, dtype)
        memory = {name: np.ones(size + 1, dtype)[1:] for name in ("x", "grad", "delta")}
        memory["x"][:], memory["grad"][:] = x, grad
        opt.step(memory["x"], memory["grad"], {"delta": memory["delta"], "step": np.array(0)})
        opt.step(x, grad, {"delta": np.ones(size, dtype), "step": np.array(0)})
        assert_same_bits(memory["x"], x)


@pytest.mark.parametrize("dtype", DTYPES)
def test_threads_change_nothing(dtype: Any) -> None:
    x, grads = data(200_003, dtype, 2)
    opt, paths = ol.HeavyBall(**HEAVY_BALL_CASES["decay"]), []
    for count in (1, 2, 5):
        with ol.threads(count):
            paths.append(stepped(opt, x, grads, (1.0, 0.5))[-1])
    assert_same_bits(paths[1], paths[0])
    assert_same_bits(paths[2], paths[0])


@pytest.mark.parametrize("dtype", DTYPES)
def test_hyperparameters_per_run(dtype: Any) -> None:
    given = {"lr": [0.0, 0.1, 0.2], "momentum": [0.9, 0.0, 0.5], "weight_decay": [0.1, 0.0, 1.0]}
    x, grads = data((3, 17), dtype)
    columns = {name: np.array(values)[:, None] for name, values in given.items()}
    assert_follows(stepped(ol.HeavyBall(**given), x, grads), heavy_ball, heavy_ball, x, grads, columns)


def test_constant_lr_makes_the_path_of_sgd_and_a_schedule_does_not() -> None:
    x, grads = data(33, np.float64)
    ball, momentum = ol.HeavyBall(lr=0.1, momentum=0.9), ol.SGD(lr=0.1, momentum=0.9)
    ones = [1.0] * len(grads)
    wide = heavy_ball(np.abs(x), [np.abs(g) for g in grads], ones, lr=0.1, momentum=0.9, minus=1.0)
    for t, (a, b) in enumerate(zip(stepped(ball, x, grads, ones), stepped(momentum, x, grads, ones), strict=True)):
        assert_within(a, b, ROUNDINGS * t * eps(np.float64) * wide[t])
    assert np.abs(stepped(ball, x, grads)[-1] - stepped(momentum, x, grads)[-1]).max() > 1e-3


def test_saved_state_continues_to_the_bit(tmp_path: Path) -> None:
    opt, (x, grads) = ol.HeavyBall(**HEAVY_BALL_CASES["decay"]), data(33, np.float32)
    state, points = opt.init(x), [x.copy()]
    for grad in grads:
        np.savez(tmp_path / "state.npz", x=points[-1], **state)
        with np.load(tmp_path / "state.npz", allow_pickle=False) as saved:
            state = dict(saved)
        point = state.pop("x")
        pickle.loads(pickle.dumps(opt)).step(point, grad, state)
        points.append(point)
    assert_same_bits(points[-1], stepped(opt, x, grads, [1.0] * len(grads))[-1])


def test_state_is_named() -> None:
    state = ol.HeavyBall(lr=0.1).init(np.ones(3))
    assert set(state) == {"delta", "step", "format"} and ol.HeavyBall(lr=[0.1, 0.2]) == ol.HeavyBall(lr=(0.1, 0.2))
