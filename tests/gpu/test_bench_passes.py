"""The benchmarks of passes on the card, at tiny sizes: complete rows, agreement, and wrong results found out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from optlab.backends.gpu.device import Device
from optlab.bench import batchnorm_gpu, card, dense_gpu
from optlab.bench import rows as rows_module
from optlab.bench.batchnorm import Case
from optlab.bench.rows import Contest

pytestmark = pytest.mark.slow

MAKERS: dict[str, Callable[[], Contest]] = {
    "batch norm": lambda: batchnorm_gpu.contest(Case(40, 12, calls=2)),
    "dense": lambda: dense_gpu.followed(30, 7),
    **{mode: lambda mode=mode: dense_gpu.product(8, 16, 5, mode, 16) for mode in dense_gpu.DIGITS},
}


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_module, "SETTLE", 0.0)


@pytest.mark.parametrize("name", MAKERS)
def test_rows_are_complete(device: Device, name: str) -> None:
    (row,) = MAKERS[name]().rows(1)
    assert row.peer == "PyTorch" and row.seconds > 0 and row.limit_share and row.limit_share > 0
    assert row.agrees == "yes" if row.peer_seconds else row.agrees


class Module:
    """Stands for PyTorch on the card."""

    def __init__(self, results: list[Any]) -> None:
        self.results = results

    def maker(self, *_: Any) -> tuple[Callable[[], None], Callable[[], list[Any]]]:
        return lambda: None, lambda: self.results


def test_a_wrong_result_is_found_out(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = batchnorm_gpu.batchnorm.inputs(Case(40, 12))
    step, results = batchnorm_gpu.ours(arrays)
    step()
    right = card.on_host(results)
    for factor, said in ((1, "yes"), (1.001, "NO: dgamma of theirs")):
        peer = Module([array * np.float32(factor if k == 2 else 1) for k, array in enumerate(right)])
        monkeypatch.setattr(batchnorm_gpu, "torch_kernels", peer.maker)
        assert batchnorm_gpu.contest(Case(40, 12, calls=1)).agrees["PyTorch"].startswith(said)
    product = np.ones((8, 5), np.float32)
    monkeypatch.setattr(dense_gpu, "torch_product", Module([product]).maker)
    assert dense_gpu.product(8, 16, 5, "float32", 16).agrees["PyTorch"] == "NO: theirs"
