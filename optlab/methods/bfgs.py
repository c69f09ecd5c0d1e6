"""BFGS."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optlab.line_search import Counted, LineSearch, dot, strong_wolfe
from optlab.methods.method import Rule
from optlab.typing import Array


@dataclass(frozen=True)
class BFGS:
    """d = −H∇f(x), with H ← (I − s yᵀ/y·s) H (I − y sᵀ/y·s) + s sᵀ/y·s; first H = (s·y / y·y) I."""

    search: LineSearch = strong_wolfe

    def rule(self) -> Rule:
        """See :class:`~optlab.methods.Method`."""
        return _Inverse()


class _Inverse(Rule):
    inverse: Array | None = None

    def direction(self, f: Counted, x: Array, grad: Array) -> Array:
        if self.inverse is None:
            return -grad
        return (-(self.inverse @ grad)).astype(grad.dtype)

    def learn(self, s: Array, y: Array) -> None:
        sy, yy = dot(s, y), dot(y, y)
        if sy <= np.finfo(s.dtype).eps * yy**0.5 * dot(s, s) ** 0.5:
            self.skipped += 1
            return
        s, y = s.astype(np.float64), y.astype(np.float64)
        h = np.eye(len(s)) * (sy / yy) if self.inverse is None else self.inverse
        hy = h @ y
        self.inverse = h + (1 + dot(y, hy) / sy) / sy * np.outer(s, s) - (np.outer(hy, s) + np.outer(s, hy)) / sy
        self.scaled = True

    def forget(self) -> None:
        self.inverse, self.scaled = None, False
