"""Mirror images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optlab.checks import real
from optlab.data.augment.augmentation import Preserving
from optlab.data.augment.image_draws import Array, ImageDraws

AXES = {"horizontal": 2, "vertical": 1}


@dataclass(frozen=True)
class Flip(Preserving):
    """Mirrors each image with probability p.

    Args:
        direction: "horizontal" exchanges left and right, "vertical" top and bottom.
        p: In [0, 1].

    Raises:
        TypeError: p is no number.
        ValueError: an argument is out of range.

    Example:
        >>> import numpy as np
        >>> Flip("horizontal", p=1).apply(np.arange(4.0).reshape(1, 2, 2))[0]
        array([[1., 0.],
               [3., 2.]])
    """

    direction: str = "horizontal"
    p: float = 0.5

    def __post_init__(self) -> None:
        if self.direction not in AXES:
            raise ValueError(f"direction: got {self.direction!r}, expected one of {', '.join(map(repr, AXES))}")
        real("p", self.p, 0.0, 1.0)

    def changed(self, images: Array, draws: ImageDraws) -> Array:
        """See :meth:`Preserving.changed`."""
        flipped = draws.uniforms(1)[:, 0] < self.p
        return np.where(flipped[:, None, None, None], np.flip(images, AXES[self.direction]), images)
