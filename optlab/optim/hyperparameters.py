"""Hyperparameters: one number, or one per run, inside a range."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optlab.checks import real

PerRun = float | Sequence[float] | NDArray[Any]
"""A hyperparameter: one number, or one per run, so that a sweep is one call."""

Range = tuple[float, float, bool]
"""Low, high, and whether high itself is left out."""
POSITIVE: Range = (0.0, math.inf, False)
FRACTION: Range = (0.0, 1.0, True)


def per_run(name: str, given: PerRun, low: float, high: float = math.inf, *, open_high: bool = False) -> Any:
    """A checked hyperparameter: a float, or a tuple of one float per run.

    Raises:
        TypeError: it is neither.
        ValueError: a number is out of range, or there is none.
    """
    if np.ndim(given) == 0:
        return real(name, given, low, high, open_high=open_high)
    numbers = np.array(given, dtype=object) if isinstance(given, Sequence) else np.asarray(given)
    if numbers.ndim != 1 or numbers.size == 0:
        raise ValueError(f"{name}: got shape {numbers.shape}, expected one number or (runs,)")
    return tuple(real(name, number, low, high, open_high=open_high) for number in numbers.tolist())


def rates(lr: PerRun | None) -> list[float] | None:
    """The learning rates of one step as the kernels take them: none, one, or one per run."""
    # A schedule gives a plain number at every step, which therefore takes the short way.
    if lr is None or (type(lr) is float and 0.0 <= lr < math.inf):
        return lr if lr is None else [lr]
    given: list[float] = np.atleast_1d(per_run("lr", lr, 0.0)).tolist()
    return given
