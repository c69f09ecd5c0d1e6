"""Jobs in processes of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from optlab.experiment import runner

Contents = Callable[[Path], dict[str, bytes]]


def test_workers_give_the_same_files(toy: Any, tmp_path: Path, contents: Contents) -> None:
    paths = [str(toy("a")), str(toy("b"))]
    one, two = tmp_path / "one", tmp_path / "two"
    list(runner.run(runner.plan(paths, out=one)))
    outcomes = list(runner.run(runner.plan(paths, out=two), workers=2))
    assert sorted(outcome.name for outcome in outcomes) == ["a", "b"]
    before, after = contents(one), contents(two)
    assert set(before) == set(after)
    assert all(before[name] == after[name] for name in before if not name.endswith(".json"))
    assert all(not outcome.fresh for outcome in runner.run(runner.plan(paths, out=two), workers=2))


def test_workers_share_the_processors(toy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("optlab.experiment.workers.cores", lambda: 7)
    count = ("np.arange(p.size, dtype=np.float64) + seed", "np.full(p.size, current())")
    said = ('data["x"].size, p.size', 'data["x"][0], 3')
    paths = [
        str(toy(name, count, said, ("import numpy", "from optlab.threads import current; import numpy")))
        for name in "ab"
    ]
    outcomes = list(runner.run(runner.plan(paths), workers=2))
    assert [claim.measured for outcome in outcomes for claim in outcome.claims] == [3.0, 3.0]


def test_a_worker_that_dies_is_named_and_the_others_finish(toy: Any, tmp_path: Path, contents: Contents) -> None:
    paths = [str(toy("dies", ("progress(0.5", "import os; os.kill(os.getpid(), 9); progress(0.5"))), str(toy("lives"))]
    outcomes = {outcome.name: outcome for outcome in runner.run(runner.plan(paths, out=tmp_path / "out"), workers=2)}
    assert outcomes["dies"].error == "experiment 'dies' failed: the worker process died with exit code -9"
    assert outcomes["lives"].error == ""
    assert set(contents(tmp_path / "out")) == {"lives.png", "lives.svg", "lives.npz", "lives.json"}
