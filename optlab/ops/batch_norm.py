"""Batch normalization: every column of a batch is brought to mean 0 and variance 1, then scaled and shifted.

The statistics are those of the batch, through which gradients and directions pass, or, in the functions named ``eval``,
given numbers that do not depend on it. All keep the digits of a column whose mean is large against its spread.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from optlab.backends import kernels

Array: TypeAlias = Any


def batch_norm_forward(
    x: Array,
    gamma: Array | None = None,
    beta: Array | None = None,
    eps: float = 1e-5,
    *,
    running: tuple[Array, Array, Array] | None = None,
    momentum: float | None = 0.1,
    out: tuple[Array | None, Array | None, Array | None] | None = None,
) -> tuple[Array, Array, Array]:
    """Normalizes each column by the mean and the variance of the batch, as PyTorch does in training.

    ::

        μ = mean(x),   σ² = mean((x − μ)²),   rstd = 1 / √(σ² + eps)
        y = (x − μ) rstd γ + β

    The variance is the biased one; eps stands inside the root. With eps = 0 a constant column has rstd = inf and
    y = 0 · inf = NaN, as the formula says. What is not finite in a column makes all of its y NaN. y is right to a few
    ulp of 1 wherever x − μ is in range: the mean is subtracted before it is rounded, and squares that leave the range
    of the type of x are scaled back into it. :func:`batch_norm_backward` and the tangents recover what rounding has
    taken from the mean that they are given.

    With ``running`` the averages over batches are updated in place in the same pass, in PyTorch's form::

        mean ← (1 − momentum) mean + momentum μ
        var ← (1 − momentum) var + momentum σ² n / (n − 1)
        count ← count + 1

    Args:
        x: (batch, features).
        gamma: (features,), the scale; None for 1.
        beta: (features,), the shift; None for 0.
        eps: >= 0 and finite.
        running: (mean, var, count): arrays of (features,) and a 0-d int64 array, PyTorch's ``num_batches_tracked``.
        momentum: In [0, 1]; None for 1 / count, the plain average of all batches.
        out: Arrays for (y, mean, rstd), or None in the place of those to be made.

    Returns:
        (y, mean, rstd) of shapes (batch, features), (features,) and (features,).

    Raises:
        TypeError: an array is not float32 or float64, or not of the dtype of x.
        ValueError: a shape, eps or momentum is out of range, arrays overlap, or running averages get a batch of 1.

    Example:
        >>> import numpy as np
        >>> y, mean, rstd = batch_norm_forward(np.array([[1.0, 10.0], [3.0, 30.0]]), eps=0.0)
        >>> y
        array([[-1., -1.],
               [ 1.,  1.]])
        >>> mean, rstd
        (array([ 2., 20.]), array([1. , 0.1]))

    References:
        Ioffe and Szegedy, "Batch normalization: accelerating deep network training by reducing internal covariate
        shift", 2015; the variance: Chan, Golub and LeVeque, "Algorithms for computing the sample variance", 1983.
    """
    result: tuple[Array, Array, Array] = kernels(x).batch_norm_forward(x, gamma, beta, eps, running, momentum, out)
    return result


def batch_norm_backward(
    dy: Array,
    x: Array,
    gamma: Array | None,
    mean: Array,
    rstd: Array,
    *,
    out: tuple[Array | None, Array | None, Array | None] | None = None,
) -> tuple[Array, Array, Array]:
    """The gradients of :func:`batch_norm_forward`, the statistics differentiated through.

    ::

        x̂ = (x − mean) rstd,   dβ = Σ dy,   dγ = Σ dy x̂
        dx = γ rstd (dy − dβ / n − x̂ dγ / n)

    Sums and means run over the batch of n rows.

    Args:
        dy: (batch, features), the gradient of the loss with respect to y.
        x: (batch, features), as given forward.
        gamma: (features,), as given forward; dgamma and dbeta are returned even if it is None.
        mean: (features,), as returned forward.
        rstd: (features,), as returned forward.
        out: Arrays for (dx, dgamma, dbeta), or None in the place of those to be made.

    Returns:
        (dx, dgamma, dbeta).

    Raises:
        TypeError: an array is not float32 or float64, or not of the dtype of x.
        ValueError: a shape is wrong, or arrays overlap.

    Example:
        >>> import numpy as np
        >>> x = np.array([[1.0], [2.0], [3.0], [6.0]])
        >>> _, mean, rstd = batch_norm_forward(x)
        >>> dx, dgamma, dbeta = batch_norm_backward(np.array([[1.0], [0.0], [0.0], [0.0]]), x, None, mean, rstd)
        >>> dx.ravel().round(4), dbeta
        (array([ 0.2482, -0.21  , -0.1336,  0.0954]), array([1.]))

    References:
        Ioffe and Szegedy, "Batch normalization", 2015, section 3.
    """
    result: tuple[Array, Array, Array] = kernels(x).batch_norm_backward(dy, x, gamma, mean, rstd, out)
    return result


def batch_norm_forward_tangent(
    x_dot: Array,
    x: Array,
    gamma: Array | None,
    mean: Array,
    rstd: Array,
    gamma_dot: Array | None = None,
    beta_dot: Array | None = None,
    *,
    out: tuple[Array | None, Array | None, Array | None] | None = None,
) -> tuple[Array, Array, Array]:
    """The derivatives of what :func:`batch_norm_forward` returns in a direction, the statistics' own included.

    ::

        mean_dot = mean(x_dot),   rstd_dot = −rstd² mean(x̂ x_dot)
        y_dot = γ rstd (x_dot − mean(x_dot) − x̂ mean(x̂ x_dot)) + γ_dot x̂ + β_dot

    Args:
        x_dot: (batch, features), the direction of x.
        x: (batch, features).
        gamma: (features,), or None for 1.
        mean: (features,), as returned forward.
        rstd: (features,), as returned forward.
        gamma_dot: (features,), the direction of gamma; None for 0.
        beta_dot: (features,), the direction of beta; None for 0.
        out: Arrays for (y_dot, mean_dot, rstd_dot), or None in the place of those to be made.

    Returns:
        (y_dot, mean_dot, rstd_dot).

    Raises:
        TypeError: an array is not float32 or float64, or not of the dtype of x.
        ValueError: a shape is wrong, or arrays overlap.

    Example:
        >>> import numpy as np
        >>> x = np.array([[1.0], [2.0], [3.0], [6.0]])
        >>> _, mean, rstd = batch_norm_forward(x)
        >>> y_dot, mean_dot, _ = batch_norm_forward_tangent(np.ones_like(x), x, None, mean, rstd)
        >>> bool(abs(y_dot).max() < 1e-15), mean_dot  # y does not change with a shift
        (True, array([1.]))

    References:
        Ioffe and Szegedy, "Batch normalization", 2015.
    """
    result: tuple[Array, Array, Array] = kernels(x).batch_norm_forward_tangent(
        x_dot, x, gamma, mean, rstd, gamma_dot, beta_dot, out
    )
    return result


def batch_norm_backward_tangent(
    dy_dot: Array,
    x_dot: Array,
    dy: Array,
    x: Array,
    gamma: Array | None,
    mean: Array,
    rstd: Array,
    mean_dot: Array,
    rstd_dot: Array,
    gamma_dot: Array | None = None,
    *,
    out: tuple[Array | None, Array | None, Array | None] | None = None,
) -> tuple[Array, Array, Array]:
    """The derivatives of what :func:`batch_norm_backward` returns in a direction: the part of a Hessian-vector product.

    With e² = 0 it is the coefficient of e in ``batch_norm_backward(dy + e dy_dot, x + e x_dot, gamma + e gamma_dot,
    mean + e mean_dot, rstd + e rstd_dot)``.

    Args:
        dy_dot: (batch, features), the direction of dy.
        x_dot: (batch, features), the direction of x.
        dy: (batch, features).
        x: (batch, features).
        gamma: (features,), or None for 1.
        mean: (features,), as returned forward.
        rstd: (features,), as returned forward.
        mean_dot: (features,), as :func:`batch_norm_forward_tangent` returns it.
        rstd_dot: (features,), likewise.
        gamma_dot: (features,), the direction of gamma; None for 0.
        out: Arrays for (dx_dot, dgamma_dot, dbeta_dot), or None in the place of those to be made.

    Returns:
        (dx_dot, dgamma_dot, dbeta_dot).

    Raises:
        TypeError: an array is not float32 or float64, or not of the dtype of x.
        ValueError: a shape is wrong, or arrays overlap.

    Example:
        >>> import numpy as np
        >>> x, ones = np.array([[1.0], [2.0], [3.0], [6.0]]), np.ones((4, 1))
        >>> _, mean, rstd = batch_norm_forward(x)
        >>> _, mean_dot, rstd_dot = batch_norm_forward_tangent(ones, x, None, mean, rstd)
        >>> dots = batch_norm_backward_tangent(0 * x, ones, x, x, None, mean, rstd, mean_dot, rstd_dot)
        >>> [bool(abs(dot).max() < 1e-14) for dot in dots]  # nor does any gradient change with a shift of x
        [True, True, True]

    References:
        Pearlmutter, "Fast exact multiplication by the Hessian", 1994.
    """
    result: tuple[Array, Array, Array] = kernels(x).batch_norm_backward_tangent(
        dy_dot, x_dot, dy, x, gamma, mean, rstd, mean_dot, rstd_dot, gamma_dot, out
    )
    return result


def batch_norm_eval_forward(
    x: Array,
    mean: Array,
    var: Array,
    gamma: Array | None = None,
    beta: Array | None = None,
    eps: float = 1e-5,
    *,
    out: Array | None = None,
) -> Array:
    """Normalizes each column by a given mean and variance, as PyTorch does outside training.

    ::

        y = (x − mean) / √(var + eps) γ + β

    Args:
        x: (batch, features).
        mean: (features,).
        var: (features,).
        gamma: (features,), the scale; None for 1.
        beta: (features,), the shift; None for 0.
        eps: >= 0 and finite.
        out: An array for y.

    Returns:
        y, of the shape of x.

    Raises:
        TypeError: an array is not float32 or float64, or not of the dtype of x.
        ValueError: a shape or eps is out of range, or arrays overlap.

    Example:
        >>> import numpy as np
        >>> batch_norm_eval_forward(np.array([[1.0, 10.0]]), np.array([0.0, 4.0]), np.array([1.0, 9.0]), eps=0.0)
        array([[1., 2.]])

    References:
        Ioffe and Szegedy, "Batch normalization", 2015, section 3.1.
    """
    return kernels(x).batch_norm_eval_forward(x, mean, var, gamma, beta, eps, out)


def batch_norm_eval_backward(
    dy: Array,
    x: Array,
    mean: Array,
    var: Array,
    gamma: Array | None = None,
    eps: float = 1e-5,
    *,
    out: tuple[Array | None, Array | None, Array | None] | None = None,
) -> tuple[Array, Array, Array]:
    """The gradients of :func:`batch_norm_eval_forward`, mean and variance being constants.

    ::

        dx = dy γ rstd,   dγ = Σ dy (x − mean) rstd,   dβ = Σ dy,   rstd = 1 / √(var + eps)

    Args:
        dy: (batch, features).
        x: (batch, features).
        mean: (features,).
        var: (features,).
        gamma: (features,), or None for 1.
        eps: >= 0 and finite.
        out: Arrays for (dx, dgamma, dbeta), or None in the place of those to be made.

    Returns:
        (dx, dgamma, dbeta).

    Raises:
        TypeError: an array is not float32 or float64, or not of the dtype of x.
        ValueError: a shape or eps is out of range, or arrays overlap.

    Example:
        >>> import numpy as np
        >>> batch_norm_eval_backward(np.ones((2, 1)), np.ones((2, 1)), np.zeros(1), np.ones(1), eps=0.0)[1]
        array([2.])

    References:
        Ioffe and Szegedy, "Batch normalization", 2015.
    """
    result: tuple[Array, Array, Array] = kernels(x).batch_norm_eval_backward(dy, x, mean, var, gamma, eps, out)
    return result


def batch_norm_eval_forward_tangent(
    x_dot: Array,
    x: Array,
    mean: Array,
    var: Array,
    gamma: Array | None = None,
    gamma_dot: Array | None = None,
    beta_dot: Array | None = None,
    eps: float = 1e-5,
    *,
    out: Array | None = None,
) -> Array:
    """The derivative of :func:`batch_norm_eval_forward` in a direction.

    ::

        y_dot = x_dot γ rstd + (x − mean) rstd γ_dot + β_dot,   rstd = 1 / √(var + eps)

    Args:
        x_dot: (batch, features), the direction of x.
        x: (batch, features).
        mean: (features,).
        var: (features,).
        gamma: (features,), or None for 1.
        gamma_dot: (features,), the direction of gamma; None for 0.
        beta_dot: (features,), the direction of beta; None for 0.
        eps: >= 0 and finite.
        out: An array for y_dot.

    Returns:
        y_dot, of the shape of x.

    Raises:
        TypeError: an array is not float32 or float64, or not of the dtype of x.
        ValueError: a shape or eps is out of range, or arrays overlap.

    Example:
        >>> import numpy as np
        >>> x = np.array([[1.0, 10.0]])
        >>> batch_norm_eval_forward_tangent(np.ones((1, 2)), x, np.zeros(2), np.array([1.0, 4.0]), eps=0.0)
        array([[1. , 0.5]])

    References:
        Ioffe and Szegedy, "Batch normalization", 2015.
    """
    return kernels(x).batch_norm_eval_forward_tangent(x_dot, x, mean, var, gamma, gamma_dot, beta_dot, eps, out)


def batch_norm_eval_backward_tangent(
    dy_dot: Array,
    x_dot: Array,
    dy: Array,
    x: Array,
    mean: Array,
    var: Array,
    gamma: Array | None = None,
    gamma_dot: Array | None = None,
    eps: float = 1e-5,
    *,
    out: tuple[Array | None, Array | None, Array | None] | None = None,
) -> tuple[Array, Array, Array]:
    """The derivatives of what :func:`batch_norm_eval_backward` returns in a direction.

    ::

        dx_dot = dy_dot γ rstd + dy γ_dot rstd
        dγ_dot = Σ (dy_dot (x − mean) + dy x_dot) rstd,   dβ_dot = Σ dy_dot

    Args:
        dy_dot: (batch, features), the direction of dy.
        x_dot: (batch, features), the direction of x.
        dy: (batch, features).
        x: (batch, features).
        mean: (features,).
        var: (features,).
        gamma: (features,), or None for 1.
        gamma_dot: (features,), the direction of gamma; None for 0.
        eps: >= 0 and finite.
        out: Arrays for (dx_dot, dgamma_dot, dbeta_dot), or None in the place of those to be made.

    Returns:
        (dx_dot, dgamma_dot, dbeta_dot).

    Raises:
        TypeError: an array is not float32 or float64, or not of the dtype of x.
        ValueError: a shape or eps is out of range, or arrays overlap.

    Example:
        >>> import numpy as np
        >>> ones, zero, one = np.ones((2, 1)), np.zeros(1), np.ones(1)
        >>> batch_norm_eval_backward_tangent(ones, ones, ones, ones, zero, one, eps=0.0)[1]
        array([4.])

    References:
        Pearlmutter, "Fast exact multiplication by the Hessian", 1994.
    """
    result: tuple[Array, Array, Array] = kernels(x).batch_norm_eval_backward_tangent(
        dy_dot, x_dot, dy, x, mean, var, gamma, gamma_dot, eps, out
    )
    return result
