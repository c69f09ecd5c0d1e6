"""Noise-injected descent of very many runs on the GPU, against our own CPU, and against CuPy and PyTorch on the GPU."""

from __future__ import annotations

import numpy as np

from optlab.backends.gpu.device import download, upload
from optlab.bench import descend_gpu_peers
from optlab.bench.descend import Array, Case, Peer, agreement
from optlab.bench.rows import Contest, Row, Run
from optlab.descend import descend
from optlab.optim import SGD
from optlab.threads import current as current_threads


def run(quick: bool) -> list[Row]:
    """The rows of ``optlab bench descend --device gpu``."""
    case = Case(10**5, 16, 100) if quick else Case(10**6, 16, 1000)
    return contest(case).rows(3 if quick else 5)


def contest(case: Case) -> Contest:
    """The contest of one case, with agreement checked. Everybody takes points from the host and brings them back."""
    zeros = np.zeros((case.runs, case.dim), np.float32)
    peers, missing = descend_gpu_peers.load(case)
    peers = {"our own CPU": case.ours, **peers}
    ours = on_gpu(case)

    def timed(peer: Peer) -> Run:
        return lambda: peer(zeros, case.noise)

    return Contest(
        kernel="descend",
        case=f"{case.runs} x {case.dim} x {case.steps} steps, noise",
        dtype="float32",
        threads=current_threads(),
        ours=timed(ours),
        peers={name: timed(peer) for name, peer in peers.items()},
        missing=missing,
        agrees={name: agreement(case, peer, ours) for name, peer in peers.items()},
    )


def on_gpu(case: Case) -> Peer:
    """The final points, computed on the GPU."""

    def ours(x0: Array, noise: float) -> Array:
        path = descend(case.landscape(), SGD(lr=case.lr), upload(x0), case.steps, noise=noise, record=[])
        return download(path.last)

    return ours
