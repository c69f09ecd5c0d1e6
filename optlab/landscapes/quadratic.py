"""Quadratic landscapes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from optlab.landscape import CompiledLandscape, rotation_matrix


class Quadratic(CompiledLandscape):
    """f(x) = ½ (Qᵀx)ᵀ diag(h) (Qᵀx), with a given spectrum h and an optional rotation Q.

    Args:
        spectrum: The eigenvalues h of the Hessian, ``(dim,)``, of any sign.
        rotation: None, an orthogonal ``(dim, dim)`` matrix, or a seed for a random one.

    Raises:
        ValueError: the spectrum is empty or not finite, or the rotation is not orthogonal.

    Example:
        >>> import numpy as np
        >>> f = Quadratic([2.0, 8.0])
        >>> f.value(np.array([1.0, 1.0])), f.grad(np.array([1.0, 1.0]))
        (np.float64(5.0), array([2., 8.]))
    """

    kind = "quadratic"

    def __init__(self, spectrum: ArrayLike, rotation: ArrayLike | int | None = None) -> None:
        h = np.array(spectrum, np.float64)
        if h.ndim != 1 or h.size == 0 or not np.isfinite(h).all():
            raise ValueError(f"spectrum: got {spectrum!r}, expected a non-empty vector of finite numbers")
        origin = np.zeros((1, h.size))
        convex = bool((h >= 0).all())
        super().__init__(
            h.size,
            [h],
            rotation_matrix(rotation, h.size),
            minima=origin if convex else None,
            saddles=None if convex else origin,
            minimum=0.0 if convex else None,
            start=np.ones(h.size),
        )
        self.spectrum = h


class HyperbolicParaboloid(Quadratic):
    """f(x, y) = x² − y², the simplest strict saddle: unbounded below, saddle at 0.

    Example:
        >>> import numpy as np
        >>> HyperbolicParaboloid().value(np.array([[1.0, 0.0], [0.0, 1.0]]))
        array([ 1., -1.])
    """

    def __init__(self) -> None:
        super().__init__([2.0, -2.0])
        self.start = np.array([1.0, 1e-3])
