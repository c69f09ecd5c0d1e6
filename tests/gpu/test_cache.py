"""Compiled kernels on disk: found again, made anew when anything differs, and no half or damaged file is used."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from gpu.emulated import EmulatedDevice

from optlab.backends.gpu import compiler, sources
from optlab.backends.gpu import device as gpu
from optlab.backends.gpu.compiler import Compiled
from optlab.backends.gpu.sources import Kernel

KERNEL = Kernel("network.cu", "optlab::add<float>")


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Kernel]:
    """What was compiled; the cache is an empty folder, and the compiler is not there."""
    compiled: list[Kernel] = []

    def compile_kernel(kernel: Kernel, arch: str) -> Compiled:
        compiled.append(kernel)
        return Compiled(f"{kernel.name} {arch} {len(compiled)}".encode(), "symbol")

    monkeypatch.setenv("OPTLAB_CACHE", str(tmp_path))
    monkeypatch.setattr(compiler, "compile_kernel", compile_kernel)
    monkeypatch.setattr(compiler, "version", lambda: "13.0")
    return compiled


def test_what_was_compiled_is_found_again(made: list[Kernel]) -> None:
    first = compiler.cached(KERNEL, "sm_90")
    assert compiler.cached(KERNEL, "sm_90") == first
    assert len(made) == 1


@pytest.mark.parametrize("change", ["name", "arch", "header", "version"])
def test_anything_else_is_compiled_anew(made: list[Kernel], change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    compiler.cached(KERNEL, "sm_90")
    if change == "header":
        monkeypatch.setattr(sources, "digest", lambda: "other")
    if change == "version":
        monkeypatch.setattr(compiler, "version", lambda: "13.1")
    name = "optlab::add<double>" if change == "name" else KERNEL.name
    compiler.cached(Kernel(KERNEL.file, name), "sm_80" if change == "arch" else "sm_90")
    assert len(made) == 2


@pytest.mark.parametrize("damage", [b"", b"{}\n", b"no json\ncode", b'{"sha256": "0", "symbol": "s"}\ncode', None])
def test_a_damaged_file_is_replaced(made: list[Kernel], damage: bytes | None, tmp_path: Path) -> None:
    compiler.cached(KERNEL, "sm_90")
    (path,) = (tmp_path / "kernels").iterdir()
    path.write_bytes(path.read_bytes()[:-1] if damage is None else damage)
    assert compiler.cached(KERNEL, "sm_90").code.endswith(b" 2")
    assert compiler.cached(KERNEL, "sm_90").code.endswith(b" 2")


def test_every_header_is_in_the_digest() -> None:
    texts = [*(sources.folder() / "cuda").glob("*"), *(sources.folder() / "include").rglob("*.hpp")]
    assert {path.name for path in texts} >= {"updates.cu", "grid.cuh", "adam.hpp", "philox.hpp"}


def test_a_kernel_that_does_not_compile_says_why() -> None:
    pytest.importorskip("cupy")
    with pytest.raises(
        RuntimeError, match=r"network.cu: optlab::absent<float> does not compile for sm_90(?s:.*)absent"
    ):
        compiler.compile_kernel(Kernel("network.cu", "optlab::absent<float>"), "sm_90")


def test_a_full_device_says_how_much_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise MemoryError

    runtime = SimpleNamespace(memGetInfo=lambda: (1000, 5000))
    with gpu.using(EmulatedDevice()) as device:
        monkeypatch.setattr(device, "xp", SimpleNamespace(empty=full, cuda=SimpleNamespace(runtime=runtime)))
        with pytest.raises(MemoryError, match="an array of 8,000 bytes does not fit: 1,000 of 5,000 bytes are free"):
            gpu.empty((10, 100), np.float64)
