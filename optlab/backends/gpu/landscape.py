"""A landscape of the list on the GPU: one thread a point, the dimension compiled into its kernel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optlab import remedies
from optlab.backends.gpu import gate
from optlab.backends.gpu.device import device, kernel, on_gpu, upload
from optlab.backends.gpu.place import place_of
from optlab.kernels.select import cpu

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
    """One landscape in one number type, with its numbers on the device."""

    def __init__(
        self, kind: str, dim: int, room: int, coefficients: Sequence[Array], rotation: Array | None, dtype: Any
    ) -> None:
        if dim + room > MOST:
            beside = f" and {room} numbers to work on" if room else ""
            raise ValueError(
                f"landscape: got {dim} coordinates{beside}, expected at most {MOST} on the GPU, where a thread takes a "
                "whole point; the CPU takes any number"
            )
        self.dim, self.dtype = dim, np.dtype(dtype)
        turns = "false" if rotation is None else "true"
        self.name = f"optlab::Surface<optlab::landscapes::{kind}, {gate.cpp(dtype)}, {dim}, {room}, {turns}>"
        flat = np.concatenate([np.ravel(each) for each in coefficients]) if coefficients else np.empty(0)
        self.coefficients = upload(rounded(flat, dtype)) if flat.size else None
        self.rotation = None if rotation is None else upload(rounded(rotation, dtype))

    def evaluate(
        self,
        x: Array,
        value: Array | None = None,
        grad: Array | None = None,
        hvp: Array | None = None,
        v: Array | None = None,
        batch: Array | None = None,
    ) -> None:
        """As the compiled landscapes of the CPU do; what is wanted is written to the arrays given.

        Raises:
            TypeError: an array is of another dtype, or not of the GPU.
            ValueError: a shape does not fit, memory is strided or overlaps, or there is a batch.
        """
        runs = self._gated(x, grad, hvp, v, batch)
        wanted = VALUE * (value is not None) | GRADIENT * (grad is not None) | PRODUCT * (hvp is not None)
        block = block_of(runs)
        device().launch(
            kernel("evaluate.cu", f"optlab::evaluate<{self.name}, {wanted}>"),
            (-(-runs // block),),
            (block,),
            (value, grad, hvp, x, v, self.coefficients, self.rotation, runs),
        )

    def _gated(self, x: Array, grad: Array | None, hvp: Array | None, v: Array | None, batch: Array | None) -> int:
        """How many points there are."""
        if x.shape[-1] != self.dim:
            raise ValueError(f"x: got {x.shape[-1]} coordinates, expected {self.dim}")
        if batch is not None:
            raise ValueError("batch: got indices, but this landscape is not a finite sum")
        named = {"x": x, "out": hvp if grad is None else grad, "v": v}
        arrays = [(name, array) for name, array in named.items() if array is not None]
        for name, array in arrays:
            gate.check(array, name, self.dtype, x.shape)
        out = [pair for pair in arrays if pair[0] == "out"]
        for pair in arrays:
            if out and pair[0] != "out":
                gate.check_separate([*out, pair])
        return int(x.shape[0]) if x.ndim == 2 else 1


def check_point(x: Array, name: str, write: bool = False) -> None:
    """Refuses whatever is no float32 or float64 array ``(dim,)`` or ``(runs, dim)``, on either device.

    Raises:
        TypeError: it is no array, or of another dtype.
        ValueError: it is empty, strided, read-only where it is to be written, or has other axes.
    """
    if not on_gpu(x):
        remedies.check_point(x, name, write)
        return
    gate.check_point(x, name)
    if x.ndim not in (1, 2):
        raise ValueError(f"{name}: got {x.ndim} dimensions, expected (dim,) or (runs, dim)")


def evaluated(
    surface: Callable[[Any], Surface],
    x: Array,
    batch: Array | None,
    *,
    value: bool = False,
    grad: bool = False,
    v: Array | None = None,
    out: Array | None = None,
) -> dict[str, Any]:
    """What is wanted of "value", "grad" and, in the direction v, "hvp", at points of the GPU or of a guest.

    Args:
        surface: The landscape for a number type.
        x: The points.
        batch: Refused, since listed landscapes are no finite sums.
        value: Whether the values are wanted.
        grad: Whether the gradients are, in ``out`` where that is given.
        v: The directions.
        out: Where gradients go.
    """
    check_point(x, "x")
    place, f = place_of(x), surface(x.dtype)
    points, into = place.bring(x, "x"), None if isinstance(x, np.ndarray) and not on_gpu(x) else out
    made: dict[str, Array] = {}
    if value:
        made["value"] = place.empty(x.shape[0] if x.ndim == 2 else 1, x.dtype)
    if grad:
        made["grad"] = place.empty(x.shape, x.dtype) if into is None else into
    if v is not None:
        check_point(v, "v")
        made["hvp"] = place.empty(x.shape, x.dtype)
    f.evaluate(points, v=None if v is None else place.bring(v, "v"), batch=batch, **made)
    found = {name: place.back(array) for name, array in made.items()}
    return found if into is out else found | {"grad": _copied(found["grad"], out)}


def _copied(grad: Array, out: Array) -> Array:
    """A guest's gradient in the array that he gave for it."""
    check_point(out, "out", True)
    if (out.dtype, out.shape) != (grad.dtype, grad.shape):
        raise ValueError(f"out: got {out.dtype} of shape {out.shape}, expected {grad.dtype} of shape {grad.shape}")
    out[...] = grad
    return out
