"""Least squares, the finite sum that is understood completely."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from optlab import random
from optlab.backends import home_of
from optlab.backends.base import Evaluator, Evaluators
from optlab.checks import integer
from optlab.landscape import CompiledLandscape, Landscape
from optlab.typing import Array


class LeastSquares(CompiledLandscape):
    """f(x) = |A x − b|² / (2 n) over n samples, the rows of A; with ``batch=`` over those rows only.

    On the GPU a thread takes a whole point, of at most 4096 coordinates, and reads the rows from global memory.

    Args:
        A: ``(n, dim)``.
        b: ``(n,)``.

    Raises:
        ValueError: the shapes do not fit, or a number is not finite.
        IndexError: a batch names a sample that does not exist.

    Example:
        >>> import numpy as np
        >>> f = LeastSquares(np.eye(2), [1.0, 3.0])
        >>> x = np.zeros(2)
        >>> f.value(x), f.grad(x), f.grad(x, batch=np.array([1]))
        (np.float64(2.5), array([-0.5, -1.5]), array([ 0., -3.]))
    """

    def __init__(self, A: ArrayLike, b: ArrayLike) -> None:
        matrix, target = np.array(A, np.float64, order="C"), np.array(b, np.float64)
        if matrix.ndim != 2 or 0 in matrix.shape or target.shape != matrix.shape[:1]:
            raise ValueError(f"A, b: got shapes {matrix.shape} and {target.shape}, expected (n, dim) and (n,)")
        if not (np.isfinite(matrix).all() and np.isfinite(target).all()):
            raise ValueError("A, b: got a number that is not finite")
        solution, *_ = np.linalg.lstsq(matrix, target, rcond=None)
        residual = matrix @ solution - target
        super().__init__(
            matrix.shape[1], [], minima=solution[None], minimum=float(residual @ residual) / (2 * len(target))
        )
        self.A, self.b = matrix, target
        self.n_samples = len(target)

    def _build(self, evaluators: Evaluators) -> Evaluator:
        return evaluators.least_squares(self.A, self.b)

    def sample(self, seed: int, step: int, run: int = 0, batch_size: int | None = None) -> Landscape:
        """The sum over the batch that :func:`optlab.descend` would draw for this step and run.

        Raises:
            ValueError: batch_size is missing or below 1.
        """
        if batch_size is None:
            raise ValueError("batch_size: got None, expected how many samples the frozen batch has")
        size = integer("batch_size", batch_size, 1, 2**32 - 1)
        index = random.integers(size, len(self.b), seed, step=step, first_run=run)
        return LeastSquares(self.A[index], self.b[index])

    def batch_grad(self, x: Array, batch_size: int, seed: int, step: int, first_run: int = 0) -> Array:
        """The gradient of every run ``(runs, dim)`` over its own batch of this step.

        Run r draws ``optlab.random.integers((runs, batch_size), n, seed, step=step)[r]``.
        """
        index = home_of(x).upload(
            random.integers((len(x), batch_size), len(self.b), seed, step=step, first_run=first_run)
        )
        grads: Array = home_of(x).xp.stack([self.grad(row, batch=batch) for row, batch in zip(x, index, strict=True)])
        return grads
