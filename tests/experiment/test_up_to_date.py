"""What is kept and what is computed again, in each direction."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from optlab.experiment import runner
from optlab.experiment.job import Outcome

Contents = Callable[[Path], dict[str, bytes]]


def once(path: Path, out: Path | None, **options: Any) -> Outcome:
    (outcome,) = runner.run(runner.plan([str(path)], out=out, **options))
    assert outcome.error == ""
    return outcome


def test_a_second_run_keeps_the_first_and_shows_its_claims(toy: Any, world: dict[str, Any], contents: Contents) -> None:
    path, out = toy(), world["out"]
    first = once(path, out)
    assert first.fresh
    assert set(contents(out)) == {"toy.png", "toy.svg", "toy.npz", "toy.json"}
    before = {file: file.stat().st_mtime_ns for file in out.iterdir()}
    # A later date of the source is no change of the code, and neither is another place.
    os.utime(path, (2e9, 2e9))
    (path.parent / "elsewhere").mkdir()
    again = once(path.rename(path.parent / "elsewhere" / "toy.py"), out)
    assert not again.fresh
    assert again.claims == first.claims
    assert {file: file.stat().st_mtime_ns for file in out.iterdir()} == before


def append(text: str) -> Callable[[Path], None]:
    def edit(path: Path) -> None:
        path.write_bytes((path.read_bytes() if path.exists() else b"") + text.encode())

    return edit


def damage(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def halve(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def without_claims(path: Path) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), "claims": [{}]}))


@pytest.mark.parametrize(
    ("place", "change"),
    [
        ("toy.py", append("# a comment\n")),
        ("helper.py", append("SIZE = 2\n")),
        ("package/nn/layer.py", append("y = 2\n")),
        ("package/nn/new.py", append("")),
        ("package/nn/layer.py", Path.unlink),
        ("figures/toy.png", damage),
        ("figures/toy.svg", damage),
        ("figures/toy.npz", damage),
        ("figures/toy.png", Path.unlink),
        ("figures/toy.svg", Path.unlink),
        ("figures/toy.npz", Path.unlink),
        ("figures/toy.json", Path.unlink),
        ("figures/toy.json", halve),
        ("figures/toy.json", without_claims),
    ],
)
def test_a_changed_file_makes_the_figure_anew(
    toy: Any, world: dict[str, Any], tmp_path: Path, place: str, change: Callable[[Path], None]
) -> None:
    path, out = toy("toy", ("import numpy", "import helper, numpy")), world["out"]
    (tmp_path / "helper.py").write_text("SIZE = 1\n")
    once(path, out)
    change(tmp_path / place)
    assert once(path, out).fresh
    assert not once(path, out).fresh


@pytest.mark.parametrize("place", ["unrelated.py", "package/_experiments/other.py", "package/data.txt"])
def test_a_file_that_has_no_part_in_it_changes_nothing(
    toy: Any, world: dict[str, Any], tmp_path: Path, place: str
) -> None:
    path, out = toy(), world["out"]
    once(path, out)
    (tmp_path / place).write_text("x = 1\n")
    assert not once(path, out).fresh


@pytest.mark.parametrize("where", ["kernels digest", "versions numpy", "versions matplotlib"])
def test_other_kernels_or_libraries_make_the_figure_anew(toy: Any, world: dict[str, Any], where: str) -> None:
    path, out = toy(), world["out"]
    once(path, out)
    group, key = where.split()
    world[group][key] = "another"
    assert once(path, out).fresh
    assert not once(path, out).fresh


@pytest.mark.parametrize("options", [{"settings": ["scale=2"]}, {"quick": True}, {"seed": 1}])
def test_other_parameters_make_the_figure_anew(toy: Any, world: dict[str, Any], options: dict[str, Any]) -> None:
    path, out = toy(), world["out"]
    once(path, out)
    assert once(path, out, **options).fresh
    assert not once(path, out, **options).fresh
    assert once(path, out).fresh


def test_a_quick_run_is_another_run_even_where_quick_changes_no_parameter(toy: Any, world: dict[str, Any]) -> None:
    path, out = toy("toy", ('quick={"size": 3}', "quick={}")), world["out"]
    once(path, out)
    assert once(path, out, quick=True).fresh


def test_threads_and_instruction_set_change_nothing(toy: Any, world: dict[str, Any]) -> None:
    path, out = toy(), world["out"]
    once(path, out)
    world["kernels"].update(threads=64, isa="v4")
    assert not once(path, out).fresh


def test_force_computes_the_same_files_again(toy: Any, world: dict[str, Any], contents: Contents) -> None:
    path, out = toy(), world["out"]
    once(path, out)
    before = contents(out)
    assert once(path, out, force=True).fresh
    after = contents(out)
    assert [after[f"toy.{ending}"] == before[f"toy.{ending}"] for ending in ("png", "svg", "npz")] == [True] * 3
