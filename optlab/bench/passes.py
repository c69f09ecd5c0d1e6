"""What the benchmarks of passes share: a pass with its peers, all judged against one computation in float64."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optlab.bench.rows import Contest, Row
from optlab.kernels.select import cpu
from optlab.threads import current as current_threads

Array = NDArray[Any]
Results = Callable[[], Sequence[Any]]
MODULES = {"NumPy": "numpy", "PyTorch": "torch", "JAX": "jax"}
"""The module that a peer needs, by the first word of its name."""


def seeded(*shape: int, seed: int) -> NDArray[np.float32]:
    """Standard normal numbers."""
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


@dataclass(frozen=True)
class Pass:
    """One kernel in one case, ours and the peers', each returning the arrays that are compared.

    ``makers`` build the peers that are installed. ``exact`` is the float64 result and ``bounds`` the largest error that
    each array may have, after ``seen`` has made of the results what can be compared. The limit is ``work`` bytes at
    ``rate`` per second, or so many ``products`` (operations) in registers, measured beside the others, or nothing.
    A call may be many ``steps``; the rows give the time of one, and ``products`` are those of one. What runs ``beside``
    is timed like a peer, but computes something else.
    """

    kernel: str
    case: str
    ours: Results
    makers: Mapping[str, Callable[[], Results]]
    exact: Sequence[Array]
    bounds: Sequence[Any]
    work: float = 0.0
    rate: float = 0.0
    products: float = 0.0
    calls: int = 1
    steps: int = 1
    beside: Mapping[str, Callable[[], Any]] = field(default_factory=dict)
    seen: Callable[[Sequence[Any]], Sequence[Any]] = tuple

    def rows(self, repeats: int) -> list[Row]:
        """Checks agreement, then measures all in turn."""
        needed = {name: MODULES[name.split()[0]] for name in self.makers}
        missing = {name: "not installed" for name, module in needed.items() if not importlib.util.find_spec(module)}
        peers = {name: make() for name, make in self.makers.items() if name not in missing}
        wrong = self.disagreement(self.ours())
        if wrong:
            raise AssertionError(f"{self.kernel}, {self.case}: ours {wrong}")
        return Contest(
            kernel=self.kernel,
            case=self.case,
            dtype="float32",
            threads=current_threads(),
            ours=repeated(self.ours, self.calls),
            peers={name: repeated(peer, self.calls) for name, peer in {**peers, **self.beside}.items()},
            missing=missing,
            agrees={name: self.disagreement(peer()) or "yes" for name, peer in peers.items()}
            | dict.fromkeys(self.beside, "another quantity"),
            limit="the FMA peak" if self.products else f"{self.rate / 1e9:.0f} GB/s" if self.rate else None,
            least_seconds=self.work / self.rate if self.rate else None,
            calls=self.calls * self.steps,
            at_limit=self.at_limit if self.products else None,
        ).rows(repeats)

    def at_limit(self) -> None:
        """The products of all calls, without a matrix."""
        cpu.multiply_in_registers(self.products * self.calls * self.steps, current_threads())

    def disagreement(self, found: Sequence[Any]) -> str:
        """What is wrong, or nothing."""
        for number, (exact, bound, given) in enumerate(zip(self.exact, self.bounds, self.seen(found), strict=True)):
            error = np.abs(np.asarray(given, np.float64) - exact)
            if not (error <= bound).all():
                return f"result {number} differs by {np.max(error / bound):.1f} times the bound"
        return ""


def repeated(run: Results, calls: int) -> Callable[[], None]:
    """A run of several calls."""

    def all_calls() -> None:
        for _ in range(calls):
            run()

    return all_calls
