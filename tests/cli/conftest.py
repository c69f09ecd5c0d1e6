"""A folder with two small experiments, and the command run in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from optlab import cli
from optlab.experiment import registry

TOY = """
import numpy as np
from optlab import plotting
from optlab.experiment import Experiment, bounded, fraction

def compute(p, seed, progress):
    progress(0.5)
    if p.law == "broken":
        raise ValueError("this law\\nis broken")
    return {"x": np.full(3, p.size + seed)}

def plot(data, p):
    sheet, ax = plotting.figure(size=(3.0, 2.0))
    ax.plot(data["x"])
    return sheet

def claims(data, p):
    return [
        bounded("size", "the size is √9, give or take", data["x"][0], (2.5, 3.5), 3.0),
        fraction("share", "more than half of the runs arrive", p.hits, 40, None, (0.5, None)),
    ]

experiment = Experiment(
    title="Three is a size", source="B, sizes", question="How much is three?",
    params={"size": 3, "hits": 40, "law": "plain"}, quick={"law": "short"},
    compute=compute, plot=plot, claims=claims,
)

if __name__ == "__main__":
    experiment.main()
"""

Shell = Callable[..., tuple[int, str, str]]
Write = Callable[..., Path]


@pytest.fixture
def mine(tmp_path: Path) -> Write:
    """A function that writes an experiment of the user's own; each pair of further arguments replaces text in it."""

    def write(name: str = "mine", *changes: tuple[str, str]) -> Path:
        text = TOY
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / f"{name}.py"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """A function that runs the command in a folder with two experiments and returns code, output and errors."""
    home = tmp_path / "experiments"
    home.mkdir()
    for name in ("saddle", "basins"):
        (home / f"{name}.py").write_text(TOY, encoding="utf-8")
    monkeypatch.setattr(registry, "folder", lambda: home)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")

    def run(*arguments: str) -> tuple[int, str, str]:
        code = cli.main(arguments)
        out, err = capsys.readouterr()
        return code, out, err

    return run
