"""One run of one experiment: what is asked, what comes of it, and the way from the one to the other."""

from __future__ import annotations

import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from optlab import backends, files
from optlab.errors import OptlabError
from optlab.experiment import record, registry
from optlab.experiment.blame import blamed, explained
from optlab.experiment.claim import Claim
from optlab.experiment.experiment import Data, Experiment, Progress, as_data
from optlab.experiment.fingerprint import fingerprint
from optlab.experiment.params import Params


@dataclass(frozen=True)
class Job:
    """What is asked of one experiment.

    Attributes:
        path: the experiment's file.
        seed: the master seed.
        quick: whether the quick parameters apply.
        settings: overrides of parameters as `key=value`.
        out: folder of the results; None to check the claims only, without a figure and without looking for old results.
        force: compute although the results in `out` are up to date.
        device: where descents and landscapes are computed, "cpu" or "gpu".
    """

    path: Path
    seed: int = 0
    quick: bool = False
    settings: tuple[str, ...] = ()
    out: Path | None = None
    force: bool = False
    device: str = "cpu"

    def experiment(self) -> tuple[Experiment, Params]:
        """Load the experiment and settle its parameters.

        Raises:
            ExperimentError: if the file is broken.
            UsageError: if a setting does not fit.
        """
        experiment = registry.load(self.path)
        return experiment, experiment.parameters(quick=self.quick, settings=self.settings)


@dataclass(frozen=True)
class Outcome:
    """What came of a job.

    Attributes:
        name: the experiment's name.
        record: the record, or None after an error.
        contents: the files to write, by name, the record last; empty when there is nothing to write.
        fresh: whether it was computed now; False if the old results are up to date.
        error: what went wrong, in one line; empty if nothing did.
        code: the exit code that belongs to `error`.
        trace: the traceback that belongs to `error`.
    """

    name: str
    record: dict[str, Any] | None = None
    contents: dict[str, bytes] = field(default_factory=dict)
    fresh: bool = True
    error: str = ""
    code: int = OptlabError.exit_code
    trace: str = ""

    @property
    def claims(self) -> list[Claim]:
        """The claims of the record; none after an error."""
        return record.claims_of(self.record) if self.record else []

    @property
    def failed(self) -> bool:
        """Whether there was an error or a claim fails; an inconclusive claim is no failure."""
        return self.exit_code != 0

    @property
    def exit_code(self) -> int:
        """The exit code that the outcome calls for."""
        if self.error:
            return self.code
        return OptlabError.exit_code if any(claim.verdict == "fails" for claim in self.claims) else 0


def silent(fraction: float, text: str = "") -> None:
    """Take a report of progress and show nothing."""


def kept(job: Job) -> Outcome | None:
    """Return the old results of `job` if they are up to date, else None.

    Raises:
        OptlabError: if the experiment's file or a setting is wrong.
    """
    if job.out is None or job.force:
        return None
    experiment, p = job.experiment()
    found = record.current(job.out, experiment.name, _mark(job, p))
    return Outcome(experiment.name, found, fresh=False) if found else None


def execute(job: Job, progress: Progress = silent) -> Outcome:
    """Compute `job` and return what came of it; an error is part of the outcome and not raised."""
    try:
        return _compute(job, progress)
    except Exception as error:
        code = error.exit_code if isinstance(error, OptlabError) else OptlabError.exit_code
        return Outcome(job.path.stem, error=explained(error, job.path), code=code, trace=traceback.format_exc())


def _compute(job: Job, progress: Progress) -> Outcome:
    started = time.perf_counter()
    experiment, p = job.experiment()
    # Taken before the work: an edit during it must not pass for what was computed.
    mark = _mark(job, p)
    with blamed(job.path, p, experiment.parameters(quick=job.quick)), backends.device(job.device):
        data = as_data(experiment.compute(p, job.seed, progress))
        claims = _checked(experiment.claims(data, p))
        contents = {} if job.out is None else _draw(experiment, data, p)
    result = record.build(
        experiment,
        p,
        seed=job.seed,
        quick=job.quick,
        claims=claims,
        contents=contents,
        seconds=time.perf_counter() - started,
        fingerprint=mark,
        device=job.device,
    )
    if job.out is not None:
        contents[f"{experiment.name}.json"] = record.encode(result)
    return Outcome(experiment.name, result, contents)


def _mark(job: Job, p: Params) -> str:
    return fingerprint(job.path, p, job.seed, job.quick, job.device)


def _checked(claims: Sequence[Claim]) -> list[Claim]:
    names = [claim.name for claim in claims]
    if not names:
        raise ValueError("claims returned nothing; an experiment needs at least one claim")
    if len(set(names)) < len(names):
        raise ValueError(f"claims need different names, given {', '.join(names)}")
    return list(claims)


def _draw(experiment: Experiment, data: Data, p: Params) -> dict[str, bytes]:
    # Imported here because matplotlib is slow to import, and checking claims needs none.
    from matplotlib.figure import Figure

    from optlab import plotting

    name = experiment.name
    with plotting.style():
        sheet = experiment.plot(data, p)
        if not isinstance(sheet, Figure):
            raise TypeError(f"plot must return a matplotlib Figure, given {type(sheet).__name__}")
        moving = {} if experiment.animate is None else {f"{name}.gif": plotting.gif(experiment.animate(data, p))}
    still = {f"{name}.png": plotting.png(sheet), f"{name}.svg": plotting.svg(sheet)}
    return {**still, **moving, f"{name}.npz": files.npz(data)}
