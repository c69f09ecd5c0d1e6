"""Running jobs in processes of their own: each is started afresh, and none outlives the one that waits for it.

One process a job, and not a pool of them: a worker that is killed is noticed and named, and stopping at once needs
nothing but `terminate`. Workers write no files, so a stopped one leaves nothing behind.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from multiprocessing.resource_tracker import ensure_running
from typing import Any, TypeVar

from optlab.errors import ExperimentError
from optlab.experiment.provenance import cores

Job = TypeVar("Job")
Result = TypeVar("Result")


def parallel(
    work: Callable[[Job], Result], jobs: Sequence[Job], workers: int
) -> Iterator[tuple[Job, Result | ExperimentError]]:
    """Yield each job with its result as it is finished, at most `workers` at a time.

    `work` must be importable by name, jobs and results must pickle, and `work` must not raise. A worker that dies
    yields an error in place of its result. Leaving the iterator early stops every worker.
    """
    threads = max(1, cores() // workers)
    waiting = list(reversed(jobs))
    running: dict[Any, tuple[BaseProcess, Job]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                with _interrupts_held():
                    job = waiting.pop()
                    inbox, process = _start(work, job, threads)
                    running[inbox] = process, job
            for ready in wait(list(running)):
                process, job = running.pop(ready)
                result: Result | ExperimentError = _collect(ready, process)
                yield job, result
    finally:
        for process, _ in running.values():
            process.terminate()
            process.join()


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C back until the end.

    It reaches every process of the terminal, and the one that waits answers it for all. A worker is born with the
    signal blocked, because one that came while Python still starts would print a traceback.
    """
    # Multiprocessing starts this helper when it needs it and then lifts the block, so it must run before.
    ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start(work: Callable[[Job], Result], job: Job, threads: int) -> tuple[Connection, BaseProcess]:
    context = get_context("spawn")
    inbox, outbox = context.Pipe(duplex=False)
    process = context.Process(target=_serve, args=(outbox, work, job, threads), daemon=True)
    process.start()
    # Only the worker may hold this end: then its death closes the pipe, and `wait` returns.
    outbox.close()
    return inbox, process


def _serve(outbox: Connection, work: Callable[[Job], Result], job: Job, threads: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    from optlab.threads import set_default

    # Only our own kernels are told, as their results do not depend on the number of threads; NumPy's might.
    set_default(threads)
    outbox.send(work(job))
    outbox.close()


def _collect(inbox: Any, process: BaseProcess) -> Any:
    try:
        return inbox.recv()
    except EOFError:
        process.join()
        return ExperimentError(f"the worker process died with exit code {process.exitcode}")
    finally:
        inbox.close()
        process.join()
