"""Layer normalization on the GPU, and group normalization of (batch, channels): the functions of :mod:`optlab.ops`.

``scratch`` is as for :mod:`optlab.backends.gpu.batch_norm`: :func:`scratch_numbers` of room, for the gradients of the
parameters and for what each row's rounded mean lacks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from optlab import checks
from optlab.backends.gpu import columns
from optlab.backends.gpu.call import Call
from optlab.backends.gpu.device import device, kernel

Array = Any
Out = tuple[Array | None, ...] | None
FILE = "layer_norm.cu"
LONG_ROW = 1024
"""A row of more numbers is given a block, others a warp."""


def scratch_numbers(rows: int, features: int, dtype: Any, groups: int = 1) -> int:
    """How many numbers of room the backward passes over a matrix of this shape need."""
    return columns.plan(rows, features, np.dtype(dtype).itemsize).numbers(4, 1) + 2 * rows * groups


class Rows(Call):
    """The arrays of a call; a row is a group of a sample, and ``groups`` None stands for layer normalization."""

    def __init__(self, x: Array, out: Any, names: Sequence[str], groups: int | None) -> None:
        super().__init__(out, names, (x, "x"))
        if groups is not None and x.ndim > 2:
            raise TypeError(f"x: got shape {tuple(x.shape)} on the GPU, expected (batch, channels) without positions")
        self.x = self.take(x, "x", (-1, -1))
        self.shape = (int(x.shape[0]), int(x.shape[1]))
        self.row, self.groups = (self.shape[1],), groups or 1
        self.statistics = (self.shape[0],) if groups is None else (self.shape[0], groups)

    @property
    def cut(self) -> tuple[int, int, int]:
        """Rows, groups, and how many numbers a row has."""
        return self.shape[0] * self.groups, self.groups, self.shape[1] // self.groups

    def launch(self, name: str, arguments: Sequence[Any]) -> None:
        """Launches a kernel that takes a row in each team."""
        rows, _, n = self.cut
        team = columns.THREADS if n > LONG_ROW else 32
        entry = kernel(FILE, f"optlab::{name}, {team}>")
        blocks = columns.ceil_div(rows, columns.THREADS // team)
        device().launch(entry, (blocks,), (columns.THREADS,), arguments)

    def backward(self, number: str, dx: Array, dgamma: Array, dbeta: Array, scratch: Any, given: list[Any]) -> None:
        """Launches the passes behind dx and those behind the parameters; given ends with gamma and gamma_dot."""
        cut, (rows, groups, n) = columns.plan(*self.shape, self.itemsize), self.cut
        quantities = 2 if number == self.real else 4
        numbers = cut.numbers(quantities, 1)
        room = self.scratch(scratch, numbers + quantities // 2 * rows)
        drift = [room[numbers : numbers + rows], room[numbers + rows :] if quantities == 4 else None]
        self.check()
        self.launch(f"layer_norm_backward<{number}", [dx, *drift, *given, *self.cut])
        columns.launch(
            kernel(FILE, f"optlab::layer_norm_parameters<{number}>"),
            [dgamma, dbeta, *given[:-2], *drift, n, groups],
            cut,
            room,
            quantities=quantities,
            itemsize=self.itemsize,
            reads=2,
            applies=False,
        )


def layer_norm_forward(
    x: Array, gamma: Array | None = None, beta: Array | None = None, eps: float = 1e-5, out: Out = None
) -> tuple[Array, Array, Array]:
    """See :func:`optlab.ops.layer_norm_forward`."""
    return _forward(x, None, gamma, beta, eps, out)


def group_norm_forward(
    x: Array, groups: int, gamma: Array | None = None, beta: Array | None = None, eps: float = 1e-5, out: Out = None
) -> tuple[Array, Array, Array]:
    """See :func:`optlab.ops.group_norm_forward`.

    Raises:
        ValueError: the number of groups does not divide the channels.
    """
    channels = int(x.shape[1]) if x.ndim > 1 else 1
    if channels % checks.integer("groups", groups, 1, max(channels, 1)):
        raise ValueError(f"groups: got {groups}, expected a whole number that divides the {channels} channels")
    return _forward(x, groups, gamma, beta, eps, out)


def _forward(
    x: Array, groups: int | None, gamma: Array | None, beta: Array | None, eps: float, out: Out
) -> tuple[Array, Array, Array]:
    a = Rows(x, out, ("y", "mean", "rstd"), groups)
    scales = [a.maybe(gamma, "gamma", a.row), a.maybe(beta, "beta", a.row)]
    small = np.dtype(a.dtype).type(checks.real("eps", eps, 0))
    y, mean, rstd = a.out(a.shape), a.out(a.statistics), a.out(a.statistics)
    a.check()
    a.launch(f"layer_norm_forward<{a.real}", [y, mean, rstd, a.x, *scales, *a.cut, small])
    return y, mean, rstd


def layer_norm_forward_tangent(
    x_dot: Array,
    x: Array,
    gamma: Array | None,
    mean: Array,
    rstd: Array,
    gamma_dot: Array | None = None,
    beta_dot: Array | None = None,
    out: Out = None,
) -> tuple[Array, Array, Array]:
    """See :func:`optlab.ops.layer_norm_forward_tangent`."""
    return _forward_tangent(None, x_dot, x, gamma, mean, rstd, gamma_dot, beta_dot, out)


def group_norm_forward_tangent(
    x_dot: Array,
    x: Array,
    gamma: Array | None,
    mean: Array,
    rstd: Array,
    gamma_dot: Array | None = None,
    beta_dot: Array | None = None,
    out: Out = None,
) -> tuple[Array, Array, Array]:
    """See :func:`optlab.ops.group_norm_forward_tangent`."""
    return _forward_tangent(_groups(x, mean), x_dot, x, gamma, mean, rstd, gamma_dot, beta_dot, out)


def _groups(x: Array, mean: Array) -> int:
    """The groups that the statistics of a forward pass have."""
    groups = int(mean.shape[1]) if getattr(mean, "ndim", 0) == 2 else 1
    channels = int(x.shape[1]) if x.ndim > 1 else 1
    if groups < 1 or channels % groups:
        expected = f"({x.shape[0]}, groups) with groups that divide the {channels} channels"
        raise ValueError(f"mean: got shape {tuple(mean.shape)}, expected {expected}")
    return groups


def _forward_tangent(
    groups: int | None,
    x_dot: Array,
    x: Array,
    gamma: Array | None,
    mean: Array,
    rstd: Array,
    gamma_dot: Array | None,
    beta_dot: Array | None,
    out: Out,
) -> tuple[Array, Array, Array]:
    a = Rows(x, out, ("y_dot", "mean_dot", "rstd_dot"), groups)
    given = [a.x, a.take(x_dot, "x_dot", a.shape)]
    given += [a.take(mean, "mean", a.statistics), a.take(rstd, "rstd", a.statistics), a.maybe(gamma, "gamma", a.row)]
    given += [a.maybe(gamma_dot, "gamma_dot", a.row), a.maybe(beta_dot, "beta_dot", a.row)]
    y_dot, mean_dot, rstd_dot = a.out(a.shape), a.out(a.statistics), a.out(a.statistics)
    a.check()
    a.launch(f"layer_norm_forward_tangent<{a.real}", [y_dot, mean_dot, rstd_dot, *given, *a.cut])
    return y_dot, mean_dot, rstd_dot


def layer_norm_backward(
    dy: Array, x: Array, gamma: Array | None, mean: Array, rstd: Array, out: Out = None, scratch: Array | None = None
) -> tuple[Array, Array, Array]:
    """See :func:`optlab.ops.layer_norm_backward`."""
    return _backward(None, dy, x, gamma, mean, rstd, out, scratch)


def group_norm_backward(
    dy: Array, x: Array, gamma: Array | None, mean: Array, rstd: Array, out: Out = None, scratch: Array | None = None
) -> tuple[Array, Array, Array]:
    """See :func:`optlab.ops.group_norm_backward`."""
    return _backward(_groups(x, mean), dy, x, gamma, mean, rstd, out, scratch)


def _backward(
    groups: int | None,
    dy: Array,
    x: Array,
    gamma: Array | None,
    mean: Array,
    rstd: Array,
    out: Out,
    scratch: Array | None,
) -> tuple[Array, Array, Array]:
    a = Rows(x, out, ("dx", "dgamma", "dbeta"), groups)
    given = [a.take(dy, "dy", a.shape), None, a.x, None, a.take(mean, "mean", a.statistics), None]
    given += [a.take(rstd, "rstd", a.statistics), None, a.maybe(gamma, "gamma", a.row), None]
    dx, dgamma, dbeta = a.out(a.shape), a.out(a.row), a.out(a.row)
    a.backward(a.real, dx, dgamma, dbeta, scratch, given)
    return dx, dgamma, dbeta


def layer_norm_backward_tangent(
    dy_dot: Array,
    x_dot: Array,
    dy: Array,
    x: Array,
    gamma: Array | None,
    mean: Array,
    rstd: Array,
    mean_dot: Array,
    rstd_dot: Array,
    gamma_dot: Array | None = None,
    out: Out = None,
    scratch: Array | None = None,
) -> tuple[Array, Array, Array]:
    """See :func:`optlab.ops.layer_norm_backward_tangent`."""
    arrays = (dy_dot, x_dot, dy, x, gamma, mean, rstd, mean_dot, rstd_dot, gamma_dot)
    return _backward_tangent(None, *arrays, out, scratch)


def group_norm_backward_tangent(
    dy_dot: Array,
    x_dot: Array,
    dy: Array,
    x: Array,
    gamma: Array | None,
    mean: Array,
    rstd: Array,
    mean_dot: Array,
    rstd_dot: Array,
    gamma_dot: Array | None = None,
    out: Out = None,
    scratch: Array | None = None,
) -> tuple[Array, Array, Array]:
    """See :func:`optlab.ops.group_norm_backward_tangent`."""
    arrays = (dy_dot, x_dot, dy, x, gamma, mean, rstd, mean_dot, rstd_dot, gamma_dot)
    return _backward_tangent(_groups(x, mean), *arrays, out, scratch)


def _backward_tangent(
    groups: int | None,
    dy_dot: Array,
    x_dot: Array,
    dy: Array,
    x: Array,
    gamma: Array | None,
    mean: Array,
    rstd: Array,
    mean_dot: Array,
    rstd_dot: Array,
    gamma_dot: Array | None,
    out: Out,
    scratch: Array | None,
) -> tuple[Array, Array, Array]:
    a = Rows(x, out, ("dx_dot", "dgamma_dot", "dbeta_dot"), groups)
    given = [a.take(dy, "dy", a.shape), a.take(dy_dot, "dy_dot", a.shape), a.x, a.take(x_dot, "x_dot", a.shape)]
    given += [a.take(mean, "mean", a.statistics), a.take(mean_dot, "mean_dot", a.statistics)]
    given += [a.take(rstd, "rstd", a.statistics), a.take(rstd_dot, "rstd_dot", a.statistics)]
    given += [a.maybe(gamma, "gamma", a.row), a.maybe(gamma_dot, "gamma_dot", a.row)]
    dx_dot, dgamma_dot, dbeta_dot = a.out(a.shape), a.out(a.row), a.out(a.row)
    a.backward(f"optlab::Dual<{a.real}>", dx_dot, dgamma_dot, dbeta_dot, scratch, given)
    return dx_dot, dgamma_dot, dbeta_dot
