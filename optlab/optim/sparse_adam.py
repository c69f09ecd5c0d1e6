"""SparseAdam."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from optlab.optim.adam import BETA_RANGES, Betas, WithBetas
from optlab.optim.hyperparameters import POSITIVE, PerRun, rates
from optlab.optim.point import Point, State


@dataclass(frozen=True)
class SparseAdam(WithBetas):
    """Adam for gradients that have few non-zero rows: only the rows named are touched, PyTorch's form.

    For each row named::

        m ← β₁ m + (1 − β₁) g,     v ← β₂ v + (1 − β₂) g²
        x ← x − lr √(1 − β₂ᵗ) / (1 − β₁ᵗ) · m / (√v + eps)

    t counts the steps of the optimizer, not those of the row, and the averages of other rows do not decay: this is not
    Adam with zeros. eps stands beside the uncorrected root. Without ``rows``, and inside ``descend``, every row is
    named.

    Args:
        lr: Learning rate, >= 0; a number or one per run.
        betas: (β₁, β₂), each in [0, 1); each a number or one per run.
        eps: >= 0; a number or one per run. With 0, what has had no gradient yet stays (0 / 0 counts as 0).
        maximize: Climb instead.

    The further keywords are those of :class:`Optimizer`, without max_norm and noise, which touch every row. State:
    ``exp_avg`` (m) and ``exp_avg_sq`` (v).

    Raises:
        TypeError: a hyperparameter is not a number.
        ValueError: a hyperparameter is out of range.

    Example:
        >>> import numpy as np
        >>> opt, table = SparseAdam(lr=0.1), np.ones((4, 2))
        >>> state = opt.init(table)
        >>> opt.step(table, np.array([[5.0, -5.0]]), state, rows=np.array([2]))
        >>> table.round(6)
        array([[1. , 1. ],
               [1. , 1. ],
               [0.9, 1.1],
               [1. , 1. ]])

    References:
        Kingma and Ba, "Adam: a method for stochastic optimization", 2015.
    """

    _ranges: ClassVar = {"lr": POSITIVE, **BETA_RANGES, "eps": POSITIVE}
    _scaling = "invariant"

    lr: PerRun = 1e-3
    betas: Betas = (0.9, 0.999)
    eps: PerRun = 1e-8
    maximize: bool = False

    def _check(self) -> None:
        """See :class:`optlab.optim.rule.Rule`."""
        for name in ("max_norm", "noise"):
            if getattr(self, name):
                raise ValueError(f"{name}: got {getattr(self, name)}, expected none, since it touches every row")

    def _rule(self) -> str:
        """See :class:`optlab.optim.rule.Rule`."""
        return "sparse_adam"

    def step(
        self,
        x: Point,
        grad: Point,
        state: State,
        *,
        lr: PerRun | None = None,
        rows: NDArray[np.int64] | None = None,
    ) -> None:
        """Updates the rows named of x and state in place.

        Args:
            x: float32 or float64, ``(rows, …)``.
            grad: One row for each row named, in their order; without ``rows``, of the shape of x.
            state: What :meth:`init` returned for x.
            lr: Stands in for the optimizer's learning rate in this step.
            rows: int64 row numbers, each at most once.

        Raises:
            TypeError: an array is not of the dtype of x, or rows not of int64.
            ValueError: a row is out of range or named twice, or as :meth:`Optimizer.step`.
        """
        if rows is None:
            return super().step(x, grad, state, lr=lr)
        self._updater_for(x).step_rows(self, x, rows, grad, state, rates(lr))
        return None
