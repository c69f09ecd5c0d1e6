"""Optimizer steps on the card, the call from Python included, against PyTorch's fused kernels there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from optlab import optim
from optlab.backends.gpu.device import upload
from optlab.bench import card
from optlab.bench.rows import Contest, Row
from optlab.bench.updates import ADAM, FUSED, Case
from optlab.bench.updates_agreement import STEPS, agreement
from optlab.bench.updates_rules import RULES

Array = Any
CASES = (
    Case("AdamW", 10**8, (FUSED,), ADAM, calls=20),
    Case("AdamW", 10**4, (FUSED,), ADAM, arrays=1000, calls=50),
    Case("AdamW8bit", 10**8, (FUSED,), ADAM, calls=20),
)
"""THE list of cases on the card."""


def run(quick: bool) -> list[Row]:
    """The rows of ``optlab bench updates --device gpu``."""
    cases = CASES[1:2] if quick else CASES
    return [row for case in cases for row in contest(case).rows(5 if quick else 21)]


def contest(case: Case) -> Contest:
    """The contest of one case; agreement is checked after some steps with the same gradient."""
    x0, g = (np.random.default_rng(seed).standard_normal(case.elements, np.float32) for seed in (0, 1))
    step, points = ours(case, np.split(x0, case.arrays), np.split(g, case.arrays))
    for _ in range(STEPS):
        step()
    mine = np.concatenate(card.on_host(points))
    return card.contest(
        case.rule,
        str(case),
        "float32",
        step,
        {"PyTorch fused": lambda: torch_fused(case, np.split(x0, case.arrays), np.split(g, case.arrays))},
        lambda theirs: agreement(case.rule, x0, mine, np.concatenate(theirs)),
        calls=case.calls,
        moved=float(case.elements * RULES[case.rule].bytes),
        graph=False,
    )


def ours(case: Case, xs: Sequence[Array], gs: Sequence[Array]) -> tuple[card.Work, list[Any]]:
    """Our step, and the points that it moves."""
    optimizer, points, slopes = getattr(optim, case.kind)(**case.options), [*map(upload, xs)], [*map(upload, gs)]
    x, g = (points, slopes) if case.arrays > 1 else (points[0], slopes[0])
    state = optimizer.init(x)
    return lambda: optimizer.step(x, g, state), points


def torch_fused(case: Case, xs: Sequence[Array], gs: Sequence[Array]) -> tuple[card.Work, Callable[[], Sequence[Any]]]:
    """The fused AdamW of float32 states, one step before those that are judged."""
    torch = card.torch()
    points = [torch.from_numpy(x).cuda().requires_grad_() for x in xs]
    for point, slope in zip(points, gs, strict=True):
        point.grad = torch.from_numpy(slope).cuda()
    optimizer = torch.optim.AdamW(points, **case.options, fused=True)
    for _ in range(STEPS - 1):  # the contest takes one more before it judges
        optimizer.step()
    return optimizer.step, lambda: [point.detach().cpu().numpy() for point in points]
