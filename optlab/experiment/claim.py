"""A claim: a measured number, its interval, the range that would be accepted, and the verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Accept = tuple[float | None, float | None]
"""The accepted range, ends included; None or an infinity leaves that end open."""

Verdict = Literal["holds", "fails", "inconclusive"]

MIN_LEVEL = 0.999
"""The least confidence level of a claim: a hundred claims a week must not raise one false alarm a week."""


@dataclass(frozen=True)
class Claim:
    """One checked statement about an experiment's numbers.

    The claim holds iff [low, high] lies inside `accept`, fails iff they are disjoint, and is inconclusive otherwise
    (both are closed). A number that is not finite is never a success: NaN anywhere, or an infinite `measured`, fails.
    An infinite `low` or `high` beside a finite `measured` says that the samples bound nothing on that side.

    Build claims with the functions of `optlab.experiment.statistics`; they fill in the interval and the method.

    Attributes:
        name: short identifier, unique within its experiment.
        statement: the claim in words, as a lecturer would say it.
        measured: the number found.
        expected: the number predicted, or None where theory gives only a range.
        low: lower end of the interval for the measured quantity.
        high: upper end; equal to `low` for a deterministic claim.
        accept: the range that would be accepted; None or an infinity leaves an end open.
        level: confidence level of the interval, at least 0.999 unless low equals high.
        method: how the interval was found, in words.
        seeds: number of independent samples behind the interval; 0 for a deterministic claim.

    Raises:
        ValueError: if the numbers contradict each other: an accepted range that is empty or accepts everything, an
            interval that does not contain `measured`, a level below 0.999 on an interval of positive width.
    """

    name: str
    statement: str
    measured: float
    expected: float | None
    low: float
    high: float
    accept: Accept
    level: float
    method: str
    seeds: int

    def __post_init__(self) -> None:
        """Turn NumPy scalars into plain numbers, then check what the numbers say about each other."""
        for field in ("measured", "low", "high", "level"):
            object.__setattr__(self, field, float(getattr(self, field)))
        object.__setattr__(self, "expected", None if self.expected is None else float(self.expected))
        object.__setattr__(self, "seeds", int(self.seeds))
        object.__setattr__(self, "accept", limits(self.name, self.accept))
        self._check_interval()

    def _check_interval(self) -> None:
        if self.low != self.high:
            check_level(self.name, self.level)
        numbers = (self.low, self.measured, self.high)
        if not any(map(math.isnan, numbers)) and not self.low <= self.measured <= self.high:
            interval = f"[{self.low:g}, {self.high:g}]"
            raise ValueError(f"claim '{self.name}': measured {self.measured:g} must lie in its interval {interval}")
        if self.seeds < 0:
            raise ValueError(f"claim '{self.name}': seeds must be at least 0, given {self.seeds}")

    @property
    def verdict(self) -> Verdict:
        """'holds', 'fails' or 'inconclusive'."""
        lower, upper = limits(self.name, self.accept)
        if not math.isfinite(self.measured) or math.isnan(self.low) or math.isnan(self.high):
            return "fails"
        if lower <= self.low and self.high <= upper:
            return "holds"
        if self.high < lower or self.low > upper:
            return "fails"
        return "inconclusive"

    def to_json(self) -> dict[str, Any]:
        """Return the claim as plain JSON values, the verdict included.

        JSON has no form for numbers that are not finite: they become the strings "nan", "inf" and "-inf", which
        `float` reads back. An open end of `accept` is therefore "inf" or "-inf".
        """
        plain = {key: _plain(value) for key, value in asdict(self).items()}
        return {**plain, "verdict": self.verdict}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Claim:
        """Return the claim that `to_json` wrote; the verdict is derived again, not read.

        Raises:
            ValueError: if a field is missing, unknown or of the wrong type.
        """
        fields = {key: value for key, value in values.items() if key != "verdict"}
        try:
            lower, upper = fields["accept"]
            return cls(**{**fields, "accept": (float(lower), float(upper))})
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a claim: {error}") from error


def limits(name: str, accept: Accept) -> tuple[float, float]:
    """Return `accept` as two floats, an open end as an infinity.

    Raises:
        ValueError: if the range is empty, holds a NaN or accepts every number, so that the claim `name` cannot fail.
    """
    lower = -math.inf if accept[0] is None else float(accept[0])
    upper = math.inf if accept[1] is None else float(accept[1])
    if not lower <= upper:
        raise ValueError(f"claim '{name}': accept must be (lower, upper) with lower <= upper, given {accept}")
    if lower == -math.inf and upper == math.inf:
        raise ValueError(f"claim '{name}': accept is open on both sides, so the claim cannot fail; bound one side")
    return lower, upper


def check_level(name: str, level: float) -> None:
    """Raise ValueError unless `level` is a confidence level that the claim `name` may use."""
    if not MIN_LEVEL <= level <= 1.0:
        raise ValueError(f"claim '{name}': level must be between {MIN_LEVEL} and 1, given {level:g}")


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
