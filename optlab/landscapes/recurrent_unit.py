"""A recurrent unit that must remember its start: a wall through a plain."""

from __future__ import annotations

import math

import numpy as np

from optlab.checks import integer, real
from optlab.landscape import CompiledLandscape

_MOST = 10_000


class RecurrentUnit(CompiledLandscape):
    """E(w, b) = (σ(x_T) − y)² of one unit without inputs, x_{t+1} = w σ(x_t) + b, with the logistic σ.

    For w > 4 the unit has two stable states. Which of them a start x₀ reaches changes where x₀ is the unstable state
    between them, b = x₀ − w σ(x₀), and there E rises like a wall: a step of the state has the slope λ = w σ′(x₀) > 1,
    so that after T of them the gradient is that of :meth:`slope_on_wall`, which grows as λ^T.

    The global minima E = 0 form a curve through the plain; the one at w = 0 is listed.

    Args:
        steps: T >= 1.
        start: x₀.
        target: y in (0, 1).

    Raises:
        ValueError: an argument is out of range.

    Example:
        >>> import numpy as np
        >>> f = RecurrentUnit(steps=50)
        >>> [f"{np.linalg.norm(f.grad(f.wall(6.0) + [0.0, away])):.2g}" for away in (0.0, 0.1)]
        ['3e+06', '0.089']

    References:
        Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks", ICML 2013, where the
        unit starts at 0.5, the target is 0.7 and T is 50.
    """

    kind = "recurrent_unit"

    def __init__(self, steps: int = 50, start: float = 0.5, target: float = 0.7) -> None:
        self.steps = integer("steps", steps, 1, _MOST)
        self.x0 = real("start", start)
        self.target = real("target", target, 0.0, 1.0, open_low=True, open_high=True)
        super().__init__(
            2,
            [np.array([self.steps, self.x0, self.target])],
            minima=[[0.0, math.log(self.target / (1 - self.target))]],
            minimum=0.0,
            start=[6.0, -3.0],
            bounds=[[3.0, -5.0], [8.0, 0.0]],
        )

    def wall(self, w: float) -> np.ndarray:
        """The point (w, b) of the wall, where x₀ is a state that stays: b = x₀ − w σ(x₀)."""
        return np.array([w, self.x0 - w * self._sigma()])

    def slope_on_wall(self, w: float) -> np.ndarray:
        """∇E there, exact: 2 (σ − y) σ′ (λ^T − 1)/(λ − 1) (σ, 1), all at x₀, with λ = w σ′(x₀) != 1."""
        sigma = self._sigma()
        slope = sigma * (1 - sigma)
        growth = w * slope
        grown = (growth**self.steps - 1) / (growth - 1)
        return 2 * (sigma - self.target) * slope * grown * np.array([sigma, 1.0])

    def _sigma(self) -> float:
        return 1 / (1 + math.exp(-self.x0))
