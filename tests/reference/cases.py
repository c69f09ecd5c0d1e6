"""Configurations of every optimizer: its own options, and what all have around their rules."""

from __future__ import annotations

import itertools
from typing import Any

import optlab as ol
from reference.optimizers import LAYERWISE

Given = dict[str, Any]

OWN: dict[str, dict[str, Given]] = {
    "SGD": {
        "plain": {"lr": 0.1},
        "momentum": {"lr": 0.05, "momentum": 0.9},
        "dampened": {"lr": 0.05, "momentum": 0.9, "dampening": 0.4},
        "nesterov": {"lr": 0.05, "momentum": 0.8, "nesterov": True},
    },
    "HeavyBall": {"plain": {"lr": 0.1}, "momentum": {"lr": 0.05, "momentum": 0.9}},
    "AveragedMomentum": {"plain": {"lr": 0.1}, "light": {"lr": 0.1, "momentum": 0.3}},
    "Adagrad": {
        "plain": {"lr": 0.1},
        "decaying": {"lr": 0.1, "lr_decay": 0.3},
        "begun": {"lr": 0.1, "initial_accumulator_value": 0.5, "eps": 0.1},
    },
    "Adadelta": {"plain": {"lr": 0.5}, "short": {"lr": 1.0, "rho": 0.5, "eps": 1e-2}},
    "RMSprop": {
        "plain": {"lr": 0.05},
        "momentum": {"lr": 0.05, "alpha": 0.9, "momentum": 0.8},
        "centered": {"lr": 0.05, "alpha": 0.9, "centered": True, "eps": 1e-3},
        "both": {"lr": 0.05, "alpha": 0.7, "centered": True, "momentum": 0.5, "eps": 0.1},
    },
    "Adam": {
        "plain": {"lr": 0.05},
        "amsgrad": {"lr": 0.05, "betas": (0.8, 0.6), "amsgrad": True, "eps": 1e-2},
        "uncorrected": {"lr": 0.05, "betas": (0.8, 0.9), "bias_correction": False},
        "forgetful": {"lr": 0.05, "betas": (0.0, 0.0), "eps": 1e-3},
    },
    "AdamW": {"plain": {"lr": 0.05}, "amsgrad": {"lr": 0.05, "betas": (0.5, 0.7), "amsgrad": True, "eps": 0.1}},
    "Adamax": {"plain": {"lr": 0.05}, "short": {"lr": 0.05, "betas": (0.5, 0.6), "eps": 0.1}},
    "NAdam": {
        "plain": {"lr": 0.05},
        "warming": {"lr": 0.05, "betas": (0.8, 0.9), "momentum_decay": 0.5, "eps": 0.1},
        "constant": {"lr": 0.05, "momentum_decay": 0.0},
    },
    "LARS": {
        "plain": {"lr": 1.0, "trust_coefficient": 0.02},
        "still": {"lr": 0.5, "momentum": 0.0, "trust_coefficient": 0.1, "eps": 0.3},
    },
    "LAMB": {"plain": {"lr": 0.05}, "short": {"lr": 0.05, "betas": (0.6, 0.8), "eps": 0.1}},
}

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
