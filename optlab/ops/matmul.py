"""The matrix product."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from optlab.backends import kernels

Array = NDArray[Any]


def matmul(a: Array, b: Array, *, out: Array | None = None, accumulate: bool = False) -> Array:
    """The product of two matrices, ``out[i, j] = sum_k a[i, k] b[k, j]``.

    The sum over k is taken in blocks (as even as can be, none longer than 256), each by fused multiply-adds in rising
    k, and the blocks are added in rising order. So the bits depend neither on the threads nor on AVX2 or AVX-512, nor
    on the memory order of a and b; the baseline of x86-64 has no fused multiply-add and gives other last bits.

    Args:
        a: (m, k), float32 or float64, with any strides: transposed views and slices are read where they stand.
        b: (k, n), likewise.
        out: (m, n), C order, apart from a and b.
        accumulate: Add the product to what ``out`` holds.

    Returns:
        ``out``, or a new array. Extents of 0 are allowed: a sum of nothing is 0.

    Raises:
        TypeError: an array is not of float32 or float64, or the dtypes differ.
        ValueError: the shapes do not fit, ``out`` is not C-contiguous, read-only or overlaps, or there is nothing to
            accumulate to.

    Example:
        >>> import numpy as np, optlab as ol
        >>> x, weight = np.array([[1.0, 2.0]]), np.array([[3.0, 4.0], [5.0, 6.0]])
        >>> ol.ops.matmul(x, weight.T)
        array([[11., 17.]])

    References:
        Goto and van de Geijn, "Anatomy of high-performance matrix multiplication", ACM TOMS 34(3), 2008.
    """
    return kernels(a).matmul(a, b, accumulate, out)  # type: ignore[no-any-return]
