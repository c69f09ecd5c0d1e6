"""The verdict, the checks at construction, and the way through JSON."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optlab.experiment.claim import Claim

INF = math.inf
NAN = math.nan


def claim(**changes: Any) -> Claim:
    fields = {
        "name": "slope",
        "statement": "the slope is two",
        "measured": 2.0,
        "expected": 2.0,
        "low": 1.9,
        "high": 2.1,
        "accept": (1.5, 2.5),
        "level": 0.999,
        "method": "by hand",
        "seeds": 10,
    }
    return Claim(**{**fields, **changes})


@pytest.mark.parametrize(
    ("low", "high", "accept", "verdict"),
    [
        (1.9, 2.1, (1.5, 2.5), "holds"),
        (1.9, 2.1, (1.9, 2.1), "holds"),
        (2.0, 2.0, (2.0, 2.0), "holds"),
        (1.9, 2.1, (None, 2.1), "holds"),
        (1.9, 2.1, (1.9, INF), "holds"),
        (1.9, 2.1, (2.2, 3.0), "fails"),
        (1.9, 2.1, (None, 1.8), "fails"),
        (1.9, 2.1, (2.2, None), "fails"),
        (1.9, 2.1, (2.1, 3.0), "inconclusive"),
        (1.9, 2.1, (1.0, 1.9), "inconclusive"),
        (1.9, 2.1, (1.95, 2.05), "inconclusive"),
        (1.9, 2.1, (2.0, None), "inconclusive"),
        (-INF, INF, (1.5, 2.5), "inconclusive"),
        (-INF, 2.1, (None, 2.5), "holds"),
        (1.9, INF, (None, 2.5), "inconclusive"),
    ],
)
def test_verdict(low: float, high: float, accept: tuple[float | None, float | None], verdict: str) -> None:
    assert claim(low=low, high=high, accept=accept).verdict == verdict


@pytest.mark.parametrize(
    ("measured", "low", "high"),
    [(NAN, NAN, NAN), (NAN, 1.9, 2.1), (2.0, NAN, 2.1), (2.0, 1.9, NAN), (INF, INF, INF), (-INF, -INF, -INF)],
)
@pytest.mark.parametrize("accept", [(1.5, 2.5), (None, 2.5), (1.5, None)])
def test_what_is_not_finite_fails(
    measured: float, low: float, high: float, accept: tuple[float | None, float | None]
) -> None:
    assert claim(measured=measured, low=low, high=high, accept=accept).verdict == "fails"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"accept": (2.5, 1.5)}, "lower <= upper"),
        ({"accept": (NAN, 1.5)}, "lower <= upper"),
        ({"accept": (None, None)}, "cannot fail"),
        ({"accept": (-INF, INF)}, "cannot fail"),
        ({"level": 0.95}, "level must be between 0.999 and 1, given 0.95"),
        ({"level": 1.5}, "level must be"),
        ({"level": NAN}, "level must be"),
        ({"measured": 3.0}, r"measured 3 must lie in its interval \[1.9, 2.1\]"),
        ({"low": 2.1, "high": 1.9}, "must lie in its interval"),
        ({"seeds": -1}, "seeds must be at least 0"),
    ],
)
def test_contradictions_are_refused_in_one_line(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        claim(**changes)
    assert "claim 'slope'" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_deterministic_claim_needs_no_level() -> None:
    assert claim(low=2.0, high=2.0, level=0.0).verdict == "holds"


def test_numpy_scalars_become_plain_numbers() -> None:
    plain = claim(measured=np.float32(2.0), low=np.float64(2.0), high=2, seeds=np.int64(3), accept=(np.float64(1), 3))
    assert [type(plain.measured), type(plain.high), type(plain.seeds), type(plain.accept[0])] == [
        float,
        float,
        int,
        float,
    ]
    json.dumps(plain.to_json(), allow_nan=False)


def test_a_claim_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        claim().measured = 3.0  # type: ignore[misc]


def test_json_holds_the_fields_of_the_record_and_the_verdict() -> None:
    assert claim(accept=(1.5, None)).to_json() == {
        "name": "slope",
        "statement": "the slope is two",
        "measured": 2.0,
        "expected": 2.0,
        "low": 1.9,
        "high": 2.1,
        "accept": [1.5, "inf"],
        "level": 0.999,
        "method": "by hand",
        "seeds": 10,
        "verdict": "holds",
    }


@given(
    numbers=st.lists(st.floats(), min_size=3, max_size=3),
    expected=st.none() | st.floats(),
    accept=st.tuples(st.floats(allow_nan=False), st.floats(allow_nan=False)),
)
def test_every_claim_survives_json(numbers: list[float], expected: float | None, accept: tuple[float, float]) -> None:
    low, measured, high = sorted(numbers) if not any(map(math.isnan, numbers)) else numbers
    ends = (min(accept), max(accept))
    before = claim(
        measured=measured, low=low, high=high, expected=expected, accept=ends if ends != (-INF, INF) else (0.0, INF)
    )
    text = json.dumps(before.to_json(), allow_nan=False)
    after = Claim.from_json(json.loads(text))
    assert repr(after) == repr(before)
    assert after.verdict == before.verdict


@pytest.mark.parametrize("damage", [{"accept": None}, {"accept": [1.0]}, {"extra": 1}, {"measured": "much"}])
def test_what_is_no_claim_is_refused(damage: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        Claim.from_json({**claim().to_json(), **damage})


def test_a_missing_field_is_refused() -> None:
    values = claim().to_json()
    del values["level"]
    with pytest.raises(ValueError, match="not a claim"):
        Claim.from_json(values)
