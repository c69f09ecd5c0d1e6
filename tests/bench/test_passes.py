"""The benchmarks of passes: what rows say, that a wrong result is found out, that peers agree; never a speed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from optlab import ops
from optlab.bench import dense, matmul, passes
from optlab.bench import rows as rows_module
from optlab.bench.passes import Pass

pytestmark = pytest.mark.slow

SMALL = {form: matmul.product((5, 7, 6), form) for form in matmul.FORMS}
EVERYTHING = [*SMALL.values(), *(make(True) for make in dense.PASSES)]


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_module, "SETTLE", 0.0)


def name(case: Pass) -> str:
    return f"{case.kernel}, {case.case}"


@pytest.mark.parametrize("case", EVERYTHING, ids=name)
def test_ours_agrees_with_float64(case: Pass) -> None:
    assert case.disagreement(case.ours()) == ""


@pytest.mark.parametrize("case", EVERYTHING, ids=name)
def test_installed_peers_agree(case: Pass) -> None:
    for peer, make in case.makers.items():
        pytest.importorskip(passes.MODULES[peer.split()[0]])
        assert case.disagreement(make()()) == "", peer


def test_rows_hold_the_fields_of_the_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes, "MODULES", {"NumPy": "numpy", "PyTorch": "a_library_that_nobody_has", "JAX": "neither"})
    by_peer = {row.peer: row for row in SMALL["y = x W'"].rows(1)}
    assert by_peer["NumPy"].agrees == "yes"
    assert by_peer["PyTorch"].agrees == by_peer["JAX"].agrees == "not installed"
    row = by_peer["NumPy"]
    assert (row.kernel, row.case, row.dtype) == ("matmul", "y = x W', 5 x 7 x 6", "float32")
    assert row.limit == "the FMA peak" and row.limit_share is not None and row.limit_share > 0


def test_the_share_is_of_a_limit_timed_among_the_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = {"ours": 8.0, "peer": 4.0, "": 2.0}
    monkeypatch.setattr(rows_module, "interleave", lambda runs, repeats: {name: taken[name] for name in runs})
    contest = rows_module.Contest("k", "c", "float32", 1, int, {"peer": int}, {}, {"peer": "yes"}, "a limit", calls=2)
    (without,), (row,) = contest.rows(1), replace(contest, at_limit=int).rows(1)
    assert without.limit_share is None
    assert (row.limit_share, row.seconds, row.peer_seconds) == (0.25, 4.0, 2.0)


def test_a_wrong_kernel_is_never_timed() -> None:
    case = SMALL["dx = dy W"]
    wrong = replace(case, ours=lambda: [array * np.float32(1.001) for array in case.ours()])
    with pytest.raises(AssertionError, match=r"matmul, dx = dy W, .*: ours result 0 differs by"):
        wrong.rows(1)


def test_a_wrong_mask_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    real = ops.dropout_forward
    case = dense.dropout(True)
    monkeypatch.setattr(ops, "dropout_forward", lambda x, p, seed, out: real(x, 0.49, seed, out=out))
    assert "result" in case.disagreement(case.ours())


def test_a_nan_never_agrees() -> None:
    case: Any = SMALL["dW = dy' x"]
    assert case.disagreement([np.full_like(case.exact[0], np.nan)]) != ""
