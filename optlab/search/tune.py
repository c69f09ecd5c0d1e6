"""Tuning an experiment: one search for each method with the same budget, and the best point measured again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optlab.errors import UsageError
from optlab.experiment.experiment import Progress
from optlab.experiment.job import silent
from optlab.random import derive_seed
from optlab.search import samplers
from optlab.search.compare import compare
from optlab.search.grid import points_along
from optlab.search.objective import Objective
from optlab.search.search import Search, TrialError, search
from optlab.search.space import Space


@dataclass(frozen=True)
class Tuned:
    """A search over an experiment's parameters.

    Attributes:
        search: the search.
        again: the best point's value with another master seed, which had no part in the choice: the best of many noisy
            numbers looks better than it is. NaN where the experiment fails there.
    """

    search: Search
    again: float

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; numbers that are not finite are the strings "inf", "-inf" and "nan"."""
        found = self.search
        trials = [
            {"params": dict(trial.point), "value": _plain(trial.value), "error": trial.error} for trial in found.trials
        ]
        best = {"params": dict(found.best.point), "value": found.best.value, "again": _plain(self.again)}
        return {"sampler": found.sampler, "resumed": found.resumed, "best": best, "trials": trials}


def tune(
    objective: Objective,
    space: Space,
    methods: Sequence[str],
    trials: int,
    *,
    maximize: bool = False,
    storage: Path | None = None,
    progress: Progress = silent,
) -> list[Tuned]:
    """Search with each method, all with the same number of trials, and return them from the best to the worst.

    Raises:
        UsageError: a method is unknown or comes twice, or the trials do not make up a grid.
        MissingPackageError: a package is missing.
        OptlabError: the storage cannot be used, or a search finds no finite value.
    """
    _check(space, methods, trials)
    found = []
    for k, method in enumerate(methods):

        def part(fraction: float, text: str = "", done: int = k) -> None:
            progress((done + fraction) / len(methods), text)

        options: dict[str, Any] = {
            "seed": objective.job.seed,
            "maximize": maximize,
            "storage": storage,
            "progress": part,
        }
        name, facts = objective.experiment.name, objective.facts()
        found.append(search(objective, space, method, trials, name=name, facts=facts, **options))
    return [Tuned(each, _again(objective, each)) for each in compare(found)]


def _check(space: Space, methods: Sequence[str], trials: int) -> None:
    if len(set(methods)) < len(methods):
        raise UsageError(f"--sampler takes each method once, given {', '.join(methods)}")
    try:
        for method in methods:
            samplers.checked(method)
        if "grid" in methods:
            points_along(space, trials)
    except ValueError as error:
        raise UsageError(str(error)) from None


def _again(objective: Objective, found: Search) -> float:
    try:
        return objective(found.best.point, derive_seed(objective.job.seed, "again"))
    except TrialError:
        return math.nan


def _plain(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)
