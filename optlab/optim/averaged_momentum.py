"""Momentum as an average of gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from optlab.optim.hyperparameters import FRACTION, POSITIVE, PerRun
from optlab.optim.optimizer import Optimizer


@dataclass(frozen=True)
class AveragedMomentum(Optimizer):
    """v ← β v + (1 − β) g, x ← x − lr v, from v = 0 and without bias correction.

    With constant lr its path is that of ``SGD(lr=(1 − β) lr, momentum=β)``, whose velocity is 1 / (1 − β) times as
    large.

    Args:
        lr: Learning rate, >= 0; a number or one per run.
        momentum: β, in [0, 1); a number or one per run.
        weight_decay: >= 0; a number or one per run.
        maximize: Climb instead.

    The further keywords are those of :class:`Optimizer`. State: ``exp_avg``.

    Raises:
        TypeError: a hyperparameter is not a number.
        ValueError: a hyperparameter is out of range.

    Example:
        >>> import numpy as np
        >>> opt, x = AveragedMomentum(lr=1.0, momentum=0.5), np.array([1.0])
        >>> state = opt.init(x)
        >>> opt.step(x, np.array([1.0]), state)
        >>> x, state["exp_avg"]
        (array([0.5]), array([0.5]))
    """

    _ranges: ClassVar = {"lr": POSITIVE, "momentum": FRACTION, "weight_decay": POSITIVE}
    _scaling = "linear"

    lr: PerRun
    momentum: PerRun = 0.9
    weight_decay: PerRun = 0.0
    maximize: bool = False

    def _rule(self) -> str:
        """See :class:`optlab.optim.rule.Rule`."""
        return "averaged_momentum"
