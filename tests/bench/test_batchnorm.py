"""The batch normalization benchmark: what its rows say, and that a wrong kernel is found out; never its speed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from optlab import ops
from optlab.bench import batchnorm, batchnorm_peers
from optlab.bench import rows as rows_module
from optlab.bench.batchnorm import Case

SMALL = (Case(16, 40), Case(300, 5, fresh=True), Case(9, 70, fresh=True, running=True))


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_module, "SETTLE", 0.0)
    monkeypatch.setattr(batchnorm, "CASES", SMALL)


def without(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = {name: ("a_library_that_nobody_has", maker) for name, (_, maker) in batchnorm_peers.MAKERS.items()}
    monkeypatch.setattr(batchnorm_peers, "MAKERS", absent)


def test_rows_hold_what_the_contract_names(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch)
    rows = batchnorm.run(quick=True)
    assert len(rows) == len(SMALL) * len(batchnorm_peers.MAKERS)
    assert {row.case for row in rows} == {str(case) for case in SMALL}
    assert all((row.kernel, row.peer_seconds, row.agrees) == ("batch norm", None, "not installed") for row in rows)
    assert all(row.seconds > 0 and row.limit_share and row.limit_share > 0 for row in rows)


@pytest.mark.parametrize("case", SMALL, ids=str)
@pytest.mark.parametrize("name", batchnorm_peers.MAKERS)
def test_installed_peers_agree(name: str, case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip(batchnorm_peers.MAKERS[name][0])
    monkeypatch.setattr(batchnorm_peers, "MAKERS", {name: batchnorm_peers.MAKERS[name]})
    (row,) = batchnorm.contest(case).rows(1)
    assert row.agrees == "yes"
    assert row.ratio == pytest.approx((row.peer_seconds or 0) / row.seconds)


@pytest.mark.parametrize("factor", (1.0, 1.001))
def test_a_wrong_kernel_disagrees(factor: float) -> None:
    arrays = batchnorm.inputs(SMALL[0])
    right = batchnorm.ours(SMALL[0], arrays)()
    wrong: Callable[[int], Any] = lambda k: [r * np.float32(factor if i == k else 1) for i, r in enumerate(right)]  # noqa: E731
    for place, name in enumerate(batchnorm.NAMES):
        for mine, theirs, who in ((wrong(place), right, "ours"), (right, wrong(place), "theirs")):
            said = batchnorm.agreement(arrays, mine, theirs)
            assert said == "yes" if factor == 1 else said.startswith(f"NO: {name} of {who}")
    assert batchnorm.agreement(arrays, [np.full_like(r, np.nan) for r in right], right).startswith("NO: y of ours")


def test_quick_leaves_out_the_large(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch)
    monkeypatch.setattr(batchnorm, "CASES", (SMALL[0], Case(2**11, 2**10)))
    assert {row.case for row in batchnorm.run(quick=True)} == {str(SMALL[0])}


def test_given_outputs_are_written_into() -> None:
    step = batchnorm.ours(SMALL[0], batchnorm.inputs(SMALL[0]))
    assert all(a is b for a, b in zip(step(), step(), strict=True))
    assert ops.batch_norm_forward(np.ones((2, 2)))[0].shape == (2, 2)
