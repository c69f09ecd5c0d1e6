"""A search: trial after trial, each chosen by what came before, kept as soon as it is done."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optlab.checks import integer
from optlab.errors import OptlabError, one_line
from optlab.experiment.experiment import Progress
from optlab.experiment.job import silent
from optlab.random import derive_seed
from optlab.search import samplers
from optlab.search.grid import grid_point, points_along
from optlab.search.space import Choice, Point, Space, Span
from optlab.search.storage import stored, title


class TrialError(Exception):
    """An objective has no value at this point; the trial counts, as the worst."""


@dataclass(frozen=True)
class Trial:
    """One evaluation.

    Attributes:
        point: the values of the parameters.
        value: the objective there; the worst infinity where it is not finite or has no value.
        error: why it has none; empty if it has.
    """

    point: Point
    value: float
    error: str = ""


@dataclass(frozen=True)
class Search:
    """What a search found.

    Attributes:
        sampler: the method.
        space: what was searched.
        maximize: whether larger is better.
        trials: all of them, in order.
        resumed: how many were known before.
    """

    sampler: str
    space: Space
    maximize: bool
    trials: tuple[Trial, ...]
    resumed: int = 0

    @property
    def best(self) -> Trial:
        """The best trial, the first of equal ones.

        Raises:
            OptlabError: no trial has a finite value.
        """
        found = min(self.trials, key=lambda trial: -trial.value if self.maximize else trial.value)
        if not math.isfinite(found.value):
            why = next((f"; the first says: {trial.error}" for trial in self.trials if trial.error), "")
            raise OptlabError(f"none of {len(self.trials)} trials has a finite value{why}")
        return found

    @property
    def curve(self) -> NDArray[np.float64]:
        """The best value so far, after each trial."""
        better = np.maximum if self.maximize else np.minimum
        return np.asarray(better.accumulate([trial.value for trial in self.trials]), np.float64)


def search(
    objective: Callable[[Point], float],
    space: Space,
    sampler: str = "tpe",
    trials: int = 50,
    *,
    seed: int = 0,
    maximize: bool = False,
    storage: Path | None = None,
    name: str = "search",
    facts: Mapping[str, Any] | None = None,
    progress: Progress = silent,
) -> Search:
    """Looks for the point where an objective is least.

    Trial k depends on ``seed``, k and the trials before it, on nothing else. So a search that was killed and is started
    again with the same storage ends as if nothing had happened: what was done is not done again, and the trial during
    which it was killed is. A longer search begins with the shorter one (but for the grid, which depends on ``trials``).

    Args:
        objective: A function of a dict of values; what is not finite counts as the worst.
        space: The parameters.
        sampler: "grid" (:func:`optlab.search.grid.grid_point`), "random", "tpe" (multivariate tree-structured Parzen
            estimators) or "gp" (a Gaussian process, which needs PyTorch), the last two after 5 random trials.
        trials: How many in all, those known already included; for the grid twice the size of one.
        seed: Of the sampler.
        maximize: Whether larger is better.
        storage: A SQLite file, made if it is not there; None: nothing is kept.
        name: The objective's, in the storage.
        facts: What else decides the values, such as the objective's own parameters: other facts are another search.
        progress: Is told how far the search is.

    Returns:
        The search, with exactly ``trials`` trials.

    Raises:
        TypeError: an argument is of the wrong type.
        ValueError: an argument is out of range, or trials do not make up a grid.
        MissingPackageError: Optuna, or for "gp" PyTorch, is not installed.
        OptlabError: the storage cannot be used.

    Example:
        >>> found = search(lambda p: (p["x"] - 1) ** 2, {"x": Span(-5.0, 5.0)}, "random", trials=20)
        >>> len(found.trials), bool(found.best.value == found.curve[-1])
        (20, True)

    References:
        Akiba et al., "Optuna: a next-generation hyperparameter optimization framework", 2019; Bergstra et al.,
        "Algorithms for hyper-parameter optimization", 2011 (tpe).
    """
    count = integer("trials", trials, 1, 2**31)
    integer("seed", seed, 0, 2**64 - 1)
    if samplers.checked(sampler) == "grid":
        points_along(space, count)
    identity = {"space": {key: [type(each).__name__, asdict(each)] for key, each in space.items()}, "seed": seed}
    identity |= {"maximize": maximize, "facts": dict(facts or {}), "trials": count if sampler == "grid" else None}
    with samplers.quiet(), stored(storage, title(name, sampler, identity), maximize) as kept:
        run = _Run(objective, space, sampler, count, seed, maximize)
        run.recall(kept)
        resumed = len(run.done)
        while len(run.done) < count:
            progress(len(run.done) / count, f"{sampler}, trial {len(run.done) + 1} of {count}")
            run.add(kept)
    return Search(sampler, space, maximize, tuple(run.done), resumed)


class _Run:
    """A search under way, with a study in memory that proposes points."""

    def __init__(
        self, objective: Callable[[Point], float], space: Space, sampler: str, trials: int, seed: int, maximize: bool
    ) -> None:
        self.objective, self.space, self.sampler = objective, space, sampler
        self.trials, self.seed, self.maximize = trials, seed, maximize
        self.optuna = samplers.package("optuna", "a search", "optlab[experiments]")
        self.study = self.optuna.create_study(direction="maximize" if maximize else "minimize")
        self.distributions = {key: self._distribution(each) for key, each in space.items()}
        self.done: list[Trial] = []

    def _distribution(self, each: Span | Choice) -> Any:
        kinds = self.optuna.distributions
        if isinstance(each, Choice):
            return kinds.CategoricalDistribution([str(value) for value in each.values])
        kind = kinds.IntDistribution if each.whole else kinds.FloatDistribution
        return kind(each.low, each.high, log=each.log)

    def recall(self, kept: Any) -> None:
        """Take over what is kept."""
        for frozen in [] if kept is None else kept.get_trials(deepcopy=False)[: self.trials]:
            self.study.add_trial(frozen)
            self.done.append(Trial(self._point(frozen.params), frozen.value, frozen.user_attrs.get("error", "")))

    def add(self, kept: Any) -> None:
        """Do one trial, and keep it when it is done."""
        asked = self._ask()
        point = self._point(asked.params)
        value, error = self._evaluate(point)
        if error:
            asked.set_user_attr("error", error)
        self.study.tell(asked, value)
        if kept is not None:
            kept.add_trial(self.study.trials[-1])
        self.done.append(Trial(point, value, error))

    def _ask(self) -> Any:
        self.study.sampler = samplers.make(self.sampler, derive_seed(self.seed, "search", len(self.done)))
        if self.sampler == "grid":
            pairs = [(trial.point, trial.value) for trial in self.done]
            point = grid_point(self.space, self.trials, pairs, self.maximize)
            texts = {key: str(v) if isinstance(self.space[key], Choice) else v for key, v in point.items()}
            self.study.enqueue_trial(texts)
        return self.study.ask(self.distributions)

    def _point(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Values by name, in the order of the space; a choice is known by its text."""
        by_text = {
            key: {str(value): value for value in each.values} if isinstance(each, Choice) else None
            for key, each in self.space.items()
        }
        return {key: params[key] if texts is None else texts[params[key]] for key, texts in by_text.items()}

    def _evaluate(self, point: Point) -> tuple[float, str]:
        try:
            value, error = float(self.objective(point)), ""
        except TrialError as failure:
            value, error = math.nan, one_line(failure)
        return (value if math.isfinite(value) else -math.inf if self.maximize else math.inf), error
