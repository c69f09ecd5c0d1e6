"""Bias corrections neither drift nor lose their digits: single steps far from the first."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest
from cases.optimizers import OPTIMIZERS, make
from mpmath import mpf
from reference.around import stages_of, twin_step
from reference.compare import eps
from reference.rounding import exact
from reference.stepping import assert_close, data, of_arrays

import optlab as ol
from optlab.layout import flat
from optlab.optim.rule import state_names

COUNTS = (1, 2, 10, 1000, 10**6, 10**6 + 1)
COUNTING = {name: case.late for name, case in OPTIMIZERS.items() if case.late is not None}


@pytest.mark.parametrize("dtype", (np.float32, np.float64))
@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("name", COUNTING)
def test_one_step_after_many(name: str, count: int, dtype: Any) -> None:
    opt, (x, (grad, *states)) = make(name, {"lr": 0.1}, COUNTING[name]), data(17, dtype)
    state = opt.init(x)
    state["step"][()] = count - 1
    if count > 1:
        for array, content in zip(state_names(opt), states, strict=False):
            state[array][...] = np.abs(content)  # some of them are means of squares
    own, layout = of_arrays(opt, state), flat(x.size)
    given = exact(x, dtype), exact(grad, dtype)
    expected, after = twin_step(stages_of(name), opt, *given, own, count, 0.1, layout)
    opt.step(x, grad, state)
    assert_close(x, expected)
    for array in own:
        assert_close(state[array], after[array])
    assert int(state["step"]) == count


@pytest.mark.parametrize("betas", ((0.9, 0.999), (0.5, 1 - 1e-9), (0.0, 0.0), (1 - 1e-12, 0.9)))
@pytest.mark.parametrize("count", COUNTS)
def test_corrections_against_fifty_digits(count: int, betas: tuple[float, float]) -> None:
    opt, x = ol.Adam(lr=1.0, betas=betas, eps=0.0), np.zeros(1)
    state = opt.init(x) | {"exp_avg": np.ones(1), "exp_avg_sq": np.ones(1)}
    state["step"][()] = count - 1
    opt.step(x, np.ones(1), state)  # averages of ones stay ones, up to their rounding
    with mpmath.workdps(50):
        one, two = (1 - mpf(beta) ** count for beta in betas)
        expected = float(-mpmath.sqrt(two) / one)
    # 1 - βᵗ to 5 units each (of the second the root), six operations around them, and m and v a rounding each or two
    assert abs(x[0] / expected - 1) <= 16 * eps(np.float64)


@pytest.mark.parametrize("decay", (0.0, 4e-3, 0.1, 10.0))
@pytest.mark.parametrize("count", (1, 2, 10, 1000))
def test_warm_up_against_fifty_digits(count: int, decay: float) -> None:
    opt, x = ol.NAdam(lr=1.0, betas=(0.9, 0.999), eps=0.0, momentum_decay=decay), np.zeros(1)
    state = opt.init(x) | {"exp_avg_sq": np.ones(1)}
    state["step"][()] = count - 1
    state["exp_avg"][...] = 1
    opt.step(x, np.ones(1), state)
    with mpmath.workdps(50):
        mu = [mpf(0.9) * (1 - mpf("0.96") ** (t * mpf(decay)) / 2) for t in range(1, count + 2)]
        product = mpmath.fprod(mu[:-1])
        move = (1 - mu[-2]) / (1 - product) + mu[-1] / (1 - product * mu[-1])
        expected = float(-move * mpmath.sqrt(1 - mpf(0.999) ** count))
    # as above; 1 - μ and 1 - M lose at most a factor of 1 / (1 - 0.9) of what μ and M are off by, some six units
    assert abs(x[0] / expected - 1) <= 80 * eps(np.float64)
