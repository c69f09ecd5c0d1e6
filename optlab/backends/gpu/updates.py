"""An optimizer's step on GPU arrays: one launch for everything, and launches for norms where the step wants any.

Element-wise steps, noise and states in bytes have the bits of the CPU. A norm (``clip_norm``, ``max_norm``, LARS, LAMB)
is summed in an order that depends on the sizes alone, but not in that of the CPU: it may differ in the last place.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from optlab.backends.gpu import gate
from optlab.backends.gpu.device import device, download, upload
from optlab.backends.gpu.step_gate import Bound, bind, check_rates, check_rows, entry, step_count
from optlab.backends.gpu.step_launches import Constants, Launches
from optlab.backends.gpu.step_plan import Plan, Tables

Array = Any
State = dict[str, Any]


class Updater:
    """One optimizer's steps on the GPU. Whatever can be looked up once is looked up once."""

    def __init__(self, states: Sequence[str]) -> None:
        self.states = list(states)
        self._plans: dict[str, Plan] = {}
        self._bound: tuple[Plan, Bound] | None = None

    def step(self, optimizer: Any, x: Any, grad: Any, state: State, rates: list[float] | None) -> None:
        """See :meth:`optlab.optim.Optimizer.step`."""
        plan = self.plan_of(optimizer, state)
        bound = self.bound(plan, x, grad, state)
        require_propagation(optimizer)
        count = step_count(state)
        check_rates(plan, bound.runs, rates)
        self._launches(plan, plan.tables, bound, count, rates).run()
        state["step"] += 1

    def step_rows(
        self, optimizer: Any, x: Array, rows: Array, grad: Array, state: State, rates: list[float] | None
    ) -> None:
        """See :meth:`optlab.optim.SparseAdam.step_rows`; waits for the rows, which are checked on the host."""
        plan = self.plan_of(optimizer, state)
        require_propagation(optimizer)
        own = self._gate_rows(plan, x, rows, grad, state)
        count = step_count(state)
        check_rates(plan, 1, rates)
        check_rows(download(rows), x.shape[0])
        if grad.size:
            width = plan.tables.dim // x.shape[0]
            launches = self._launches(plan, *_row_pieces(grad.size, x, grad, own), count, rates)
            now = launches.clip() if plan.clips else launches.given
            launches = self._launches(plan, *_row_pieces(width, x, grad, own), count, rates)
            launches.rows(rows, width, now)
        state["step"] += 1

    def plan_of(self, optimizer: Any, state: State) -> Plan:
        """The plan for states of this one's format, made when the first of them is met."""
        text = entry(state, "format")
        if not isinstance(text, np.ndarray):
            raise ValueError("state: 'format' is no array of text")
        key = str(text)
        if key not in self._plans:
            self._plans[key] = Plan(optimizer._plan_of(text))
        return self._plans[key]

    def bound(self, plan: Plan, x: Any, grad: Any, state: State) -> Bound:
        """The arrays behind the gate. Those of the last step, the same objects, pass at once: their memory is the same.

        Raises:
            TypeError: x is one array where the state is for a list of them, or the other way round.
        """
        if isinstance(x, list | tuple) != plan.list:
            got, wanted = ("one array", "a list of arrays") if plan.list else ("a list", "one array")
            raise TypeError(f"x: got {got}, expected {wanted}, as init() was given")
        names = [*self.states, *(f"{name}_scale" for name in self.states if plan.quantized)]
        xs, grads, own = (x, grad, []) if plan.list else ([x], [grad], [])
        own = [entry(state, name) for name in names]
        arrays = (*xs, *grads, *own)
        known, bound = self._bound if self._bound else (None, None)
        if bound is None or known is not plan or not _same(bound.arrays, arrays):
            bound = bind(plan, xs, grads, own, names)
            self._bound = (plan, bound)
        return bound

    def _launches(self, plan: Plan, tables: Tables, bound: Bound, count: int, rates: list[float] | None) -> Launches:
        constants = upload(plan.constants(bound.dtype, count, np.ones(1), rates))
        return Launches(plan, tables, bound, Constants(constants, count))

    def _gate_rows(self, plan: Plan, x: Array, rows: Array, grad: Array, state: State) -> list[Array]:
        if plan.list or plan.runs_axis or plan.tables.count != 1:
            raise ValueError("rows: expected a state of one array, without a layout and without a runs axis")
        dtype = gate.real_dtype(x, "x")
        gate.check(x, "x", dtype)
        if x.ndim == 0:
            raise ValueError("x: got an array of shape (), expected one that has rows")
        gate.check(rows, "rows", np.int64, (-1,))
        gate.check(grad, "grad", dtype, (len(rows), *x.shape[1:]))
        own = [gate.check(entry(state, name), name, dtype, x.shape) for name in self.states]
        gate.check_separate([("x", x), ("grad", grad), ("rows", rows), *zip(self.states, own, strict=True)])
        if x.size != plan.tables.dim:
            raise ValueError("x: got another size than init() was given")
        return own


def require_propagation(optimizer: Any) -> None:
    """Refuses to look at gradients, for which the host would have to wait.

    Raises:
        ValueError: the optimizer asks for it.
    """
    if optimizer.nonfinite != "propagate":
        raise ValueError(f"nonfinite: got {optimizer.nonfinite!r} for arrays of the GPU, expected 'propagate' there")


def _same(a: Sequence[Array], b: Sequence[Array]) -> bool:
    return len(a) == len(b) and all(map(operator.is_, a, b))


def _row_pieces(size: int, x: Array, grad: Array, own: list[Array]) -> tuple[Tables, Bound]:
    """One piece of this size at the beginning of the arrays."""
    tables, pointer = Tables([size]), device().pointer
    table = tables.pieces([[pointer(array)] for array in (x, grad, *own)], [x.dtype.itemsize] * (2 + len(own)))
    return tables, Bound((x, grad, *own), 1, x.dtype, upload(table))
