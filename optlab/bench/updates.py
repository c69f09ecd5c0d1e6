"""One step of every optimizer, the call from Python included, against its peers and the memory's speed."""

from __future__ import annotations

import math
import multiprocessing
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import chain

import numpy as np

from optlab import optim
from optlab.bench import updates_peers
from optlab.bench.rows import Contest, Row
from optlab.bench.updates_agreement import STEPS, agreement
from optlab.bench.updates_peers import Array, Stepper
from optlab.bench.updates_rules import RULES
from optlab.kernels.select import cpu
from optlab.threads import current as current_threads
from optlab.threads import threads


@dataclass(frozen=True)
class Case:
    """One rule at one size, and its peers: each group is one row, that of its fastest member."""

    rule: str
    size: int
    peers: tuple[tuple[str, ...], ...]
    options: Mapping[str, float] = field(default_factory=dict)
    arrays: int = 1
    calls: int = 1
    processes: int = 1

    @property
    def kind(self) -> str:
        """The class of the optimizer."""
        return self.rule.split()[0]

    @property
    def elements(self) -> int:
        """The number of parameters."""
        return self.arrays * self.size

    def __str__(self) -> str:
        return f"{self.arrays} x {self.size:,} parameters" if self.arrays > 1 else f"{self.size:,} parameters"


FUSED, EAGER, COMPILED = ("PyTorch fused",), ("PyTorch foreach", "PyTorch loop"), ("PyTorch compiled",)
FUSED_SMALL, FOREACH_SMALL = ((form, f"{form}, 1 thread") for form in ("PyTorch fused", "PyTorch foreach"))
ADAM, PLAIN, MOMENTUM = {"lr": 1e-3, "weight_decay": 1e-2}, {"lr": 1e-3}, {"lr": 1e-3, "momentum": 0.9}
TRUST = {"lr": 1e-2, "momentum": 0.9, "trust_coefficient": 1e-3}

CASES = (
    Case("AdamW", 10**3, (FUSED_SMALL,), ADAM, calls=2000),
    Case("AdamW", 10**5, (FUSED_SMALL,), ADAM, calls=200),
    # In a cache of this size it matters where the arrays lie, which differs between processes.
    Case("AdamW", 10**6, (FUSED,), ADAM, calls=20, processes=3),
    Case("AdamW", 5 * 10**7, (FUSED,), ADAM, calls=2),
    Case("AdamW8bit", 5 * 10**7, (FUSED,), ADAM, calls=2),
    Case("Adadelta", 10**7, (EAGER, COMPILED), calls=5),
    Case("RMSprop", 10**7, (EAGER, COMPILED), calls=5),
    Case("Adamax", 10**7, (EAGER, COMPILED), calls=5),
    Case("NAdam", 10**7, (EAGER, COMPILED), calls=5),
    Case("LAMB", 10**7, (("optax",),), ADAM, calls=5),
    Case("LARS", 10**7, (("optax",),), TRUST, calls=5),
    Case("Adagrad", 10**7, (FUSED, COMPILED), calls=5),
    Case("SGD", 10**7, (FUSED, COMPILED), PLAIN, calls=5),
    Case("SGD momentum", 10**7, (FUSED, COMPILED), MOMENTUM, calls=5),
    Case("AdamW", 10**3, (FOREACH_SMALL, FUSED_SMALL), ADAM, arrays=100, calls=50),
    Case("SGD momentum", 10**3, (FUSED_SMALL, ("NumPy",)), MOMENTUM, calls=2000),
)
"""THE list of cases."""


def run(quick: bool) -> list[Row]:
    """The rows of ``optlab bench updates``, those of the machine's own limits first."""
    cases = [quickly(case) if quick else case for case in CASES if hasattr(optim, case.kind)]
    repeats = 5 if quick else 21
    rows = machine(max(case.size for case in cases))
    return rows + [row for case in cases for row in measured(case, repeats)]


