"""Activations, maxout and dropout from their formulas, in terms of x; the activations take complex steps, too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from reference import philox

Function = Callable[[Any, float], Any]


def _logistic(x: Any) -> Any:
    """By halves, so that no exponential overflows."""
    small = np.exp(np.where(np.real(x) < 0, x, -x))
    return np.where(np.real(x) < 0, small, 1) / (1 + small)


def _left(x: Any) -> Any:
    return np.real(x) <= 0


VALUE: dict[str, Function] = {
    "identity": lambda x, a: x + 0,
    "sigmoid": lambda x, a: _logistic(x),
    "tanh": lambda x, a: np.tanh(x),
    "relu": lambda x, a: np.where(_left(x), 0, x),
    "leaky_relu": lambda x, a: np.where(_left(x), a * x, x),
    "elu": lambda x, a: np.where(_left(x), a * np.expm1(np.where(_left(x), x, 0)), x),
}
SLOPE: dict[str, Function] = {
    "identity": lambda x, a: np.ones_like(x),
    "sigmoid": lambda x, a: _logistic(x) * _logistic(-x),
    "tanh": lambda x, a: 4 * _logistic(2 * x) * _logistic(-2 * x),
    "relu": lambda x, a: np.where(_left(x), 0.0, 1.0),
    "leaky_relu": lambda x, a: np.where(_left(x), a, 1.0),
    "elu": lambda x, a: np.where(_left(x), a * np.exp(np.where(_left(x), x, 0)), 1.0),
}
CURVATURE: dict[str, Function] = {
    "identity": lambda x, a: np.zeros_like(x),
    "sigmoid": lambda x, a: SLOPE["sigmoid"](x, a) * (_logistic(-x) - _logistic(x)),
    "tanh": lambda x, a: -2 * np.tanh(x) * SLOPE["tanh"](x, a),
    "relu": lambda x, a: np.zeros_like(x),
    "leaky_relu": lambda x, a: np.zeros_like(x),
    "elu": lambda x, a: np.where(_left(x), a * np.exp(np.where(_left(x), x, 0)), 0.0),
}
PARAMETERS: dict[str, tuple[float | None, ...]] = {"leaky_relu": (None, 0.0, 0.3, 1.5), "elu": (None, 0.25, 3.0)}
"""What the tests try; the others have none."""
DEFAULTS = {"leaky_relu": 0.01, "elu": 1.0}


def maxout_winners(x: np.ndarray, pieces: int) -> np.ndarray:
    """(rows, units, pieces): True at the first of the largest pieces, a NaN counting as largest."""
    grouped = x.reshape(len(x), -1, pieces)
    first = np.argmax(grouped, axis=2)  # NumPy's own order: the first NaN, else the first maximum
    return np.arange(pieces) == first[..., None]


def dropout_mask(count: int, p: float, seed: int, stream: int, step: int, run: int) -> np.ndarray:
    """Which of the flat elements are kept, from the generator's own definition."""
    words = philox.words(count, np.float32, seed, stream, step, run)
    return np.array([(word >> 8) / 2**24 >= p for word in words])
