"""The octopus: a chain of saddles on which gradient descent takes a time exponential in the dimension."""

from __future__ import annotations

import itertools

import numpy as np

from optlab.checks import integer, real
from optlab.landscape import CompiledLandscape

_LISTED = 12
"""Up to so many coordinates the 2**dim minima are listed."""


class Octopus(CompiledLandscape):
    """f(x) = Σᵢ (1 − Pᵢ) L xᵢ² + Pᵢ h(|xᵢ|) with Pᵢ = Π_{j<i} s(|xⱼ|): each coordinate waits for those before it.

    A coordinate lies in the well L x² until all before it have moved out from 0 to ±4τ; then it falls from a saddle
    along the tentacle h into the next well::

        h(u) = −γu²                                                      u <= τ
               −γu² + (10γ − 14L)/(3τ) (u−τ)³ + (5L − 3γ)/(2τ²) (u−τ)⁴   τ < u < 2τ
               L (u − 4τ)² − ν,  ν = (37L + 13γ)τ²/6                     2τ <= u
        s(u) = t³(10 − 15t + 6t²),  t = (u − τ)/τ, kept within 0 and 1

    This is the paper's function where the paper defines it: coordinates in [2τ, 6τ] in front, one anywhere in [0, 6τ],
    then those up to τ, with any signs. The paper's own extension is not constructive; this one is C² on all of R^dim
    and adds no stationary point, since f falls along the first coordinate between 0 and 4τ wherever the others are.
    The gradient is Lipschitz on the paper's domain, not on R^dim.

    The 2^dim minima (±4τ, …, ±4τ) have the value −dim·ν and Hessian 2L·I. The 2^dim − 1 saddles (±4τ, …, ±4τ, 0, …, 0)
    are strict: −2γ is an eigenvalue once, 2L dim − 1 times (``saddle_curvatures``).

    Args:
        dim: The number of coordinates.
        L: The curvature of the wells is 2L; the paper has L >= γ.
        gamma: γ, that of a tentacle's root is −2γ.
        tau: τ, the length of a tentacle's root.

    Raises:
        ValueError: an argument is out of range.

    Example:
        >>> import numpy as np
        >>> f = Octopus(dim=3, L=2.0, tau=1.0)
        >>> f.hessian(np.array([4.0, 0.0, 0.0])).diagonal(), f.value(np.array([4.0, -4.0, 4.0])) == f.minimum
        (array([ 4., -2.,  4.]), np.True_)

    References:
        Du, Jin, Lee, Jordan, Poczos and Singh, "Gradient descent can take exponential time to escape saddle points",
        NeurIPS 2017, where τ = e and starts are uniform in [−1, 1]^dim.
    """

    kind = "octopus"

    def __init__(self, dim: int, L: float = 1.0, gamma: float = 1.0, tau: float = np.e) -> None:
        dim = integer("dim", dim, 1, 2**33)
        self.L, self.gamma, self.tau = (
            real(name, number, np.finfo(float).tiny) for name, number in (("L", L), ("gamma", gamma), ("tau", tau))
        )
        self.depth = (37 * self.L + 13 * self.gamma) / 6 * self.tau**2
        self.saddle_curvatures = (-2 * self.gamma, 2 * self.L)
        box = np.full(dim, 6 * self.tau)
        super().__init__(
            dim,
            [np.array([self.L, self.gamma, self.tau])],
            minima=self._corners(dim, dim) if dim <= _LISTED else None,
            saddles=np.vstack([self._corners(dim, out) for out in range(dim)]) if dim <= _LISTED else None,
            minimum=-dim * self.depth,
            start=np.full(dim, self.tau / 2),
            bounds=[-box, box],
        )

    def _corners(self, dim: int, out: int) -> np.ndarray:
        """The points with the first ``out`` coordinates at ±4τ, the others 0."""
        signs = np.array(list(itertools.product((-1.0, 1.0), repeat=out)))
        return np.hstack([4 * self.tau * signs, np.zeros((len(signs), dim - out))])
