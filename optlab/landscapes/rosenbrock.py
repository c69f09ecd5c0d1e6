"""Rosenbrock's banana."""

from __future__ import annotations

import numpy as np

from optlab.checks import integer
from optlab.landscape import CompiledLandscape


class Rosenbrock(CompiledLandscape):
    """f(x) = Σ_{i<dim-1} (1 − xᵢ)² + 100 (xᵢ₊₁ − xᵢ²)²; the minimum 0 lies at (1, …, 1).

    For dim >= 4 a second, worse local minimum lies near (−1, 1, …, 1). The start is the customary (−1.2, 1, …).

    Raises:
        ValueError: dim < 2.

    Example:
        >>> import numpy as np
        >>> Rosenbrock().value(np.array([-1.2, 1.0])).round(6)
        np.float64(24.2)

    References:
        Rosenbrock, "An automatic method for finding the greatest or least value of a function", 1960.
    """

    kind = "rosenbrock"

    def __init__(self, dim: int = 2) -> None:
        dim = integer("dim", dim, 2, 2**33)
        start = np.where(np.arange(dim) % 2 == 0, -1.2, 1.0)
        super().__init__(
            dim, [], minima=np.ones((1, dim)), minimum=0.0, start=start, bounds=[np.full(dim, -2.0), np.full(dim, 2.0)]
        )
