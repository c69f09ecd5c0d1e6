"""What one job may do wrong, and what its outcome says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from optlab.experiment.job import Job, execute

Contents = Callable[[Path], dict[str, bytes]]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('progress(0.5, "half way")', "1 / 0", "ZeroDivisionError: division by zero (toy.py, line 7)"),
        (
            'progress(0.5, "half way")',
            "np.linalg.inv(np.zeros((2, 2)))",
            "LinAlgError: Singular matrix (toy.py, line 7)",
        ),
        ('progress(0.5, "half way")', "raise ValueError('a\\nb')", "ValueError: a b (toy.py, line 7)"),
        (
            '{"x": x, "square": x * x}',
            "None",
            "TypeError: compute must return a dict from names to arrays, given NoneType",
        ),
        ("return sheet", "return sheet, ax", "TypeError: plot must return a matplotlib Figure, given tuple"),
        ("return [exact(", "return [] and [exact(", "ValueError: claims returned nothing; an experiment needs"),
        ("p.size)]", "p.size)] * 2", "ValueError: claims need different names, given size, size"),
        ('data["x"].size', "data['x'].fill(0)", "ValueError: assignment destination is read-only (toy.py, line 17)"),
        ("p.size)]", "p.sise)]", "AttributeError: no parameter 'sise'; did you mean 'size'? (toy.py, line 17)"),
    ],
)
def test_an_error_inside_an_experiment_is_one_line_with_its_place(
    toy: Any, world: dict[str, Any], old: str, new: str, message: str
) -> None:
    path = toy("toy", (old, new))
    outcome = execute(Job(path, out=world["out"]))
    assert outcome.error.startswith(f"experiment 'toy' failed: {message}")
    assert "\n" not in outcome.error
    assert "Traceback" in outcome.trace
    assert (outcome.failed, outcome.claims, outcome.contents) == (True, [], {})


def test_only_a_failing_claim_fails_the_outcome(toy: Any, world: dict[str, Any]) -> None:
    unclear = "fraction('f', 'half', 1, 2, 0.5, (0.4, 0.6))]"
    change = ('exact("size", "as many points as asked for", data["x"].size, p.size)]', unclear)
    path = toy("toy", change, ("import Experiment", "import Experiment, fraction"))
    outcome = execute(Job(path))
    assert [claim.verdict for claim in outcome.claims] == ["inconclusive"]
    assert not outcome.failed
    path = toy("toy", ('data["x"].size', "1 + p.size"))
    assert execute(Job(path)).failed


def test_checking_computes_afresh_and_writes_nothing(toy: Any, world: dict[str, Any], tmp_path: Path) -> None:
    path = toy("toy", ("return sheet", "raise AssertionError('a check draws nothing')"))
    before = sorted(tmp_path.rglob("*"))
    outcome = execute(Job(path))
    assert outcome.error == ""
    assert outcome.fresh
    assert outcome.contents == {}
    assert [claim.verdict for claim in outcome.claims] == ["holds"]
    assert sorted(path for path in tmp_path.rglob("*") if "__pycache__" not in path.parts) == before
