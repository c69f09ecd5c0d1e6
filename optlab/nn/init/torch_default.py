"""What a linear layer of PyTorch begins with."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from optlab.nn.init.initializer import ByFans


@dataclass(frozen=True)
class TorchDefault(ByFans):
    """Uniform numbers on ±1/√fan_in, for weights and for biases, as ``torch.nn.Linear`` and ``Conv2d`` begin.

    PyTorch writes the weight as ``kaiming_uniform_(a=√5)``, whose bound is the same. A bias takes the fan-in of its
    weight, so that its shape alone does not do: :func:`fill` knows it, and ``draw`` takes it as ``fans``.

    Example:
        >>> bias = TorchDefault().draw(10, seed=0, fans=(400, 10))
        >>> bool(abs(bias).max() <= 1 / 20)
        True
    """

    kind: ClassVar[str] = "uniform"

    def std(self, fans: tuple[int, int]) -> float:
        """See :meth:`ByFans.std`."""
        return 1.0 / math.sqrt(3.0 * fans[0])
