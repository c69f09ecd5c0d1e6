"""Linear passes on the GPU: products by cuBLAS, what follows them in one launch (:mod:`optlab.backends.gpu.dense`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from optlab.backends.gpu import dense
from optlab.backends.gpu.call import Call
from optlab.backends.gpu.device import empty
from optlab.backends.gpu.products import mode_of, product

Array = Any
Out = tuple[Array | None, ...] | None


class Pass(Call):
    """x, weight and the options, which every pass takes."""

    def __init__(
        self, out: Any, names: Sequence[str], x: Array, weight: Array, activation: str, parameter: Any, dropout: Any
    ) -> None:
        super().__init__(out, names, (x, "x"))
        self.x = self.take(x, "x", (-1, -1))
        self.weight = self.take(weight, "weight", (-1, int(x.shape[1])))
        self.batch, self.inner = int(x.shape[0]), int(x.shape[1])
        self.outer = int(weight.shape[0])
        self.inputs, self.outputs = (self.batch, self.inner), (self.batch, self.outer)
        self.weights = (self.outer, self.inner)
        self.follow = dense.follow(activation, parameter, dropout, self.batch * self.outer)

    def value(self, given: Array | None, name: str) -> Array | None:
        """The given y or y_dot, which the passes need where anything follows."""
        if self.follow.identity:
            return self.maybe(given, name, self.outputs)
        return self.take(given, name, self.outputs)

    def product(self, out: Array, a: Array, b: Array, **options: Any) -> None:
        """The product with all digits of the dtype."""
        product(out, a, b, mode=mode_of(self.dtype), **options)

    def room(self) -> Array:
        """Scratch for the sums of columns."""
        return empty(dense.scratch_numbers(*self.outputs, self.dtype), self.dtype)


def linear_forward(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    activation: str = "identity",
    parameter: float | None = None,
    dropout: Any = None,
    out: Array | None = None,
) -> Array:
    """See :func:`optlab.ops.linear_forward`."""
    a = Pass(out, ("y",), x, weight, activation, parameter, dropout)
    shift = a.maybe(bias, "bias", (a.outer,))
    y = a.out(a.outputs)
    a.check()
    a.product(y, a.x, a.weight, turn_b=True)
    if shift is not None or not a.follow.identity:
        dense.forward(y, shift, a.follow, y)
    return y


def linear_backward(
    dy: Array,
    x: Array,
    weight: Array,
    y: Array | None = None,
    activation: str = "identity",
    parameter: float | None = None,
    dropout: Any = None,
    input_gradient: bool = True,
    out: Out = None,
) -> tuple[Array | None, Array, Array]:
    """See :func:`optlab.ops.linear_backward`."""
    a = Pass(out, ("dx", "dweight", "dbias"), x, weight, activation, parameter, dropout)
    upper, value = a.take(dy, "dy", a.outputs), a.value(y, "y")
    dx = a.out(a.inputs) if input_gradient else a.no_out()
    dweight, dbias = a.out(a.weights), a.out((a.outer,))
    a.check()
    dz = empty(a.outputs, a.dtype)
    dense.backward(dz, dbias, upper, upper if value is None else value, a.follow, a.room())
    a.product(dweight, dz, a.x, turn_a=True)
    if dx is not None:
        a.product(dx, dz, a.weight)
    return dx, dweight, dbias


def linear_forward_tangent(
    x_dot: Array | None,
    x: Array,
    weight: Array,
    y: Array | None = None,
    weight_dot: Array | None = None,
    bias_dot: Array | None = None,
    activation: str = "identity",
    parameter: float | None = None,
    dropout: Any = None,
    out: Array | None = None,
) -> Array:
    """See :func:`optlab.ops.linear_forward_tangent`."""
    a = Pass(out, ("y_dot",), x, weight, activation, parameter, dropout)
    move, turn = a.maybe(x_dot, "x_dot", a.inputs), a.maybe(weight_dot, "weight_dot", a.weights)
    shift, value = a.maybe(bias_dot, "bias_dot", (a.outer,)), a.value(y, "y")
    y_dot = a.out(a.outputs)
    a.check()
    if move is None and turn is None:
        y_dot[...] = 0
    if move is not None:
        a.product(y_dot, move, a.weight, turn_b=True)
    if turn is not None:
        a.product(y_dot, a.x, turn, turn_b=True, accumulate=move is not None)
    if shift is not None or not a.follow.identity:
        dense.slope(y_dot, shift, y_dot if value is None else value, a.follow, y_dot)
    return y_dot


def linear_backward_tangent(
    dy_dot: Array,
    x_dot: Array | None,
    dy: Array,
    x: Array,
    weight: Array,
    y: Array | None = None,
    y_dot: Array | None = None,
    weight_dot: Array | None = None,
    activation: str = "identity",
    parameter: float | None = None,
    dropout: Any = None,
    input_gradient: bool = True,
    out: Out = None,
) -> tuple[Array | None, Array, Array]:
    """See :func:`optlab.ops.linear_backward_tangent`."""
    a = Pass(out, ("dx_dot", "dweight_dot", "dbias_dot"), x, weight, activation, parameter, dropout)
    turning, upper = a.take(dy_dot, "dy_dot", a.outputs), a.take(dy, "dy", a.outputs)
    move, turn = a.maybe(x_dot, "x_dot", a.inputs), a.maybe(weight_dot, "weight_dot", a.weights)
    value, value_dot = a.value(y, "y"), None if a.follow.identity else a.value(y_dot, "y_dot")
    dx_dot = a.out(a.inputs) if input_gradient else a.no_out()
    dweight_dot, dbias_dot = a.out(a.weights), a.out((a.outer,))
    a.check()
    dz_dot, dz = empty(a.outputs, a.dtype), empty(a.outputs, a.dtype)
    at, at_dot = upper if value is None else value, turning if value_dot is None else value_dot
    dense.backward_tangent(dz_dot, dz, dbias_dot, turning, at_dot, upper, at, a.follow, a.room())
    a.product(dweight_dot, dz_dot, a.x, turn_a=True)
    if move is not None:
        a.product(dweight_dot, dz, move, turn_a=True, accumulate=True)
    if dx_dot is not None:
        a.product(dx_dot, dz_dot, a.weight)
        if turn is not None:
            a.product(dx_dot, dz, turn, accumulate=True)
    return dx_dot, dweight_dot, dbias_dot
