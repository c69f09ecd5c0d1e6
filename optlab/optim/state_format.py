"""What a saved state says of itself: the version, the rule and the layout that its arrays belong to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from optlab.layout import Layout, Segment, checked

VERSION = 1
"""Grows when the arrays of a state change their meaning."""


@dataclass(frozen=True)
class Format:
    """The rule, whether the first axis is runs, whether x is a list of arrays, and the segments."""

    rule: str
    runs_axis: bool
    list: bool
    layout: Layout

    def text(self) -> str:
        """As a state carries it."""
        segments = [[segment.name, *segment.shape] for segment in self.layout]
        return json.dumps(
            {
                "optlab state": VERSION,
                "rule": self.rule,
                "runs_axis": self.runs_axis,
                "list": self.list,
                "segments": segments,
            }
        )


def read(text: NDArray[Any], rule: str) -> Format:
    """The format in a state's text.

    Raises:
        ValueError: the text is not one, of another version, or of another rule.
    """
    wrong = ValueError(f"state: 'format' says {str(text)[:60]!r}, expected what init() wrote")
    if text.shape != () or text.dtype.kind != "U":
        raise wrong
    try:
        given = json.loads(str(text))
        version = given["optlab state"]
    except (ValueError, KeyError, TypeError):
        raise wrong from None
    if version != VERSION or isinstance(version, bool):
        raise ValueError(f"state: saved in version {version} of the format, expected version {VERSION}")
    try:
        read_format = Format(given["rule"], given["runs_axis"], given["list"], _layout(given["segments"]))
    except (ValueError, KeyError, TypeError):
        raise wrong from None
    if not isinstance(read_format.runs_axis, bool) or not isinstance(read_format.list, bool):
        raise wrong
    if read_format.rule != rule:
        raise ValueError(f"state: got the state of {read_format.rule!r}, expected that of {rule!r}")
    return read_format


def _layout(segments: Any) -> Layout:
    """The layout of a text's segments.

    Raises:
        TypeError: a name or a size is of the wrong type.
        ValueError: there is no segment, or they make no layout.
    """
    if not isinstance(segments, list) or not all(isinstance(each, list) for each in segments):
        raise TypeError("segments are lists of a name and a shape")
    offset, layout = 0, []
    for name, *shape in segments:
        if not isinstance(name, str) or not all(type(size) is int for size in shape):
            raise TypeError(f"segment {name!r} of shape {shape}")
        layout.append(Segment(name, offset, tuple(shape)))
        offset += layout[-1].size
    return checked(layout, offset)
