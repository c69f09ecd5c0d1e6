"""What functions of a landscape ask of it and of arrays, before any work."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from optlab.remedies import check_point

Array = NDArray[Any]
NEEDED = ("value", "grad", "hvp")
FREEZE = "freeze it with f.sample(seed, step, run)"


def vector(name: str, given: Any, dim: int) -> None:
    """Refuses whatever is not one finite float32 or float64 vector of dim numbers.

    Raises:
        TypeError: it is no float32 or float64 array.
        ValueError: its shape is another, or a number is not finite.
    """
    check_point(given, name)
    if given.shape != (dim,):
        raise ValueError(f"{name}: got shape {given.shape}, expected one point ({dim},)")
    finite(name, given)


def points(name: str, given: Any, dim: int) -> None:
    """Refuses whatever is not one or many finite points of dim numbers, float32 or float64.

    Raises:
        TypeError: it is no float32 or float64 array.
        ValueError: its shape is another, or a number is not finite.
    """
    check_point(given, name)
    if given.shape[-1] != dim:
        raise ValueError(f"{name}: got shape {given.shape}, expected ({dim},) or (runs, {dim})")
    finite(name, given)


def rows(name: str, given: Any, dim: int, dtype: Any = None, finite_only: bool = True) -> None:
    """Refuses whatever is not an ``(n, dim)`` array, of that dtype where one is named; any strides will do.

    Raises:
        TypeError: it is no float32 or float64 array, or not of the dtype.
        ValueError: its shape is another, or a number is not finite.
    """
    if not isinstance(given, np.ndarray) or given.dtype not in (
        (np.float32, np.float64) if dtype is None else (dtype,)
    ):
        found = getattr(given, "dtype", type(given).__name__)
        raise TypeError(f"{name}: got {found}, expected an array of {dtype or 'float32 or float64'}")
    if given.ndim != 2 or given.shape[1] != dim or not len(given):
        raise ValueError(f"{name}: got shape {given.shape}, expected (n, {dim}) with n >= 1")
    if finite_only:
        finite(name, given)


def finite(name: str, given: Array) -> None:
    """Refuses NaN and infinity.

    Raises:
        ValueError: a number is not finite.
    """
    wrong = given.size - np.count_nonzero(np.isfinite(given))
    if wrong:
        raise ValueError(f"{name}: got {wrong} numbers that are not finite, expected finite ones")


def landscape(f: Any, x: Any) -> None:
    """Refuses what is no landscape, a point that is not of it, and a landscape that is not deterministic there.

    A landscape is told to be random by its attribute ``stochastic``, or by two evaluations at x with different bits;
    what is drawn seldom, or by a seed that the landscape resets, escapes the second test.

    Raises:
        TypeError: f has not the methods of a landscape, or x is not of a dtype that f takes.
        ValueError: x has another shape or is not finite, or f is random.
    """
    methods(f)
    vector("x", x, f.dim)
    frozen(f)
    same_bits("values", f.value(x), f.value(x))


def frozen(f: Any) -> None:
    """Refuses a landscape that says that it is random.

    Raises:
        ValueError: it does.
    """
    if getattr(f, "stochastic", False):
        raise ValueError(f"f: got a landscape with dropout or noise, which draws at every step; {FREEZE}")


def methods(f: Any) -> None:
    """Refuses what has not the methods of a landscape.

    Raises:
        TypeError: one is missing.
    """
    if not all(callable(getattr(f, name, None)) for name in NEEDED) or not hasattr(f, "dim"):
        raise TypeError(f"f: got {type(f).__name__}, expected a landscape with dim, {', '.join(NEEDED)}")


def same_bits(what: str, first: Any, second: Any) -> None:
    """Refuses two evaluations at one point that differ in a bit.

    Raises:
        ValueError: they differ.
    """
    if np.asarray(first).tobytes() != np.asarray(second).tobytes():
        raise ValueError(f"f: got different {what} in two evaluations at the same x, expected the same bits; {FREEZE}")


def one_of(name: str, given: Any, choices: tuple[str, ...]) -> str:
    """``given``, if it is one of the choices.

    Raises:
        ValueError: it is not.
    """
    if given not in choices:
        raise ValueError(f"{name}: got {given!r}, expected one of {', '.join(map(repr, choices))}")
    return str(given)
