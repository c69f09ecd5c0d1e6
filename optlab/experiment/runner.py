"""Running experiments: what is up to date is kept, the rest is computed, and whole files are written."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType

from optlab import files
from optlab.errors import UsageError
from optlab.experiment import registry
from optlab.experiment.experiment import Progress
from optlab.experiment.job import Job, Outcome, execute, kept, silent
from optlab.experiment.workers import parallel


def plan(
    names: Iterable[str],
    *,
    seed: int = 0,
    quick: bool = False,
    settings: Iterable[str] = (),
    out: Path | None = None,
    force: bool = False,
    device: str = "cpu",
) -> list[Job]:
    """Return a job for each experiment named, after checking everything that can be checked before the work.

    Args:
        names: names of experiments or paths of files; one given twice is run once.
        seed: the master seed, 0 to 2**64 - 1.
        quick: whether the quick parameters apply.
        settings: overrides of parameters as `key=value`, for every experiment.
        out: folder of the results; None to check the claims only.
        force: compute although the results are up to date.
        device: where descents and landscapes are computed, "cpu" or "gpu".

    Raises:
        UsageError: if a name, a setting or the seed is wrong, or two files would write the same results.
        ExperimentError: if an experiment's file is broken.
        OptlabError: if `out` cannot be written.
    """
    if not 0 <= seed < 2**64:
        raise UsageError(f"the seed must be between 0 and 2**64 - 1, given {seed}")
    paths = list(dict.fromkeys(registry.find(name) for name in names))
    stems = [path.stem for path in paths]
    for path in paths:
        if stems.count(path.stem) > 1:
            raise UsageError(f"two files are named '{path.name}' and would write the same results; run one at a time")
    changes = tuple(settings)
    jobs = [Job(path, seed, quick, changes, out, force, device) for path in paths]
    for job in jobs:
        job.experiment()
    if out is not None:
        files.require_writable(out)
    return jobs


def run(jobs: Sequence[Job], workers: int = 1, progress: Progress = silent) -> Iterator[Outcome]:
    """Yield the outcome of each job as it is known, its files already written.

    With several workers the jobs run in processes of their own, in any order; the results are the same.

    Raises:
        OptlabError: if a file cannot be written.
        KeyboardInterrupt: on Ctrl-C; no file is half written.
    """
    waiting: list[Job] = []
    for job in jobs:
        old = kept(job)
        if old is None:
            waiting.append(job)
        else:
            yield old
    workers = min(workers, len(waiting))
    for job, outcome in _in_processes(waiting, workers, progress) if workers > 1 else _in_turn(waiting, progress):
        if job.out is not None and outcome.contents:
            files.write_all(job.out, outcome.contents)
        yield outcome


def _in_turn(jobs: Sequence[Job], progress: Progress) -> Iterator[tuple[Job, Outcome]]:
    for number, job in enumerate(jobs):
        with heeding_interrupts():
            outcome = execute(job, partial(_part, progress, number, len(jobs), job.path.stem))
        yield job, outcome


def _part(progress: Progress, done: int, total: int, name: str, fraction: float, text: str = "") -> None:
    progress((done + fraction) / total, f"{name} {text}".rstrip())


def _in_processes(jobs: Sequence[Job], workers: int, progress: Progress) -> Iterator[tuple[Job, Outcome]]:
    for done, (job, result) in enumerate(parallel(execute, jobs, workers), start=1):
        progress(done / len(jobs), f"{done} of {len(jobs)}")
        if isinstance(result, Outcome):
            yield job, result
        else:
            yield job, Outcome(job.path.stem, error=f"experiment '{job.path.stem}' failed: {result}")


@contextmanager
def heeding_interrupts() -> Iterator[None]:
    """Raise KeyboardInterrupt at the end if Ctrl-C came and the body went on.

    A descent answers Ctrl-C by returning what it has recorded so far, which must not become a figure.
    """
    previous = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or previous in (None, signal.SIG_IGN):
        yield
        return
    hits: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        hits.append(number)
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
    if hits:
        raise KeyboardInterrupt
