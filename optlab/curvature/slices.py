"""The value of a landscape along a line and over a plane."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from optlab.curvature.plane import axes_of
from optlab.curvature.projection import ProjectedPath, on_plane, projected
from optlab.landscape import Landscape
from optlab.refusals import finite, landscape, rows, vector

Array = NDArray[Any]
Vector = NDArray[np.float64]
POINTS = 51
MARGIN = 0.15


@dataclass(frozen=True, eq=False)
class Slice1D:
    """``f(x + t d)``.

    Attributes:
        at: t, ``(points,)`` float64, in units of the direction.
        value: f there, ``(points,)`` in f's dtype; what is not finite stands as it is.
        origin: x, ``(dim,)``.
        direction: d, ``(dim,)`` float64.
    """

    at: Vector
    value: Array
    origin: Array
    direction: Vector


@dataclass(frozen=True, eq=False)
class Slice2D:
    """``f(x + a d1 + b d2)``.

    Attributes:
        a: ``(columns,)`` float64, in units of d1.
        b: ``(rows,)`` float64, in units of d2.
        value: f, ``(rows, columns)`` in f's dtype: ``value[j, i]`` at a[i] and b[j], as ``contour(a, b, value)`` takes
            it.
        origin: x, ``(dim,)``.
        axes: d1 and d2, ``(2, dim)`` float64.
        path: The path that was given, as it is seen in this plane and with what is outside of it; or None.
    """

    a: Vector
    b: Vector
    value: Array
    origin: Array
    axes: Vector
    path: ProjectedPath | None


def slice_1d(f: Landscape, x: Array, direction: Array, at: ArrayLike | None = None) -> Slice1D:
    """``f(x + t d)`` along a line. Many points are evaluated at once, in blocks of at most 32 MiB.

    In float32 a point is rounded once from float64, and a value carries f's own rounding, about 1e-6 of it: differences
    of values closer than that are noise.

    Args:
        f: A landscape without randomness, or frozen by ``f.sample(seed, step, run)``.
        x: Where t = 0, ``(dim,)``.
        direction: d, ``(dim,)``, float32 or float64, as :func:`filter_normalized` gives it.
        at: The t, ``(points,)``; None: 51 from −1 to 1.

    Raises:
        TypeError: f is no landscape, or an array is of the wrong type.
        ValueError: a shape is wrong, a number not finite, the direction zero, or f draws at each evaluation.

    Example:
        >>> import numpy as np, optlab as ol
        >>> f = ol.landscapes.Quadratic([1.0, 5.0])
        >>> ol.curvature.slice_1d(f, np.zeros(2), np.ones(2), at=np.array([-1.0, 0.0, 2.0])).value
        array([ 3.,  0., 12.])

    References:
        Goodfellow, Vinyals and Saxe, "Qualitatively characterizing neural network optimization problems", 2015.
    """
    landscape(f, x)
    vector("direction", direction, f.dim)
    if not direction.any():
        raise ValueError("direction: got zeros, expected a direction")
    t = _ticks("at", at)
    along = direction.astype(np.float64)
    return Slice1D(t, on_plane(f, x, along[None], t[:, None]), x.copy(), along)


def slice_2d(
    f: Landscape,
    x: Array,
    d1: Array,
    d2: Array,
    a: ArrayLike | None = None,
    b: ArrayLike | None = None,
    *,
    path: Array | None = None,
) -> Slice2D:
    """``f(x + a d1 + b d2)`` over a grid, and a path as it is seen in that plane; for a plane p: ``p.origin, *p.axes``.

    With a path, the share of it that lies outside of the plane and the true f at its points come along
    (:class:`ProjectedPath`): the plane's f is not the path's.

    Args:
        f: A landscape without randomness, or frozen by ``f.sample(seed, step, run)``.
        x: Where a = b = 0, ``(dim,)``.
        d1: The first direction, ``(dim,)``, float32 or float64.
        d2: The second one, not parallel to the first.
        a: ``(columns,)``; None: 51 from −1 to 1, or over the path and 15 % beyond.
        b: ``(rows,)``, likewise.
        path: Points ``(n, dim)`` of x's dtype, any strides, as ``trajectory.x[:, run]``.

    Raises:
        TypeError: f is no landscape, or an array is of the wrong type.
        ValueError: a shape is wrong, a number not finite, directions are zero or parallel, or f draws at each
            evaluation.

    Example:
        >>> import numpy as np, optlab as ol
        >>> f = ol.landscapes.Quadratic([1.0, 5.0, 2.0])
        >>> x, (d1, d2, d3) = np.zeros(3), np.eye(3)
        >>> found = ol.curvature.slice_2d(f, x, d1, d2, a=[0.0, 1.0], b=[0.0, 2.0], path=np.array([d1 + d3]))
        >>> found.value
        array([[ 0. ,  0.5],
               [10. , 10.5]])
        >>> found.path.value, found.path.plane_value, found.path.distance
        (array([1.5]), array([0.5]), array([1.]))

    References:
        Li, Xu, Taylor, Studer and Goldstein, "Visualizing the loss landscape of neural nets", 2018.
    """
    landscape(f, x)
    axes = axes_of("d2", d1, d2, f.dim)
    columns, lines = (None if given is None else _ticks(name, given) for name, given in (("a", a), ("b", b)))
    if path is not None:
        rows("path", path, f.dim, x.dtype)
    seen = None if path is None else projected(f, x, axes, path)
    columns = _covering(seen, 0) if columns is None else columns
    lines = _covering(seen, 1) if lines is None else lines
    where = np.stack([np.tile(columns, lines.size), np.repeat(lines, columns.size)], axis=1)
    value = on_plane(f, x, axes, where).reshape(lines.size, columns.size)
    return Slice2D(columns, lines, value, x.copy(), axes, seen)


def _ticks(name: str, given: Any) -> Vector:
    if given is None:
        return np.linspace(-1.0, 1.0, POINTS)
    ticks = np.array(given, np.float64)
    if ticks.ndim != 1 or not ticks.size:
        raise ValueError(f"{name}: got shape {ticks.shape}, expected (points,), not empty")
    finite(name, ticks)
    return ticks


def _covering(seen: ProjectedPath | None, axis: int) -> Vector:
    """Ticks over a path's coordinate, or from −1 to 1 where there is none or it does not move."""
    if seen is None:
        return _ticks("", None)
    along = seen.coordinates[:, axis]
    margin = MARGIN * float(np.ptp(along)) or 1.0
    return np.linspace(along.min() - margin, along.max() + margin, POINTS)
