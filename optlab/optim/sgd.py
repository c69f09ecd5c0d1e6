"""Stochastic gradient descent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from optlab.optim.hyperparameters import FRACTION, POSITIVE, PerRun
from optlab.optim.optimizer import Optimizer


@dataclass(frozen=True)
class SGD(Optimizer):
    """Gradient descent, with momentum and Nesterov's look-ahead, in PyTorch's form.

    With g = ±∇f + weight_decay·x::

        momentum = 0      x ← x − lr g
        momentum μ        v ← μ v + (1 − dampening) g,   x ← x − lr v
        nesterov          v ← μ v + (1 − dampening) g,   x ← x − lr (g + μ v)

    The velocity is accumulated, not averaged (:class:`AveragedMomentum`), and the learning rate stands outside it
    (:class:`HeavyBall`); the first step takes v = g whatever the dampening. With constant lr, Nesterov's form is his
    look-ahead sequence in terms of the point where the gradient is taken.

    Args:
        lr: Learning rate, >= 0; a number or one per run.
        momentum: μ, in [0, 1); a number or one per run.
        dampening: In [0, 1]; a number or one per run.
        weight_decay: >= 0; a number or one per run.
        nesterov: Needs momentum > 0 and no dampening.
        maximize: Climb instead.

    The further keywords are those of :class:`Optimizer`. State: ``momentum_buffer``, where there is momentum.

    Raises:
        TypeError: a hyperparameter is not a number.
        ValueError: a hyperparameter is out of range.

    Example:
        >>> import numpy as np
        >>> opt, x = SGD(lr=0.1, momentum=0.9), np.array([1.0, 2.0])
        >>> state = opt.init(x)
        >>> opt.step(x, np.array([1.0, 1.0]), state)
        >>> opt.step(x, np.array([1.0, 1.0]), state)
        >>> x, state["momentum_buffer"], int(state["step"])
        (array([0.71, 1.71]), array([1.9, 1.9]), 2)

    References:
        Sutskever, Martens, Dahl and Hinton, "On the importance of initialization and momentum in deep learning", 2013.
    """

    _ranges: ClassVar = {
        "lr": POSITIVE,
        "momentum": FRACTION,
        "dampening": (0.0, 1.0, False),
        "weight_decay": POSITIVE,
    }
    _scaling = "linear"

    lr: PerRun
    momentum: PerRun = 0.0
    dampening: PerRun = 0.0
    weight_decay: PerRun = 0.0
    nesterov: bool = False
    maximize: bool = False

    def _check(self) -> None:
        """See :class:`optlab.optim.rule.Rule`."""
        if self.nesterov and (np.min(self.momentum) == 0 or np.max(self.dampening) != 0):
            raise ValueError(
                f"nesterov: got momentum {self.momentum} and dampening {self.dampening}, "
                "expected momentum > 0 and no dampening"
            )

    def _rule(self) -> str:
        """See :class:`optlab.optim.rule.Rule`."""
        if self.momentum == 0.0:
            return "sgd"
        return "sgd_nesterov" if self.nesterov else "sgd_momentum"
