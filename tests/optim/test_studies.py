"""Compiled studies against loops of single steps, to the bit, for every optimizer with all that stands around it."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from cases.optimizers import EVERYTHING, OWN, examples, make
from reference.battery import GROUPS, SEGMENTS, SIZE
from reference.compare import assert_same_bits

import optlab as ol
from optlab.layout import Layout

DTYPES = (np.float32, np.float64)
STEPS = 7
GENTLE = {**EVERYTHING, "clip_norm": 1.5, "max_norm": 2.5}
EXAMPLES = examples() | {
    f"{name}_decoupled": make(name, OWN[name]["plain"], GENTLE, {"decoupled_weight_decay": True}) for name in OWN
}
LAYOUTS = {"lanes_are_runs": (37, 7), "lanes_are_elements": (2, 1300), "one_run": (1, 33), "one_number": (5, 1)}


def landscape(dim: int, layout: Layout | None = None) -> ol.landscapes.Quadratic:
    """With a saddle, so that nothing dies out."""
    f = ol.landscapes.Quadratic(np.linspace(-0.5, 2, dim))
    f.layout = layout or f.layout
    return f


def start(runs: int, dim: int, dtype: Any) -> np.ndarray:
    return np.random.default_rng(runs * dim).normal(size=(runs, dim)).astype(dtype)


def assert_equals_the_loop(f: Any, opt: ol.Optimizer, x0: np.ndarray, noise: float, **options: Any) -> None:
    """Points, and the last state; the loop's noise is the optimizer's own."""
    path = ol.descend(f, opt, x0, STEPS, noise=noise, seed=3, record=1, **options)
    single, x = dataclasses.replace(opt, noise=noise, seed=3), x0.copy()
    state, factor = single.init(x, f.layout, runs_axis=True), options.get("schedule", lambda t: 1.0)
    for t in range(STEPS):
        single.step(x, f.grad(x), state, lr=np.array(opt.lr) * factor(t) if np.ndim(opt.lr) else opt.lr * factor(t))
        assert_same_bits(path.x[t + 1], x)
    assert path.state.keys() == state.keys()
    for name in state:
        assert_same_bits(path.state[name], state[name])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", EXAMPLES)
def test_equals_single_steps(name: str, layout: str, dtype: Any) -> None:
    runs, dim = LAYOUTS[layout]
    for noise in (0.0, 1e-4):
        options = {"schedule": lambda t: 1 / (1 + 0.3 * t)} if noise else {}
        assert_equals_the_loop(landscape(dim), EXAMPLES[name], start(runs, dim, dtype), noise, **options)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("runs", (1, 3, 37))
@pytest.mark.parametrize("name", OWN)
def test_segments_and_groups(name: str, runs: int, dtype: Any) -> None:
    f, x0 = landscape(SIZE, SEGMENTS), start(runs, SIZE, dtype)
    x0[:, 10:13] = 0  # a segment without a norm
    for case in OWN[name]:
        for around in ({}, GENTLE, {**GENTLE, "groups": GROUPS}):
            assert_equals_the_loop(f, make(name, OWN[name][case], around), x0, 0.0, schedule=lambda t: 1 / (1 + t))


@pytest.mark.parametrize("name", OWN)
def test_large_segments(name: str) -> None:
    from optlab.layout import Segment

    layout = (Segment("a", 0, (700,)), Segment("b", 700, (1,)), Segment("c", 701, (599,)))
    opt = make(name, OWN[name]["plain"], GENTLE, {"groups": {"b": {"weight_decay": 0.0}}})
    for runs in (1, 3, 40):
        assert_equals_the_loop(landscape(1300, layout), opt, start(runs, 1300, np.float32), 1e-4)


def spread(low: float, high: float, runs: int) -> tuple[float, ...]:
    return tuple(np.linspace(low, high, runs).tolist())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("runs", (3, 37))
@pytest.mark.parametrize("name", OWN)
def test_sweeps(name: str, runs: int, dtype: Any) -> None:
    given: dict[str, Any] = {
        "lr": spread(0.01, 0.1, runs),
        "weight_decay": spread(0, 0.5, runs),
        "l1": spread(0, 1, runs),
    }
    optimizer = getattr(ol, name)
    for key, limits in {"momentum": (0.1, 0.9), "rho": (0, 0.9), "alpha": (0.1, 0.9), "momentum_decay": (0, 1)}.items():
        if key in optimizer._ranges:
            given[key] = spread(*limits, runs)
    if "beta1" in optimizer._ranges:
        given["betas"] = (spread(0, 0.95, runs), spread(0.5, 0.999, runs))
    if name == "LARS":
        given["trust_coefficient"] = spread(0.01, 1, runs)
    for groups in ({}, {"b": {"lr": 0.02, "weight_decay": 0.25, "l1": 0.0}}):
        opt = optimizer(**given, clip_norm=1.5, clip_value=0.4, max_norm=3.0, groups=groups)
        f = landscape(SIZE, SEGMENTS if groups else None)
        assert_equals_the_loop(f, opt, start(runs, SIZE, dtype), 1e-4, schedule=lambda t: 1 / (1 + t))


@pytest.mark.parametrize("name", [name for name in EXAMPLES if not name.endswith("around")])
def test_continues_to_the_bit(name: str) -> None:
    f, opt, x0 = landscape(SIZE, SEGMENTS), EXAMPLES[name], start(5, SIZE, np.float32)
    options = {"noise": 1e-4, "gradient_noise": 0.1, "seed": 2, "schedule": lambda t: 1 / (1 + t)}
    whole = ol.descend(f, opt, x0, 12, **options)
    first = ol.descend(f, opt, x0, 5, **options)
    rest = ol.descend(f, opt, first.last, 7, state=first.state, first_step=5, **options)
    assert_same_bits(rest.last, whole.last)
    for array in whole.state:
        assert_same_bits(rest.state[array], whole.state[array])


@pytest.mark.parametrize("name", OWN)
def test_python_landscapes_take_the_same_steps(name: str) -> None:
    f, x0 = landscape(SIZE, SEGMENTS), start(9, SIZE, np.float64)
    wrapped = ol.landscapes.Custom(SIZE, f.value, f.grad)
    wrapped.layout = f.layout
    opt = make(name, OWN[name]["plain"], GENTLE, {"groups": GROUPS})
    a, b = (ol.descend(g, opt, x0, STEPS, noise=1e-4, record=1) for g in (f, wrapped))
    assert_same_bits(a.x, b.x)
