"""Adamax."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from optlab.optim.adam import BETA_RANGES, Betas, WithBetas
from optlab.optim.hyperparameters import POSITIVE, PerRun


@dataclass(frozen=True)
class Adamax(WithBetas):
    """Adam with a running maximum in the place of the root mean square, PyTorch's form.

    ::

        m ← β₁ m + (1 − β₁) g,     u ← max(β₂ u, |g| + eps)
        x ← x − lr / (1 − β₁ᵗ) · m / u                          t from 1

    Args:
        lr: Learning rate, >= 0; a number or one per run.
        betas: (β₁, β₂), each in [0, 1); each a number or one per run.
        eps: >= 0; a number or one per run. With 0, what has had no gradient yet stays (0 / 0 counts as 0).
        weight_decay: >= 0; a number or one per run.
        maximize: Climb instead.

    The further keywords are those of :class:`Optimizer`. State: ``exp_avg`` (m) and ``exp_inf`` (u).

    Raises:
        TypeError: a hyperparameter is not a number.
        ValueError: a hyperparameter is out of range.

    Example:
        >>> import numpy as np
        >>> opt, x = Adamax(lr=0.1), np.array([1.0])
        >>> state = opt.init(x)
        >>> opt.step(x, np.array([4.0]), state)
        >>> x.round(6)
        array([0.9])

    References:
        Kingma and Ba, "Adam: a method for stochastic optimization", 2015, section 7.1.
    """

    _ranges: ClassVar = {"lr": POSITIVE, **BETA_RANGES, "eps": POSITIVE, "weight_decay": POSITIVE}
    _scaling = "invariant"

    lr: PerRun = 2e-3
    betas: Betas = (0.9, 0.999)
    eps: PerRun = 1e-8
    weight_decay: PerRun = 0.0
    maximize: bool = False

    def _rule(self) -> str:
        """See :class:`optlab.optim.rule.Rule`."""
        return "adamax"
