"""A landscape of the list on the GPU: one thread a point, the dimension compiled into its kernel."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from optlab.backends.gpu import gate
from optlab.backends.gpu.device import device, download, kernel, upload
from optlab.kernels.select import cpu
from optlab.typing import DType

Array = Any

MOST = 4096
"""Numbers that a thread may hold of a point and its workings: a few arrays of these fill the memory of a thread."""

VALUE, GRADIENT, PRODUCT = 1, 2, 4
"""What is wanted, as cuda/evaluate.cu has it."""


def rounded(numbers: Any, dtype: Any) -> NDArray[Any]:
    """Float64 numbers as the kernels of this number type see them, of the same shape."""
    array = np.ascontiguousarray(numbers, np.float64)
    if dtype == np.float64 or array.size == 0:
        return array
    single: NDArray[np.float32] = cpu.as_float32(array.ravel()).reshape(array.shape)
    return single


def block_of(runs: int) -> int:
    """The threads of a block, so that few runs are spread over the whole card."""
    return next((threads for threads in (128, 64) if runs >= 4 * threads * device().processors()), 32)


class Surface:
    """A landscape as one thread sees it, in one number type, with its numbers on the device.

    Args:
        surface: The C++ type of the landscape, its name without the namespace.
        dim: The coordinates of a point.
        numbers: The coefficients and the rotation, or the rows and targets of a finite sum; None where there are none.
        dtype: The number type.
        room: How many numbers a thread works on beside the point.
        samples: The terms of a finite sum.

    Raises:
        ValueError: a thread has no room for a point.
    """

    def __init__(
        self,
        surface: str,
        dim: int,
        numbers: tuple[Array | None, Array | None],
        dtype: DType,
        room: int = 0,
        samples: int = 0,
    ) -> None:
        if dim + room > MOST:
            beside = f" and {room} numbers to work on" if room else ""
            raise ValueError(
                f"landscape: got {dim} coordinates{beside}, expected at most {MOST} on the GPU, where a thread takes a "
                "whole point; the CPU takes any number"
            )
        self.name, self.dim, self.dtype, self.samples = f"optlab::{surface}", dim, np.dtype(dtype), samples
        self.coefficients, self.rotation = (
            None if array is None or not array.size else upload(rounded(array, dtype)) for array in numbers
        )


class DeviceLandscape(Surface):
    """One that has kernels of its own; see :class:`optlab.backends.base.Evaluator`."""

    def evaluate(
        self,
        x: Array,
        *,
        value: Array | None = None,
        grad: Array | None = None,
        hvp: Array | None = None,
        v: Array | None = None,
        batch: Array | None = None,
    ) -> None:
        """As the compiled landscapes of the CPU do; what is wanted is written to the arrays given.

        Raises:
            TypeError: an array is of another dtype, or not of the GPU.
            ValueError: a shape does not fit, memory is strided or overlaps, or there is a batch of what is no sum.
            IndexError: the batch names a sample that does not exist.
        """
        runs = self._gated(x, grad, hvp, v, batch)
        terms = self.samples if batch is None else batch.size
        wanted = VALUE * (value is not None) | GRADIENT * (grad is not None) | PRODUCT * (hvp is not None)
        block = block_of(runs)
        device().launch(
            kernel("evaluate.cu", f"optlab::evaluate<{self.name}, {wanted}>"),
            (-(-runs // block),),
            (block,),
            (value, grad, hvp, x, v, self.coefficients, self.rotation, terms, batch, runs),
        )

    def _gated(self, x: Array, grad: Array | None, hvp: Array | None, v: Array | None, batch: Array | None) -> int:
        """How many points there are."""
        if x.shape[-1] != self.dim:
            raise ValueError(f"x: got {x.shape[-1]} coordinates, expected {self.dim}")
        if batch is not None:
            self._gate_batch(batch)
        named = {"x": x, "out": hvp if grad is None else grad, "v": v}
        arrays = [(name, array) for name, array in named.items() if array is not None]
        for name, array in arrays:
            gate.check(array, name, self.dtype, x.shape)
        out = [pair for pair in arrays if pair[0] == "out"]
        for pair in arrays:
            if out and pair[0] != "out":
                gate.check_separate([*out, pair])
        return int(x.shape[0]) if x.ndim == 2 else 1

    def _gate_batch(self, batch: Array) -> None:
        if not self.samples:
            raise ValueError("batch: got indices, but this landscape is not a finite sum")
        index = download(gate.check_filled(gate.check(batch, "batch", np.int64), "batch")).ravel()
        if (wrong := index[(index < 0) | (index >= self.samples)]).size:
            raise IndexError(f"batch: got sample {wrong[0]}, expected 0 to {self.samples - 1}")


class DeviceLandscapes:
    """Makes landscapes of the GPU in one number type; see :class:`optlab.backends.base.Evaluators`."""

    def __init__(self, dtype: DType) -> None:
        self.dtype = dtype

    def listed(self, kind: str, dim: int, coefficients: list[Array], rotation: Array | None) -> DeviceLandscape:
        """See :class:`~optlab.backends.base.Evaluators`."""
        made = cpu.Landscape32 if self.dtype == np.float32 else cpu.Landscape64
        room = made.listed(kind, dim, coefficients, rotation).room
        turns = "false" if rotation is None else "true"
        surface = f"Surface<optlab::landscapes::{kind}, {gate.cpp(self.dtype)}, {dim}, {room}, {turns}>"
        flat = np.concatenate([np.ravel(each) for each in coefficients]) if coefficients else None
        return DeviceLandscape(surface, dim, (flat, rotation), self.dtype, room)

    def least_squares(self, A: Array, b: Array) -> DeviceLandscape:
        """See :class:`~optlab.backends.base.Evaluators`."""
        samples, dim = A.shape
        return DeviceLandscape(f"LeastSquares<{gate.cpp(self.dtype)}, {dim}>", dim, (A, b), self.dtype, samples=samples)
