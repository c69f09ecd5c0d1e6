"""How claims read: in 80 columns, without a terminal, and with numbers that need care."""

from __future__ import annotations

import io
import math
from typing import Any

import pytest
from rich.console import Console

from optlab.cli.terminal import Bar, claims_table
from optlab.experiment.claim import Claim


def printed(*claims: Claim, **options: Any) -> str:
    target = io.StringIO()
    Console(file=target, **{"width": 80, **options}).print(claims_table(claims))
    return target.getvalue()


def claim(low: float, measured: float, high: float, accept: tuple[float | None, float | None]) -> Claim:
    return Claim("a_name", "what it says", measured, None, low, high, accept, 0.999, "by hand", 5)


@pytest.mark.parametrize(
    ("low", "high", "accept", "interval", "range_"),
    [
        (1.0, 2.0, (0.5, 2.5), "[1, 2]", "[0.5, 2.5]"),
        (1.0, 1.0, (None, 2.5), "exact", "<= 2.5"),
        (0.95, 1.0, (0.9, None), "[0.95, 1]", ">= 0.9"),
        (-math.inf, math.inf, (1.0, 1.0), "unbounded", "= 1"),
        (0.99999, 1.00001, (1 - 1e-9, 1 + 1e-9), "1 +- 1e-05", "1 +- 1e-09"),
        (-1234567.0, 1234567.0, (0.0, 7.27), "[-1.23e+06, 1.23e+06]", "[0, 7.27]"),
    ],
)
def test_intervals_read_well(
    low: float, high: float, accept: tuple[float | None, float | None], interval: str, range_: str
) -> None:
    text = printed(claim(low, 1.0, high, accept))
    assert f" {interval} " in text
    assert f" {range_} " in text


def test_a_long_statement_is_shortened_and_the_rest_stays_whole() -> None:
    accept = (-1e300, 1e-300)
    wordy = Claim("a_name", "word " * 60, -0.0123456, None, -1e5, 1e5, accept, 0.999, "by hand", 5)
    text = printed(wordy)
    assert max(map(len, text.splitlines())) <= 80
    for part in ("a_name", "-0.01235", "[-1e+05, 1e+05]", "[-1e+300, 1e-300]", "inconclusive", "word ..."):
        assert part in text
    assert text.count("word") < 30


@pytest.mark.parametrize(("high", "verdict", "code"), [(1.5, "holds", "32"), (9.0, "inconclusive", "33")])
def test_verdicts_have_colours_on_a_terminal_only(high: float, verdict: str, code: str) -> None:
    one = claim(1.0, 1.2, high, (0.0, 2.0))
    assert f"\x1b[{code}m{verdict}" in printed(one, force_terminal=True, color_system="standard")
    assert "\x1b" not in printed(one)


def test_the_bar_is_silent_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with Bar() as bar:
        bar(0.3, "part")
        bar.aside(lambda: print("aside"))
        bar(7.0)
    assert capsys.readouterr() == ("aside\n", "")


def test_the_bar_shows_part_and_share_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    with Bar() as bar:
        bar(0.3, "saddle, run 3")
    err = capsys.readouterr().err
    assert "saddle, run 3" in err
    assert "30%" in err
