"""The coarse grid and the fine one."""

from __future__ import annotations

import math
from typing import Any

import pytest

from optlab.search import Choice, Span, grid_point, search

PLANE = {"x": Span(0.0, 1.0), "lr": Span(1e-4, 1.0, log=True)}


def walk(space: dict[str, Any], trials: int, value: Any, maximize: bool = False) -> list[dict[str, Any]]:
    done: list[tuple[dict[str, Any], float]] = []
    for _ in range(trials):
        point = grid_point(space, trials, done, maximize)
        done.append((point, value(point)))
    return [point for point, _ in done]


def test_the_coarse_grid_has_its_points_in_the_middle_of_cells() -> None:
    points = walk(PLANE, 18, lambda p: 0.0)[:9]
    assert sorted({p["x"] for p in points}) == pytest.approx([1 / 6, 1 / 2, 5 / 6])
    assert sorted({math.log10(p["lr"]) for p in points}) == pytest.approx([-4 + 4 * s for s in (1 / 6, 1 / 2, 5 / 6)])
    assert len({(p["x"], p["lr"]) for p in points}) == 9


@pytest.mark.parametrize("maximize", [False, True])
def test_the_fine_grid_lies_around_the_best(maximize: bool) -> None:
    sign = -1 if maximize else 1
    points = walk(PLANE, 32, lambda p: sign * (abs(p["x"] - 0.6) + abs(math.log10(p["lr"]) + 2.4)), maximize)[16:]
    best = (0.625, 10 ** (-4 + 4 * 0.375))  # four points along an axis: its neighbours are a quarter away
    assert sorted({p["x"] for p in points}) == pytest.approx([best[0] + d / 16 for d in (-3, -1, 1, 3)])
    logs = sorted({math.log10(p["lr"]) for p in points})
    assert logs == pytest.approx([math.log10(best[1]) + 4 * d / 16 for d in (-3, -1, 1, 3)])


def test_the_fine_grid_stays_inside() -> None:
    fine = walk({"x": Span(0.0, 1.0)}, 8, lambda p: p["x"])[4:]
    assert [p["x"] for p in fine] == pytest.approx([1 / 16, 3 / 16, 5 / 16, 7 / 16])


def test_choices_are_all_tried_in_both() -> None:
    space = {"rule": Choice(("a", "b")), "x": Span(0.0, 1.0)}
    points = walk(space, 12, lambda p: (p["rule"] == "a") + p["x"])
    assert [p["rule"] for p in points] == (["a"] * 3 + ["b"] * 3) * 2


@pytest.mark.parametrize(
    ("space", "trials", "said"),
    [
        (PLANE, 20, "trials: got 20, expected 18 or 32 for 2 grids over 2 intervals"),
        (PLANE, 17, "trials: got 17, expected 18 for 2 grids over 2 intervals"),
        ({**PLANE, "rule": Choice(("a", "b"))}, 18, "trials: got 18, expected 36 for 2 grids over 2 intervals and 2 "),
        ({"rule": Choice(("a", "b"))}, 4, "space: got choices only, expected an interval"),
    ],
)
def test_budgets_that_make_no_grid_are_refused(space: dict[str, Any], trials: int, said: str) -> None:
    with pytest.raises(ValueError, match=f"^{said}"):
        search(lambda p: 0.0, space, "grid", trials)
