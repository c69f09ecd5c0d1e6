"""Hyperparameters out of range, for every optimizer: one line that says what would be right."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from reference.optimizers import RULES
from reference.refusals import refused

import optlab as ol


def made(name: str, **given: Any) -> ol.Optimizer:
    optimizer: ol.Optimizer = getattr(ol, name)(**({"lr": 0.1} | given))
    return optimizer


FRACTIONS = {"momentum", "rho", "alpha", "beta1", "beta2"}
NUMBERS = [(name, key) for name in RULES for key in (*getattr(ol, name)._ranges, "l1")]
BAD: dict[str, tuple[Any, type[Exception], str]] = {
    "negative": (-1e-9, ValueError, "got -1e-09, expected a finite number >= 0"),
    "nan": (math.nan, ValueError, "got nan, expected a finite number >= 0"),
    "infinite": (math.inf, ValueError, "got inf, expected a finite number >= 0"),
    "bool": (True, TypeError, "got True, expected a number"),
    "text": ("0.1", TypeError, "got '0.1', expected a number"),
    "none": (None, TypeError, "got None, expected a number"),
    "empty": ([], ValueError, r"got shape \(0,\), expected one number or \(runs,\)"),
    "matrix": ([[0.1]], ValueError, r"got shape \(1, 1\), expected one number or \(runs,\)"),
    "one_of_two": ([0.5, -0.5], ValueError, "got -0.5, expected a finite number >= 0"),
    "bool_of_two": ([0.5, False], TypeError, "got False, expected a number"),
}


def with_number(name: str, key: str, value: Any) -> ol.Optimizer:
    """An optimizer with one number replaced; betas are a pair of two."""
    if key in ("beta1", "beta2"):
        return made(name, betas=(value, 0.9) if key == "beta1" else (0.9, value))
    return made(name, **{key: value})


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize(("name", "key"), NUMBERS)
def test_numbers_out_of_range(name: str, key: str, bad: str) -> None:
    value, kind, pattern = BAD[bad]
    refused(lambda: with_number(name, key, value), kind, f"^{key}: {pattern}")


@pytest.mark.parametrize(("name", "key"), [pair for pair in NUMBERS if pair[1] in FRACTIONS])
def test_fractions_are_below_one(name: str, key: str) -> None:
    with_number(name, key, math.nextafter(1.0, 0.0))
    refused(lambda: with_number(name, key, 1.0), ValueError, f"^{key}: got 1.0, expected a finite number >= 0 and < 1")


@pytest.mark.parametrize("name", RULES)
def test_what_all_have_in_common(name: str) -> None:
    for key in ("clip_value", "clip_norm", "max_norm"):
        for value in (0.0, -1.0, math.nan, math.inf):
            refused(lambda: made(name, **{key: value}), ValueError, f"^{key}: got .*, expected a finite number > 0")  # noqa: B023
        refused(lambda: made(name, **{key: True}), TypeError, f"^{key}: got True, expected a number")  # noqa: B023
    for key in ("maximize", "decoupled_weight_decay"):
        refused(lambda: made(name, **{key: 1}), TypeError, f"^{key}: got 1, expected True or False")  # noqa: B023
    refused(lambda: made(name, noise=-1.0), ValueError, "^noise: got -1.0, expected a finite number >= 0")
    refused(lambda: made(name, seed=-1), ValueError, "^seed: got -1, expected a whole number from 0")
    refused(lambda: made(name, seed=0.0), TypeError, "^seed: got 0.0, expected a whole number")


BETAS = [name for name in RULES if "beta1" in getattr(ol, name)._ranges]


@pytest.mark.parametrize("name", BETAS)
@pytest.mark.parametrize("betas", (0.9, (0.9,), (0.9, 0.9, 0.9), "ab", np.array([0.9, 0.99]), None), ids=repr)
def test_betas_are_a_pair(name: str, betas: Any) -> None:
    refused(lambda: made(name, betas=betas), (TypeError), r"^betas: got .*, expected a pair \(beta1, beta2\)")


SINGLE: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "lars_decoupled": (
        lambda: ol.LARS(lr=1.0, decoupled_weight_decay=True),
        ValueError,
        "^decoupled_weight_decay: got True, expected False: ",
    ),
    "lamb_decoupled": (
        lambda: ol.LAMB(lr=1.0, decoupled_weight_decay=True),
        ValueError,
        "^decoupled_weight_decay: got True, expected False: ",
    ),
    "accumulator": (
        lambda: ol.Adagrad(initial_accumulator_value=-1.0),
        ValueError,
        "^initial_accumulator_value: got -1.0, expected",
    ),
    "accumulator_per_run": (
        lambda: ol.Adagrad(initial_accumulator_value=[0.1]),
        TypeError,
        r"^initial_accumulator_value: got \[0.1\], expected a number",
    ),
    "switch": (lambda: ol.Adam(amsgrad=0), TypeError, "^amsgrad: got 0, expected True or False"),
    "switch_none": (lambda: ol.RMSprop(centered=None), TypeError, "^centered: got None, expected True or False"),
    "correction": (lambda: ol.Adam(bias_correction="no"), TypeError, "^bias_correction: got 'no', expected True or"),
}


@pytest.mark.parametrize("name", SINGLE)
def test_what_some_have(name: str) -> None:
    refused(*SINGLE[name])


@pytest.mark.parametrize("name", RULES)
def test_zero_and_integers_are_accepted(name: str) -> None:
    given = {key: 0 for key in getattr(ol, name)._ranges if key not in ("beta1", "beta2")}
    opt = made(name, **given, l1=np.int32(0), seed=np.int64(3), clip_norm=1)
    assert opt.lr == 0.0 and type(opt.lr) is float and type(opt.clip_norm) is float
