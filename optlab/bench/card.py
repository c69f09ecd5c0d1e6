"""What benchmarks on a card share: runs that end when the card has ended, peers there, and its limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from optlab.backends.gpu.device import device, download, empty
from optlab.bench.rows import Contest, Run

Array = Any
Work = Callable[[], None]


def wait() -> None:
    """Until the card has done what it was given."""
    if (cuda := getattr(device().xp, "cuda", None)) is not None:
        cuda.runtime.deviceSynchronize()


def timed(work: Work, calls: int) -> Run:
    """So many calls, one behind the other, and the wait for their end."""

    def run() -> None:
        for _ in range(calls):
            work()
        wait()

    return run


def replayed(work: Work) -> Work:
    """The same launches as a graph, so that the card never waits for Python; the work is done once before."""
    work()
    return device().capture(work)


def copy(moved: float) -> Work:
    """A copy on the card that reads and writes so many bytes together."""
    size = max(1, int(moved) // 2)
    here, there = empty(size, np.uint8), empty(size, np.uint8)

    def run() -> None:
        there[...] = here

    return run


def on_host(arrays: Sequence[Array]) -> list[Any]:
    """Copies of arrays of the card."""
    return [download(array) for array in arrays]


def torch() -> Any:
    """PyTorch, where it can use a card.

    Raises:
        ImportError: it is not installed.
        RuntimeError: it has no card.
    """
    import torch as module

    if not module.cuda.is_available():
        raise RuntimeError("PyTorch without CUDA")
    return module


def contest(
    kernel: str,
    case: str,
    dtype: str,
    ours: Work,
    peers: Mapping[str, Callable[[], tuple[Work, Callable[[], Sequence[Any]]]]],
    judge: Callable[[Sequence[Any]], str],
    *,
    calls: int,
    moved: float = 0.0,
    least: float | None = None,
    graph: bool = True,
    steps: int = 1,
) -> Contest:
    """Ours and what each peer's maker gives, a call and its results on the host, which are judged first.

    The limit is a copy of as many bytes as must be ``moved``, or ``least`` seconds at the rate of a large product. Ours
    is replayed as a ``graph``, or called as a user does. A call may take many ``steps``; the rows give the time of one.
    """
    mine = timed(replayed(ours) if graph else ours, calls)  # a graph's work is done once before
    runs, missing, agrees = {}, {}, {}
    for name, make in peers.items():
        try:
            work, results = make()
        except (ImportError, RuntimeError) as error:
            missing[name] = str(error)
            continue
        work()
        agrees[name], runs[name] = judge(results()), timed(work, calls)
    return Contest(
        kernel=kernel,
        case=case,
        dtype=dtype,
        threads=1,
        ours=mine,
        peers=runs,
        missing=missing,
        agrees=agrees,
        limit="a copy" if moved else "a large product" if least else None,
        least_seconds=least,
        calls=calls * steps,
        at_limit=timed(copy(moved), calls) if moved else None,
    )
