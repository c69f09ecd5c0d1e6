"""The same bits wherever memory starts, however many threads share it, and whether a run is alone or one of many."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cases.optimizers import OPTIMIZERS, OWN, examples
from reference.compare import assert_same_bits
from reference.stepping import SIZES, Array, data, rate, stepped

import optlab as ol
from optlab.optim.rule import state_names

DTYPES = (np.float32, np.float64)
LARGE = 40_003  # more than one thread takes alone, and no multiple of the parts they share
EXAMPLES = examples()


def shifted(array: Array) -> Array:
    """A copy that begins one element after the allocation."""
    copy = np.empty(array.size + 1, array.dtype)[1:].reshape(array.shape)
    copy[...] = array
    return copy


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", EXAMPLES)
def test_memory_may_start_anywhere(name: str, dtype: Any) -> None:
    opt = EXAMPLES[name]
    for size in SIZES:
        x, grads = data(size, dtype, 2)
        aligned, state = x.copy(), opt.init(x)
        behind, its = shifted(x), {**opt.init(x), **{n: shifted(state[n]) for n in state_names(opt)}}
        for grad in grads:
            opt.step(aligned, grad, state)
            opt.step(behind, shifted(grad), its)
        assert_same_bits(behind, aligned)
        for array in state_names(opt):
            assert_same_bits(its[array], state[array])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", EXAMPLES)
def test_threads_change_nothing(name: str, dtype: Any) -> None:
    x, grads = data(LARGE, dtype, 2)
    paths = []
    for count in (1, 2, 5):
        with ol.threads(count):
            paths.append(stepped(EXAMPLES[name], x, grads, (1.0, 0.5))[-1])
    assert_same_bits(paths[1], paths[0])
    assert_same_bits(paths[2], paths[0])


def alone(opt: ol.Optimizer, x: Array, part: slice) -> Array:
    """Some elements of a point that takes its steps without the others."""
    grads = data(LARGE, x.dtype, 2)[1]
    return stepped(opt, x[part].copy(), [g[part].copy() for g in grads], (1.0, 0.5))[-1]


@pytest.mark.parametrize("name", [n for n in EXAMPLES if "around" not in n and not n.startswith(("LARS", "LAMB"))])
def test_an_element_does_not_see_the_others(name: str) -> None:
    x, grads = data(LARGE, np.float32, 2)
    whole = stepped(EXAMPLES[name], x, grads, (1.0, 0.5))[-1]
    for part in (slice(0, 1), slice(LARGE - 7, LARGE)):
        assert_same_bits(whole[part].copy(), alone(EXAMPLES[name], x, part))


RUNS = 5
COMMON: dict[str, Any] = {"lr": (0, 0.1), "weight_decay": (0, 0.5), "l1": (0, 1)}  # beside those of each rule
BOUNDS = {"clip_norm": 0.9, "clip_value": 0.4, "max_norm": 3.0}


def spread(limits: Any) -> Any:
    """From limits to one number per run."""
    return tuple(map(spread, limits)) if np.ndim(limits) == 2 else tuple(np.linspace(*limits, RUNS).tolist())


def of_run(values: Any, run: int) -> Any:
    return tuple(of_run(each, run) for each in values) if isinstance(values[0], tuple) else values[run]


def swept(name: str, run: int | None = None) -> ol.Optimizer:
    """A sweep, or one run of it."""
    given = {key: spread(limits) for key, limits in (OPTIMIZERS[name].sweep | COMMON).items()}
    if run is not None:
        given = {key: of_run(values, run) for key, values in given.items()}
    return getattr(ol, name)(**given, **BOUNDS)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", OWN)
def test_hyperparameters_per_run(name: str, dtype: Any) -> None:
    x, grads = data((RUNS, 33), dtype)
    sweep = stepped(swept(name), x, grads)
    for run in range(RUNS):
        path = stepped(swept(name, run), x[run].copy(), [g[run].copy() for g in grads])
        for all_runs, one in zip(sweep, path, strict=True):
            assert_same_bits(all_runs[run], one)


@pytest.mark.parametrize("name", OWN)
def test_a_large_sweep_in_threads(name: str) -> None:
    x, (grad,) = data((2, LARGE), np.float32, 1)
    opt, got = EXAMPLES[f"{name}_plain_around"], []
    for count in (1, 5):
        with ol.threads(count):
            point = x.copy()
            opt.step(point, grad, opt.init(point, runs_axis=True), lr=np.array([0.1, 0.2]))
            got.append(point)
    assert_same_bits(got[1], got[0])
    one = x[1].copy()
    opt.step(one, grad[1].copy(), opt.init(one), lr=0.2)
    assert_same_bits(got[0][1], one)


def test_lr_of_a_step_per_run_is_that_of_the_optimizer() -> None:
    x, (grad, *_) = data((RUNS, 9), np.float64)
    for name in OWN:
        opt, now, before = swept(name), x.copy(), x.copy()
        opt.step(before, grad, opt.init(x))
        opt.step(now, grad, opt.init(x), lr=rate(opt, 1.0))
        assert_same_bits(now, before)
