"""The benchmarks of updates and networks on the card, at tiny sizes: complete rows, and ours right."""

from __future__ import annotations

from typing import Any

import pytest

from optlab.backends.gpu.device import Device
from optlab.bench import mlp_gpu, updates_gpu
from optlab.bench import rows as rows_module
from optlab.bench.mlp import Case as Network
from optlab.bench.updates import ADAM, FUSED, Case

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_module, "SETTLE", 0.0)
    monkeypatch.setattr(mlp_gpu, "SAMPLES", 16)
    monkeypatch.setattr(mlp_gpu, "LARGE", 16)


def complete(row: Any) -> None:
    assert row.peer.startswith("PyTorch") and row.seconds > 0
    assert row.agrees == "yes" if row.peer_seconds else row.agrees


@pytest.mark.parametrize("case", [Case("AdamW", 300, (FUSED,), ADAM), Case("AdamW8bit", 300, (FUSED,), ADAM),
                                  Case("AdamW", 30, (FUSED,), ADAM, arrays=3)], ids=str)  # fmt: skip
def test_updates(device: Device, case: Case) -> None:
    (row,) = updates_gpu.contest(case).rows(1)
    complete(row)
    assert row.limit == "a copy"


@pytest.mark.parametrize("mode", ["float32", "tf32", "bf16"])
def test_training_steps(device: Device, mode: str) -> None:
    (row,) = mlp_gpu.training(Network((5, 8, 3), 4, 6), mode).rows(1)
    complete(row)


def test_hessian_vector_products(device: Device) -> None:
    (row,) = mlp_gpu.curvature(Network((5, 8, 3), 4, 1)).rows(1)
    complete(row)
