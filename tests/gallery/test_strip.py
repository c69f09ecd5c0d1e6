"""The drawing of a claim: where band, bar and tick stand, and that no number breaks it."""

from __future__ import annotations

import math
import re

import pytest

from optlab.experiment.claim import Claim
from optlab.gallery.strip import WIDTH, strip

inf, nan = math.inf, math.nan
Ends = tuple[float, float]


def drawn(low: float, measured: float, high: float, accept: Ends) -> dict[str, Ends]:
    """The ends of each part, as shares of the width."""
    claim = Claim("a", "a", measured, None, low, high, accept, 0.999, "by hand", 5)
    parts = re.findall(r'class="(\w+)" x="(-?[\d.]+)" y="[\d.]+" width="([\d.]+)"', strip(claim))
    return {kind: (float(x) / WIDTH, (float(x) + float(width)) / WIDTH) for kind, x, width in parts}


# What is drawn has 18 % of its span on each side; a tenth of a pixel of rounding is less than 0.3 % of the strip.
def share(value: float, start: float = 0.0, span: float = 1.0) -> float:
    return ((value - start) / span + 0.18) / 1.36


@pytest.mark.parametrize(
    ("low", "measured", "high", "accept", "band", "bar"),
    [
        (0.4, 0.5, 0.6, (0.0, 1.0), (share(0), share(1)), (share(0.4), share(0.6))),
        (0.0, 0.5, 1.0, (0.2, 0.4), (share(0.2), share(0.4)), (share(0), share(1))),
        (0.4, 0.5, 1.0, (0.0, inf), (share(0), 1.0), (share(0.4), share(1))),
        (-inf, 0.5, inf, (0.0, 1.0), (share(0), share(1)), (0.0, 1.0)),
        (2.0, 3.0, 4.0, (-inf, 2.5), (0.0, share(2.5, 2.0, 2.0)), (share(2, 2, 2), share(4, 2, 2))),
        (-1.5e308, 0.0, 1.5e308, (0.0, inf), (0.5, 1.0), (share(-1, -1, 2), share(1, -1, 2))),
    ],
)
def test_parts_stand_to_scale(low: float, measured: float, high: float, accept: Ends, band: Ends, bar: Ends) -> None:
    found = drawn(low, measured, high, accept)
    assert found["band"] == pytest.approx(band, abs=0.003)
    assert found["bar"] == pytest.approx(bar, abs=0.003)
    assert sum(found["tick"]) / 2 == pytest.approx(0.5, abs=0.003)


@pytest.mark.parametrize("value", [0.0, 1e-300, -7.0])
def test_one_number_is_a_line_in_the_middle(value: float) -> None:
    found = drawn(value, value, value, (value, value))
    for left, right in found.values():
        assert (left + right) / 2 == pytest.approx(0.5, abs=0.003)
        assert (right - left) * WIDTH == pytest.approx(2.0, abs=0.2)


@pytest.mark.parametrize("low, measured, high", [(nan, nan, nan), (nan, 1.0, nan), (1.0, inf, inf)])
def test_what_is_not_finite_is_not_drawn(low: float, measured: float, high: float) -> None:
    assert drawn(low, measured, high, (0.0, 1.0)) == {}
