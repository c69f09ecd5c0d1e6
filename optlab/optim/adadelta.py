"""Adadelta."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from optlab.optim.hyperparameters import FRACTION, POSITIVE, PerRun
from optlab.optim.optimizer import Optimizer


@dataclass(frozen=True)
class Adadelta(Optimizer):
    """The ratio of two running root mean squares is the step size; PyTorch's form.

    ::

        s ← ρ s + (1 − ρ) g²
        d = √(u + eps) / √(s + eps) · g
        u ← ρ u + (1 − ρ) d²
        x ← x − lr d

    eps stands inside both roots, as in the paper, which has no lr (1 here).

    Args:
        lr: Learning rate, >= 0; a number or one per run.
        rho: ρ, in [0, 1); a number or one per run.
        eps: > 0 for any step to be made, since the first one is √eps long; a number or one per run.
        weight_decay: >= 0; a number or one per run.
        maximize: Climb instead.

    The further keywords are those of :class:`Optimizer`. State: ``square_avg`` (s) and ``acc_delta`` (u).

    Raises:
        TypeError: a hyperparameter is not a number.
        ValueError: a hyperparameter is out of range.

    Example:
        >>> import numpy as np
        >>> opt, x = Adadelta(), np.array([1.0])
        >>> state = opt.init(x)
        >>> opt.step(x, np.array([1.0]), state)
        >>> (1 - x).round(6)  # √(1e-6 / 0.1)
        array([0.003162])

    References:
        Zeiler, "ADADELTA: an adaptive learning rate method", 2012.
    """

    _ranges: ClassVar = {"lr": POSITIVE, "rho": FRACTION, "eps": POSITIVE, "weight_decay": POSITIVE}

    lr: PerRun = 1.0
    rho: PerRun = 0.9
    eps: PerRun = 1e-6
    weight_decay: PerRun = 0.0
    maximize: bool = False

    def _rule(self) -> str:
        """See :class:`optlab.optim.rule.Rule`."""
        return "adadelta"
