"""RMSprop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from optlab.optim.hyperparameters import FRACTION, POSITIVE, PerRun
from optlab.optim.optimizer import Optimizer


@dataclass(frozen=True)
class RMSprop(Optimizer):
    """The gradient over its running root mean square, PyTorch's form.

    ::

        s ← α s + (1 − α) g²
        centered         a ← α a + (1 − α) g,  and s − a² (never below 0) in the place of s
        momentum = 0     x ← x − lr g / (√s + eps)
        momentum μ       b ← μ b + g / (√s + eps),   x ← x − lr b

    eps stands outside the root. There is no bias correction.

    Args:
        lr: Learning rate, >= 0; a number or one per run.
        alpha: α, in [0, 1); a number or one per run.
        eps: >= 0; a number or one per run. With 0, what has had no gradient yet stays (0 / 0 counts as 0).
        weight_decay: >= 0; a number or one per run.
        momentum: μ, in [0, 1); a number or one per run.
        centered: Divide by the running standard deviation instead.
        maximize: Climb instead.

    The further keywords are those of :class:`Optimizer`. State: ``square_avg``, and ``grad_avg`` and
    ``momentum_buffer`` where they are used.

    Raises:
        TypeError: a hyperparameter is not a number.
        ValueError: a hyperparameter is out of range.

    Example:
        >>> import numpy as np
        >>> opt, x = RMSprop(lr=0.1, alpha=0.0), np.array([1.0, 1.0])
        >>> state = opt.init(x)
        >>> opt.step(x, np.array([5.0, -0.01]), state)  # without memory it is sign descent
        >>> x.round(6)
        array([0.9, 1.1])

    References:
        Hinton, "Neural networks for machine learning", lecture 6e, 2012; centered: Graves, "Generating sequences with
        recurrent neural networks", 2013.
    """

    _ranges: ClassVar = {
        "lr": POSITIVE,
        "alpha": FRACTION,
        "eps": POSITIVE,
        "weight_decay": POSITIVE,
        "momentum": FRACTION,
    }
    _scaling = "invariant"

    lr: PerRun = 1e-2
    alpha: PerRun = 0.99
    eps: PerRun = 1e-8
    weight_decay: PerRun = 0.0
    momentum: PerRun = 0.0
    centered: bool = False
    maximize: bool = False

    def _rule(self) -> str:
        """See :class:`optlab.optim.rule.Rule`."""
        return "rmsprop" + "_centered" * self.centered + "_momentum" * (self.momentum != 0.0)
