"""A folder of small figures: one whose claims hold, with an animation, and one with every other verdict."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from optlab.experiment.job import Job, execute
from optlab.files import write_all

FIGURE = """
from optlab import plotting
from optlab.experiment import Experiment, bounded, exact, fraction

def compute(p, seed, progress):
    return {"x": [0.0, p.height, 1.0]}

def plot(data, p):
    sheet, ax = plotting.figure(size=(4.0, 2.25))
    ax.plot(data["x"])
    return sheet

def animate(data, p):
    sheet, ax = plotting.figure(size=(4.0, 2.25))
    for end in (2, 3):
        ax.plot(data["x"][:end], color=plotting.BLUE)
        yield sheet

def claims(data, p):
    return CLAIMS

experiment = Experiment(
    title=TITLE, source=SOURCE, question="Is 1 < 2 & 3 > 2?",
    params={"height": 2.0, "steps": (1, 20), "rate": 1e-9}, quick={}, compute=compute, plot=plot, claims=claims,
    animate=ANIMATE,
)
"""

HOLDING = {
    "TITLE": '"A hill"',
    "SOURCE": '"Additional Techniques; the notebook: hills; Author 2017"',
    "CLAIMS": '[bounded("height", "the height at rate 1e-09", data["x"][1], (1.5, None), 2.0)]',
    "ANIMATE": "animate",
}
DOUBTFUL = {
    "TITLE": repr("<script>alert('x')</script> & \"quotes\""),
    "SOURCE": '"A talk, valleys"',
    "CLAIMS": """[
        exact("depth", "<b>deep</b>", 1.0, 0.0),
        fraction("share", "more than half", 26, 40, None, (0.5, None)),
        exact("lost", "not finite", float("nan"), 0.0),
        exact("same", "equal", 1e-12, 1e-12),
    ]""",
    "ANIMATE": "None",
}


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder, made once; a test that changes it takes `figures`."""
    home = tmp_path_factory.mktemp("gallery")
    for name, words in (("hill", HOLDING), ("valley", DOUBTFUL)):
        text = FIGURE
        for old, new in words.items():
            text = text.replace(old, new)
        path = home / f"{name}.py"
        path.write_text(text, encoding="utf-8")
        outcome = execute(Job(path, out=home / "figures"))
        assert not outcome.error, outcome.trace
        (home / "figures").mkdir(exist_ok=True)
        write_all(home / "figures", outcome.contents)
    return home / "figures"


@pytest.fixture
def figures(made: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of the folder of a test's own."""
    yield Path(shutil.copytree(made, tmp_path / "figures"))
