"""Spirals: classes in the plane that no line separates."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from optlab.checks import integer, real
from optlab.data.checks import real_dtype
from optlab.data.dataset import Data
from optlab.data.draws import normals, special, uniforms
from optlab.random import MAX_DIM


def spirals(
    n: int, classes: int = 2, noise: float = 0.02, seed: int = 0, *, turns: float = 1.0, dtype: DTypeLike = "float32"
) -> Data:
    """The arms of a spiral, one for each class.

    ::

        x_i = t (cos a, sin a) + noise z,   a = 2 pi (turns t + y_i / classes),   t = sqrt(u),   y_i = i mod classes

    with u uniform on [0, 1) and z standard normal: samples lie evenly over the disc that the arms sweep, so that
    without noise E|x|² = 1/2.

    Args:
        n: How many samples.
        classes: How many arms.
        noise: The standard deviation of both coordinates around the arm.
        seed: The key, 0 to 2**64 - 1. Sample i does not depend on n.
        turns: How often an arm winds around the centre.
        dtype: float32 or float64; float32 are the float64 numbers, rounded.

    Returns:
        X (n, 2), y (n,).

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is out of range.

    Example:
        >>> X, y = spirals(1000, classes=3, seed=1)
        >>> X.shape, y[:4]
        ((1000, 2), array([0, 1, 2, 0]))

    References:
        Lang and Witbrock, "Learning to tell two spirals apart", Connectionist Models Summer School 1988 (there on a
        grid and without noise).
    """
    count, arms = integer("n", n, 1, 2**32), integer("classes", classes, 1, MAX_DIM)
    spread, winding = real("noise", noise, 0.0), real("turns", turns, 0.0, 1e3)
    to = real_dtype(dtype)
    y = np.arange(count, dtype=np.int64) % arms
    t = np.sqrt(uniforms(count, 1, seed, "spirals", "place")[:, 0])
    angle = winding * t + y / arms
    # Our own sine and cosine: NumPy's differ between processors.
    ray = np.stack([special("cos_turns", angle), special("sin_turns", angle)], axis=1)
    X = t[:, None] * ray + spread * normals(count, 2, seed, "spirals", "noise")
    return Data(X.astype(to), y, arms)
