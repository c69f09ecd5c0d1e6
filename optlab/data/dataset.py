"""What every data set is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True, eq=False, repr=False)
class Data:
    """Features and labels, which unpack as ``X, y = data``.

    Attributes:
        X: (n, features), float32 or float64 in C order.
        y: (n,) int64 from 0 to classes − 1; (n, outputs) of X's dtype where the labels are numbers.
        classes: How many classes there are; 0 where the labels are numbers.

    Example:
        >>> import optlab as ol
        >>> data = ol.data.spirals(6, classes=3)
        >>> data, data.y
        (Data(n=6, features=2, classes=3, dtype=float32), array([0, 1, 2, 0, 1, 2]))
        >>> X, y = data
    """

    X: Array
    y: Array
    classes: int

    def __iter__(self) -> Iterator[Array]:
        yield self.X
        yield self.y

    def __len__(self) -> int:
        return len(self.X)

    def __repr__(self) -> str:
        n, features = self.X.shape
        return f"Data(n={n}, features={features}, classes={self.classes}, dtype={self.X.dtype})"
