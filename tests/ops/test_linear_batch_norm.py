"""The fused layer is the composition of its parts, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from reference.compare import assert_same_bits
from reference.refusals import refused

import optlab as ol

ops = ol.ops
# Less than a panel, several, ragged ones, more than a block of rows, and narrow ones, whose rows are read side by side.
SHAPES = [(2, 1, 1), (3, 5, 7), (64, 33, 48), (65, 300, 130), (700, 20, 200), (1100, 9, 70), (300, 4, 10), (256, 3, 63)]


def composed(x: Any, weight: Any, gamma: Any, beta: Any, activation: str, dropout: Any, running: Any) -> list[Any]:
    z = ops.matmul(x, weight.T)
    y, mean, rstd = ops.batch_norm_forward(z, gamma, beta, running=running)
    y = ops.activation_forward(y, activation)
    if dropout is not None:
        y = ops.dropout_forward(y, dropout.p, dropout.seed, stream=dropout.stream, step=dropout.step, run=dropout.run)
    return [y, z, mean, rstd]


def averages(out: int, dtype: Any) -> tuple[Any, Any, Any]:
    return np.zeros(out, dtype), np.ones(out, dtype), np.array(0)


@pytest.mark.parametrize("dtype", (np.float32, np.float64))
@pytest.mark.parametrize("threads", (1, 2, 3))
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_it_is_the_composition(shape: tuple[int, int, int], threads: int, dtype: Any) -> None:
    batch, wide, out = shape
    x, weight = ol.random.normal((batch, wide), 1, dtype=dtype) + 3, ol.random.normal((out, wide), 2, dtype=dtype)
    gamma, beta = ol.random.normal(out, 3, dtype=dtype), ol.random.normal(out, 4, dtype=dtype)
    for activation, dropout in (("identity", None), ("relu", None), ("tanh", ops.Dropout(0.3, 5, step=2))):
        mine, theirs = averages(out, dtype), averages(out, dtype)
        expected = composed(x, weight, gamma, beta, activation, dropout, theirs)
        with ol.threads(threads):
            found = ops.linear_batch_norm_forward(
                x, weight, gamma, beta, activation=activation, dropout=dropout, running=mine
            )
        for a, b in zip((*found, *mine), (*expected, *theirs), strict=True):
            assert_same_bits(a, b)


def test_options_and_outputs() -> None:
    x, weight = ol.random.normal((9, 4), 1), ol.random.normal((5, 4), 2)
    out = tuple(np.empty(shape) for shape in ((9, 5), (9, 5), 5, 5))
    found = ops.linear_batch_norm_forward(x, weight, eps=0.5, out=out)
    assert all(a is b for a, b in zip(found, out, strict=True))
    y, mean, rstd = ops.batch_norm_forward(ops.matmul(x, weight.T), eps=0.5)
    for a, b in zip((found[0], *found[2:]), (y, mean, rstd), strict=True):
        assert_same_bits(a, b)


WRONG: list[tuple[type[Exception], str, dict[str, Any]]] = [
    (ValueError, r"weight: got shape \(5, 3\), expected \(any, 4\)", {"weight": np.ones((5, 3))}),
    (ValueError, r"gamma: got shape \(4,\), expected \(5,\)", {"gamma": np.ones(4)}),
    (ValueError, "eps: got -1.0, expected a finite number >= 0", {"eps": -1.0}),
    (ValueError, "activation: got 'nope'", {"activation": "nope"}),
    (TypeError, r"running: expected None or a tuple of 3 arrays", {"running": 3}),
    (ValueError, "momentum: got 2.0", {"momentum": 2.0}),
    (TypeError, r"out: expected a tuple of 4 arrays \(y, z, mean, rstd\)", {"out": (None, None)}),
]


@pytest.mark.parametrize(("kind", "said", "change"), WRONG, ids=[said for _, said, _ in WRONG])
def test_wrong_input_is_refused(kind: type[Exception], said: str, change: dict[str, Any]) -> None:
    given = {"x": np.ones((9, 4)), "weight": np.ones((5, 4)), **change}
    refused(lambda: ops.linear_batch_norm_forward(**given), kind, said)


def test_overlap_is_refused() -> None:
    x, weight, both = np.ones((9, 4)), np.ones((5, 4)), np.empty((9, 5))
    call = ops.linear_batch_norm_forward
    refused(lambda: call(x, weight, out=(both, both, None, None)), ValueError, "y and z: got overlapping memory")
