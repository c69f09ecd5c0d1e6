"""Rotations about the centre."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optlab.checks import real
from optlab.data.augment.augmentation import Preserving
from optlab.data.augment.image_draws import Array, ImageDraws
from optlab.data.augment.interval import Range, interval
from optlab.data.draws import special


@dataclass(frozen=True)
class Rotate(Preserving):
    """Rotates each image about its centre, by an angle that is uniform over an interval; counterclockwise if positive.

    Pixels are interpolated linearly in both directions, and what was outside is ``fill``. Quarter turns of square
    images are exact.

    Args:
        degrees: The interval (low, high); a number d means (−d, d).
        fill: The value of pixels that were outside.

    Raises:
        TypeError: an argument is of the wrong type.
        ValueError: an argument is out of range.

    Example:
        >>> import numpy as np
        >>> Rotate((90, 90)).apply(np.arange(4.0).reshape(1, 2, 2))[0]
        array([[1., 3.],
               [0., 2.]])
    """

    degrees: float | Range
    fill: float = 0.0

    def __post_init__(self) -> None:
        self._ends()
        real("fill", self.fill)

    def _ends(self) -> Range:
        given = self.degrees
        return interval("degrees", given if isinstance(given, tuple) else (-real("degrees", given, 0.0), given))

    def changed(self, images: Array, draws: ImageDraws) -> Array:
        """See :meth:`Preserving.changed`."""
        from scipy.ndimage import map_coordinates

        low, high = self._ends()
        turns = (low + (high - low) * draws.uniforms(1)[:, 0]) / 360
        cosine, sine = (special(name, turns)[:, None, None] for name in ("cos_turns", "sin_turns"))
        height, width = images.shape[1:3]
        middle, centre = (height - 1) / 2, (width - 1) / 2
        down, right = (np.arange(height) - middle)[:, None], np.arange(width) - centre
        number = np.broadcast_to(np.arange(len(images))[:, None, None], images.shape[:3])
        # Where each new pixel was before; "grid-constant" interpolates between the last pixel and the fill.
        source = [number, sine * right + cosine * down + middle, cosine * right - sine * down + centre]
        planes = [
            map_coordinates(plane, source, order=1, mode="grid-constant", cval=self.fill, output=np.float64)
            for plane in np.moveaxis(images, -1, 0)
        ]
        return np.stack(planes, axis=-1)
