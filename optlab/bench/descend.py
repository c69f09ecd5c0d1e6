"""Noise-injected descent on the bounded strict saddle, against NumPy, PyTorch and JAX."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optlab.bench import descend_peers
from optlab.bench.rows import Contest, Row, Run
from optlab.descend import descend
from optlab.kernels.select import cpu
from optlab.landscapes import StrictSaddle
from optlab.optim import SGD
from optlab.threads import current as current_threads

Array = NDArray[np.float32]
Peer = Callable[[Array, float], Array]

OPERATIONS = {"runs": 78, "elements": 86}
"""Vector operations per element and step, as the source has them, by what is in the lanes.

Box and Muller 35, the descent 8, and Philox 35 where lanes are runs, 43 where they are elements of one run.
"""


@dataclass(frozen=True)
class Case:
    """The size of a study and its numbers; peers get the same."""

    runs: int
    dim: int
    steps: int
    lr: float = 0.05
    noise: float = 1e-6

    def landscape(self) -> StrictSaddle:
        """The function all compute."""
        return StrictSaddle(self.dim)

    def ours(self, x0: Array, noise: float) -> Array:
        """The final points."""
        path = descend(self.landscape(), SGD(lr=self.lr), x0, self.steps, noise=noise, record_x=False)
        return path.last


def run(quick: bool) -> list[Row]:
    """The rows of ``optlab bench descend``."""
    repeats = 3 if quick else 11
    many, one = Case(1024, 64, 100 if quick else 1000), Case(1, 100_000, 20 if quick else 200)
    return [row for case in (many, one) for row in contest(case).rows(repeats)]


def contest(case: Case) -> Contest:
    """The contest of one case, with agreement checked."""
    zeros = np.zeros((case.runs, case.dim), np.float32)
    peers, missing = descend_peers.load(case)
    agrees = {name: agreement(case, peer) for name, peer in peers.items()}

    def timed(peer: Peer) -> Run:
        return lambda: peer(zeros, case.noise)

    count = current_threads()
    work = OPERATIONS["runs" if case.runs > 1 else "elements"] * case.runs * case.dim * case.steps
    return Contest(
        kernel="descend",
        case=f"{case.runs} x {case.dim} x {case.steps} steps, noise",
        dtype="float32",
        threads=count,
        ours=timed(case.ours),
        peers={name: timed(peer) for name, peer in peers.items()},
        missing=missing,
        agrees=agrees,
        limit="vector peak",
        least_seconds=work / cpu.peak_operations(min(count, case.runs)),
    )


def agreement(case: Case, peer: Peer, ours: Peer | None = None) -> str:
    """Whether a peer computes what we do: the same end without noise, the same spread with it."""
    ours = ours or case.ours
    start = np.linspace(0.5, 1.5, case.runs * case.dim, dtype=np.float32).reshape(case.runs, case.dim)
    difference = np.abs(ours(start, 0.0) - peer(start, 0.0)).max()
    # Descent from here contracts, so rounding errors of single steps (half an ulp of 1.5, twice) do not add up beyond
    # their sum over 1 / (lr * smallest curvature) = 40 steps.
    same = bool(difference <= 40 * 2 * np.finfo(np.float32).eps)
    spreads = [_spread(case, points(np.zeros_like(start), case.noise)) for points in (ours, peer)]
    # The mean of n squares of normals has standard deviation sqrt(2 / n); six of them are never seen.
    slack = 6 * np.sqrt(2 / (case.runs * (case.dim - 1)))
    alike = all(abs(spread - 1) <= slack for spread in spreads)
    return "yes" if same and alike else f"NO: {difference:.1e}, spread {spreads[1]:.3f}"


def _spread(case: Case, points: Any) -> float:
    """The mean square of the stable coordinates over its exact value s² (1 − r^2T) / (1 − r²), r = 1 − lr λ."""
    ratio = (1 - case.lr * np.linspace(0.5, 2.0, case.dim - 1)) ** 2
    exact = case.noise * (1 - ratio**case.steps) / (1 - ratio)
    return float(np.mean(np.square(points[:, 1:], dtype=np.float64) / exact))
