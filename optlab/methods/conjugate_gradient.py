"""Nonlinear conjugate gradients."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

from optlab.line_search import Counted, LineSearch, dot, strong_wolfe
from optlab.methods.method import Rule
from optlab.typing import Array

Formula = Literal["FR", "PR+", "HZ"]
TIGHT = partial(strong_wolfe, curvature=0.1)


@dataclass(frozen=True)
class ConjugateGradient:
    """d ← −∇f(x) + β d: Fletcher-Reeves, Polak-Ribière+ or Hager-Zhang (2005, without their lower bound)."""

    beta: Formula = "PR+"
    search: LineSearch = TIGHT

    def __post_init__(self) -> None:
        if self.beta not in ("FR", "PR+", "HZ"):
            raise ValueError(f"beta: got {self.beta!r}, expected 'FR', 'PR+' or 'HZ'")

    def rule(self) -> Rule:
        """See :class:`~optlab.methods.Method`."""
        return _Conjugate(self.beta)


class _Conjugate(Rule):
    def __init__(self, beta: Formula) -> None:
        self.beta = beta
        self.last: tuple[Array, Array] | None = None

    def direction(self, f: Counted, x: Array, grad: Array) -> Array:
        found = -grad
        if self.last is not None:
            found = found + grad.dtype.type(self._factor(grad, *self.last)) * self.last[1]
            if dot(found, grad) >= 0:
                found = -grad
        self.last = grad, found
        return found

    def _factor(self, grad: Array, before: Array, d: Array) -> float:
        y = grad - before
        if self.beta == "FR":
            return dot(grad, grad) / dot(before, before)
        if self.beta == "PR+":
            return max(dot(grad, y) / dot(before, before), 0.0)
        dy = dot(d, y)
        return (dot(y, grad) - 2 * dot(y, y) * dot(d, grad) / dy) / dy if dy else 0.0

    def forget(self) -> None:
        self.last = None
