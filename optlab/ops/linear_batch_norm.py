"""A linear layer and the batch normalization behind it, in one go."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from optlab.backends import kernels
from optlab.ops.linear import Dropout

Array = NDArray[Any]


def linear_batch_norm_forward(
    x: Array,
    weight: Array,
    gamma: Array | None = None,
    beta: Array | None = None,
    eps: float = 1e-5,
    activation: str = "identity",
    *,
    parameter: float | None = None,
    dropout: Dropout | None = None,
    running: tuple[Array, Array, Array] | None = None,
    momentum: float | None = 0.1,
    out: tuple[Array | None, ...] | None = None,
) -> tuple[Array, Array, Array, Array]:
    """``z = x W'`` and ``y = m f(gamma (z - mean) rstd + beta)``, with the statistics of the batch.

    As soon as a panel of z's columns is finished, and still in the cache, its statistics are taken and its y is
    written. The bits are those of :func:`optlab.ops.matmul`, :func:`optlab.ops.batch_norm_forward`,
    :func:`optlab.ops.activation_forward` and :func:`optlab.ops.dropout_forward` in turn. There is no bias, since the
    normalization takes it out again. Backward, the passes are composed: activation, batch norm with z, linear.

    Args:
        x: (batch, in).
        weight: W, (out, in).
        gamma: (out,); None for ones.
        beta: (out,); None for zeros.
        eps: As in :func:`optlab.ops.batch_norm_forward`.
        activation: f, one of :data:`optlab.ops.activations`.
        parameter: Of f where it has one.
        dropout: Which mask m to draw; None for none.
        running: As in :func:`optlab.ops.batch_norm_forward`.
        momentum: Likewise.
        out: (y, z, mean, rstd).

    Returns:
        y (batch, out), z (batch, out), mean (out,), rstd (out,).

    Raises:
        TypeError: an array is not of float32 or float64, dtypes differ, or an option has the wrong type.
        ValueError: shapes do not fit, an option is out of range, or an output is unfit or overlaps.

    Example:
        >>> import numpy as np, optlab as ol
        >>> x, weight = np.array([[1.0], [3.0]]), np.array([[2.0]])
        >>> y, z, mean, rstd = ol.ops.linear_batch_norm_forward(x, weight, eps=0.0, activation="relu")
        >>> y.ravel(), z.ravel(), mean, rstd
        (array([0., 1.]), array([2., 6.]), array([4.]), array([0.5]))

    References:
        Ioffe and Szegedy, "Batch normalization", ICML 2015.
    """
    options = (eps, activation, parameter, dropout, running, momentum, out)
    return kernels(x).linear_batch_norm_forward(x, weight, gamma, beta, *options)  # type: ignore[no-any-return]
