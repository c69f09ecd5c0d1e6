"""Searches: what they depend on, that none of their work is lost or done twice, and what they refuse."""

from __future__ import annotations

import math
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from optlab.errors import MissingPackageError, OptlabError
from optlab.search import SAMPLERS, Choice, Span, TrialError, compare, search

SPACE = {"x": Span(-5.0, 10.0), "y": Span(1.0, 16.0, log=True)}
TRIALS = 18


def branin(point: Any) -> float:
    x, y = point["x"], point["y"] - 1
    return float(
        (y - 5.1 / (4 * math.pi**2) * x * x + 5 / math.pi * x - 6) ** 2 + 10 * (1 - 0.125 / math.pi) * math.cos(x) + 10
    )


def needs(sampler: str) -> None:
    if sampler == "gp":
        pytest.importorskip("torch")


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_search_depends_on_its_seed_alone_and_maximizes_as_it_minimizes(sampler: str) -> None:
    needs(sampler)
    first, again = (search(branin, SPACE, sampler, TRIALS, seed=3) for _ in range(2))
    assert first == again
    # The finer grid's middle is the coarse one's best point, to rounding.
    assert len({repr(trial.point) for trial in first.trials}) >= TRIALS - (sampler == "grid")
    assert first.best.value == min(map(branin, (trial.point for trial in first.trials))) == first.curve[-1]
    mirrored = search(lambda p: -branin(p), SPACE, sampler, TRIALS, seed=3, maximize=True)
    assert [-trial.value for trial in mirrored.trials] == [trial.value for trial in first.trials]
    if sampler != "grid":
        assert search(branin, SPACE, sampler, TRIALS, seed=4).trials[0] != first.trials[0]
        assert search(branin, SPACE, sampler, 9, seed=3).trials == first.trials[:9]


@pytest.mark.parametrize("sampler", ["tpe", "gp"])
@pytest.mark.slow
def test_a_model_finds_more_than_chance(sampler: str) -> None:
    needs(sampler)
    found = [[search(branin, SPACE, name, 25, seed=s).best.value for s in range(5)] for name in (sampler, "random")]
    assert sum(a < b for a, b in zip(*found, strict=True)) >= 4


# ---------------------------------------------------------------- kept and resumed

SCRIPT = """
import os, signal, sys
from pathlib import Path
from optlab.search import Choice, Span, search
log, storage, sampler, kill = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
def objective(point):
    with log.open("a") as file:
        file.write(repr(sorted(point.items())) + "\\n")
    if len(log.read_text().splitlines()) == kill:
        os.kill(os.getpid(), signal.SIGKILL)
    return (point["x"] - 1) ** 2 + (point["rule"] == "b")
found = search(objective, {"x": Span(1e-3, 10.0, log=True), "rule": Choice(("a", "b"))}, sampler, 12, seed=1,
               storage=storage)
print(found.resumed, [(trial.point, trial.value) for trial in found.trials])
"""


