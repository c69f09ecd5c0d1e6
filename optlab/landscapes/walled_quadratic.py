"""A quadratic, saddles included, inside the wall of a high power."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import ArrayLike

from optlab.landscape import CompiledLandscape

_LISTED = 12
"""Up to so many falling directions the 2**m minima are listed."""


class WalledQuadratic(CompiledLandscape):
    """f(x) = ½ Σ hᵢxᵢ² + Σ xᵢ¹⁰.

    A direction with h < 0 falls to minima at ±(−h/10)^⅛, where its curvature is −8h. The wall is so steep that a step a
    little too long is thrown over it.

    Raises:
        ValueError: the curvatures are no vector of finite numbers.

    Example:
        >>> import numpy as np
        >>> f = WalledQuadratic()
        >>> f.minima.round(4), round(f.minimum, 6)
        (array([[ 0.    , -0.5623],
               [ 0.    ,  0.5623]]), -0.012649)

    References:
        Staib, Reddi, Kale, Kumar and Sra, "Escaping saddle points with adaptive gradient methods", 2019, where the
        curvatures are 1 and −0.1.
    """

    kind = "walled_quadratic"

    def __init__(self, curvatures: ArrayLike = (1.0, -0.1)) -> None:
        h = np.array(curvatures, np.float64)
        if h.ndim != 1 or h.size == 0 or not np.isfinite(h).all():
            raise ValueError(f"curvatures: got {curvatures!r}, expected a vector of finite numbers")
        depth = np.where(h < 0, (np.maximum(-h, 0) / 10) ** 0.125, 0.0)
        falls = np.flatnonzero(h < 0)
        signs = np.array(list(itertools.product((-1.0, 1.0), repeat=len(falls)))) if len(falls) <= _LISTED else None
        minima = None
        if signs is not None:
            minima = np.zeros((len(signs), h.size))
            minima[:, falls] = signs * depth[falls]
        super().__init__(
            h.size,
            [h],
            minima=minima,
            saddles=np.zeros((1, h.size)) if len(falls) else None,
            minimum=float(np.sum(0.4 * h * depth**2)),
            bounds=[np.full(h.size, -1.0), np.full(h.size, 1.0)],
        )
