"""When and how perturbed gradient descent shakes a run."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass

from optlab.checks import integer, real


@dataclass(frozen=True)
class Perturbation:
    """Perturbed gradient descent of Jin et al. (algorithm 2): a jump, uniform in a ball, where the gradient is small.

    At step t, if ``|∇f(x_t)| <= grad_norm`` and more than ``wait`` steps have passed since the last jump, x_t becomes
    ``x_t + ζ`` with ζ uniform in the ball of ``radius`` (stream PERTURBATION), and the step is taken from there. If
    ``wait`` steps after a jump f has not fallen by at least ``decrease`` below its value before it, the run stops at
    the point before the jump (``stop_reason`` "no_decrease"); ``decrease=None`` never stops.

    Args:
        radius: r, >= 0.
        grad_norm: g_thres, >= 0.
        wait: t_thres, >= 1.
        decrease: f_thres, >= 0, or None.

    Raises:
        TypeError: an argument is not a number.
        ValueError: an argument is out of range.

    References:
        Jin, Ge, Netrapalli, Kakade and Jordan, "How to escape saddle points efficiently", ICML 2017.
    """

    radius: float
    grad_norm: float
    wait: int
    decrease: float | None = None

    def __post_init__(self) -> None:
        real("radius", self.radius, 0.0)
        real("grad_norm", self.grad_norm, 0.0)
        integer("wait", self.wait, 1, 2**47)
        if self.decrease is not None:
            real("decrease", self.decrease, 0.0)

    @classmethod
    def from_theory(
        cls,
        *,
        dim: int,
        smoothness: float,
        hessian_lipschitz: float,
        gap: float,
        eps: float,
        c: float = 0.1,
        delta: float = 0.1,
    ) -> tuple[Perturbation, float]:
        """The paper's parameters and learning rate ``c / smoothness``.

        With χ = 3 max(log(dim·ℓ·Δf / (c ε² δ)), 4): r = √c/χ² · ε/ℓ, g_thres = √c/χ² · ε,
        f_thres = c/χ³ · √(ε³/ρ), t_thres = χ/c² · ℓ/√(ρε). They guarantee, they do not hurry: for practical work choose
        the four numbers by hand.

        Args:
            dim: The number of coordinates.
            smoothness: ℓ, the Lipschitz constant of the gradient.
            hessian_lipschitz: ρ, that of the Hessian.
            gap: Δf, how far the start lies above the minimum.
            eps: ε, the gradient norm wanted; the curvature is then at least −√(ρε).
            c: The paper's constant, small enough.
            delta: δ, the probability of failing.

        Returns:
            The perturbation and the learning rate.

        Raises:
            ValueError: a number is not positive.
        """
        scales = {"smoothness": smoothness, "hessian_lipschitz": hessian_lipschitz, "gap": gap, "eps": eps}
        for name, number in (scales | {"c": c, "delta": delta}).items():
            real(name, number, sys.float_info.min)
        product = sum(map(math.log, (integer("dim", dim, 1, 2**33), smoothness, gap)))
        chi = 3 * max(product - math.log(c) - 2 * math.log(eps) - math.log(delta), 4.0)
        small = math.sqrt(c) / chi**2 * eps
        wait = math.ceil(chi / c**2 * smoothness / math.sqrt(hessian_lipschitz * eps))
        decrease = c / chi**3 * math.sqrt(eps**3 / hessian_lipschitz)
        return cls(small / smoothness, small, wait, decrease), c / smoothness
