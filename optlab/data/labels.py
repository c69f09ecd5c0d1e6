"""Labels that are partly or wholly random."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from optlab.checks import integer, real
from optlab.data.checks import Array, labels
from optlab.data.draws import choices, uniforms


def corrupt(y: Array, share: float, seed: int = 0, *, classes: int | None = None) -> NDArray[np.int64]:
    """Labels of which each was, with probability ``share``, replaced by one that is uniform over all the classes.

    The new label may be the old one: the share of wrong labels is ``share (1 − 1/classes)``. A larger share replaces
    the same labels, by the same ones, and others besides.

    Args:
        y: (n,) whole numbers from 0; it is not changed.
        share: 0 to 1; with 1 the labels say nothing about the samples.
        seed: The key, 0 to 2**64 - 1. Label i does not depend on n.
        classes: How many classes there are; by default one more than the largest label.

    Returns:
        (n,) int64.

    Raises:
        TypeError: y is no array of whole numbers, or share no number.
        ValueError: share lies outside, y is empty, or a label is not below classes.

    Example:
        >>> import numpy as np
        >>> y = np.arange(1000) % 10
        >>> bool(0.5 < np.mean(corrupt(y, 0.5, seed=1) == y) < 0.6), bool((corrupt(y, 0.0) == y).all())
        (True, True)

    References:
        Zhang, Bengio, Hardt, Recht and Vinyals, "Understanding deep learning requires rethinking generalization", 2017
        ("partially corrupted labels").
    """
    given, probability = labels("y", y), real("share", share, 0.0, 1.0)
    count = int(given.max()) + 1 if classes is None else integer("classes", classes, 1, 2**32 - 1)
    if given.max() >= count:
        raise ValueError(f"classes: got {count} with a label {given.max()}, expected more than the largest label")
    replaced = uniforms(len(given), 1, seed, "corrupt", "which")[:, 0] < probability
    return np.where(replaced, choices(len(given), count, seed, "corrupt", "by"), given)
