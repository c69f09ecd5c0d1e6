"""A mixture of normal distributions, one for each class."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from optlab.checks import integer, real
from optlab.data.checks import Array, real_dtype
from optlab.data.dataset import Data
from optlab.data.draws import choices, normals


def gaussian_mixture(
    n: int,
    means: ArrayLike | None = None,
    seed: int = 0,
    *,
    classes: int = 3,
    dim: int = 2,
    separation: float = 3.0,
    spread: float = 1.0,
    dtype: DTypeLike = "float32",
) -> Data:
    """Normal clouds: ``x_i = means[y_i] + spread z`` with y_i uniform over the classes and z standard normal.

    Args:
        n: How many samples.
        means: (classes, dim); by default drawn as ``separation`` times standard normal numbers.
        seed: The key, 0 to 2**64 - 1. Sample i does not depend on n.
        classes: How many clouds, where ``means`` is not given.
        dim: How many features, where ``means`` is not given.
        separation: The standard deviation of the means' coordinates, where ``means`` is not given.
        spread: The standard deviation of a cloud along every axis.
        dtype: float32 or float64; float32 are the float64 numbers, rounded.

    Returns:
        X (n, dim), y (n,).

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is out of range, or means is no matrix of finite numbers.

    Example:
        >>> X, y = gaussian_mixture(5, means=[[0.0, 9.0], [9.0, 0.0]], spread=0.0)
        >>> bool((X[:, 0] == 9 * y).all())
        True
    """
    count, to, width = integer("n", n, 1, 2**32), real_dtype(dtype), real("spread", spread, 0.0)
    if means is None:
        shape = integer("classes", classes, 1, 2**31), integer("dim", dim, 1, 2**31)
        centres = real("separation", separation, 0.0) * normals(shape[0], shape[1], seed, "mixture", "means")
    else:
        centres = _given(means)
    y = choices(count, len(centres), seed, "mixture", "label")
    X = centres[y] + width * normals(count, centres.shape[1], seed, "mixture", "noise")
    return Data(X.astype(to), y, len(centres))


def _given(means: ArrayLike) -> Array:
    centres = np.asarray(means, np.float64)
    if centres.ndim != 2 or not centres.size or not np.isfinite(centres).all():
        raise ValueError(f"means: got shape {centres.shape}, expected finite numbers of shape (classes, dim)")
    return centres
