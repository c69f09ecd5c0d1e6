"""Completion of a symmetric matrix of which some entries are known."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from optlab import random
from optlab.checks import integer, real
from optlab.landscapes.factored import Factored, by_pairs, draw_factor, padded, spectrum, square, symmetric


class MatrixCompletion(Factored):
    """f(U) = 1/(4p) ‖P_Ω(U Uᵀ − M)‖² + λ Σ_a max(‖u_a‖ − α, 0)⁴: P_Ω keeps the known entries, p is their share.

    Were all known, this would be :class:`MatrixFactorization`; from enough of them a matrix of low rank follows whose
    singular vectors are spread over all rows. The second term, without which there may be local minima with a row u_a
    that is far too long, is the paper's, and 0 at M if no row of its factor is longer than α. The saddle at 0 is
    declared, with its eigenvalues, those of −P_Ω(M)/p.

    Args:
        M: The symmetric matrix ``(n, n)``; entries that are not known do not matter.
        mask: ``(n, n)`` of bool, symmetric, True for the known entries.
        rank: r, the number of columns of U.
        lam: λ >= 0; 0 leaves the second term out.
        alpha: α > 0.

    Raises:
        ValueError: M or mask is not symmetric, no entry is known, or a number is out of range.

    Example:
        >>> import numpy as np
        >>> f = MatrixCompletion.draw(30, [2.0, 1.0], share=0.5, seed=0)
        >>> f.value(f.minima) < 1e-30, f.value(np.zeros(60)) > 0.1
        (array([ True]), np.True_)

    References:
        Ge, Lee and Ma, "Matrix completion has no spurious local minimum", 2016.
    """

    kind = "weighted_factorization"

    def __init__(self, M: ArrayLike, mask: ArrayLike, rank: int, lam: float = 0.0, alpha: float = 1.0) -> None:
        known = np.array(mask)
        if known.dtype != bool or not known.any() or known.ndim != 2 or not np.array_equal(known, known.T):
            raise ValueError("mask: expected a symmetric (n, n) array of bool that is not False throughout")
        if np.shape(M) != known.shape:
            raise ValueError(f"M: got shape {np.shape(M)}, expected that of mask, {known.shape}")
        self.M = symmetric("M", np.where(known, M, 0.0), 2)
        rows = len(self.M)
        pairs = np.tril_indices(rows)
        share = known.mean()
        self.lam, self.alpha = real("lam", lam, 0.0), real("alpha", alpha, 0.0, open_low=True)
        penalty = np.array([self.lam, self.alpha])
        super().__init__(rows, integer("rank", rank, 1, rows), [penalty, by_pairs(known / share), self.M[pairs]])
        self.mask = known
        self._origin(-self.M / (2 * share))

    @classmethod
    def draw(
        cls,
        rows: int,
        singular_values: ArrayLike,
        share: float,
        seed: int,
        rank: int | None = None,
        lam: float = 0.0,
    ) -> MatrixCompletion:
        """A matrix with random singular vectors, of which each entry is known with probability ``share``.

        α is twice the length of the longest row of its factor.

        Raises:
            ValueError: an argument is out of range, or no entry was drawn.
        """
        rows = integer("rows", rows, 1, 2**12)
        s, share = spectrum(singular_values, rows), real("share", share, 0.0, 1.0, open_low=True)
        factor = draw_factor(rows, s, integer("seed", seed, 0, 2**64 - 1))
        lower = np.tril(random.uniform((rows, rows), seed, stream=random.Stream["DATA"]) < share)
        alpha = 2 * float(np.sqrt(np.sum(factor**2, axis=1).max()))
        f = cls(square(factor), lower | lower.T, s.size if rank is None else rank, lam, alpha)
        f.minima, f.minimum = padded(factor, f.rank), 0.0 if f.rank >= s.size else None
        return f
