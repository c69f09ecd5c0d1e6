"""What a user's TAB key shows: each public module says which of its names are for him."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

import optlab as ol

MODULES = [name for name in dir(ol) if hasattr(getattr(ol, name), "__path__") or name in ("plotting", "random", "stop")]


@pytest.mark.parametrize("name", MODULES)
def test_a_public_module_lists_its_names(name: str) -> None:
    module = importlib.import_module(f"optlab.{name}")
    listed = module.__all__
    assert len(set(listed)) == len(listed)
    assert [each for each in listed if not hasattr(module, each)] == []
    own = {each for each, value in vars(module).items() if not each.startswith("_") and of_module(value, module)}
    assert own <= set(listed)


def of_module(value: Any, module: Any) -> bool:
    """Whether a class or function is defined in the module."""
    return callable(value) and getattr(value, "__module__", None) == module.__name__


def test_they_are_all_reachable_and_load_late(python: Any) -> None:
    assert {"bench", "experiment", "gallery", "plotting", "search"} <= set(MODULES)
    done = python("import sys, optlab as ol; print('matplotlib' in sys.modules, ol.plotting.DPI, hasattr(ol, 'sgd'))")
    assert done.stdout.split() == ["False", "150", "False"], done.stderr


def test_an_optimizer_shows_its_hyperparameters_and_two_methods() -> None:
    shown = {name for name in dir(ol.SGD(lr=0.1)) if not name.startswith("_")}
    assert {"init", "step", "lr", "momentum"} <= shown
    assert [name for name in shown if callable(getattr(ol.SGD(lr=0.1), name))] in (["init", "step"], ["step", "init"])