def run(tmp_path: Path, folder: str, sampler: str, kill: int = 0) -> tuple[int, str, list[str]]:
    (tmp_path / folder).mkdir(exist_ok=True)
    log = tmp_path / folder / "log"
    command = [sys.executable, "-c", SCRIPT, str(log), str(tmp_path / folder / "kept.db"), sampler, str(kill)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.stderr == ""
    return done.returncode, done.stdout, log.read_text().splitlines()


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.slow
def test_a_killed_search_goes_on_as_if_nothing_had_happened(sampler: str, tmp_path: Path) -> None:
    needs(sampler)
    _, whole, points = run(tmp_path, "whole", sampler)
    assert run(tmp_path, "killed", sampler, kill=5)[0] == -signal.SIGKILL
    assert run(tmp_path, "killed", sampler, kill=10)[0] == -signal.SIGKILL
    code, resumed, log = run(tmp_path, "killed", sampler)
    # The fifth and the ninth trial were under way, and are done again; no other is.
    assert (code, log) == (0, [*points[:5], *points[4:9], *points[8:]])
    assert (whole[:2], resumed[:2]) == ("0 ", "8 ")
    assert resumed[2:] == whole[2:]
    assert len(points) == 12
    assert run(tmp_path, "killed", sampler)[2] == log  # nothing is left to do


def test_other_facts_are_another_search(tmp_path: Path) -> None:
    kept = tmp_path / "kept.db"
    for options in ({}, {"seed": 1}, {"facts": {"quick": True}}, {"name": "other"}, {"maximize": True}):
        assert search(branin, SPACE, "random", 3, storage=kept, **options).resumed == 0
    assert search(branin, {"x": SPACE["x"], "y": Span(1.0, 16.0)}, "random", 3, storage=kept).resumed == 0
    longer = search(branin, SPACE, "random", 5, storage=kept)
    assert longer.resumed == 3
    assert search(branin, SPACE, "random", 2, storage=kept).trials == longer.trials[:2]


def test_what_is_not_finite_or_fails_is_the_worst_and_is_kept(tmp_path: Path) -> None:
    def objective(point: Any) -> float:
        if point["x"] < 0:
            raise TrialError("x is\nnegative")
        return math.nan if point["x"] < 3 else float(point["x"])

    for _ in range(2):
        found = search(objective, SPACE, "tpe", 20, storage=tmp_path / "kept.db")
        for trial in found.trials:
            assert trial.value == (trial.point["x"] if trial.point["x"] >= 3 else math.inf)
            assert trial.error == ("x is negative" if trial.point["x"] < 0 else "")
    assert found.resumed == 20
    assert {bool(trial.error) for trial in found.trials} == {True, False}
    nothing = search(objective, {"x": Span(-2.0, -1.0)}, "random", 3)
    with pytest.raises(OptlabError, match=r"^none of 3 trials has a finite value; the first says: x is negative$"):
        assert nothing.best


def test_a_gaussian_process_takes_failures_too() -> None:
    needs("gp")
    found = search(lambda p: math.inf if p["x"] < 0 else p["x"], SPACE, "gp", 10)
    assert math.isfinite(found.best.value)


# ---------------------------------------------------------------- refusals


def test_one_search_at_a_time_uses_a_storage(tmp_path: Path) -> None:
    kept = tmp_path / "kept.db"

    def objective(point: Any) -> float:
        with pytest.raises(OptlabError, match=r"^another search uses '.*kept.db'; wait for it"):
            search(branin, SPACE, "random", 1, storage=kept)
        return 0.0

    search(objective, SPACE, "random", 1, storage=kept)
    search(branin, SPACE, "random", 2, storage=kept)


def test_a_file_that_is_no_storage_is_refused_and_left(tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("these are my notes, and no search\n" * 99)
    with pytest.raises(OptlabError, match=r"^cannot keep a search in '.*notes.txt': file is not a database; choose"):
        search(branin, SPACE, "random", 1, storage=notes)
    assert notes.read_text().startswith("these")
    with pytest.raises(OptlabError, match=r"^cannot keep a search in '.*notes.txt/kept.db': File exists; choose"):
        search(branin, SPACE, "random", 1, storage=notes / "kept.db")
    foreign = tmp_path / "foreign.db"
    with sqlite3.connect(foreign) as base:
        base.execute("create table studies (mine integer)")
    base.close()
    with pytest.raises(OptlabError, match=r"^cannot keep a search in '.*foreign.db': "):
        search(branin, SPACE, "random", 1, storage=foreign)


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"sampler": "tpee"}, ValueError, "sampler: got 'tpee'; did you mean 'tpe'\\?, expected one of grid, random"),
        ({"trials": 0}, ValueError, "trials: got 0, expected a whole number from 1"),
        ({"trials": 1.5}, TypeError, "trials: got 1.5"),
        ({"seed": -1}, ValueError, "seed: got -1"),
    ],
)
def test_wrong_arguments_are_refused(options: dict[str, Any], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=f"^{said}"):
        search(branin, SPACE, **options)


@pytest.mark.parametrize(
    ("missing", "sampler", "said"),
    [
        ("torch", "gp", "the sampler 'gp' needs torch, which is not installed: pip install 'torch'"),
        ("optuna", "random", "a search needs optuna, which is not installed: pip install 'optlab[experiments]'"),
    ],
)
def test_a_missing_package_is_one_clear_error(
    monkeypatch: pytest.MonkeyPatch, missing: str, sampler: str, said: str
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)  # what the import system takes for "not there"
    with pytest.raises(MissingPackageError) as error:
        search(branin, SPACE, sampler, 3)
    assert str(error.value) == said


def test_only_equal_budgets_are_compared() -> None:
    few, many = (search(branin, SPACE, "random", n) for n in (3, 4))
    with pytest.raises(ValueError, match=r"^searches: got 3 trials of random and 4 of random, expected equal budgets$"):
        compare([few, many])
    with pytest.raises(ValueError, match=r"^searches: random and random looked for different things$"):
        compare([few, search(branin, {"x": SPACE["x"], "y": Choice((1.0, 2.0))}, "random", 3)])
    with pytest.raises(ValueError, match=r"^searches: got none"):
        compare([])
    tpe = search(branin, SPACE, "tpe", 30)
    assert compare([search(branin, SPACE, "random", 30), tpe])[0] is tpe
