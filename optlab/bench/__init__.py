"""Benchmarks against what people would use instead: interleaved, in one process, agreement checked first."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from optlab import plotting
from optlab.bench import (
    batchnorm,
    batchnorm_gpu,
    dense,
    dense_gpu,
    descend,
    descend_gpu,
    matmul,
    mlp,
    mlp_gpu,
    passes_figure,
    updates,
    updates_figure,
    updates_gpu,
)
from optlab.bench.rows import Row, show
from optlab.errors import UsageError, did_you_mean
from optlab.kernels.select import info

__all__ = ["BENCHMARKS", "GPU_BENCHMARKS", "PICTURES", "Picture", "Row", "run", "show"]

BENCHMARKS: dict[str, Callable[[bool], list[Row]]] = {
    "descend": descend.run,
    "updates": updates.run,
    "matmul": matmul.run,
    "batchnorm": batchnorm.run,
    "dense": dense.run,
    "mlp": mlp.run,
    "hvp": mlp.run_hvp,
}
"""THE list of benchmarks: what measures the rows, the quick way or not."""

GPU_BENCHMARKS: dict[str, Callable[[bool], list[Row]]] = {
    "descend": descend_gpu.run,
    "updates": updates_gpu.run,
    "batchnorm": batchnorm_gpu.run,
    "dense": dense_gpu.run,
    "matmul": dense_gpu.run_products,
    "mlp": mlp_gpu.run,
    "hvp": mlp_gpu.run_hvp,
}
"""Those of ``--device gpu``."""


@dataclass(frozen=True)
class Picture:
    """What draws the rows of some benchmarks."""

    plot: Callable[[Sequence[Mapping[str, Any]]], Figure]
    needs: tuple[str, ...]


PICTURES = {
    "updates": Picture(updates_figure.plot, ("updates",)),
    "passes": Picture(passes_figure.plot, ("matmul", "batchnorm", "dense")),
}
"""THE list of pictures, drawn as bench_NAME where all they need was measured."""


def run(
    names: Sequence[str],
    quick: bool,
    json_path: Path | None = None,
    figures: Path | None = None,
    device: str = "cpu",
) -> list[dict[str, Any]]:
    """Runs the named benchmarks, or all, prints their rows and writes them as JSON and pictures when asked.

    Raises:
        UsageError: a name is unknown, or pictures are asked for and there is none.
    """
    listed = GPU_BENCHMARKS if device == "gpu" else BENCHMARKS
    for name in names:
        if name not in listed:
            place = " of the GPU" if device == "gpu" else ""
            raise UsageError(f"no benchmark{place} named '{name}'{did_you_mean(name, listed)}")
    chosen = {name: listed[name] for name in names or listed}
    drawn = [] if figures is None else [name for name, picture in PICTURES.items() if {*picture.needs} <= {*chosen}]
    if figures is not None:
        if not drawn:
            known = "; one of ".join(", ".join(picture.needs) for picture in PICTURES.values())
            raise UsageError(f"--figure: no picture of {', '.join(chosen)}; there is one of {known}")
        figures.mkdir(parents=True, exist_ok=True)  # before the work, so that a wrong name costs no waiting
    if json_path is not None:
        json_path.parent.mkdir(parents=True, exist_ok=True)
    measured = {name: measure(quick) for name, measure in chosen.items()}
    show([row for rows in measured.values() for row in rows])
    records = {name: [row.to_json() for row in rows] for name, rows in measured.items()}
    everything = [row for rows in records.values() for row in rows]
    if json_path is not None:
        json_path.write_text(_text(everything), encoding="utf-8")
    for name in drawn:
        rows = [row for need in PICTURES[name].needs for row in records[need]]
        _draw(Path(figures or "") / f"bench_{name}", PICTURES[name].plot(rows), rows)
    return everything


def _text(records: Sequence[Mapping[str, Any]]) -> str:
    return json.dumps({"schema": 1, "kernels": info(), "rows": records}, indent=2) + "\n"


def _draw(path: Path, sheet: Figure, records: Sequence[Mapping[str, Any]]) -> None:
    """The picture, and the rows from which it can be drawn again."""
    contents = {".png": plotting.png(sheet), ".svg": plotting.svg(sheet), ".json": _text(records).encode()}
    for ending, content in contents.items():
        path.with_suffix(ending).write_bytes(content)
