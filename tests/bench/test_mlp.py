"""The benchmarks of networks: ours agrees with float64, and installed peers agree with ours; never a speed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from optlab.bench import mlp, passes

pytestmark = pytest.mark.slow

SMALL = [
    mlp.training(mlp.Case((3, 5, 4, 2), 32, 4)),
    mlp.training(mlp.Case((3, 5, 4, 2), 32, 4, norm="batch")),
    mlp.training(mlp.Case((3, 5, 2), 16, 3, runs=2)),
    mlp.curvature(mlp.Case((4, 6, 3), 20, 1)),
]


@pytest.mark.parametrize("case", SMALL, ids=lambda case: f"{case.kernel}, {case.case}")
def test_ours_and_the_peers_agree(case: Any) -> None:
    assert case.disagreement(case.ours()) == ""
    for peer, make in case.makers.items():
        pytest.importorskip(passes.MODULES[peer.split()[0]])
        assert case.disagreement(make()()) == "", peer


def test_a_wrong_step_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    case = mlp.training(mlp.Case((3, 5, 2), 32, 40))
    monkeypatch.setattr(mlp, "LR", mlp.LR * 1.5)
    assert "result 0" in case.disagreement(case.ours())


def test_a_wrong_product_is_never_timed() -> None:
    case = SMALL[-1]
    wrong = replace(case, ours=lambda: [array * 1.001 for array in case.ours()])
    with pytest.raises(AssertionError, match="Hessian-vector product"):
        wrong.rows(1)
