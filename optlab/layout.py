"""How a flat parameter vector is divided: the segments of a layout, in order and without gaps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from optlab.checks import integer


@dataclass(frozen=True)
class Segment:
    """One named part of a flat vector, as a layer's weight or bias.

    Attributes:
        name: As in ``layers.0.weight``; patterns of ``groups`` are matched against it.
        offset: Where it begins.
        shape: The shape it has as an array, in C order.
        kind: What it is: "weight", "bias", "scale" or "shift".
        fan_in: Inputs of each unit of a weight.
        fan_out: Units of a weight.

    Example:
        >>> Segment("layers.0.weight", 0, (512, 784)).size
        401408
    """

    name: str
    offset: int
    shape: tuple[int, ...]
    kind: str = "weight"
    fan_in: int | None = None
    fan_out: int | None = None

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)


Layout = tuple[Segment, ...]


def flat(dim: int, name: str = "x") -> Layout:
    """The layout of a vector that is not divided."""
    return (Segment(name, 0, (dim,)),)


def checked(layout: Sequence[Segment], dim: int) -> Layout:
    """The layout, if its segments follow each other and make up dim elements.

    Raises:
        TypeError: it is no sequence, or an entry is no Segment.
        ValueError: segments overlap, are empty or leave a gap, a name appears twice, or sizes do not add up to dim.
    """
    end = 0
    if not isinstance(layout, Sequence):
        raise TypeError(f"layout: got {layout!r}, expected a sequence of segments")
    for segment in layout:
        if not isinstance(segment, Segment):
            raise TypeError(f"layout: got {type(segment).__name__}, expected segments")
        if segment.offset != end:
            raise ValueError(f"layout: segment {segment.name!r} begins at {segment.offset}, expected {end}")
        end += integer("layout", segment.size, 1, 2**40)
    if end != dim or not layout:
        raise ValueError(f"layout: got segments of {end} elements, expected {dim}")
    if len({segment.name for segment in layout}) != len(layout):
        raise ValueError("layout: got a name twice, expected names that tell segments apart")
    return tuple(layout)
