"""Small experiments, written to a temporary folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from optlab.experiment import provenance

TOY = """
import numpy as np
from optlab import plotting
from optlab.experiment import Experiment, bounded, exact

def compute(p, seed, progress):
    progress(0.5, "half way")
    x = np.arange(p.size, dtype=np.float64) + seed
    return {"x": x, "square": x * x}

def plot(data, p):
    sheet, ax = plotting.figure(size=(3.0, 2.0))
    ax.plot(data["x"], data["square"], label="measured")
    return sheet

def claims(data, p):
    return [exact("size", "as many points as asked for", data["x"].size, p.size)]

experiment = Experiment(
    title="A parabola", source="A, parabolas", question="What is a square?",
    params={"size": 5, "scale": 1.0}, quick={"size": 3}, compute=compute, plot=plot, claims=claims,
)
"""

Write = Callable[..., Path]


@pytest.fixture
def toy(tmp_path: Path) -> Write:
    """A function that writes the toy experiment; each pair of further arguments replaces text in it."""

    def write(name: str = "toy", *changes: tuple[str, str]) -> Path:
        text = TOY
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / f"{name}.py"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def contents() -> Callable[[Path], dict[str, bytes]]:
    """A function that returns the files of a folder by name."""
    return lambda folder: {path.name: path.read_bytes() for path in folder.iterdir()}


FACTS = {"digest": "one", "version": "0", "bits_version": 1, "isa": "v2", "threads": 1, "compiler": "c", "flags": "-O"}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Kernels and a package of our own, which a test may change."""
    package = tmp_path / "package"
    (package / "nn").mkdir(parents=True)
    (package / "nn" / "layer.py").write_text("x = 1\n")
    (package / "_experiments").mkdir()
    facts, versions = dict(FACTS), {"numpy": "2.0", "matplotlib": "3.9"}
    monkeypatch.setattr(provenance, "PACKAGE", package)
    monkeypatch.setattr(provenance, "kernels", lambda: facts)
    monkeypatch.setattr(provenance, "version", versions.get)
    return {"package": package, "kernels": facts, "versions": versions, "out": tmp_path / "figures"}
