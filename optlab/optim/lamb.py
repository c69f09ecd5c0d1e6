"""LAMB."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from optlab.optim.adam import BETA_RANGES, Betas, WithBetas
from optlab.optim.hyperparameters import POSITIVE, PerRun
from optlab.optim.layerwise import Layerwise


@dataclass(frozen=True)
class LAMB(Layerwise, WithBetas):
    """Adam's direction, scaled in each segment to the norm of its weights; the paper's algorithm 2, as in optax.

    ::

        m ← β₁ m + (1 − β₁) g,     v ← β₂ v + (1 − β₂) g²
        u = m̂ / (√v̂ + eps) + weight_decay w                     both averages corrected, as Adam's
        w ← w − lr ‖w‖ / ‖u‖ · u                                of each segment; lr · u where ‖w‖ or ‖u‖ is 0

    The paper's bound φ on ‖w‖ is the identity here. Segments are those of the layout given to ``init``, or the arrays
    of a list.

    Args:
        lr: Learning rate, >= 0; a number or one per run.
        betas: (β₁, β₂), each in [0, 1); each a number or one per run.
        eps: >= 0, outside the root; a number or one per run. With 0, what has had no gradient yet stays (0 / 0 counts
            as 0).
        weight_decay: λ, >= 0; a number or one per run.
        maximize: Climb instead.

    The further keywords are those of :class:`Optimizer`. State: ``exp_avg`` (m) and ``exp_avg_sq`` (v).

    Raises:
        TypeError: a hyperparameter is not a number.
        ValueError: a hyperparameter is out of range, or the decay is to be decoupled.

    Example:
        >>> import numpy as np
        >>> opt, x = LAMB(lr=0.1), np.array([3.0, 4.0])
        >>> state = opt.init(x)
        >>> opt.step(x, np.array([7.0, 7.0]), state)  # a tenth of ‖x‖ = 5, along the signs of the gradient
        >>> x.round(4)
        array([2.6464, 3.6464])

    References:
        You, Li, Reddi, Hseu, Kumar, Bhojanapalli, Song, Demmel, Keutzer and Hsieh, "Large batch optimization for deep
        learning: training BERT in 76 minutes", 2020.
    """

    _ranges: ClassVar = {"lr": POSITIVE, **BETA_RANGES, "eps": POSITIVE, "weight_decay": POSITIVE}

    lr: PerRun
    betas: Betas = (0.9, 0.999)
    eps: PerRun = 1e-6
    weight_decay: PerRun = 0.0
    maximize: bool = False

    def _rule(self) -> str:
        """See :class:`optlab.optim.rule.Rule`."""
        return "lamb"
