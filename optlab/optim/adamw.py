"""AdamW."""

from __future__ import annotations

from dataclasses import dataclass, field

from optlab.optim.adam import Adam, Betas
from optlab.optim.hyperparameters import PerRun


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled weight decay, PyTorch's form: x ← (1 − lr · weight_decay) x, then Adam's step.

    The decay is scaled by lr, and so by a schedule; the paper's own form scales it by the schedule alone.

    Args:
        lr: Learning rate, >= 0; a number or one per run.
        betas: (β₁, β₂), each in [0, 1); each a number or one per run.
        eps: >= 0, outside the root; a number or one per run. With 0, what has had no gradient yet stays (0 / 0 counts
            as 0).
        weight_decay: >= 0; a number or one per run.
        amsgrad: Use the largest v so far.
        maximize: Climb instead.
        bias_correction: Divide by 1 − βᵗ.

    The further keywords are those of :class:`Optimizer`. State: that of :class:`Adam`.

    Raises:
        TypeError: a hyperparameter is not a number.
        ValueError: a hyperparameter is out of range.

    Example:
        >>> import numpy as np
        >>> opt, x = AdamW(lr=0.1, weight_decay=0.5), np.array([1.0])
        >>> state = opt.init(x)
        >>> opt.step(x, np.array([0.0]), state)  # no gradient: the decay alone
        >>> x
        array([0.95])

    References:
        Loshchilov and Hutter, "Decoupled weight decay regularization", 2019.
    """

    lr: PerRun = 1e-3
    betas: Betas = (0.9, 0.999)
    eps: PerRun = 1e-8
    weight_decay: PerRun = 1e-2
    decoupled_weight_decay: bool = field(default=True, kw_only=True)
