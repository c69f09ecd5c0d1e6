"""Adam, and what it shares with its descendants: two averages with two betas."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from optlab.optim.hyperparameters import FRACTION, POSITIVE, PerRun
from optlab.optim.optimizer import Optimizer

Betas = tuple[PerRun, PerRun]
BETAS = ("beta1", "beta2")
BETA_RANGES = dict.fromkeys(BETAS, FRACTION)


class WithBetas(Optimizer):
    """An optimizer whose ``betas`` are the hyperparameters beta1 and beta2 of its rule."""

    betas: Betas

    def _pair(self) -> Betas:
        if not isinstance(self.betas, tuple | list) or len(self.betas) != 2:
            raise TypeError(f"betas: got {self.betas!r}, expected a pair (beta1, beta2)")
        return self.betas

    def _value(self, name: str) -> Any:
        """See :class:`optlab.optim.rule.Rule`."""
        return self._pair()[BETAS.index(name)] if name in BETAS else super()._value(name)

    def _replaced(self, values: Mapping[str, Any]) -> Optimizer:
        """See :class:`optlab.optim.rule.Rule`."""
        others = dict(values)
        betas = tuple(others.pop(name, own) for name, own in zip(BETAS, self._pair(), strict=True))
        return super()._replaced({**others, "betas": betas})

    def _store(self, checked: Mapping[str, Any]) -> None:
        """See :class:`optlab.optim.rule.Rule`."""
        others = dict(checked)
        self._set("betas", tuple(others.pop(name) for name in BETAS))
        super()._store(others)


@dataclass(frozen=True)
class Adam(WithBetas):
    """The averaged gradient over its averaged root mean square, PyTorch's form.

    ::

        m ← β₁ m + (1 − β₁) g,     v ← β₂ v + (1 − β₂) g²
        m̂ = m / (1 − β₁ᵗ),         v̂ = v / (1 − β₂ᵗ)           t from 1
        x ← x − lr m̂ / (√v̂ + eps)

    eps stands outside the root. With ``amsgrad`` the largest v so far takes v's place; without ``bias_correction`` m
    and v take the place of m̂ and v̂. Weight decay is coupled (:class:`AdamW` decouples it).

    Args:
        lr: Learning rate, >= 0; a number or one per run.
        betas: (β₁, β₂), each in [0, 1); each a number or one per run.
        eps: >= 0; a number or one per run. With 0, what has had no gradient yet stays (0 / 0 counts as 0).
        weight_decay: >= 0; a number or one per run.
        amsgrad: Use the largest v so far.
        maximize: Climb instead.
        bias_correction: Divide by 1 − βᵗ.

    The further keywords are those of :class:`Optimizer`. State: ``exp_avg`` (m), ``exp_avg_sq`` (v), and
    ``max_exp_avg_sq`` with amsgrad.

    Raises:
        TypeError: a hyperparameter is not a number.
        ValueError: a hyperparameter is out of range.

    Example:
        >>> import numpy as np
        >>> opt, x = Adam(lr=0.1), np.array([1.0, 1.0])
        >>> state = opt.init(x)
        >>> opt.step(x, np.array([300.0, -0.02]), state)  # the first step has size lr, whatever the gradient
        >>> x.round(6)
        array([0.9, 1.1])

    References:
        Kingma and Ba, "Adam: a method for stochastic optimization", 2015; amsgrad: Reddi, Kale and Kumar, "On the
        convergence of Adam and beyond", 2018.
    """

    _ranges: ClassVar = {"lr": POSITIVE, **BETA_RANGES, "eps": POSITIVE, "weight_decay": POSITIVE}
    _scaling = "invariant"

    lr: PerRun = 1e-3
    betas: Betas = (0.9, 0.999)
    eps: PerRun = 1e-8
    weight_decay: PerRun = 0.0
    amsgrad: bool = False
    maximize: bool = False
    bias_correction: bool = True

    def _rule(self) -> str:
        """See :class:`optlab.optim.rule.Rule`."""
        return "adam_amsgrad" if self.amsgrad else "adam"
