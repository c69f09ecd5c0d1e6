"""What each command prints and writes, and its exit code."""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Shell = Callable[..., tuple[int, str, str]]


def experiments(out: str) -> list[dict[str, Any]]:
    answer = json.loads(out)
    assert answer["schema"] == 1
    return list(answer["experiments"])


def test_run_writes_the_files_and_shows_the_claims(shell: Shell, tmp_path: Path) -> None:
    code, out, err = shell("run", "saddle")
    assert (code, err) == (0, "")
    written = {path.name for path in (tmp_path / "figures").iterdir()}
    assert written == {"saddle.png", "saddle.svg", "saddle.npz", "saddle.json"}
    for part in (
        "saddle: Three is a size",
        "size",
        "√9",
        "[2.5, 3.5]",
        "exact",
        ">= 0.5",
        "holds",
        "files in 'figures'",
    ):
        assert part in out
    assert max(map(len, out.splitlines())) <= 80
    assert "\x1b" not in out
    code, out, err = shell("run", "saddle")
    assert (code, err) == (0, "")
    assert "up to date" in out
    assert "holds" in out


def test_run_all_as_json(shell: Shell, tmp_path: Path) -> None:
    code, out, err = shell("run", "--all", "--quick", "--seed", "0", "--out", "deep/er", "--json", "--set", "size=3")
    assert (code, err) == (0, "")
    basins, saddle = experiments(out)
    assert (basins["name"], saddle["name"]) == ("basins", "saddle")
    assert saddle == {**json.loads((tmp_path / "deep/er/saddle.json").read_text()), "state": "computed"}
    assert saddle["params"] == {"size": 3, "hits": 40, "law": "short"}
    assert [claim["verdict"] for claim in saddle["claims"]] == ["holds", "holds"]
    assert experiments(shell("run", "saddle", "--quick", "--out", "deep/er", "--json")[1])[0]["state"] == "up to date"
    code, out, _ = shell("run", "saddle", "--quick", "--out", "deep/er", "--json", "--force")
    assert experiments(out)[0]["state"] == "computed"


def test_workers_on_the_command_line(shell: Shell, tmp_path: Path) -> None:
    code, out, err = shell("run", "saddle", "basins", "-j", "2", "--json")
    assert (code, err) == (0, "")
    assert [experiment["name"] for experiment in experiments(out)] == ["saddle", "basins"]
    assert len(list((tmp_path / "figures").iterdir())) == 8


@pytest.mark.parametrize(
    ("setting", "code", "verdicts"),
    [
        ("hits=40", 0, ["holds", "holds"]),
        ("hits=25", 0, ["holds", "inconclusive"]),
        ("hits=2", 1, ["holds", "fails"]),
        ("size=4", 1, ["fails", "holds"]),
    ],
)
def test_a_failing_claim_exits_1_and_an_inconclusive_one_0(
    shell: Shell, tmp_path: Path, setting: str, code: int, verdicts: list[str]
) -> None:
    got, out, err = shell("check", "saddle", "--set", setting, "--json")
    assert (got, err) == (code, "")
    assert [claim["verdict"] for claim in experiments(out)[0]["claims"]] == verdicts
    assert not (tmp_path / "figures").exists()
    # A run says the same and still writes; so does the run after it, which finds everything up to date.
    for _ in range(2):
        assert shell("run", "saddle", "--set", setting)[0] == code
    assert (tmp_path / "figures" / "saddle.png").exists()


def test_list(shell: Shell) -> None:
    code, out, err = shell("list")
    assert (code, err) == (0, "")
    titled = ["      Three is a size"]
    assert out.splitlines() == ["", "Other sources", "  basins  B, sizes", *titled, "  saddle  B, sizes", *titled]
    (basins, saddle) = experiments(shell("list", "--json")[1])
    assert basins["name"] == "basins"
    assert saddle == {
        "name": "saddle",
        "title": "Three is a size",
        "source": "B, sizes",
        "question": "How much is three?",
        "params": {"size": 3, "hits": 40, "law": "plain"},
    }


def test_the_list_is_by_lecture_and_fits_into_80_columns(shell: Shell, tmp_path: Path) -> None:
    for name, source in {
        "saddle": "Training DNNs: saddle; the notebook",
        "basins": "Training neural networks 2",
    }.items():
        path = tmp_path / "experiments" / f"{name}.py"
        text = path.read_text(encoding="utf-8").replace("B, sizes", source).replace("Three is a size", "word " * 25)
        path.write_text(text, encoding="utf-8")
    lines = ["      " + " ".join(["word"] * 15), "      " + " ".join(["word"] * 10)]
    assert shell("list")[1].splitlines() == [
        *("", "Training DNNs: Basic Methods and Tricks", "  saddle", *lines),
        *("", "Training neural networks 2", "  basins", *lines),
        *("", "Regularization and Optimization (notebook)", "  see also saddle"),
    ]


@pytest.mark.parametrize(
    ("options", "command"),
    [
        ((), "optlab run saddle"),
        (("--seed", "3", "--quick"), "optlab run saddle --quick --seed 3"),
        (("--set", "size=4", "--set", "law=steep, wide"), "optlab run saddle --set size=4 --set 'law=steep, wide'"),
    ],
)
def test_the_gallery_says_what_makes_a_figure_again(
    options: tuple[str, ...], command: str, shell: Shell, tmp_path: Path
) -> None:
    assert shell("run", "saddle", *options)[2] == ""
    code, out, err = shell("gallery")
    assert (code, err) == (0, "")
    page = (tmp_path / "gallery.html").read_text(encoding="utf-8")
    assert out == f"1 figure in 'gallery.html', {round(len(page.encode()) / 1000)} kB\n"
    assert f"<code>{html.escape(command)}</code>" in page


def test_info(shell: Shell) -> None:
    code, out, err = shell("info", "--json")
    assert (code, err) == (0, "")
    facts = json.loads(out)
    assert list(facts) == [
        *("schema", "version", "bits_version", "isa", "available_isas", "threads", "cpu", "gpu", "compiler", "flags"),
        *("python", "numpy", "scipy", "matplotlib", "cupy"),
    ]
    code, out, err = shell("info")
    assert (code, err) == (0, "")
    assert facts["cpu"] in out
    assert shell("--version") == (0, f"{facts['version']}\n", "")


def test_bench_hands_over(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    from optlab import bench

    calls: list[tuple[Any, ...]] = []
    monkeypatch.setattr(bench, "run", lambda *arguments: calls.append(arguments))
    assert shell("bench")[0] == 0
    assert shell("bench", "descend", "--quick", "--json", "rows.json")[0] == 0
    assert shell("bench", "updates", "--figure", "figures")[0] == 0
    assert calls == [
        ([], False, None, None, "cpu"),
        (["descend"], True, Path("rows.json"), None, "cpu"),
        (["updates"], False, None, Path("figures"), "cpu"),
    ]


def test_without_a_command_the_help_is_shown(shell: Shell) -> None:
    code, out, err = shell()
    assert (code, err) == (0, "")
    for command in ("list", "run", "check", "gallery", "bench", "info"):
        assert command in out
