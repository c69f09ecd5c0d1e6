"""`optlab tune`: an experiment's numbers as objectives, and what is refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from optlab import cli

Shell = Callable[..., tuple[int, str, str]]

TOY = """
import os, time
import numpy as np
from pathlib import Path
from optlab import plotting
from optlab.experiment import Experiment, bounded

def compute(p, seed, progress):
    with open("log", "a") as file:
        file.write(f"{p.x} {p.rule} {seed}\\n")
    time.sleep(float(os.environ.get("TOY_SECONDS", 0)))
    if p.x > 9:
        raise ValueError("x is too large")
    return {"loss": np.array([(p.x - 3) ** 2 + (p.rule == "b") + 0.01 * (seed % 7)]), "many": np.zeros(3)}

def plot(data, p):
    return plotting.figure(size=(3.0, 2.0))[0]

def claims(data, p):
    return [bounded("root", "a root", float(data["loss"][0]) ** 0.5, (0, 1)), bounded("size", "size", p.size, (0, 9))]

experiment = Experiment(
    title="Toy", source="B", question="What?", params={"x": 1.0, "rule": "a", "size": 3},
    quick={}, compute=compute, plot=plot, claims=claims,
)
"""
TUNE = ["tune", "toy.py", "--param", "x=linear(0,10)", "--minimize", "loss", "--trials", "12"]


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Runs the command in a folder with an experiment, and returns code, output and errors."""
    (tmp_path / "toy.py").write_text(TOY, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")

    def run(*arguments: str) -> tuple[int, str, str]:
        code = cli.main(arguments)
        out, err = capsys.readouterr()
        return code, out, err

    return run


def results(shell: Shell, *arguments: str) -> dict[str, Any]:
    code, out, err = shell(*arguments, "--json")
    assert (code, err) == (0, "")
    found: dict[str, Any] = json.loads(out)["search"]
    return found


def test_a_search_finds_what_the_experiment_measures(shell: Shell, tmp_path: Path) -> None:
    found = results(shell, *TUNE, "--param", "rule=a|b", "--seed", "3")
    (only,) = found["results"]
    assert (found["experiment"], found["measure"], found["seed"], only["sampler"]) == ("toy", "loss", 3, "tpe")
    log = [line.split() for line in (tmp_path / "log").read_text().splitlines()]
    assert [(float(x), rule) for x, rule, _ in log[:12]] == [
        (trial["params"]["x"], trial["params"]["rule"]) for trial in only["trials"]
    ]
    assert {seed for *_, seed in log[:12]} == {"3"}
    best = min(only["trials"], key=lambda trial: float(trial["value"]))
    assert only["best"]["params"] == best["params"]
    for trial in only["trials"]:
        failed = trial["params"]["x"] > 9
        assert (trial["value"] == "inf", "too large" in trial["error"]) == (failed, failed)
    # The best point once more, with another seed.
    assert float(log[12][0]) == best["params"]["x"]
    assert log[12][2] != "3"
    assert only["best"]["again"] != best["value"]
    assert results(shell, *TUNE, "--param", "rule=a|b", "--seed", "3")["results"][0]["resumed"] == 12


def test_claims_are_measures_and_more_can_be_better(shell: Shell) -> None:
    found = results(
        shell,
        "tune",
        "toy.py",
        "--param",
        "size=linear(1,9)",
        "--maximize",
        "size",
        "--sampler",
        "grid",
        "--trials",
        "6",
    )
    assert [trial["value"] for trial in found["results"][0]["trials"]] == [2, 5, 8, 5, 6, 8]
    assert found["maximize"] is True


def test_methods_get_the_same_budget_and_are_ranked(shell: Shell) -> None:
    code, out, err = shell(*TUNE, "--sampler", "grid", "--sampler", "random", "--sampler", "tpe")
    assert (code, err) == (0, "")
    rows = [line.split() for line in out.splitlines() if line.split()[:1] in (["grid"], ["random"], ["tpe"])]
    assert [row[1] for row in rows] == ["12"] * 3
    assert [float(row[3]) for row in rows] == sorted(float(row[3]) for row in rows)
    assert "trials failed and count as the worst; all trials are in 'searches/toy.db'" in out


def test_another_code_or_setting_is_another_search(shell: Shell, tmp_path: Path) -> None:
    assert results(shell, *TUNE)["results"][0]["resumed"] == 0
    assert results(shell, *TUNE, "--set", "rule=b")["results"][0]["resumed"] == 0
    assert results(shell, *TUNE[:-1], "14")["results"][0]["resumed"] == 12
    (tmp_path / "toy.py").write_text(TOY.replace("- 3", "- 4"), encoding="utf-8")
    assert results(shell, *TUNE)["results"][0]["resumed"] == 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
@pytest.mark.slow
def test_a_search_stopped_by_a_signal_goes_on(shell: Shell, tmp_path: Path, number: int) -> None:
    command = [sys.executable, "-m", "optlab", *TUNE, "--storage", "kept.db"]
    slow = subprocess.Popen(
        command, env={**os.environ, "TOY_SECONDS": "0.3"}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    until = time.monotonic() + 60
    while time.monotonic() < until and len(lines(tmp_path / "log")) < 4:
        time.sleep(0.02)
    slow.send_signal(number)
    _, err = slow.communicate(timeout=30)
    assert slow.returncode == (130 if number == signal.SIGINT else -number)
    if number == signal.SIGINT:
        assert err == "optlab: error: interrupted; what was done is in 'kept.db', and the same command goes on\n"
    begun = lines(tmp_path / "log")
    found = results(shell, *TUNE, "--storage", "kept.db")["results"][0]
    # The trial under way is done again, unless the signal came just after it was kept.
    assert found["resumed"] in (len(begun) - 1, len(begun))
    assert lines(tmp_path / "log")[len(begun) : -1] == [
        f"{trial['params']['x']} a 0" for trial in found["trials"][found["resumed"] :]
    ]
    assert found["trials"] == results(shell, *TUNE, "--storage", "other.db")["results"][0]["trials"]


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


REFUSALS = [
    ("toy.py --param x=log(1,2)", "say what to search for: --minimize KEY or --maximize KEY, but not both"),
    (
        "toy.py --minimize loss --maximize loss",
        "say what to search for: --minimize KEY or --maximize KEY, but not both",
    ),
    ("tyo.py --minimize loss", "there is no file 'tyo.py'; did you mean 'toy.py'?"),
    (
        "toy.py --minimize loss",
        "nothing to search; give at least one --param KEY=log(LOW,HIGH), linear(LOW,HIGH) or A|B|...",
    ),
    ("toy.py --param xx=log(1,2) --minimize loss", "unknown parameter 'xx'; did you mean 'x'?"),
    (
        "toy.py --param x=log(1,2) --minimize lost",
        "toy has no claim or single number 'lost'; did you mean 'loss'?",
    ),
    (
        "toy.py --param x=log(1,2) --minimize many",
        "toy has no claim or single number 'many'; there are: root, size, loss",
    ),
    (
        "toy.py --param x=log(1,2) --minimize loss --sampler bayes",
        "sampler: got 'bayes', expected one of grid, random, tpe, gp",
    ),
    (
        "toy.py --param x=log(1,2) --minimize loss --sampler tpe --sampler tpe",
        "--sampler takes each method once, given tpe, tpe",
    ),
    (
        "toy.py --param x=log(1,2) --minimize loss --sampler random --sampler grid --trials 7",
        "trials: got 7, expected 6 or 8 for 2 grids over 1 intervals",
    ),
    ("toy.py --param x=log(1,2) --minimize loss --set y=1", "unknown parameter 'y'; there are: x, rule, size"),
]


@pytest.mark.parametrize(("line", "message"), REFUSALS)
def test_every_refusal_is_one_line(shell: Shell, line: str, message: str) -> None:
    assert shell("tune", *line.split()) == (2, "", f"optlab: error: {message}\n")


def test_a_search_without_a_finite_value_fails(shell: Shell) -> None:
    code, out, err = shell("tune", "toy.py", "--param", "x=linear(9.5,10)", "--minimize", "loss", "--trials", "3")
    said = "optlab: error: none of 3 trials has a finite value; the first says: experiment 'toy' cannot take x=9."
    end = " (default 1.0): ValueError: x is too large (toy.py, line 13)\n"
    assert (code, out, err[: len(said)], err[-len(end) :]) == (1, "", said, end)
