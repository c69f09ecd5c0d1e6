"""Planning, running one after another, and Ctrl-C."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from optlab.errors import ExperimentError, OptlabError, UsageError
from optlab.experiment import runner

Contents = Callable[[Path], dict[str, bytes]]


def test_mistakes_are_refused_when_the_work_is_planned(toy: Any, world: dict[str, Any], tmp_path: Path) -> None:
    path = toy()
    (tmp_path / "file").touch()
    with pytest.raises(OptlabError, match="cannot write to the folder"):
        runner.plan([str(path)], out=tmp_path / "file" / "figures")
    with pytest.raises(UsageError, match="unknown parameter 'sise'"):
        runner.plan([str(path)], settings=["sise=3"])
    with pytest.raises(UsageError, match="seed must be between"):
        runner.plan([str(path)], seed=-1)
    with pytest.raises(UsageError, match="seed must be between"):
        runner.plan([str(path)], seed=2**64)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "toy.py").write_text(path.read_text())
    with pytest.raises(UsageError, match=r"two files are named 'toy\.py'"):
        runner.plan([str(path), str(tmp_path / "other" / "toy.py")])
    path.write_text("x = 1\n")
    with pytest.raises(ExperimentError, match="holds no experiment"):
        runner.plan([str(path)])
    assert not world["out"].exists()


def test_one_named_twice_is_run_once(toy: Any, world: dict[str, Any]) -> None:
    path = toy()
    assert len(runner.plan([str(path), f"{path.parent}/../{path.parent.name}/toy.py"])) == 1


def test_a_failure_keeps_the_old_files_and_the_others_run_on(
    toy: Any, world: dict[str, Any], contents: Contents
) -> None:
    good, bad, out = toy("good"), toy("bad"), world["out"]
    list(runner.run(runner.plan([str(bad)], out=out)))
    before = contents(out)
    toy("bad", ("progress(0.5", "raise ValueError('no') #"))
    failed, done = runner.run(runner.plan([str(bad), str(good)], out=out))
    assert (failed.name, failed.failed) == ("bad", True)
    assert (done.name, done.failed) == ("good", False)
    after = contents(out)
    assert {name: after[name] for name in before} == before


def test_progress_runs_from_0_to_1_over_all_jobs(toy: Any, world: dict[str, Any]) -> None:
    seen: list[tuple[float, str]] = []
    jobs = runner.plan([str(toy("a")), str(toy("b"))])
    list(runner.run(jobs, progress=lambda fraction, text="": seen.append((fraction, text))))
    assert seen == [(0.25, "a half way"), (0.75, "b half way")]


INTERRUPT = ('progress(0.5, "half way")', "import os, signal; os.kill(os.getpid(), signal.SIGINT)")
SWALLOW = (
    'progress(0.5, "half way")',
    """import os, signal
    try:
        os.kill(os.getpid(), signal.SIGINT)
    except KeyboardInterrupt:
        pass""",
)


@pytest.mark.parametrize("change", [INTERRUPT, SWALLOW])
def test_ctrl_c_stops_even_a_computation_that_goes_on(
    toy: Any, world: dict[str, Any], change: tuple[str, str], contents: Contents
) -> None:
    before = signal.getsignal(signal.SIGINT)
    jobs = runner.plan([str(toy("toy", change))], out=world["out"])
    with pytest.raises(KeyboardInterrupt):
        list(runner.run(jobs))
    assert contents(world["out"]) == {}
    assert signal.getsignal(signal.SIGINT) is before
