"""What MixUp and CutMix share: partners, weights, and labels that are distributions."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optlab.checks import integer, real
from optlab.data.augment.augmentation import Augmentation
from optlab.data.augment.image_draws import Array, ImageDraws
from optlab.data.checks import labels as checked_labels


@dataclass(frozen=True)
class Mix(Augmentation):
    """Image i becomes a mixture with image j(i) of those given, drawn with replacement, so sometimes i itself.

    Labels, classes (n,) or distributions (n, classes), become distributions ``λ y_i + (1 − λ) y_j`` of the images'
    dtype, as the cross entropy of a network takes them.

    Args:
        classes: How many there are, >= 1.
        alpha: λ is drawn from Beta(alpha, alpha) for each image, > 0: uniform for 1, mostly near 0 or 1 for less.
    """

    classes: int
    alpha: float = 1.0

    def __post_init__(self) -> None:
        integer("classes", self.classes, 1, 2**31)
        real("alpha", self.alpha, 0.0, open_low=True)

    def change(self, images: Array, labels: Array | None, draws: ImageDraws) -> tuple[Array, Array | None]:
        """See :meth:`Augmentation.change`.

        Raises:
            ValueError: there are no labels, or none of so many classes.
        """
        if labels is None:
            raise ValueError(f"labels: got None, expected the classes: {type(self).__name__} mixes them, too")
        y = self._distributions(labels, images.dtype)
        u = draws.uniforms(4)  # partner, λ, and two for a place
        partner = np.floor(u[:, 0] * len(images)).astype(np.int64)
        mixed, share = self.mixed(images, images[partner], self._beta(u[:, 1]), u[:, 2:])
        weight = share.astype(images.dtype)[:, None]
        return mixed.astype(images.dtype, copy=False), weight * y + (1 - weight) * y[partner]

    @abstractmethod
    def mixed(
        self, images: Array, others: Array, share: NDArray[np.float64], u: NDArray[np.float64]
    ) -> tuple[Array, NDArray[np.float64]]:
        """The mixtures of images with others, and the shares (n,) of the former that they have."""

    def _beta(self, u: NDArray[np.float64]) -> NDArray[np.float64]:
        """Beta(alpha, alpha) numbers from uniform ones, one from one, so that each image keeps its own."""
        from scipy.special import betaincinv

        share: NDArray[np.float64] = betaincinv(self.alpha, self.alpha, u)
        return share

    def _distributions(self, labels: Array, dtype: np.dtype) -> Array:
        if labels.ndim == 1:
            y = checked_labels("labels", labels)
            if y.max() >= self.classes:
                raise ValueError(f"labels: got the label {y.max()}, expected labels below {self.classes}")
            return np.eye(self.classes, dtype=dtype)[y]
        if labels.dtype != dtype or labels.shape[1:] != (self.classes,):
            found = f"{labels.dtype}{labels.shape}"
            raise ValueError(f"labels: got {found}, expected classes (n,) or {dtype} (n, {self.classes})")
        return labels
