"""Newton's method, damped by its line search."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optlab.line_search import Counted, LineSearch, armijo
from optlab.methods.method import Rule
from optlab.typing import Array


@dataclass(frozen=True)
class Newton:
    """d = −|H|⁻¹∇f(x), with the absolute eigenvalues of the Hessian, so that it falls at saddles, too.

    Where H is positive definite this is Newton's step; elsewhere that of saddle-free Newton (Dauphin et al. 2014).
    Eigenvalues below 1e-12 of the largest count as that. For small dim: it factors the Hessian at each step.
    """

    search: LineSearch = armijo

    def rule(self) -> Rule:
        """See :class:`~optlab.methods.Method`."""
        return _Absolute()


class _Absolute(Rule):
    scaled = True

    def direction(self, f: Counted, x: Array, grad: Array) -> Array:
        hessian = f.hessian(x).astype(np.float64)
        if not np.isfinite(hessian).all():
            return -grad
        values, vectors = np.linalg.eigh(hessian)
        sizes = np.abs(values)
        if sizes.max() == 0:
            return -grad
        sizes = np.maximum(sizes, 1e-12 * sizes.max())
        found: Array = -(vectors @ ((vectors.T @ grad) / sizes))
        return found.astype(grad.dtype, copy=False)
