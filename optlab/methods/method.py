"""What a method is to :func:`optlab.minimize`."""

from __future__ import annotations

from typing import Protocol

from optlab.line_search import Counted, LineSearch
from optlab.typing import Array


class Rule:
    """The memory of one run: directions, and what is learned from each step. Without any, steepest descent.

    Attributes:
        scaled: Whether the direction has a natural length, so that the first trial is a step of 1.
        skipped: How many pairs of steps and gradient differences were of no use.
    """

    scaled = False
    skipped = 0

    def direction(self, f: Counted, x: Array, grad: Array) -> Array:
        """Where to go from x."""
        return -grad

    def learn(self, s: Array, y: Array) -> None:
        """Takes in a step s and the difference y of the gradients at its ends."""

    def forget(self) -> None:
        """Starts anew, after a search that failed."""


class Method(Protocol):
    """A method: its line search, and a rule for each run."""

    @property
    def search(self) -> LineSearch:
        """How far to go."""

    def rule(self) -> Rule:
        """The empty memory of a run."""
