"""Augmentations one after the other."""

from __future__ import annotations

from dataclasses import dataclass

from optlab.data.augment.augmentation import Augmentation
from optlab.data.augment.image_draws import Array, ImageDraws


@dataclass(frozen=True)
class Chain(Augmentation):
    """The first of ``parts``, then the second on what came out, and so on, each with draws of its own.

    The same one may stand in it twice: draws go by the place, too.

    Args:
        parts: A tuple of augmentations, at least one.

    Raises:
        TypeError: parts is no tuple of augmentations.
        ValueError: it is empty.

    Example:
        >>> import numpy as np, optlab as ol
        >>> chain = Chain((ol.data.augment.Shift(1, 1), ol.data.augment.Noise(0.05)))
        >>> chain.apply(np.zeros((5, 8, 8)), seed=1, step=2).shape
        (5, 8, 8)
    """

    parts: tuple[Augmentation, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.parts, tuple) or not all(isinstance(part, Augmentation) for part in self.parts):
            raise TypeError(f"parts: got {self.parts!r}, expected a tuple of augmentations")
        if not self.parts:
            raise ValueError("parts: got (), expected at least one augmentation")

    def change(self, images: Array, labels: Array | None, draws: ImageDraws) -> tuple[Array, Array | None]:
        """See :meth:`Augmentation.change`."""
        for k, part in enumerate(self.parts):
            images, labels = part.change(images, labels, draws.part(type(part).__name__, k))
        return images, labels
