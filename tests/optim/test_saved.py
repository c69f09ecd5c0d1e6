"""Saved, loaded without pickles, and continued to the bit; optimizers themselves are values."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases.optimizers import OWN, examples, make
from reference.battery import GROUPS, SEGMENTS, SIZE
from reference.compare import assert_same_bits
from reference.stepping import Array, data

import optlab as ol
from optlab.optim.rule import state_names

EXAMPLES = examples() | {f"{name}_groups": make(name, OWN[name]["plain"], {"groups": GROUPS}) for name in OWN}


def reloaded(path: Path, x: Array, state: dict[str, Array]) -> tuple[Array, dict[str, Array]]:
    """Through a file."""
    np.savez(path, x=x, **state)
    with np.load(path, allow_pickle=False) as saved:
        loaded = dict(saved)
    return loaded.pop("x"), loaded


@pytest.mark.parametrize("name", EXAMPLES)
def test_saved_state_continues_to_the_bit(name: str, tmp_path: Path) -> None:
    opt, (x, grads) = EXAMPLES[name], data(SIZE, np.float32)
    part, kept, again = x.copy(), opt.init(x, SEGMENTS), pickle.loads(pickle.dumps(opt))
    state = opt.init(x, SEGMENTS)
    for grad in grads:
        opt.step(x, grad, state)
        again.step(part, grad, kept)
        part, kept = reloaded(tmp_path / "state.npz", part, kept)
    assert_same_bits(part, x)
    assert kept.keys() == state.keys()
    for array in state:
        assert_same_bits(kept[array], state[array])


@pytest.mark.parametrize("name", EXAMPLES)
def test_optimizers_are_values(name: str) -> None:
    opt = EXAMPLES[name]
    assert pickle.loads(pickle.dumps(opt)) == opt and hash(pickle.loads(pickle.dumps(opt))) == hash(opt)
    with pytest.raises(AttributeError):
        opt.lr = 1.0  # type: ignore[misc]


def test_numbers_per_run_are_values_too() -> None:
    sweep = ol.Adam(lr=np.array([0.1, 0.2]), betas=([0.9, 0.8], 0.99))
    assert sweep == ol.Adam(lr=[0.1, 0.2], betas=((0.9, 0.8), 0.99)) and sweep != ol.Adam(lr=0.1)
    assert hash(sweep) == hash(pickle.loads(pickle.dumps(sweep)))


@pytest.mark.parametrize("name", OWN)
def test_state_is_named_and_the_callers(name: str) -> None:
    opt, x = make(name, OWN[name]["plain"]), np.ones((2, 3), np.float32)
    state: dict[str, Any] = opt.init(x)
    assert set(state) == {*state_names(opt), "step", "format"}
    assert state["step"].shape == () and state["step"].dtype == np.int64 and state["format"].dtype.kind == "U"
    for array in state_names(opt):
        assert (state[array].dtype, state[array].shape) == (np.float32, (2, 3)) and not state[array].any()


def test_the_sum_of_adagrad_begins_where_it_is_told() -> None:
    for dtype in (np.float32, np.float64):
        state = ol.Adagrad(initial_accumulator_value=0.1).init(np.ones(3, dtype))
        assert_same_bits(state["sum"], np.full(3, 0.1, dtype))
