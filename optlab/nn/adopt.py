"""Arrays of other libraries, read where they are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from optlab.backends.current import on_gpu
from optlab.remedies import remedy

CPU = 1
"""DLPack's number of the device."""


def adopt(name: str, given: Any, dtype: str = "float64") -> NDArray[Any]:
    """A NumPy or CuPy array itself, or a view of a PyTorch or JAX array on the CPU by way of DLPack; nothing is copied.

    Args:
        name: The argument's.
        given: The array.
        dtype: What an array made of something else should have.

    Raises:
        TypeError: it is no array, lies on another device, or its library does not lend it out.

    Example:
        >>> import numpy as np
        >>> x = np.ones(3)
        >>> adopt("X", x) is x
        True
    """
    if isinstance(given, np.ndarray) or on_gpu(given):
        return given  # type: ignore[no-any-return]
    kind = type(given).__name__
    if not hasattr(given, "__dlpack__") or not hasattr(given, "__dlpack_device__"):
        wanted = "a NumPy array, or a PyTorch or JAX array on the CPU"
        raise TypeError(f"{name}: got {kind}, expected {wanted}{remedy(name, given, dtype)}")
    try:
        if int(given.__dlpack_device__()[0]) == CPU:
            return np.from_dlpack(given)
    except (BufferError, RuntimeError, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise TypeError(f"{name}: got a {kind} that cannot be read in place ({reason}), expected a plain one") from None
    raise TypeError(f"{name}: got a {kind} on another device, expected one on the CPU; {name}.cpu() makes one")
