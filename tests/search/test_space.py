"""What may be searched, and how it is written."""

from __future__ import annotations

import math
import re

import pytest

from optlab.errors import UsageError
from optlab.experiment import Params
from optlab.search import Choice, Span, parsed

P = Params({"lr": 0.1, "width": 8, "widths": (8, 8), "rule": "adam", "clip": True})


def test_forms_are_read_by_the_type_of_the_default() -> None:
    found = parsed(["lr = log(1e-4, 1)", "width=log(4,1e3)", "widths=8,8|16", "rule=adam|sgd", "clip=true|false"], P)
    assert found == {
        "lr": Span(1e-4, 1.0, log=True),
        "width": Span(4, 1000, log=True, whole=True),
        "widths": Choice(((8, 8), (16,))),
        "rule": Choice(("adam", "sgd")),
        "clip": Choice((True, False)),
    }
    assert parsed(["lr=linear(-1,1)"], P) == {"lr": Span(-1.0, 1.0)}


@pytest.mark.parametrize("span", [Span(1e-4, 1.0, log=True), Span(-3.0, 7.0), Span(1e-300, 1e300, log=True)])
def test_places_are_even_on_the_scale_and_never_outside(span: Span) -> None:
    shares = [0.0, 0.1, 0.5, 0.9, 1.0]
    values = [span.at(share) for share in shares]
    assert all(span.low <= value <= span.high for value in values)
    # Logarithms up to 691, so their rounding is up to 691 times that of the value, 1e-15.
    assert [span.share(value) for value in values] == pytest.approx(shares, abs=1e-12)


def test_whole_numbers_are_ints() -> None:
    values = {Span(2, 5, whole=True).at(k / 100) for k in range(101)}
    assert values == {2, 3, 4, 5}
    assert {type(value) for value in values} == {int}


FORMS = "log(LOW,HIGH), linear(LOW,HIGH) or A|B|..."
WRONG = {
    "": f"nothing to search; give at least one --param KEY={FORMS}",
    "lr": f"--param takes KEY={FORMS}, given 'lr'",
    "lrr=log(1,2)": "unknown parameter 'lrr'; did you mean 'lr'?",
    "zzz=log(1,2)": "unknown parameter 'zzz'; there are: lr, width, widths, rule, clip",
    "lr=log(0,1)": f"--param lr=log(0,1): low: got 0.0, expected a finite number > 0; it takes KEY={FORMS}",
    "lr=linear(2,1)": f"--param lr=linear(2,1): high: got 1.0, expected a finite number > 2; it takes KEY={FORMS}",
    "lr=log(1,nan)": f"--param lr=log(1,nan): its values must be a finite number; it takes KEY={FORMS}",
    "lr=0.5": f"--param lr=0.5: values: got (0.5,), expected at least two, each once; it takes KEY={FORMS}",
    "lr=1|1.0": f"--param lr=1|1.0: values: got (1.0, 1.0), expected at least two, each once; it takes KEY={FORMS}",
    "width=log(1.5,8)": f"--param width=log(1.5,8): its values must be a whole number; it takes KEY={FORMS}",
    "rule=log(1,2)": f"--param rule=log(1,2): only numbers have an interval, and this is text; it takes KEY={FORMS}",
}


@pytest.mark.parametrize("given", WRONG)
def test_what_does_not_fit_is_refused(given: str) -> None:
    with pytest.raises(UsageError, match=f"^{re.escape(WRONG[given])}$"):
        parsed([given] if given else [], P)


def test_a_parameter_comes_once() -> None:
    with pytest.raises(UsageError, match=r"^parameter 'lr' is given twice"):
        parsed(["lr=1|2", "lr=log(1,2)"], P)


def test_spans_are_checked() -> None:
    for wrong in ((0.0, math.inf), (1.0, 1.0)):
        with pytest.raises(ValueError, match=r"^high: got .*, expected a finite number > "):
            Span(*wrong)
    with pytest.raises(ValueError, match=r"^low: got 1.5, expected a whole number"):
        Span(1.5, 3, whole=True)
