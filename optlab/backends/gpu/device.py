"""The device that GPU arrays live on: CuPy's, or one that a test puts in its place."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from optlab.backends.current import device, on_gpu, using
from optlab.backends.gpu import compiler
from optlab.backends.gpu.sources import Kernel
from optlab.errors import MissingPackageError, OptlabError, describe
from optlab.typing import Array

__all__ = [
    "Argument",
    "CuPyDevice",
    "Device",
    "Shape",
    "device",
    "download",
    "empty",
    "kernel",
    "on_gpu",
    "upload",
    "using",
    "zeros",
]

Shape = tuple[int, ...]
Argument = Any
"""Of a kernel: a device array or None (a pointer), an int (i64), a float (double), or a NumPy scalar."""


class Device(Protocol):
    """What the kernels' Python side asks of a device."""

    xp: Any
    """The array module: ``cupy``."""

    def owns(self, array: Any) -> bool:
        """Whether this is an array of the device."""

    def pointer(self, array: Any) -> int:
        """The address of an array's first element."""

    def processors(self) -> int:
        """The number of multiprocessors: what a launch spreads over."""

    def cache_bytes(self) -> int:
        """The size of the second-level cache."""

    def write(self, array: Any, values: NDArray[Any]) -> None:
        """Copies NumPy numbers to an array of the same bytes, in order after what was launched before."""

    def product(self, out: Any, a: Any, b: Any, turn_a: bool, turn_b: bool, mode: str, accumulate: bool) -> None:
        """``out = op(a) op(b)``, or added to it, as :func:`optlab.backends.gpu.products.product` says."""

    def launch(self, kernel: Kernel, grid: Shape, block: Shape, arguments: Sequence[Argument]) -> None:
        """Runs a kernel, in order after what was launched before; compiles it where it is new."""

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        """What replays the launches of some work, which are recorded and not run.

        The work was run before, so that its kernels are loaded. It neither allocates, nor waits, nor writes from the
        host.
        """


class GemmType(NamedTuple):
    """A cudaDataType, and the NumPy name of the numbers that scale it."""

    number: int
    name: str


FLOAT, DOUBLE, BFLOAT = GemmType(0, "float32"), GemmType(1, "float64"), GemmType(14, "float32")
GEMM_TYPES = {
    "float32": (FLOAT, FLOAT, 68),
    "tf32": (FLOAT, FLOAT, 77),
    "bf16": (BFLOAT, FLOAT, 68),
    "float64": (DOUBLE, DOUBLE, 70),
}
"""What goes in, what comes out, and the cublasComputeType: 32F, 32F_FAST_TF32, 64F."""

GEMM_DEFAULT = -1
"""The cublasGemmAlgo by which cuBLAS chooses."""


class CuPyDevice:
    """The current CUDA device, by CuPy."""

    def __init__(self) -> None:
        self.xp = _cupy()
        try:
            if not self.xp.cuda.runtime.getDeviceCount():
                raise OptlabError("there is no CUDA device")
            self.arch = f"sm_{self.xp.cuda.Device().compute_capability}"
            self.attributes: dict[str, int] = self.xp.cuda.Device().attributes
        except self.xp.cuda.runtime.CUDARuntimeError as error:
            raise OptlabError(f"no GPU can be used: {describe(error)}; NumPy arrays are computed on the CPU") from None
        self._functions: dict[Kernel, Any] = {}

    def owns(self, array: Any) -> bool:
        """See :class:`Device`."""
        return isinstance(array, self.xp.ndarray)

    def pointer(self, array: Any) -> int:
        """See :class:`Device`."""
        address: int = array.data.ptr
        return address

    def processors(self) -> int:
        """See :class:`Device`."""
        return self.attributes["MultiProcessorCount"]

    def cache_bytes(self) -> int:
        """See :class:`Device`."""
        return self.attributes["L2CacheSize"]

    def write(self, array: Any, values: NDArray[Any]) -> None:
        """See :class:`Device`."""
        # From pageable memory: CUDA has staged the bytes when the call returns, so that the host may change its own.
        array.data.copy_from_host_async(values.ctypes.data, values.nbytes)

    def product(self, out: Any, a: Any, b: Any, turn_a: bool, turn_b: bool, mode: str, accumulate: bool) -> None:
        """See :class:`Device`."""
        from cupy_backends.cuda.libs import cublas

        handle = self.xp.cuda.device.get_cublas_handle()
        inputs, output, compute = GEMM_TYPES[mode]
        one, beta = (np.array(value, output.name) for value in (1, accumulate))
        (m, n), k = out.shape, a.shape[0] if turn_a else a.shape[1]
        # cuBLAS counts by columns: it is asked for the transpose, op(b)' op(a)'
        right = (b.data.ptr, inputs.number, b.shape[1])
        left = (a.data.ptr, inputs.number, a.shape[1])
        result = (out.data.ptr, output.number, n)
        scales = (one.ctypes.data, beta.ctypes.data)
        sizes = (int(turn_b), int(turn_a), n, m, k)
        cublas.gemmEx(handle, *sizes, scales[0], *right, *left, scales[1], *result, compute, GEMM_DEFAULT)

    def launch(self, kernel: Kernel, grid: Shape, block: Shape, arguments: Sequence[Argument]) -> None:
        """See :class:`Device`."""
        if (function := self._functions.get(kernel)) is None:
            compiled = compiler.cached(kernel, self.arch)
            module = self.xp.cuda.function.Module()
            module.load(compiled.code)
            function = self._functions[kernel] = module.get_function(compiled.symbol)
        function(grid, block, tuple(np.uint64(0) if each is None else each for each in arguments))

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        """See :class:`Device`."""
        stream = self.xp.cuda.Stream()
        with stream:
            stream.begin_capture()
            try:
                work()
            finally:
                graph = stream.end_capture()
        replay: Callable[[], None] = graph.launch
        return replay


def _cupy() -> Any:
    try:
        import cupy
    except ImportError as error:
        raise MissingPackageError(
            f"a GPU needs CuPy, which cannot be imported ({describe(error)}): pip install 'optlab[gpu]' for CUDA 13, "
            "'optlab[gpu12]' for CUDA 12"
        ) from None
    return cupy


def empty(shape: int | Shape, dtype: Any) -> Array:
    """An array on the device.

    Raises:
        MemoryError: the device has not that much left.
    """
    return _allocated("empty", shape, dtype)


def zeros(shape: int | Shape, dtype: Any) -> Array:
    """An array of zeros on the device.

    Raises:
        MemoryError: the device has not that much left.
    """
    return _allocated("zeros", shape, dtype)


def _allocated(how: str, shape: int | Shape, dtype: Any) -> Array:
    xp = device().xp
    try:
        array: Array = getattr(xp, how)(shape, dtype)
        return array
    except MemoryError:  # CuPy's OutOfMemoryError is one
        wanted = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
        free, total = xp.cuda.runtime.memGetInfo()
        said = f"GPU: an array of {wanted:,} bytes does not fit: {free:,} of {total:,} bytes are free"
        raise MemoryError(said) from None


def upload(array: NDArray[Any]) -> Array:
    """A copy of a NumPy array on the device. Small ones do not wait for what runs there."""
    out = empty(array.shape, array.dtype)
    if array.size:
        device().write(out, np.ascontiguousarray(array))
    return out


def download(array: Any) -> NDArray[Any]:
    """A copy of a device array as a NumPy array; waits for what runs there."""
    out: NDArray[Any] = array.get()
    return out


@functools.cache
def kernel(file: str, name: str) -> Kernel:
    """The kernel of this name, the same object at every call."""
    return Kernel(file, name)
