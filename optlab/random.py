"""Random numbers that are a pure function of where they stand: (seed, stream, step, run, element).

The generator is Philox4x32-10. There is no state and no order of calls, so one run of a batch or one step of a run can
be drawn again alone, and neither threads, SIMD width nor device change a bit. The key is the seed, the counter::

    (element // 4 for float32, // 2 for float64;  run;  step mod 2**32;  step >> 32 in 16 bits and stream in 16)
"""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from optlab.checks import integer, real
from optlab.kernels.select import cpu

__all__ = ["Stream", "ball", "derive_seed", "integers", "normal", "permutation", "uniform"]

Stream = enum.IntEnum("Stream", cpu.streams)  # type: ignore[misc]
"""What the draws of one seed are for: NOISE, PERTURBATION, GRADIENT_NOISE, BATCH, INIT, DATA, DROPOUT, NORM_NOISE."""

MAX_DIM = 2**33
"""Beyond it the element's number leaves its counter word, and float64 rows would repeat."""

Shape = int | tuple[int, ...]


def _shape(given: Shape) -> tuple[int, ...]:
    shape = tuple(given) if isinstance(given, Sequence) else (given,)
    if len(shape) not in (1, 2):
        raise ValueError(f"shape: got {given!r}, expected (dim,) or (runs, dim)")
    return tuple(integer("shape", extent, 1, MAX_DIM) for extent in shape)


def _address(shape: tuple[int, ...], seed: int, stream: int, step: int, first_run: int) -> tuple[int, int, int, int]:
    runs = shape[0] if len(shape) == 2 else 1
    return (
        integer("seed", seed, 0, 2**64 - 1),
        integer("stream", stream, 0, 2**16 - 1),
        integer("step", step, 0, 2**48 - 1),
        integer("first_run", first_run, 0, 2**32 - runs),
    )


def _draw(
    kind: str, shape: Shape, seed: int, stream: int, step: int, first_run: int, dtype: DTypeLike, radius: float = 0.0
) -> Any:
    checked = _shape(shape)
    address = _address(checked, seed, stream, step, first_run)
    if dtype not in (np.float32, np.float64, "float32", "float64"):
        raise TypeError(f"dtype: got {dtype}, expected float32 or float64")
    out = np.empty(checked, dtype)
    cpu.random(out, kind, *address, radius)
    return out


def normal(
    shape: Shape, seed: int, *, stream: int = 0, step: int = 0, first_run: int = 0, dtype: DTypeLike = np.float64
) -> NDArray[Any]:
    """Standard normal numbers, by the method of Box and Muller (1958).

    ``sqrt(-2 log u) (cos a, sin a)`` with u in (0, 1) from 31 bits (float32) or 52 bits (float64), so the tails end at
    6.6 and 8.5 standard deviations.

    Args:
        shape: (dim,) or (runs, dim); row r belongs to run ``first_run + r``.
        seed: The key, 0 to 2**64 - 1.
        stream: What the numbers are for, see :data:`Stream`.
        step: The step, 0 to 2**48 - 1.
        first_run: The number of the first row's run.
        dtype: float32 or float64. The two types draw different numbers.

    Raises:
        TypeError: dtype is neither float32 nor float64, or a whole number is expected.
        ValueError: an argument is out of range.

    Example:
        >>> import optlab as ol
        >>> whole = ol.random.normal((3, 2), seed=1, step=5)
        >>> bool((ol.random.normal((1, 2), seed=1, step=5, first_run=2) == whole[2]).all())
        True

    References:
        Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
    """
    return _draw("normal", shape, seed, stream, step, first_run, dtype)  # type: ignore[no-any-return]


def uniform(
    shape: Shape, seed: int, *, stream: int = 0, step: int = 0, first_run: int = 0, dtype: DTypeLike = np.float64
) -> NDArray[Any]:
    """Uniform numbers on [0, 1): multiples of 2**-24 (float32) or 2**-52 (float64). Arguments as in :func:`normal`."""
    return _draw("uniform", shape, seed, stream, step, first_run, dtype)  # type: ignore[no-any-return]


def ball(
    shape: Shape,
    seed: int,
    *,
    radius: float = 1.0,
    stream: int = 1,
    step: int = 0,
    first_run: int = 0,
    dtype: DTypeLike = np.float64,
) -> NDArray[Any]:
    """Uniform points of the ball ``|x| <= radius``: ``radius U**(1/dim) z / |z|`` with normal z.

    The other arguments are those of :func:`normal`; the default stream is PERTURBATION.

    Raises:
        ValueError: radius is negative, or as in :func:`normal`.
    """
    return _draw("ball", shape, seed, stream, step, first_run, dtype, real("radius", radius, 0.0))  # type: ignore[no-any-return]


def integers(
    shape: Shape, high: int, seed: int, *, stream: int = 3, step: int = 0, first_run: int = 0
) -> NDArray[np.int64]:
    """Whole numbers of [0, high), drawn with replacement; the default stream is BATCH.

    The high half of a 32-bit word times ``high``: its bias is below ``high / 2**32``.

    Raises:
        ValueError: high is outside 1 to 2**32 - 1, or as in :func:`normal`.
    """
    checked = _shape(shape)
    address = _address(checked, seed, stream, step, first_run)
    out = np.empty(checked, np.int64)
    cpu.random_indices(out, integer("high", high, 1, 2**32 - 1), *address)
    return out


def permutation(shape: Shape, seed: int, *, stream: int = 3, step: int = 0, first_run: int = 0) -> NDArray[np.int64]:
    """A random order of 0 … count − 1, by Fisher and Yates; one for each row of a shape (runs, count).

    The default stream is BATCH, where ``step`` counts epochs: the order in which ``descend(…, sampling="shuffle")``
    takes the samples of that epoch.

    Example:
        >>> import optlab as ol
        >>> sorted(ol.random.permutation(5, seed=1).tolist())
        [0, 1, 2, 3, 4]

    Raises:
        ValueError: as in :func:`normal`.
    """
    checked = _shape(shape)
    out = np.empty(checked, np.int64)
    cpu.random_permutations(out, *_address(checked, seed, stream, step, first_run))
    return out


def derive_seed(seed: int, *axes: int | str) -> int:
    """A seed for a named part of a study, such as ``derive_seed(seed, "dataset", run)``.

    The first 8 bytes of the BLAKE2b hash of the names, so that parts never share draws by accident.

    Example:
        >>> import optlab as ol
        >>> ol.random.derive_seed(0, "dataset", 1) != ol.random.derive_seed(0, "dataset", 2)
        True
    """
    text = repr((integer("seed", seed, 0, 2**64 - 1), *axes)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")
