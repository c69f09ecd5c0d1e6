"""The first parameters of a whole network."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optlab.checks import integer
from optlab.layout import Layout, Segment, checked
from optlab.nn.init.constants import Constant, Zeros
from optlab.nn.init.fans import fans
from optlab.nn.init.initializer import Initializer
from optlab.nn.init.listed import resolve

FIXED: dict[str, Initializer] = {"scale": Constant(1.0), "shift": Zeros()}
"""How a normalization begins: as the identity."""


def fill(
    theta: NDArray[Any],
    layout: Layout,
    *,
    weight: str | Initializer = "kaiming_normal",
    bias: str | Initializer = "zeros",
    seed: int,
    first_run: int = 0,
) -> None:
    """Write the first parameters of a network, or of many, segment by segment.

    Segment k of run r is ``initializer.draw(segment.shape, seed, step=k, run=r, fans=fans)`` with the fans that the
    segment, or for a bias its weight, declares. Scales begin at 1, shifts at 0.

    Args:
        theta: (dim,), or (runs, dim) with a network in each row; float32 or float64 in C order.
        layout: The segments. A bias without fans takes those of the last weight before it.
        weight: The initializer of the segments of kind "weight", or its name.
        bias: That of kind "bias".
        seed: The key, 0 to 2**64 - 1.
        first_run: The number of the first row's run.

    Raises:
        TypeError: theta is neither float32 nor float64, or an argument is of the wrong type.
        ValueError: theta does not fit the layout or is no writeable array in C order, a kind is unknown, or an argument
            is out of range.

    Example:
        >>> import numpy as np
        >>> from optlab.layout import Segment
        >>> theta = np.ones(8, np.float32)
        >>> fill(theta, (Segment("weight", 0, (2, 3)), Segment("bias", 6, (2,), "bias")), seed=1)
        >>> theta[6:]
        array([0., 0.], dtype=float32)
    """
    _check_theta(theta)
    runs = theta.reshape(-1, theta.shape[-1])
    integer("first_run", first_run, 0, 2**32 - len(runs))
    methods = {"weight": resolve(weight), "bias": resolve(bias), **FIXED}
    segments = list(_with_fans(checked(layout, runs.shape[1])))
    for segment, pair in segments:
        if segment.kind not in methods:
            raise ValueError(f"layout: got kind {segment.kind!r}, expected one of {', '.join(methods)}")
        methods[segment.kind].check(segment.shape, pair)
    for run, row in enumerate(runs, first_run):
        for k, (segment, pair) in enumerate(segments):
            out = row[segment.offset : segment.offset + segment.size].reshape(segment.shape)
            methods[segment.kind].draw(segment.shape, seed, step=k, run=run, out=out, fans=pair)


def _with_fans(layout: Layout) -> Iterator[tuple[Segment, tuple[int, int] | None]]:
    last = None
    for segment in layout:
        known = None if None in (segment.fan_in, segment.fan_out) else (segment.fan_in, segment.fan_out)
        if segment.kind == "weight":
            last = known or (fans(segment.shape) if len(segment.shape) > 1 else None)
        yield segment, known or last  # type: ignore[misc]


def _check_theta(theta: NDArray[Any]) -> None:
    if not isinstance(theta, np.ndarray) or theta.dtype not in (np.float32, np.float64):
        found = getattr(theta, "dtype", type(theta).__name__)
        raise TypeError(f"theta: got {found}, expected a float32 or float64 array")
    if theta.ndim not in (1, 2) or not (theta.flags.c_contiguous and theta.flags.writeable) or not theta.size:
        raise ValueError(f"theta: got shape {theta.shape}, expected a writeable (dim,) or (runs, dim) in C order")
