"""A network with a loss over data on the GPU: value, gradient and Hessian-vector product of one flat vector.

The passes are those of the CPU (``cpp/cpu/network*.cpp``): products by cuBLAS, everything around them by our kernels.
Nothing is allocated in a pass whose :class:`Room` exists, and nothing waits, so that a CUDA graph can capture it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from optlab.backends.gpu import batch_norm, dense, gate, layer_norm, losses, vectors
from optlab.backends.gpu import products as of_matrices
from optlab.backends.gpu.dense import Follow
from optlab.backends.gpu.device import empty
from optlab.backends.gpu.network_layers import Arrays, Layer, Room, layers_of
from optlab.backends.specs import Frozen, LossSpec, NetworkSpec

Array = Any
ROWS_AT_ONCE = 4096
"""So many samples are done at a time where batch normalization does not tie all of them together, as on the CPU."""


@dataclass(frozen=True)
class Draws:
    """What the masks of one evaluation are drawn by; inside of a graph ``graph`` says which step is taken."""

    seed: int
    step: int
    run: int
    graph: Array | None = None


@dataclass(frozen=True)
class Batch:
    """Which samples are evaluated, and what is drawn and averaged on the way."""

    index: Array | None = None
    """Their numbers, (rows,) or, for the steps of a graph, (steps, rows); None: all."""
    draws: Draws | None = None
    averages: Array | None = None
    """Running means and variances, which the pass moves on."""
    graph: Array | None = None
    """Inside of a graph: which step is taken (``StepCounter`` of ``cuda/grid.cuh``)."""


class Network:
    """A network on data; see :class:`optlab.nn.NetworkLandscape` for what it computes.

    Args:
        spec: The network.
        loss: What it is asked for.
        dtype: float32 or float64.
        X: The data on the device, or None.
        y: Labels or targets.
        frozen: (seed, step, run) of the draws whoever asks, or None.

    Raises:
        ValueError: the settings ask for a Jacobian penalty or noise behind normalization, which have no GPU path, or a
            label names no output.
    """

    def __init__(self, spec: NetworkSpec, loss: LossSpec, dtype: Any, X: Any, y: Any, frozen: Frozen) -> None:
        if loss.jacobian:
            raise ValueError("jacobian: got a penalty on the Jacobian with arrays of the GPU, expected none there")
        if spec.norm_noise:
            raise ValueError("norm_noise: got noise behind normalization with arrays of the GPU, expected none there")
        self.spec, self.loss, self.dtype, self.X, self.y = spec, loss, dtype, X, y
        products = loss.products
        self.mode = of_matrices.mode_of(dtype) if products == "float32" else products
        self._halves: dict[tuple[int, Any], Array] = {}
        self.dim = spec.dim
        self.layers = list(layers_of(spec))
        self.columns = sum(layer.outputs for layer in self.layers if layer.norm == "batch")
        self.frozen = Draws(*frozen) if frozen else None
        self._rooms: dict[tuple[int, bool], Room] = {}
        if X is not None:
            gate.check(X, "X", dtype, (-1, self.layers[0].inputs))
            if y.ndim == 1:
                gate.check(y, "y", np.int64, (len(X),))
                if int(y.min()) < 0 or int(y.max()) >= self.layers[-1].outputs:
                    raise ValueError(f"y: expected labels from 0 to {self.layers[-1].outputs - 1}")
            else:
                gate.check(y, "y", dtype, (len(X), self.layers[-1].outputs))

    def landscape(self) -> Network:
        """The network as a function of its parameters: itself."""
        return self

    # ------------------------------------------------------------ what is asked

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
        """At points ``(dim,)`` or ``(runs, dim)``, as landscapes are evaluated; the arrays that are given are filled.

        Raises:
            TypeError: an array is of another dtype, or not of the GPU.
            ValueError: a shape does not fit, memory is strided or overlaps, or an index is out of range.
        """
        if x.shape[-1] != self.dim:
            raise ValueError(f"x: got {x.shape[-1]} coordinates, expected {self.dim}")
        out = grad if hvp is None else hvp
        named = [(name, array) for name, array in (("x", x), ("v", v), ("out", out)) if array is not None]
        for name, array in named:
            gate.check(array, name, self.dtype, x.shape)
        gate.check_separate(named)
        seen = Batch(None if batch is None else self._checked(batch))
        for run in range(len(x) if x.ndim == 2 else 1):
            theta, to, along = (a if a is None or a.ndim == 1 else a[run] for a in (x, out, v))
            if hvp is None:
                self.value_and_grad(theta, None if value is None else value[run : run + 1], to, seen)
            else:
                self.product(theta, along, to, seen)

    def _checked(self, batch: Array) -> Array:
        """The numbers of samples; waits for them."""
        gate.check(batch, "batch", np.int64, (-1,))
        if not batch.size or int(batch.min()) < 0 or int(batch.max()) >= len(self.X):
            raise ValueError(f"batch: expected at least one number from 0 to {len(self.X) - 1}")
        return batch

    def value_and_grad(
        self, theta: Array, value: Array | None = None, grad: Array | None = None, batch: Batch | None = None
    ) -> None:
        """The value (an array of one number) and the gradient of the batch, each where it is given."""
        batch = batch or Batch()
        rows = self._rows(batch)
        at_once = rows if self.columns else min(rows, ROWS_AT_ONCE)
        for first in range(0, rows, at_once):
            count = min(at_once, rows - first)
            room = self.room(count)
            self._forward(theta, room, self._inputs(room, batch, first), self._draws(batch, first, rows), batch)
            self._loss(room, batch, first, rows)
            if grad is not None:
                part = grad if first == 0 else self._part()
                self._backward(theta, part, room, self._draws(batch, first, rows))
                if first:
                    vectors.add(grad, part)
            if value is not None:
                vectors.copy(value, room.value) if first == 0 else vectors.add(value, room.value)
        decay, l1 = self.loss.weight_decay, self.loss.l1
        if decay or l1:
            if grad is not None:
                vectors.penalize(grad, theta, None, decay, l1)
            if value is not None:
                self.sums().penalty(value, theta, decay, l1)

    def product(self, theta: Array, v: Array, out: Array, batch: Batch | None = None) -> None:
        """The Hessian times v."""
        batch = batch or Batch()
        rows = self._rows(batch)
        at_once = rows if self.columns else min(rows, ROWS_AT_ONCE)
        for first in range(0, rows, at_once):
            room, draws = self.room(min(at_once, rows - first), tangents=True), self._draws(batch, first, rows)
            x = self._inputs(room, batch, first)
            self._forward(theta, room, x, draws, batch)
            self._forward_tangent(theta, v, room, x, draws)
            self._loss(room, batch, first, rows)
            part = out if first == 0 else self._part()
            self._backward_tangent(theta, v, part, room, draws)
            if first:
                vectors.add(out, part)
        if self.loss.weight_decay:
            vectors.penalize(out, theta, v, self.loss.weight_decay, 0.0)

    def outputs(self, out: Array, theta: Array, X: Array, mean: Array | None, var: Array | None) -> None:
        """What the network puts out for rows of X, without dropout; normalized by the statistics given."""
        self._check(theta, X)
        gate.check(out, "out", self.dtype, (len(X), self.layers[-1].outputs))
        for name, array in (("mean", mean), ("var", var)):
            if array is not None:
                gate.check(array, name, self.dtype, (self.columns,))
        at_once = len(X) if self.columns and mean is None else ROWS_AT_ONCE
        for first in range(0, len(X), at_once):
            x = X[first : first + at_once]
            room = self.room(len(x))
            self._forward(theta, room, x, None, Batch(), known=None if mean is None else (mean, var))
            vectors.copy(out[first : first + at_once], room.arrays[-1].y)

    def statistics(self, mean: Array, var: Array, theta: Array, X: Array) -> None:
        """Mean and unbiased variance over the rows of X in front of each batch normalization."""
        self._check(theta, X)
        averages = empty(2 * self.columns, self.dtype)
        self._forward(theta, self.room(len(X)), X, None, Batch(averages=averages), momentum=1.0)
        vectors.copy(mean, averages[: self.columns])
        vectors.copy(var, averages[self.columns :])

    def room(self, rows: int, tangents: bool = False) -> Room:
        """The memory of a pass over so many rows, kept as long as the network: a captured graph may point to it."""
        key = (rows, tangents)
        if key not in self._rooms:
            labels = self.y is not None and self.y.ndim == 1
            self._rooms[key] = Room(self.layers, rows, self.dtype, labels, tangents)
        return self._rooms[key]

    def sums(self) -> vectors.Sums:
        """Room for sums over the parameters."""
        if not hasattr(self, "_sums"):
            self._sums = vectors.Sums(self.dim, self.dtype)
        return self._sums

    # ------------------------------------------------------------ passes

    def _check(self, theta: Array, X: Array) -> None:
        gate.check(theta, "theta", self.dtype, (self.dim,))
        gate.check(X, "X", self.dtype, (-1, self.layers[0].inputs))

    def _rows(self, batch: Batch) -> int:
        return len(self.X) if batch.index is None else int(batch.index.shape[-1])

    def _part(self) -> Array:
        if not hasattr(self, "_second"):
            self._second = empty(self.dim, self.dtype)
        return self._second

    def _draws(self, batch: Batch, first: int, rows: int) -> tuple[Draws, int, int] | None:
        """What masks are drawn by, for the rows from `first` on of all."""
        draws = self.frozen or batch.draws
        return (draws, first, rows) if draws and self.spec.dropout else None

    def _inputs(self, room: Room, batch: Batch, first: int) -> Array:
        if batch.index is None:
            return self.X[first : first + room.rows]
        index = batch.index if batch.index.ndim == 2 or not first else batch.index[first : first + room.rows]
        vectors.gather(room.x, self.X, index, batch.graph)
        return room.x

    def _targets(self, room: Room, batch: Batch, first: int) -> Array:
        if batch.index is None:
            return self.y[first : first + room.rows]
        index = batch.index if batch.index.ndim == 2 or not first else batch.index[first : first + room.rows]
        vectors.gather(room.targets, self.y, index, batch.graph)
        return room.targets

    def _follow(self, layer: Layer, which: str, masks: Any) -> Follow:
        of: Follow = getattr(layer, which)
        if of.p == 0 or masks is None:
            return of._replace(p=0.0)
        draws, first, rows = masks
        base = rows * layer.dropped_before + first * layer.outputs
        return of._replace(seed=draws.seed, step=draws.step, run=draws.run, graph=draws.graph, base=base)

    def _product(self, out: Array, a: Array, b: Array, ta: bool = False, tb: bool = False, add: bool = False) -> None:
        if self.mode == "bf16":
            a, b = (self._half(place, x) for place, x in enumerate((a, b)))
        of_matrices.product(out, a, b, turn_a=ta, turn_b=tb, mode=self.mode, accumulate=add)

    def _half(self, place: int, x: Array) -> Array:
        """A factor rounded to bfloat16, in memory that is kept for its shape."""
        key = (place, x.shape)
        if key not in self._halves:
            self._halves[key] = empty(x.shape, np.uint16)
        of_matrices.rounded(x, self._halves[key])
        return self._halves[key]

    def _forward(
        self,
        theta: Array,
        room: Room,
        x: Array,
        masks: Any,
        batch: Batch,
        known: tuple[Array, Array] | None = None,
        momentum: float | None = None,
    ) -> None:
        self._x = x
        for layer, a in zip(self.layers, room.arrays, strict=True):
            inner, bias = self._follow(layer, "inner", masks), layer.part(theta, "bias")
            self._product(a.inner, x, layer.part(theta, "weight"), tb=True)
            if bias is not None or not inner.identity:
                dense.forward(a.inner, bias, inner, a.inner)
            if layer.norm:
                self._normalize(layer, theta, room, a, batch.averages, known, momentum)
                outer = self._follow(layer, "outer", masks)
                if not outer.identity:
                    dense.forward(a.y, None, outer, a.y)
            x = a.y

    def _normalize(
        self, layer: Layer, theta: Array, room: Room, a: Arrays, averages: Any, known: Any, momentum: float | None
    ) -> None:
        gamma, beta, eps = layer.part(theta, "gamma"), layer.part(theta, "beta"), self.spec.eps
        if layer.norm == "group":
            layer_norm.group_norm_forward(a.inner, layer.groups, gamma, beta, eps, out=(a.y, a.mean, a.rstd))
            return
        own = slice(layer.averages, layer.averages + layer.outputs)
        if known is not None:
            batch_norm.batch_norm_eval_forward(a.inner, known[0][own], known[1][own], gamma, beta, eps, out=a.y)
            return
        running = None
        if averages is not None:
            running = (averages[: self.columns][own], averages[self.columns :][own])
        share = self.spec.momentum if momentum is None else momentum
        batch_norm.forward(a.inner, gamma, beta, eps, running, share, (a.y, a.mean, a.rstd), room.scratch)

    def _loss(self, room: Room, batch: Batch, first: int, rows: int) -> None:
        """The rows' part of the loss, its gradient by the outputs, and the derivative of that along the tangents."""
        name, width = self.loss.loss, self.layers[-1].outputs
        by_row = name in ("cross_entropy", "kl_divergence")
        how = losses.Reduction(False, rows if by_row else rows * width)
        of, tangent = losses.softmax_cross_entropy, losses.softmax_cross_entropy_tangent
        if name != "cross_entropy":
            of, tangent = losses.elementwise(name), losses.elementwise_tangent(name)
        option = self.loss.delta if name == "huber" else self.loss.label_smoothing
        given = (room.arrays[-1].y, self._targets(room, batch, first), option, how)
        of(*given, True, out=(room.value, room.slope(0, width)), scratch=room.scratch)
        if room.dots:
            tangent(room.dots[-1].y, *given, out=(room.rate, room.slope(2, width)), scratch=room.scratch)

    def _backward(self, theta: Array, grad: Array, room: Room, masks: Any) -> None:
        for k, (layer, a) in reversed(list(enumerate(zip(self.layers, room.arrays, strict=True)))):
            x = room.arrays[k - 1].y if k else self._x
            if layer.norm:
                outer, v = self._follow(layer, "outer", masks), room.slope(0, layer.outputs)
                if not outer.identity:
                    dense.slope(v, None, a.y, outer, v)
                self._normalize_backward(layer, theta, room, a, layer.part(grad, "gamma"), layer.part(grad, "beta"))
                room.turn()
            inner, v = self._follow(layer, "inner", masks), room.slope(0, layer.outputs)
            self._summed(room, layer.part(grad, "bias"), v, a.inner, inner)
            self._product(layer.part(grad, "weight"), v, x, ta=True)
            if k:
                self._product(room.slope(1, layer.inputs), v, layer.part(theta, "weight"))
                room.turn()

    def _summed(self, room: Room, dbias: Array | None, v: Array, y: Array, inner: Follow) -> None:
        """The gradient of the bias, and dz in the place of dy."""
        if dbias is not None:
            dense.backward(v, dbias, v, y, inner, room.scratch)
        elif not inner.identity:
            dense.slope(v, None, y, inner, v)

    def _normalize_backward(
        self, layer: Layer, theta: Array, room: Room, a: Arrays, dgamma: Array, dbeta: Array
    ) -> None:
        dy, out = room.slope(0, layer.outputs), (room.slope(1, layer.outputs), dgamma, dbeta)
        of = batch_norm.batch_norm_backward if layer.norm == "batch" else layer_norm.group_norm_backward
        of(dy, a.inner, layer.part(theta, "gamma"), a.mean, a.rstd, out=out, scratch=room.scratch)

    # ------------------------------------------------------------ derivatives of the passes in a direction

    def _forward_tangent(self, theta: Array, v: Array, room: Room, x: Array, masks: Any) -> None:
        x_dot = None
        for layer, a, dot in zip(self.layers, room.arrays, room.dots, strict=True):
            inner = self._follow(layer, "inner", masks)
            self._product(dot.inner, x, layer.part(v, "weight"), tb=True)
            if x_dot is not None:
                self._product(dot.inner, x_dot, layer.part(theta, "weight"), tb=True, add=True)
            bias_dot = layer.part(v, "bias")
            if bias_dot is not None or not inner.identity:
                dense.slope(dot.inner, bias_dot, a.inner, inner, dot.inner)
            if layer.norm:
                self._normalize_tangent(layer, theta, v, a, dot, room)
                outer = self._follow(layer, "outer", masks)
                if not outer.identity:
                    dense.slope(dot.y, None, a.y, outer, dot.y)
            x, x_dot = a.y, dot.y

    def _normalize_tangent(self, layer: Layer, theta: Array, v: Array, a: Arrays, dot: Arrays, room: Room) -> None:
        given = (dot.inner, a.inner, layer.part(theta, "gamma"), a.mean, a.rstd)
        rates, out = (layer.part(v, "gamma"), layer.part(v, "beta")), (dot.y, dot.mean, dot.rstd)
        if layer.norm == "batch":
            batch_norm.batch_norm_forward_tangent(*given, *rates, out=out, scratch=room.scratch)
        else:
            layer_norm.group_norm_forward_tangent(*given, *rates, out=out)

    def _backward_tangent(self, theta: Array, v: Array, out: Array, room: Room, masks: Any) -> None:
        for k, layer in reversed(list(enumerate(self.layers))):
            a, dot, wide = room.arrays[k], room.dots[k], layer.outputs
            if layer.norm:
                outer = self._follow(layer, "outer", masks)
                if not outer.identity:
                    self._dense_tangent(room, None, layer, dot.y, a.y, outer)
                self._normalize_backward_tangent(layer, theta, v, out, a, dot, room)
                self._normalize_backward(layer, theta, room, a, room.few[:wide], room.few[wide : 2 * wide])
                room.turn()
            inner = self._follow(layer, "inner", masks)
            self._dense_tangent(room, layer.part(out, "bias"), layer, dot.inner, a.inner, inner)
            self._products_tangent(k, layer, theta, v, out, room)

    def _dense_tangent(
        self, room: Room, dbias_dot: Array | None, layer: Layer, y_dot: Array, y: Array, of: Follow
    ) -> None:
        """What becomes of dy_dot and dy, dz_dot and dz, in their places."""
        if dbias_dot is None and of.identity:
            return
        d, value = room.slope(2, layer.outputs), room.slope(0, layer.outputs)
        sums = room.few[: layer.outputs] if dbias_dot is None else dbias_dot
        dense.backward_tangent(d, value, sums, d, y_dot, value, y, of, room.scratch)

    def _normalize_backward_tangent(
        self, layer: Layer, theta: Array, v: Array, out: Array, a: Arrays, dot: Arrays, room: Room
    ) -> None:
        wide = layer.outputs
        of = batch_norm.batch_norm_backward_tangent
        if layer.norm == "group":
            of = layer_norm.group_norm_backward_tangent
        of(
            *(room.slope(2, wide), dot.inner, room.slope(0, wide), a.inner, layer.part(theta, "gamma")),
            *(a.mean, a.rstd, dot.mean, dot.rstd, layer.part(v, "gamma")),
            out=(room.slope(3, wide), layer.part(out, "gamma"), layer.part(out, "beta")),
            scratch=room.scratch,
        )

    def _products_tangent(self, k: int, layer: Layer, theta: Array, v: Array, out: Array, room: Room) -> None:
        x, x_dot = (room.arrays[k - 1].y, room.dots[k - 1].y) if k else (self._x, None)
        dz, dz_dot = room.slope(0, layer.outputs), room.slope(2, layer.outputs)
        self._product(layer.part(out, "weight"), dz_dot, x, ta=True)
        if x_dot is None:
            return
        self._product(layer.part(out, "weight"), dz, x_dot, ta=True, add=True)
        self._product(room.slope(3, layer.inputs), dz_dot, layer.part(theta, "weight"))
        self._product(room.slope(3, layer.inputs), dz, layer.part(v, "weight"), add=True)
        self._product(room.slope(1, layer.inputs), dz, layer.part(theta, "weight"))
        room.turn()
