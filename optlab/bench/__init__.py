"""Benchmarks against what people would use instead: interleaved, in one process, agreement checked first."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from optlab import plotting
from optlab.bench import batchnorm, dense, descend, matmul, mlp, updates, updates_figure
from optlab.bench.rows import Row, show
from optlab.errors import UsageError, did_you_mean
from optlab.kernels.select import info


@dataclass(frozen=True)
class Benchmark:
    """What measures the rows, the quick way or not, and what draws them where there is a picture."""

    measure: Callable[[bool], list[Row]]
    plot: Callable[[Sequence[Mapping[str, Any]]], Figure] | None = None


BENCHMARKS = {
    "descend": Benchmark(descend.run),
    "updates": Benchmark(updates.run, updates_figure.plot),
    "matmul": Benchmark(matmul.run),
    "batchnorm": Benchmark(batchnorm.run),
    "dense": Benchmark(dense.run),
    "mlp": Benchmark(mlp.run),
    "hvp": Benchmark(mlp.run_hvp),
}
"""THE list of benchmarks."""


def run(
    names: Sequence[str], quick: bool, json_path: Path | None = None, figures: Path | None = None
) -> list[dict[str, Any]]:
    """Runs the named benchmarks, or all, prints their rows and writes them as JSON and pictures when asked.

    Raises:
        UsageError: a name is unknown, or pictures are asked for and there is none.
    """
    for name in names:
        if name not in BENCHMARKS:
            raise UsageError(f"no benchmark named '{name}'{did_you_mean(name, BENCHMARKS)}")
    chosen = {name: BENCHMARKS[name] for name in names or BENCHMARKS}
    if figures is not None:
        if not any(benchmark.plot for benchmark in chosen.values()):
            raise UsageError(f"--figure: no picture of {', '.join(chosen)}; there is one of updates")
        figures.mkdir(parents=True, exist_ok=True)  # before the work, so that a wrong name costs no waiting
    measured = {name: benchmark.measure(quick) for name, benchmark in chosen.items()}
    show([row for rows in measured.values() for row in rows])
    records = {name: [row.to_json() for row in rows] for name, rows in measured.items()}
    everything = [row for rows in records.values() for row in rows]
    if json_path is not None:
        json_path.write_text(_text(everything), encoding="utf-8")
    for name, benchmark in chosen.items():
        if figures is not None and benchmark.plot is not None:
            _draw(figures / f"bench_{name}", benchmark.plot(records[name]), records[name])
    return everything


def _text(records: Sequence[Mapping[str, Any]]) -> str:
    return json.dumps({"schema": 1, "kernels": info(), "rows": records}, indent=2) + "\n"


def _draw(path: Path, sheet: Figure, records: Sequence[Mapping[str, Any]]) -> None:
    """The picture, and the rows from which it can be drawn again."""
    contents = {".png": plotting.png(sheet), ".svg": plotting.svg(sheet), ".json": _text(records).encode()}
    for ending, content in contents.items():
        path.with_suffix(ending).write_bytes(content)
