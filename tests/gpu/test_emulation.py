"""The emulation finds what it is for: missing and unreached barriers, and memory that is not the kernel's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gpu import emulated
from gpu.emulated import EmulatedDevice

from optlab.backends.gpu.device import download, upload, using
from optlab.backends.gpu.sources import Kernel

TESTS = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(emulated.compiler() is None, reason="no compiler for the emulation")


class Given(Kernel):
    """A kernel whose text stands in the test."""

    def text(self) -> str:
        return self.file


def reversal(barrier: str) -> Kernel:
    keep, give = "kept[threadIdx.x] = x[threadIdx.x];", "x[threadIdx.x] = kept[63 - threadIdx.x];"
    text = f"__global__ void reversal(long long* x) {{ __shared__ long long kept[64]; {keep} {barrier} {give} }}"
    return Given(text, "reversal")


def launched(kernel: Kernel, x: Any, reverse: bool, block: int = 64) -> np.ndarray:
    with using(EmulatedDevice(reverse=reverse)) as device:
        there = upload(x)
        device.launch(kernel, (1,), (block,), [there])
        return download(there)


@pytest.mark.parametrize("reverse", [False, True])
def test_a_barrier_orders_threads(reverse: bool) -> None:
    np.testing.assert_array_equal(launched(reversal("__syncthreads();"), np.arange(64), reverse), np.arange(64)[::-1])


def test_a_missing_barrier_shows_in_one_order_or_the_other() -> None:
    x = np.arange(64)
    right = [(launched(reversal(""), x + 64 * k, bool(k)) == (x + 64 * k)[::-1]).all() for k in range(2)]
    assert not all(right)


@pytest.mark.parametrize("block", [1, 31, 32, 33, 64, 100])
@pytest.mark.parametrize("reverse", [False, True])
def test_shuffles(reverse: bool, block: int) -> None:
    text = (
        "__global__ void shuffled(long long* x) { const long long own = x[threadIdx.x]; const unsigned all = ~0u;"
        " x[threadIdx.x] = own + 1000 * __shfl_xor_sync(all, own, 1) + 1000000 * __shfl_down_sync(all, own, 16)"
        " + 1000000000ll * __shfl_sync(all, own, 3); }"
    )
    x = np.arange(block, dtype=np.int64)

    def lane(k: int, source: int) -> int:  # what a lane that is not there gives is not defined; here it is one's own
        return int(x[source]) if source < block else k

    expected = [
        k
        + 1000 * lane(k, k ^ 1)
        + 1000000 * (lane(k, k + 16) if k % 32 + 16 < 32 else k)
        + 1000000000 * lane(k, k // 32 * 32 + 3)
        for k in range(block)
    ]
    np.testing.assert_array_equal(launched(Given(text, "shuffled"), x, reverse, block), expected)


def fatal(text: str, sanitize: str = "") -> str:
    """What a process says that dies of running a kernel."""
    code = (
        "import numpy as np; from gpu.test_emulation import Given, launched\n"
        f"launched(Given({text!r}, 'bad'), np.arange(64), False)"
    )
    environment = {**os.environ, "OPTLAB_EMULATION_SANITIZE": sanitize, "ASAN_OPTIONS": "detect_leaks=0"}
    if sanitize:
        names = ("libasan.so", "libstdc++.so")
        found = [subprocess.check_output([str(emulated.compiler()), f"-print-file-name={n}"], text=True) for n in names]
        environment["LD_PRELOAD"] = " ".join(path.strip() for path in found)
    done = subprocess.run([sys.executable, "-c", code], cwd=TESTS, env=environment, capture_output=True, text=True)
    assert done.returncode != 0
    return done.stderr


def test_a_barrier_that_not_all_threads_reach_ends_the_program() -> None:
    text = "__global__ void bad(long long* x) { if (threadIdx.x < 32) __syncthreads(); x[threadIdx.x] = 0; }"
    assert "a barrier was not reached by all threads" in fatal(text)


@pytest.mark.parametrize("index", ["64", "-1"])
def test_an_address_outside_of_an_array_ends_the_program(index: str) -> None:
    text = f"__global__ void bad(long long* x) {{ x[threadIdx.x] = x[{index}]; }}"
    assert "heap-buffer-overflow" in fatal(text, "address")


def test_an_index_outside_of_shared_memory_ends_the_program() -> None:
    beyond = "y[threadIdx.x + 1] = 0; __syncthreads(); x[0] = y[0];"
    text = f"__global__ void bad(long long* x) {{ __shared__ long long y[64]; {beyond} }}"
    assert "global-buffer-overflow" in fatal(text, "address")
