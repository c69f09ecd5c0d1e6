"""The kernels beside a network's passes compile for every kind of GPU and stay in registers."""

from __future__ import annotations

import pytest
from gpu.compiling import ARCHS, assert_in_registers

from optlab.backends.gpu.sources import Kernel

pytestmark = pytest.mark.slow

NAMES = ("gather", "penalize", "add", "copy", "block_sums", "finish_sums")


@pytest.mark.parametrize("arch", ARCHS)
def test_kernels_stay_in_registers(arch: str) -> None:
    names = [f"{name}<{real}>" for name in NAMES for real in ("float", "double")]
    for name in [*names, "gather<optlab::i64>", "advance<optlab::i64>"]:
        assert_in_registers(Kernel("network.cu", f"optlab::{name}"), arch)
