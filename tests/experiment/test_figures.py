"""Figures: the same bytes for the same data, and a style that reaches nothing outside."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import same_color
from matplotlib.figure import Figure
from matplotlib.text import Text

from optlab import plotting
from optlab.experiment.job import Job, execute


def drawn(height: float = 1.0) -> Figure:
    with plotting.style():
        sheet, (left, right) = plotting.figure(1, 2, size=(6.0, 3.0))
        x = np.linspace(0.0, 1.0, 20)
        (line,) = left.plot(x, height * x**2, label="measured")
        plotting.theory_line(left, x, x)
        plotting.label_line(left, line)
        left.set(xlabel="time (steps)", ylabel=r"distance $\sqrt{\epsilon}$")
        left.legend()
        left.fill_between(x, x - 0.1, x + 0.1, alpha=0.3, clip_on=True)
        right.hist(x, hatch="/")
    return sheet


def test_equal_figures_are_equal_bytes_and_others_are_not() -> None:
    one, two, other = drawn(), drawn(), drawn(1.01)
    for save in (plotting.png, plotting.svg):
        first = save(one)
        assert save(two) == first
        assert save(one) == first
        assert save(other) != first


def test_the_order_of_saving_does_not_matter() -> None:
    one, two = drawn(), drawn()
    png = plotting.png(one)
    svg = plotting.svg(two)
    assert (plotting.png(two), plotting.svg(one)) == (png, svg)


def test_bytes_hold_no_date_and_no_version() -> None:
    png, svg = plotting.png(drawn()), plotting.svg(drawn())
    assert png.startswith(b"\x89PNG")
    assert b"Software" not in png
    assert mpl.__version__.encode() not in svg
    assert b"dc:date" not in svg
    assert b"dc:creator" not in svg
    # Text is drawn as paths: no font is asked for.
    assert b"<text" not in svg


CHILD = """
import hashlib, json, sys
from pathlib import Path
from optlab.experiment.job import Job, execute
outcome = execute(Job(Path(sys.argv[1]), out=Path(sys.argv[2])))
assert not outcome.error, outcome.trace
assert "matplotlib.pyplot" not in sys.modules
print(json.dumps({name: hashlib.sha256(content).hexdigest() for name, content in outcome.contents.items()}))
"""


def test_another_process_with_a_users_own_settings_gives_the_same_bytes(
    toy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = toy()
    here = execute(Job(path, out=tmp_path / "out"))
    settings = tmp_path / "matplotlibrc"
    settings.write_text(
        "lines.linewidth: 9\nfont.size: 40\naxes.facecolor: pink\nsavefig.bbox: tight\nsvg.fonttype: none\n"
    )
    monkeypatch.setenv("MATPLOTLIBRC", str(settings))
    monkeypatch.setenv("PYTHONHASHSEED", "17")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.delenv("DISPLAY", raising=False)
    command = [sys.executable, "-c", CHILD, str(path), str(tmp_path / "out")]
    there = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout)
    for ending in ("png", "svg", "npz"):
        assert there[f"toy.{ending}"] == hashlib.sha256(here.contents[f"toy.{ending}"]).hexdigest()


def test_the_style_does_not_leak() -> None:
    before = dict(mpl.rcParams)
    drawn()
    plotting.png(drawn())
    with pytest.raises(RuntimeError), plotting.style():
        raise RuntimeError
    assert dict(mpl.rcParams) == before


def test_text_can_be_read_at_the_back_of_a_room() -> None:
    with plotting.style():
        sheet, ax = plotting.figure()
        ax.plot([0, 1], [0, 1], label="a")
        ax.set(title="title", xlabel="x", ylabel="y")
        ax.legend()
        sheet.suptitle("heading")
        sheet.draw_without_rendering()
    assert tuple(sheet.get_size_inches()) == (12.8, 7.2)
    sizes = {text.get_text(): text.get_fontsize() for text in sheet.findobj(Text) if text.get_text()}
    assert {"title", "x", "y", "a", "heading", "0.0"} <= set(sizes)
    assert min(sizes.values()) >= 14
    assert ax.lines[0].get_linewidth() >= 2.5


def test_a_still_has_the_size_of_a_slide() -> None:
    with plotting.style():
        sheet, _ = plotting.figure()
    # Width and height stand in bytes 16 to 24 of a PNG.
    assert [int.from_bytes(plotting.png(sheet)[at : at + 4], "big") for at in (16, 20)] == [1920, 1080]


def test_colours_are_okabe_and_itos() -> None:
    # Okabe and Ito give these as RGB triples.
    triples = [
        (0, 114, 178),
        (213, 94, 0),
        (0, 158, 115),
        (204, 121, 167),
        (230, 159, 0),
        (86, 180, 233),
        (240, 228, 66),
    ]
    with plotting.style():
        _, ax = plotting.figure()
        for colour in triples:
            (line,) = ax.plot([0, 1])
            assert same_color(line.get_color(), [part / 255 for part in colour])


def test_theory_is_dashed_black_and_labelled() -> None:
    with plotting.style():
        _, ax = plotting.figure()
        (measured,) = ax.plot([0, 1], [0, 2], label="runs")
        theory = plotting.theory_line(ax, [0, 1], [0, 1], "predicted")
    assert same_color(theory.get_color(), "black")
    assert theory.is_dashed()
    assert theory.get_zorder() > measured.get_zorder()
    assert ax.get_legend_handles_labels()[1] == ["runs", "predicted"]


def test_a_label_stands_at_its_point_in_the_colour_of_its_line() -> None:
    with plotting.style():
        _, ax = plotting.figure()
        (line,) = ax.plot([0.0, 1.0, 4.0], [0.0, 2.0, 3.0], label="runs")
        end, middle = plotting.label_line(ax, line), plotting.label_line(ax, line, "half", at=0.5)
    assert (end.get_text(), end.xy) == ("runs", (4.0, 3.0))
    assert (middle.get_text(), middle.xy) == ("half", (1.0, 2.0))
    assert end.get_color() == line.get_color()
