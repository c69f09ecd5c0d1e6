"""Features of mean 0 and variance 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from optlab.data.checks import Array, features


@dataclass(frozen=True, eq=False)
class Standardize:
    """``z = (x − mean) / std``, feature by feature; what :meth:`fit` finds holds for any samples.

    Attributes:
        mean: (features,) float64.
        std: (features,) float64, with divisor n; 1 where the feature was constant, which z then is too, at 0.

    Example:
        >>> import numpy as np
        >>> X = np.array([[1.0, 5.0], [3.0, 5.0]])
        >>> scale = Standardize.fit(X)
        >>> scale.apply(X), scale.apply(np.array([[5.0, 6.0]]))
        (array([[-1.,  0.],
               [ 1.,  0.]]), array([[3., 1.]]))
    """

    mean: Array
    std: Array

    @classmethod
    def fit(cls, X: Array) -> Standardize:
        """The mean and standard deviation of each column of X (n, features).

        Raises:
            TypeError: X is no float32 or float64 array.
            ValueError: X is empty, not a matrix, or not finite.
        """
        mean, deviation = centred(features("X", X))
        std = np.sqrt(np.mean(deviation**2, axis=0))
        return cls(mean, np.where(std > 0, std, 1.0))

    def apply(self, X: Array) -> Array:
        """Z (n, features) of X's dtype.

        Raises:
            TypeError: X is no float32 or float64 array.
            ValueError: X is empty, has another number of features, or is not finite.
        """
        return _kept((features("X", X, len(self.mean)) - self.mean) / self.std, X)

    def invert(self, Z: Array) -> Array:
        """The X of which Z is made. Raises as :meth:`apply` does."""
        return _kept(features("Z", Z, len(self.mean)) * self.std + self.mean, Z)


def centred(X: Array) -> tuple[Array, Array]:
    """The mean of each column, and X without it, in float64.

    The first row is taken off before anything is summed: a constant column gives zeros, and a large mean costs no
    digits of a small deviation.
    """
    shifted = X.astype(np.float64) - X[0]
    offset = shifted.mean(axis=0)
    return X[0] + offset, shifted - offset


def _kept(result: Any, like: Array) -> Array:
    return np.ascontiguousarray(result, like.dtype)
