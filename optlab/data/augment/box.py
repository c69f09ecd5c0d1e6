"""Rectangles in images, for what is hidden or exchanged there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from optlab.data.augment.image_draws import Array


def box(
    images: Array, u: NDArray[np.float64], height: NDArray[np.int64], width: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Which pixels (n, rows, columns) lie in a box of so many rows and columns, each image with a box of its own.

    Its centre is the pixel at the shares u (n, 2) of the image; what lies outside of the image is cut off. A box of
    even size reaches further up and to the left.
    """
    inside = []
    for axis, size in enumerate((height, width)):
        extent = images.shape[1 + axis]
        first = np.floor(u[:, axis] * extent).astype(np.int64) - size // 2
        pixel = np.arange(extent)
        inside.append((pixel >= first[:, None]) & (pixel < (first + size)[:, None]))
    both: NDArray[np.bool_] = inside[0][:, :, None] & inside[1][:, None, :]
    return both
