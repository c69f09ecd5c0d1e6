"""Gradient descent with momentum against its twin, PyTorch, and itself in other shapes, threads and memory."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reference.compare import assert_same_bits, assert_within, eps
from reference.optimizers import sgd
from reference.stepping import ROUNDINGS, SGD_CASES, SIZES, assert_follows, compare, data, stepped

import optlab as ol

DTYPES = (np.float32, np.float64)
LARGE = 200_003  # more than threads share, and no multiple of their parts


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", SIZES)
def test_follows_its_twin(size: int, dtype: Any) -> None:
    compare(ol.SGD, SGD_CASES, sgd, sgd, dtype, size)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", SGD_CASES)
def test_memory_may_start_anywhere(case: str, dtype: Any) -> None:
    opt = ol.SGD(**SGD_CASES[case])
    for size in SIZES:
        x, grads = data(size, dtype)
        aligned = stepped(opt, x, grads)
        shifted = np.zeros(size + 1, dtype)[1:]
        shifted[:] = x
        state = {name: np.zeros(size + 1, dtype)[1:] for name in opt.state_names()} | {"step": np.zeros((), np.int64)}
        for grad, factor, expected in zip(grads, (1.0, 0.5, 2.0, 0.0, 1.0, 0.25), aligned[1:], strict=True):
            behind = np.zeros(size + 1, dtype)[1:]
            behind[:] = grad
            opt.step(shifted, behind, state, lr=opt.lr * factor)
            assert_same_bits(shifted, expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", SGD_CASES)
def test_threads_change_nothing(case: str, dtype: Any) -> None:
    x, grads = data(LARGE, dtype, 2)
    paths = []
    for count in (1, 2, 5):
        with ol.threads(count):
            paths.append(stepped(ol.SGD(**SGD_CASES[case]), x, grads, (1.0, 0.5))[-1])
    for path in paths[1:]:
        assert_same_bits(path, paths[0])
    few = stepped(ol.SGD(**SGD_CASES[case]), x[-7:].copy(), [g[-7:].copy() for g in grads], (1.0, 0.5))[-1]
    assert_same_bits(paths[0][-7:].copy(), few)  # every element alone


@pytest.mark.parametrize("dtype", DTYPES)
def test_hyperparameters_per_run(dtype: Any) -> None:
    runs = 5
    given = {
        "lr": np.linspace(0, 0.2, runs),
        "momentum": np.linspace(0.1, 0.9, runs),
        "dampening": np.linspace(0, 1, runs),
        "weight_decay": np.linspace(0, 0.3, runs),
    }
    x, grads = data((runs, 33), dtype)
    sweep = stepped(ol.SGD(**given), x, grads)
    assert_follows(sweep, sgd, sgd, x, grads, {name: values[:, None] for name, values in given.items()})
    for run in range(runs):
        alone = ol.SGD(**{name: float(values[run]) for name, values in given.items()})
        path = stepped(alone, x[run].copy(), [g[run].copy() for g in grads])
        for all_runs, one in zip(sweep, path, strict=True):
            assert_same_bits(all_runs[run], one)


def test_a_large_sweep_in_threads() -> None:
    x, grads = data((3, LARGE), np.float32, 1)
    opt, rates = ol.SGD(lr=1.0, momentum=0.5), np.array([0.1, 0.2, 0.3])
    got = []
    for count in (1, 5):
        with ol.threads(count):
            point = x.copy()
            opt.step(point, grads[0], opt.init(point), lr=rates)
            got.append(point)
    assert_same_bits(got[0], got[1])
    assert_same_bits(got[0], x - rates.astype(np.float32)[:, None] * grads[0])


def test_lr_override_lasts_one_step() -> None:
    opt, (x, (g, *_)) = ol.SGD(lr=0.5), data(9, np.float64)
    once, state = x.copy(), opt.init(x)
    opt.step(once, g, state, lr=0.25)
    assert_same_bits(once, x - 0.25 * g)
    opt.step(once, g, state)
    assert_same_bits(once, x - 0.25 * g - 0.5 * g)


@pytest.mark.parametrize("case", SGD_CASES)
def test_saved_state_continues_to_the_bit(case: str, tmp_path: Path) -> None:
    opt, (x, grads) = ol.SGD(**SGD_CASES[case]), data(33, np.float32)
    whole, state = x.copy(), opt.init(x)
    for grad in grads:
        opt.step(whole, grad, state)
    part, kept = x.copy(), opt.init(x)
    for grad in grads[:2]:
        opt.step(part, grad, kept)
    np.savez(tmp_path / "state.npz", x=part, **kept)
    with np.load(tmp_path / "state.npz", allow_pickle=False) as saved:
        loaded = dict(saved)
    part, opt = loaded.pop("x"), pickle.loads(pickle.dumps(opt))
    for grad in grads[2:]:
        opt.step(part, grad, loaded)
    assert_same_bits(part, whole)
    for name in state:
        assert_same_bits(loaded[name], state[name])


def test_optimizers_pickle_and_compare() -> None:
    for given in SGD_CASES.values():
        opt = ol.SGD(**given)
        assert pickle.loads(pickle.dumps(opt)) == opt and hash(opt) == hash(ol.SGD(**given))
    sweep = ol.SGD(lr=np.array([0.1, 0.2]))
    assert sweep == ol.SGD(lr=[0.1, 0.2]) and sweep != ol.SGD(lr=0.1)
    with pytest.raises(AttributeError):
        sweep.lr = 1.0  # type: ignore[misc]


def test_state_is_named_and_the_callers() -> None:
    x = np.ones((2, 3), np.float32)
    assert set(ol.SGD(lr=0.1).init(x)) == {"step", "format"}
    state = ol.SGD(lr=0.1, momentum=0.9).init(x)
    assert set(state) == {"momentum_buffer", "step", "format"} and state["momentum_buffer"].dtype == np.float32
    assert state["step"].shape == () and state["step"].dtype == np.int64 and not state["momentum_buffer"].any()


def test_flushing_of_subnormals_changes_nothing() -> None:
    torch = pytest.importorskip("torch")
    x = (np.linspace(-1, 1, 21) * 3e-38).astype(np.float32)
    for lr in (0.9, 1e-40):  # the points, or the learning rate, become subnormal
        expected, flushed = x.copy(), x.copy()
        grad = (x.astype(np.float64) * (0.9 / lr)).astype(np.float32) if lr < 1e-30 else x
        ol.SGD(lr=lr).step(expected, grad, ol.SGD(lr=lr).init(x))
        assert not np.array_equal(expected, x)
        assert torch.set_flush_denormal(True)
        try:
            ol.SGD(lr=lr).step(flushed, grad, ol.SGD(lr=lr).init(x))
        finally:
            torch.set_flush_denormal(False)
        assert_same_bits(flushed, expected)


def random_case(rng: np.random.Generator) -> dict[str, Any]:
    """Hyperparameters that PyTorch accepts as well."""
    nesterov = bool(rng.random() < 0.3)
    momentum = float(rng.uniform(0.1, 0.99)) if nesterov or rng.random() < 0.6 else 0.0
    return {
        "lr": float(10 ** rng.uniform(-4, 0)),
        "momentum": momentum,
        "dampening": 0.0 if nesterov or rng.random() < 0.5 else float(rng.random()),
        "weight_decay": float(rng.choice([0.0, rng.random()])),
        "nesterov": nesterov,
        "maximize": bool(rng.random() < 0.3),
    }


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(40))
def test_agrees_with_pytorch(seed: int, dtype: Any) -> None:
    torch = pytest.importorskip("torch")
    given = random_case(np.random.default_rng(seed))
    x, grads = data(19, dtype)
    point = torch.from_numpy(x.copy()).requires_grad_()
    peer = torch.optim.SGD([point], **given, foreach=False)
    ours = stepped(ol.SGD(**given), x, grads, [1.0] * len(grads))
    wide = np.abs(x).astype(np.float64), [np.abs(g).astype(np.float64) for g in grads]
    major = sgd(*wide, [1.0] * len(grads), minus=1.0, **given)
    for t, grad in enumerate(grads, start=1):
        point.grad = torch.from_numpy(grad.copy())
        peer.step()
        # both round as the twin does, so the bound of one against the other is the one against the twin
        assert_within(ours[t], point.detach().numpy(), ROUNDINGS * t * eps(dtype) * major[t])
