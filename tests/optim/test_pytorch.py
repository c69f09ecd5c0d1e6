"""PyTorch as oracle for every method that it has, on a random, seeded grid of options, sizes and types."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from reference.around import stages_of
from reference.compare import assert_within
from reference.peers import IN_TORCH, default_dtype, draw, textbook_error, torch_step
from reference.stepping import SIZES, data, steps

from optlab.layout import flat

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("dtype", (np.float32, np.float64))
@pytest.mark.parametrize("name", IN_TORCH)
def test_agrees_with_pytorch(name: str, dtype: Any) -> None:
    with default_dtype(torch, dtype):
        for seed in range(40):
            rng = np.random.default_rng(seed)
            opt, size, count = draw(name, rng), int(rng.choice(SIZES)), int(rng.integers(1, 7))
            for step in steps(opt, *data(size, dtype, count)):
                bounds = step.expected(opt, stages_of(name), flat(size))
                for array, theirs in torch_step(torch, opt, step).items():
                    # Both round as the twin does, half an eps each, which is what the twin has counted.
                    slack = textbook_error(opt, step) if array == "x" else 0.0
                    assert_within(step.after[array], theirs, bounds[array].error + slack)
