"""A long valley: a nearly flat floor between steep walls."""

from __future__ import annotations

import numpy as np

from optlab.checks import integer, real
from optlab.landscape import CompiledLandscape


class LongValley(CompiledLandscape):
    """f(x) = √(1 + x₁²) − 1 + (k/2) Σ_{i>1} xᵢ²: slope at most 1 along the floor, walls of curvature k.

    Far from the minimum 0 at 0 the floor's curvature vanishes like |x₁|⁻³, so a step size that the walls allow crawls.

    Raises:
        ValueError: dim < 2 or steepness <= 0.

    Example:
        >>> import numpy as np
        >>> LongValley().grad(np.array([-1000.0, 0.1])).round(3)
        array([-1., 10.])
    """

    kind = "long_valley"

    def __init__(self, dim: int = 2, steepness: float = 100.0) -> None:
        dim, self.steepness = integer("dim", dim, 2, 2**33), real("steepness", steepness, np.finfo(float).tiny)
        floor = (np.arange(dim) == 0).astype(np.float64)
        bounds = np.where(floor > 0, 12.0, 2.0)
        super().__init__(
            dim,
            [floor, self.steepness * (1 - floor)],
            minima=np.zeros((1, dim)),
            minimum=0.0,
            start=np.where(floor > 0, -10.0, 1.0),
            bounds=[-bounds, bounds],
        )
