"""Softmax and the losses as their formulas say, in float64, or in complex numbers for derivatives by a complex step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
STEP = 1e-100
"""Of complex steps: its square is lost beside any number, so the derivative is exact."""


def derivative(f: Callable[[Array], Array], x: Array, v: Array) -> Array:
    """Of f at x in the direction v."""
    return np.asarray(np.imag(f(np.asarray(x, np.float64) + 1j * STEP * v)) / STEP)


def softmax(x: Array) -> Array:
    """Probabilities of rows of logits."""
    e = np.exp(x - x.real.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def log_softmax(x: Array) -> Array:
    """Their logarithms."""
    below = x - x.real.max(-1, keepdims=True)
    return below - np.log(np.exp(below).sum(-1, keepdims=True))


def softmax_backward(dy: Array, y: Array) -> Array:
    """J' dy with J = diag(y) - y y'."""
    jacobian = y[:, :, None] * np.eye(y.shape[1]) - y[:, :, None] * y[:, None, :]
    return (jacobian * dy[:, None, :]).sum(-1)


def log_softmax_backward(dy: Array, y: Array) -> Array:
    """J' dy with J = I - 1 exp(y)'."""
    transposed = np.eye(y.shape[1]) - np.exp(y)[:, :, None]
    return (transposed * dy[:, None, :]).sum(-1)


def smoothed(labels: Array, classes: int, smoothing: float) -> Array:
    """The targets of class numbers or distributions."""
    targets = np.eye(classes)[labels] if labels.ndim == 1 else labels.astype(np.float64)
    return (1 - smoothing) * targets + smoothing / classes


def cross_entropy(x: Array, q: Array) -> Array:
    """One per row; 0 log 0 = 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(q == 0, 0, -q * log_softmax(x)).sum(-1)


def cross_entropy_gradient(x: Array, q: Array) -> Array:
    """Of the sum over rows by the logits."""
    return softmax(x) * q.sum(-1, keepdims=True) - q


def absolute(x: Array) -> Array:
    """|x| for complex steps, too."""
    return np.where(x.real < 0, -x, x)


def softplus(x: Array) -> Array:
    """log(1 + e^x)."""
    return np.where(x.real > 0, x, 0) + np.log1p(np.exp(-absolute(x)))


def huber(p: Array, t: Array, delta: float) -> Array:
    """Squared or linear."""
    d = absolute(p - t)
    return np.where(d.real < delta, d * d / 2, delta * (d - delta / 2))


def binary_cross_entropy(p: Array, t: Array, smoothing: float) -> Array:
    """-q log sigmoid(p) - (1 - q) log sigmoid(-p)."""
    q = t * (1 - smoothing) + smoothing / 2
    return q * softplus(-p) + (1 - q) * softplus(p)


def kl_divergence(p: Array, t: Array, _: float) -> Array:
    """T (log t - p); 0 log 0 = 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(t == 0, 0, t * (np.log(t) - p))


class Loss(NamedTuple):
    """An element-wise loss and its slope, and the sizes of what they add up, to which rounding errors are relative."""

    value: Callable[[Array, Array, Any], Array]
    slope: Callable[[Array, Array, Any], Array]
    value_scale: Callable[[Array, Array, Any], Array]
    slope_scale: Callable[[Array, Array, Any], Array]
    option: tuple[str, tuple[float, ...]] | None = None


def plain(value: Callable[[Array, Array], Array]) -> Callable[[Array, Array, Any], Array]:
    """Without the option."""
    return lambda p, t, _: value(p, t)


LOSSES = {
    "mse": Loss(
        plain(lambda p, t: (p - t) ** 2),
        plain(lambda p, t: 2 * (p - t)),
        plain(lambda p, t: (p - t) ** 2),
        plain(lambda p, t: 2 * np.abs(p - t)),
    ),
    "l1": Loss(
        plain(lambda p, t: absolute(p - t)),
        plain(lambda p, t: np.sign((p - t).real) + 0 * p),
        plain(lambda p, t: np.abs(p - t)),
        plain(lambda p, t: np.ones_like(p)),
    ),
    "huber": Loss(
        huber,
        lambda p, t, delta: np.where(absolute(p - t).real < delta, p - t, delta * np.sign((p - t).real)),
        lambda p, t, delta: 2 * huber(p, t, delta),
        plain(lambda p, t: np.abs(p - t)),
        ("delta", (1.0, 0.3)),
    ),
    "binary_cross_entropy": Loss(
        binary_cross_entropy,
        lambda p, t, s: 1 / (1 + np.exp(-p)) - (t * (1 - s) + s / 2),
        lambda p, t, s: np.abs(p) + np.log(2),
        plain(lambda p, t: np.ones_like(p)),
        ("label_smoothing", (0.0, 0.1)),
    ),
    "kl_divergence": Loss(
        kl_divergence,
        plain(lambda p, t: -t + 0 * p),
        plain(lambda p, t: t * (np.abs(np.log(np.where(t > 0, t, 1))) + np.abs(p))),
        plain(lambda p, t: t),
    ),
}
