"""The largest eigenvalue of the Hessian along a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optlab.checks import integer
from optlab.curvature.eigenvalues import tolerance
from optlab.curvature.extremes import Pairs, all_pairs, allowed, is_small, lanczos_top, measured, scaled
from optlab.curvature.probes import unit_vector
from optlab.curvature.products import MAX_PRODUCTS, NotFiniteError, Products
from optlab.landscape import Landscape
from optlab.refusals import methods, rows
from optlab.trajectory import Trajectory

Array = NDArray[Any]
Vector = NDArray[np.float64]
FRESH = 0.1
"""The size of the random part of a warm start: an eigenvector that another has overtaken would else stay invisible."""
TOL = 1e-6
BASIS, WARM = 16, 8
"""Lanczos vectors kept between restarts, from a cold and from a warm start."""


@dataclass(frozen=True, eq=False)
class Sharpness:
    """The largest eigenvalue of the Hessian at points of one or many runs.

    Attributes:
        value: λ_max, ``(records,)`` or ``(records, runs)`` float64; NaN where the point or its curvature is not finite.
        residual: ``|H v − λ v|``, likewise; an eigenvalue lies within it.
        step: The steps recorded, ``(records,)``, or None where points were given instead of a trajectory.
        products: How many Hessian-vector products it took.
    """

    value: Vector
    residual: Vector
    step: NDArray[np.int64] | None
    products: int


def sharpness(
    f: Landscape, path: Trajectory | Array, *, tol: float | None = None, max_products: int = MAX_PRODUCTS, seed: int = 0
) -> Sharpness:
    """``λ_max(∇²f(x_k))`` at every recorded point, Lanczos at each starting from the eigenvector of the one before.

    The largest in algebraic order, which an early Hessian need not have as its largest in absolute value. A tenth of
    each start is drawn afresh. Gradient descent with step η is stable while it stays below 2/η.

    Accuracy as in :func:`eigenvalues`: the residual's square over the gap, but at least 1e-6 |H| in float32.

    Args:
        f: A landscape without randomness, or frozen by ``f.sample(seed, step, run)``.
        path: A trajectory with ``record_x=True``, or points ``(records, dim)`` or ``(records, runs, dim)``.
        tol: The residual asked for, relative to |H|; None: 1e-6, in float32 2e-5.
        max_products: When to give up on one point.
        seed: Of the start vectors.

    Raises:
        TypeError: f is no landscape, or an argument is of the wrong type.
        ValueError: the trajectory holds no points, a shape is wrong, no point is finite, or f draws at each evaluation.
        ConvergenceError: max_products were not enough at a point.

    Example:
        >>> import numpy as np, optlab as ol
        >>> f = ol.landscapes.Rosenbrock(2)
        >>> path = ol.descend(f, ol.SGD(lr=1e-3), f.start, steps=2000, record=1000)
        >>> ol.curvature.sharpness(f, path).value[:, 0].round(1)
        array([1506.4,  286.7,  617.2])

    References:
        Cohen, Kaur, Li, Kolter and Talwalkar, "Gradient descent on neural networks typically occurs at the edge of
        stability", 2021.
    """
    xs, step = (path.x, path.step) if isinstance(path, Trajectory) else (path, None)
    points = _checked(f, xs)
    most = integer("max_products", max_products, 1, 2**62)
    relative = tolerance(TOL if tol is None and points.dtype == np.float64 else tol, points.dtype)
    finite = np.argwhere(np.isfinite(points).all(axis=2))
    if not finite.size:
        raise ValueError("path: got no finite point, expected at least one")
    Products(f, np.ascontiguousarray(points[tuple(finite[0])]))  # is it deterministic? once for the whole path
    found, spent = np.full((2, *points.shape[:2]), np.nan), 0
    warm: dict[int, Pairs] = {}
    for k, run in finite.tolist():
        product = Products(f, np.ascontiguousarray(points[k, run]), most, checked=False)
        pair = _top(product, unit_vector(f.dim, seed, "sharpness", k, run), warm.get(run), relative, seed)
        spent += product.count
        if pair is not None:
            found[:, k, run], warm[run] = (pair.values[0], pair.residuals[0]), pair
    value, residual = found if isinstance(xs, np.ndarray) and xs.ndim == 3 else found[:, :, 0]
    return Sharpness(value, residual, step, spent)


def _checked(f: Landscape, xs: Any) -> Array:
    """The points as (records, runs, dim)."""
    methods(f)
    if not isinstance(xs, np.ndarray):
        raise TypeError(f"path: got {type(xs).__name__}, expected an array, or a trajectory with record_x=True")
    if xs.ndim not in (2, 3) or not xs.size:
        raise ValueError(f"path: got shape {xs.shape}, expected (records, dim) or (records, runs, dim)")
    rows("path", xs.reshape(-1, xs.shape[-1]), f.dim, finite_only=False)
    return xs if xs.ndim == 3 else xs[:, None]


def _top(product: Products, fresh: Vector, warm: Pairs | None, tol: float, seed: int) -> Pairs | None:
    """The largest eigenpair, or None where a product is not finite."""
    try:
        if is_small(product.dim, 1):
            return all_pairs(product).rows(slice(-1, None))
        start = fresh if warm is None else warm.vectors[0] + FRESH * fresh
        shifted, unit = scaled(product, start, steps=12 if warm is None else 4)
        _, vectors = lanczos_top(shifted, 1, tol, seed, start, BASIS if warm is None else WARM)
        return measured(product, vectors, allowed(product, unit, tol))
    except NotFiniteError:
        return None
