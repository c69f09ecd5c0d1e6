"""The README says what runs on a GPU, and the code says the same."""

from __future__ import annotations

import inspect
from dataclasses import fields

from gpu import table

import optlab as ol


def test_the_readme_says_what_runs_there() -> None:
    assert table.in_readme() == table.text(), "(cd tests && python -m gpu.table) writes it again"


def test_every_option_of_descend_is_asked_for() -> None:
    assert set(table.STUDIES) == set(list(inspect.signature(ol.descend).parameters)[4:])


def test_every_option_around_a_rule_is_asked_for() -> None:
    asked = {name.partition("=")[0] for name in table.AROUND}
    assert {each.name for each in fields(ol.Optimizer) if each.init} <= asked
