"""The arrays of one optimizer step, behind the gate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optlab.backends.gpu import gate
from optlab.backends.gpu.device import device, upload
from optlab.backends.gpu.step_plan import Plan

Array = Any


@dataclass(frozen=True)
class Bound:
    """The arrays of a step, and the table of pieces on the device that points to them."""

    arrays: tuple[Array, ...]
    runs: int
    dtype: Any
    pieces: Array
    scale_count: int = 0
    """How many scales a run has, where states are bytes."""


def bind(plan: Plan, xs: Sequence[Array], grads: Sequence[Array], own: Sequence[Array], names: Sequence[str]) -> Bound:
    """Checks every array of a step, and points to them.

    Raises:
        TypeError: an array is not of the GPU, or of another dtype than the first.
        ValueError: shapes differ, memory is strided, or arrays overlap.
    """
    x_names, grad_names = _labels(plan, xs, grads)
    dtype = gate.real_dtype(xs[0], x_names[0])
    if plan.quantized and dtype != np.float32:
        raise TypeError(f"{x_names[0]}: got dtype {dtype}, expected float32, since the state is in bytes")
    for x, x_name, grad, grad_name in zip(xs, x_names, grads, grad_names, strict=True):
        gate.check(x, x_name, dtype)
        gate.check(grad, grad_name, dtype, x.shape)
    runs = _runs(plan, xs)
    _check_states(plan, own, names, dtype, (plan.tables.dim,) if plan.list else xs[0].shape, runs)
    gate.check_separate(list(zip([*x_names, *grad_names, *names], [*xs, *grads, *own], strict=True)))
    pointer, item = device().pointer, dtype.itemsize
    table = plan.tables.pieces(
        [[pointer(x) for x in xs], [pointer(grad) for grad in grads], *([pointer(array)] for array in own)],
        [item, item, *([1, 1, None, None] if plan.quantized else [item] * len(own))],
    )
    scale_count = plan.tables.sum_blocks if plan.quantized else 0
    return Bound((*xs, *grads, *own), runs, dtype, upload(table), scale_count)


def _labels(plan: Plan, xs: Sequence[Array], grads: Sequence[Array]) -> tuple[list[str], list[str]]:
    if not xs:
        raise ValueError("x: got an empty list")
    if not plan.list:
        return ["x"], ["grad"]
    for name, given in (("x", xs), ("grad", grads)):
        if len(given) != plan.tables.count:
            raise ValueError(f"{name}: got {len(given)} arrays, expected {plan.tables.count}, as init() was given")
    return [f"x[{k}]" for k in range(len(xs))], [f"grad[{k}]" for k in range(len(xs))]


def _runs(plan: Plan, xs: Sequence[Array]) -> int:
    """How many runs x holds.

    Raises:
        ValueError: it does not have the shape that the state is for.
    """
    sizes = plan.tables.sizes if plan.list else [plan.tables.dim]
    if not plan.runs_axis:
        for x, size in zip(xs, sizes, strict=True):
            if x.size != size:
                raise ValueError(f"x: got {x.size} elements, expected {size}, as init() was given")
        return 1
    shape = tuple(xs[0].shape)
    if len(shape) not in (1, 2) or shape[-1] != plan.tables.dim:
        raise ValueError(f"x: got shape {shape}, expected (runs, {plan.tables.dim})")
    return shape[0] if len(shape) == 2 else 1


def _check_states(
    plan: Plan, own: Sequence[Array], names: Sequence[str], dtype: Any, shape: tuple[int, ...], runs: int
) -> None:
    axis = (runs,) if plan.runs_axis and len(shape) == 2 else ()
    for name, array in zip(names, own, strict=True):
        if not plan.quantized:
            gate.check(array, name, dtype, shape)
        elif name.endswith("_scale"):
            gate.check(array, name, np.float32, (*axis, plan.tables.sum_blocks))
        else:
            gate.check(array, name, np.uint8, shape)


def entry(state: dict[str, Any], name: str) -> Any:
    """An entry of a state.

    Raises:
        TypeError: the state is no dict.
        ValueError: it has no such entry.
    """
    if not isinstance(state, dict):
        raise TypeError("state: expected the dict that init() returned")
    if name not in state:
        raise ValueError(f"state: got no entry '{name}', expected the dict that init() returned")
    return state[name]


def step_count(state: dict[str, Any]) -> int:
    """How many steps a state has seen; the number stands on the host.

    Raises:
        TypeError: it is no NumPy number.
        ValueError: it is negative.
    """
    count = entry(state, "step")
    if not (isinstance(count, np.ndarray) and count.dtype == np.int64 and count.shape == ()):
        raise TypeError("step: expected a NumPy array of dtype int64 and shape (), as init() returned")
    if count < 0:
        raise ValueError(f"state: 'step' is {int(count)}, expected >= 0")
    return int(count)


def check_rates(plan: Plan, runs: int, rates: Sequence[float] | None) -> None:
    """Refuses learning rates and hyperparameters for another number of runs.

    Raises:
        ValueError: the numbers differ.
    """
    given = len(rates or ())
    if given > 1 and not plan.runs_axis:
        raise ValueError("lr: got one number per run, expected one number: init() was not told of a runs axis")
    if given > 1 and given != runs:
        raise ValueError(f"lr: got {given} numbers, expected one or {runs}")
    if plan.own_rows not in (1, runs):
        raise ValueError(f"x: got {runs} runs, expected {plan.own_rows}, the length of a hyperparameter")


def check_rows(rows: NDArray[np.int64], limit: int) -> None:
    """Refuses rows that are not there, or are named twice.

    Raises:
        ValueError: one is.
    """
    outside = rows[(rows < 0) | (rows >= limit)]
    if outside.size:
        raise ValueError(f"rows: got {outside[0]}, expected rows from 0 to {limit - 1}")
    found, counts = np.unique(rows, return_counts=True)
    if (counts > 1).any():
        raise ValueError(f"rows: got {found[counts > 1][0]} twice, expected each row once (add its gradients)")
