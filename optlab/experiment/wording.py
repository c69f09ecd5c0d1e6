"""The numbers of a claim in words that fit into a table."""

from __future__ import annotations

import math

from optlab.experiment.claim import Claim, limits


def numbers(claim: Claim) -> tuple[str, str, str]:
    """Return what was measured, its interval and the accepted range.

    >>> numbers(Claim("a", "a", 0.5, None, 0.4, 0.6, (None, 1.0), 0.999, "by hand", 9))
    ('0.5', '[0.4, 0.6]', '<= 1')
    """
    interval = "exact" if claim.low == claim.high else _interval(claim.low, claim.high)
    return number(claim.measured), interval, _interval(*limits(claim.name, claim.accept))


def number(value: float, digits: int = 4) -> str:
    """Return `value` with so many digits, and at least its whole part below 100 000.

    >>> number(12.345), number(12345.6), number(1.5e7), number(1e-9)
    ('12.35', '12346', '1.5e+07', '1e-09')
    """
    return f"{value:.0f}" if 1e3 <= abs(value) < 1e5 else f"{value:.{digits}g}"


def _interval(low: float, high: float) -> str:
    # Three digits, so that a statement has room beside it in 80 columns; the record has all of them.
    ends = number(low, 3), number(high, 3)
    if low == -math.inf and high == math.inf:
        return "unbounded"
    if low == -math.inf:
        return f"<= {ends[1]}"
    if high == math.inf:
        return f">= {ends[0]}"
    if low == high:
        return f"= {number(low)}"
    if ends[0] == ends[1]:
        return f"{number((low + high) / 2)} +- {(high - low) / 2:.1g}"
    return f"[{ends[0]}, {ends[1]}]"
