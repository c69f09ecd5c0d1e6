"""Crops, with padding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optlab.checks import integer, real
from optlab.data.augment.augmentation import Preserving
from optlab.data.augment.image_draws import Array, ImageDraws
from optlab.data.augment.window import places, window


@dataclass(frozen=True)
class Crop(Preserving):
    """Pads each image by ``padding`` pixels on every side, and cuts ``height`` x ``width`` of them out anywhere.

    All places are equally probable. With the image's own size and padding 4 it is what CIFAR-10 is usually given.

    Args:
        height: Rows of the result, >= 1.
        width: Columns of the result, >= 1.
        padding: >= 0.
        fill: The value of the padding.

    Raises:
        TypeError: an argument is of the wrong type.
        ValueError: an argument is out of range; or, when applied, the padded image is smaller than the crop.

    Example:
        >>> import numpy as np
        >>> image = np.arange(1.0, 10.0).reshape(1, 3, 3)
        >>> Crop(2, 2).apply(image, seed=1)[0]
        array([[1., 2.],
               [4., 5.]])

    References:
        He, Zhang, Ren and Sun, "Deep residual learning for image recognition", CVPR 2016, section 4.2.
    """

    height: int
    width: int
    padding: int = 0
    fill: float = 0.0

    def __post_init__(self) -> None:
        integer("height", self.height, 1, 2**20)
        integer("width", self.width, 1, 2**20)
        integer("padding", self.padding, 0, 2**20)
        real("fill", self.fill)

    def changed(self, images: Array, draws: ImageDraws) -> Array:
        """See :meth:`Preserving.changed`.

        Raises:
            ValueError: the padded image is smaller than the crop.
        """
        u, size = draws.uniforms(2), (self.height, self.width)
        last = [images.shape[1 + k] + self.padding - size[k] for k in (0, 1)]
        if min(last) < -self.padding:
            padded = tuple(extent + 2 * self.padding for extent in images.shape[1:3])
            raise ValueError(f"images: got {padded} pixels with the padding, expected {size} or more for the crop")
        first = [places(u[:, k], -self.padding, last[k]) for k in (0, 1)]
        return window(images, np.stack(first, axis=1), size, self.fill)
