"""Numbers that a random network gives, to be learned by another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import DTypeLike

from optlab.checks import integer, real
from optlab.data.checks import Array, real_dtype
from optlab.data.dataset import Data
from optlab.data.draws import normals
from optlab.nn.init import Initializer, resolve
from optlab.ops import linear_forward
from optlab.random import derive_seed


def teacher(
    widths: Sequence[int],
    n: int,
    noise: float = 0.0,
    seed: int = 0,
    *,
    activation: str = "relu",
    init: str | Initializer = "kaiming_normal",
    dtype: DTypeLike = "float32",
) -> Data:
    """Samples of a random network without biases.

    ::

        h_0 = x,   h_k = f(W_k h_{k-1}),   y = W_K h_{K-1} + noise z

    with x and z of standard normal numbers. With the default arguments E y² = 2 + noise², over networks too: Kaiming's
    weights keep the mean square through each ReLU and double it in the last, linear layer.

    Args:
        widths: The number of inputs, of units of each hidden layer, and of outputs; at least two numbers.
        n: How many samples.
        noise: The standard deviation of what is added to the labels.
        seed: The key, 0 to 2**64 - 1. Sample i does not depend on n.
        activation: f, one of :data:`optlab.ops.activations`.
        init: How the weights are drawn, a name or an initializer of :mod:`optlab.nn.init`.
        dtype: float32 or float64; float32 are the float64 numbers, rounded.

    Returns:
        X (n, widths[0]); y (n, widths[-1]) of the same dtype; no classes.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is out of range, or the name of an activation or initializer is unknown.

    Example:
        >>> X, y = teacher([10, 100, 1], n=500, seed=1)
        >>> X.shape, y.shape
        ((500, 10), (500, 1))
    """
    sizes = _checked(widths)
    count, spread, to = integer("n", n, 1, 2**32), real("noise", noise, 0.0), real_dtype(dtype)
    X = normals(count, sizes[0], seed, "teacher", "inputs")
    y = _forward(X, sizes, activation, resolve(init), derive_seed(seed, "teacher", "weights"))
    y += spread * normals(count, sizes[-1], seed, "teacher", "noise")
    return Data(X.astype(to), y.astype(to), 0)


def _checked(widths: Sequence[int]) -> tuple[int, ...]:
    if not isinstance(widths, Sequence) or len(widths) < 2:
        raise ValueError(f"widths: got {widths!r}, expected at least the number of inputs and of outputs")
    return tuple(integer("widths", width, 1, 2**31) for width in widths)


def _forward(X: Array, widths: tuple[int, ...], activation: str, init: Initializer, seed: int) -> Array:
    """The network's answers; layer k has the weights of the segment k."""
    h, last = X, len(widths) - 2
    for k, shape in enumerate(zip(widths[1:], widths[:-1], strict=True)):
        weight = init.draw(shape, seed, step=k, dtype=np.float64)
        h = linear_forward(h, weight, activation="identity" if k == last else activation)
    return h
