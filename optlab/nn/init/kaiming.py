"""Kaiming: one fan, and the gain of the activation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from optlab.checks import real
from optlab.nn.init.gains import gain
from optlab.nn.init.initializer import ByFans


@dataclass(frozen=True)
class _Kaiming(ByFans):
    a: float = 0.0
    mode: str = "fan_in"
    nonlinearity: str = "leaky_relu"

    def __post_init__(self) -> None:
        """Check the fields."""
        object.__setattr__(self, "a", real("a", self.a))
        if self.mode not in ("fan_in", "fan_out"):
            raise ValueError(f"mode: got {self.mode!r}, expected 'fan_in' or 'fan_out'")
        gain(self.nonlinearity, self.a)

    def std(self, fans: tuple[int, int]) -> float:
        """See :meth:`ByFans.std`."""
        return gain(self.nonlinearity, self.a) / math.sqrt(fans[self.mode == "fan_out"])


@dataclass(frozen=True)
class KaimingNormal(_Kaiming):
    """Normal numbers of variance gain² / fan, PyTorch's form.

    With the defaults gain² = 2: E h² stays the same through layers of ReLU, and the variance of a linear layer's
    outputs is twice the mean square of its inputs. The paper derives ReLU's gain and that of its leaky form.

    Args:
        a: The negative slope, for the gain √(2 / (1 + a²)) of "leaky_relu".
        mode: The fan: "fan_in" keeps the size of activations, "fan_out" that of gradients.
        nonlinearity: The activation, see :func:`gain`.

    Raises:
        TypeError: a is not a number.
        ValueError: a is not finite, or a name is unknown.

    Example:
        >>> KaimingNormal().std((200, 100))
        0.1

    References:
        He, Zhang, Ren and Sun, "Delving deep into rectifiers", 2015.
    """

    kind: ClassVar[str] = "normal"


@dataclass(frozen=True)
class KaimingUniform(_Kaiming):
    """Uniform numbers on ±gain · √(3 / fan); variance, arguments and errors are those of :class:`KaimingNormal`."""

    kind: ClassVar[str] = "uniform"
