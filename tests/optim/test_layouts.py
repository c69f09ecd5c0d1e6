"""Groups, layouts and runs that do not fit: one line that says what would be right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from reference.battery import SEGMENTS, SIZE
from reference.refusals import refused

import optlab as ol
from optlab.layout import Segment


def made(name: str, **given: Any) -> ol.Optimizer:
    optimizer: ol.Optimizer = getattr(ol, name)(**({"lr": 0.1} | given))
    return optimizer


def init(x: Any, *segments: Segment) -> Any:
    return made("SGD").init(x, segments)


WRONG: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "groups_list": (lambda: made("SGD", groups=["*"]), TypeError, r"^groups: got \['\*'\], expected a dict"),
    "groups_of_tuples": (lambda: made("SGD", groups=("a",)), TypeError, r"^groups: got \('a',\), expected a dict"),
    "group_of_a_number": (lambda: made("SGD", groups={3: {"lr": 0.1}}), TypeError, "^groups: got .*3.*, expected"),
    "group_with_momentum_of_none": (
        lambda: made("SGD", groups={"a": {"momentum": 0.9}}),
        ValueError,
        "^groups: got momentum for 'a', expected an optimizer with momentum",
    ),
    "group_with_momentum_of_no_rmsprop": (
        lambda: made("RMSprop", groups={"a": {"momentum": 0.9}}),
        ValueError,
        "^groups: got momentum for 'a', expected an optimizer with momentum",
    ),
    "group_dampens_nesterov": (
        lambda: made("SGD", momentum=0.9, nesterov=True, groups={"a": {"dampening": 0.5}}),
        ValueError,
        "^nesterov: got .*expected momentum > 0 and no dampening",
    ),
    "groups_of_numbers": (lambda: made("SGD", groups={"a": 0.1}), TypeError, "^groups: got .*expected a dict from pat"),
    "group_name": (
        lambda: made("SGD", groups={"a": {"momentun": 0.1}}),
        ValueError,
        "^groups: got 'momentun' for 'a', expected one of dampening, l1, lr, momentum, weight_decay",
    ),
    "group_switch": (
        lambda: made("SGD", groups={"a": {"nesterov": True}}),
        ValueError,
        "^groups: got 'nesterov' for 'a', expected one of",
    ),
    "group_betas": (
        lambda: made("Adam", groups={"a": {"betas": (0.5, 0.5)}}),
        ValueError,
        "^groups: got 'betas' for 'a', expected one of beta1, beta2, ",
    ),
    "group_range": (
        lambda: made("SGD", groups={"a": {"weight_decay": -1.0}}),
        ValueError,
        "^weight_decay: got -1.0, expected",
    ),
    "group_bool": (
        lambda: made("SGD", groups={"a": {"weight_decay": True}}),
        TypeError,
        "^weight_decay: got True, expected a number",
    ),
    "group_lr_of_nothing": (
        lambda: ol.SGD(lr=0.0, groups={"a": {"lr": 0.1}}),
        ValueError,
        "^groups: got lr for 'a', expected an optimizer whose own lr is above 0",
    ),
    "group_without_segment": (
        lambda: made("SGD", groups={"*.bias": {"lr": 0.1}}).init(np.ones(SIZE), SEGMENTS),
        ValueError,
        r"^groups: '\*\.bias' matches no segment of the layout \(a, b, c, d",
    ),
    "layout_gap": (
        lambda: init(np.ones(5), Segment("a", 0, (2,)), Segment("b", 3, (2,))),
        ValueError,
        "^layout: segment 'b' begins at 3, expected 2",
    ),
    "layout_overlap": (
        lambda: init(np.ones(5), Segment("a", 0, (3,)), Segment("b", 2, (3,))),
        ValueError,
        "^layout: segment 'b' begins at 2, expected 3",
    ),
    "layout_begins_late": (
        lambda: made("SGD").init(np.ones(5), (Segment("a", 1, (4,)),)),
        ValueError,
        "^layout: segment 'a' begins at 1, expected 0",
    ),
    "layout_short": (
        lambda: made("SGD").init(np.ones(5), (Segment("a", 0, (4,)),)),
        ValueError,
        "^layout: got segments of 4 elements, expected 5",
    ),
    "layout_empty": (lambda: made("SGD").init(np.ones(5), ()), ValueError, "^layout: got segments of 0 elements"),
    "layout_empty_segment": (
        lambda: init(np.ones(5), Segment("a", 0, (0,)), Segment("b", 0, (5,))),
        ValueError,
        "^layout: got 0, expected",
    ),
    "layout_name_twice": (
        lambda: init(np.ones(5), Segment("a", 0, (2,)), Segment("a", 2, (3,))),
        ValueError,
        "^layout: got a name twice, expected",
    ),
    "layout_of_names": (lambda: made("SGD").init(np.ones(5), ("a",)), TypeError, "^layout: got str, expected segments"),
    "runs_of_three_axes": (
        lambda: made("SGD").init(np.ones((2, 3, 4)), runs_axis=True),
        ValueError,
        r"^x: got 3 dimensions, expected \(dim,\) or \(runs, dim\)",
    ),
    "layout_of_all_runs": (
        lambda: made("SGD").init(np.ones((2, SIZE)), SEGMENTS),
        ValueError,
        f"^layout: got segments of {SIZE} elements, expected {2 * SIZE}",
    ),
    "lengths_differ": (
        lambda: ol.Adam(lr=[0.1] * 2, betas=([0.9] * 3, 0.9)).init(np.ones((3, 4))),
        ValueError,
        "^lr: got 2 numbers, expected one or 3",
    ),
    "runs_of_other_number": (
        lambda: ol.SGD(lr=[0.1] * 2).step(np.ones((3, 4)), np.ones((3, 4)), ol.SGD(lr=[0.1] * 2).init(np.ones((3, 4)))),
        ValueError,
        r"^x: got shape \(3, 4\), expected 2 runs, the length of a hyperparameter",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_fit(name: str) -> None:
    refused(*WRONG[name])
