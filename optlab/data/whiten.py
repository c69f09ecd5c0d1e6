"""Features without correlation, all of variance 1."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optlab.checks import real
from optlab.data.checks import Array, features
from optlab.data.pca import PCA


@dataclass(frozen=True, eq=False)
class Whiten:
    """``z = V (x − mean) / sqrt(variances + eps)``: principal components, each divided by its standard deviation.

    With eps = 0 the covariance of the samples it was fitted to becomes the identity; otherwise its eigenvalues become
    v / (v + eps). That is kind "pca". Kind "zca" turns the result back, ``Vᵀ z``: of all whitenings the one that moves
    the samples least, in which feature k stays what is most like feature k, whichever axes a batch happens to have.

    Attributes:
        axes: The principal components that are kept.
        eps: What is added to their variances.
        kind: "pca" or "zca".

    Example:
        >>> import numpy as np
        >>> Z = Whiten.fit(X := np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 1.0], [4.0, 3.0]])).apply(X)
        >>> bool(np.allclose(Z.T @ Z / 4, np.eye(2)))
        True

    References:
        Bell and Sejnowski, "The 'independent components' of natural scenes are edge filters", 1997 (ZCA).
        Kessy, Lewin and Strimmer, "Optimal whitening and decorrelation", 2018 (that it moves the samples least).
    """

    axes: PCA
    eps: float
    kind: str = "pca"

    @classmethod
    def fit(cls, X: Array, components: int | None = None, eps: float = 0.0, kind: str = "pca") -> Whiten:
        """The principal components of X (n, features), of which ``components`` are kept.

        Raises:
            TypeError: X is no float32 or float64 array, or another argument has the wrong type.
            ValueError: X is empty or not finite, an argument is out of range, or eps is 0 and the samples do not vary
                along that many axes.
        """
        floor = real("eps", eps, 0.0)
        if kind not in ("pca", "zca"):
            raise ValueError(f"kind: got {kind!r}, expected 'pca' or 'zca'")
        axes = PCA.fit(X, components)
        rank = int(np.sum(np.sqrt(axes.variances * len(X)) > _rounding(X)))
        if floor == 0 and rank < len(axes.variances):
            kept = f"expected eps > 0{f' or components <= {rank}' if rank else ''}"
            raise ValueError(f"X: got samples that vary along {rank} axes, not {len(axes.variances)}; {kept}")
        return cls(axes, floor, kind)

    @property
    def scale(self) -> Array:
        """(components,) float64: what each component is divided by."""
        return np.sqrt(self.axes.variances + self.eps)

    def apply(self, X: Array) -> Array:
        """Z of X's dtype, (n, components), or (n, features) for "zca".

        Raises:
            TypeError: X is no float32 or float64 array.
            ValueError: X is empty, has another number of features, or is not finite.
        """
        exact = self.axes.apply(features("X", X).astype(np.float64)) / self.scale
        if self.kind == "zca":
            exact = exact @ self.axes.components
        return np.ascontiguousarray(exact, X.dtype)

    def invert(self, Z: Array) -> Array:
        """X, or its projection where components were left out. Raises as :meth:`apply` does."""
        turned = self.kind == "zca"
        whole = features("Z", Z, len(self.axes.mean) if turned else len(self.scale)).astype(np.float64)
        if turned:
            whole = whole @ self.axes.components.T
        return np.ascontiguousarray(self.axes.invert(whole * self.scale), Z.dtype)


def _rounding(X: Array) -> float:
    """How large a singular value of the centred samples may be from rounding alone.

    Storing X moves its singular values by at most eps/2 of X's Frobenius norm (Weyl). The decompositions add a few eps
    of it in float64; together they stay below 8.
    """
    return 8.0 * float(np.finfo(X.dtype).eps) * float(np.linalg.norm(X.astype(np.float64)))
