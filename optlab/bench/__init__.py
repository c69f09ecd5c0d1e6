"""Benchmarks against what people would use instead: interleaved, in one process, agreement checked first."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from optlab.bench import descend, step
from optlab.bench.rows import Row, show
from optlab.errors import UsageError, did_you_mean
from optlab.kernels.select import info

Benchmark = Callable[[bool], list[Row]]

BENCHMARKS: dict[str, Benchmark] = {"descend": descend.run, "step": step.run}
"""THE list of benchmarks."""


def run(names: Sequence[str], quick: bool, json_path: Path | None) -> list[dict[str, Any]]:
    """Runs the named benchmarks, or all, prints their rows and writes them as JSON when asked.

    Raises:
        UsageError: a name is unknown.
    """
    for name in names:
        if name not in BENCHMARKS:
            raise UsageError(f"no benchmark named '{name}'{did_you_mean(name, BENCHMARKS)}")
    rows = [row for name in names or BENCHMARKS for row in BENCHMARKS[name](quick)]
    show(rows)
    records = [row.to_json() for row in rows]
    if json_path is not None:
        json_path.write_text(json.dumps({"schema": 1, "kernels": info(), "rows": records}, indent=2) + "\n")
    return records
