"""Hessian-vector products at one point, checked and counted."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from optlab.blocks import blocks
from optlab.errors import ConvergenceError
from optlab.landscape import Landscape
from optlab.refusals import landscape, same_bits, vector

Array = NDArray[Any]
Vector = NDArray[np.float64]
MAX_PRODUCTS = 10_000
MAX_HESSIAN = 2**14


class NotFiniteError(ValueError):
    """A Hessian-vector product holds NaN or infinity."""


class Products:
    """v ↦ H v at a fixed point: float64 in and out, the product itself in the dtype of x.

    Attributes:
        count: How many products were taken.

    Raises:
        ConvergenceError: more than ``most`` products are asked for.
        NotFiniteError: a product is not finite.
    """

    def __init__(self, f: Landscape, x: Array, most: int = 2**62, checked: bool = True) -> None:
        self.f, self.x, self.most, self.count = f, x, most, 0
        self.dim: int = f.dim
        if checked:
            landscape(f, x)
            along = np.full(self.dim, self.dim**-0.5, x.dtype)
            same_bits("Hessian-vector products", f.hvp(x, along), f.hvp(x, along))

    def __call__(self, v: Vector) -> Vector:
        """H v for v ``(dim,)``, or a row for each row of ``(n, dim)``."""
        self.count += 1 if v.ndim == 1 else len(v)
        if self.count > self.most:
            raise ConvergenceError(
                f"eigenvalues: not converged after {self.most} products; allow more (max_products) or a larger tol"
            )
        at = self.x if v.ndim == 1 else np.tile(self.x, (len(v), 1))
        product = self.f.hvp(at, np.ascontiguousarray(v, self.x.dtype)).astype(np.float64)
        if not np.isfinite(product).all():
            raise NotFiniteError("f: its Hessian-vector product at x is not finite, expected finite curvature")
        return product

    def dense(self) -> Vector:
        """The whole Hessian from dim products in blocks, row j the product with axis j."""
        rows = np.empty((self.dim, self.dim))
        for block in blocks(self.dim, self.dim):
            rows[block] = self(np.eye(block.stop - block.start, self.dim, block.start))
        return rows


def hvp(f: Landscape, x: Array, v: Array) -> Array:
    """``H v`` with ``H = ∇²f(x)``: :meth:`Landscape.hvp` behind the checks of this package.

    Exact for compiled landscapes and networks (a derivative of the gradient along v, through the statistics of batch
    normalization too); a :class:`optlab.landscapes.Custom` without its own takes central differences of its gradient.

    Args:
        f: A landscape without randomness, or frozen by ``f.sample(seed, step, run)``.
        x: The point ``(dim,)``.
        v: The direction ``(dim,)``, of the dtype of x.

    Raises:
        TypeError: f is no landscape, or x or v is of the wrong type.
        ValueError: a shape is wrong, a number not finite, or f draws at each evaluation.

    Example:
        >>> import numpy as np, optlab as ol
        >>> ol.curvature.hvp(ol.landscapes.Quadratic([1.0, 5.0]), np.zeros(2), np.ones(2))
        array([1., 5.])

    References:
        Pearlmutter, "Fast exact multiplication by the Hessian", 1994.
    """
    landscape(f, x)
    vector("v", v, f.dim)
    return f.hvp(x, v)


def hessian(f: Landscape, x: Array) -> Array:
    """``∇²f(x)``, ``(dim, dim)`` in the dtype of x, symmetric: :meth:`Landscape.hessian` behind the checks.

    Raises:
        TypeError: f is no landscape, or x is of the wrong type.
        ValueError: x is no finite point of f, f draws at each evaluation, or dim is above 2**14.

    Example:
        >>> import numpy as np, optlab as ol
        >>> ol.curvature.hessian(ol.landscapes.HyperbolicParaboloid(), np.zeros(2))
        array([[ 2.,  0.],
               [ 0., -2.]])
    """
    landscape(f, x)
    if f.dim > MAX_HESSIAN:
        raise ValueError(f"f: got {f.dim} coordinates, expected at most {MAX_HESSIAN} for a whole Hessian")
    return f.hessian(x)
