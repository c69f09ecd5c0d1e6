"""The rows of a benchmark, and how they are measured."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Run = Callable[[], Any]

SETTLE = 1.0
"""How many seconds to wait at most for idle threads of OpenMP to stop spinning, which slows whoever comes next."""


def settle() -> None:
    """Waits until no thread of this process is at work."""
    until = time.perf_counter() + SETTLE
    while time.perf_counter() < until:
        busy = time.process_time()
        time.sleep(0.01)
        if time.process_time() - busy < 0.001:
            return


@dataclass(frozen=True)
class Row:
    """One kernel against one peer in one case.

    ``ratio`` is the peer's time over ours; ``limit_share`` is the share of the named limit that ours reaches. A peer
    that is not installed has no times, and ``agrees`` says so. ``threads`` is ours, and PyTorch's unless its name says
    otherwise; JAX uses all cores, and so does NumPy's matrix product.
    """

    kernel: str
    case: str
    dtype: str
    threads: int
    seconds: float
    peer: str
    peer_seconds: float | None
    ratio: float | None
    limit: str | None
    limit_share: float | None
    agrees: str

    def to_json(self) -> dict[str, Any]:
        """The row as JSON takes it."""
        return dataclasses.asdict(self)


def interleave(runs: Mapping[str, Run], repeats: int) -> dict[str, float]:
    """The median seconds of each run, taken in turn so that a slow moment of the machine hits all alike."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for function in runs.values():
        function()
    for _ in range(repeats):
        for name, function in runs.items():
            settle()
            began = time.perf_counter()
            function()
            times[name].append(time.perf_counter() - began)
    return {name: statistics.median(taken) for name, taken in times.items()}


@dataclass(frozen=True)
class Contest:
    """One case of a kernel: our run, the peers' runs, those that are missing, and what was found to agree.

    A run may be many ``calls``; the rows give the seconds of one, and so does ``least_seconds``. Where ``at_limit`` is
    given, it does what the machine's limit lets do in no less time, and is timed among the others: its median is the
    least time.
    """

    kernel: str
    case: str
    dtype: str
    threads: int
    ours: Run
    peers: Mapping[str, Run]
    missing: Mapping[str, str]
    agrees: Mapping[str, str]
    limit: str | None = None
    least_seconds: float | None = None
    calls: int = 1
    at_limit: Run | None = None

    def rows(self, repeats: int) -> list[Row]:
        """Runs the contest."""
        limit = {"": self.at_limit} if self.at_limit else {}
        taken = interleave({"ours": self.ours, **self.peers, **limit}, repeats)
        seconds = {name: time / self.calls for name, time in taken.items()}
        least = seconds.get("", self.least_seconds)
        share = None if least is None else least / seconds["ours"]
        common = (self.kernel, self.case, self.dtype, self.threads, seconds["ours"])
        met = [
            Row(*common, name, seconds[name], seconds[name] / seconds["ours"], self.limit, share, self.agrees[name])
            for name in self.peers
        ]
        return met + [Row(*common, name, None, None, self.limit, share, why) for name, why in self.missing.items()]


def show(rows: Sequence[Row]) -> None:
    """Prints the rows as a table."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if not console.is_terminal:
        console = Console(width=150)
    table = Table("kernel", "case", "dtype", "threads", "ours", "peer", "its time", "ratio", "of the limit", "agrees")
    for row in rows:
        share = "" if row.limit_share is None else f"{row.limit_share:.0%} of {row.limit}"
        ratio = "" if row.ratio is None else f"{row.ratio:.1f} x"
        times = [_time(row.seconds), row.peer, _time(row.peer_seconds)]
        table.add_row(row.kernel, row.case, row.dtype, str(row.threads), *times, ratio, share, row.agrees)
    console.print(table)


def _time(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f"{seconds * 1e3:.1f} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.2f} us"
