"""The condition number of a Hessian."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optlab.checks import integer
from optlab.curvature.eigenvalues import tolerance
from optlab.curvature.products import MAX_PRODUCTS, Products
from optlab.curvature.whole import DENSE_UP_TO, Known, known
from optlab.landscape import Landscape

Array = NDArray[Any]


@dataclass(frozen=True)
class ConditionNumber:
    """``κ = max |λ| / min |λ|``.

    Attributes:
        value: κ; infinite where the smallest |λ| is within its residual of 0.
        low: The least κ that the residuals allow.
        high: The greatest, or infinity.
        smallest: The smallest eigenvalue, signed.
        largest: The largest eigenvalue, signed.
        products: How many Hessian-vector products it took.
        dense: Whether all eigenvalues were computed.
    """

    value: float
    low: float
    high: float
    smallest: float
    largest: float
    products: int
    dense: bool


def condition_number(
    f: Landscape,
    x: Array,
    *,
    dense_up_to: int = DENSE_UP_TO,
    tol: float | None = None,
    max_products: int = MAX_PRODUCTS,
    seed: int = 0,
) -> ConditionNumber:
    """``κ(H) = max |λ| / min |λ|``, the 2-norm condition number; ``λ_max / λ_min`` for a positive definite Hessian.

    From all eigenvalues up to ``dense_up_to`` coordinates, from the two ends of the spectrum beyond. ``low`` and
    ``high`` say how well it is known: in float32, whose products are good to about 1e-6 |H|, not above 1e5.

    Args:
        f: A landscape without randomness, or frozen by ``f.sample(seed, step, run)``.
        x: The point ``(dim,)``.
        dense_up_to: Up to so many coordinates all eigenvalues are computed.
        tol: As in :func:`eigenvalues`.
        max_products: As in :func:`eigenvalues`.
        seed: As in :func:`eigenvalues`.

    Raises:
        TypeError: f is no landscape, or an argument is of the wrong type.
        ValueError: an argument is out of range, or the Hessian has eigenvalues of both signs and more coordinates than
            ``dense_up_to``: its smallest |λ| is then at neither end.
        ConvergenceError: as in :func:`eigenvalues`.

    Example:
        >>> import numpy as np, optlab as ol
        >>> ol.curvature.condition_number(ol.landscapes.Quadratic([2.0, 8.0]), np.zeros(2)).value
        4.0
    """
    dense_up_to = integer("dense_up_to", dense_up_to, 0, 2**14)
    product = Products(f, x, integer("max_products", max_products, 1, 2**62))
    found = known(product, dense_up_to, tolerance(tol, x.dtype), seed)
    if not found.dense and found.values[0] < 0 < found.values[-1]:
        raise ValueError(
            f"x: got eigenvalues from {found.values[0]:.3g} to {found.values[-1]:.3g}, expected one sign, "
            f"or at most dense_up_to={dense_up_to} coordinates"
        )
    low, value, high = _ratios(found)
    first, last = float(found.values[0]), float(found.values[-1])
    return ConditionNumber(value, low, high, first, last, product.count, found.dense)


def _ratios(found: Known) -> tuple[float, float, float]:
    """The least, the likely and the greatest κ."""
    sizes = np.abs(found.values)
    slack = float(found.residuals.max())
    most, least = float(sizes.max()), float(sizes.min())
    value = most / least if least > slack else math.inf
    high = (most + slack) / (least - slack) if least > slack else math.inf
    return max(most - slack, 0.0) / (least + slack) if least + slack else math.inf, value, high
