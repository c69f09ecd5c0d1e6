"""The trials that every mutant has to face, and that the right twin passes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import optlab as ol
from optlab.layout import Layout, Segment, flat
from reference.around import Stages
from reference.cases import EVERYTHING, OWN, Given, make
from reference.stepping import Array, assert_close, data, each_step

SIZE, STEPS = 17, 4
SEGMENTS: Layout = (Segment("a", 0, (4,)), Segment("b", 4, (2, 3)), Segment("c", 10, (3,)), Segment("d", 13, (4,)))
GROUPS = {"b": {"lr": 0.02, "weight_decay": 0.7, "l1": 1.0}, "[cd]": {"weight_decay": 0.0}}
# Bounds that act, bounds that do not, and pairs whose order counts.
OPTIONS: tuple[Given, ...] = (
    {},
    {"weight_decay": 0.3},
    {"weight_decay": 0.3, "maximize": True},
    {"weight_decay": 0.3, "decoupled_weight_decay": True},
    {"clip_norm": 0.9},
    {"clip_norm": 100.0},
    {"clip_value": 0.3},
    {"clip_norm": 0.9, "clip_value": 0.2},
    {"clip_value": 0.2, "weight_decay": 0.3},
    {"l1": 2.0},
    {"max_norm": 0.7},
    {"max_norm": 100.0},
    {"l1": 2.0, "max_norm": 0.7},
    EVERYTHING,
    {**EVERYTHING, "groups": GROUPS},
)


def trials(name: str, dtype: Any) -> Iterator[tuple[str, ol.Optimizer, Layout, Array, list[Array]]]:
    """What is tried, the optimizer, its layout, a point and gradients; one segment of each is zero."""
    for layout in (flat(SIZE), SEGMENTS):  # the cheaper one first
        for case, own in OWN[name].items():
            for options in OPTIONS:
                if "groups" in options and layout is not SEGMENTS:
                    continue
                x, grads = data(SIZE, dtype, STEPS)
                if layout is SEGMENTS:
                    x[10:13] = 0
                    for grad in grads:
                        grad[13:] = 0
                words = ", ".join(options) or "alone"
                yield f"{case}; {words}; {len(layout)} segments", make(name, own, options), layout, x, grads


def killer(name: str, stages: Stages, dtype: Any) -> str | None:
    """The first trial that these stages fail, and what gave them away; None if they pass for the twin's."""
    for trial, opt, layout, x, grads in trials(name, dtype):
        for t, both in enumerate(each_step(opt, stages, x, grads, layout), start=1):
            for array, (ours, wanted) in both.items():
                try:
                    assert_close(ours, wanted)
                except AssertionError as error:
                    return f"{trial}: {array} of step {t}, {error}"
    return None
