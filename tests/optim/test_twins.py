"""Every optimizer, in every configuration and size, against its twin."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cases.optimizers import AROUND, CASES, EVERYTHING, OWN, make
from reference.stepping import SIZES, assert_path, assert_steps, data

DTYPES = (np.float32, np.float64)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "case"), CASES)
def test_every_size(name: str, case: str, dtype: Any) -> None:
    for size in SIZES:
        for around in ({}, EVERYTHING):
            assert_steps(make(name, OWN[name][case], around), *data(size, dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "case"), CASES)
def test_every_combination_around_the_rule(name: str, case: str, dtype: Any) -> None:
    for number, around in enumerate(AROUND if case == "plain" else AROUND[::5]):  # 5 divides no number of choices
        size = SIZES[number % len(SIZES)]
        assert_steps(make(name, OWN[name][case], around), *data(size, dtype, 2))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "case"), CASES)
def test_whole_paths(name: str, case: str, dtype: Any) -> None:
    for around in ({}, EVERYTHING):
        assert_path(make(name, OWN[name][case], around), *data(17, dtype))
