"""The handwritten digits that scikit-learn carries: real data without a network."""

from __future__ import annotations

import numpy as np

from optlab.data import scikit
from optlab.data.dataset import Data


def digits() -> Data:
    """1797 images of handwritten digits, 8 x 8 pixels in 17 shades of grey, scaled to [0, 1] by 1/16.

    Returns:
        X (1797, 64) float32, row by row of an image; y (1797,) int64; 10 classes.

    Raises:
        MissingPackageError: scikit-learn is not installed.

    References:
        Alpaydin and Kaynak, "Optical recognition of handwritten digits", UCI Machine Learning Repository, 1998 (its
        test part).
    """
    X, y = scikit.datasets("digits").load_digits(return_X_y=True)
    return Data(np.ascontiguousarray(X / 16, np.float32), y.astype(np.int64), 10)
