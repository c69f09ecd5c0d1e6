"""Activation functions of one number each, and their derivatives, which are taken from the value that the pass kept."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from optlab.backends import kernels
from optlab.kernels.select import cpu

Array = NDArray[Any]

activations: tuple[str, ...] = cpu.activations
"""The names that the functions below accept."""


def activation_forward(
    x: Array, activation: str = "relu", *, parameter: float | None = None, out: Array | None = None
) -> Array:
    """An activation function of every element.

    ::

        identity      y = x
        sigmoid       y = 1 / (1 + e^-x)
        tanh          y = tanh x
        relu          y = max(x, 0)                               f'(0) = 0
        leaky_relu    y = x for x > 0, else parameter · x          f'(0) = parameter
        elu           y = x for x > 0, else parameter (e^x − 1)    f'(0) = parameter

    ``parameter`` is what PyTorch calls negative_slope (leaky_relu, >= 0, by default 0.01) and alpha (elu, > 0, by
    default 1); the others have none. No element's error exceeds 4 ulp. NaN stays NaN.

    Args:
        x: Any shape of at least one axis, float32 or float64.
        activation: One of :data:`activations`.
        parameter: See above; None for the default.
        out: Where y goes; a new array by default.

    Raises:
        TypeError: an array has another dtype, or activation is no string.
        ValueError: there is no such activation, the parameter is out of range, or ``out`` does not fit.

    Example:
        >>> import numpy as np
        >>> activation_forward(np.array([-2.0, 0.0, 3.0]), "leaky_relu", parameter=0.1)
        array([-0.2,  0. ,  3. ])

    References:
        leaky_relu: Maas, Hannun and Ng, "Rectifier nonlinearities improve neural network acoustic models", 2013.
        elu: Clevert, Unterthiner and Hochreiter, "Fast and accurate deep network learning by exponential linear units
        (ELUs)", 2016.
    """
    return kernels(x).activation_forward(x, activation, parameter, out)  # type: ignore[no-any-return]


def activation_backward(
    dy: Array, y: Array, activation: str = "relu", *, parameter: float | None = None, out: Array | None = None
) -> Array:
    """The gradient of the loss at an activation's argument: ``dx = dy f'(x)``, with f' written as a function of y.

    ::

        sigmoid    f' = y (1 − y)            elu           f' = 1 for y > 0, else y + parameter
        tanh       f' = (1 − y) (1 + y)      leaky_relu    f' = 1 for y > 0, else parameter (0 for relu)

    Args:
        dy: The gradient of the loss by y.
        y: What :func:`activation_forward` returned.
        activation: As in the forward pass.
        parameter: As in the forward pass.
        out: Where dx goes.

    Raises:
        TypeError: as in :func:`activation_forward`.
        ValueError: as in :func:`activation_forward`.

    Example:
        >>> import numpy as np
        >>> activation_backward(np.array([5.0, 5.0]), np.array([0.0, 2.0]), "relu")
        array([0., 5.])
    """
    return kernels(dy).activation_backward(dy, y, activation, parameter, out)  # type: ignore[no-any-return]


def activation_forward_tangent(
    x_dot: Array, y: Array, activation: str = "relu", *, parameter: float | None = None, out: Array | None = None
) -> Array:
    """The derivative of an activation in the direction ``x_dot``: ``y_dot = f'(x) x_dot``.

    The arguments are those of :func:`activation_backward`, the direction in the place of dy.

    Raises:
        TypeError: as in :func:`activation_forward`.
        ValueError: as in :func:`activation_forward`.

    Example:
        >>> import numpy as np
        >>> activation_forward_tangent(np.array([1.0]), np.array([0.5]), "sigmoid")
        array([0.25])
    """
    return kernels(x_dot).activation_forward_tangent(x_dot, y, activation, parameter, out)  # type: ignore[no-any-return]


def activation_backward_tangent(
    dy_dot: Array,
    y_dot: Array,
    dy: Array,
    y: Array,
    activation: str = "relu",
    *,
    parameter: float | None = None,
    out: Array | None = None,
) -> Array:
    """The derivative of :func:`activation_backward` along a direction in which x and dy both move.

    ::

        dx_dot = f'(x) dy_dot + f''(x) x_dot dy,    f''(x) x_dot = (f'' / f') y_dot
        f'' / f' = 1 − 2 y for sigmoid, −2 y for tanh, 1 for elu below 0, else 0

    With y_dot in the place of x_dot, all comes from what the forward passes returned; their arguments need not be kept.

    Args:
        dy_dot: The direction of dy.
        y_dot: What :func:`activation_forward_tangent` returned.
        dy: The gradient of the loss by y.
        y: What :func:`activation_forward` returned.
        activation: As in the forward pass.
        parameter: As in the forward pass.
        out: Where dx_dot goes.

    Raises:
        TypeError: as in :func:`activation_forward`.
        ValueError: as in :func:`activation_forward`.

    Example:
        >>> import numpy as np
        >>> zero, one, half = np.zeros(1), np.ones(1), np.full(1, 0.5)
        >>> activation_backward_tangent(zero, 0.75 * one, one, half, "tanh")  # −2 y y_dot
        array([-0.75])
    """
    return kernels(dy_dot).activation_backward_tangent(dy_dot, y_dot, dy, y, activation, parameter, out)  # type: ignore[no-any-return]
