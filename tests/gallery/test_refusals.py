"""Folders that cannot become a gallery: one line says what is wrong and what makes it right, and nothing is written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from optlab import cli


def without(name: str) -> Callable[[Path], object]:
    return lambda figures: (figures / name).unlink()


def edited(**changes: object) -> Callable[[Path], object]:
    def edit(figures: Path) -> None:
        path = figures / "hill.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return edit


def cut(name: str) -> Callable[[Path], object]:
    return lambda figures: (figures / name).write_bytes((figures / name).read_bytes()[:-9])


def emptied(figures: Path) -> None:
    for path in figures.iterdir():
        path.unlink()


def add_rows(figures: Path) -> None:
    (figures / "bench_updates.json").write_text(json.dumps({"schema": 1, "kernels": {}, "rows": []}))


REMEDY = "`optlab run hill --out 'figures'` makes it anew"

WRONG = {
    "no_record": (without("hill.json"), f"'figures/hill.npz' has no record beside it; {REMEDY}"),
    "no_figure": (without("hill.png"), f"cannot read 'figures/hill.png': No such file or directory; {REMEDY}"),
    "no_animation": (without("hill.gif"), f"cannot read 'figures/hill.gif': No such file or directory; {REMEDY}"),
    "cut_record": (cut("hill.json"), "the record 'figures/hill.json' is damaged: JSONDecodeError: "),
    "cut_data": (cut("hill.npz"), f"'figures/hill.npz' is not the file that its record describes; {REMEDY}"),
    "no_claims": (edited(claims=[]), "the record 'figures/hill.json' is damaged: ValueError: it has no claims; "),
    "bad_claim": (edited(claims=[{}]), "the record 'figures/hill.json' is damaged: ValueError: not a claim: "),
    "bad_title": (edited(title=3), "the record 'figures/hill.json' is damaged: ValueError: 'title' is 3; "),
    "other_name": (edited(name="hull"), "ValueError: it must have schema 1 and the name 'hill'; "),
    "no_picture": (add_rows, "the benchmark 'figures/bench_updates.json' or its picture is damaged; `optlab bench"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_damaged_folder(
    name: str, figures: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil, said = WRONG[name]
    spoil(figures)
    monkeypatch.chdir(figures.parent)
    assert cli.main(["gallery"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert err.startswith("optlab: error: ")
    assert err.count("\n") == 1
    assert not Path("gallery.html").exists()


def test_wrong_use(figures: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(figures.parent)
    assert cli.main(["gallery", "--figures", "nowhere"]) == 2
    assert "there is no folder 'nowhere'; `optlab run --all --out 'nowhere'` makes it" in capsys.readouterr().err
    assert cli.main(["gallery", "--out", "figures"]) == 2
    assert "--out takes a file, given the folder 'figures'" in capsys.readouterr().err
    emptied(figures)
    assert cli.main(["gallery"]) == 2
    assert "there are no records in 'figures'; `optlab run --all --out 'figures'` makes them" in capsys.readouterr().err


def test_a_place_that_cannot_be_written(
    figures: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(figures.parent)
    assert cli.main(["gallery", "--out", "figures/hill.png/page.html"]) == 1
    assert "cannot write to the folder 'figures/hill.png'" in capsys.readouterr().err
