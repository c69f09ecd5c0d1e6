"""The largest and smallest eigenvalues of a Hessian."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optlab.checks import integer, real
from optlab.curvature.extremes import Pairs, all_pairs, is_small, largest
from optlab.curvature.probes import unit_vector
from optlab.curvature.products import MAX_PRODUCTS, Products
from optlab.errors import ConvergenceError
from optlab.landscape import Landscape
from optlab.refusals import one_of

Array = NDArray[Any]
Vector = NDArray[np.float64]
ENDS = ("largest", "smallest", "both")
DENSE = 2048
"""Up to so many coordinates the whole matrix helps out where Lanczos is slow."""


@dataclass(frozen=True, eq=False)
class Eigenvalues:
    """Some eigenvalues of a Hessian.

    Attributes:
        values: ``(k,)`` float64: falling for "largest" and "both", rising for "smallest".
        residuals: ``|H v − λ v|`` of each unit vector v, ``(k,)``: some eigenvalue lies within it of λ.
        vectors: Unit eigenvectors as rows ``(k, dim)``, or None where they were not asked for. Their sign is arbitrary.
        products: How many Hessian-vector products it took.
        dense: Whether the whole matrix was formed.
    """

    values: Vector
    residuals: Vector
    vectors: Vector | None
    products: int
    dense: bool


def eigenvalues(
    f: Landscape,
    x: Array,
    k: int = 5,
    which: str = "largest",
    *,
    vectors: bool = False,
    tol: float | None = None,
    max_products: int = MAX_PRODUCTS,
    seed: int = 0,
) -> Eigenvalues:
    """The k eigenvalues at one end of the spectrum of ``∇²f(x)``, or at both, in algebraic order and with multiplicity.

    Restarted Lanczos (ARPACK) from a Philox start vector. For k > 1 a second start looks for copies of repeated
    eigenvalues that the first cannot see, and the residuals are measured, not estimated. Up to 20 coordinates, or 2k +
    1, and up to 2048 where Lanczos takes more than dim products, all eigenvalues are taken from the whole matrix. The
    same seed gives the same result; ARPACK and LAPACK may differ in the last digits between machines.

    Accuracy: an eigenvalue is within its residual of a true one, and mostly within residual² / gap. Products in float32
    leave residuals of about 1e-6 |H|, so eigenvalues below that are noise; in float64 about 1e-14 |H|.

    Args:
        f: A landscape without randomness, or frozen by ``f.sample(seed, step, run)``.
        x: The point ``(dim,)``.
        k: How many, 1 to dim (2 to dim for "both").
        which: "largest", "smallest", or "both": ⌈k/2⌉ of the largest and ⌊k/2⌋ of the smallest.
        vectors: Whether to return eigenvectors.
        tol: The residual asked for, relative to |H|; None: ε^⅔, that is 4e-11 in float64 and 2e-5 in float32.
        max_products: When to give up.
        seed: Of the start vectors.

    Raises:
        TypeError: f is no landscape, or an argument is of the wrong type.
        ValueError: an argument is out of range, f draws at each evaluation, or a product is not finite.
        ConvergenceError: max_products were not enough, or f's products are no symmetric linear map.

    Example:
        >>> import numpy as np, optlab as ol
        >>> f = ol.landscapes.Quadratic(np.repeat([-1.0, 2.0, 9.0], 30), rotation=1)
        >>> ol.curvature.eigenvalues(f, np.zeros(90), k=3).values.round(9)
        array([9., 9., 9.])
        >>> ol.curvature.eigenvalues(f, np.zeros(90), k=2, which="both").values.round(9)
        array([ 9., -1.])

    References:
        Lanczos, "An iteration method for the solution of the eigenvalue problem", 1950; Lehoucq, Sorensen and Yang,
        "ARPACK users' guide", 1998.
    """
    one_of("which", which, ENDS)
    product = Products(f, x, integer("max_products", max_products, 1, 2**62))
    k = integer("k", k, 2 if which == "both" else 1, f.dim)
    found = ends(product, k, which, tolerance(tol, x.dtype), seed)
    return Eigenvalues(found.values, found.residuals, found.vectors if vectors else None, product.count, found.dense)


def tolerance(given: float | None, dtype: np.dtype[Any]) -> float:
    """The relative residual to reach: what is given, else ε^⅔ of the dtype."""
    return float(np.finfo(dtype).eps) ** (2 / 3) if given is None else real("tol", given, 0.0, 0.1, open_low=True)


def ends(product: Products, k: int, which: str, tol: float, seed: int) -> Pairs:
    """See :func:`eigenvalues`: the whole matrix where it is small, or where Lanczos takes more products."""
    above = {"largest": k, "smallest": 0, "both": (k + 1) // 2}[which]
    if is_small(product.dim, k):
        return _of_all(all_pairs(product), above, k - above)
    if product.dim > DENSE or product.dim >= product.most - product.count:
        return _by_lanczos(product, above, k - above, tol, seed)
    most, product.most = product.most, product.count + product.dim
    try:
        return _by_lanczos(product, above, k - above, tol, seed)
    except ConvergenceError:
        pass  # the whole matrix is cheaper from here
    finally:
        product.most = most
    return _of_all(all_pairs(product), above, k - above)


def _of_all(whole: Pairs, above: int, below: int) -> Pairs:
    rising = np.arange(len(whole.values))
    low = rising[:below] if above == 0 else rising[:below][::-1]
    return whole.rows(np.append(rising[::-1][:above], low))


def _by_lanczos(product: Products, above: int, below: int, tol: float, seed: int) -> Pairs:
    start = unit_vector(product.dim, seed, "start")
    high = largest(product, above, tol, seed, start) if above else None
    low = largest(product, below, tol, seed, start, -1.0, apart=high) if below else None
    if high is None or low is None:
        return high or low  # type: ignore[return-value]
    low = low.rows(slice(None, None, -1))
    values, vectors, residuals = (np.concatenate([high[i], low[i]]) for i in range(3))
    return Pairs(values, vectors, residuals, False)