def quickly(case: Case) -> Case:
    """A smaller case, in this process and without the compiler of PyTorch."""
    peers = tuple(group for group in case.peers if group != COMPILED)
    return replace(case, size=min(case.size, 10**6), calls=-(-case.calls // 4), processes=1, peers=peers)


def machine(elements: int) -> list[Row]:
    """The speed of registers, and that of memory for the streams of Adam, as rows without a peer."""
    count = current_threads()
    rates = {"vector peak": cpu.peak_operations(count), "update bandwidth": bandwidth("AdamW", elements)}
    cases = ("10^9 sums and products", "10^9 bytes, updated in place")
    return [
        Row("machine", case, "float32", count, 1e9 / rate, "none", None, None, limit, 1.0, "no peer")
        for case, (limit, rate) in zip(cases, rates.items(), strict=True)
    ]


def bandwidth(rule: str, elements: int) -> float:
    """The most bytes per second of a loop over as many streams and elements as the update has, with one sum each."""
    costs = RULES[rule]
    repeats = max(25, min(10**4, 10**8 // elements))
    counts = {1, current_threads()} if elements <= 10**6 else {current_threads()}  # a small loop may be faster alone
    streams = costs.read_only, math.ceil(costs.read_write)
    best: float = max(cpu.update_bandwidth(*streams, elements, count, repeats) for count in counts)
    return best


def measured(case: Case, repeats: int) -> list[Row]:
    """The rows of a case; of several processes, the row with the middle ratio."""
    if case.processes == 1:
        return rows_of(case, repeats, current_threads())
    tries = []
    for _ in range(case.processes):
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as alone:
            tries.append(alone.submit(rows_of, case, repeats, current_threads()).result())
    return middle(tries)


def middle(tries: Sequence[Sequence[Row]]) -> list[Row]:
    """Of several times the same rows, each where its ratio is the middle one."""
    return [sorted(same, key=lambda row: row.ratio or 0.0)[len(same) // 2] for same in zip(*tries, strict=True)]


def rows_of(case: Case, repeats: int, count: int) -> list[Row]:
    """The contest in this process, and of each group of peers the fastest."""
    with threads(count):
        rows = contest(case).rows(repeats)
    return [fastest([row for row in rows if row.peer in group]) for group in case.peers]


def fastest(rows: Sequence[Row]) -> Row:
    """The row of the fastest peer; the first one's where none could run."""
    return min(rows, key=lambda row: math.inf if row.peer_seconds is None else row.peer_seconds)


def contest(case: Case) -> Contest:
    """The contest of one case, with agreement checked."""
    x0, g = (np.random.default_rng(seed).standard_normal(case.elements, np.float32) for seed in (0, 1))
    ours = our_step(case, np.split(x0, case.arrays), np.split(g, case.arrays))
    ours.repeated(STEPS)()
    peers, agrees, missing = met(case, x0, g, ours.point())
    limit = bandwidth(case.rule, case.elements)
    return Contest(
        kernel=case.rule,
        case=str(case),
        dtype="float32",
        threads=current_threads(),
        ours=ours.repeated(case.calls),
        peers={name: peer.repeated(case.calls) for name, peer in peers.items()},
        missing=missing,
        agrees=agrees,
        limit=f"{limit / 1e9:.1f} GB/s",
        least_seconds=case.elements * RULES[case.rule].bytes / limit,
        calls=case.calls,
    )


def met(case: Case, x0: Array, g: Array, reached: Array) -> tuple[dict[str, Stepper], dict[str, str], dict[str, str]]:
    """The peers after their first steps, whether they reached the same point, and why others take no part."""
    peers: dict[str, Stepper] = {}
    missing: dict[str, str] = {}
    for name in chain(*case.peers):
        try:
            peers[name] = updates_peers.make(name, case, np.split(x0, case.arrays), np.split(g, case.arrays), STEPS)
        except updates_peers.Unable as reason:
            missing[name] = str(reason)
    agrees = {name: agreement(case.rule, x0, reached, peer.point()) for name, peer in peers.items()}
    return peers, agrees, missing


def our_step(case: Case, xs: Sequence[Array], gs: Sequence[Array]) -> Stepper:
    """Our step."""
    optimizer, points = getattr(optim, case.kind)(**case.options), [x.copy() for x in xs]
    x, g = (points, list(gs)) if case.arrays > 1 else (points[0], gs[0])
    state = optimizer.init(x)
    return Stepper(lambda: optimizer.step(x, g, state), lambda: np.concatenate(points))
