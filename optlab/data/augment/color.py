"""Brightness, contrast and saturation."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from optlab.checks import real
from optlab.data.augment.augmentation import Preserving
from optlab.data.augment.image_draws import Array, ImageDraws

LUMA = np.array([0.299, 0.587, 0.114])
"""How bright red, green and blue are (ITU-R BT.601)."""


@dataclass(frozen=True)
class Color(Preserving):
    """Scales brightness, contrast and saturation, in this order, by factors b, c and s drawn for each image.

    ::

        x ← b x,     x ← m + c (x − m),     x ← g + s (x − g)

    with m the mean over the image's pixels and channels and g the grey 0.299 R + 0.587 G + 0.114 B of each pixel. Each
    factor is uniform on [1 − strength, 1 + strength]. Nothing is cut off at the ends of a scale.

    Args:
        brightness: The strength of b, in [0, 1].
        contrast: That of c.
        saturation: That of s; the images then have three channels: red, green and blue.

    Raises:
        TypeError: a strength is no number.
        ValueError: a strength is out of range; or, when applied, there are no three channels to saturate.

    Example:
        >>> import numpy as np
        >>> grey = Color(brightness=0.5).apply(np.ones((2, 1, 1)), seed=1)
        >>> bool((grey >= 0.5).all() and (grey <= 1.5).all() and grey[0] != grey[1])
        True
    """

    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0

    def __post_init__(self) -> None:
        for each in fields(self):
            real(each.name, getattr(self, each.name), 0.0, 1.0)

    def changed(self, images: Array, draws: ImageDraws) -> Array:
        """See :meth:`Preserving.changed`.

        Raises:
            ValueError: there are no three channels to saturate.
        """
        if self.saturation and images.shape[3] != 3:
            raise ValueError(f"images: got {images.shape[3]} channels, expected 3 (red, green, blue) for saturation")
        strength = np.array([self.brightness, self.contrast, self.saturation])
        factors = (1 + strength * (2 * draws.uniforms(3) - 1))[..., None, None, None]
        x: Array = factors[:, 0] * images
        # Each image is summed by itself, so that the others do not change the order of its sum.
        mean = np.array([image.mean() for image in x])[:, None, None, None]
        x = mean + factors[:, 1] * (x - mean)
        if not self.saturation:
            return x
        grey = (x[..., 0] * LUMA[0] + x[..., 1] * LUMA[1] + x[..., 2] * LUMA[2])[..., None]
        x = grey + factors[:, 2] * (x - grey)
        return x
