"""Which lectures a source names, in all the ways in which experiments name them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from optlab.experiment import registry
from optlab.experiment.sources import ELSEWHERE, LECTURES, by_lecture, parse

ADDITIONAL, BASIC, SECOND, NOTEBOOK, IMPORTANT, THEORY = LECTURES


@pytest.mark.parametrize(
    ("source", "lectures", "topic", "works"),
    [
        ("Training DNNs: Basic Methods and Tricks, convex functions", [BASIC], "convex functions", []),
        ("Training DNNs: line search", [BASIC], "line search", []),
        ("Training neural networks 2, memory", [SECOND], "memory", []),
        (
            f"{IMPORTANT}, escaping saddle points; Du et al. 2017",
            [IMPORTANT],
            "escaping saddle points",
            ["Du et al. 2017"],
        ),
        ("Additional Techniques; Training 2; the notebook: dropout", [ADDITIONAL, SECOND, NOTEBOOK], "dropout", []),
        ("Notebook Regularization and Optimization: batches, momentum", [NOTEBOOK], "batches, momentum", []),
        (
            "Regularization and Optimization (notebook), momentum; Additional Techniques and Training 2, momentum",
            [NOTEBOOK, ADDITIONAL, SECOND],
            "momentum",
            [],
        ),
        ("Additional Techniques, Basic Methods and Tricks", [ADDITIONAL, BASIC], "", []),
        ("Theory of training: spectra (Ghorbani, Krishnan 2019)", [THEORY], "spectra (Ghorbani, Krishnan 2019)", []),
        ("Training 20 networks, speed", [ELSEWHERE], "Training 20 networks, speed", []),
        ("", [ELSEWHERE], "", []),
    ],
)
def test_what_a_source_names(source: str, lectures: list[str], topic: str, works: list[str]) -> None:
    found = parse(source)
    assert (list(found.lectures), found.topic, list(found.works)) == (lectures, topic, works)


def test_groups_stand_in_the_order_of_the_course() -> None:
    sources = {
        "b": f"{IMPORTANT}: saddles",
        "a": f"{IMPORTANT}: saddles; {BASIC}",
        "c": f"{IMPORTANT}: Adam",
        "d": "mine",
        "e": f"{BASIC}: zeros; {IMPORTANT}",
    }
    groups = by_lecture(SimpleNamespace(name=name, source=source) for name, source in sources.items())
    names = {title: tuple([item.name for item in group] for group in pair) for title, pair in groups.items()}
    assert list(names.items()) == [
        (BASIC, (["e"], ["a"])),
        (IMPORTANT, (["c", "a", "b"], ["e"])),
        (ELSEWHERE, (["d"], [])),
    ]


def test_each_experiment_of_the_project_names_its_lecture() -> None:
    unplaced = [
        name for name, path in registry.paths().items() if ELSEWHERE in parse(registry.load(path).source).lectures
    ]
    assert unplaced == []
