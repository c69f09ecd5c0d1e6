"""NAdam."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from optlab.optim.adam import BETA_RANGES, Betas, WithBetas
from optlab.optim.hyperparameters import POSITIVE, PerRun


@dataclass(frozen=True)
class NAdam(WithBetas):
    """Adam with Nesterov's look-ahead and a momentum that warms up, PyTorch's form.

    ::

        μ_t = β₁ (1 − ½ · 0.96^(t · momentum_decay)),   M_t = μ_1 ⋯ μ_t        t from 1
        m ← β₁ m + (1 − β₁) g,     v ← β₂ v + (1 − β₂) g²
        x ← x − lr [ (1 − μ_t) / (1 − M_t) g + μ_{t+1} / (1 − M_{t+1}) m ] / (√(v / (1 − β₂ᵗ)) + eps)

    M_t is computed in closed form at each step, not carried along, so it is no state and never drifts. Weight decay is
    coupled unless ``decoupled_weight_decay``.

    Args:
        lr: Learning rate, >= 0; a number or one per run.
        betas: (β₁, β₂), each in [0, 1); each a number or one per run.
        eps: >= 0; a number or one per run. With 0, what has had no gradient yet stays (0 / 0 counts as 0).
        weight_decay: >= 0; a number or one per run.
        momentum_decay: >= 0; a number or one per run.
        maximize: Climb instead.

    The further keywords are those of :class:`Optimizer`. State: ``exp_avg`` (m) and ``exp_avg_sq`` (v).

    Raises:
        TypeError: a hyperparameter is not a number.
        ValueError: a hyperparameter is out of range.

    Example:
        >>> import numpy as np
        >>> opt, x = NAdam(lr=0.1), np.array([1.0])
        >>> state = opt.init(x)
        >>> opt.step(x, np.array([4.0]), state)
        >>> x.round(4)
        array([0.8944])

    References:
        Dozat, "Incorporating Nesterov momentum into Adam", 2016.
    """

    _ranges: ClassVar = {
        "lr": POSITIVE,
        **BETA_RANGES,
        "eps": POSITIVE,
        "weight_decay": POSITIVE,
        "momentum_decay": POSITIVE,
    }
    _scaling = "invariant"

    lr: PerRun = 2e-3
    betas: Betas = (0.9, 0.999)
    eps: PerRun = 1e-8
    weight_decay: PerRun = 0.0
    momentum_decay: PerRun = 4e-3
    maximize: bool = False

    def _rule(self) -> str:
        """See :class:`optlab.optim.rule.Rule`."""
        return "nadam"
