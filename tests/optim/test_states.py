"""States of another optimizer, layout or version are refused before any memory is touched."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from cases.optimizers import OWN, make
from reference.battery import SEGMENTS, SIZE
from reference.refusals import step_refused

import optlab as ol
from optlab.layout import Segment
from optlab.optim.rule import rule_of

State = dict[str, Any]
ADAM = ol.Adam(lr=0.1)


def refused(kind: type[Exception], pattern: str, state: Any, opt: ol.Optimizer = ADAM) -> None:
    step_refused(opt, kind, pattern, state, np.ones(SIZE))


@pytest.mark.parametrize("name", OWN)
def test_a_state_lacks_nothing(name: str) -> None:
    opt = make(name, {"lr": 0.1})
    for entry in opt.init(np.ones(SIZE)):
        state = opt.init(np.ones(SIZE))
        del state[entry]
        refused(
            ValueError, f"^state: got no entry '{entry}', expected the dict that init\\(\\) returned", state, opt=opt
        )


@pytest.mark.parametrize("name", OWN)
def test_a_state_is_of_its_optimizer(name: str) -> None:
    opt = make(name, {"lr": 0.1})
    for other in OWN:
        theirs = make(other, {"lr": 0.1})
        if rule_of(opt) != rule_of(theirs):
            pattern = f"^state: got the state of '{rule_of(theirs)}', expected that of '{rule_of(opt)}'"
            refused(ValueError, pattern, theirs.init(np.ones(SIZE)), opt=opt)


def edited(**change: Any) -> State:
    """A state whose format says something else."""
    state: State = ADAM.init(np.ones(SIZE))
    described = {**json.loads(str(state["format"])), **change}
    return state | {"format": np.array(json.dumps(described))}


FORMATS: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "version": (
        lambda: edited(**{"optlab state": 99}),
        ValueError,
        "^state: saved in version 99 of the format, expected",
    ),
    "version_0": (
        lambda: edited(**{"optlab state": 0}),
        ValueError,
        "^state: saved in version 0 of the format, expected",
    ),
    "no_text": (lambda: edited() | {"format": "adam"}, ValueError, "^state: 'format' is no array of text"),
    "other_text": (
        lambda: edited() | {"format": np.array("adam")},
        ValueError,
        "^state: 'format' says 'adam', expected",
    ),
    "other_json": (
        lambda: edited() | {"format": np.array("[1]")},
        ValueError,
        r"^state: 'format' says '\[1\]', expected",
    ),
    "number": (lambda: edited() | {"format": np.array(1)}, ValueError, "^state: 'format' "),
    "many_texts": (lambda: edited() | {"format": np.array(["a", "b"])}, ValueError, "^state: 'format' "),
    "nothing_said": (
        lambda: edited() | {"format": np.array('{"optlab state": 1}')},
        ValueError,
        "^state: 'format' says .*, expected what init",
    ),
    **{
        words: (lambda change=change: edited(**change), ValueError, "^state: 'format' says .*, expected what init")
        for words, change in {
            "negative_size": {"segments": [["a", -17]]},
            "empty_segment": {"segments": [["a", 17], ["b", 0]]},
            "no_segments": {"segments": []},
            "text_for_segments": {"segments": "ab"},
            "text_for_a_size": {"segments": [["a", "17"]]},
            "fraction_of_a_size": {"segments": [["a", 17.0]]},
            "beyond_64_bits": {"segments": [["a", 2**62, 4]]},
            "bool_for_a_size": {"segments": [["a", True], ["b", 16]]},
            "number_for_a_name": {"segments": [[5, 17]]},
            "name_twice": {"segments": [["a", 1], ["a", 16]]},
            "runs_axis": {"runs_axis": "yes"},
            "no_runs_axis": {"runs_axis": None},
            "list_of_what": {"list": "no"},
        }.items()
    },
    "list": (lambda: edited(list=True), TypeError, "^x: got one array, expected a list of arrays"),
    "layout": (lambda: edited(segments=[["a", 16]]), ValueError, "^x: got 17 elements, expected 16"),
    "dict": (lambda: list(edited()), TypeError, "^state: .*expected the dict that init"),
    "step_negative": (lambda: edited() | {"step": np.array(-1)}, ValueError, "^state: 'step' is -1, expected >= 0"),
    "step_int32": (lambda: edited() | {"step": np.array(0, np.int32)}, TypeError, "^step: got dtype int32, expected"),
    "step_vector": (lambda: edited() | {"step": np.zeros(1, int)}, ValueError, r"^step: got shape \(1,\), expected"),
}


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_is_what_init_wrote(name: str) -> None:
    make_state, kind, pattern = FORMATS[name]
    refused(kind, pattern, make_state())


def test_sizes_that_add_up_do_not_reach_outside() -> None:
    state = edited(segments=[["a", -3], ["b", SIZE + 3]])
    memory = np.ones((3, 3 * SIZE))  # room on both sides of each array, should they be left
    x, state["exp_avg"], state["exp_avg_sq"] = memory[:, SIZE : 2 * SIZE]
    step_refused(ADAM, ValueError, "^state: 'format' says .*, expected what init", state, x)
    assert (memory == 1).all()


def test_a_layout_is_that_of_the_state_not_of_the_step() -> None:
    x = np.ones(SIZE)
    state = ADAM.init(x, SEGMENTS)
    assert json.loads(str(state["format"]))["segments"] == [[s.name, *s.shape] for s in SEGMENTS]
    ol.Adam(lr=0.5, groups={"b": {"lr": 0.1}}).step(x, np.ones(SIZE), state)  # another optimizer of the same rule
    assert np.abs(x - np.where((np.arange(SIZE) >= 4) & (np.arange(SIZE) < 10), 0.9, 0.5)).max() < 1e-7
    refused(ValueError, "^groups: 'e' matches no segment", state, opt=ol.Adam(lr=0.1, groups={"e": {"lr": 0.1}}))


def test_studies_refuse_states_of_another_layout() -> None:
    f = ol.landscapes.Quadratic(np.ones(SIZE))
    x0 = np.ones((2, SIZE))
    with pytest.raises(ValueError, match=r"^state: got the state of .*, expected that of "):
        ol.descend(f, ADAM, x0, 3, state=ADAM.init(x0, SEGMENTS, runs_axis=True))
    with pytest.raises(ValueError, match=r"^state: got the state of .*, expected that of "):
        ol.descend(f, ADAM, x0, 3, state=ADAM.init(x0))
    f.layout = (Segment("w", 0, (SIZE,)),)
    ol.descend(f, ADAM, x0, 3, state=ADAM.init(x0, f.layout, runs_axis=True))
