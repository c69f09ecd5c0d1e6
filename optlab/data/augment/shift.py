"""Shifts by whole pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optlab.checks import integer, real
from optlab.data.augment.augmentation import Preserving
from optlab.data.augment.image_draws import Array, ImageDraws
from optlab.data.augment.window import places, window


@dataclass(frozen=True)
class Shift(Preserving):
    """Moves each image down by a whole number of pixels from −rows to rows, and right by one from −columns to columns.

    All moves are equally probable. What leaves the frame is lost, and ``fill`` follows in.

    Args:
        rows: The largest move up or down, >= 0.
        columns: The largest one to the left or right, >= 0.
        fill: The value of pixels that were outside.

    Raises:
        TypeError: an argument is of the wrong type.
        ValueError: an argument is out of range.

    Example:
        >>> import numpy as np
        >>> image = np.zeros((1, 3, 3))
        >>> image[0, 1, 1] = 1.0
        >>> Shift(1, 1).apply(image, seed=1)[0]
        array([[0., 1., 0.],
               [0., 0., 0.],
               [0., 0., 0.]])
    """

    rows: int
    columns: int
    fill: float = 0.0

    def __post_init__(self) -> None:
        integer("rows", self.rows, 0, 2**20)
        integer("columns", self.columns, 0, 2**20)
        real("fill", self.fill)

    def changed(self, images: Array, draws: ImageDraws) -> Array:
        """See :meth:`Preserving.changed`."""
        u = draws.uniforms(2)
        moves = [places(u[:, k], -most, most) for k, most in enumerate((self.rows, self.columns))]
        return window(images, -np.stack(moves, axis=1), images.shape[1:3], self.fill)
