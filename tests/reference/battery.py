"""The trials that every mutant has to face, and that the right twin passes."""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass
from typing import Any

from cases.optimizers import COUPLED, DECOUPLED, EVERYTHING, OWN, Given, make

import optlab as ol
from optlab.layout import Layout, Segment, flat
from reference.around import Stages
from reference.stepping import Array, Step, assert_close, data, steps

SIZE, STEPS = 17, 3
SEGMENTS: Layout = (Segment("a", 0, (4,)), Segment("b", 4, (2, 3)), Segment("c", 10, (3,)), Segment("d", 13, (4,)))
GROUPS = {"b": {"lr": 0.02, "weight_decay": 0.7, "l1": 1.0}, "[cd]": {"weight_decay": 0.0}}
# Bounds that act, bounds that do not, and pairs whose order counts.
OPTIONS: tuple[Given, ...] = (
    {},
    COUPLED,
    {**COUPLED, "maximize": True},
    DECOUPLED,
    {"clip_norm": 0.9},
    {"clip_norm": 100.0},
    {"clip_value": 0.3},
    {"clip_norm": 0.9, "clip_value": 0.2},
    {"clip_value": 0.2, **COUPLED},
    {"l1": 2.0},
    {"max_norm": 0.7},
    {"max_norm": 100.0},
    {"l1": 2.0, "max_norm": 0.7},
    EVERYTHING,
    {**EVERYTHING, "groups": GROUPS},
    {**DECOUPLED, "groups": GROUPS},
)


@dataclass(frozen=True)
class Trial:
    """Steps of one configuration."""

    words: str
    opt: ol.Optimizer
    layout: Layout
    steps: list[Step]


def example(layout: Layout, dtype: Any) -> tuple[Array, list[Array]]:
    """A point and gradients; where there are segments, one of each is zero."""
    x, grads = data(SIZE, dtype, STEPS)
    if layout is SEGMENTS:
        x[10:13] = 0
        for grad in grads:
            grad[13:] = 0
    return x, grads


def words_of(options: Given) -> str:
    """The options by name, the kind of decay in one."""
    decay = {True: ["decoupled decay"], False: ["coupled decay"]}.get(options.get("decoupled_weight_decay"), [])
    return ", ".join(decay + [name for name in options if "decay" not in name]) or "alone"


@functools.cache
def trials(name: str, dtype: Any) -> tuple[Trial, ...]:
    """All that is tried with an optimizer, the cheaper ones first."""
    made = []
    for layout, case, options in itertools.product((flat(SIZE), SEGMENTS), OWN[name], OPTIONS):
        if "groups" not in options or layout is SEGMENTS:
            opt, words = make(name, OWN[name][case], options), words_of(options)
            words = f"{case}; {words}; {len(layout)} segment{'s'[: len(layout) - 1]}"
            made.append(Trial(words, opt, layout, steps(opt, *example(layout, dtype), layout)))
    return tuple(made)


def killer(name: str, stages: Stages, dtype: Any) -> str | None:
    """The first trial that these stages fail, and what gave them away; None if they pass for the twin's."""
    for trial in trials(name, dtype):
        for step in trial.steps:
            expected = step.expected(trial.opt, stages, trial.layout)
            for array, ours in step.after.items():
                try:
                    assert_close(ours, expected[array])
                except AssertionError as error:
                    return f"{trial.words}: {array} of step {step.t}, {error}"
    return None
