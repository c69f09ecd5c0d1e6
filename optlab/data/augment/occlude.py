"""A part of the image hidden."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optlab.checks import integer, real
from optlab.data.augment.augmentation import Preserving
from optlab.data.augment.box import box
from optlab.data.augment.image_draws import Array, ImageDraws


@dataclass(frozen=True)
class Occlude(Preserving):
    """Cutout: a square of ``size`` x ``size`` pixels becomes ``fill``; its centre is any pixel of the image.

    At the edge a part of the square lies outside, as in the paper.

    Args:
        size: The side in pixels, >= 1.
        fill: The value of the hidden pixels.

    Raises:
        TypeError: an argument is of the wrong type.
        ValueError: an argument is out of range.

    Example:
        >>> import numpy as np
        >>> Occlude(2).apply(np.ones((1, 4, 4)), seed=4)[0]
        array([[0., 1., 1., 1.],
               [0., 1., 1., 1.],
               [1., 1., 1., 1.],
               [1., 1., 1., 1.]])

    References:
        DeVries and Taylor, "Improved regularization of convolutional neural networks with Cutout", 2017.
    """

    size: int
    fill: float = 0.0

    def __post_init__(self) -> None:
        integer("size", self.size, 1, 2**20)
        real("fill", self.fill)

    def changed(self, images: Array, draws: ImageDraws) -> Array:
        """See :meth:`Preserving.changed`."""
        u, size = draws.uniforms(2), np.full(len(images), self.size)
        hidden = box(images, u, size, size)
        return np.where(hidden[..., None], images.dtype.type(self.fill), images)
