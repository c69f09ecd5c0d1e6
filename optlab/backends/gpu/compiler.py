"""From the text of a kernel to code for one GPU, by NVRTC, kept on disk.

CuPy would append ``-ftz=true`` to the options and would not see that a header changed, hence a compiler and a cache of
our own. NVRTC needs no GPU, only its library.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from optlab.backends.gpu import sources
from optlab.backends.gpu.sources import Kernel
from optlab.files import cache_folder, sha256, write_all

OPTIONS = ("-std=c++17", "-ftz=false", "--fmad=false", "-default-device")
"""Subnormals stay, and no product is fused with a sum: what the bits of the CPU are. A function that does not say where
it runs, as a generic lambda, runs on the device."""


@dataclass(frozen=True)
class Compiled:
    """Machine code (a cubin), the kernel's name in it, and what the compiler said."""

    code: bytes
    symbol: str
    log: str = ""


def compile_kernel(kernel: Kernel, arch: str, options: tuple[str, ...] = ()) -> Compiled:
    """Compiles for one kind of GPU, as ``"sm_90"``.

    Raises:
        ImportError: CuPy or the library of NVRTC is missing.
        RuntimeError: the compiler refused the text, with what it said.
    """
    from cupy_backends.cuda.libs import nvrtc

    flags = (*OPTIONS, f"-arch={arch}", *sources.include_options(), *options)
    program = nvrtc.createProgram(kernel.text(), kernel.file, (), ())
    try:
        nvrtc.addNameExpression(program, kernel.name)
        try:
            nvrtc.compileProgram(program, flags)
        except nvrtc.NVRTCError:
            said = nvrtc.getProgramLog(program)
            raise RuntimeError(f"{kernel.file}: {kernel.name} does not compile for {arch}:\n{said}") from None
        return Compiled(
            nvrtc.getCUBIN(program), nvrtc.getLoweredName(program, kernel.name), nvrtc.getProgramLog(program)
        )
    finally:
        nvrtc.destroyProgram(program)


def version() -> str:
    """Of NVRTC, as ``"13.0"``."""
    from cupy_backends.cuda.libs import nvrtc

    return ".".join(map(str, nvrtc.getVersion()))


def key(kernel: Kernel, arch: str) -> str:
    """What the code depends on: every header, the instantiation, the options, the GPU and the compiler."""
    parts = [sources.digest(), kernel.file, kernel.name, arch, *OPTIONS, version()]
    return sha256("\0".join(parts).encode())


def cached(kernel: Kernel, arch: str) -> Compiled:
    """The code from the disk, or compiled now and written there: whole or not at all."""
    folder, name = cache_folder() / "kernels", key(kernel, arch)
    if (found := _load(folder / name)) is not None:
        return found
    made = compile_kernel(kernel, arch)
    head = json.dumps({"kernel": kernel.name, "symbol": made.symbol, "sha256": sha256(made.code)})
    folder.mkdir(parents=True, exist_ok=True)
    write_all(folder, {name: head.encode() + b"\n" + made.code})
    return made


def _load(path: Path) -> Compiled | None:
    """A file of the cache, or nothing where there is none or it is not what was written."""
    try:
        head, _, code = path.read_bytes().partition(b"\n")
        said = json.loads(head)
        if said["sha256"] == sha256(code):
            return Compiled(code, said["symbol"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None
