"""Orthogonal weights."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from optlab.checks import real
from optlab.kernels.select import cpu
from optlab.nn.init.initializer import Address, Array, Initializer, scaled

MAX_WORK = 2**36
"""The largest rows² · columns with rows <= columns, that of a 4096 x 4096 weight: about a minute."""


@dataclass(frozen=True)
class Orthogonal(Initializer):
    """gain times a random matrix with orthonormal rows, or columns where there are more rows, of Haar's measure.

    Gaussian rows are made orthonormal by Gram and Schmidt's method, the shorter side as rows; more than two dimensions
    count as (shape[0], the others), as in PyTorch. A square one keeps the length of every vector. Both dtypes take the
    same float64 numbers, because rounding before the method could leave a row of zeros; so float32 is float64 rounded.
    The time grows as rows² · columns: a few seconds for 2048 x 2048.

    Args:
        gain: A factor for the activation, see :func:`gain`.

    Raises:
        TypeError: gain is not a number.
        ValueError: it is negative or not finite.

    Example:
        >>> import numpy as np
        >>> w = Orthogonal().draw((2, 5), seed=0, dtype="float64")
        >>> bool(np.allclose(w @ w.T, np.eye(2), atol=1e-15))
        True

    References:
        Saxe, McClelland and Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep linear neural
        networks", 2014.
    """

    gain: float = 1.0

    def __post_init__(self) -> None:
        """Check the gain."""
        object.__setattr__(self, "gain", real("gain", self.gain, 0.0))

    def check(self, shape: tuple[int, ...], fans: tuple[int, int] | None) -> None:
        """See :meth:`Initializer.check`."""
        if len(shape) < 2:
            raise ValueError(f"shape: got {shape}, expected at least two dimensions for orthogonal rows")
        rows, columns = sorted((shape[0], math.prod(shape[1:])))
        if rows * rows * columns > MAX_WORK:
            expected = "expected at most 4096 x 4096, or as many multiplications; another method for larger weights"
            raise ValueError(f"shape: got {shape}, which would take minutes to make orthogonal; {expected}")

    def fill_in(self, out: Array, address: Address, fans: tuple[int, int] | None) -> None:
        """See :meth:`Initializer.fill_in`."""
        matrix = out.reshape(len(out), -1)
        rows = np.empty(sorted(matrix.shape))
        scaled(rows, "normal", address, 1.0)
        cpu.orthonormalize_rows(rows)
        rows *= self.gain
        matrix[...] = rows if matrix.shape == rows.shape else rows.T
