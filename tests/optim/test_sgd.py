"""What is particular to gradient descent; what all optimizers share is tested in the files beside this one."""

from __future__ import annotations

import numpy as np
import pytest
from reference.compare import assert_same_bits
from reference.stepping import data

import optlab as ol


def test_lr_override_lasts_one_step() -> None:
    opt, (x, (g, *_)) = ol.SGD(lr=0.5), data(9, np.float64)
    once, state = x.copy(), opt.init(x)
    opt.step(once, g, state, lr=0.25)
    assert_same_bits(once, x - 0.25 * g)
    opt.step(once, g, state)
    assert_same_bits(once, x - 0.25 * g - 0.5 * g)


def test_momentum_alone_has_state() -> None:
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
