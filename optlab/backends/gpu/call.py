"""The arrays of one call: inputs are gated, outputs gated or made, and no output shares memory with another array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from optlab.backends.gpu import gate
from optlab.backends.gpu.device import device, empty

Array = Any
Shape = tuple[int, ...]


class Call:
    """What is checked and made for one call.

    Args:
        out: None, an array where there is one output, or a tuple of arrays or None.
        names: The names of the outputs.
        like: The array that sets the dtype, and its name.
    """

    def __init__(self, out: Any, names: Sequence[str], like: tuple[Array, str]) -> None:
        self.dtype = gate.real_dtype(*like)
        self._names, self._made = names, 0
        self._given: Sequence[Any] = (out,) if len(names) == 1 else (None,) * len(names) if out is None else out
        if not isinstance(self._given, tuple) or len(self._given) != len(names):
            raise TypeError(f"out: expected a tuple of {len(names)} arrays ({', '.join(names)})")
        self._read: list[tuple[str, Array]] = []
        self._written: list[tuple[str, Array]] = []

    @property
    def itemsize(self) -> int:
        """Of a number, in bytes."""
        return int(np.dtype(self.dtype).itemsize)

    @property
    def real(self) -> str:
        """The C++ name of the dtype."""
        return gate.cpp(self.dtype)

    def take(self, array: Array, name: str, shape: Sequence[int], dtype: Any = None) -> Array:
        """An input of this shape, -1 for any extent."""
        gate.check(array, name, dtype or self.dtype, shape)
        if not array.size:
            raise ValueError(f"{name}: got an empty array of shape {tuple(array.shape)}, expected at least one element")
        self._read.append((name, array))
        return array

    def maybe(self, array: Array | None, name: str, shape: Sequence[int]) -> Array | None:
        """The same, or None."""
        return None if array is None else self.take(array, name, shape)

    def update(self, array: Array, name: str, shape: Sequence[int], dtype: Any = None) -> Array:
        """An array of the caller that is read and written."""
        gate.check(array, name, dtype or self.dtype, shape)
        self._written.append((name, array))
        return array

    def out(self, shape: Shape) -> Array:
        """The next output: the caller's array, or a new one that holds anything."""
        name, given = self._names[self._made], self._given[self._made]
        self._made += 1
        return empty(shape, self.dtype) if given is None else self.update(given, name, shape)

    def no_out(self) -> Array:
        """The next output is not wanted: None stands in its place."""
        if self._given[self._made] is not None:
            name = self._names[self._made]
            raise ValueError(f"{name}: got an array, expected None, since it is not wanted")
        self._made += 1
        return None

    def scratch(self, given: Array | None, numbers: int) -> Array:
        """Room for so many numbers: the caller's, which a captured graph needs, or new."""
        if given is None:
            return empty(numbers, self.dtype)
        self.update(given, "scratch", (-1,))
        if given.size < numbers:
            raise ValueError(f"scratch: got {given.size} numbers, expected at least {numbers}")
        return given

    def check(self) -> None:
        """To be called after the last array and before any memory is touched.

        Raises:
            ValueError: an output overlaps another array.
        """
        pointer = device().pointer
        extents = [
            (pointer(a), pointer(a) + a.nbytes, name, written)
            for written, arrays in ((False, self._read), (True, self._written))
            for name, a in arrays
        ]
        for k, (begin, end, name, written) in enumerate(extents):
            for other_begin, other_end, other, other_written in extents[:k]:
                if (written or other_written) and begin < other_end and other_begin < end:
                    raise ValueError(f"{other} and {name}: got overlapping memory, expected separate arrays")
