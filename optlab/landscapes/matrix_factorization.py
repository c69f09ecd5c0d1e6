"""Factorization of a symmetric matrix."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import ArrayLike

from optlab.checks import integer
from optlab.landscapes.factored import Factored, Matrix, by_pairs, draw_factor, spectrum, square

_LISTED = 12
"""Up to so many singular values that are not 0 the saddles are listed."""


class MatrixFactorization(Factored):
    """f(U) = ¼ ‖U Uᵀ − M‖² with M = V diag(s) Vᵀ, U of n x r, and the Frobenius norm.

    Where ∇f = 0, the columns of U are, up to a rotation of them, some of the √sⱼ vⱼ and 0. The r largest make a minimum
    f = ¼ Σ sⱼ² over the others; every other choice is a strict saddle. There the least eigenvalue is −max sᵢ over what
    is missing if a column is still 0, else the least s_j − s_i of present j and missing i. One saddle of each choice is
    declared, with all its eigenvalues:

    * s_i + s_j for present i ≤ j, and 0 for each present i < j (U Uᵀ does not change when columns rotate);
    * s_j − s_i for present j and missing i, those of s_i = 0 beyond the rank of M included;
    * for each column of 0, −s_i for missing i, and 0 for each present one.

    Args:
        rows: n.
        singular_values: s, falling, >= 0; those that are left out are 0.
        rank: r, the number of columns; None: as many as singular values are given.
        rotation: V: None for the identity, an orthogonal ``(rows, rows)`` matrix, or a seed for a random one.

    Raises:
        ValueError: an argument is out of range.

    Example:
        >>> f = MatrixFactorization(4, [3.0, 1.0])
        >>> f.minimum, f.value(f.saddles), f.saddle_eigenvalues[:, 0]
        (0.0, array([2.5 , 0.25, 2.25]), array([-3., -1., -3.]))

    References:
        Ge, Jin and Zheng, "No spurious local minima in nonconvex low rank problems: a unified geometric analysis",
        2017.
    """

    kind = "weighted_factorization"

    def __init__(
        self,
        rows: int,
        singular_values: ArrayLike,
        rank: int | None = None,
        rotation: ArrayLike | int | None = None,
    ) -> None:
        rows = integer("rows", rows, 1, 2**12)
        s = spectrum(singular_values, rows)
        rank = s.size if rank is None else integer("rank", rank, 1, rows)
        factor = draw_factor(rows, s, rotation)
        self.singular_values, self.M = s, square(factor)
        weights = by_pairs(np.ones((rows, rows)))
        super().__init__(
            rows, rank, [np.zeros(2), weights, self.M[np.tril_indices(rows)]], minimum=float(np.sum(s[rank:] ** 2)) / 4
        )
        self._declare(factor)

    def _declare(self, factor: Matrix) -> None:
        """The minima, which are several where singular values are equal, and the saddles, one of each choice."""
        s, choices = self.singular_values, self._choices()
        top = s[: len(choices[-1])]
        lowest = [choice for choice in choices if np.array_equal(s[list(choice)], top)]
        self.minima = self._points(factor, lowest)
        higher = [choice for choice in choices if choice not in lowest]
        if higher:
            self.saddles = self._points(factor, higher)
            self.saddle_eigenvalues = np.array([self._eigenvalues(choice) for choice in higher])

    def _choices(self) -> list[tuple[int, ...]]:
        """Which singular values the columns may hold; the largest number of them last."""
        count = int(np.count_nonzero(self.singular_values))
        most = min(count, self.rank)
        if count > _LISTED:
            return [tuple(range(most))]
        return [choice for size in range(most + 1) for choice in itertools.combinations(range(count), size)]

    def _points(self, factor: Matrix, choices: list[tuple[int, ...]]) -> Matrix:
        points = np.zeros((len(choices), self.rows, self.rank))
        for point, choice in zip(points, choices, strict=True):
            point[:, : len(choice)] = factor[:, list(choice)]
        return points.reshape(len(choices), self.dim)

    def _eigenvalues(self, choice: tuple[int, ...]) -> Matrix:
        s = np.pad(self.singular_values, (0, self.rows - self.singular_values.size))
        p, q, empty = s[list(choice)], np.delete(s, choice), self.rank - len(choice)
        i, j = np.tril_indices(len(p))
        zeros = np.zeros(len(p) * (len(p) - 1) // 2 + empty * len(p))
        return np.sort(np.concatenate([p[i] + p[j], (p[:, None] - q).ravel(), np.tile(-q, empty), zeros]))
