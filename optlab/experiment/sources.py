"""Sources as experiments name them: the lectures that a figure belongs to, its topic, and the literature."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, TypeVar

LECTURES = {
    "Additional Techniques for Training Neural Networks": r"additional techniques(?: for training neural networks)?",
    "Training DNNs: Basic Methods and Tricks": r"training dnns(?:: basic methods and tricks)?|basic methods and tricks",
    "Training neural networks 2": r"training neural networks 2|training 2",
    "Regularization and Optimization (notebook)": (
        r"(?:the )?notebook(?: regularization and optimization)?|regularization and optimization(?: \(notebook\))?"
    ),
    "Important Techniques in Neural Network Training": r"important techniques(?: in neural network training)?",
    "Theory of training": r"theory of training",
}
"""THE list of lectures in the order of the course, each with the ways in which a source may name it."""

ELSEWHERE = "Other sources"
"""Where experiments stand whose source names no lecture of the course."""

_ANY = re.compile(rf"\b(?:{'|'.join(LECTURES.values())})(?!\w)", re.IGNORECASE)
_BETWEEN = re.compile(r"^(?:[\s,:]|and\b)+|[\s,:]+$")


@dataclass(frozen=True)
class Source:
    """What a source says.

    Attributes:
        lectures: titles of lectures, in the order in which the source names them; `ELSEWHERE` if it names none.
        topic: the part of the lecture; empty if the source names lectures only.
        works: what else it names, as papers.
    """

    lectures: tuple[str, ...]
    topic: str
    works: tuple[str, ...]


class Sourced(Protocol):
    """What has a source and a name, as an experiment has."""

    @property
    def name(self) -> str:
        """The name."""

    @property
    def source(self) -> str:
        """Lecture and topic."""


Item = TypeVar("Item", bound=Sourced)


def parse(source: str) -> Source:
    """Return what `source` names: lectures first, then the topic, then works, each after a semicolon.

    >>> parse("Additional Techniques; the notebook: momentum; Polyak 1964")
    ... # doctest: +NORMALIZE_WHITESPACE
    Source(lectures=('Additional Techniques for Training Neural Networks',
                     'Regularization and Optimization (notebook)'), topic='momentum', works=('Polyak 1964',))
    """
    named = [_title(match.group()) for match in _ANY.finditer(source)]
    parts = [_BETWEEN.sub("", part) for part in _ANY.sub("", source).split(";")]
    topic, *works = dict.fromkeys(filter(None, parts)) or [""]
    return Source(tuple(dict.fromkeys(named)) or (ELSEWHERE,), topic, tuple(works))


def by_lecture(items: Iterable[Item]) -> dict[str, tuple[list[Item], list[Item]]]:
    """Return for each lecture that is named, in the order of the course, what is at home there and what touches it.

    An item is at home in the lecture that its source names first; each list is sorted by topic and name.
    """
    ordered = sorted(items, key=lambda item: (parse(item.source).topic.lower(), item.name))
    groups: dict[str, tuple[list[Item], list[Item]]] = {title: ([], []) for title in (*LECTURES, ELSEWHERE)}
    for item in ordered:
        home, *others = parse(item.source).lectures
        groups[home][0].append(item)
        for title in others:
            groups[title][1].append(item)
    return {title: group for title, group in groups.items() if any(group)}


def _title(named: str) -> str:
    return next(title for title, names in LECTURES.items() if re.fullmatch(names, named, re.IGNORECASE))
