"""The parameters of an experiment: named values, and overrides given as text."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

from optlab.errors import UsageError, did_you_mean

KINDS = "int, float, bool, str or a tuple of numbers"
LARGEST = 2**63
"""Whole numbers given as text are smaller than this in size: arrays, seeds and kernels hold no more."""


class Params(Mapping[str, Any]):
    """A read-only mapping whose values are also attributes: `p["dim"]` is `p.dim`.

    A value is an int, float, bool or str, or a tuple of numbers that is not empty. Numbers are finite.

    Raises:
        ValueError: if a name is no identifier, begins with an underscore or is a method's, or a value is none of these.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        """Copy `values` after checking each."""
        for key, value in values.items():
            if not key.isidentifier() or key.startswith("_") or hasattr(Params, key):
                raise ValueError(f"parameter '{key}' must have another name: an identifier, not private, no method's")
            _check(key, value)
        object.__setattr__(self, "_values", dict(values))

    def __getitem__(self, key: str) -> Any:
        """Return the value of `key`."""
        values: dict[str, Any] = object.__getattribute__(self, "_values")
        return values[key]

    def __getattr__(self, key: str) -> Any:
        """Return the value of `key`; called only for names that are no ordinary attribute."""
        if key.startswith("_"):
            raise AttributeError(key)
        try:
            return self[key]
        except KeyError:
            raise AttributeError(f"no parameter '{key}'{did_you_mean(key, self)}") from None

    def __setattr__(self, key: str, value: object) -> None:
        """Refuse: parameters do not change during a run."""
        raise AttributeError(f"parameters are read-only: cannot set '{key}'")

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names in the order of declaration."""
        values: dict[str, Any] = object.__getattribute__(self, "_values")
        return iter(values)

    def __len__(self) -> int:
        """Return the number of parameters."""
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        """Return the parameters as a call."""
        return f"Params({dict(self)})"

    def replaced(self, changes: Mapping[str, Any]) -> Params:
        """Return these parameters with `changes` applied, each of the type that its default has.

        Raises:
            ValueError: if a name is unknown or a value has another type.
        """
        for key, value in changes.items():
            if key not in self:
                raise ValueError(f"unknown parameter '{key}'{did_you_mean(key, self)}")
            if type(value) is not type(self[key]):
                raise ValueError(f"parameter '{key}' must be {kind(self[key])}, given {value!r}")
        return Params({**self, **changes})

    def overridden(self, settings: Iterable[str]) -> Params:
        """Return these parameters with each `key=value` of `settings` applied, read by the type of the default.

        Raises:
            UsageError: if a setting is not `key=value`, names an unknown key, or its value does not read as that type.
        """
        return self.replaced(dict(self._parsed(setting) for setting in settings))

    def _parsed(self, setting: str) -> tuple[str, Any]:
        key, equals, text = setting.partition("=")
        key = key.strip()
        if not equals:
            raise UsageError(f"--set takes key=value, given '{setting}'")
        if key not in self:
            known = ", ".join(self) or "none"
            raise UsageError(f"unknown parameter '{key}'{did_you_mean(key, self) or f'; there are: {known}'}")
        try:
            return key, parse(text.strip(), self[key])
        except ValueError as error:
            reason = f" ({error})" if str(error) else ""
            raise UsageError(f"parameter '{key}' must be {kind(self[key])}, given '{short(text)}'{reason}") from None

    def told(self, key: str) -> str:
        """Return the value of `key` as it would be set on the command line, cut where it is long."""
        value = self[key]
        if isinstance(value, bool):
            return str(value).lower()
        return short(",".join(map(str, value)) if isinstance(value, tuple) else str(value))


def kind(default: Any) -> str:
    """Return in words what a value of the type of `default` looks like."""
    if isinstance(default, bool):
        return "true or false"
    if isinstance(default, int):
        return "a whole number"
    if isinstance(default, float):
        return "a finite number"
    if isinstance(default, str):
        return "text"
    whole = all(type(item) is int for item in default)
    return f"{'whole' if whole else 'finite'} numbers separated by commas"


def short(text: str) -> str:
    """Return `text`, cut after 40 characters."""
    return text if len(text) <= 40 else f"{text[:39]}…"


def parse(text: str, default: Any) -> Any:
    """Return `text` read as a value of the type of `default`; an int may be written as 1e4.

    Raises:
        ValueError: if `text` does not read as that type.
    """
    if isinstance(default, bool):
        return text.lower() == "true" if text.lower() in ("true", "false") else _refuse()
    if isinstance(default, int):
        return _integer(text)
    if isinstance(default, float):
        return _finite(text)
    if isinstance(default, str):
        return text
    read = _integer if all(type(item) is int for item in default) else _finite
    return tuple(read(item) for item in text.strip("()").rstrip(",").split(","))


def _refuse() -> NoReturn:
    raise ValueError


def _finite(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return _refuse()
    return value if math.isfinite(value) else _refuse()


def _integer(text: str) -> int:
    # Read exactly: a float would make 100 000 000 000 000 008 388 608 of 1e23, and an infinity of 1e400.
    try:
        value = Decimal(text)
    except InvalidOperation:
        return _refuse()
    if not value.is_finite():
        return _refuse()
    if value.copy_abs() >= LARGEST:
        raise ValueError("its size must be below 2**63")
    return int(value) if value == value.to_integral_value() else _refuse()


def _check(key: str, value: Any) -> None:
    items = value if isinstance(value, tuple) else (value,)
    plain = (bool, int, float) if isinstance(value, tuple) else (bool, int, float, str)
    if not items or any(type(item) not in plain for item in items):
        raise ValueError(f"parameter '{key}' must be {KINDS}, given {value!r}")
    if any(isinstance(item, float) and not math.isfinite(item) for item in items):
        raise ValueError(f"parameter '{key}' must be finite, given {value!r}")
