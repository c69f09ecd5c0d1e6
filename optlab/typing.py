"""The types that public functions share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Array", "DType", "Schedule"]

Array: TypeAlias = NDArray[Any]
"""An array of NumPy, or one of CuPy, which has no types of its own."""

DType: TypeAlias = np.dtype[Any]
"""A number type, as ``np.dtype("float32")``."""

Schedule: TypeAlias = Callable[[NDArray[np.int64]], ArrayLike]
"""A factor on the learning rate, as a function of an int64 array of steps."""
