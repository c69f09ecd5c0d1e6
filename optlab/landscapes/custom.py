"""A landscape given as Python functions."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from optlab.backends import of
from optlab.backends.current import array_module, on_gpu
from optlab.derivatives import check_gradient
from optlab.landscape import Landscape, single
from optlab.random import uniform
from optlab.remedies import check_point
from optlab.typing import Array

DRAWN = 3
"""Points of the box at which a gradient is checked, beside the start."""

_REMEDY = (
    "xp = cupy.get_array_module(x) in the function makes it serve both; NumPy points, outside of "
    'optlab.device("gpu"), it takes as it is'
)


class Custom(Landscape):
    """A landscape from functions that are vectorized over runs: ``(runs, dim)`` in, ``(runs,)`` or ``(runs, dim)`` out.

    It behaves like a compiled one, only slower: :func:`optlab.descend` comes back to Python at every step. At CuPy
    points, and at NumPy points inside ``with optlab.device("gpu"):``, the functions are given CuPy arrays and give such
    back, and the rule runs on the GPU.

    Args:
        dim: The number of coordinates.
        value: ``(runs, dim) -> (runs,)``.
        grad: ``(runs, dim) -> (runs, dim)``.
        hvp: ``(x, v) -> (runs, dim)``; without it, central differences of the gradient with step ε^(1/3) (1 + |x|)
            along v/|v|, whose error is of order ε^(2/3).
        check: Whether :func:`optlab.check_gradient` compares grad with value, and hvp with grad, at ``start`` and at
            three seeded points of ``bounds``, those where the value is not finite left out.
        truth: ``minima``, ``saddles``, ``start``, ``bounds``, ``minimum``, as in :class:`optlab.Landscape`.

    Raises:
        TypeError: value or grad is not callable, or returns another dtype than that of its point, or NumPy arrays for
            points on the GPU.
        ValueError: a function returns another shape, or the check finds a derivative wrong.

    Example:
        >>> import numpy as np
        >>> f = Custom(2, value=lambda x: (x**2).sum(1), grad=lambda x: 2 * x, minima=[[0.0, 0.0]])
        >>> f.value_and_grad(np.array([1.0, 2.0]))
        (np.float64(5.0), array([2., 4.]))
        >>> Custom(2, value=lambda x: (x**2).sum(1), grad=lambda x: 2 * x, check=True).dim
        2
    """

    def __init__(
        self,
        dim: int,
        value: Callable[[Array], Array],
        grad: Callable[[Array], Array],
        hvp: Callable[[Array, Array], Array] | None = None,
        *,
        check: bool = False,
        **truth: Any,
    ) -> None:
        for name, function in (("value", value), ("grad", grad)):
            if not callable(function):
                raise TypeError(f"{name}: got {function!r}, expected a function of (runs, dim)")
        super().__init__(dim, **truth)
        self._value, self._grad, self._hvp = value, grad, hvp
        self.exact_hvp = hvp is not None
        if check:
            self._check()

    def _check(self) -> None:
        low, high = self.bounds if self.bounds is not None else (self.start, self.start)
        drawn = low + (high - low) * uniform((DRAWN, self.dim), seed=0)
        with np.errstate(all="ignore"):
            drawn = drawn[np.isfinite(self.value(drawn))]
        found = check_gradient(self, np.concatenate([self.start[None], drawn]))
        if not found.ok:
            raise ValueError(f"check: {found}")

    def complex_value(self, z: Array) -> Array | None:
        """See :meth:`optlab.Landscape.complex_value`; None where the function does not take them as they are."""
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # of imaginary parts that are discarded
            try:
                found = self._value(z)
            except Exception:  # whatever a function for real numbers raises
                return None
        fits = isinstance(found, np.ndarray) and found.dtype.kind == "c" and found.shape == (len(z),)
        return found if fits else None

    def _rows(self, x: Array) -> Array:
        """As the functions take it, where it is computed."""
        of(x).check_point(x, "x")
        if x.shape[-1] != self.dim:
            raise ValueError(f"x: got {x.shape[-1]} coordinates, expected {self.dim}")
        return of(x).checked(x, "x").reshape(-1, self.dim)

    @staticmethod
    def _like(given: Array, name: str, x: Array) -> Array:
        """The rows of an array that must be as x is, where they are computed."""
        rows = of(x).checked(given, name)
        of(x).check_point(given, name)
        if given.dtype != x.dtype:
            raise TypeError(f"{name}: got dtype {given.dtype}, expected {x.dtype}")
        if given.shape != x.shape:
            raise ValueError(f"{name}: got shape {given.shape}, expected {x.shape}")
        return rows.reshape(-1, x.shape[-1])

    @staticmethod
    def _checked(result: Any, name: str, shape: tuple[int, ...], rows: Array) -> Array:
        """What a function has found for these rows."""
        xp, dtype = array_module(rows), rows.dtype
        if on_gpu(rows) and isinstance(result, np.ndarray) and not on_gpu(result):
            raise TypeError(f"{name}: returned a NumPy array for points on the GPU, expected a CuPy array; {_REMEDY}")
        if not isinstance(result, xp.ndarray) or result.dtype != dtype:
            raise TypeError(f"{name}: returned {getattr(result, 'dtype', type(result))}, expected an array of {dtype}")
        if result.shape != shape:
            raise ValueError(f"{name}: returned shape {result.shape}, expected {shape}")
        found: Array = xp.ascontiguousarray(result)
        return found

    @staticmethod
    def _no_batch(batch: Array | None) -> None:
        if batch is not None:
            raise ValueError("batch: got indices, but this landscape is not a finite sum")

    def value(self, x: Array, batch: Array | None = None) -> Any:
        """See :meth:`optlab.Landscape.value`."""
        self._no_batch(batch)
        rows = self._rows(x)
        return single(x, of(x).returned(self._checked(self._value(rows), "value", (len(rows),), rows)))

    def grad(self, x: Array, batch: Array | None = None, out: Array | None = None) -> Array:
        """See :meth:`optlab.Landscape.grad`."""
        self._no_batch(batch)
        rows = self._rows(x)
        if out is not None:
            self._check_out(out, x)
        grad = of(x).returned(self._checked(self._grad(rows), "grad", rows.shape, rows)).reshape(x.shape)
        if out is None:
            return grad
        out[...] = grad
        return out

    def _check_out(self, out: Array, x: Array) -> None:
        self._like(out, "out", x)
        if not on_gpu(out):
            check_point(out, "out", write=True)
        if array_module(x).shares_memory(out, x):
            raise ValueError("out and x: got overlapping memory, expected separate arrays")

    def hvp(self, x: Array, v: Array, batch: Array | None = None) -> Array:
        """See :meth:`optlab.Landscape.hvp`."""
        self._no_batch(batch)
        rows, along = self._rows(x), self._like(v, "v", x)
        found = self._difference(rows, along) if self._hvp is None else self._hvp(rows, along)
        return of(x).returned(self._checked(found, "hvp", rows.shape, rows)).reshape(x.shape)

    def _difference(self, rows: Array, along: Array) -> Array:
        """The Hessian product by central differences of the gradient."""
        xp, norm = array_module(rows), _lengths(along)
        unit = along / xp.where(norm > 0, norm, xp.ones_like(norm))
        step = ((1 + _lengths(rows)) * np.cbrt(np.finfo(rows.dtype).eps)).astype(rows.dtype)
        difference = self.grad(rows + step * unit) - self.grad(rows - step * unit)
        product: Array = (difference * (norm / (2 * step))).astype(rows.dtype)
        return product


def _lengths(rows: Array) -> Array:
    """The norm of each row, ``(rows, 1)``, brought into the range of its squares by a power of two."""
    xp = array_module(rows)
    _, exponent = xp.frexp(xp.abs(rows).max(axis=1, keepdims=True))
    small = xp.ldexp(rows, -exponent)
    lengths: Array = xp.ldexp(xp.sqrt((small * small).sum(axis=1, keepdims=True)), exponent)
    return lengths
