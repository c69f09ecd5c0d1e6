"""The random sum of sines and cosines of the lecture on basins of attraction."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from optlab import random
from optlab.landscape import CompiledLandscape


class Sinusoid(CompiledLandscape):
    """g(x, y) = Σ_{i=1,2} aᵢ sin(bᵢx + cᵢy) + dᵢ cos(eᵢx + fᵢy).

    Args:
        coefficients: ``(2, 6)``, the rows (a, b, c, d, e, f) of i = 1 and 2.

    Raises:
        ValueError: the coefficients are not 2 x 6 finite numbers.

    Example:
        >>> import numpy as np
        >>> Sinusoid([[1, 2, 0, 0, 0, 0], [0] * 6]).grad(np.array([0.0, 5.0]))
        array([2., 0.])
    """

    kind = "sinusoid"

    def __init__(self, coefficients: ArrayLike) -> None:
        table = np.array(coefficients, np.float64)
        if table.shape != (2, 6) or not np.isfinite(table).all():
            raise ValueError(
                f"coefficients: got shape {table.shape}, expected (2, 6) finite numbers (a, b, c, d, e, f)"
            )
        super().__init__(2, [table.ravel()], bounds=[[-5.0, -5.0], [5.0, 5.0]])
        self.table: NDArray[np.float64] = table

    @classmethod
    def draw(cls, seed: int) -> Sinusoid:
        """Amplitudes a, d uniform on [½, 1½), frequencies uniform on [−2, 2)."""
        u = random.uniform((2, 6), seed, stream=random.Stream["DATA"])
        amplitude = np.isin(np.arange(6), (0, 3))
        return cls(np.where(amplitude, 0.5 + u, 4 * u - 2))

    def gradient_bound(self) -> float:
        """A Lipschitz constant of g: Σ |aᵢ| |(bᵢ, cᵢ)| + |dᵢ| |(eᵢ, fᵢ)|; it certifies a minimum found on a grid."""
        a, b, c, d, e, f = self.table.T
        return float(np.sum(np.abs(a) * np.hypot(b, c) + np.abs(d) * np.hypot(e, f)))
