"""What one augmentation draws: numbers for each image, addressed by seed, step, run and the image's number."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from optlab.checks import integer
from optlab.data.draws import DATA
from optlab.random import derive_seed, normal, uniform

Array = NDArray[Any]
MAX_RUN = 2**32 - 1


@dataclass(frozen=True, eq=False)
class ImageDraws:
    """Draws of the stream DATA. The image's number stands where studies count runs; run and kind are in the key."""

    key: int
    step: int
    index: NDArray[np.int64]

    @classmethod
    def at(cls, kind: str, seed: int, step: int, run: int, index: Any, count: int) -> ImageDraws:
        """The draws of ``count`` images, which have the numbers ``index``; None: 0 to count − 1.

        Raises:
            TypeError: an argument is of the wrong type.
            ValueError: an argument is out of range, or index names another number of images.
        """
        key = derive_seed(seed, "augment", kind, integer("run", run, 0, MAX_RUN))
        return cls(key, integer("step", step, 0, 2**48 - 1), _numbers(index, count))

    def part(self, kind: str, place: int) -> ImageDraws:
        """Draws of their own for a part of what is done."""
        return replace(self, key=derive_seed(self.key, kind, place))

    def uniforms(self, count: int) -> NDArray[np.float64]:
        """``count`` uniform numbers on [0, 1) for each image, (n, count)."""
        return self._drawn(uniform, count, np.float64)

    def normals(self, count: int, dtype: DTypeLike) -> Array:
        """``count`` standard normal numbers for each image, (n, count)."""
        return self._drawn(normal, count, dtype)

    def _drawn(self, draw: Any, count: int, dtype: DTypeLike) -> Array:
        """One call for images whose numbers follow each other, which is all of them in the usual case."""
        blocks = np.split(self.index, np.flatnonzero(np.diff(self.index) != 1) + 1)
        address = {"stream": DATA, "step": self.step, "dtype": dtype}
        parts = [draw((len(block), count), self.key, first_run=int(block[0]), **address) for block in blocks]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _numbers(index: Any, count: int) -> NDArray[np.int64]:
    if index is None:
        return np.arange(count)
    numbers = np.asarray(index)
    if numbers.dtype.kind not in "iu":
        raise TypeError(f"index: got {numbers.dtype}, expected whole numbers")
    if numbers.shape != (count,):
        raise ValueError(f"index: got shape {numbers.shape}, expected ({count},), a number for each image")
    if numbers.min() < 0 or numbers.max() > MAX_RUN:
        raise ValueError(f"index: got {numbers.min()} to {numbers.max()}, expected numbers from 0 to {MAX_RUN}")
    return numbers.astype(np.int64)
