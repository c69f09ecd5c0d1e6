"""Draws of a size that the caller chooses."""

from __future__ import annotations

from dataclasses import dataclass

from optlab.checks import real
from optlab.nn.init.initializer import Address, Array, Initializer, scaled


@dataclass(frozen=True)
class Normal(Initializer):
    """Normal numbers, w = mean + std z.

    Args:
        std: The standard deviation, >= 0.
        mean: The mean.

    Raises:
        TypeError: an argument is not a number.
        ValueError: std is negative, or an argument is not finite.

    Example:
        >>> Normal(std=1e-2).draw((2, 3), seed=0).shape
        (2, 3)
    """

    std: float
    mean: float = 0.0

    def __post_init__(self) -> None:
        """Check the numbers."""
        object.__setattr__(self, "std", real("std", self.std, 0.0))
        object.__setattr__(self, "mean", real("mean", self.mean))

    def fill_in(self, out: Array, address: Address, fans: tuple[int, int] | None) -> None:
        """See :meth:`Initializer.fill_in`."""
        scaled(out, "normal", address, self.std, self.mean)


@dataclass(frozen=True)
class Uniform(Initializer):
    """Uniform numbers, w = low + (high − low) u with u in [0, 1).

    Args:
        low: The lower end.
        high: The upper end, >= low.

    Raises:
        TypeError: an argument is not a number.
        ValueError: high is below low, or an argument is not finite.

    Example:
        >>> bool(abs(Uniform(-0.1, 0.1).draw(100, seed=0)).max() <= 0.1)
        True
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        """Check the ends."""
        object.__setattr__(self, "low", real("low", self.low))
        object.__setattr__(self, "high", real("high", self.high, self.low))

    def fill_in(self, out: Array, address: Address, fans: tuple[int, int] | None) -> None:
        """See :meth:`Initializer.fill_in`."""
        scaled(out, "uniform", address, self.high - self.low, self.low)
