"""Animations: saved beside the figure, the same bytes each time, and no part of a check."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from optlab import plotting
from optlab.experiment import runner
from optlab.experiment.job import Job, Outcome, execute

Contents = Callable[[Path], dict[str, bytes]]

ANIMATE = """
def animate(data, p):
    sheet, ax = plotting.figure(size=(3.0, 2.0))
    (line,) = ax.plot(data["x"], data["square"])
    for end in range(1, p.size + 1):
        line.set_data(data["x"][:end], data["square"][:end])
        yield sheet

experiment = Experiment("""
MOVING = (("\nexperiment = Experiment(", ANIMATE), ("claims=claims,", "claims=claims, animate=animate,"))


def once(path: Path, out: Path, **options: Any) -> Outcome:
    (outcome,) = runner.run(runner.plan([str(path)], out=out, **options))
    assert outcome.error == ""
    return outcome


def moving(ends: tuple[float, ...] = (0.3, 0.6, 1.0)) -> Iterator[Figure]:
    """A line that grows, in one figure; the last colours are rare ones."""
    with plotting.style():
        sheet, ax = plotting.figure(size=(4.0, 3.0))
        (line,) = ax.plot([0.0, 1.0], [0.0, 1.0])
        for height, color in enumerate(plotting.COLORS):
            ax.plot(0.5, height / 10, "o", color=color, markersize=10)
        for end in ends:
            line.set_data([0.0, end], [0.0, end])
            yield sheet


def test_an_animation_is_written_and_recorded_and_a_second_run_keeps_it(
    toy: Any, world: dict[str, Any], contents: Contents
) -> None:
    path, out = toy("toy", *MOVING), world["out"]
    first = once(path, out)
    assert set(contents(out)) == {f"toy.{ending}" for ending in ("png", "svg", "gif", "npz", "json")}
    assert first.record is not None
    assert set(first.record["files"]) == {f"toy.{ending}" for ending in ("png", "svg", "gif", "npz")}
    assert Image.open(io.BytesIO(contents(out)["toy.gif"])).n_frames == 5
    assert not once(path, out).fresh
    before = contents(out)["toy.gif"]
    assert once(path, out, force=True).fresh
    assert contents(out)["toy.gif"] == before


@pytest.mark.parametrize("change", [Path.unlink, lambda path: path.write_bytes(path.read_bytes()[:-1])])
def test_a_missing_or_changed_animation_is_made_anew(
    toy: Any, world: dict[str, Any], contents: Contents, change: Callable[[Path], Any]
) -> None:
    path, out = toy("toy", *MOVING), world["out"]
    once(path, out)
    before = contents(out)["toy.gif"]
    change(out / "toy.gif")
    assert once(path, out).fresh
    assert contents(out)["toy.gif"] == before


def test_a_check_draws_no_animation(toy: Any, world: dict[str, Any]) -> None:
    path = toy("toy", *MOVING, ("    for end in range", "    raise AssertionError('drawn')\n    for end in range"))
    assert execute(Job(path)).error == ""
    assert "AssertionError: drawn" in execute(Job(path, out=world["out"])).error


def test_equal_frames_are_equal_bytes_and_others_are_not() -> None:
    first = plotting.gif(moving())
    assert plotting.gif(moving()) == first
    assert plotting.gif(moving((0.3, 0.5, 1.0))) != first


def test_frames_repeat_for_ever_and_the_last_one_rests() -> None:
    image = Image.open(io.BytesIO(plotting.gif(moving(), seconds=0.2, rest=1.5)))
    durations = []
    for frame in range(image.n_frames):
        image.seek(frame)
        durations.append(image.info["duration"])
    assert (durations, image.info["loop"], image.size) == ([200, 200, 1500], 0, (300, 225))


def test_every_colour_of_a_line_survives_the_palette() -> None:
    image = Image.open(io.BytesIO(plotting.gif(moving()))).convert("RGB")
    there = [color for _, color in image.getcolors(2**16)]
    for color in (*plotting.COLORS, "#ffffff"):
        wanted = [255 * part for part in to_rgb(color)]
        assert min(max(abs(a - b) for a, b in zip(one, wanted, strict=True)) for one in there) <= 8


def test_an_animation_without_frames_is_refused() -> None:
    with pytest.raises(ValueError, match="frames: got none"):
        plotting.gif([])
