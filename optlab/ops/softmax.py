"""Softmax and its logarithm over rows: forward, backward, and the derivatives of both in a direction."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from optlab.backends import kernels

Array = NDArray[Any]


def softmax_forward(x: Array, *, out: Array | None = None) -> Array:
    """The probabilities that belong to rows of logits.

    ::

        y = exp(x − max x) / Σ exp(x − max x)

    A logit of −inf has probability 0; a row with +inf, with NaN or of nothing but −inf becomes NaN.

    Args:
        x: (rows, classes), float32 or float64.
        out: Where y goes, instead of a new array.

    Returns:
        y, (rows, classes).

    Raises:
        TypeError: an array has a wrong type.
        ValueError: an array has a wrong shape or layout, or the arrays overlap.

    Example:
        >>> import numpy as np
        >>> softmax_forward(np.log(np.array([[1.0, 2.0, 5.0], [1e300, 0.0, 1e300]]) + 1e-300)).round(3)
        array([[0.125, 0.25 , 0.625],
               [0.5  , 0.   , 0.5  ]])
    """
    return kernels(x).softmax_forward(x, out)  # type: ignore[no-any-return]


def softmax_backward(dy: Array, y: Array, *, out: Array | None = None) -> Array:
    """The gradient by the logits from that by the probabilities y.

    ::

        dx = y (dy − Σ y dy)

    Args:
        dy: (rows, classes).
        y: What :func:`softmax_forward` returned, (rows, classes).
        out: Where dx goes, instead of a new array.

    Returns:
        dx, (rows, classes).

    Raises:
        TypeError: an array has a wrong type.
        ValueError: an array has a wrong shape or layout, or the arrays overlap.

    Example:
        >>> import numpy as np
        >>> softmax_backward(np.array([[1.0, 0.0]]), np.array([[0.25, 0.75]]))
        array([[ 0.1875, -0.1875]])
    """
    return kernels(dy).softmax_backward(dy, y, out)  # type: ignore[no-any-return]


def softmax_forward_tangent(x_dot: Array, y: Array, *, out: Array | None = None) -> Array:
    """The derivative of :func:`softmax_forward` in the direction x_dot.

    ::

        ẏ = y (ẋ − Σ y ẋ)

    The Jacobian is symmetric, so this is :func:`softmax_backward` under another name.

    Args:
        x_dot: (rows, classes).
        y: What the forward pass returned, (rows, classes).
        out: Where y_dot goes, instead of a new array.

    Returns:
        y_dot, (rows, classes).

    Raises:
        TypeError: an array has a wrong type.
        ValueError: an array has a wrong shape or layout, or the arrays overlap.

    Example:
        >>> import numpy as np
        >>> softmax_forward_tangent(np.array([[1.0, 1.0]]), np.array([[0.25, 0.75]]))  # a shift changes nothing
        array([[0., 0.]])
    """
    return kernels(x_dot).softmax_forward_tangent(x_dot, y, out)  # type: ignore[no-any-return]


def softmax_backward_tangent(dy_dot: Array, y_dot: Array, dy: Array, y: Array, *, out: Array | None = None) -> Array:
    """The derivative of :func:`softmax_backward` in the direction (dy_dot, y_dot).

    ::

        dẋ = ẏ (dy − c) + y (dẏ − ċ)     with c = Σ y dy and ċ = Σ (ẏ dy + y dẏ)

    Args:
        dy_dot: (rows, classes).
        y_dot: What :func:`softmax_forward_tangent` returned, (rows, classes).
        dy: (rows, classes).
        y: What the forward pass returned, (rows, classes).
        out: Where dx_dot goes, instead of a new array.

    Returns:
        dx_dot, (rows, classes).

    Raises:
        TypeError: an array has a wrong type.
        ValueError: an array has a wrong shape or layout, or the arrays overlap.

    Example:
        >>> import numpy as np
        >>> dy, y = np.array([[1.0, 0.0]]), np.array([[0.25, 0.75]])
        >>> softmax_backward_tangent(dy, np.zeros((1, 2)), dy, y)  # linear in dy
        array([[ 0.1875, -0.1875]])
    """
    return kernels(dy_dot).softmax_backward_tangent(dy_dot, y_dot, dy, y, out)  # type: ignore[no-any-return]


def log_softmax_forward(x: Array, *, out: Array | None = None) -> Array:
    """The logarithms of the probabilities that belong to rows of logits.

    ::

        y = (x − max x) − log Σ exp(x − max x)

    A logit of −inf gives −inf; a row with +inf, with NaN or of nothing but −inf becomes NaN.

    Args:
        x: (rows, classes), float32 or float64.
        out: Where y goes, instead of a new array.

    Returns:
        y, (rows, classes).

    Raises:
        TypeError: an array has a wrong type.
        ValueError: an array has a wrong shape or layout, or the arrays overlap.

    Example:
        >>> import numpy as np
        >>> log_softmax_forward(np.array([[-1e4, 1e4]]))
        array([[-20000.,      0.]])
    """
    return kernels(x).log_softmax_forward(x, out)  # type: ignore[no-any-return]


def log_softmax_backward(dy: Array, y: Array, *, out: Array | None = None) -> Array:
    """The gradient by the logits from that by the log-probabilities y.

    ::

        dx = dy − exp(y) Σ dy

    Args:
        dy: (rows, classes).
        y: What :func:`log_softmax_forward` returned, (rows, classes).
        out: Where dx goes, instead of a new array.

    Returns:
        dx, (rows, classes).

    Raises:
        TypeError: an array has a wrong type.
        ValueError: an array has a wrong shape or layout, or the arrays overlap.

    Example:
        >>> import numpy as np
        >>> log_softmax_backward(np.array([[1.0, 0.0]]), np.log([[0.25, 0.75]]))
        array([[ 0.75, -0.75]])
    """
    return kernels(dy).log_softmax_backward(dy, y, out)  # type: ignore[no-any-return]


def log_softmax_forward_tangent(x_dot: Array, y: Array, *, out: Array | None = None) -> Array:
    """The derivative of :func:`log_softmax_forward` in the direction x_dot.

    ::

        ẏ = ẋ − Σ exp(y) ẋ

    Args:
        x_dot: (rows, classes).
        y: What the forward pass returned, (rows, classes).
        out: Where y_dot goes, instead of a new array.

    Returns:
        y_dot, (rows, classes).

    Raises:
        TypeError: an array has a wrong type.
        ValueError: an array has a wrong shape or layout, or the arrays overlap.

    Example:
        >>> import numpy as np
        >>> log_softmax_forward_tangent(np.array([[4.0, 0.0]]), np.log([[0.25, 0.75]]))
        array([[ 3., -1.]])
    """
    return kernels(x_dot).log_softmax_forward_tangent(x_dot, y, out)  # type: ignore[no-any-return]


def log_softmax_backward_tangent(
    dy_dot: Array, y_dot: Array, dy: Array, y: Array, *, out: Array | None = None
) -> Array:
    """The derivative of :func:`log_softmax_backward` in the direction (dy_dot, y_dot).

    ::

        dẋ = dẏ − exp(y) (Σ dẏ + ẏ Σ dy)

    Args:
        dy_dot: (rows, classes).
        y_dot: What :func:`log_softmax_forward_tangent` returned, (rows, classes).
        dy: (rows, classes).
        y: What the forward pass returned, (rows, classes).
        out: Where dx_dot goes, instead of a new array.

    Returns:
        dx_dot, (rows, classes).

    Raises:
        TypeError: an array has a wrong type.
        ValueError: an array has a wrong shape or layout, or the arrays overlap.

    Example:
        >>> import numpy as np
        >>> dy, y = np.array([[1.0, 0.0]]), np.log([[0.25, 0.75]])
        >>> log_softmax_backward_tangent(dy, np.zeros((1, 2)), dy, y)  # linear in dy
        array([[ 0.75, -0.75]])
    """
    return kernels(dy_dot).log_softmax_backward_tangent(dy_dot, y_dot, dy, y, out)  # type: ignore[no-any-return]
