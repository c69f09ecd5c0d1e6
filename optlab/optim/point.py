"""The points that optimizers move: one array, or a list of arrays, of NumPy or of CuPy, and their layouts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from numpy.typing import NDArray

from optlab.backends import home_of
from optlab.layout import Layout, Segment, checked, flat
from optlab.remedies import remedy

State = dict[str, NDArray[Any]]
Point = NDArray[Any] | Sequence[NDArray[Any]]
"""One array, or a list of arrays that take their step together; of NumPy, or of CuPy."""


class Like:
    """What a state is made for: points of this shape, with this one's dtype, on its device."""

    def __init__(self, shape: tuple[int, ...], array: Any) -> None:
        self.shape, self.dtype = shape, array.dtype
        self.zeros = home_of(array).zeros


def first_of(x: Point) -> Any:
    """The first array of a list, or the one array."""
    return x[0] if isinstance(x, list | tuple) and x else x


def segments_of(x: Point, layout: Sequence[Segment] | None, runs_axis: bool) -> tuple[Layout, Like]:
    """The checked segments of a point, and what its state is like.

    Raises:
        TypeError: x is not of float32 or float64 arrays.
        ValueError: x is empty or strided, or the layout does not fit it.
    """
    if isinstance(x, list | tuple):
        segments = _layout_of_list(x, layout, runs_axis)
        return segments, Like((sum(array.size for array in x),), x[0])
    array = cast("NDArray[Any]", x)
    return _layout_of_array(array, layout, runs_axis), Like(array.shape, array)


def check_array(x: Any, name: str) -> None:
    """Refuses what is no array of floats in one piece of memory, on either device."""
    try:
        home_of(x).check_array(x, name)
    except TypeError as error:
        raise TypeError(f"{error}{remedy(name, x)}") from None


def _layout_of_array(x: Any, layout: Sequence[Segment] | None, runs_axis: bool) -> Layout:
    check_array(x, "x")
    if runs_axis and x.ndim not in (1, 2):
        raise ValueError(f"x: got {x.ndim} dimensions, expected (dim,) or (runs, dim)")
    dim = x.shape[-1] if runs_axis else x.size
    return flat(dim) if layout is None else checked(layout, dim)


def _layout_of_list(x: Sequence[NDArray[Any]], layout: Sequence[Segment] | None, runs_axis: bool) -> Layout:
    if not x:
        raise ValueError("x: got an empty list, expected at least one array")
    if layout is not None or runs_axis:
        raise ValueError("x: got a list with a layout or a runs axis, expected one array for these")
    if not any(hasattr(array, "dtype") for array in x):
        raise TypeError(f"x: got a list without arrays, expected an array or a list of arrays{remedy('x', x)}")
    offset, segments = 0, []
    for index, array in enumerate(x):
        check_array(array, f"x[{index}]")
        if array.dtype != x[0].dtype:
            raise TypeError(f"x[{index}]: got dtype {array.dtype}, expected {x[0].dtype}, as x[0] has")
        segments.append(Segment(str(index), offset, array.shape))
        offset += array.size
    return tuple(segments)
