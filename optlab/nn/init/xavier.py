"""Xavier: the mean of fan-in and fan-out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from optlab.checks import real
from optlab.nn.init.initializer import ByFans


@dataclass(frozen=True)
class _Xavier(ByFans):
    gain: float = 1.0

    def __post_init__(self) -> None:
        """Check the gain."""
        object.__setattr__(self, "gain", real("gain", self.gain, 0.0))

    def std(self, fans: tuple[int, int]) -> float:
        """See :meth:`ByFans.std`."""
        return self.gain * math.sqrt(2.0 / (fans[0] + fans[1]))


@dataclass(frozen=True)
class XavierNormal(_Xavier):
    """Normal numbers of variance gain² · 2 / (fan_in + fan_out), a compromise of forward and backward pass.

    Args:
        gain: A factor for the activation, see :func:`gain`.

    Raises:
        TypeError: gain is not a number.
        ValueError: it is negative or not finite.

    Example:
        >>> XavierNormal().std((300, 100))
        0.07071067811865475

    References:
        Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010.
    """

    kind: ClassVar[str] = "normal"


@dataclass(frozen=True)
class XavierUniform(_Xavier):
    """Uniform numbers on ±gain · √(6 / (fan_in + fan_out)), the paper's "normalized initialization".

    Variance, arguments and errors are those of :class:`XavierNormal`.
    """

    kind: ClassVar[str] = "uniform"
