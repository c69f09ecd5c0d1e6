"""The command as a process of its own: signals, a full disk, a pipe."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Shell = Callable[..., tuple[int, str, str]]
Write = Callable[..., Path]


def process(*command: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, command)], capture_output=True, text=True, timeout=60, check=False, **options
    )


def test_an_own_file_runs_by_itself_as_the_command_does(shell: Shell, mine: Write, tmp_path: Path) -> None:
    mine()
    itself = process(tmp_path / "mine.py", "--quick", "--out", tmp_path / "one", cwd=tmp_path)
    assert (itself.returncode, itself.stderr) == (0, "")
    assert shell("run", "mine.py", "--quick", "--out", "two")[::2] == (0, "")
    for ending in ("png", "svg", "npz"):
        assert (tmp_path / "one" / f"mine.{ending}").read_bytes() == (tmp_path / "two" / f"mine.{ending}").read_bytes()
    failing = process(tmp_path / "mine.py", "--set", "size=9", "--out", tmp_path / "one", cwd=tmp_path)
    assert (failing.returncode, failing.stderr) == (1, "")


def test_the_package_is_the_command(tmp_path: Path) -> None:
    wrong = process("-m", "optlab", "runn", "mine.py", cwd=tmp_path)
    assert (wrong.returncode, wrong.stdout, wrong.stderr.count("\n")) == (2, "", 1)
    assert wrong.stderr.startswith("optlab: error: No such command 'runn'")


FULL = """
import resource, sys
# The library is loaded, and its caches are written, before the disk is full.
import optlab.cli, optlab.plotting
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
sys.exit(optlab.cli.main(["run", "mine.py", "--force"]))
"""


def test_a_full_disk_is_one_line_and_keeps_the_old_files(shell: Shell, mine: Write, tmp_path: Path) -> None:
    mine()
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    assert shell("run", "mine.py")[0] == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "figures").iterdir()}
    full = process("-c", FULL, cwd=tmp_path, env=environment)
    message = "cannot write to the folder 'figures': File too large; the files in it are whole"
    assert (full.returncode, full.stderr) == (1, f"optlab: error: {message}\n")
    assert {path.name: path.read_bytes() for path in (tmp_path / "figures").iterdir()} == before


@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_stops_at_once_and_leaves_nothing(mine: Write, tmp_path: Path, workers: str) -> None:
    for name in ("one", "two"):
        wait = "import pathlib, time; pathlib.Path('started').touch(); time.sleep(60)"
        mine(name, ("progress(0.5)", wait))
    command = [sys.executable, "-m", "optlab", "run", "one.py", "two.py", "-j", workers]
    # A session of its own, so that the signal goes to all of its processes as it does from a terminal.
    running = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    until = time.monotonic() + 30
    while not (tmp_path / "started").exists() and time.monotonic() < until:
        time.sleep(0.02)
    os.killpg(running.pid, signal.SIGINT)
    out, err = running.communicate(timeout=10)
    assert (running.returncode, out) == (130, "")
    assert err == "optlab: error: interrupted after 0 of 2; no file is half written\n"
    assert list((tmp_path / "figures").iterdir()) == []


def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path) -> None:
    command = f"{sys.executable} -m optlab info --json | true"
    piped = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60, check=False)
    assert piped.stderr == ""


def test_importing_the_framework_loads_nothing_heavy() -> None:
    heavy = "{'matplotlib', 'scipy', 'typer', 'rich'} & set(sys.modules)"
    done = process("-c", f"import sys, optlab.experiment; assert not {heavy}, {heavy}")
    assert (done.returncode, done.stderr) == (0, "")
