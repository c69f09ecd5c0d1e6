"""What kind of stationary point it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optlab.checks import integer, real
from optlab.curvature.eigenvalues import tolerance
from optlab.curvature.products import MAX_PRODUCTS, Products
from optlab.curvature.whole import DENSE_UP_TO, Known, known
from optlab.landscape import Landscape

Array = NDArray[Any]


@dataclass(frozen=True)
class StationaryPoint:
    """What the gradient and the curvature say of a point.

    Attributes:
        kind: "minimum" or "maximum" (strict: every eigenvalue beyond the tolerance on one side), "saddle" (one on
            either side), "degenerate" (neither is proven, since an eigenvalue at an end of the spectrum is 0 to
            tolerance), or "not stationary".
        gradient_norm: ``|∇f(x)|``.
        gradient_tol: Up to which it counts as 0.
        smallest: The smallest eigenvalue.
        largest: The largest eigenvalue.
        eigenvalue_tol: Up to which an |eigenvalue| counts as 0, absolute.
        index: How many eigenvalues are below −eigenvalue_tol; None where not all were computed and it is not 0 or dim.
        zeros: How many are 0 to tolerance; None likewise.
        dense: Whether all eigenvalues were computed. Otherwise the two ends are Lanczos' from a random start vector,
            which would miss an eigenvector that it is orthogonal to.
        products: How many Hessian-vector products it took.
    """

    kind: str
    gradient_norm: float
    gradient_tol: float
    smallest: float
    largest: float
    eigenvalue_tol: float
    index: int | None
    zeros: int | None
    dense: bool
    products: int


def classify(
    f: Landscape,
    x: Array,
    *,
    gradient_tol: float | None = None,
    eigenvalue_tol: float | None = None,
    dense_up_to: int = DENSE_UP_TO,
    max_products: int = MAX_PRODUCTS,
    seed: int = 0,
) -> StationaryPoint:
    """Minimum, maximum, saddle, degenerate or not stationary, by ``|∇f(x)|`` and the eigenvalues of ``∇²f(x)``.

    An eigenvalue counts as 0 up to ``eigenvalue_tol · |H|`` or the largest residual; in float32 nothing finer than 1e-6
    could be told. A zero at an end of the spectrum proves nothing, and is called degenerate: a strict minimum is never
    claimed from it, nor a saddle from a single sign.

    Args:
        f: A landscape without randomness, or frozen by ``f.sample(seed, step, run)``.
        x: The point ``(dim,)``.
        gradient_tol: Absolute; None: ``√ε |H| (1 + |x|)``, the gradient of a relative error √ε of x.
        eigenvalue_tol: Relative to |H|, the largest |eigenvalue|; None: √ε of x's dtype.
        dense_up_to: Up to so many coordinates all eigenvalues are computed.
        max_products: When to give up.
        seed: Of Lanczos' start vectors.

    Raises:
        TypeError: f is no landscape, or an argument is of the wrong type.
        ValueError: an argument is out of range, or f draws at each evaluation.
        ConvergenceError: as in :func:`eigenvalues`.

    Example:
        >>> import numpy as np, optlab as ol
        >>> f = ol.landscapes.StrictSaddle(dim=3)
        >>> ol.curvature.classify(f, np.zeros(3)).kind, ol.curvature.classify(f, f.minima[0]).kind
        ('saddle', 'minimum')
        >>> ol.curvature.classify(ol.landscapes.Quadratic([0.0, 1.0]), np.zeros(2)).kind
        'degenerate'
    """
    relative = None if eigenvalue_tol is None else real("eigenvalue_tol", eigenvalue_tol, 0.0, 1.0)
    given = None if gradient_tol is None else real("gradient_tol", gradient_tol, 0.0)
    dense_up_to = integer("dense_up_to", dense_up_to, 0, 2**14)
    product = Products(f, x, integer("max_products", max_products, 1, 2**62))
    root = float(np.finfo(x.dtype).eps) ** 0.5
    found = known(product, dense_up_to, tolerance(None, x.dtype), seed)
    slope = float(np.linalg.norm(f.grad(x).astype(np.float64)))
    allowed = root * found.scale * (1 + float(np.linalg.norm(x.astype(np.float64)))) if given is None else given
    zero = found.zero(root if relative is None else relative)
    first, last = float(found.values[0]), float(found.values[-1])
    kind = _kind(first, last, zero) if slope <= allowed else "not stationary"
    index, zeros = _counts(found, zero)
    return StationaryPoint(kind, slope, allowed, first, last, zero, index, zeros, found.dense, product.count)


def _kind(first: float, last: float, zero: float) -> str:
    if first < -zero and last > zero:
        return "saddle"
    if first > zero:
        return "minimum"
    return "maximum" if last < -zero else "degenerate"


def _counts(found: Known, zero: float) -> tuple[int | None, int | None]:
    """How many eigenvalues are below −zero, and how many are zero; from the two ends where they settle it."""
    below, near = found.values < -zero, np.abs(found.values) <= zero
    if found.dense:
        return int(np.count_nonzero(below)), int(np.count_nonzero(near))
    one_sign = found.values[0] > zero or found.values[-1] < -zero
    index = found.dim if below.all() else None if below.any() else 0
    return index, 0 if one_sign else found.dim if near.all() else None
