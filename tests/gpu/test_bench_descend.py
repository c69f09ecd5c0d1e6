"""The benchmark of descents on the GPU, at a tiny size."""

from __future__ import annotations

from optlab.backends.gpu.device import Device
from optlab.bench import descend_gpu
from optlab.bench.descend import Case


def test_the_rows_are_complete_and_ours_agree(device: Device) -> None:
    rows = descend_gpu.contest(Case(64, 16, 60)).rows(1)
    by_peer = {row.peer: row for row in rows}
    assert by_peer["our own CPU"].agrees == "yes"
    assert set(by_peer) == {"our own CPU", "CuPy", "PyTorch, CUDA graph"}
    for row in rows:
        assert row.seconds > 0 and (row.peer_seconds is None) == (row.ratio is None)
        assert row.agrees == "yes" if row.peer_seconds else row.agrees
