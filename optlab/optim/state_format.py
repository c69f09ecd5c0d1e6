"""What a saved state says of itself: the version, the rule and the layout that its arrays belong to."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

from optlab.layout import Layout, Segment

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


def read(text: str, rule: str) -> Format:
    """The format in a state's text.

    Raises:
        ValueError: the text is not one, of another version, or of another rule.
    """
    try:
        given = json.loads(text)
        version = given["optlab state"]
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"state: 'format' says {text[:60]!r}, expected what init() wrote") from None
    if version != VERSION:
        raise ValueError(f"state: saved in version {version} of the format, expected version {VERSION}")
    if given["rule"] != rule:
        raise ValueError(f"state: got the state of {given['rule']!r}, expected that of {rule!r}")
    offset, segments = 0, []
    for name, *shape in given["segments"]:
        segments.append(Segment(name, offset, tuple(shape)))
        offset += math.prod(shape)
    return Format(rule, given["runs_axis"], given["list"], tuple(segments))
