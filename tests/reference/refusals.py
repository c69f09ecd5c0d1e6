"""Refusals: the right error, in one line that says what would be right."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import optlab as ol
from reference.compare import digest


def refused(call: Callable[[], Any], kind: type[Exception], *patterns: str) -> None:
    """The call raises exactly this kind, in one line in which every pattern is found."""
    with pytest.raises(Exception) as caught:
        call()
    text = str(caught.value)
    assert caught.type is kind, f"{caught.type.__name__}: {text}"
    assert "\n" not in text
    for pattern in patterns:
        assert re.search(pattern, text), f"{pattern!r} is not in {text!r}"


def step_refused(opt: ol.Optimizer, kind: type[Exception], pattern: str, state: Any, x: Any, grad: Any = None) -> None:
    """The same of a step, which leaves x and the state as they were."""
    points = x if isinstance(x, list) else [x]
    if grad is None:
        grad = [2 * array for array in points] if isinstance(x, list) else 2 * x
    arrays = [*points, *(state.values() if isinstance(state, dict) else [])]
    before = [digest(array) for array in arrays if isinstance(array, np.ndarray)]
    refused(lambda: opt.step(x, grad, state), kind, pattern)
    assert [digest(array) for array in arrays if isinstance(array, np.ndarray)] == before
