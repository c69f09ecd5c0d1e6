"""The pictures of benchmarks with their rows; they carry no claims."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optlab.gallery.article import download, pixels
from optlab.gallery.exhibits import Benchmark
from optlab.gallery.markup import Html, embedded, fill, fill_file, joined, typeset

_ROW = (
    '<tr><th scope="row">$kernel</th><td>$case, $dtype</td><td>$seconds s</td><td>$peer</td><td>$ratio</td>'
    "<td>$share</td><td>$agrees</td></tr>"
)


def benchmark(shown: Benchmark) -> Html:
    """Return the article about a picture of benchmarks."""
    width, height = pixels(shown.contents["png"])
    return fill_file(
        "benchmark.html",
        name=shown.name,
        title=f"{shown.name.capitalize()} against their peers and the limits of the machine",
        machine=f"{shown.kernels['threads']} threads, {shown.kernels['isa']}, {shown.kernels['compiler']}",
        still=embedded("image/png", shown.contents["png"]),
        width=width,
        height=height,
        count=len(shown.rows),
        rows=joined(map(_row, shown.rows)),
        download=download(f"bench_{shown.name}", "json", "rows", shown.contents["json"]),
    )


def _row(row: Mapping[str, Any]) -> Html:
    return fill(
        _ROW,
        kernel=row["kernel"],
        case=row["case"],
        dtype=row["dtype"],
        seconds=typeset(f"{row['seconds']:.3g}"),
        peer=row["peer"],
        ratio=_or_dash(row["ratio"], ".2f"),
        share=_or_dash(row["limit_share"], ".0%"),
        agrees=row["agrees"],
    )


def _or_dash(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)
