"""Classes that take a network to tell apart, and the randomizations of Zhang et al. (2017)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import DTypeLike

from optlab.checks import integer, real
from optlab.data.checks import Array, real_dtype
from optlab.data.dataset import Data
from optlab.data.draws import choices, normals, orders
from optlab.data.labels import corrupt
from optlab.data.standardize import Standardize
from optlab.errors import did_you_mean
from optlab.ops import activation_forward
from optlab.random import derive_seed

CENTRES, LATENT, SCALE, WITHIN, NOISE = 30, 8, 1.5, 0.5, 0.1
INPUTS = ("true", "shuffled", "random", "gaussian")


def random_labels(
    n: int,
    corruption: float = 1.0,
    seed: int = 0,
    *,
    inputs: str = "true",
    features: int = 32,
    classes: int = 10,
    separation: float = 1.0,
    dtype: DTypeLike = "float32",
) -> Data:
    """A set with structure, of which labels or inputs were randomized.

    Thirty normal clouds in 8 dimensions, whose number mod ``classes`` is the label, are bent into ``features``
    dimensions::

        x = tanh((1.5 separation c + 0.5 z) L / sqrt(8)) + 0.1 z',    each feature then standardized over the n samples

    with cloud centres c, z, z' and L of standard normal numbers. The randomizations keep everything else: sets that
    differ in ``corruption`` or ``inputs`` alone have the same samples in the same order. So
    ``random_labels(n, 0.0, seed)`` has the true labels of ``random_labels(n, 0.4, seed)``, for a test on other rows.

    Args:
        n: How many samples.
        corruption: The share of labels that are drawn anew, see :func:`corrupt`; 0 leaves them true.
        seed: The key, 0 to 2**64 - 1.
        inputs: "true"; "shuffled": the features in another order, one for all samples; "random": one for each sample;
            "gaussian": standard normal numbers instead.
        features: How many features.
        classes: How many classes.
        separation: How far apart the clouds are.
        dtype: float32 or float64; float32 are the float64 numbers, rounded.

    Returns:
        X (n, features), y (n,).

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is out of range, or inputs is unknown.

    Example:
        >>> true, noisy = random_labels(500, 0.0, seed=1), random_labels(500, 0.4, seed=1)
        >>> bool((true.X == noisy.X).all()), bool(0.6 < (true.y == noisy.y).mean() < 0.7)
        (True, True)

    References:
        Zhang, Bengio, Hardt, Recht and Vinyals, "Understanding deep learning requires rethinking generalization", 2017.
    """
    count, width = integer("n", n, 2, 2**32), integer("features", features, 1, 2**31)
    kinds, apart, to = integer("classes", classes, 1, CENTRES), real("separation", separation, 0.0), real_dtype(dtype)
    if inputs not in INPUTS:
        hint = did_you_mean(str(inputs), INPUTS) or f", expected one of {', '.join(INPUTS)}"
        raise ValueError(f"inputs: got {inputs!r}{hint}")
    cloud = choices(count, CENTRES, seed, "lifted", "cloud")
    X = _randomized(_lifted(cloud, width, apart, seed), inputs, seed)
    y = corrupt(cloud % kinds, corruption, derive_seed(seed, "lifted", "labels"), classes=kinds)
    return Data(np.ascontiguousarray(X, to), y, kinds)


def _lifted(cloud: Array, features: int, separation: float, seed: int) -> Array:
    """The true inputs."""
    count = len(cloud)
    centres = SCALE * separation * normals(CENTRES, LATENT, seed, "lifted", "centres")
    inner = centres[cloud] + WITHIN * normals(count, LATENT, seed, "lifted", "within")
    lift = normals(LATENT, features, seed, "lifted", "lift") / math.sqrt(LATENT)
    bent = np.zeros((count, features))
    for column, row in zip(inner.T, lift, strict=True):  # eight terms in this order, on every processor
        bent += column[:, None] * row
    X = activation_forward(bent, "tanh") + NOISE * normals(count, features, seed, "lifted", "noise")
    return Standardize.fit(X).apply(X)


def _randomized(X: Array, inputs: str, seed: int) -> Array:
    n, features = X.shape
    if inputs == "gaussian":
        return normals(n, features, seed, "lifted", "gaussian")
    if inputs == "shuffled":
        same = np.broadcast_to(orders(1, features, seed, "lifted", "order"), X.shape)
        return np.take_along_axis(X, same, axis=1)
    if inputs == "random":
        return np.take_along_axis(X, orders(n, features, seed, "lifted", "order"), axis=1)
    return X
