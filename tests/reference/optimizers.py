"""The update rules, from their docstrings, in float64: whole paths for given gradients.

``minus=+1`` with magnitudes gives the majorant of a path (see reference/landscapes.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Path = Callable[..., list[Array]]


def _effective(x: Array, g: Array, weight_decay: Any, maximize: bool, minus: float) -> Array:
    """g = ±∇f + weight_decay x."""
    return (minus * g if maximize else g) + weight_decay * x


def sgd(
    x: Array,
    grads: Sequence[Array],
    factors: Sequence[float],
    *,
    lr: Any,
    momentum: Any = 0.0,
    dampening: Any = 0.0,
    weight_decay: Any = 0.0,
    nesterov: bool = False,
    maximize: bool = False,
    minus: float = -1.0,
) -> list[Array]:
    """v ← μ v + (1 − dampening) g, v = g at first; x ← x − lr v, or x − lr (g + μ v)."""
    path, v = [x], np.zeros_like(x)
    for t, (grad, factor) in enumerate(zip(grads, factors, strict=True)):
        g = _effective(x, grad, weight_decay, maximize, minus)
        v = g if t == 0 else momentum * v + (1 + minus * dampening) * g
        along = g + momentum * v if nesterov else v
        x = x + minus * lr * factor * along
        path.append(x)
    return path


def heavy_ball(
    x: Array,
    grads: Sequence[Array],
    factors: Sequence[float],
    *,
    lr: Any,
    momentum: Any = 0.0,
    weight_decay: Any = 0.0,
    maximize: bool = False,
    minus: float = -1.0,
) -> list[Array]:
    """x_{k+1} = x_k − lr g_k + μ (x_k − x_{k−1}), Polyak's own form."""
    path, before = [x], x
    for grad, factor in zip(grads, factors, strict=True):
        g = _effective(x, grad, weight_decay, maximize, minus)
        moved = x - before if minus < 0 else _majorant_of_move(path)
        x, before = x + minus * lr * factor * g + momentum * moved, x
        path.append(x)
    return path


def _majorant_of_move(path: list[Array]) -> Array:
    """The majorants only grow, so their differences are the majorants of the moves; none before the first step."""
    return path[-1] - path[-2] if len(path) > 1 else np.zeros_like(path[0])
