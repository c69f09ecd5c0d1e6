"""Batch normalization forward and backward on the card, against PyTorch there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from optlab.backends.gpu import batch_norm
from optlab.backends.gpu.device import empty, upload
from optlab.bench import batchnorm, card
from optlab.bench.batchnorm import Case
from optlab.bench.batchnorm_peers import EPS, Arrays
from optlab.bench.rows import Contest, Row

BYTES = 20
"""An element: x read and y written forward; dy and x read, dx written backward. What is read twice counts once."""

CASES = (
    Case(65536, 1024, calls=20),
    Case(8192, 4096, calls=20),
    Case(4096, 2048, calls=50),
    Case(256, 2048, calls=200),
)
"""THE list of cases on the card."""


def run(quick: bool) -> list[Row]:
    """The rows of ``optlab bench batchnorm --device gpu``."""
    cases = CASES[2:] if quick else CASES
    return [row for case in cases for row in contest(case).rows(5 if quick else 21)]


def contest(case: Case) -> Contest:
    """The contest of one case, with agreement checked."""
    arrays = batchnorm.inputs(case)
    step, results = ours(arrays)
    step()
    mine = card.on_host(results)
    return card.contest(
        "batch norm",
        f"{case.batch} x {case.features}",
        "float32",
        step,
        {"PyTorch": lambda: torch_kernels(arrays)},
        lambda theirs: batchnorm.agreement(arrays, mine, theirs),
        calls=case.calls,
        moved=float(BYTES) * case.batch * case.features,
    )


def ours(arrays: Arrays) -> tuple[Callable[[], None], list[Any]]:
    """Both passes into given arrays, and those arrays: y, dx, dgamma, dbeta."""
    x, dy, gamma, beta = (upload(array) for array in arrays)
    room = empty(batch_norm.scratch_numbers(x.shape[0], x.shape[1], x.dtype), x.dtype)
    first = tuple(empty(shape, x.dtype) for shape in (x.shape, gamma.shape, gamma.shape))
    second = tuple(empty(shape, x.dtype) for shape in (x.shape, gamma.shape, gamma.shape))

    def step() -> None:
        batch_norm.batch_norm_forward(x, gamma, beta, EPS, out=first, scratch=room)
        batch_norm.batch_norm_backward(dy, x, gamma, first[1], first[2], out=second, scratch=room)

    return step, [first[0], *second]


def torch_kernels(arrays: Arrays) -> tuple[Callable[[], None], Callable[[], Sequence[Any]]]:
    """The two kernels called directly, without autograd."""
    torch = card.torch()
    x, dy, gamma, beta = (torch.from_numpy(array).cuda() for array in arrays)
    backward = torch.ops.aten.native_batch_norm_backward
    found: list[Any] = []

    def step() -> None:
        y, centre, rstd = torch.native_batch_norm(x, gamma, beta, None, None, True, 0.1, EPS)
        found[:] = [y, *backward(dy, x, gamma, None, None, centre, rstd, True, EPS, [True, True, True])]

    return step, lambda: [np.asarray(each.cpu()) for each in found]
