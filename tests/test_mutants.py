"""Every wrong twin is rejected by the comparison that the right one passes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from reference.mutants import HEAVY_BALL_MUTANTS, SGD_MUTANTS
from reference.optimizers import Path, heavy_ball, sgd
from reference.stepping import HEAVY_BALL_CASES, SGD_CASES, compare

import optlab as ol

FAMILIES: dict[str, tuple[Any, dict[str, Any], Path, dict[str, Path]]] = {
    "sgd": (ol.SGD, SGD_CASES, sgd, SGD_MUTANTS),
    "heavy_ball": (ol.HeavyBall, HEAVY_BALL_CASES, heavy_ball, HEAVY_BALL_MUTANTS),
}
MUTANTS = [(family, mutant) for family, (_, _, _, mutants) in FAMILIES.items() for mutant in mutants]
DTYPES = (np.float32, np.float64)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("family", FAMILIES)
def test_the_right_twin_passes(family: str, dtype: Any) -> None:
    kind, cases, twin, _ = FAMILIES[family]
    compare(kind, cases, twin, twin, dtype, 17)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("family", "mutant"), MUTANTS)
def test_the_wrong_twin_is_rejected(family: str, mutant: str, dtype: Any) -> None:
    kind, cases, twin, mutants = FAMILIES[family]
    with pytest.raises(AssertionError, match="times the bound"):
        compare(kind, cases, mutants[mutant], twin, dtype, 17)
