"""Finding and loading experiments."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from typing import Any

import pytest

from optlab.errors import ExperimentError, UsageError
from optlab.experiment import registry
from optlab.experiment.job import silent


def test_the_packaged_folder_wins_over_the_one_in_a_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "optlab"
    package.mkdir()
    monkeypatch.setattr(registry, "PACKAGE", package)
    assert registry.folder() == tmp_path / "experiments"
    (package / "_experiments").mkdir()
    assert registry.folder() == package / "_experiments"


def test_experiments_are_the_files_without_underscore(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "folder", lambda: tmp_path)
    for name in ("saddle.py", "basins.py", "_shared.py", "notes.txt"):
        (tmp_path / name).touch()
    assert list(registry.paths()) == ["basins", "saddle"]
    assert registry.find("saddle") == tmp_path / "saddle.py"
    for wrong, message in [
        ("sadle", "unknown experiment 'sadle'; did you mean 'saddle'?"),
        ("_shared", "unknown experiment '_shared'; `optlab list` shows all"),
        (f"{tmp_path}/sadle.py", f"there is no file '{tmp_path}/sadle.py'; did you mean '{tmp_path}/saddle.py'?"),
        ("nowhere/at/all.py", "there is no file 'nowhere/at/all.py'"),
    ]:
        with pytest.raises(UsageError) as caught:
            registry.find(wrong)
        assert str(caught.value) == message


def test_an_own_file_given_without_its_ending_is_suggested(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").touch()
    with pytest.raises(UsageError, match=r"unknown experiment 'mine'; did you mean 'mine\.py'\?"):
        registry.find("mine")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def broken(:\n", "cannot load 'PATH': SyntaxError: invalid syntax"),
        ("import no_such_module_at_all\n", "cannot load 'PATH': ModuleNotFoundError: No module named"),
        ("raise RuntimeError('two\\nlines')\n", "cannot load 'PATH': RuntimeError: two lines"),
        ("import sys; sys.exit(3)\n", "cannot load 'PATH': SystemExit: 3"),
        ("x = 1\n", "'PATH' holds no experiment; it needs a module-level `experiment = Experiment(...)`"),
        ("experiment = 1\n", "'PATH' holds no experiment"),
    ],
)
def test_a_broken_file_is_named_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.py"
    path.write_text(text)
    with pytest.raises(ExperimentError) as caught:
        registry.load(path)
    assert str(caught.value).startswith(message.replace("PATH", str(path)))
    assert "\n" not in str(caught.value)


def test_the_experiment_has_the_name_of_its_file(toy: Any, tmp_path: Path) -> None:
    for name in ("toy", "other", "with-dash_2"):
        path = toy(
            "toy", ("def compute(p, seed, progress):", "def compute(p, seed, progress):\n    assert experiment.name")
        )
        experiment = registry.load(path.rename(tmp_path / f"{name}.py"))
        assert experiment.name == name
        assert experiment.compute(experiment.parameters(), 0, silent)["x"].size == 5
        assert pickle.loads(pickle.dumps(experiment)) == experiment


def test_a_name_that_is_said_must_be_the_files(toy: Any, tmp_path: Path) -> None:
    path = toy("toy", ("Experiment(\n", 'Experiment(\n    name="toy",\n'))
    assert registry.load(path).name == "toy"
    path = path.rename(tmp_path / "other.py")
    with pytest.raises(ExperimentError) as caught:
        registry.load(path)
    assert str(caught.value) == f"'{path}': an experiment has the name of its file, 'other'; leave name='toy' out"


def test_a_file_whose_name_no_experiment_can_have_is_refused(toy: Any, tmp_path: Path) -> None:
    path = toy().rename(tmp_path / "my toy.py")
    with pytest.raises(ExperimentError) as caught:
        registry.load(path)
    said = "name must consist of letters, digits, '_' and '-', given 'my toy'; rename the file"
    assert str(caught.value) == f"cannot load '{path}': {said}"


def test_an_experiment_taken_from_another_file_has_this_ones_name(toy: Any, tmp_path: Path) -> None:
    toy("first")
    path = tmp_path / "second.py"
    path.write_text("from first import experiment\n")
    assert (registry.load(path).name, registry.load(tmp_path / "first.py").name) == ("second", "first")


def test_a_file_may_import_its_siblings_and_folders_do_not_mix(toy: Any, tmp_path: Path) -> None:
    path = list(sys.path)
    for folder, value in [("one", 1), ("two", 2)]:
        (tmp_path / folder).mkdir()
        source = toy(
            "toy", ('"size": 5', '"size": shared_helper.SIZE'), ("import numpy", "import shared_helper, numpy")
        )
        moved = source.rename(tmp_path / folder / "toy.py")
        (tmp_path / folder / "shared_helper.py").write_text(f"import deeper_helper\nSIZE = {value}\n")
        (tmp_path / folder / "deeper_helper.py").touch()
        (tmp_path / folder / "unrelated.py").touch()
        assert registry.load(moved).params["size"] == value
        assert [source.name for source in registry.sources(moved)] == ["deeper_helper.py", "shared_helper.py", "toy.py"]
    assert sys.path == path
    assert "shared_helper" not in sys.modules
