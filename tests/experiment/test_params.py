"""Parameters: what they may be, and what overrides given as text become."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from optlab.errors import UsageError
from optlab.experiment.params import Params

DEFAULTS = {"dim": 4, "lr": 0.1, "bounded": True, "law": "normal", "sizes": (1, 2), "rates": (0.5, 1)}
LARGE = "(its size must be below 2**63)"


def test_values_are_items_and_attributes_and_read_only() -> None:
    p = Params(DEFAULTS)
    assert p["dim"] == p.dim == 4
    assert dict(p) == DEFAULTS
    with pytest.raises(AttributeError, match="read-only"):
        p.dim = 5
    with pytest.raises(AttributeError, match="no parameter 'dimm'; did you mean 'dim'"):
        _ = p.dimm
    assert dict(pickle.loads(pickle.dumps(p))) == DEFAULTS


@pytest.mark.parametrize(
    ("setting", "key", "value"),
    [
        ("dim=8", "dim", 8),
        ("dim=1e4", "dim", 10_000),
        ("dim=1e3", "dim", 1000),
        ("dim=2.50e1", "dim", 25),
        ("dim=1_000", "dim", 1000),
        ("dim=1e18", "dim", 10**18),
        ("dim=9007199254740993.0", "dim", 2**53 + 1),
        ("dim=-9223372036854775807", "dim", 1 - 2**63),
        ("dim=0", "dim", 0),
        (" dim = -3 ", "dim", -3),
        ("lr=2", "lr", 2.0),
        ("lr=1e-3", "lr", 0.001),
        ("bounded=false", "bounded", False),
        ("bounded=True", "bounded", True),
        ("law=a=b, c", "law", "a=b, c"),
        ("law=", "law", ""),
        ("sizes=3", "sizes", (3,)),
        ("sizes=1,1e3,5", "sizes", (1, 1000, 5)),
        ("sizes=(7, 8)", "sizes", (7, 8)),
        ("sizes=7,", "sizes", (7,)),
        ("rates=1,2.5", "rates", (1.0, 2.5)),
    ],
)
def test_overrides_read_by_the_type_of_the_default(setting: str, key: str, value: Any) -> None:
    read = Params(DEFAULTS).overridden([setting])[key]
    assert read == value
    assert type(read) is type(DEFAULTS[key])
    if isinstance(read, tuple):
        assert [type(item) for item in read] == [type(item) for item in value]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("dim", "--set takes key=value, given 'dim'"),
        ("dmi=3", "unknown parameter 'dmi'; did you mean 'dim'?"),
        ("zzz=3", "unknown parameter 'zzz'; there are: dim, lr, bounded, law, sizes, rates"),
        ("dim=3.5", "parameter 'dim' must be a whole number, given '3.5'"),
        ("dim=many", "parameter 'dim' must be a whole number, given 'many'"),
        ("dim=nan", "parameter 'dim' must be a whole number, given 'nan'"),
        ("dim=", "parameter 'dim' must be a whole number, given ''"),
        ("dim=1e-3", "parameter 'dim' must be a whole number, given '1e-3'"),
        (
            "dim=1.0000000000000000000000001",
            "parameter 'dim' must be a whole number, given '1.0000000000000000000000001'",
        ),
        ("dim=1e400", f"parameter 'dim' must be a whole number, given '1e400' {LARGE}"),
        ("dim=-1e19", f"parameter 'dim' must be a whole number, given '-1e19' {LARGE}"),
        ("dim=1e999999999", f"parameter 'dim' must be a whole number, given '1e999999999' {LARGE}"),
        ("dim=9223372036854775808", f"parameter 'dim' must be a whole number, given '9223372036854775808' {LARGE}"),
        ("dim=" + 5000 * "9", f"parameter 'dim' must be a whole number, given '{39 * '9'}…' {LARGE}"),
        ("sizes=1,1e23", f"parameter 'sizes' must be whole numbers separated by commas, given '1,1e23' {LARGE}"),
        ("lr=1e400", "parameter 'lr' must be a finite number, given '1e400'"),
        ("dim=inf", "parameter 'dim' must be a whole number, given 'inf'"),
        ("dim=true", "parameter 'dim' must be a whole number, given 'true'"),
        ("lr=fast", "parameter 'lr' must be a finite number, given 'fast'"),
        ("lr=nan", "parameter 'lr' must be a finite number, given 'nan'"),
        ("lr=", "parameter 'lr' must be a finite number, given ''"),
        ("bounded=1", "parameter 'bounded' must be true or false, given '1'"),
        ("sizes=", "parameter 'sizes' must be whole numbers separated by commas, given ''"),
        ("sizes=1,2.5", "parameter 'sizes' must be whole numbers separated by commas, given '1,2.5'"),
        ("rates=1,,2", "parameter 'rates' must be finite numbers separated by commas, given '1,,2'"),
    ],
)
def test_wrong_overrides_name_key_given_and_expected(setting: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        Params(DEFAULTS).overridden(["lr=0.2", setting])
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("_hidden", 1),
        ("two words", 1),
        ("keys", 1),
        ("replaced", 1),
        ("x", None),
        ("x", [1]),
        ("x", ()),
        ("x", ("a",)),
        ("x", float("nan")),
        ("x", (1.0, float("inf"))),
    ],
)
def test_what_cannot_be_a_parameter_is_refused(key: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"parameter '{key}'"):
        Params({key: value})


def test_replacing_keeps_names_and_types() -> None:
    assert Params(DEFAULTS).replaced({"dim": 2}).dim == 2
    with pytest.raises(ValueError, match="unknown parameter 'din'; did you mean 'dim'"):
        Params(DEFAULTS).replaced({"din": 2})
    with pytest.raises(ValueError, match="parameter 'lr' must be a finite number, given 1"):
        Params(DEFAULTS).replaced({"lr": 1})
