"""Principal components."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optlab.checks import integer
from optlab.data.checks import Array, features
from optlab.data.standardize import centred


@dataclass(frozen=True, eq=False)
class PCA:
    """``z = V (x − mean)``: the coordinates along the axes in which the samples vary most.

    The rows v_k of V are the eigenvectors of the covariance ``C = Σ (x_i − mean)(x_i − mean)ᵀ / n``, largest variance
    first; of v_k and −v_k the one whose entry of largest size is positive. On the samples it was fitted to z has mean 0
    and covariance diag(variances).

    Attributes:
        mean: (features,) float64.
        components: V, (components, features) float64, orthonormal rows.
        variances: (components,) float64, the eigenvalues of C.

    Example:
        >>> import numpy as np
        >>> X = np.array([[1.0, 1.0], [3.0, 3.0], [2.0, 2.0]])
        >>> line = PCA.fit(X, components=1)
        >>> bool(np.allclose(line.apply(X).ravel() ** 2, [2, 2, 0])), bool(np.allclose(line.invert(line.apply(X)), X))
        (True, True)

    References:
        Pearson, "On lines and planes of closest fit to systems of points in space", 1901.
    """

    mean: Array
    components: Array
    variances: Array

    @classmethod
    def fit(cls, X: Array, components: int | None = None) -> PCA:
        """The axes of X (n, features), by a QR and a singular value decomposition of the centred samples.

        The covariance is not formed: its eigenvalues would lose what lies below eps times the largest. LAPACK's results
        may differ in the last digits from machine to machine.

        Args:
            X: (n, features).
            components: How many axes, at most min(n, features), which is the default.

        Raises:
            TypeError: X is no float32 or float64 array, or components no whole number.
            ValueError: X is empty or not finite, or components is out of range.
        """
        limit = min(features("X", X).shape)
        count = limit if components is None else integer("components", components, 1, limit)
        mean, deviation = centred(X)
        _, sizes, axes = np.linalg.svd(np.linalg.qr(deviation, mode="r"), full_matrices=False)
        strongest = np.take_along_axis(axes, np.abs(axes).argmax(axis=1)[:, None], axis=1)
        axes = axes * np.where(strongest < 0, -1.0, 1.0)
        return cls(mean, np.ascontiguousarray(axes[:count]), sizes[:count] ** 2 / len(X))

    def apply(self, X: Array) -> Array:
        """Z (n, components) of X's dtype.

        Raises:
            TypeError: X is no float32 or float64 array.
            ValueError: X is empty, has another number of features, or is not finite.
        """
        centred_at_fit = features("X", X, len(self.mean)) - self.mean
        return np.ascontiguousarray(centred_at_fit @ self.components.T, X.dtype)

    def invert(self, Z: Array) -> Array:
        """``mean + Vᵀ z``: X, or its projection where components were left out. Raises as :meth:`apply` does."""
        return np.ascontiguousarray(features("Z", Z, len(self.components)) @ self.components + self.mean, Z.dtype)
