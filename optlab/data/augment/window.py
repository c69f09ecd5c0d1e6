"""Parts of images that may reach beyond them: what shifts and crops are made of."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from optlab.data.augment.image_draws import Array


def window(images: Array, first: NDArray[np.int64], size: tuple[int, int], fill: float) -> Array:
    """The pixels of rows first[i, 0] … and columns first[i, 1] … of image i, ``fill`` where there are none.

    Args:
        images: (n, height, width, channels).
        first: (n, 2), which may be negative.
        size: Rows and columns of the result.
        fill: The value outside.
    """
    rows, columns = (first[:, [axis]] + np.arange(size[axis]) for axis in (0, 1))
    height, width = images.shape[1:3]
    seen = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None, :]
    places = np.clip(rows, 0, height - 1)[:, :, None], np.clip(columns, 0, width - 1)[:, None, :]
    taken = images[np.arange(len(images))[:, None, None], places[0], places[1]]
    result: Array = np.where(seen[..., None], taken, images.dtype.type(fill))
    return result


def places(u: NDArray[np.float64], low: int, high: int) -> NDArray[np.int64]:
    """Whole numbers from low to high, both included, from uniform ones."""
    return low + np.floor(u * (high - low + 1)).astype(np.int64)
