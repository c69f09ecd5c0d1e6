"""What landscapes over the factor U of a symmetric matrix U Uᵀ share."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from optlab import random
from optlab.landscape import CompiledLandscape, rotation_matrix
from optlab.layout import Segment
from optlab.ops.matmul import matmul

Matrix = NDArray[np.float64]
ROUNDING = 1e-12
"""Relative: an eigenvalue that is 0 is computed as no more than this."""


class Factored(CompiledLandscape):
    """A function of U Uᵀ for an n x r matrix U, whose entries are the point, row by row.

    Attributes:
        rows: n.
        rank: r.
        saddle_eigenvalues: Those of the Hessian at each saddle, rising, ``(saddles, dim)``; None without saddles.
    """

    saddle_eigenvalues: Matrix | None = None

    def __init__(self, rows: int, rank: int, coefficients: list[Matrix], **truth: Any) -> None:
        super().__init__(rows * rank, [np.concatenate([[float(rank)], *coefficients])], **truth)
        self.rows, self.rank = rows, rank
        self.layout = (Segment("U", 0, (rows, rank)),)

    def product(self, x: NDArray[Any]) -> NDArray[Any]:
        """U Uᵀ of a point ``(dim,)`` or of each of many ``(runs, dim)``."""
        u = x.reshape(*x.shape[:-1], self.rows, self.rank)
        squares: NDArray[Any] = np.einsum("...ik,...jk->...ij", u, u)
        return squares

    def _origin(self, slope: Matrix) -> None:
        """Declares the saddle at 0 if it is strict: the Hessian there is, for each column of U, twice f's slope."""
        eigenvalues = np.sort(np.repeat(np.linalg.eigvalsh(2 * slope), self.rank))
        if eigenvalues[0] < -ROUNDING * np.abs(eigenvalues).max():
            self.saddles, self.saddle_eigenvalues = np.zeros((1, self.dim)), eigenvalues[None]


def by_pairs(matrices: Matrix) -> Matrix:
    """Symmetric ``(…, n, n)`` to ``(…, n (n + 1) / 2)``: the lower triangles, with both entries of a pair added."""
    a, b = np.tril_indices(matrices.shape[-1])
    return np.where(a == b, 1.0, 2.0) * matrices[..., a, b]


def symmetric(name: str, given: ArrayLike, ndim: int) -> Matrix:
    """One square matrix, or a stack of them.

    Raises:
        ValueError: the shape is another, a number is not finite, or a matrix is not symmetric.
    """
    array = np.array(given, np.float64)
    if array.ndim != ndim or 0 in array.shape or array.shape[-1] != array.shape[-2]:
        raise ValueError(f"{name}: got shape {array.shape}, expected {'(m, n, n)' if ndim == 3 else '(n, n)'}")
    if not np.isfinite(array).all() or not np.allclose(array, np.swapaxes(array, -1, -2), rtol=1e-12, atol=0.0):
        raise ValueError(f"{name}: got a matrix that is not finite and symmetric")
    return (array + np.swapaxes(array, -1, -2)) / 2


def spectrum(given: ArrayLike, most: int) -> Matrix:
    """Singular values: falling, not negative, and not all 0.

    Raises:
        ValueError: they are not.
    """
    s = np.array(given, np.float64)
    ordered = s.ndim == 1 and 0 < s.size <= most and np.isfinite(s).all()
    if not ordered or s[0] <= 0 or s[-1] < 0 or (np.diff(s) > 0).any():
        raise ValueError(f"singular_values: got {given!r}, expected 1 to {most} numbers >= 0, falling, the first > 0")
    return s


def draw_factor(rows: int, singular_values: Matrix, rotation: ArrayLike | int | None) -> Matrix:
    """A factor ``(rows, len(singular_values))`` of V diag(s) Vᵀ: the first columns of a rotation, times √s."""
    q = rotation_matrix(rotation, rows)
    return (np.eye(rows) if q is None else q)[:, : len(singular_values)] * np.sqrt(singular_values)


def square(factor: Matrix) -> Matrix:
    """U Uᵀ, symmetric to the bit and the same on every machine."""
    u = np.ascontiguousarray(factor)
    product = matmul(u, u.T)
    return (product + product.T) / 2


def measured(matrices: Matrix, factor: Matrix) -> Matrix:
    """⟨A, U Uᵀ⟩ for each matrix A of a stack, the same on every machine."""
    pairs = square(factor)[np.tril_indices(len(factor))]
    return matmul(by_pairs(matrices), pairs[:, None])[:, 0]


def padded(factor: Matrix, rank: int) -> Matrix | None:
    """The factor as a point ``(1, rows · rank)``, with columns of 0 to the right; None if it has too many."""
    missing = rank - factor.shape[1]
    return None if missing < 0 else np.pad(factor, ((0, 0), (0, missing))).reshape(1, -1)


def gaussian(shape: tuple[int, ...], seed: int, step: int = 0) -> Matrix:
    """Standard normal data."""
    return random.normal(shape, seed, stream=random.Stream["DATA"], step=step)
