"""Defazio and Bottou: the geometric mean of fan-in and fan-out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from optlab.checks import real
from optlab.nn.init.initializer import ByFans


@dataclass(frozen=True)
class DefazioBottou(ByFans):
    """Normal numbers of variance gain² / √(fan_in · fan_out).

    All weights of a ReLU network then have the same scaling constant, by which the paper measures the ratio of the
    gradient to the weight and the curvature of a layer. Through layers of widths n₀ … n_L of ReLU with gain² = 2 the
    factors nₖ / √(nₖ nₖ₊₁) of E h² telescope to √(n₀ / n_L). The paper leaves the constant open and the distribution,
    too; here they are those of Kaiming's method for ReLU, so that both agree on square layers. For a convolution the
    fans count the kernel, as everywhere in this package.

    Args:
        gain: A factor for the activation, see :func:`gain`.

    Raises:
        TypeError: gain is not a number.
        ValueError: it is negative or not finite.

    Example:
        >>> DefazioBottou(gain=1.0).std((100, 10_000))
        0.03162277660168379

    References:
        Defazio and Bottou, "A scaling calculus for the design and initialization of ReLU networks", 2022
        (arXiv:1906.04267).
    """

    kind: ClassVar[str] = "normal"

    gain: float = math.sqrt(2.0)

    def __post_init__(self) -> None:
        """Check the gain."""
        object.__setattr__(self, "gain", real("gain", self.gain, 0.0))

    def std(self, fans: tuple[int, int]) -> float:
        """See :meth:`ByFans.std`."""
        return self.gain / math.sqrt(math.sqrt(fans[0] * fans[1]))
