"""Normalization by its formulas, step by step; also of complex arrays, whose imaginary parts carry derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any
STEP = 1e-100
"""The complex step: so small that what it drops vanishes, and no difference is taken."""


def spread(numbers: Array, x: Array) -> Array:
    """One number per channel, or 1 for None, in the shape of x."""
    return np.ones_like(x) if numbers is None else numbers.reshape(1, -1, *[1] * (x.ndim - 2)) + np.zeros_like(x)


def statistics(x: Array, groups: int, eps: float) -> tuple[Array, Array]:
    """Mean and 1 / sqrt(var + eps) of every group of every sample."""
    rows = x.reshape(len(x), groups, -1)
    mean = rows.sum(-1) / rows.shape[-1]
    centred = rows - mean[..., None]
    return mean, 1 / np.sqrt((centred * centred).sum(-1) / rows.shape[-1] + eps)


def forward(x: Array, gamma: Array, beta: Array, groups: int, eps: float) -> tuple[Array, Array, Array]:
    """(y, mean, rstd)."""
    mean, rstd = statistics(x, groups, eps)
    rows = x.reshape(len(x), groups, -1)
    x_hat = ((rows - mean[..., None]) * rstd[..., None]).reshape(x.shape)
    y = spread(gamma, x) * x_hat
    return y if beta is None else y + spread(beta, x), mean, rstd


def backward(dy: Array, x: Array, gamma: Array, groups: int, eps: float) -> tuple[Array, Array, Array]:
    """(dx, dgamma, dbeta): first the gradients of x_hat, variance and mean, then x by the chain rule."""
    rows = x.reshape(len(x), groups, -1)
    n = rows.shape[-1]
    mean, rstd = (numbers[..., None] for numbers in statistics(x, groups, eps))
    centred = rows - mean
    dx_hat = (spread(gamma, x) * dy).reshape(rows.shape)
    dvar = (dx_hat * centred).sum(-1, keepdims=True) * (-rstd * rstd * rstd / 2)
    dmean = -(dx_hat * rstd).sum(-1, keepdims=True) - dvar * 2 * centred.sum(-1, keepdims=True) / n
    dx = dx_hat * rstd + dvar * 2 * centred / n + dmean / n
    over = (0, *range(2, x.ndim))
    return dx.reshape(x.shape), (dy * (centred * rstd).reshape(x.shape)).sum(over), dy.sum(over)


def weight_forward(v: Array, g: Array) -> tuple[Array, Array]:
    """(w, norm)."""
    norm = np.sqrt((v * v).sum(-1))
    return g[:, None] * v / norm[:, None], norm


def weight_backward(dw: Array, v: Array, g: Array) -> tuple[Array, Array]:
    """(dv, dg): dv from the quotient and from the norm, apart."""
    norm = np.sqrt((v * v).sum(-1))
    dnorm = -(dw * v).sum(-1) * g / norm**2
    return g[:, None] * dw / norm[:, None] + (dnorm / norm)[:, None] * v, (dw * v).sum(-1) / norm


def along(function: Any, points: tuple[Array, ...], directions: tuple[Array, ...]) -> tuple[Array, ...]:
    """The derivative of a function of several arrays in a direction; a direction None is zero."""
    moved = [x if d is None or x is None else x + 1j * STEP * d for x, d in zip(points, directions, strict=True)]
    return tuple(np.imag(result) / STEP for result in function(*moved))
