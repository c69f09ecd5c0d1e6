"""MixUp: two images at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optlab.data.augment.image_draws import Array
from optlab.data.augment.mix import Mix


@dataclass(frozen=True)
class MixUp(Mix):
    """Image and label become ``λ (x_i, y_i) + (1 − λ) (x_j, y_j)`` with λ from Beta(alpha, alpha).

    λ and the partner j are drawn for each image, as in the paper's formula; its code draws one λ for a batch and
    takes the partners from a permutation. The labels become distributions, see :class:`Mix`.

    Args:
        classes: How many there are, >= 1.
        alpha: > 0; the paper takes 0.1 to 0.4 on ImageNet and 1 on CIFAR-10.

    Raises:
        TypeError: an argument is of the wrong type.
        ValueError: an argument is out of range; or, when applied, labels are missing or of other classes.

    Example:
        >>> import numpy as np
        >>> images, labels = np.arange(4.0).reshape(4, 1, 1), np.array([0, 1, 0, 1])
        >>> mixed, targets = MixUp(classes=2).apply(images, labels, seed=1)
        >>> targets.shape, bool((targets.sum(axis=1) == 1).all())
        ((4, 2), True)

    References:
        Zhang, Cisse, Dauphin and Lopez-Paz, "mixup: Beyond empirical risk minimization", ICLR 2018.
    """

    def mixed(
        self, images: Array, others: Array, share: NDArray[np.float64], u: NDArray[np.float64]
    ) -> tuple[Array, NDArray[np.float64]]:
        """See :meth:`Mix.mixed`."""
        weight = share.astype(images.dtype)[:, None, None, None]
        return weight * images + (1 - weight) * others, share
