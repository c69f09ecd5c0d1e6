"""Planes in the space of parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optlab.refusals import one_of, rows, vector

Array = NDArray[Any]
Vector = NDArray[np.float64]
INDEPENDENT = 1e-6
"""The smallest sine between two axes that count as two directions."""


@dataclass(frozen=True, eq=False)
class Plane:
    """The points ``origin + a d1 + b d2``. The axes need not be orthogonal or of length 1.

    Attributes:
        origin: ``(dim,)`` in the dtype of the points it was made of.
        axes: d1 and d2, ``(2, dim)`` float64.

    Example:
        >>> import numpy as np, optlab as ol
        >>> plane = ol.curvature.plane_through(np.zeros(3), np.array([2.0, 0.0, 0.0]), np.array([1.0, 1.0, 0.0]))
        >>> plane.axes
        array([[1., 0., 0.],
               [0., 1., 0.]])
    """

    origin: Array
    axes: Vector


def axes_of(name: str, d1: Array, d2: Array, dim: int) -> Vector:
    """Both directions as rows, if they span a plane.

    Raises:
        TypeError: one is no float array.
        ValueError: one has another shape, is not finite or zero, or both point along one line.
    """
    for each, given in (("d1", d1), ("d2", d2)):
        vector(each, given, dim)
        if not given.any():
            raise ValueError(f"{each}: got zeros, expected a direction")
    axes = np.array([d1, d2], np.float64)
    unit = axes / np.linalg.norm(axes, axis=1, keepdims=True)
    if np.linalg.norm(unit[1] - (unit[1] @ unit[0]) * unit[0]) < INDEPENDENT:
        raise ValueError(f"{name}: got directions along one line, expected two that span a plane")
    return axes


def plane_through(a: Array, b: Array, c: Array) -> Plane:
    """The plane through three points, with origin a, d1 towards b, and d2 orthogonal to it on the side of c.

    The axes have length 1, so that distances in a picture of it are distances of parameters.

    Raises:
        TypeError: a point is no float array.
        ValueError: points differ in shape, are not finite, or lie on one line.

    References:
        Garipov, Izmailov, Podoprikhin, Vetrov and Wilson, "Loss surfaces, mode connectivity, and fast ensembling of
        DNNs", 2018.
    """
    dim = a.size if isinstance(a, np.ndarray) else 0
    for name, given in (("a", a), ("b", b), ("c", c)):
        vector(name, given, dim)
    start = a.astype(np.float64)
    first, second = b - start, c - start
    if not first.any() or not second.any():
        raise ValueError("a, b, c: got a point twice, expected three points")
    axes_of("a, b, c", first, second, dim)
    return Plane(a.copy(), _orthonormal(first, second))


def plane_of_path(xs: Array, center: str = "last") -> Plane:
    """The plane through a path's last point, or its mean, that leaves out least of the path: ``Σ_i dist(x_i)²``.

    The axes are the first two right singular vectors of ``x_i − origin``, of length 1, the entry of largest size
    positive. How much it leaves out :func:`project_path` says; that of a random walk in many dimensions would also look
    like a curve (Antognini and Sohl-Dickstein 2018).

    Args:
        xs: The points ``(n, dim)``, n >= 3 for "mean".
        center: "last", as Li et al. take it, so that the plane holds the point that was reached; or "mean", the plane
            of the principal components.

    Raises:
        TypeError: xs is no float array.
        ValueError: its shape is wrong, a number not finite, center unknown, or the points lie on one line.

    References:
        Li, Xu, Taylor, Studer and Goldstein, "Visualizing the loss landscape of neural nets", 2018.
    """
    one_of("center", center, ("last", "mean"))
    rows("xs", xs, xs.shape[-1] if isinstance(xs, np.ndarray) and xs.ndim else 0)
    points = xs.astype(np.float64)
    # the mean is rounded to the points' dtype before anything is measured from it, so that the landscape takes it
    origin = xs[-1].copy() if center == "last" else points.mean(axis=0).astype(xs.dtype)
    _, sizes, axes = np.linalg.svd(points - origin, full_matrices=False)
    if sizes.size < 2 or sizes[1] <= INDEPENDENT * sizes[0]:
        raise ValueError("xs: got points on one line, expected points that span a plane")
    strongest = np.take_along_axis(axes[:2], np.abs(axes[:2]).argmax(axis=1)[:, None], axis=1)
    return Plane(origin, axes[:2] * np.where(strongest < 0, -1.0, 1.0))


def _orthonormal(first: Vector, second: Vector) -> Vector:
    d1 = first / np.linalg.norm(first)
    for _ in range(2):  # once leaves a component of the order of rounding over the sine
        second = second - (second @ d1) * d1
    return np.array([d1, second / np.linalg.norm(second)])
