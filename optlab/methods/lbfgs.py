"""L-BFGS."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from optlab.line_search import Counted, LineSearch, dot, strong_wolfe
from optlab.methods.method import Rule
from optlab.typing import Array


@dataclass(frozen=True)
class LBFGS:
    """The two-loop recursion over the last ``memory`` pairs, H₀ = (s·y / y·y) I (Liu, Nocedal 1989)."""

    memory: int = 10
    search: LineSearch = strong_wolfe

    def __post_init__(self) -> None:
        if self.memory < 1:
            raise ValueError(f"memory: got {self.memory}, expected a whole number >= 1")

    def rule(self) -> Rule:
        """See :class:`~optlab.methods.Method`."""
        return _Pairs(self.memory)


class _Pairs(Rule):
    def __init__(self, memory: int) -> None:
        self.pairs: deque[tuple[Array, Array, float]] = deque(maxlen=memory)

    def direction(self, f: Counted, x: Array, grad: Array) -> Array:
        q, alphas = grad.astype(np.float64), []
        for s, y, sy in reversed(self.pairs):
            alphas.append(dot(s, q) / sy)
            q = q - alphas[-1] * y
        if self.pairs:
            _, y, sy = self.pairs[-1]
            q = q * (sy / dot(y, y))
        for s, y, sy in self.pairs:
            q = q + (alphas.pop() - dot(y, q) / sy) * s
        return (-q).astype(grad.dtype)

    def learn(self, s: Array, y: Array) -> None:
        sy = dot(s, y)
        if sy <= np.finfo(s.dtype).eps * dot(y, y) ** 0.5 * dot(s, s) ** 0.5:
            self.skipped += 1
            return
        self.pairs.append((s.astype(np.float64), y.astype(np.float64), sy))
        self.scaled = True

    def forget(self) -> None:
        self.pairs.clear()
        self.scaled = False
