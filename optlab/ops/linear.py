"""Linear passes with what follows them, bias, activation and dropout, in one go."""

from __future__ import annotations

from typing import Any, NamedTuple

from numpy.typing import NDArray

from optlab.backends import kernels
from optlab.kernels.select import cpu

Array = NDArray[Any]


class Dropout(NamedTuple):
    """Which mask a pass draws, and draws again on its way back: see :func:`optlab.ops.dropout_forward`."""

    p: float
    seed: int
    stream: int = cpu.streams["DROPOUT"]
    step: int = 0
    run: int = 0


def linear_forward(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    activation: str = "identity",
    *,
    parameter: float | None = None,
    dropout: Dropout | None = None,
    out: Array | None = None,
) -> Array:
    """``y = m f(x W' + b)``: a linear layer, its activation f and its dropout mask m while the product is in the cache.

    Args:
        x: (batch, in).
        weight: W, (out, in) as in PyTorch.
        bias: b, (out,), or None for none.
        activation: f, one of :data:`optlab.ops.activations`.
        parameter: Of f where it has one, as in :func:`optlab.ops.activation_forward`.
        dropout: Which mask m = k / (1 - p) to draw; None for none.
        out: y, (batch, out).

    Raises:
        TypeError: an array is not of float32 or float64, dtypes differ, or an option has the wrong type.
        ValueError: shapes do not fit, an option is out of range, or ``out`` is unfit or overlaps.

    Example:
        >>> import numpy as np, optlab as ol
        >>> x, weight, bias = np.array([[1.0, 2.0]]), np.array([[3.0, 4.0], [-5.0, 2.0]]), np.array([0.5, 0.0])
        >>> ol.ops.linear_forward(x, weight, bias, "relu")
        array([[11.5,  0. ]])
    """
    return kernels(x).linear_forward(x, weight, bias, activation, parameter, dropout, out)  # type: ignore[no-any-return]


def linear_backward(
    dy: Array,
    x: Array,
    weight: Array,
    y: Array | None = None,
    activation: str = "identity",
    *,
    parameter: float | None = None,
    dropout: Dropout | None = None,
    input_gradient: bool = True,
    out: tuple[Array | None, Array | None, Array | None] | None = None,
) -> tuple[Array | None, Array, Array]:
    """The gradients of a loss behind :func:`linear_forward`, from its gradient ``dy`` by y.

    With z = x W' + b::

        dz = m f'(z) dy,    dx = dz W,    dW = dz' x,    db = sum of the rows of dz

    f'(z) is computed from y; neither z nor the mask is kept.

    Args:
        dy: (batch, out).
        x: (batch, in), as in the forward pass.
        weight: (out, in), likewise.
        y: What the forward pass returned; needed unless f is the identity without dropout.
        activation: As in the forward pass.
        parameter: Likewise.
        dropout: Likewise.
        input_gradient: Whether dx is wanted; without it, None stands in its place.
        out: (dx, dweight, dbias).

    Returns:
        dx (batch, in) or None, dweight (out, in), dbias (out,).

    Raises:
        TypeError: as in :func:`linear_forward`.
        ValueError: likewise.
    """
    options = (activation, parameter, dropout, input_gradient)
    return kernels(x).linear_backward(dy, x, weight, y, *options, out)  # type: ignore[no-any-return]


def linear_forward_tangent(
    x_dot: Array | None,
    x: Array,
    weight: Array,
    y: Array | None = None,
    weight_dot: Array | None = None,
    bias_dot: Array | None = None,
    activation: str = "identity",
    *,
    parameter: float | None = None,
    dropout: Dropout | None = None,
    out: Array | None = None,
) -> Array:
    """The derivative of :func:`linear_forward` in a direction: ``y_dot = m f'(z) (x_dot W' + x W_dot' + b_dot)``.

    What is None in the direction is held fixed. Shapes and options are those of the forward pass, y is its result.

    Raises:
        TypeError: as in :func:`linear_forward`.
        ValueError: likewise.

    Example:
        >>> import numpy as np, optlab as ol
        >>> x, weight = np.array([[1.0, 2.0]]), np.array([[3.0, 4.0]])
        >>> ol.ops.linear_forward_tangent(None, x, weight, weight_dot=np.array([[0.5, 0.25]]))
        array([[1.]])

    References:
        Pearlmutter, "Fast exact multiplication by the Hessian", Neural Computation 6(1), 1994.
    """
    options = (activation, parameter, dropout)
    return kernels(x).linear_forward_tangent(x_dot, x, weight, y, weight_dot, bias_dot, *options, out)  # type: ignore[no-any-return]


def linear_backward_tangent(
    dy_dot: Array,
    x_dot: Array | None,
    dy: Array,
    x: Array,
    weight: Array,
    y: Array | None = None,
    y_dot: Array | None = None,
    weight_dot: Array | None = None,
    activation: str = "identity",
    *,
    parameter: float | None = None,
    dropout: Dropout | None = None,
    input_gradient: bool = True,
    out: tuple[Array | None, Array | None, Array | None] | None = None,
) -> tuple[Array | None, Array, Array]:
    """The derivative of :func:`linear_backward` in a direction.

    ::

        dz_dot = m (f'(z) dy_dot + f''(z) z_dot dy)
        dx_dot = dz_dot W + dz W_dot,    dW_dot = dz_dot' x + dz' x_dot,    db_dot = sum of the rows of dz_dot

    f''(z) z_dot is computed from y and y_dot, the result of :func:`linear_forward_tangent`.

    Returns:
        dx_dot (batch, in) or None, dweight_dot (out, in), dbias_dot (out,).

    Raises:
        TypeError: as in :func:`linear_forward`.
        ValueError: likewise.
    """
    arrays = (dy_dot, x_dot, dy, x, weight, y, y_dot, weight_dot)
    return kernels(x).linear_backward_tangent(*arrays, activation, parameter, dropout, input_gradient, out)  # type: ignore[no-any-return]
