"""Adagrad."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from optlab.checks import real
from optlab.layout import Segment
from optlab.optim.hyperparameters import POSITIVE, PerRun
from optlab.optim.optimizer import Optimizer
from optlab.optim.point import Point, State


@dataclass(frozen=True)
class Adagrad(Optimizer):
    """s ← s + g², x ← x − lr / (1 + t lr_decay) · g / (√s + eps), where t counts from 0; PyTorch's form.

    eps stands outside the root. The diagonal variant of the paper, without its projection (``max_norm`` has one).

    Args:
        lr: Learning rate, >= 0; a number or one per run.
        lr_decay: >= 0; a number or one per run.
        weight_decay: >= 0; a number or one per run.
        initial_accumulator_value: What s begins with, >= 0.
        eps: >= 0; a number or one per run. With 0, what has had no gradient yet stays (0 / 0 counts as 0).
        maximize: Climb instead.

    The further keywords are those of :class:`Optimizer`. State: ``sum``.

    Raises:
        TypeError: a hyperparameter is not a number.
        ValueError: a hyperparameter is out of range.

    Example:
        >>> import numpy as np
        >>> opt, x = Adagrad(lr=0.5), np.array([1.0, 1.0])
        >>> state = opt.init(x)
        >>> opt.step(x, np.array([3.0, -4.0]), state)
        >>> x.round(6), state["sum"]
        (array([0.5, 1.5]), array([ 9., 16.]))

    References:
        Duchi, Hazan and Singer, "Adaptive subgradient methods for online learning and stochastic optimization", 2011.
    """

    _ranges: ClassVar = {"lr": POSITIVE, "lr_decay": POSITIVE, "weight_decay": POSITIVE, "eps": POSITIVE}
    _scaling = "invariant"

    lr: PerRun = 1e-2
    lr_decay: PerRun = 0.0
    weight_decay: PerRun = 0.0
    initial_accumulator_value: float = 0.0
    eps: PerRun = 1e-10
    maximize: bool = False

    def _check(self) -> None:
        """See :class:`optlab.optim.rule.Rule`."""
        self._set("initial_accumulator_value", real("initial_accumulator_value", self.initial_accumulator_value, 0.0))

    def _rule(self) -> str:
        """See :class:`optlab.optim.rule.Rule`."""
        return "adagrad"

    def init(self, x: Point, layout: Sequence[Segment] | None = None, runs_axis: bool = False) -> State:
        """See :meth:`Optimizer.init`."""
        state = super().init(x, layout, runs_axis)
        state["sum"].fill(self.initial_accumulator_value)
        return state
