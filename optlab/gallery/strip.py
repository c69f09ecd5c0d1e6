"""A claim as a strip: a band that would be accepted, a bar for the interval, a tick for what was measured."""

from __future__ import annotations

import math

from optlab.experiment.claim import Claim, limits
from optlab.gallery.markup import Html, fill

WIDTH, HEIGHT = 160, 20
_MARGIN = 0.18  # of the span, so that ends can be seen as ends
_LEAST = 2.0  # a band or bar of no width is still a line

_STRIP = (
    f'<svg class="strip" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" aria-hidden="true">'
    f'<rect class="axis" y="{HEIGHT // 2}" width="{WIDTH}" height="1"/>$band$bar$tick</svg>'
)
_RECT = '<rect class="$kind" x="$x" y="$y" width="$width" height="$height"/>'


def strip(claim: Claim) -> Html:
    """Return the strip of `claim` as SVG; empty where there is nothing to draw, because the number is not finite.

    It is hidden from screen readers: the numbers stand beside it.
    """
    if not math.isfinite(claim.measured) or math.isnan(claim.low) or math.isnan(claim.high):
        return Html("")
    # A quarter of a span cannot overflow, and the picture is the same.
    low, measured, high, *accept = (
        value / 4 for value in (claim.low, claim.measured, claim.high, *limits(claim.name, claim.accept))
    )
    finite = [value for value in (low, measured, high, *accept) if math.isfinite(value)]
    start, end = min(finite), max(finite)
    margin = _MARGIN * (end - start) or abs(start) or 1.0
    view = (start - margin, end + margin)
    return fill(
        _STRIP,
        band=_rect("band", (accept[0], accept[1]), view, 2, HEIGHT - 4),
        bar=_rect("bar", (low, high), view, HEIGHT / 2 - 2.5, 6),
        tick=_rect("tick", (measured, measured), view, 2, HEIGHT - 4),
    )


def _rect(kind: str, ends: tuple[float, float], view: tuple[float, float], y: float, height: float) -> Html:
    left, right = (WIDTH * min(1.0, max(0.0, (end - view[0]) / (view[1] - view[0]))) for end in ends)
    missing = max(0.0, _LEAST - (right - left))
    x, width = left - missing / 2, right - left + missing
    return fill(_RECT, kind=kind, x=f"{x:.1f}", y=f"{y:g}", width=f"{width:.1f}", height=f"{height:g}")
