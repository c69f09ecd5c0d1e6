"""A GPU for machines without one: the text of the kernels, compiled by the host's compiler with cpp/emulation."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import os
import shutil
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from optlab.backends.gpu import sources
from optlab.backends.gpu.device import Argument, Shape
from optlab.backends.gpu.sources import Kernel

CPP = Path(__file__).parents[2] / "cpp"
# As the modules of the CPU are compiled; a test run under sanitizers asks for them here, too.
FLAGS = ["-std=c++17", "-O1", "-g0", "-fPIC", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=off"]
SANITIZERS = os.environ.get("OPTLAB_EMULATION_SANITIZE", "")
if SANITIZERS:
    FLAGS += [f"-fsanitize={SANITIZERS}", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"]
KEPT_SECONDS = 3 * 24 * 3600


class DeviceArray(np.ndarray[Any, Any]):
    """Stands for a CuPy array: same memory as NumPy's, another type."""

    def get(self) -> np.ndarray[Any, Any]:
        return np.array(self.view(np.ndarray))


class Module:
    """Stands for ``cupy``: NumPy's functions on arrays of the other type."""

    ndarray = DeviceArray

    def __getattr__(self, name: str) -> Any:
        found = getattr(np, name)
        if not callable(found) or isinstance(found, type):
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            out = found(*args, **kwargs)
            return out.view(DeviceArray) if type(out) is np.ndarray else out

        return call


def compiler() -> str | None:
    return shutil.which("g++") or shutil.which("c++")


class EmulatedDevice:
    """Runs each kernel on the host, thread by thread; ``reversed`` turns the order of blocks and threads around."""

    def __init__(self, processors: int = 3, reverse: bool = False) -> None:
        self.xp = Module()
        self.reverse = reverse
        self._processors = processors
        self.launched: list[Kernel] = []
        self.recorded: list[Callable[[], None]] | None = None

    def owns(self, array: Any) -> bool:
        return isinstance(array, DeviceArray)

    def pointer(self, array: Any) -> int:
        address: int = array.ctypes.data
        return address

    def processors(self) -> int:
        return self._processors

    def cache_bytes(self) -> int:
        return 1 << 16

    def write(self, array: Any, values: np.ndarray[Any, Any]) -> None:
        assert self.recorded is None, "a graph cannot capture a write from the host"
        assert array.nbytes == values.nbytes and values.flags.c_contiguous
        ctypes.memmove(self.pointer(array), values.ctypes.data, values.nbytes)

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        recorded: list[Callable[[], None]] = []
        self.recorded = recorded
        work()
        self.recorded = None

        def replay() -> None:
            for launch in recorded:
                launch()

        return replay

    def product(self, out: Any, a: Any, b: Any, turn_a: bool, turn_b: bool, mode: str, accumulate: bool) -> None:
        if self.recorded is not None:
            self.recorded.append(lambda: self.product(out, a, b, turn_a, turn_b, mode, accumulate))
            return
        left, right = (_coarser(_widened(array.view(np.ndarray)), mode) for array in (a, b))
        found = (left.T if turn_a else left) @ (right.T if turn_b else right)
        np.copyto(out, out + found if accumulate else found)

    def launch(self, kernel: Kernel, grid: Shape, block: Shape, arguments: Sequence[Argument]) -> None:
        arguments = list(arguments)
        if self.recorded is not None:
            self.recorded.append(lambda: self.launch(kernel, grid, block, arguments))
            return
        self.launched.append(kernel)
        kept = [np.array(self._value(each)) for each in arguments]
        pointers = (ctypes.c_void_p * len(kept))(*(each.ctypes.data for each in kept))
        shape = (ctypes.c_uint * 6)(*(*grid, 1, 1)[:3], *(*block, 1, 1)[:3])
        library(kernel).run(shape, pointers, int(self.reverse))

    def _value(self, argument: Argument) -> np.generic:
        if argument is None:
            return np.uint64(0)
        if self.owns(argument):
            return np.uint64(self.pointer(argument))
        if isinstance(argument, np.generic):
            return argument
        if isinstance(argument, np.ndarray):
            raise TypeError(f"a kernel was given a NumPy array of shape {argument.shape}")
        return np.float64(argument) if isinstance(argument, float) else np.int64(argument)


def _widened(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Of uint16, the numbers of bfloat16 that the bits stand for."""
    return (array.astype(np.uint32) << 16).view(np.float32) if array.dtype == np.uint16 else array


def _coarser(array: np.ndarray[Any, Any], mode: str) -> np.ndarray[Any, Any]:
    """In mode "tf32", with ten bits of the fraction."""
    if mode != "tf32":
        return array
    return ((np.ascontiguousarray(array).view(np.uint32) + 0x1000) & 0xFFFFE000).view(np.float32)


_libraries: dict[Kernel, ctypes.CDLL] = {}


def library(kernel: Kernel) -> ctypes.CDLL:
    """The compiled kernel; processes share what one of them has compiled."""
    if kernel not in _libraries:
        _libraries[kernel] = ctypes.CDLL(str(_built(kernel)))
    return _libraries[kernel]


def _built(kernel: Kernel) -> Path:
    """An instance of a kernel. What a file of ``cpp/cuda`` includes is read once for all of its instances."""
    first, rest = kernel.text().split("\n", 1) if kernel.text().startswith("#include") else ("", kernel.text())
    text = (
        f'#include "{_headers(first)}"\n{rest}\n'
        'extern "C" void run(const unsigned* shape, void** arguments, int reversed) {\n'
        f"  emulation::launch(&{kernel.name}, shape, arguments, reversed);\n}}\n"
    )
    path = folder() / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}{sysconfig.get_config_var('SHLIB_SUFFIX')}"
    if not path.exists():
        _compile(text, "kernel.cpp", ["-shared"], path)
    return path


def _headers(include: str) -> Path:
    """The emulation and what is included, precompiled as GCC wants it: beside the text itself."""
    text = f'#include "emulation/cuda.hpp"\n{include}\n'
    path = folder() / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.hpp"
    compiled = path.with_suffix(".hpp.gch")
    if not compiled.exists():
        if not path.exists():
            _moved(text, path)
        _compile(text, "headers.hpp", ["-x", "c++-header"], compiled)
    return path


def _compile(text: str, name: str, options: list[str], path: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder()) as work:
        source, made = Path(work) / name, Path(work) / "made"
        source.write_text(text)
        command = [str(compiler()), *FLAGS, f"-I{CPP}", f"-I{CPP / 'include'}", *options, "-o", str(made), str(source)]
        environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        if done.returncode:
            raise AssertionError(f"this does not compile for the host:\n{text}\n{done.stderr}")
        os.replace(made, path)


def _moved(text: str, path: Path) -> None:
    """A file that is whole whenever another process sees it."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
        file.write(text)
    os.replace(file.name, path)


@functools.cache
def folder() -> Path:
    """Where compiled kernels of these sources are kept; those of other sources go when nobody has asked for days."""
    parts = [sources.digest().encode(), (CPP / "emulation" / "cuda.hpp").read_bytes(), " ".join(FLAGS).encode()]
    home = Path(tempfile.gettempdir()) / f"optlab-emulations-{os.getuid()}"
    own = home / hashlib.sha256(b"|".join(parts)).hexdigest()[:16]
    own.mkdir(parents=True, exist_ok=True)
    os.utime(own)
    for other in home.iterdir():
        with contextlib.suppress(FileNotFoundError):  # another process may be forgetting it, too
            if time.time() - other.stat().st_mtime > KEPT_SECONDS:
                shutil.rmtree(other, ignore_errors=True)
    return own
