"""A network with one hidden layer of squares, and a teacher of its kind."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from optlab.checks import integer
from optlab.landscapes.factored import Factored, Matrix, by_pairs, gaussian, measured, padded


class QuadraticNetwork(Factored):
    """f(W) = 1/(4n) Σᵢ (‖Wᵀxᵢ‖² − ‖Tᵀxᵢ‖²)²: k units z ↦ z² whose outputs are added, against a teacher with weights T.

    Since ‖Wᵀx‖² = ⟨x xᵀ, W Wᵀ⟩ this is :class:`MatrixSensing` with matrices of rank one. With as many units as the
    teacher, gradient descent converges linearly; with more it does not: what is left of superfluous units falls as 1/t,
    and f as 1/t². At 0 nothing rises, so that it is a maximum; it is declared as a strict saddle, with its eigenvalues.

    Args:
        X: Inputs ``(n, d)``.
        teacher: T, ``(d, r)``.
        width: k, the number of units; None: as many as the teacher's.

    Raises:
        ValueError: the shapes do not fit, or a number is not finite.

    Example:
        >>> f = QuadraticNetwork.draw(10, teacher=2, samples=300, seed=0, width=3)
        >>> f.dim, f.value(f.minima) < 1e-28
        (30, array([ True]))

    References:
        Du and Lee, "On the power of over-parametrization in neural networks with quadratic activation", 2018.
    """

    kind = "matrix_sensing"

    def __init__(self, X: ArrayLike, teacher: ArrayLike, width: int | None = None) -> None:
        inputs, weights = np.array(X, np.float64), np.array(teacher, np.float64)
        for name, array in (("X", inputs), ("teacher", weights)):
            if array.ndim != 2 or 0 in array.shape or not np.isfinite(array).all():
                raise ValueError(f"{name}: got shape {array.shape}, expected two axes of finite numbers, not empty")
        (n, d), units = inputs.shape, weights.shape[1]
        if len(weights) != d:
            raise ValueError(f"teacher: got {len(weights)} rows, expected one for each of the {d} inputs")
        width = units if width is None else integer("width", width, 1, 2**12)
        matrices = inputs[:, :, None] * inputs[:, None, :]
        y = measured(matrices, weights)
        minima = padded(weights, width)
        minimum = None if minima is None else 0.0
        super().__init__(
            d, width, [np.array([float(n)]), y, by_pairs(matrices).ravel()], minima=minima, minimum=minimum
        )
        self.X, self.teacher = inputs, weights
        self._origin(-np.tensordot(y, matrices, 1) / (2 * n))

    @classmethod
    def draw(cls, inputs: int, teacher: int, samples: int, seed: int, width: int | None = None) -> QuadraticNetwork:
        """Standard normal inputs, and a teacher with so many units whose weights have variance 1 / inputs.

        Raises:
            ValueError: an argument is out of range.
        """
        d, units = integer("inputs", inputs, 1, 2**12), integer("teacher", teacher, 1, 2**12)
        X: Matrix = gaussian((integer("samples", samples, 1, 2**24), d), seed)
        return cls(X, gaussian((d, units), seed, step=1) / np.sqrt(d), width)
