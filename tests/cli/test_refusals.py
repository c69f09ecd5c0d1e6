"""Every refusal is one line with an exit code."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from optlab.backends import current
from optlab.backends.gpu import device as gpu
from optlab.errors import OptlabError
from optlab.experiment import provenance

Shell = Callable[..., tuple[int, str, str]]
Write = Callable[..., Path]

REFUSALS = [
    ("run", "name the experiments (or paths of .py files), or give --all, but not both"),
    ("run saddle --all", "name the experiments (or paths of .py files), or give --all, but not both"),
    ("check", "name the experiments (or paths of .py files), or give --all, but not both"),
    ("run sadle", "unknown experiment 'sadle'; did you mean 'saddle'?"),
    ("run saddle zzz", "unknown experiment 'zzz'; `optlab list` shows all"),
    ("check bassins", "unknown experiment 'bassins'; did you mean 'basins'?"),
    ("run experiments/sadle.py", "there is no file 'experiments/sadle.py'; did you mean 'experiments/saddle.py'?"),
    ("run saddle --set sise=3", "unknown parameter 'sise'; did you mean 'size'?"),
    ("run saddle --set zzz=3", "unknown parameter 'zzz'; there are: size, hits, law"),
    ("run saddle --set size", "--set takes key=value, given 'size'"),
    ("run saddle --set size=big", "parameter 'size' must be a whole number, given 'big'"),
    ("check saddle --set size=3.5", "parameter 'size' must be a whole number, given '3.5'"),
    (
        "run saddle --set size=1e400",
        "parameter 'size' must be a whole number, given '1e400' (its size must be below 2**63)",
    ),
    ("run saddle --seed -1", "the seed must be between 0 and 2**64 - 1, given -1"),
    ("run saddle --device gpu", "--device gpu: no GPU can be used: no driver; NumPy arrays are computed on the CPU"),
    ("check saddle --device gpu", "--device gpu: no GPU can be used: no driver; NumPy arrays are computed on the CPU"),
    ("bench descend --device gpu", "--device gpu: no GPU can be used: no driver; NumPy arrays are computed on the CPU"),
]


def _no_driver(device: gpu.CuPyDevice) -> None:
    raise OptlabError("no GPU can be used: no driver; NumPy arrays are computed on the CPU")


@pytest.mark.parametrize(("line", "message"), REFUSALS)
def test_every_refusal_is_one_line(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, message: str
) -> None:
    monkeypatch.setattr(current, "_stack", [])
    monkeypatch.setattr(gpu.CuPyDevice, "__init__", _no_driver)
    assert shell(*line.split()) == (2, "", f"optlab: error: {message}\n")
    assert not (tmp_path / "figures").exists()


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("rnu saddle", ["'rnu'", "'run'"]),
        ("run saddle --quik", ["--quik", "--quick"]),
        ("run saddle --seed", ["--seed", "requires an argument"]),
        ("run saddle --seed many", ["--seed", "integer"]),
        ("run saddle -j 0", ["-j", "greater than or equal to 1|x>=1"]),
        ("run saddle --device tpu", ["tpu", "cpu", "gpu"]),
        ("list saddle", ["saddle"]),
    ],
)
def test_the_parsers_own_refusals_are_one_line_too(shell: Shell, line: str, parts: list[str]) -> None:
    code, out, err = shell(*line.split())
    assert (code, out) == (2, "")
    assert err.startswith("optlab: error: ")
    assert err.count("\n") == 1
    for part in parts:
        assert any(choice in err for choice in part.split("|"))


def test_a_folder_that_cannot_be_written_is_refused_before_the_work(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, out, err = shell("run", "saddle", "--set", "law=broken", "--out", "file/figures")
    message = "cannot write to the folder 'file/figures': Not a directory; choose another with --out"
    assert (code, out, err) == (1, "", f"optlab: error: {message}\n")


def test_an_error_inside_an_experiment_is_one_line_and_the_others_run(shell: Shell, mine: Write) -> None:
    mine("mine", ('"law": "plain"', '"law": "broken"'))
    line = "optlab: error: experiment 'mine' failed: ValueError: this law is broken (mine.py, line 9)\n"
    code, out, err = shell("run", "mine.py", "saddle")
    assert (code, err) == (1, line)
    assert "saddle: Three is a size" in out
    code, out, err = shell("check", "mine.py", "--json")
    assert (code, err) == (1, line)
    assert json.loads(out)["experiments"] == [{"name": "mine", "claims": [], "error": line[15:-1], "state": "failed"}]


@pytest.mark.parametrize("line", ["--debug check mine.py", "check mine.py --debug", "check --debug mine.py"])
def test_debug_shows_the_traceback_on_either_side(shell: Shell, mine: Write, line: str) -> None:
    mine("mine", ('"law": "plain"', '"law": "broken"'))
    code, _, err = shell(*line.split())
    assert code == 1
    assert "Traceback" in err
    assert 'raise ValueError("this law' in err
    assert err.splitlines()[-1].startswith("optlab: error: experiment 'mine' failed")
    code, _, err = shell(*line.replace("mine.py", "mien.py").split())
    assert code == 2
    assert "Traceback" in err


def test_an_error_of_our_own_is_one_line_too(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def info() -> dict[str, Any]:
        raise KeyError("isa")

    monkeypatch.setattr(provenance, "info", info)
    assert shell("info") == (1, "", "optlab: error: unexpected KeyError: 'isa'; --debug shows where\n")


def test_ctrl_c_outside_the_work_is_one_line_too(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def info() -> dict[str, Any]:
        raise KeyboardInterrupt

    monkeypatch.setattr(provenance, "info", info)
    assert shell("info") == (130, "", "optlab: error: interrupted\n")


def test_a_broken_file_is_named(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "experiments" / "broken.py").write_text("import no_such_module_at_all\n")
    code, out, err = shell("list")
    assert code == 1
    assert "saddle" in out
    assert err.startswith("optlab: error: cannot load '")
    assert "broken.py': ModuleNotFoundError: No module named 'no_such_module_at_all'" in err
    assert err.count("\n") == 1
    assert shell("check", "saddle")[0] == 0
    code, out, err = shell("check", "--all")
    assert (code, out, err.count("\n")) == (1, "", 1)
