"""Gradient descent with a line search."""

from __future__ import annotations

from dataclasses import dataclass

from optlab.line_search import LineSearch, armijo
from optlab.methods.method import Rule


@dataclass(frozen=True)
class GradientDescent:
    """d = −∇f(x), by default with backtracking (Armijo 1966)."""

    search: LineSearch = armijo

    def rule(self) -> Rule:
        """See :class:`~optlab.methods.Method`."""
        return Rule()
