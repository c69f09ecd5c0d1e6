"""The declaration of an experiment, and what its computation may return."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from optlab.errors import UsageError
from optlab.experiment.experiment import Experiment, as_data


def declared(**changes: Any) -> Experiment:
    fields = {
        "title": "A title",
        "source": "A",
        "question": "Why?",
        "params": {"size": 5, "scale": 1.0},
        "quick": {"size": 3},
        "compute": lambda p, seed, progress: {},
        "plot": lambda data, p: None,
        "claims": lambda data, p: [],
    }
    return Experiment(**{**fields, **changes})


def test_parameters_are_defaults_then_quick_then_settings() -> None:
    experiment = declared()
    assert dict(experiment.parameters()) == {"size": 5, "scale": 1.0}
    assert dict(experiment.parameters(quick=True)) == {"size": 3, "scale": 1.0}
    assert dict(experiment.parameters(quick=True, settings=["size=9"])) == {"size": 9, "scale": 1.0}
    with pytest.raises(UsageError):
        experiment.parameters(settings=["sizes=9"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "../toy"}, "name must consist of"),
        ({"title": " "}, "title must not be empty"),
        ({"params": {"size": None}}, "parameter 'size' must be"),
        ({"quick": {"sizes": 3}}, "unknown parameter 'sizes'; did you mean 'size'"),
        ({"quick": {"size": 3.0}}, "parameter 'size' must be a whole number"),
    ],
)
def test_a_mistake_in_the_declaration_shows_at_once(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        declared(**changes)


def test_outside_of_a_file_the_name_is_said_or_empty() -> None:
    assert declared().name == ""
    assert declared(name="toy").name == "toy"


def test_without_a_file_there_is_nothing_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(sys.modules["__main__"], "__file__", raising=False)
    with pytest.raises(UsageError) as caught:
        declared().main([])
    said = "this experiment has no name and no file; write it to NAME.py and `optlab run NAME.py`"
    assert str(caught.value) == said


def test_data_are_read_only_copies_sorted_by_name() -> None:
    mine = np.arange(6.0).reshape(2, 3).T
    data = as_data({"z": 1.5, "a": mine})
    assert list(data) == ["a", "z"]
    assert data["a"].flags.c_contiguous
    assert data["z"].shape == ()
    mine[0, 0] = 7.0
    assert data["a"][0, 0] == 0.0
    with pytest.raises(ValueError, match="read-only"):
        data["a"][0, 0] = 1.0


@pytest.mark.parametrize("arrays", [None, [1.0], {1: 1.0}, {"x": None}, {"x": [object()]}])
def test_what_cannot_be_saved_is_refused(arrays: Any) -> None:
    with pytest.raises(TypeError, match=r"compute (must return|returned)"):
        as_data(arrays)
