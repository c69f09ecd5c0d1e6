"""An experiment as an objective: its parameters in, one of its numbers out."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from optlab.errors import UsageError, did_you_mean
from optlab.experiment.blame import blamed, explained
from optlab.experiment.experiment import as_data
from optlab.experiment.fingerprint import fingerprint
from optlab.experiment.job import Job, silent
from optlab.experiment.runner import heeding_interrupts
from optlab.search.search import TrialError
from optlab.search.space import Point


class Objective:
    """What an experiment measures, as a function of some of its parameters.

    Args:
        path: The experiment's file.
        measure: A claim, whose measured number it is, or one of the data that is a single number.
        seed: The experiment's master seed, the same for every point.
        quick: Whether the quick parameters apply.
        settings: Overrides of parameters that are not searched, as ``key=value``.

    Raises:
        ExperimentError: the file is broken.
        UsageError: a setting does not fit.
    """

    def __init__(
        self, path: Path, measure: str, *, seed: int = 0, quick: bool = False, settings: Iterable[str] = ()
    ) -> None:
        self.job = Job(path, seed, quick, tuple(settings))
        self.experiment, self.p = self.job.experiment()
        self.measure = measure

    def facts(self) -> dict[str, Any]:
        """What decides the values: the code, the parameters, the seed, and what is measured."""
        return {
            "fingerprint": fingerprint(self.job.path, self.p, self.job.seed, self.job.quick),
            "measure": self.measure,
        }

    def __call__(self, point: Point, seed: int | None = None) -> float:
        """The measured number at a point.

        Raises:
            TrialError: the experiment raised.
            UsageError: it has no such number.
        """
        p, usual = self.p.replaced(point), self.experiment.parameters(quick=self.job.quick)
        try:
            with heeding_interrupts(), blamed(self.job.path, p, usual):
                data = as_data(self.experiment.compute(p, self.job.seed if seed is None else seed, silent))
                claims = {claim.name: claim.measured for claim in self.experiment.claims(data, p)}
        except Exception as error:
            raise TrialError(explained(error, self.job.path)) from error
        single = {key: array.item() for key, array in data.items() if array.size == 1 and array.dtype.kind in "biuf"}
        if self.measure not in single | claims:
            known = ", ".join([*claims, *single])
            hint = did_you_mean(self.measure, [*claims, *single]) or f"; there are: {known}"
            raise UsageError(f"{self.experiment.name} has no claim or single number '{self.measure}'{hint}")
        return float((single | claims)[self.measure])
