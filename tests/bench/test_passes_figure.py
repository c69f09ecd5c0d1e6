"""The picture of the benchmarks of passes."""

from __future__ import annotations

from typing import Any

import pytest
from matplotlib.text import Text

from optlab import plotting
from optlab.bench import PICTURES, batchnorm, matmul, passes_figure
from optlab.bench.rows import Row


def records() -> list[dict[str, Any]]:
    """Every product at 80 % of 500 GFLOP/s, and every pass over memory at half of 50 GB/s."""
    rows = []
    for layer in matmul.SHAPES:
        for form in matmul.FORMS:
            batch, inputs, outputs = layer
            seconds = 2.0 * batch * inputs * outputs / 400e9
            case = f"{form}, {batch} x {inputs} x {outputs}"
            rows += [
                Row("matmul", case, "float32", 2, seconds, p, 2 * seconds, 2.0, "the FMA peak", 0.8, "yes")
                for p in matmul.PEERS
            ]
    for case_ in batchnorm.CASES:
        seconds = 20.0 * case_.batch * case_.features / 25e9
        rows.append(
            Row("batch norm", str(case_), "float32", 2, seconds, "JAX", None, None, "50.0 GB/s", 0.5, "not installed")
        )
    return [row.to_json() for row in rows]


def test_the_picture_needs_only_the_rows() -> None:
    sheet = passes_figure.plot(records())
    content = plotting.png(sheet)
    assert len(content) < 300_000 and plotting.png(passes_figure.plot(records())) == content
    texts = [text for text in sheet.findobj(Text) if text.get_text()]
    assert min(text.get_fontsize() for text in texts) >= 14
    shown = {text.get_text() for text in texts}
    assert {
        "memory 50 GB/s",
        "vector units 500 GFLOP/s",
        "Products: 80 to 80 % of the peak",
        "batch norm 1e6 x 4",
    } <= shown


def test_limits_and_rates_are_those_of_the_rows() -> None:
    assert passes_figure.limits(records()) == pytest.approx((50.0, 500.0))
    assert passes_figure.rate(records()[0]) == pytest.approx(400.0)
    assert set(PICTURES["passes"].needs) == {"matmul", "batchnorm", "dense"}
