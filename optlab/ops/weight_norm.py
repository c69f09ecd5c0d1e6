"""Weight normalization: every row of a matrix as a direction and a length."""

from __future__ import annotations

from typing import Any

from optlab.backends import kernels


def weight_norm_forward(v: Any, g: Any, *, out: Any = None) -> Any:
    """Weight normalization, and the norms that the backward pass needs.

    ::

        w = g v / ‖v‖

    for each row, the weights into one output: PyTorch's form with dim=0. The norm neither overflows nor vanishes where
    it can be represented. A row of zeros gives NaN.

    Args:
        v: (outputs, inputs), float32 or float64: the directions.
        g: (outputs,): the lengths.
        out: (w, norm), each an array to write or None.

    Returns:
        w of the shape of v, and ‖v‖ of shape (outputs,).

    Raises:
        TypeError: an argument has a wrong type or dtype.
        ValueError: a shape is wrong, or memory is strided or overlaps.

    Example:
        >>> import numpy as np, optlab as ol
        >>> ol.ops.weight_norm_forward(np.array([[3.0, 4.0]]), np.array([10.0]))
        (array([[6., 8.]]), array([5.]))

    References:
        Salimans and Kingma, "Weight normalization: a simple reparameterization to accelerate training of deep neural
        networks", 2016.
    """
    return kernels(v).weight_norm_forward(v, g, out)


def weight_norm_backward(dw: Any, v: Any, g: Any, norm: Any, *, out: Any = None) -> Any:
    """The gradients of a loss in v and g from its gradient in w.

    ::

        u = v / ‖v‖,   dg = dw · u,   dv = (g / ‖v‖) (dw − dg u)

    Args:
        dw: The gradient in w, of the shape of v.
        v: (outputs, inputs), as in the forward pass.
        g: (outputs,), likewise.
        norm: (outputs,), from the forward pass.
        out: (dv, dg), each an array to write or None.

    Raises:
        TypeError: an argument has a wrong type or dtype.
        ValueError: a shape is wrong, or memory is strided or overlaps.

    Example:
        >>> import numpy as np, optlab as ol
        >>> v, g = np.array([[4.0, 0.0]]), np.array([10.0])
        >>> _, norm = ol.ops.weight_norm_forward(v, g)
        >>> ol.ops.weight_norm_backward(np.array([[0.0, 2.0]]), v, g, norm)  # across v: no part along it
        (array([[0., 5.]]), array([0.]))
    """
    return kernels(v).weight_norm_backward(dw, v, g, norm, out)


def weight_norm_forward_tangent(v_dot: Any, v: Any, g: Any, norm: Any, g_dot: Any = None, *, out: Any = None) -> Any:
    """The derivative of :func:`weight_norm_forward` in the direction (v̇, ġ).

    ::

        ‖v‖' = u · v̇,   w' = ġ u + g (v̇ − u ‖v‖') / ‖v‖

    Args:
        v_dot: The direction, of the shape of v.
        v: (outputs, inputs), as in the forward pass.
        g: (outputs,), likewise.
        norm: (outputs,), from the forward pass.
        g_dot: (outputs,); None is zero.
        out: (w_dot, norm_dot), each an array to write or None.

    Raises:
        TypeError: an argument has a wrong type or dtype.
        ValueError: a shape is wrong, or memory is strided or overlaps.

    Example:
        >>> import numpy as np, optlab as ol
        >>> v, g = np.array([[4.0, 0.0]]), np.array([10.0])
        >>> _, norm = ol.ops.weight_norm_forward(v, g)
        >>> ol.ops.weight_norm_forward_tangent(np.array([[0.0, 2.0]]), v, g, norm)  # a rotation keeps the norm
        (array([[0., 5.]]), array([0.]))
    """
    return kernels(v).weight_norm_forward_tangent(v_dot, v, g, norm, g_dot, out)


def weight_norm_backward_tangent(
    dw_dot: Any,
    v_dot: Any,
    dw: Any,
    v: Any,
    g: Any,
    norm: Any,
    norm_dot: Any,
    g_dot: Any = None,
    *,
    out: Any = None,
) -> Any:
    """The derivative of :func:`weight_norm_backward` in a direction: what a Hessian-vector product needs.

    The formula of the backward pass, differentiated through the norm by dual numbers.

    Args:
        dw_dot: The rate of dw, of the shape of v.
        v_dot: The rate of v.
        dw: The gradient in w.
        v: (outputs, inputs), as in the forward pass.
        g: (outputs,), likewise.
        norm: (outputs,), from the forward pass.
        norm_dot: (outputs,), from :func:`weight_norm_forward_tangent` in the same direction.
        g_dot: (outputs,); None is zero.
        out: (dv_dot, dg_dot), each an array to write or None.

    Raises:
        TypeError: an argument has a wrong type or dtype.
        ValueError: a shape is wrong, or memory is strided or overlaps.

    Example:
        >>> import numpy as np, optlab as ol
        >>> v, g, dw = np.array([[4.0, 0.0]]), np.array([10.0]), np.array([[0.0, 2.0]])
        >>> _, norm = ol.ops.weight_norm_forward(v, g)
        >>> ol.ops.weight_norm_backward_tangent(2 * dw, 0 * v, dw, v, g, norm, np.zeros(1))  # linear in dw
        (array([[ 0., 10.]]), array([0.]))
    """
    return kernels(v).weight_norm_backward_tangent(dw_dot, v_dot, dw, v, g, norm, norm_dot, g_dot, out)
