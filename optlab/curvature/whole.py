"""What is known of a spectrum: all of it where that is affordable, else its two ends."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optlab.curvature.eigenvalues import ends
from optlab.curvature.extremes import all_pairs
from optlab.curvature.products import Products

Vector = NDArray[np.float64]
DENSE_UP_TO = 512


@dataclass(frozen=True, eq=False)
class Known:
    """Eigenvalues, rising, with residuals; the first and the last alone where ``dense`` is False."""

    values: Vector
    residuals: Vector
    dense: bool
    dim: int

    @property
    def scale(self) -> float:
        """``|H|``, the largest absolute eigenvalue."""
        return float(np.abs(self.values).max())

    def zero(self, tol: float) -> float:
        """Up to which an eigenvalue counts as 0: ``tol · |H|``, or the largest residual where that is more."""
        return max(tol * self.scale, float(self.residuals.max()))


def known(product: Products, dense_up_to: int, tol: float, seed: int) -> Known:
    """All eigenvalues up to so many coordinates, the two extreme ones beyond."""
    whole = product.dim <= max(dense_up_to, 2)
    found = all_pairs(product) if whole else ends(product, 2, "both", tol, seed).rows(slice(None, None, -1))
    return Known(found.values, found.residuals, whole, product.dim)
