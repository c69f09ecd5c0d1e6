"""The nonconvex function of one variable that the lecture's optimizer pictures use."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from optlab.checks import integer, real
from optlab.landscape import CompiledLandscape


class Cosine(CompiledLandscape):
    """f(x) = Σ xᵢ cos(c xᵢ).

    Unbounded below; its local minima grow deeper outwards. The stationary points solve cot(c x) = c x and are given by
    :meth:`stationary`.

    Args:
        c: The frequency, not 0; the lectures use 0.15π.
        dim: The number of coordinates.

    Raises:
        ValueError: c is 0 or not finite.

    Example:
        >>> import numpy as np
        >>> f = Cosine(0.15 * np.pi)
        >>> f.stationary(-8.0, 8.0).round(3)
        array([-7.269, -1.826,  1.826,  7.269])
    """

    kind = "cosine"

    def __init__(self, c: float = 0.15 * np.pi, dim: int = 1) -> None:
        self.c = real("c", c)
        if self.c == 0:
            raise ValueError("c: got 0.0, expected a frequency that is not 0")
        dim = integer("dim", dim, 1, 2**33)
        super().__init__(
            dim, [np.full(dim, self.c)], bounds=[np.full(dim, -15.0), np.full(dim, 15.0)], start=np.full(dim, 10.0)
        )

    def stationary(self, low: float, high: float) -> NDArray[np.float64]:
        """The stationary points of one coordinate in [low, high], by bisection to the last bit.

        With u = |c| x, u sin u = cos u has exactly one root in each interval (kπ, (k+1)π), k >= 0, and its mirror.
        """
        reach = max(abs(low), abs(high)) * abs(self.c)
        left = np.arange(int(reach / np.pi) + 1) * np.pi
        right = left + np.pi
        sign = np.cos(left)  # of cos u - u sin u at the left ends
        for _ in range(60):  # halvings of pi: beyond double precision
            middle = (left + right) / 2
            before = (np.cos(middle) - middle * np.sin(middle)) * sign > 0
            left, right = np.where(before, middle, left), np.where(before, right, middle)
        roots = left / abs(self.c)
        both = np.concatenate([-roots[::-1], roots])
        return both[(both >= low) & (both <= high)]
