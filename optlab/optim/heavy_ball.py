"""Polyak's heavy ball."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from optlab.optim.hyperparameters import FRACTION, POSITIVE, PerRun
from optlab.optim.optimizer import Optimizer


@dataclass(frozen=True)
class HeavyBall(Optimizer):
    """x_{k+1} = x_k − lr g_k + μ (x_k − x_{k−1}), kept as δ ← μ δ − lr g, x ← x + δ.

    The learning rate stands inside the velocity. With constant lr it makes the same path as ``SGD(lr, momentum)`` up to
    rounding; under a schedule the two differ.

    Args:
        lr: Learning rate, >= 0; a number or one per run.
        momentum: μ, in [0, 1); a number or one per run.
        weight_decay: >= 0; a number or one per run.
        maximize: Climb instead.

    The further keywords are those of :class:`Optimizer`. State: ``delta``.

    Raises:
        TypeError: a hyperparameter is not a number.
        ValueError: a hyperparameter is out of range.

    Example:
        >>> import numpy as np
        >>> opt, x = HeavyBall(lr=0.1, momentum=0.9), np.array([1.0])
        >>> state = opt.init(x)
        >>> opt.step(x, np.array([1.0]), state)
        >>> opt.step(x, np.array([1.0]), state)
        >>> x
        array([0.71])

    References:
        Polyak, "Some methods of speeding up the convergence of iteration methods", 1964.
    """

    _ranges: ClassVar = {"lr": POSITIVE, "momentum": FRACTION, "weight_decay": POSITIVE}
    _scaling = "linear"

    lr: PerRun
    momentum: PerRun = 0.0
    weight_decay: PerRun = 0.0
    maximize: bool = False

    def _rule(self) -> str:
        """See :class:`optlab.optim.rule.Rule`."""
        return "heavy_ball"
