"""Gaussian blur."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optlab.data.augment.augmentation import Preserving
from optlab.data.augment.image_draws import Array, ImageDraws
from optlab.data.augment.interval import Range, interval
from optlab.data.draws import special


@dataclass(frozen=True)
class Blur(Preserving):
    """Convolves each image with a Gaussian, whose σ in pixels is uniform over an interval.

    The kernel is cut off after 4 σ and sums to 1; at the edge the image goes on as its mirror image.

    Args:
        sigma: The interval (low, high), >= 0, or the one value.

    Raises:
        TypeError: sigma is no number, nor two.
        ValueError: it is negative, or not in order.

    Example:
        >>> import numpy as np
        >>> image = np.zeros((1, 3, 3))
        >>> image[0, 1, 1] = 1.0
        >>> Blur(0.5).apply(image)[0].round(3)
        array([[0.011, 0.084, 0.011],
               [0.084, 0.619, 0.084],
               [0.011, 0.084, 0.011]])
    """

    sigma: float | Range

    def __post_init__(self) -> None:
        interval("sigma", self.sigma, 0.0)

    def changed(self, images: Array, draws: ImageDraws) -> Array:
        """See :meth:`Preserving.changed`."""
        from scipy.ndimage import correlate1d

        low, high = interval("sigma", self.sigma, 0.0)
        result = images.astype(np.float64)
        for image, sigma in zip(result, low + (high - low) * draws.uniforms(1)[:, 0], strict=True):
            weights = _gaussian(float(sigma))
            for axis in (0, 1):
                correlate1d(image.copy(), weights, axis, output=image, mode="reflect")
        return result


def _gaussian(sigma: float) -> Array:
    """The weights from −4σ to 4σ, of sum 1."""
    k = np.arange(-round(4 * sigma), round(4 * sigma) + 1) / max(sigma, 1e-300)
    weights: Array = special("exp", -k * k / 2)
    weights /= weights.sum()
    return weights
