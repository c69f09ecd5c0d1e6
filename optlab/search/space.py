"""What is searched: each parameter's interval, on a linear or logarithmic scale, or its choices."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from optlab.checks import real
from optlab.errors import UsageError, did_you_mean
from optlab.experiment.params import Params, kind, parse

_SPAN = re.compile(r"(log|linear)\((.+),(.+)\)")
FORMS = "log(LOW,HIGH), linear(LOW,HIGH) or A|B|..."


@dataclass(frozen=True)
class Span:
    """The numbers from low to high.

    Args:
        low: The least, above 0 on a logarithmic scale.
        high: The largest, above low.
        log: Whether the scale is logarithmic.
        whole: Whether only whole numbers count.

    Raises:
        TypeError: an end is not a number.
        ValueError: an end is not finite or not whole where it must be, low is not below high, or not above 0.

    Example:
        >>> Span(1e-4, 1.0, log=True).at(0.5)
        0.01
        >>> Span(8, 512, log=True, whole=True).at(0.5)
        64
    """

    low: float
    high: float
    log: bool = False
    whole: bool = False

    def __post_init__(self) -> None:
        """Check the ends."""
        real("low", self.low, 0.0 if self.log else -math.inf, open_low=self.log)
        real("high", self.high, self.low, open_low=True)
        for name in ("low", "high"):
            if self.whole and not float(getattr(self, name)).is_integer():
                raise ValueError(f"{name}: got {getattr(self, name)!r}, expected a whole number")

    def at(self, share: float) -> Any:
        """The number that has this share of the scale below it."""
        if self.log:
            value = math.exp((1 - share) * math.log(self.low) + share * math.log(self.high))
        else:
            value = (1 - share) * self.low + share * self.high
        # Rounding must not lead out of the interval.
        inside = min(max(value, self.low), self.high)
        return round(inside) if self.whole else float(f"{inside:.15g}")

    def share(self, value: float) -> float:
        """What :meth:`at` takes for this number."""
        change = math.log if self.log else float
        return (change(value) - change(self.low)) / (change(self.high) - change(self.low))


@dataclass(frozen=True)
class Choice:
    """One of several values without an order.

    Args:
        values: At least two, that differ as text.

    Raises:
        ValueError: there are fewer, or one comes twice.
    """

    values: tuple[Any, ...]

    def __post_init__(self) -> None:
        """Check the values."""
        if len(set(map(str, self.values))) < max(2, len(self.values)):
            raise ValueError(f"values: got {self.values!r}, expected at least two, each once")


Space = Mapping[str, Span | Choice]
"""What each parameter may be."""
Point = Mapping[str, Any]
"""A value for each parameter."""


def parsed(settings: Iterable[str], p: Params) -> dict[str, Span | Choice]:
    """The space of settings such as ``lr=log(1e-4,1)``, ``width=linear(8,64)`` or ``rule=adam|sgd``.

    The type of each parameter's default decides whether its numbers are whole, and how choices are read.

    Raises:
        UsageError: there is none, one is not of these forms, names an unknown parameter or one twice, or does not fit.

    Example:
        >>> parsed(["lr=log(1e-4,1)", "width=linear(8,64)"], Params({"lr": 0.1, "width": 8}))["width"]
        Span(low=8, high=64, log=False, whole=True)
    """
    space: dict[str, Span | Choice] = {}
    for setting in settings:
        key, equals, text = (part.strip() for part in setting.partition("="))
        if not equals:
            raise UsageError(f"--param takes KEY={FORMS}, given '{setting}'")
        if key not in p:
            raise UsageError(f"unknown parameter '{key}'{did_you_mean(key, p) or '; there are: ' + ', '.join(p)}")
        if key in space:
            raise UsageError(f"parameter '{key}' is given twice; --param takes each once")
        space[key] = _dimension(key, text, p[key])
    if not space:
        raise UsageError(f"nothing to search; give at least one --param KEY={FORMS}")
    return space


def _dimension(key: str, text: str, default: Any) -> Span | Choice:
    found = _SPAN.fullmatch(text)
    try:
        if found is None:
            return Choice(tuple(parse(item.strip(), default) for item in text.split("|")))
        if type(default) not in (int, float):
            raise ValueError(f"only numbers have an interval, and this is {kind(default)}")
        low, high = (parse(end.strip(), default) for end in found.groups()[1:])
        return Span(low, high, log=found[1] == "log", whole=type(default) is int)
    except ValueError as error:
        reason = str(error) or f"its values must be {kind(default)}"
        raise UsageError(f"--param {key}={text}: {reason}; it takes KEY={FORMS}") from None
