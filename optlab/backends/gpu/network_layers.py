"""The layers of a network on the GPU, and the memory of one pass through them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from optlab.backends.gpu import batch_norm, dense, layer_norm
from optlab.backends.gpu.dense import Follow
from optlab.backends.gpu.device import empty
from optlab.backends.specs import LayerSpec, NetworkSpec

Array = Any


@dataclass(frozen=True)
class Layer(LayerSpec):
    """One layer, and what follows its product (inner) and its normalization (outer)."""

    inner: Follow
    outer: Follow

    def part(self, theta: Array | None, name: str) -> Array | None:
        """A segment of a flat vector; None where there is no vector or no such segment."""
        offset = getattr(self, name)
        if theta is None or offset < 0:
            return None
        if name == "weight":
            return theta[offset : offset + self.inputs * self.outputs].reshape(self.outputs, self.inputs)
        return theta[offset : offset + self.outputs]


@dataclass
class Arrays:
    """What a layer leaves for the way back: outputs, what its normalization was given, and the statistics of that."""

    y: Array
    inner: Array
    mean: Array = None
    rstd: Array = None


class Room:
    """The memory of one pass over so many rows; of tangents where they are wanted."""

    def __init__(self, layers: list[Layer], rows: int, dtype: Any, labels: bool, tangents: bool) -> None:
        self.rows, self.dtype = rows, dtype
        widest = max(max(layer.inputs, layer.outputs) for layer in layers)
        self.x = empty((rows, layers[0].inputs), dtype)
        self.targets = empty(rows, np.int64) if labels else empty((rows, layers[-1].outputs), dtype)
        self.arrays = [self._of(layer) for layer in layers]
        self.dots = [self._of(layer) for layer in layers] if tangents else []
        self._slopes = [empty(rows * widest, dtype) for _ in range(4 if tangents else 2)]
        self.few = empty(2 * widest, dtype)
        self.value, self.rate = empty((), dtype), empty((), dtype)
        most = max(self._scratch_numbers(layer) for layer in layers)
        self.scratch = empty(max(most, rows * layers[-1].outputs), dtype)

    def _scratch_numbers(self, layer: Layer) -> int:
        shape = (self.rows, layer.outputs, self.dtype)
        rows = layer_norm.scratch_numbers(*shape, groups=layer.groups)
        return max(dense.scratch_numbers(*shape), batch_norm.scratch_numbers(*shape), rows)

    def _of(self, layer: Layer) -> Arrays:
        y = empty((self.rows, layer.outputs), self.dtype)
        if not layer.norm:
            return Arrays(y, y)
        statistics = (layer.outputs,) if layer.norm == "batch" else (self.rows, layer.groups)
        return Arrays(y, empty(y.shape, self.dtype), empty(statistics, self.dtype), empty(statistics, self.dtype))

    def slope(self, which: int, width: int) -> Array:
        """The gradient by a layer's outputs (0) and its derivative (2), each with room for the next (1, 3)."""
        return self._slopes[which][: self.rows * width].reshape(self.rows, width)

    def turn(self) -> None:
        """What was made of the slopes takes their place."""
        s = self._slopes
        self._slopes = [s[1], s[0], *([s[3], s[2]] if len(s) > 2 else [])]


def layers_of(spec: NetworkSpec) -> Iterator[Layer]:
    """The layers with what follows their products and their normalizations; masks are addressed later."""
    nothing = Follow()
    active = dense.follow(spec.activation, spec.parameter)
    for given in spec.layers:
        normed, before = bool(given.norm), not given.norm_after
        inner = nothing if given.last or (normed and before) else active
        outer = active if normed and before else nothing
        if not given.last and spec.dropout:
            if normed:
                outer = outer._replace(p=spec.dropout)
            else:
                inner = inner._replace(p=spec.dropout)
        yield Layer(**vars(given), inner=inner, outer=outer)
