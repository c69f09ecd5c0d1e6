"""A symmetric matrix of low rank from linear measurements."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from optlab.checks import integer
from optlab.landscapes.factored import (
    Factored,
    by_pairs,
    draw_factor,
    gaussian,
    measured,
    padded,
    spectrum,
    symmetric,
)


class MatrixSensing(Factored):
    """f(U) = 1/(4m) Σᵢ (⟨Aᵢ, U Uᵀ⟩ − yᵢ)² over m measurements, with ⟨A, B⟩ = Σ A_ab B_ab.

    The saddle at 0 is declared where it is strict, with its eigenvalues, those of −(1/m) Σ yᵢ Aᵢ.

    Args:
        A: The symmetric matrices ``(m, n, n)``.
        y: What was measured, ``(m,)``.
        rank: r, the number of columns of U.

    Raises:
        ValueError: the matrices are not symmetric, or there are not as many measurements.

    Example:
        >>> f = MatrixSensing.draw(12, [1.0, 1.0], measurements=60, seed=0)
        >>> f.value(f.minima) < 1e-30, bool(f.saddle_eigenvalues.min() < -0.5)
        (array([ True]), True)

    References:
        Bhojanapalli, Neyshabur and Srebro, "Global optimality of local search for low rank matrix recovery", 2016.
    """

    kind = "matrix_sensing"

    def __init__(self, A: ArrayLike, y: ArrayLike, rank: int) -> None:
        matrices, target = symmetric("A", A, 3), np.array(y, np.float64)
        if target.shape != (len(matrices),) or not np.isfinite(target).all():
            raise ValueError(f"y: got shape {target.shape}, expected ({len(matrices)},) finite numbers, one for each A")
        rows, m = matrices.shape[-1], float(len(matrices))
        super().__init__(rows, integer("rank", rank, 1, rows), [np.array([m]), target, by_pairs(matrices).ravel()])
        self.A, self.y = matrices, target
        self._origin(-np.tensordot(target, matrices, 1) / (2 * m))

    @classmethod
    def draw(
        cls, rows: int, singular_values: ArrayLike, measurements: int, seed: int, rank: int | None = None
    ) -> MatrixSensing:
        """Aᵢ = (G + Gᵀ)/2 with standard normal G, on a random matrix of these singular values.

        The mean of f over the Aᵢ is then ¼ ‖U Uᵀ − M‖², the f of :class:`MatrixFactorization`.

        Raises:
            ValueError: an argument is out of range.
        """
        rows, m = integer("rows", rows, 1, 2**12), integer("measurements", measurements, 1, 2**24)
        s, seed = spectrum(singular_values, rows), integer("seed", seed, 0, 2**64 - 1)
        g, factor = gaussian((m, rows * rows), seed).reshape(m, rows, rows), draw_factor(rows, s, seed)
        matrices = (g + np.swapaxes(g, 1, 2)) / 2
        f = cls(matrices, measured(matrices, factor), s.size if rank is None else rank)
        f.minima, f.minimum = padded(factor, f.rank), 0.0 if f.rank >= s.size else None
        return f
