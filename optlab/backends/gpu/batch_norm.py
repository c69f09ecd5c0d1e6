"""Batch normalization on the GPU: the functions of :mod:`optlab.ops.batch_norm`, whose docstrings say what they do.

``scratch`` is room for what is kept between launches, of :func:`scratch_numbers` numbers: given it and all of ``out``,
nothing is allocated, so that a CUDA graph can capture the call. Unlike on the CPU, the count of running averages is not
looked at before the call, since that would wait for the device.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from optlab import checks
from optlab.backends.gpu import columns
from optlab.backends.gpu.call import Call
from optlab.backends.gpu.device import device, kernel

Array = Any
Out = tuple[Array | None, ...] | None


class Pass(NamedTuple):
    """What ``cuda/batch_norm.cu`` says of a pass: quantities summed, coefficients kept, matrices read."""

    name: str
    quantities: int
    coefficients: int
    reads: int


FORWARD = Pass("Forward", 3, 3, 1)
BACKWARD = Pass("Backward", 3, 3, 2)
FORWARD_TANGENT = Pass("ForwardTangent", 3, 5, 2)
BACKWARD_TANGENT = Pass("BackwardTangent", 6, 6, 4)
EVAL_FORWARD = Pass("EvalForward", 0, 3, 1)
EVAL_BACKWARD = Pass("EvalBackward", 2, 1, 2)
EVAL_FORWARD_TANGENT = Pass("EvalForwardTangent", 0, 3, 2)
EVAL_BACKWARD_TANGENT = Pass("EvalBackwardTangent", 4, 2, 4)
PASSES = (
    *(FORWARD, BACKWARD, FORWARD_TANGENT, BACKWARD_TANGENT),
    *(EVAL_FORWARD, EVAL_BACKWARD, EVAL_FORWARD_TANGENT, EVAL_BACKWARD_TANGENT),
)

ARGUMENTS = (
    *("out", "first", "second", "u", "u_dot", "x", "x_dot", "mean", "mean_dot", "rstd", "rstd_dot"),
    *("gamma", "gamma_dot", "beta", "running_mean", "running_var", "count", "momentum", "eps"),
)


def scratch_numbers(rows: int, features: int, dtype: Any) -> int:
    """How many numbers of room any pass over a matrix of this shape needs; 0 where rows are few."""
    cut = columns.plan(rows, features, np.dtype(dtype).itemsize)
    return max(cut.numbers(each.quantities, each.coefficients) for each in PASSES)


def kernel_name(of: Pass, real: str) -> str:
    """The C++ name of its kernel."""
    entry = "batch_norm_pass" if of.quantities else "batch_norm_known"
    return f"optlab::{entry}<optlab::batch_norm::{of.name}, {real}>"


class Arrays(Call):
    """The arrays of a call, (batch, features) and (features,)."""

    def __init__(self, x: Array, out: Any, names: Sequence[str]) -> None:
        super().__init__(out, names, (x, "x"))
        self.x = self.take(x, "x", (-1, -1))
        self.shape = (int(x.shape[0]), int(x.shape[1]))
        self.row = (self.shape[1],)

    def run(self, of: Pass, scratch: Array | None, **given: Any) -> None:
        """Launches a pass."""
        real = np.dtype(self.dtype).type
        given = {**given, "momentum": real(given.get("momentum", 0)), "eps": real(given.get("eps", 0))}
        arguments = [given.get(name) for name in ARGUMENTS]
        cut = columns.plan(*self.shape, self.itemsize, whole=None if of.quantities else False)
        entry = kernel("batch_norm.cu", kernel_name(of, self.real))
        if not of.quantities:
            self.check()
            shape = (*self.shape, cut.across, cut.chunk)
            device().launch(entry, (cut.tiles * cut.chunks,), (columns.THREADS,), [*arguments, *shape])
            return
        room = self.scratch(scratch, cut.numbers(of.quantities, of.coefficients))
        self.check()
        columns.launch(entry, arguments, cut, room, quantities=of.quantities, itemsize=self.itemsize, reads=of.reads)


def batch_norm_forward(
    x: Array,
    gamma: Array | None = None,
    beta: Array | None = None,
    eps: float = 1e-5,
    running: tuple[Array, Array, Array] | None = None,
    momentum: float | None = 0.1,
    out: Out = None,
    scratch: Array | None = None,
) -> tuple[Array, Array, Array]:
    """See :func:`optlab.ops.batch_norm_forward`.

    Raises:
        TypeError: as there.
        ValueError: as there.
    """
    a = Arrays(x, out, ("y", "mean", "rstd"))
    given = {"x": a.x, "gamma": a.maybe(gamma, "gamma", a.row), "beta": a.maybe(beta, "beta", a.row)}
    given |= {"eps": checks.real("eps", eps, 0)}
    kept = _running(a, running, momentum)
    y, mean, rstd = a.out(a.shape), a.out(a.row), a.out(a.row)
    a.run(FORWARD, scratch, out=y, first=mean, second=rstd, **given, **kept)
    if running is not None:
        device().xp.add(running[2], 1, out=running[2])
    return y, mean, rstd


def forward(
    x: Array,
    gamma: Array | None,
    beta: Array | None,
    eps: float,
    averages: tuple[Array, Array] | None,
    momentum: float,
    out: tuple[Array, Array, Array],
    scratch: Array,
) -> None:
    """The same for a captured graph: averages of mean and unbiased variance move by this share, and are not counted."""
    a = Arrays(x, out, ("y", "mean", "rstd"))
    y, mean, rstd = a.out(a.shape), a.out(a.row), a.out(a.row)
    kept: dict[str, Any] = {}
    if averages is not None:
        own = [a.update(array, "averages", a.row) for array in averages]
        kept = {"running_mean": own[0], "running_var": own[1], "momentum": momentum}
    a.run(FORWARD, scratch, out=y, first=mean, second=rstd, x=a.x, gamma=gamma, beta=beta, eps=eps, **kept)


def _running(a: Arrays, running: Any, momentum: float | None) -> dict[str, Any]:
    if momentum is not None:
        momentum = checks.real("momentum", momentum, 0, 1)
    if running is None:
        return {}
    if not isinstance(running, tuple) or len(running) != 3:
        raise TypeError("running: expected None or a tuple of 3 arrays (mean, var, count)")
    mean, var = a.update(running[0], "running mean", a.row), a.update(running[1], "running var", a.row)
    count = a.update(running[2], "running count", (), np.int64)
    if a.shape[0] < 2:
        raise ValueError("x: got a batch of 1, expected at least 2: running var is an average of unbiased variances")
    own = {"count": count} if momentum is None else {"momentum": momentum}
    return {"running_mean": mean, "running_var": var, **own}


def batch_norm_backward(
    dy: Array, x: Array, gamma: Array | None, mean: Array, rstd: Array, out: Out = None, scratch: Array | None = None
) -> tuple[Array, Array, Array]:
    """See :func:`optlab.ops.batch_norm_backward`.

    Raises:
        TypeError: as there.
        ValueError: as there.
    """
    a = Arrays(x, out, ("dx", "dgamma", "dbeta"))
    given = {"u": a.take(dy, "dy", a.shape), "x": a.x, "gamma": a.maybe(gamma, "gamma", a.row)}
    given |= {"mean": a.take(mean, "mean", a.row), "rstd": a.take(rstd, "rstd", a.row)}
    dx, dgamma, dbeta = a.out(a.shape), a.out(a.row), a.out(a.row)
    a.run(BACKWARD, scratch, out=dx, first=dgamma, second=dbeta, **given)
    return dx, dgamma, dbeta


def batch_norm_forward_tangent(
    x_dot: Array,
    x: Array,
    gamma: Array | None,
    mean: Array,
    rstd: Array,
    gamma_dot: Array | None = None,
    beta_dot: Array | None = None,
    out: Out = None,
    scratch: Array | None = None,
) -> tuple[Array, Array, Array]:
    """See :func:`optlab.ops.batch_norm_forward_tangent`.

    Raises:
        TypeError: as there.
        ValueError: as there.
    """
    a = Arrays(x, out, ("y_dot", "mean_dot", "rstd_dot"))
    given = {"u": a.take(x_dot, "x_dot", a.shape), "x": a.x, "gamma": a.maybe(gamma, "gamma", a.row)}
    given |= {"mean": a.take(mean, "mean", a.row), "rstd": a.take(rstd, "rstd", a.row)}
    given |= {"gamma_dot": a.maybe(gamma_dot, "gamma_dot", a.row), "beta": a.maybe(beta_dot, "beta_dot", a.row)}
    y_dot, mean_dot, rstd_dot = a.out(a.shape), a.out(a.row), a.out(a.row)
    a.run(FORWARD_TANGENT, scratch, out=y_dot, first=mean_dot, second=rstd_dot, **given)
    return y_dot, mean_dot, rstd_dot


def batch_norm_backward_tangent(
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
    """See :func:`optlab.ops.batch_norm_backward_tangent`.

    Raises:
        TypeError: as there.
        ValueError: as there.
    """
    a = Arrays(x, out, ("dx_dot", "dgamma_dot", "dbeta_dot"))
    given = {"u_dot": a.take(dy_dot, "dy_dot", a.shape), "x_dot": a.take(x_dot, "x_dot", a.shape), "x": a.x}
    given |= {"u": a.take(dy, "dy", a.shape), "gamma": a.maybe(gamma, "gamma", a.row)}
    given |= {"mean": a.take(mean, "mean", a.row), "rstd": a.take(rstd, "rstd", a.row)}
    given |= {"mean_dot": a.take(mean_dot, "mean_dot", a.row), "rstd_dot": a.take(rstd_dot, "rstd_dot", a.row)}
    given |= {"gamma_dot": a.maybe(gamma_dot, "gamma_dot", a.row)}
    dx_dot, dgamma_dot, dbeta_dot = a.out(a.shape), a.out(a.row), a.out(a.row)
    a.run(BACKWARD_TANGENT, scratch, out=dx_dot, first=dgamma_dot, second=dbeta_dot, **given)
    return dx_dot, dgamma_dot, dbeta_dot


def batch_norm_eval_forward(
    x: Array,
    mean: Array,
    var: Array,
    gamma: Array | None = None,
    beta: Array | None = None,
    eps: float = 1e-5,
    out: Array | None = None,
) -> Array:
    """See :func:`optlab.ops.batch_norm_eval_forward`.

    Raises:
        TypeError: as there.
        ValueError: as there.
    """
    a = Arrays(x, out, ("out",))
    given = {"x": a.x, "mean": a.take(mean, "mean", a.row), "rstd": a.take(var, "var", a.row)}
    given |= {"gamma": a.maybe(gamma, "gamma", a.row), "beta": a.maybe(beta, "beta", a.row)}
    given |= {"eps": checks.real("eps", eps, 0)}
    y = a.out(a.shape)
    a.run(EVAL_FORWARD, None, out=y, **given)
    return y


def batch_norm_eval_backward(
    dy: Array,
    x: Array,
    mean: Array,
    var: Array,
    gamma: Array | None = None,
    eps: float = 1e-5,
    out: Out = None,
    scratch: Array | None = None,
) -> tuple[Array, Array, Array]:
    """See :func:`optlab.ops.batch_norm_eval_backward`.

    Raises:
        TypeError: as there.
        ValueError: as there.
    """
    a = Arrays(x, out, ("dx", "dgamma", "dbeta"))
    given = {"u": a.take(dy, "dy", a.shape), "x": a.x, "gamma": a.maybe(gamma, "gamma", a.row)}
    given |= {"mean": a.take(mean, "mean", a.row), "rstd": a.take(var, "var", a.row)}
    given |= {"eps": checks.real("eps", eps, 0)}
    dx, dgamma, dbeta = a.out(a.shape), a.out(a.row), a.out(a.row)
    a.run(EVAL_BACKWARD, scratch, out=dx, first=dgamma, second=dbeta, **given)
    return dx, dgamma, dbeta


def batch_norm_eval_forward_tangent(
    x_dot: Array,
    x: Array,
    mean: Array,
    var: Array,
    gamma: Array | None = None,
    gamma_dot: Array | None = None,
    beta_dot: Array | None = None,
    eps: float = 1e-5,
    out: Array | None = None,
) -> Array:
    """See :func:`optlab.ops.batch_norm_eval_forward_tangent`.

    Raises:
        TypeError: as there.
        ValueError: as there.
    """
    a = Arrays(x, out, ("out",))
    given = {"u": a.take(x_dot, "x_dot", a.shape), "x": a.x, "gamma": a.maybe(gamma, "gamma", a.row)}
    given |= {"mean": a.take(mean, "mean", a.row), "rstd": a.take(var, "var", a.row)}
    given |= {"gamma_dot": a.maybe(gamma_dot, "gamma_dot", a.row), "beta": a.maybe(beta_dot, "beta_dot", a.row)}
    given |= {"eps": checks.real("eps", eps, 0)}
    y_dot = a.out(a.shape)
    a.run(EVAL_FORWARD_TANGENT, None, out=y_dot, **given)
    return y_dot


def batch_norm_eval_backward_tangent(
    dy_dot: Array,
    x_dot: Array,
    dy: Array,
    x: Array,
    mean: Array,
    var: Array,
    gamma: Array | None = None,
    gamma_dot: Array | None = None,
    eps: float = 1e-5,
    out: Out = None,
    scratch: Array | None = None,
) -> tuple[Array, Array, Array]:
    """See :func:`optlab.ops.batch_norm_eval_backward_tangent`.

    Raises:
        TypeError: as there.
        ValueError: as there.
    """
    a = Arrays(x, out, ("dx_dot", "dgamma_dot", "dbeta_dot"))
    given = {"u_dot": a.take(dy_dot, "dy_dot", a.shape), "x_dot": a.take(x_dot, "x_dot", a.shape), "x": a.x}
    given |= {"u": a.take(dy, "dy", a.shape), "gamma": a.maybe(gamma, "gamma", a.row)}
    given |= {"mean": a.take(mean, "mean", a.row), "rstd": a.take(var, "var", a.row)}
    given |= {"gamma_dot": a.maybe(gamma_dot, "gamma_dot", a.row), "eps": checks.real("eps", eps, 0)}
    dx_dot, dgamma_dot, dbeta_dot = a.out(a.shape), a.out(a.row), a.out(a.row)
    a.run(EVAL_BACKWARD_TANGENT, scratch, out=dx_dot, first=dgamma_dot, second=dbeta_dot, **given)
    return dx_dot, dgamma_dot, dbeta_dot
