"""CutMix: a piece of one image in another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optlab.data.augment.box import box
from optlab.data.augment.image_draws import Array
from optlab.data.augment.mix import Mix


@dataclass(frozen=True)
class CutMix(Mix):
    """A box of image i is replaced by the same box of image j; the labels are mixed by the areas.

    The box has √(1 − λ) of the height and of the width, rounded down, with λ from Beta(alpha, alpha), and its centre is
    any pixel. What lies outside is cut off, and λ becomes the share of the pixels that are left of image i, as in
    the paper's code; that draws one box for a batch, here each image has its own. The labels become distributions,
    see :class:`Mix`.

    Args:
        classes: How many there are, >= 1.
        alpha: > 0; 1 in the paper.

    Raises:
        TypeError: an argument is of the wrong type.
        ValueError: an argument is out of range; or, when applied, labels are missing or of other classes.

    Example:
        >>> import numpy as np
        >>> images = np.stack([np.zeros((8, 8)), np.ones((8, 8))])
        >>> mixed, targets = CutMix(classes=2).apply(images, np.array([0, 1]), seed=1)
        >>> bool((targets[:, 1] == mixed.mean(axis=(1, 2))).all())  # the share of ones is the weight of class 1
        True

    References:
        Yun, Han, Oh, Chun, Choe and Yoo, "CutMix: Regularization strategy to train strong classifiers with localizable
        features", ICCV 2019.
    """

    def mixed(
        self, images: Array, others: Array, share: NDArray[np.float64], u: NDArray[np.float64]
    ) -> tuple[Array, NDArray[np.float64]]:
        """See :meth:`Mix.mixed`."""
        side = np.sqrt(1 - share)
        height, width = (np.floor(side * extent).astype(np.int64) for extent in images.shape[1:3])
        taken = box(images, u, height, width)
        return np.where(taken[..., None], others, images), 1 - taken.mean(axis=(1, 2))
