"""A path as it is seen in a plane, with what the plane does not show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optlab.blocks import blocks
from optlab.curvature.plane import Plane, axes_of
from optlab.landscape import Landscape
from optlab.refusals import landscape, rows

Array = NDArray[Any]
Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ProjectedPath:
    """A path's coordinates in a plane, which come with how far it is from there: show both.

    Attributes:
        coordinates: (a, b) of the nearest points of the plane, ``(n, 2)``.
        distance: From the plane, in units of parameters, ``(n,)``.
        outside: The share of the path's variation ``Σ_i |x_i − mean|²`` that is orthogonal to the plane, 0 to 1; 0 for
            a path that does not move.
        value: f at the path's own points, ``(n,)``.
        plane_value: f at the nearest points of the plane, ``(n,)``: what a picture shows there.
    """

    coordinates: Vector
    distance: Vector
    outside: float
    value: Array
    plane_value: Array


def project_path(f: Landscape, plane: Plane, xs: Array) -> ProjectedPath:
    """The nearest points of the plane to a path's, with the distance to them, and f at both.

    Args:
        f: A landscape without randomness, or frozen by ``f.sample(seed, step, run)``.
        plane: With an origin of f's dtype.
        xs: The path ``(n, dim)``, of the same dtype; any strides, as ``path.x[:, run]``.

    Raises:
        TypeError: f is no landscape, plane no plane, or xs of another dtype.
        ValueError: a shape is wrong, a number not finite, the axes are parallel, or f draws at each evaluation.

    Example:
        >>> import numpy as np, optlab as ol
        >>> f = ol.landscapes.Quadratic([1.0, 2.0, 4.0])
        >>> plane = ol.curvature.Plane(np.zeros(3), np.eye(3)[:2])
        >>> seen = ol.curvature.project_path(f, plane, np.array([[1.0, 0.0, 2.0], [3.0, 0.0, 0.0]]))
        >>> seen.distance, seen.outside, seen.value, seen.plane_value
        (array([2., 0.]), 0.5, array([8.5, 4.5]), array([0.5, 4.5]))
    """
    if not isinstance(plane, Plane):
        raise TypeError(f"plane: got {type(plane).__name__}, expected a Plane")
    landscape(f, plane.origin)
    axes = axes_of("plane", plane.axes[0], plane.axes[1], f.dim)
    rows("xs", xs, f.dim, plane.origin.dtype)
    return projected(f, plane.origin, axes, xs)


def projected(f: Landscape, origin: Array, axes: Vector, xs: Array) -> ProjectedPath:
    """See :func:`project_path`; of what is already checked."""
    basis, to_unit = np.linalg.qr(axes.T)
    shifted = xs.astype(np.float64) - origin
    along, outer = _split(shifted, basis)
    coordinates = np.linalg.solve(to_unit, along.T).T
    moved_along, moved_outer = _split(shifted - shifted.mean(axis=0), basis)
    inner, outside = np.sum(moved_along**2), np.sum(moved_outer**2)
    share = float(outside / (inner + outside)) if inner + outside > 0 else 0.0
    distance = np.linalg.norm(outer, axis=1)
    return ProjectedPath(coordinates, distance, share, values_at(f, xs), on_plane(f, origin, axes, coordinates))


def _split(offsets: Vector, basis: Vector) -> tuple[Vector, Vector]:
    """Components along an orthonormal basis, and what is orthogonal to it."""
    along = offsets @ basis
    return along, offsets - along @ basis.T


def values_at(f: Landscape, xs: Array) -> Array:
    """F at the rows of xs, a block of rows at once."""
    return np.concatenate([f.value(np.ascontiguousarray(xs[block])) for block in blocks(len(xs), f.dim)])


def on_plane(f: Landscape, origin: Array, axes: Vector, coordinates: Vector) -> Array:
    """F at ``origin + coordinates · axes``, a block at once; points are formed in float64 and rounded once.

    Args:
        f: The landscape.
        origin: ``(dim,)``.
        axes: One or two directions, ``(count, dim)``.
        coordinates: ``(points, count)``.
    """
    values = np.empty(len(coordinates), origin.dtype)
    for block in blocks(len(coordinates), f.dim):
        points = np.tile(origin.astype(np.float64), (block.stop - block.start, 1))
        for axis, along in zip(axes, coordinates[block].T, strict=True):
            points += along[:, None] * axis  # in one order, so that a point does not depend on its block
        values[block] = f.value(points.astype(origin.dtype, copy=False))
    return values
