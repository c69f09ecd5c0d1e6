"""The noise of a step: addressed by seed, step and run, and the same as that of a study."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from cases.optimizers import OWN, make
from reference.compare import assert_same_bits
from reference.loop import noise_like
from reference.stepping import data

import optlab as ol

DTYPES = (np.float32, np.float64)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", (1, 17, 4096, 4099, 40_003))
def test_noise_is_added_after_the_rule(size: int, dtype: Any) -> None:
    x, grads = data((2, size), dtype, 3)
    opt, seed = ol.SGD(lr=0.1), 2**63 + 1
    noisy = dataclasses.replace(opt, noise=0.25, seed=seed)
    plain, state, its = x.copy(), opt.init(x, runs_axis=True), noisy.init(x, runs_axis=True)
    for t, grad in enumerate(grads):
        opt.step(plain, grad, state)
        plain += dtype(0.5) * noise_like(x, seed, ol.random.Stream.NOISE, t, 0)
        noisy.step(x, grad, its)
        assert_same_bits(x, plain)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", OWN)
def test_is_that_of_a_study(name: str, dtype: Any) -> None:
    opt, f = make(name, OWN[name]["plain"]), ol.landscapes.Quadratic(np.linspace(0.5, 2, 19))
    x = data((3, 19), dtype)[0]
    last = ol.descend(f, opt, x, 6, noise=1e-2, seed=11).last
    noisy = dataclasses.replace(opt, noise=1e-2, seed=11)
    state = noisy.init(x, f.layout, runs_axis=True)
    for _ in range(6):
        noisy.step(x, f.grad(x), state)
    assert_same_bits(x, last)


def test_noise_does_not_depend_on_threads_or_segments() -> None:
    x, (grad,) = data(60_001, np.float32, 1)
    opt, got = ol.Adam(lr=0.1, noise=1e-2, seed=4, max_norm=100.0), []
    for count in (1, 5):
        with ol.threads(count):
            point = x.copy()
            opt.step(point, grad, opt.init(point))
            got.append(point)
    assert_same_bits(got[1], got[0])
    cut = lambda array: [part.copy() for part in np.split(array, [5, 40_000])]  # noqa: E731
    free, many = dataclasses.replace(opt, max_norm=None), cut(x)
    free.step(many, cut(grad), free.init(many))
    free.step(x, grad, free.init(x))
    assert_same_bits(np.concatenate(many), x)


def test_a_study_refuses_noise_of_the_optimizer() -> None:
    f = ol.landscapes.Quadratic([1.0])
    with pytest.raises(ValueError, match=r"^optimizer: got noise, expected none: "):
        ol.descend(f, ol.SGD(lr=0.1, noise=1.0), np.ones(1), 3)
