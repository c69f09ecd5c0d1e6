"""Every wrong twin is rejected by the comparison that the right one passes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from reference.around import stages_of
from reference.battery import killer
from reference.mutants import MUTANTS
from reference.optimizers import RULES


@pytest.mark.parametrize("dtype", (np.float32, np.float64))
@pytest.mark.parametrize("name", RULES)
def test_the_right_twin_passes(name: str, dtype: Any) -> None:
    assert killer(name, stages_of(name), dtype) is None


@pytest.mark.parametrize(("name", "mutant"), MUTANTS)
def test_the_wrong_twin_is_rejected(name: str, mutant: str) -> None:
    # float32, whose bounds are the wider ones; told apart by a number, not by one that is missing
    assert "times the bound" in (killer(name, MUTANTS[name, mutant], np.float32) or "alive")


def test_every_optimizer_has_its_mutants() -> None:
    for name in RULES:
        assert sum(kind == name for kind, _ in MUTANTS) >= 40, name
