"""optax as oracle for LARS, without decay since its ratio has another one, and for LAMB with it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from reference.around import stages_of
from reference.battery import SEGMENTS, example
from reference.compare import assert_within
from reference.optax_peers import IN_OPTAX, optax_step
from reference.peers import textbook_error
from reference.stepping import steps

import optlab as ol

optax = pytest.importorskip("optax")
jax = pytest.importorskip("jax")


def draw(name: str, rng: np.random.Generator) -> ol.Optimizer:
    """Hyperparameters that both know."""
    common = {"lr": float(10 ** rng.uniform(-3, 0)), "maximize": bool(rng.random() < 0.3)}
    common["eps"] = float(10 ** rng.uniform(-6, -1))
    if name == "LARS":
        trust = float(10 ** rng.uniform(-3, 0))
        return ol.LARS(momentum=float(rng.uniform(0.1, 0.99)), trust_coefficient=trust, **common)
    betas = float(rng.uniform(0.5, 0.99)), float(1 - 10 ** rng.uniform(-3, -0.1))
    return ol.LAMB(betas=betas, weight_decay=float(rng.choice([0, rng.random()])), **common)


@pytest.mark.parametrize("dtype", (np.float32, np.float64))
@pytest.mark.parametrize("name", IN_OPTAX)
def test_agrees_with_optax(name: str, dtype: Any) -> None:
    with jax.enable_x64(dtype == np.float64):
        for seed in range(10):
            opt = draw(name, np.random.default_rng(seed))
            for step in steps(opt, *example(SEGMENTS, dtype), SEGMENTS):
                bounds = step.expected(opt, stages_of(name), SEGMENTS)
                for array, theirs in optax_step(optax, opt, step, SEGMENTS).items():
                    # half an eps each at every operation, which the twin has counted, and their powers in the type
                    slack = textbook_error(opt, step, dtype) if array == "x" else 0.0
                    assert_within(step.after[array], theirs, bounds[array].error + slack)
