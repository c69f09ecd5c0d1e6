"""The ends of a spectrum: all of it for few coordinates, else Lanczos with restarts and a search for what it missed."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from optlab.curvature.lanczos import Apply, norm, norm_estimate
from optlab.curvature.probes import unit_vector
from optlab.curvature.products import Products
from optlab.errors import ConvergenceError
from optlab.random import derive_seed

Vector = NDArray[np.float64]
SMALL = 20
"""Up to so many coordinates, and up to 2k + 1, all eigenvalues cost no more than Lanczos' first basis."""

BASIS = 32
"""Lanczos vectors kept between restarts, at least; more where 2k + 1 is more."""


class Pairs(NamedTuple):
    """Eigenvalues (k,), unit vectors as rows (k, dim), residual norms (k,), and whether from the whole matrix."""

    values: Vector
    vectors: Vector
    residuals: Vector
    dense: bool

    def rows(self, chosen: Any) -> Pairs:
        """Some of them, in that order."""
        return Pairs(self.values[chosen], self.vectors[chosen], self.residuals[chosen], self.dense)


def is_small(dim: int, k: int) -> bool:
    """Whether k eigenvalues of dim coordinates are taken from the whole matrix."""
    return dim <= max(SMALL, 2 * k + 1)


def all_pairs(product: Products) -> Pairs:
    """Every eigenpair, rising, of the matrix that dim products make.

    Raises:
        ConvergenceError: the products are not those of a symmetric matrix.
    """
    matrix = product.dense()
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    rows = np.ascontiguousarray(vectors.T)
    scale = float(np.abs(values).max())
    return Pairs(values, rows, _residuals(rows @ matrix, values, rows, allowed(product, scale)), True)


def largest(
    product: Products, k: int, tol: float, seed: int, start: Vector, sign: float = 1.0, apart: Pairs | None = None
) -> Pairs:
    """The k largest eigenvalues of H, falling, or with ``sign=-1`` the k smallest, rising; ``apart`` from known ones.

    The tolerance is relative to |H|, not to each eigenvalue, since that is what rounding allows: Lanczos works on H/s +
    2 with s = |H| up to a factor of 2, whose eigenvalues lie between 1 and 3. A copy of a repeated eigenvalue is
    invisible to a single start vector, so where k > 1 what was found is moved to the other end and a second start looks
    for anything larger, until there is none.
    """
    shifted, unit = scaled(product, start, sign)
    if apart is not None:
        shifted = _without(shifted, sign * (apart.values / unit) + 2, apart.vectors)
    values, vectors = lanczos_top(shifted, k, tol, seed, start)
    for attempt in range(k - 1):  # the largest itself was found
        more = _missed(shifted, values, vectors, tol, derive_seed(seed, "missed", attempt))
        if more[0] <= values[-1] + 30 * tol:
            break
        values, vectors = _inserted(values, vectors, *more)
    found = measured(product, vectors, allowed(product, unit, tol))
    rough = np.flatnonzero(found.residuals > 4 * unit * tol)
    if rough.size:
        again = _found_again(shifted, found, rough, tol, lambda of: sign * (of / unit) + 2)
        found = measured(product, again, allowed(product, unit, tol))
    return found.rows(np.argsort(-sign * found.values, kind="stable"))


def _found_again(
    shifted: Apply, found: Pairs, rough: NDArray[np.intp], tol: float, shift: Callable[[Vector], Vector]
) -> Vector:
    """The vectors, the rough ones by Lanczos from where they are, apart from all others.

    Where distinct eigenvalues are few, the first space is exhausted at once, and what rounding leaves is taken for a
    direction.
    """
    vectors = found.vectors.copy()
    for i in rough:
        others = np.arange(len(vectors)) != i
        alone = _without(shifted, shift(found.values[others]), vectors[others])
        vectors[i] = lanczos_top(alone, 1, tol, int(i), found.vectors[i])[1][0]
    return vectors


def scaled(product: Products, start: Vector, sign: float = 1.0, steps: int = 12) -> tuple[Apply, float]:
    """``sign · H/s + 2``, and s: the power of two just above what some steps of Lanczos find for |H|."""
    size = norm_estimate(product, start, precision(product), steps)
    unit = float(np.ldexp(1.0, min(np.frexp(size)[1], 1023))) if size else 1.0
    return lambda v: sign * (product(v) / unit) + 2 * v, unit


def _without(shifted: Apply, values: Vector, vectors: Vector) -> Apply:
    """The operator with known eigenpairs moved to 0, below all others."""
    return lambda v: shifted(v) - (values * (vectors @ v)) @ vectors


def _missed(shifted: Apply, values: Vector, vectors: Vector, tol: float, seed: int) -> tuple[float, Vector]:
    """The largest eigenpair apart from the known ones."""
    start = unit_vector(vectors.shape[1], seed, "missed")
    found, vector = lanczos_top(_without(shifted, values, vectors), 1, tol, seed, start)
    return float(found[0]), vector[0]


def _inserted(values: Vector, vectors: Vector, value: float, vector: Vector) -> tuple[Vector, Vector]:
    vector = vector - (vectors @ vector) @ vectors
    order = np.argsort(-np.append(values, value), kind="stable")[: len(values)]
    return np.append(values, value)[order], np.vstack([vectors, vector / np.linalg.norm(vector)])[order]


def lanczos_top(
    apply: Apply, k: int, tol: float, seed: int, start: Vector, basis: int = BASIS
) -> tuple[Vector, Vector]:
    """The k largest eigenpairs, falling, by ARPACK's restarted Lanczos from a start vector of ours."""
    from scipy.sparse.linalg import ArpackError, LinearOperator, eigsh

    size = min(start.size - 1, max(2 * k + 1, basis))
    operator = LinearOperator((start.size, start.size), matvec=apply, dtype=np.float64)
    # newer versions draw from rng where a Krylov space is exhausted, older ones from a state of their own
    drawn = {"rng": np.random.default_rng(seed)} if "rng" in inspect.signature(eigsh).parameters else {}
    try:
        values, vectors = eigsh(operator, k, which="LA", v0=start, tol=tol, ncv=size, maxiter=10**6, **drawn)
    except ArpackError as error:
        raise ConvergenceError(f"eigenvalues: Lanczos failed ({error}); try a larger tol or another seed") from None
    order = np.argsort(-values, kind="stable")
    return values[order], np.ascontiguousarray(vectors.T[order])


def precision(product: Products) -> float:
    """What a product of the landscape's dtype is good for, relative to |H|."""
    return 100 * float(np.finfo(product.x.dtype).eps)


def allowed(product: Products, scale: float, tol: float = 0.0) -> float:
    """The residual above which products are no longer those of a symmetric matrix."""
    return max(10 * tol, math.sqrt(np.finfo(product.x.dtype).eps)) * scale


def measured(product: Products, vectors: Vector, most: float) -> Pairs:
    """Rayleigh quotients and true residuals of the vectors that Lanczos holds for eigenvectors."""
    images = np.array([product(v) for v in vectors])
    values = np.sum(images * vectors, axis=1)
    return Pairs(values, vectors, _residuals(images, values, vectors, most), False)


def _residuals(images: Vector, values: Vector, vectors: Vector, most: float) -> Vector:
    norms = np.array([norm(row) for row in images - values[:, None] * vectors])
    if norms.max() > most:
        raise ConvergenceError(
            f"eigenvalues: a residual of {norms.max():.3g} remains where {most:.3g} is allowed; the landscape's hvp is "
            "not linear and symmetric to that accuracy, so give it an exact one or a larger tol"
        )
    return norms
