"""Configurations of every optimizer: its own options, and what all have around their rules."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any, Literal

from reference.optimizers import LAYERWISE, RULES

import optlab as ol
from optlab.optim.rule import rule_of

Given = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """One optimizer.

    Attributes:
        options: Its own options, by a name for each configuration; that of "plain" is the plainest.
        scaling: How a step answers to a gradient that is multiplied by a number, as of optlab.optim.rule.Rule.
        sweep: Two ends for every number that may be one per run, beside lr, weight_decay and l1.
        late: Options with which the number of the step counts; None where it never does.
    """

    options: dict[str, Given]
    scaling: Literal["linear", "invariant"] | None
    sweep: Given = field(default_factory=dict)
    late: Given | None = None


BETAS: Given = {"betas": ((0, 0.9), (0.5, 0.99)), "eps": (1e-8, 1e-2)}
OPTIMIZERS: dict[str, Case] = {
    "SGD": Case(
        {
            "plain": {"lr": 0.1},
            "momentum": {"lr": 0.05, "momentum": 0.9},
            "dampened": {"lr": 0.05, "momentum": 0.9, "dampening": 0.4},
            "nesterov": {"lr": 0.05, "momentum": 0.8, "nesterov": True},
        },
        "linear",
        {"momentum": (0.1, 0.9), "dampening": (0, 1)},
        {"momentum": 0.9, "dampening": 0.5},
    ),
    "HeavyBall": Case(
        {"plain": {"lr": 0.1}, "momentum": {"lr": 0.05, "momentum": 0.9}},
        "linear",
        {"momentum": (0.1, 0.9)},
    ),
    "AveragedMomentum": Case(
        {"plain": {"lr": 0.1}, "light": {"lr": 0.1, "momentum": 0.3}},
        "linear",
        {"momentum": (0.0, 0.9)},
    ),
    "Adagrad": Case(
        {
            "plain": {"lr": 0.1},
            "decaying": {"lr": 0.1, "lr_decay": 0.3},
            "begun": {"lr": 0.1, "initial_accumulator_value": 0.5, "eps": 0.1},
        },
        "invariant",
        {"lr_decay": (0, 1), "eps": (0.1, 0.2)},
        {"lr_decay": 1e-3},
    ),
    "Adadelta": Case(
        {"plain": {"lr": 0.5}, "short": {"lr": 1.0, "rho": 0.5, "eps": 1e-2}},
        None,
        {"rho": (0, 0.9), "eps": (1e-6, 1e-2)},
    ),
    "RMSprop": Case(
        {
            "plain": {"lr": 0.05},
            "momentum": {"lr": 0.05, "alpha": 0.9, "momentum": 0.8},
            "centered": {"lr": 0.05, "alpha": 0.9, "centered": True, "eps": 1e-3},
            "both": {"lr": 0.05, "alpha": 0.7, "centered": True, "momentum": 0.5, "eps": 0.1},
        },
        "invariant",
        {"alpha": (0, 0.9), "eps": (1e-3, 0.1), "momentum": (0.1, 0.8)},
    ),
    "Adam": Case(
        {
            "plain": {"lr": 0.05},
            "amsgrad": {"lr": 0.05, "betas": (0.8, 0.6), "amsgrad": True, "eps": 1e-2},
            "uncorrected": {"lr": 0.05, "betas": (0.8, 0.9), "bias_correction": False},
            "forgetful": {"lr": 0.05, "betas": (0.0, 0.0), "eps": 1e-3},
        },
        "invariant",
        BETAS,
        {},
    ),
    "AdamW": Case(
        {"plain": {"lr": 0.05}, "amsgrad": {"lr": 0.05, "betas": (0.5, 0.7), "amsgrad": True, "eps": 0.1}},
        "invariant",
        {"betas": ((0.5, 0.9), (0, 0.99)), "eps": (1e-8, 1e-2)},
        {"betas": (0.9, 0.999999)},
    ),
    "Adamax": Case(
        {"plain": {"lr": 0.05}, "short": {"lr": 0.05, "betas": (0.5, 0.6), "eps": 0.1}},
        "invariant",
        BETAS,
        {"betas": (0.999999, 0.9)},
    ),
    "NAdam": Case(
        {
            "plain": {"lr": 0.05},
            "warming": {"lr": 0.05, "betas": (0.8, 0.9), "momentum_decay": 0.5, "eps": 0.1},
            "constant": {"lr": 0.05, "momentum_decay": 0.0},
        },
        "invariant",
        BETAS | {"momentum_decay": (0, 1)},
        {},
    ),
    "LARS": Case(
        {
            "plain": {"lr": 1.0, "trust_coefficient": 0.02},
            "still": {"lr": 0.5, "momentum": 0.0, "trust_coefficient": 0.1, "eps": 0.3},
        },
        None,
        {"momentum": (0, 0.9), "trust_coefficient": (0.01, 1), "eps": (0, 1)},
    ),
    "LAMB": Case(
        {"plain": {"lr": 0.05}, "short": {"lr": 0.05, "betas": (0.6, 0.8), "eps": 0.1}},
        None,
        BETAS,
        {},
    ),
    # Without twins: their steps are compared with those of Adam.
    "AdamW8bit": Case({"plain": {"lr": 0.05}}, "invariant"),
    "SparseAdam": Case({"plain": {"lr": 0.05}}, "invariant"),
}
"""Every optimizer of the package."""

OWN = {name: OPTIMIZERS[name].options for name in RULES}
"""The configurations of those that have a twin."""

COUPLED: Given = {"weight_decay": 0.3, "decoupled_weight_decay": False}
DECOUPLED: Given = {"weight_decay": 0.3, "decoupled_weight_decay": True}
# Strong enough to act on standard normal points and gradients of any size.
_OPTIONS: tuple[tuple[Given, ...], ...] = (
    ({"weight_decay": 0.0}, COUPLED, DECOUPLED),
    ({}, {"maximize": True}),
    ({}, {"clip_norm": 0.9}),
    ({}, {"clip_value": 0.1}),
    ({}, {"l1": 2.0}),
    ({}, {"max_norm": 0.7}),
)
AROUND: tuple[Given, ...] = tuple(
    {name: value for choice in choices for name, value in choice.items()} for choices in itertools.product(*_OPTIONS)
)
EVERYTHING: Given = {**COUPLED, "clip_norm": 0.9, "clip_value": 0.1, "l1": 0.5, "max_norm": 0.7}


def make(name: str, *given: Given) -> ol.Optimizer:
    """The optimizer with all these options, later ones first; rules with norms of their own cannot decouple decay."""
    merged = {key: value for options in given for key, value in options.items()}
    if name in LAYERWISE:
        merged.pop("decoupled_weight_decay", None)
    optimizer: ol.Optimizer = getattr(ol, name)(**merged)
    return optimizer


CASES = [(name, case) for name, cases in OWN.items() for case in cases]


def examples() -> dict[str, ol.Optimizer]:
    """One of each case: as it is, and with everything around it."""
    return {
        f"{name}_{case}{'_around' * bool(around)}": make(name, OWN[name][case], around)
        for name, case in CASES
        for around in ({}, EVERYTHING)
    }


def by_rule() -> dict[str, ol.Optimizer]:
    """One optimizer for each compiled rule."""
    made = [make(name, options) for name, case in OPTIMIZERS.items() for options in case.options.values()]
    return {rule_of(opt): opt for opt in reversed(made)}
