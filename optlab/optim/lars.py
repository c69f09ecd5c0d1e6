"""LARS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from optlab.optim.hyperparameters import FRACTION, POSITIVE, PerRun
from optlab.optim.layerwise import Layerwise


@dataclass(frozen=True)
class LARS(Layerwise):
    """Momentum whose step in each segment follows the norm of its weights, the paper's algorithm 1.

    ::

        r = trust_coefficient ‖w‖ / (‖g‖ + weight_decay ‖w‖ + eps)        of each segment; 1 where ‖w‖ or ‖g‖ is 0
        v ← μ v + lr r (g + weight_decay w)
        w ← w − v

    The learning rate stands inside the velocity. (optax divides by ‖g + weight_decay w‖ instead; without decay the two
    agree.) Segments are those of the layout given to ``init``, or the arrays of a list.

    Args:
        lr: γ, the global learning rate, >= 0; a number or one per run.
        momentum: μ, in [0, 1); a number or one per run.
        weight_decay: β, >= 0; a number or one per run.
        trust_coefficient: η, >= 0; a number or one per run.
        eps: >= 0; a number or one per run.
        maximize: Climb instead.

    The further keywords are those of :class:`Optimizer`. State: ``momentum_buffer``.

    Raises:
        TypeError: a hyperparameter is not a number.
        ValueError: a hyperparameter is out of range, or the decay is to be decoupled.

    Example:
        >>> import numpy as np
        >>> opt, x = LARS(lr=1.0, trust_coefficient=0.1), np.array([3.0, 4.0])
        >>> state = opt.init(x)
        >>> opt.step(x, np.array([0.0, 100.0]), state)  # a tenth of ‖x‖ = 5, along the gradient
        >>> x
        array([3. , 3.5])

    References:
        You, Gitman and Ginsburg, "Large batch training of convolutional networks", 2017.
    """

    _ranges: ClassVar = {
        "lr": POSITIVE,
        "momentum": FRACTION,
        "weight_decay": POSITIVE,
        "trust_coefficient": POSITIVE,
        "eps": POSITIVE,
    }

    lr: PerRun
    momentum: PerRun = 0.9
    weight_decay: PerRun = 0.0
    trust_coefficient: PerRun = 1e-3
    eps: PerRun = 0.0
    maximize: bool = False

    def _rule(self) -> str:
        """See :class:`optlab.optim.rule.Rule`."""
        return "lars"
