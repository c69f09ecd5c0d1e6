"""What an optimizer shows to its user, and what it says to the compiled rules."""

from __future__ import annotations

from dataclasses import fields

import pytest
from cases.optimizers import examples

import optlab as ol
from optlab.kernels.select import cpu
from optlab.optim.rule import described, rule_of

KINDS = [name for name in ol.optim.__all__ if name != "Optimizer"]
EXAMPLES = examples()


@pytest.mark.parametrize("name", KINDS)
def test_an_object_has_its_hyperparameters_and_two_methods(name: str) -> None:
    opt = getattr(ol, name)(lr=0.1)
    shown = {each for each in dir(opt) if not each.startswith("_")}
    assert shown == {each.name for each in fields(opt)} | {"init", "step"}


@pytest.mark.parametrize("name", EXAMPLES)
def test_its_text_makes_it_again(name: str) -> None:
    assert eval(repr(EXAMPLES[name]), vars(ol)) == EXAMPLES[name]


def test_its_text_leaves_defaults_out() -> None:
    assert repr(ol.Adam(lr=0.1)) == "Adam(lr=0.1)"
    assert repr(ol.AdamW()) == "AdamW()"
    assert repr(ol.SGD(0.1, l1=[0.0, 1.0])) == "SGD(l1=(0.0, 1.0), lr=0.1)"


def test_saved_trainings_say_every_hyperparameter() -> None:
    assert described(ol.SGD(lr=0.1)) == (
        "SGD(decoupled_weight_decay=False, clip_value=None, clip_norm=None, l1=0.0, max_norm=None, "
        "nonfinite='propagate', noise=0.0, seed=0, groups=(), lr=0.1, momentum=0.0, dampening=0.0, weight_decay=0.0, "
        "nesterov=False, maximize=False)"
    )


@pytest.mark.parametrize("name", EXAMPLES)
def test_ranges_are_those_of_the_rule(name: str) -> None:
    opt = EXAMPLES[name]
    wanted, ranges = set(cpu.rule_parameters(rule_of(opt))), set(opt._ranges)
    assert ranges - wanted <= {"weight_decay"}  # which stands around most rules
    assert all(isinstance(getattr(opt, switch), bool) for switch in wanted - ranges)
