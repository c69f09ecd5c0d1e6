"""Lowering the learning rate when a measured value stops improving."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optlab.checks import integer, real
from optlab.schedules.schedule import one_of
from optlab.trajectory import MAX_STEP


@dataclass
class ReduceOnPlateau:
    """PyTorch's ReduceLROnPlateau: a controller with state, not a schedule, since it answers to measured values.

    A value is better if it beats the best one by the threshold: for mode "min", ``value < best (1 − threshold)`` with
    "rel" and ``value < best − threshold`` with "abs". After more than ``patience`` values in a row that are not, the
    factor on the learning rate becomes ``max(factor · scale, min_factor)``, unless that lowers it by ``eps`` or less.
    The ``cooldown`` values that follow do not count as bad. As in PyTorch, NaN is never better and counts as bad, and
    with "rel" a negative best makes slightly worse values pass as better.

    Args:
        factor: What a reduction multiplies by, in [0, 1).
        patience: How many bad values are borne, >= 0.
        threshold: >= 0.
        threshold_mode: "rel" or "abs".
        cooldown: >= 0.
        min_factor: In [0, 1]; PyTorch's min_lr over lr.
        eps: >= 0; PyTorch's eps over lr.
        mode: "min" for values that should fall, "max" for those that should rise.

    Attributes:
        scale: The factor on the learning rate so far.
        best: The best value.
        bad: How many bad values came in a row.
        cooling: How many values of the cooldown are left.

    Raises:
        TypeError: an argument is not a number.
        ValueError: an argument is out of range.

    Example:
        >>> control = ReduceOnPlateau(factor=0.5, patience=1)
        >>> [control.update(loss) for loss in (3.0, 2.0, 2.0, 2.5, 1.0, float("nan"))]
        [1.0, 1.0, 1.0, 0.5, 0.5, 0.5]
        >>> control.state()["bad"]
        array(1)
    """

    factor: float = 0.1
    patience: int = 10
    threshold: float = 1e-4
    threshold_mode: str = "rel"
    cooldown: int = 0
    min_factor: float = 0.0
    eps: float = 1e-8
    mode: str = "min"
    scale: float = field(default=1.0, init=False)
    best: float = field(default=math.inf, init=False)
    bad: int = field(default=0, init=False)
    cooling: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.factor = real("factor", self.factor, 0.0, 1.0, open_high=True)
        self.patience = integer("patience", self.patience, 0, MAX_STEP)
        self.threshold = real("threshold", self.threshold, 0.0)
        self.threshold_mode = one_of("threshold_mode", self.threshold_mode, ("rel", "abs"))
        self.cooldown = integer("cooldown", self.cooldown, 0, MAX_STEP)
        self.min_factor = real("min_factor", self.min_factor, 0.0, 1.0)
        self.eps = real("eps", self.eps, 0.0)
        self.mode = one_of("mode", self.mode, ("min", "max"))
        self.best = math.inf if self.mode == "min" else -math.inf

    def update(self, value: float) -> float:
        """Takes the next value and returns the factor on the learning rate from here on.

        Raises:
            TypeError: value is not a number.
        """
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            raise TypeError(f"value: got {value!r}, expected a number")
        better = self._better(float(value))
        if better:
            self.best = float(value)
        self.bad = 0 if better or self.cooling else self.bad + 1
        self.cooling = max(self.cooling - 1, 0)
        if self.bad > self.patience:
            self._reduce()
        return self.scale

    def state(self) -> dict[str, NDArray[Any]]:
        """A copy of the state as 0-d arrays, for ``np.savez`` and :meth:`restore`."""
        return {name: np.array(getattr(self, name)) for name in ("scale", "best", "bad", "cooling")}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> ReduceOnPlateau:
        """Takes on a state, as ``np.load`` gives it back, and returns itself.

        Raises:
            TypeError: a part is not a number.
            ValueError: a part is missing or out of range.
        """
        if missing := self.state().keys() - set(state):
            raise ValueError(f"state: got no {', '.join(sorted(missing))}, expected what state() gave")
        scale, best, bad, cooling = (np.asarray(state[name]).item() for name in self.state())
        self.scale, self.best = real("scale", scale, 0.0, 1.0), float(best)
        self.bad, self.cooling = integer("bad", bad, 0, MAX_STEP), integer("cooling", cooling, 0, MAX_STEP)
        return self

    def _better(self, value: float) -> bool:
        sign = 1.0 if self.mode == "min" else -1.0
        margin = sign * self.threshold
        goal = self.best * (1.0 - margin) if self.threshold_mode == "rel" else self.best - margin
        return sign * value < sign * goal

    def _reduce(self) -> None:
        lower = max(self.scale * self.factor, self.min_factor)
        if self.scale - lower > self.eps:
            self.scale = lower
        self.bad, self.cooling = 0, self.cooldown
