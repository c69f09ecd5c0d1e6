"""Linear passes from their formulas, in float64 or complex numbers, so that a complex step goes through them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import optlab as ol

Array = NDArray[Any]


def activation(z: Array, name: str, parameter: float) -> tuple[Array, Array]:
    """f(z) and f'(z), both from z."""
    if name == "sigmoid":
        s = 1 / (1 + np.exp(-z))
        return s, s * (1 - s)
    if name == "tanh":
        return np.tanh(z), 1 / np.cosh(z) ** 2
    if name == "identity":
        return z, np.ones_like(z)
    left = z.real <= 0
    if name == "elu":
        return np.where(left, parameter * (np.exp(z) - 1), z), np.where(left, parameter * np.exp(z), 1)
    slope = np.where(left, {"relu": 0.0, "leaky_relu": parameter}[name], 1.0)
    return slope * z, slope + 0 * z


def mask(shape: tuple[int, int], dropout: Any) -> Array:
    """k / (1 - p), drawn over the flattened array."""
    if dropout is None:
        return np.ones(shape)
    at = {"stream": dropout.stream, "step": dropout.step, "first_run": dropout.run}
    u = ol.random.uniform((1, shape[0] * shape[1]), dropout.seed, dtype=np.float32, **at)
    return (u.reshape(shape) >= np.float32(dropout.p)) / (1 - dropout.p)


def forward(x: Array, weight: Array, bias: Array, name: str, parameter: float, dropout: Any) -> Array:
    """y = m f(x W' + b)."""
    z = np.einsum("bi,oi->bo", x, weight) + bias
    return mask(z.shape, dropout) * activation(z, name, parameter)[0]


def backward(
    dy: Array, x: Array, weight: Array, bias: Array, name: str, parameter: float, dropout: Any
) -> tuple[Array, Array, Array]:
    """By the chain rule, from z."""
    z = np.einsum("bi,oi->bo", x, weight) + bias
    dz = mask(z.shape, dropout) * activation(z, name, parameter)[1] * dy
    return np.einsum("bo,oi->bi", dz, weight), np.einsum("bo,bi->oi", dz, x), dz.sum(axis=0)
