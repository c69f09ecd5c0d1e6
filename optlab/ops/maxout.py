"""Maxout: a unit is the largest of several linear pieces."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from optlab.backends import kernels

Array = NDArray[Any]


def maxout_forward(x: Array, pieces: int = 2, *, out: Array | None = None) -> Array:
    """The largest of every ``pieces`` consecutive columns.

    ::

        y[i, u] = max over k of x[i, u · pieces + k]

    The first of equal ones wins, in every pass, and so does the first NaN.

    Args:
        x: (rows, units · pieces), float32 or float64.
        pieces: How many columns make one unit, >= 1.
        out: Where y, (rows, units), goes; a new array by default.

    Raises:
        TypeError: an array has another dtype, or pieces is no whole number.
        ValueError: pieces does not divide the columns, or ``out`` does not fit.

    Example:
        >>> import numpy as np
        >>> maxout_forward(np.array([[1.0, 3.0, 2.0, -1.0]]), 2)
        array([[3., 2.]])

    References:
        Goodfellow, Warde-Farley, Mirza, Courville and Bengio, "Maxout networks", ICML 2013.
    """
    return kernels(x).maxout_forward(x, pieces, out)  # type: ignore[no-any-return]


def maxout_backward(dy: Array, x: Array, pieces: int = 2, *, out: Array | None = None) -> Array:
    """The gradient of the loss by x: dy where x won, and 0 elsewhere. The winner is found again from x.

    Args:
        dy: (rows, units), the gradient of the loss by y.
        x: (rows, units · pieces), the argument of the forward pass.
        pieces: As in the forward pass.
        out: Where dx, (rows, units · pieces), goes.

    Raises:
        TypeError: as in :func:`maxout_forward`.
        ValueError: as in :func:`maxout_forward`.

    Example:
        >>> import numpy as np
        >>> maxout_backward(np.array([[5.0]]), np.array([[2.0, 2.0, 1.0]]), 3)
        array([[5., 0., 0.]])
    """
    return kernels(dy).maxout_backward(dy, x, pieces, out)  # type: ignore[no-any-return]


def maxout_forward_tangent(x_dot: Array, x: Array, pieces: int = 2, *, out: Array | None = None) -> Array:
    """The derivative in the direction ``x_dot``: the winner's part of it.

    Args:
        x_dot: (rows, units · pieces), the direction.
        x: (rows, units · pieces), the argument of the forward pass.
        pieces: As in the forward pass.
        out: Where y_dot, (rows, units), goes.

    Raises:
        TypeError: as in :func:`maxout_forward`.
        ValueError: as in :func:`maxout_forward`.

    Example:
        >>> import numpy as np
        >>> maxout_forward_tangent(np.array([[7.0, 8.0]]), np.array([[1.0, 2.0]]), 2)
        array([[8.]])
    """
    return kernels(x_dot).maxout_forward_tangent(x_dot, x, pieces, out)  # type: ignore[no-any-return]


def maxout_backward_tangent(dy_dot: Array, x: Array, pieces: int = 2, *, out: Array | None = None) -> Array:
    """The derivative of :func:`maxout_backward`: maxout is piecewise linear, so only dy's direction counts.

    Args:
        dy_dot: (rows, units), the direction of dy.
        x: (rows, units · pieces), the argument of the forward pass.
        pieces: As in the forward pass.
        out: Where dx_dot, (rows, units · pieces), goes.

    Raises:
        TypeError: as in :func:`maxout_forward`.
        ValueError: as in :func:`maxout_forward`.

    Example:
        >>> import numpy as np
        >>> maxout_backward_tangent(np.array([[7.0]]), np.array([[1.0, 2.0]]), 2)
        array([[0., 7.]])
    """
    return kernels(dy_dot).maxout_backward_tangent(dy_dot, x, pieces, out)  # type: ignore[no-any-return]
