"""Decomposition of an orthogonal tensor of order four."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from optlab.checks import integer
from optlab.landscape import CompiledLandscape
from optlab.layout import Segment


class OrthogonalTensor(CompiledLandscape):
    """F(U) = Σ_{i≠j} T(vᵢ, vᵢ, vⱼ, vⱼ) with vᵢ = uᵢ/‖uᵢ‖ and T = Σ_k a_k ⊗ a_k ⊗ a_k ⊗ a_k, the a_k orthonormal.

    All components a_k are wanted at once: F ≥ 0, and F = 0 just where the vᵢ are the a_k up to order and sign. Points
    are the rows of U = (u₁ … u_d) in the basis of the a_k, in which F = Σ_k Σ_{i≠j} v²_ik v²_jk; gradient descent
    and isotropic noise see no difference to any other orthonormal basis.

    The paper constrains the uᵢ to unit spheres. Here F is a function of their directions, so the gradient is tangent to
    the spheres, and at stationary points of unit rows the Hessian is that on the spheres, and 0 along the rows. Steps
    lengthen the rows, ‖u‖² by the square of the step, and so shorten the steps that follow: by little, where steps are.

    Declared are the minimum U = I, where the Hessian has eigenvalues 4 across and 0 along the rows, and d − 1 saddles.
    In the j-th the first j rows are found and the m = d − j others all equal, with entries 1/√m. There F = m − 1, and
    the eigenvalues are −8/m, (m − 1)² times; 8 − 8/m, m − 1 times; 4/m, mj times; 4, j (d − 1) times; and 0, d times.

    Args:
        components: d, at least 2.

    Raises:
        ValueError: components is out of range.

    Example:
        >>> f = OrthogonalTensor(3)
        >>> f.value(f.minima), f.value(f.saddles).round(12), f.saddle_eigenvalues[:, 0]
        (array([0.]), array([2., 1.]), array([-2.66666667, -4.        ]))

    References:
        Ge, Huang, Jin and Yuan, "Escaping from saddle points: online stochastic gradient for tensor decomposition",
        2015.
    """

    kind = "orthogonal_tensor"

    def __init__(self, components: int) -> None:
        d = integer("components", components, 2, 2**10)
        saddles = np.array([self._saddle(d, found) for found in range(d - 1)])
        super().__init__(
            d * d,
            [np.array([float(d)])],
            minima=np.eye(d).reshape(1, -1),
            minimum=0.0,
            saddles=saddles,
            start=saddles[0],
        )
        self.components = d
        self.saddle_eigenvalues = np.array([self._eigenvalues(d, found) for found in range(d - 1)])
        self.layout = (Segment("U", 0, (d, d)),)

    def on_spheres(self, x: NDArray[Any]) -> NDArray[Any]:
        """The same directions with rows of length 1, where the Hessian is that on the spheres."""
        u = x.reshape(*x.shape[:-1], self.components, self.components)
        unit: NDArray[Any] = (u / np.linalg.norm(u, axis=-1, keepdims=True)).reshape(x.shape)
        return unit

    @staticmethod
    def _saddle(d: int, found: int) -> np.ndarray:
        u = np.eye(d)
        u[found:, found:] = 1 / np.sqrt(d - found)
        return u.ravel()

    @staticmethod
    def _eigenvalues(d: int, found: int) -> np.ndarray:
        m = d - found
        values = [-8 / m, 0.0, 4 / m, 4.0, 8 - 8 / m]
        return np.sort(np.repeat(values, [(m - 1) ** 2, d, m * found, found * (d - 1), m - 1]))
