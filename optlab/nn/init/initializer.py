"""What all initializers share: the one method, its checks, and where the draws stand."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from optlab.checks import integer
from optlab.kernels.select import cpu
from optlab.nn.init.fans import checked_fans
from optlab.random import MAX_DIM

Array = NDArray[Any]


class Address(NamedTuple):
    """Where the draws of one segment stand."""

    seed: int
    step: int
    run: int


@dataclass(frozen=True)
class Initializer(ABC):
    """A distribution of the first parameters of one segment.

    A subclass is a frozen dataclass that checks its fields at construction and writes :meth:`fill_in`.
    """

    def draw(
        self,
        shape: int | Sequence[int],
        seed: int,
        *,
        step: int = 0,
        run: int = 0,
        dtype: DTypeLike = "float32",
        out: Array | None = None,
        fans: tuple[int, int] | None = None,
    ) -> Array:
        """The parameters of one segment.

        Args:
            shape: (fan_out, fan_in), or (channels out, channels in, *kernel); (units,) for a bias.
            seed: The key, 0 to 2**64 - 1.
            step: The number of the segment; segments of one network must differ in it.
            run: The number of the network.
            dtype: float32 or float64; the dtype of ``out`` where that is given.
            out: An array of this shape in C order to write into.
            fans: (fan_in, fan_out); by default those of the shape, which a bias has not.

        Returns:
            ``out``, or a new array.

        Raises:
            TypeError: dtype or out is neither float32 nor float64, or a whole number is expected.
            ValueError: an argument is out of range, out does not fit, or the method does not suit the shape.

        Example:
            >>> from optlab.nn.init import Uniform
            >>> alone = Uniform(0, 1).draw((3, 2), seed=1, step=4)
            >>> bool((Uniform(0, 2).draw((3, 2), seed=1, step=4) == 2 * alone).all())
            True
        """
        extents = _shape(shape)
        address = Address(
            integer("seed", seed, 0, 2**64 - 1), integer("step", step, 0, 2**48 - 1), integer("run", run, 0, 2**32 - 1)
        )
        self.check(extents, fans)
        into = _fresh(extents, dtype) if out is None else _given(out, extents)
        self.fill_in(into, address, fans)
        return into

    def check(self, shape: tuple[int, ...], fans: tuple[int, int] | None) -> None:  # noqa: B027 - most take every shape
        """Refuse a shape that the method does not suit, before memory is touched."""

    @abstractmethod
    def fill_in(self, out: Array, address: Address, fans: tuple[int, int] | None) -> None:
        """Write all of ``out``, which is in C order."""


class ByFans(Initializer):
    """An initializer of mean 0 whose standard deviation follows from the fans; ``kind`` is "normal" or "uniform"."""

    kind: ClassVar[str]

    @abstractmethod
    def std(self, fans: tuple[int, int]) -> float:
        """The standard deviation for a pair (fan_in, fan_out)."""

    def check(self, shape: tuple[int, ...], fans: tuple[int, int] | None) -> None:
        """See :meth:`Initializer.check`."""
        checked_fans(fans, shape)

    def fill_in(self, out: Array, address: Address, fans: tuple[int, int] | None) -> None:
        """See :meth:`Initializer.fill_in`."""
        std = self.std(checked_fans(fans, out.shape))
        if self.kind == "normal":
            return scaled(out, self.kind, address, std)
        bound = math.sqrt(3.0) * std
        scaled(out, self.kind, address, 2 * bound, -bound)


def scaled(out: Array, kind: str, address: Address, scale: float, shift: float = 0.0) -> None:
    """Fill an array in C order with shift + scale z, z the "uniform" (on [0, 1)) or "normal" numbers of one run."""
    cpu.random(out.reshape(1, -1), kind, address.seed, cpu.streams["INIT"], address.step, address.run, 0.0)
    out *= scale
    if shift:
        out += shift


def _shape(given: int | Sequence[int]) -> tuple[int, ...]:
    shape = tuple(given) if isinstance(given, Sequence) else (given,)
    extents = tuple(integer("shape", extent, 1, MAX_DIM) for extent in shape)
    if not extents or math.prod(extents) > MAX_DIM:
        raise ValueError(f"shape: got {given!r}, expected 1 to 2**33 elements in at least one dimension")
    return extents


def _fresh(shape: tuple[int, ...], dtype: DTypeLike) -> Array:
    if dtype not in (np.float32, np.float64, "float32", "float64"):
        raise TypeError(f"dtype: got {dtype}, expected float32 or float64")
    return np.empty(shape, dtype)


def _given(out: Array, shape: tuple[int, ...]) -> Array:
    if not isinstance(out, np.ndarray) or out.dtype not in (np.float32, np.float64):
        raise TypeError(f"out: got {getattr(out, 'dtype', type(out).__name__)}, expected a float32 or float64 array")
    if out.shape != shape:
        raise ValueError(f"out: got shape {out.shape}, expected {shape}")
    if not (out.flags.c_contiguous and out.flags.aligned and out.flags.writeable):
        raise ValueError("out: got a read-only array or one not in C order, expected a writeable one in C order")
    return out
