"""The strict saddle of the escape studies."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import ArrayLike

from optlab.checks import integer, real
from optlab.landscape import CompiledLandscape, rotated, rotation_matrix

_LISTED = 12
"""Up to so many negative directions the 2**m minima are listed."""


class StrictSaddle(CompiledLandscape):
    """f(x) = Σ_{i<m} (−γ/2 yᵢ² + yᵢ⁴/4) + ½ Σ_{i≥m} λᵢ zᵢ², with (y, z) = Qᵀx.

    The first m = ``negative`` coordinates have curvature −γ at the saddle 0; without ``bounded`` their quartic term is
    missing and f is unbounded below. The other curvatures λ are spaced evenly over ``positive``. Bounded minima stand
    at yᵢ = ±√γ with f = −mγ²/4 and curvature 2γ there.

    Args:
        dim: The number of coordinates.
        negative: m, 1 to dim.
        curvature: γ > 0.
        positive: The smallest and largest λ, both > 0.
        bounded: Whether the quartic term is there.
        rotation: None, an orthogonal ``(dim, dim)`` matrix Q, or a seed for a random one.

    Raises:
        ValueError: an argument is out of range.

    Example:
        >>> import numpy as np
        >>> f = StrictSaddle(dim=3, curvature=0.25)
        >>> f.minima[:, 0], f.minimum
        (array([-0.5,  0.5]), -0.015625)
        >>> f.hessian(np.zeros(3)).diagonal()
        array([-0.25,  0.5 ,  2.  ])
    """

    kind = "strict_saddle"

    def __init__(
        self,
        dim: int,
        negative: int = 1,
        curvature: float = 1.0,
        positive: tuple[float, float] = (0.5, 2.0),
        bounded: bool = True,
        rotation: ArrayLike | int | None = None,
    ) -> None:
        dim = integer("dim", dim, 1, 2**33)
        self.negative = integer("negative", negative, 1, dim)
        self.curvature = real("curvature", curvature, np.finfo(float).tiny)
        low, high = (real("positive", end, np.finfo(float).tiny) for end in positive)
        self.bounded = bool(bounded)
        h = np.concatenate([np.full(negative, -self.curvature), np.linspace(low, high, dim - negative)])
        q = np.where(np.arange(dim) < negative, float(self.bounded), 0.0)
        matrix = rotation_matrix(rotation, dim)
        minima = self._minima(dim) if self.bounded and negative <= _LISTED else None
        super().__init__(
            dim,
            [h, q],
            matrix,
            saddles=np.zeros((1, dim)),
            minima=None if minima is None else rotated(minima, matrix),
            minimum=-negative * self.curvature**2 / 4 if self.bounded else None,
            bounds=[np.full(dim, -2.0), np.full(dim, 2.0)],
        )

    def _minima(self, dim: int) -> np.ndarray:
        signs = np.array(list(itertools.product((-1.0, 1.0), repeat=self.negative)))
        return np.hstack([np.sqrt(self.curvature) * signs, np.zeros((len(signs), dim - self.negative))])
