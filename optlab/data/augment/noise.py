"""Noise on every pixel."""

from __future__ import annotations

from dataclasses import dataclass

from optlab.checks import real
from optlab.data.augment.augmentation import Preserving
from optlab.data.augment.image_draws import Array, ImageDraws


@dataclass(frozen=True)
class Noise(Preserving):
    """Adds normal noise to every pixel and channel, ``x + std z``; nothing is cut off at the ends of a scale.

    The two dtypes draw different numbers.

    Args:
        std: The noise's standard deviation, >= 0, in the units of the images.

    Raises:
        TypeError: std is no number.
        ValueError: std is negative or not finite.

    Example:
        >>> import numpy as np
        >>> noisy = Noise(0.1).apply(np.zeros((100, 8, 8)), seed=1)
        >>> bool(0.095 < noisy.std() < 0.105)
        True

    References:
        Bishop, "Training with noise is equivalent to Tikhonov regularization", Neural Computation 7, 1995.
    """

    std: float

    def __post_init__(self) -> None:
        real("std", self.std, 0.0)

    def changed(self, images: Array, draws: ImageDraws) -> Array:
        """See :meth:`Preserving.changed`."""
        z = draws.normals(images[0].size, images.dtype).reshape(images.shape)
        noisy: Array = images + images.dtype.type(self.std) * z
        return noisy
