"""Batch normalization forward and backward in training, the calls from Python included, against PyTorch and JAX."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optlab import ops
from optlab.bench import batchnorm_peers
from optlab.bench.batchnorm_peers import EPS, Arrays
from optlab.bench.rows import Contest, Row, Run
from optlab.kernels.select import cpu
from optlab.threads import current as current_threads

NAMES = ("y", "dx", "dgamma", "dbeta")
Results = tuple[NDArray[np.float32], ...]


@dataclass(frozen=True)
class Case:
    """A shape, and whether the results come in given arrays and running averages are kept; ``calls`` make one run."""

    batch: int
    features: int
    calls: int = 1
    fresh: bool = False
    running: bool = False

    def __str__(self) -> str:
        kept = ", running averages" if self.running else ""
        return f"{self.batch} x {self.features}, {'fresh' if self.fresh else 'given'} outputs{kept}"


CASES = (
    Case(64, 512, calls=200),
    Case(64, 512, calls=200, fresh=True, running=True),
    Case(256, 1024, calls=40),
    Case(1024, 4096, calls=2),
    Case(8192, 4096),
    Case(8192, 4096, fresh=True),
    Case(8192, 4096, fresh=True, running=True),
    Case(1_000_000, 4, calls=2),
)
"""THE list of cases."""


def run(quick: bool) -> list[Row]:
    """The rows of ``optlab bench batchnorm``."""
    cases = [case for case in CASES if not quick or case.batch * case.features <= 2**20]
    return [row for case in cases for row in contest(case).rows(5 if quick else 21)]


def contest(case: Case) -> Contest:
    """The contest of one case, with agreement checked."""
    arrays = inputs(case)
    peers, missing = batchnorm_peers.load(arrays, case.running)
    least = least_seconds(case)
    return Contest(
        kernel="batch norm",
        case=str(case),
        dtype="float32",
        threads=current_threads(),
        ours=repeated(ours(case, arrays), case.calls),
        peers={name: repeated(peer, case.calls) for name, peer in peers.items()},
        missing=missing,
        agrees={name: agreement(arrays, ours(case, arrays)(), peer()) for name, peer in peers.items()},
        limit=f"{20e-9 * case.batch * case.features / least:.1f} GB/s",
        least_seconds=least,
        calls=case.calls,
    )


def inputs(case: Case) -> Arrays:
    """Seeded x, dy, gamma and beta."""
    rng = np.random.default_rng(0)
    x, dy = (rng.standard_normal((case.batch, case.features), np.float32) for _ in range(2))
    gamma, beta = (rng.standard_normal(case.features, np.float32) for _ in range(2))
    return x, dy, gamma, beta


def repeated(once: Callable[[], object], calls: int) -> Run:
    """So many calls as one run."""

    def run() -> None:
        for _ in range(calls):
            once()

    return run


def ours(case: Case, arrays: Arrays) -> Callable[[], Results]:
    """Forward and backward with optlab; returns (y, dx, dgamma, dbeta)."""
    x, dy, gamma, beta = arrays
    like = np.empty_like
    first = None if case.fresh else (like(x), like(gamma), like(gamma))
    second = None if case.fresh else (like(x), like(gamma), like(gamma))
    kept = (np.zeros_like(gamma), np.ones_like(gamma), np.zeros((), np.int64)) if case.running else None

    def step() -> Results:
        y, mean, rstd = ops.batch_norm_forward(x, gamma, beta, EPS, running=kept, out=first)
        return (y, *ops.batch_norm_backward(dy, x, gamma, mean, rstd, out=second))

    return step


def least_seconds(case: Case) -> float:
    """The time for reading and writing what must be, 20 bytes an element, at the speed of plain loops of that size."""
    elements = case.batch * case.features
    repeats = max(9, min(2000, 10**8 // elements))
    counts = {1, current_threads()} if elements <= 10**6 else {current_threads()}  # a small loop may be faster alone
    speeds = [max(cpu.stream_bandwidth(read, elements, count, repeats) for count in counts) for read in (1, 2)]
    seconds: float = elements * (8 / speeds[0] + 12 / speeds[1])
    return seconds


def agreement(arrays: Arrays, mine: Sequence[NDArray[np.float32]], theirs: Sequence[NDArray[np.float32]]) -> str:
    """Whether both are as near to a computation in float64 as their roundings allow.

    A sum over n rows of random signs gathers √n roundings; six standard deviations are never seen.
    """
    x = arrays[0]
    roundings = 20 + 6 * np.sqrt(len(x))
    for name, right, size, found, other in zip(NAMES, *exact(arrays), mine, theirs, strict=True):
        bound = roundings * np.finfo(np.float32).eps * size
        for who, result in (("ours", found), ("theirs", other)):
            error = float(np.abs(result - right).max())
            if not error <= bound:
                return f"NO: {name} of {who} {error:.1e}"
    return "yes"


def exact(arrays: Arrays) -> tuple[Results, list[float]]:
    """(y, dx, dgamma, dbeta) in float64, and the size of the largest terms that are added up for each."""
    x, dy, gamma, beta = (array.astype(np.float64) for array in arrays)
    n, rest = len(x), x - x.mean(0)
    rstd = 1 / np.sqrt(np.mean(rest**2, axis=0) + EPS)
    rest *= rstd
    dgamma, dbeta = (dy * rest).sum(0), dy.sum(0)
    results = (rest * gamma + beta, gamma * rstd * (dy - dbeta / n - rest * dgamma / n), dgamma, dbeta)
    top = [float(np.abs(array).max()) for array in (rest, gamma * rstd, dy, beta)]
    spread = float(np.sqrt(n)) * top[2]
    return results, [top[0] * top[1] + top[3], top[1] * top[2] * top[0], spread * top[0], spread]
