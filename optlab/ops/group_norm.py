"""Group normalization: every group of channels of every sample with its own mean and variance."""

from __future__ import annotations

from typing import Any

from optlab.backends import kernels


def group_norm_forward(
    x: Any, groups: int, gamma: Any = None, beta: Any = None, eps: float = 1e-5, *, out: Any = None
) -> Any:
    """Group normalization, and the statistics that the backward pass needs.

    ::

        y = γ (x − mean) rstd + β,     rstd = 1 / √(var + eps)

    with mean and var of each group of consecutive channels of each sample, at all positions; var over n (not n − 1),
    PyTorch's form. The statistics come from two passes with a correction, so that numbers far from zero lose no digits.
    A group of equal numbers needs eps > 0.

    Args:
        x: (batch, channels, positions...), float32 or float64; (batch, channels) has one position.
        groups: How many, a divisor of the number of channels.
        gamma: (channels,); None is all ones.
        beta: (channels,); None is all zeros.
        eps: A finite number >= 0, inside the root.
        out: (y, mean, rstd), each an array to write or None.

    Returns:
        y of the shape of x, mean and rstd of shape (batch, groups).

    Raises:
        TypeError: an argument has a wrong type or dtype.
        ValueError: a shape is wrong, memory is strided or overlaps, or groups or eps is out of range.

    Example:
        >>> import numpy as np, optlab as ol
        >>> y, mean, rstd = ol.ops.group_norm_forward(np.array([[1.0, 3.0, 5.0, 7.0]]), 2, eps=3.0)
        >>> y, mean, rstd
        (array([[-0.5,  0.5, -0.5,  0.5]]), array([[2., 6.]]), array([[0.5, 0.5]]))

    References:
        Wu and He, "Group normalization", 2018; Chan, Golub and LeVeque, "Algorithms for computing the sample variance",
        The American Statistician 37, 1983.
    """
    return kernels(x).group_norm_forward(x, groups, gamma, beta, eps, out)


def group_norm_backward(dy: Any, x: Any, gamma: Any, mean: Any, rstd: Any, *, out: Any = None) -> Any:
    """The gradients of a loss in x, γ and β from its gradient in y.

    ::

        x̂ = (x − mean) rstd,   g = γ dy
        dx = rstd (g − mean(g) − x̂ mean(g x̂)),   dγ = Σ dy x̂,   dβ = Σ dy

    with means over the group and sums over samples and positions, which are taken in fixed parts whatever the number
    of threads. The shape of mean tells the groups.

    Args:
        dy: The gradient in y, of the shape of x.
        x: (batch, channels, positions...), as in the forward pass.
        gamma: (channels,); None is all ones, and dγ is the gradient there.
        mean: (batch, groups), from the forward pass.
        rstd: (batch, groups), likewise.
        out: (dx, dgamma, dbeta), each an array to write or None.

    Returns:
        dx of the shape of x, dγ and dβ of shape (channels,).

    Raises:
        TypeError: an argument has a wrong type or dtype.
        ValueError: a shape is wrong, or memory is strided or overlaps.

    Example:
        >>> import numpy as np, optlab as ol
        >>> x, dy = np.array([[1.0, 3.0, 5.0, 7.0]]), np.array([[1.0, 0.0, 0.0, 0.0]])
        >>> _, mean, rstd = ol.ops.group_norm_forward(x, 1, eps=4.0)
        >>> dx, dgamma, dbeta = ol.ops.group_norm_backward(dy, x, None, mean, rstd)
        >>> dgamma, dbeta
        (array([-1.,  0.,  0.,  0.]), array([1., 0., 0., 0.]))
    """
    return kernels(x).group_norm_backward(dy, x, gamma, mean, rstd, out)


def group_norm_forward_tangent(
    x_dot: Any,
    x: Any,
    gamma: Any,
    mean: Any,
    rstd: Any,
    gamma_dot: Any = None,
    beta_dot: Any = None,
    *,
    out: Any = None,
) -> Any:
    """The derivative of :func:`group_norm_forward` in the direction (ẋ, γ̇, β̇).

    ::

        mean' = mean(ẋ),   rstd' = −rstd mean(x̂ (ẋ − mean') rstd)
        x̂' = (ẋ − mean') rstd + (x − mean) rstd',   y' = γ̇ x̂ + γ x̂' + β̇

    Args:
        x_dot: The direction, of the shape of x.
        x: (batch, channels, positions...), as in the forward pass.
        gamma: (channels,); None is all ones.
        mean: (batch, groups), from the forward pass.
        rstd: (batch, groups), likewise.
        gamma_dot: (channels,); None is zero.
        beta_dot: (channels,); None is zero.
        out: (y_dot, mean_dot, rstd_dot), each an array to write or None.

    Raises:
        TypeError: an argument has a wrong type or dtype.
        ValueError: a shape is wrong, or memory is strided or overlaps.

    Example:
        >>> import numpy as np, optlab as ol
        >>> x = np.array([[1.0, 3.0, 5.0, 7.0]])
        >>> _, mean, rstd = ol.ops.group_norm_forward(x, 1, eps=4.0)
        >>> _, mean_dot, rstd_dot = ol.ops.group_norm_forward_tangent(np.ones((1, 4)), x, None, mean, rstd)
        >>> mean_dot, abs(rstd_dot)  # a shift moves the mean alone
        (array([[1.]]), array([[0.]]))
    """
    return kernels(x).group_norm_forward_tangent(x_dot, x, gamma, mean, rstd, gamma_dot, beta_dot, out)


def group_norm_backward_tangent(
    dy_dot: Any,
    x_dot: Any,
    dy: Any,
    x: Any,
    gamma: Any,
    mean: Any,
    rstd: Any,
    mean_dot: Any,
    rstd_dot: Any,
    gamma_dot: Any = None,
    *,
    out: Any = None,
) -> Any:
    """The derivative of :func:`group_norm_backward` in a direction: what a Hessian-vector product needs.

    The formula of the backward pass, differentiated through its statistics by dual numbers.

    Args:
        dy_dot: The rate of dy, of the shape of x.
        x_dot: The rate of x.
        dy: The gradient in y.
        x: (batch, channels, positions...), as in the forward pass.
        gamma: (channels,); None is all ones.
        mean: (batch, groups), from the forward pass.
        rstd: (batch, groups), likewise.
        mean_dot: (batch, groups), from :func:`group_norm_forward_tangent` in the same direction.
        rstd_dot: (batch, groups), likewise.
        gamma_dot: (channels,); None is zero.
        out: (dx_dot, dgamma_dot, dbeta_dot), each an array to write or None.

    Raises:
        TypeError: an argument has a wrong type or dtype.
        ValueError: a shape is wrong, or memory is strided or overlaps.

    Example:
        >>> import numpy as np, optlab as ol
        >>> x, dy = np.array([[1.0, 3.0, 5.0, 7.0]]), np.array([[1.0, 0.0, 0.0, 0.0]])
        >>> _, mean, rstd = ol.ops.group_norm_forward(x, 1, eps=4.0)
        >>> zero = np.zeros((1, 1))
        >>> dots = ol.ops.group_norm_backward_tangent(2 * dy, 0 * x, dy, x, None, mean, rstd, zero, zero)
        >>> dots[1]  # at rest the backward pass is linear in dy
        array([-2.,  0.,  0.,  0.])
    """
    return kernels(x).group_norm_backward_tangent(
        dy_dot, x_dot, dy, x, gamma, mean, rstd, mean_dot, rstd_dot, gamma_dot, out
    )
