"""Lanczos' three-term recurrence with full reorthogonalization."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from optlab.ops.matmul import matmul

Vector = NDArray[np.float64]
Apply = Callable[[Vector], Vector]


class Tridiagonal(NamedTuple):
    """``Vᵀ H V = T`` of m steps: T's diagonal (m,) and off-diagonal (m − 1,), and V's columns as rows (m, dim)."""

    diagonal: Vector
    off: Vector
    basis: Vector


def orthogonalized(w: Vector, basis: Vector) -> Vector:
    """W without its components along the basis; twice, since once leaves what rounding put back (Giraud et al. 2005).

    The products have one order of summation, so that the bits do not depend on threads.
    """
    for _ in range(2):
        along = matmul(basis, w[:, None])
        w = w - matmul(along.T, basis)[0]
    return w


def lanczos(product: Apply, start: Vector, steps: int, precision: float) -> Tridiagonal:
    """At most ``steps`` steps from a start vector, each vector orthogonalized against all before it.

    Without that, rounding brings converged eigenvalues back as ghosts: copies that the matrix does not have (Paige
    1976). It ends early where the Krylov space is exhausted: what remains of H v is rounding, below ``precision`` times
    the largest entry of T so far.

    Args:
        product: v ↦ H v.
        start: Not zero; need not be normalized.
        steps: At most dim are taken.
        precision: The relative accuracy of the products.
    """
    steps = min(steps, start.size)
    basis, diagonal, off = np.empty((steps, start.size)), np.empty(steps), np.empty(steps)
    v, size = start / norm(start), 0.0
    for j in range(steps):
        basis[j] = v
        w = product(v)
        diagonal[j] = np.sum(w * v)
        w = orthogonalized(w, basis[: j + 1])
        off[j] = norm(w)
        size = max(size, abs(diagonal[j]), off[j])
        if off[j] <= precision * size:
            return Tridiagonal(diagonal[: j + 1], off[:j], basis[: j + 1])
        v = w / off[j]
    return Tridiagonal(diagonal, off[:-1], basis)


def norm(v: Vector) -> float:
    """``|v|``, scaled against overflow, with one order of summation."""
    largest = float(np.max(np.abs(v)))
    return largest * float(np.sqrt(np.sum((v / largest) ** 2))) if largest > 0 else 0.0


def ritz(found: Tridiagonal) -> tuple[Vector, Vector]:
    """The eigenvalues of T, rising, and the squared first components of its eigenvectors: a Gauss quadrature's."""
    from scipy.linalg import eigh_tridiagonal

    if not found.off.size:
        return found.diagonal.copy(), np.ones(1)
    nodes, vectors = eigh_tridiagonal(found.diagonal, found.off)
    return nodes, vectors[0] ** 2


def norm_estimate(product: Apply, start: Vector, precision: float, steps: int) -> float:
    """``|H|`` from below, by the largest |eigenvalue| of a few steps' T."""
    return float(np.abs(ritz(lanczos(product, start, steps, precision))[0]).max())
