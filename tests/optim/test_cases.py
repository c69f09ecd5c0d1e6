"""The table of optimizers is complete, and says of each what its steps show."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cases.optimizers import OPTIMIZERS, by_rule, make

import optlab as ol
from optlab.kernels.select import cpu
from optlab.optim.rule import scaling

KINDS = {"linear": 8.0, "invariant": 1.0}
SCALED = [(name, key) for name, case in OPTIMIZERS.items() for key in case.options]


def test_the_table_has_every_optimizer_and_every_rule() -> None:
    assert set(OPTIMIZERS) | {"Optimizer"} == set(ol.optim.__all__)
    assert set(by_rule()) == set(cpu.rules)


def moved(opt: ol.Optimizer, factor: float) -> Any:
    """How far two steps go, with gradients times a power of two, which rounds nothing away."""
    x = np.zeros(4, np.float32)
    state = opt.init(x)
    for grad in ([1.0, -0.5, 3.0, 0.25], [0.5, 0.75, -2.0, 0.25]):
        opt.step(x, np.array(grad, np.float32) * np.float32(factor), state)
    return x


@pytest.mark.parametrize(("name", "key"), SCALED)
def test_steps_scale_as_the_table_says(name: str, key: str) -> None:
    case = OPTIMIZERS[name]
    alone = {"initial_accumulator_value": 0.0} if name == "Adagrad" else {}
    opt = make(name, case.options[key], {"eps": 0.0} if "eps" in type(getattr(ol, name)(lr=1.0))._ranges else {}, alone)
    assert scaling(type(opt)) == case.scaling
    if case.scaling:
        np.testing.assert_array_equal(moved(opt, 8.0), KINDS[case.scaling] * moved(opt, 1.0))
