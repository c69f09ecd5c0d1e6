"""Matrix products on the GPU, by cuBLAS."""

from __future__ import annotations

from typing import Any

import numpy as np

from optlab.backends.gpu import gate
from optlab.backends.gpu.call import Call
from optlab.backends.gpu.device import device, kernel
from optlab.backends.specs import PRODUCTS

Array = Any
MODES = (*PRODUCTS, "float64")
"""float32 keeps all its digits; tf32 rounds the factors to ten bits, bf16 takes factors that :func:`rounded` made."""


def product(
    out: Array,
    a: Array,
    b: Array,
    *,
    turn_a: bool = False,
    turn_b: bool = False,
    mode: str = "float32",
    accumulate: bool = False,
) -> None:
    """``out = op(a) op(b)``, or added to it; op transposes what is turned. Nothing is allocated.

    Args:
        out: (m, n), float32 or, in the mode of that name, float64.
        a: (m, k), or (k, m) turned; of the dtype of out, in mode "bf16" uint16 as :func:`rounded` makes it.
        b: (k, n), or (n, k) turned, likewise.
        turn_a: Whether a is transposed.
        turn_b: Whether b is.
        mode: One of :data:`MODES`; float64 where the arrays are.
        accumulate: Whether to add to out.

    Raises:
        TypeError: an array is not of the GPU, or of another dtype.
        ValueError: a shape does not fit, memory is strided, or there is no such mode.
    """
    if mode not in MODES:
        raise ValueError(f"mode: got {mode!r}, expected one of {', '.join(MODES)}")
    dtype = np.dtype(np.float64 if mode == "float64" else np.float32)
    given = np.dtype(np.uint16) if mode == "bf16" else dtype
    gate.check(a, "a", given, (-1, -1))
    m, k = a.shape[::-1] if turn_a else a.shape
    gate.check(b, "b", given, (-1, k) if turn_b else (k, -1))
    n = b.shape[0] if turn_b else b.shape[1]
    gate.check(out, "out", dtype, (m, n))
    device().product(out, a, b, turn_a, turn_b, mode, accumulate)


def mode_of(dtype: Any) -> str:
    """The mode that keeps all digits of a dtype."""
    return str(np.dtype(dtype).name)


def rounded(x: Array, out: Array) -> None:
    """Rounds float32 to bfloat16, to nearest even; out is of uint16, which holds its bits.

    Raises:
        TypeError: an array has another dtype.
        ValueError: shapes differ.
    """
    gate.check(x, "x", np.float32)
    gate.check(out, "out", np.uint16, x.shape)
    blocks = min(-(-x.size // 1024), device().processors() * 32)
    device().launch(kernel("bfloat.cu", "optlab::round_bfloat"), (max(blocks, 1),), (256,), [out, x, x.size])


def matmul(a: Array, b: Array, accumulate: bool = False, out: Array | None = None) -> Array:
    """See :func:`optlab.ops.matmul`; a and b stand in C order or are transposed views of such arrays.

    Raises:
        TypeError: as there.
        ValueError: as there.
    """
    call = Call(out, ("out",), (a, "a"))
    (left, turn_a), (right, turn_b) = _turned(a, "a"), _turned(b, "b")
    m, k = a.shape
    gate.check(right, "b", call.dtype)
    if b.shape[0] != k:
        raise ValueError(f"b: got shape {tuple(b.shape)}, expected ({k}, any)")
    if accumulate and out is None:
        raise ValueError("accumulate: got True without out, expected an array to add to")
    for array, name in ((left, "a"), (right, "b")):
        if array.size:
            call.take(array, name, array.shape)
    result = call.out((m, b.shape[1]))
    call.check()
    if not k:
        if not accumulate:
            result[...] = 0
    elif result.size:
        mode = mode_of(call.dtype)
        product(result, left, right, turn_a=turn_a, turn_b=turn_b, mode=mode, accumulate=accumulate)
    return result


def _turned(array: Array, name: str) -> tuple[Array, bool]:
    """The array in C order that this is, or is the transpose of."""
    gate.real_dtype(array, name)
    if array.ndim != 2:
        raise ValueError(f"{name}: got shape {tuple(array.shape)}, expected (any, any)")
    turn = not array.flags.c_contiguous and array.T.flags.c_contiguous
    return (array.T if turn else array), turn
