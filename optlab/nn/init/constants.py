"""Parameters that are not drawn: zeros, one number, or an array."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optlab.checks import real
from optlab.nn.init.initializer import Address, Array, Initializer


@dataclass(frozen=True)
class Zeros(Initializer):
    """All zero: the customary bias. As a weight it learns nothing, for every unit of a layer stays the same.

    Example:
        >>> Zeros().draw(2, seed=0)
        array([0., 0.], dtype=float32)
    """

    def fill_in(self, out: Array, address: Address, fans: tuple[int, int] | None) -> None:
        """See :meth:`Initializer.fill_in`."""
        out.fill(0.0)


@dataclass(frozen=True)
class Constant(Initializer):
    """All the same number.

    Args:
        value: The number.

    Raises:
        TypeError: value is not a number.
        ValueError: it is not finite.
    """

    value: float

    def __post_init__(self) -> None:
        """Check the value."""
        object.__setattr__(self, "value", real("value", self.value))

    def fill_in(self, out: Array, address: Address, fans: tuple[int, int] | None) -> None:
        """See :meth:`Initializer.fill_in`."""
        out.fill(self.value)


@dataclass(frozen=True, eq=False)
class Given(Initializer):
    """A copy of an array, as of pre-trained weights, rounded to the dtype that is asked for.

    Args:
        array: A float32 or float64 array of the segment's shape; it is copied at construction.

    Raises:
        TypeError: it is no such array.
        ValueError: a number of it is not finite.

    Example:
        >>> import numpy as np
        >>> Given(np.array([1.0, 2.0])).draw(2, seed=0)
        array([1., 2.], dtype=float32)
    """

    array: Array

    def __post_init__(self) -> None:
        """Check the array and keep a copy of it."""
        given = self.array
        if not isinstance(given, np.ndarray) or given.dtype not in (np.float32, np.float64):
            found = getattr(given, "dtype", type(given).__name__)
            raise TypeError(f"array: got {found}, expected a float32 or float64 array")
        if not np.isfinite(given).all():
            raise ValueError("array: got numbers that are not finite, expected finite ones")
        copy = np.array(given, order="C")
        copy.flags.writeable = False
        object.__setattr__(self, "array", copy)

    def check(self, shape: tuple[int, ...], fans: tuple[int, int] | None) -> None:
        """See :meth:`Initializer.check`."""
        if shape != self.array.shape:
            raise ValueError(f"shape: got {shape}, expected {self.array.shape}, that of the given array")

    def fill_in(self, out: Array, address: Address, fans: tuple[int, int] | None) -> None:
        """See :meth:`Initializer.fill_in`."""
        out[...] = self.array
