"""Writing that leaves whole files whatever happens, and data as the same bytes every time."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from optlab import files
from optlab.errors import OptlabError

Contents = Callable[[Path], dict[str, bytes]]

NAMES = ("toy.png", "toy.svg", "toy.npz", "toy.json")
OLD = {name: b"old " * 50_000 for name in NAMES}
NEW = {name: b"new " * 50_000 for name in NAMES}

WRITE = f"""
import os, resource, signal, sys
from pathlib import Path
from optlab.errors import OptlabError
from optlab import files

new = {{name: b"new " * 50_000 for name in {NAMES}}}
"""


def child(text: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", WRITE + text, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def folder(tmp_path: Path, contents: Contents) -> Path:
    files.write_all(tmp_path, OLD)
    assert contents(tmp_path) == OLD
    return tmp_path


def test_files_are_replaced_and_nothing_else_is_left(
    folder: Path,
    contents: Contents,
) -> None:
    files.write_all(folder, NEW)
    assert contents(folder) == NEW


@pytest.mark.parametrize("point", range(8))
def test_a_process_killed_between_any_two_steps_leaves_whole_files(
    folder: Path, point: int, contents: Contents
) -> None:
    killed = child(
        """
left = int(sys.argv[2])
def deadly(call):
    def step(*arguments):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*arguments)
    return step
os.fsync, os.replace = deadly(os.fsync), deadly(os.replace)
files.write_all(Path(sys.argv[1]), new)
""",
        folder,
        point,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    found = contents(folder)
    assert all(found[name] in (OLD[name], NEW[name]) for name in NAMES)
    # Four files are flushed before the first of the four renames, and the record is renamed last.
    assert sum(found[name] == NEW[name] for name in NAMES) == max(0, point - 4)
    assert found["toy.json"] == OLD["toy.json"]
    files.write_all(folder, NEW)
    assert contents(folder) == NEW


def test_a_process_killed_in_the_middle_of_a_file_leaves_whole_files(
    folder: Path,
    contents: Contents,
) -> None:
    killed = child(
        """
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
files.write_all(Path(sys.argv[1]), new)
""",
        folder,
    )
    assert killed.returncode == -signal.SIGXFSZ, killed.stderr
    found = contents(folder)
    assert {name: found.pop(name) for name in NAMES} == OLD
    (half,) = found.values()
    assert len(half) < len(NEW["toy.png"])
    files.write_all(folder, NEW)
    assert contents(folder) == NEW


def test_a_full_disk_is_one_error_and_leaves_the_old_files_alone(
    folder: Path,
    contents: Contents,
) -> None:
    full = child(
        """
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    files.write_all(Path(sys.argv[1]), new)
except OptlabError as error:
    print(error)
""",
        folder,
    )
    assert full.stdout == f"cannot write to the folder '{folder}': File too large; the files in it are whole\n"
    assert full.stderr == ""
    assert contents(folder) == OLD


def test_an_interrupt_while_writing_leaves_no_temporary_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch, contents: Contents
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(files.os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        files.write_all(folder, NEW)
    assert contents(folder) == OLD


def test_a_file_that_another_living_process_writes_is_left_alone(folder: Path) -> None:
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        waiting = folder / f"{files._prefix('toy.json')}{other.pid}.tmp"
        waiting.touch()
        files.write_all(folder, NEW)
        assert waiting.exists()
    finally:
        other.communicate(b"\n")
    files.write_all(folder, NEW)
    assert not waiting.exists()


def test_a_folder_is_made_or_refused(tmp_path: Path) -> None:
    files.require_writable(tmp_path / "a" / "b")
    assert not list((tmp_path / "a" / "b").iterdir())
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "deeper"):
        with pytest.raises(OptlabError, match=r"cannot write to the folder '.*': .*; choose another with --out$"):
            files.require_writable(place)


def test_equal_data_are_equal_bytes_at_any_time(monkeypatch: pytest.MonkeyPatch) -> None:
    data = {"x": np.arange(3.0), "flag": np.array(True), "text": np.array(["a", "bc"])}
    before = files.npz(data)
    monkeypatch.setattr(time, "time", lambda: 2e9)
    monkeypatch.setattr(time, "localtime", lambda *_: time.gmtime(2_000_000_000))
    assert files.npz(dict(reversed(data.items()))) == before
    # Pinned, so that a change of the format, which would make every figure be computed again, does not pass unseen.
    assert files.sha256(before) == "1c5c70cab6e3f581179c5c745b3c3b7643850b323e0c23a3f8a84144b2864b91"


def test_data_come_back_as_they_were(tmp_path: Path) -> None:
    data = {
        "f32": np.linspace(0, 1, 5, dtype=np.float32),
        "i64": np.arange(6).reshape(2, 3),
        "empty": np.zeros((0, 4)),
        "scalar": np.array(2.5),
        "special": np.array([np.nan, np.inf, -0.0]),
        "text": np.array(["a", "bc"]),
    }
    (tmp_path / "x.npz").write_bytes(files.npz(data))
    with np.load(tmp_path / "x.npz", allow_pickle=False) as loaded:
        assert set(loaded.files) == set(data)
        for name, array in data.items():
            assert (loaded[name].dtype, loaded[name].shape) == (array.dtype, array.shape)
            assert loaded[name].tobytes() == array.tobytes()


def test_arrays_of_objects_are_not_saved() -> None:
    with pytest.raises(ValueError, match="allow_pickle"):
        files.npz({"x": np.array([object()])})
