"""Networks trained on the GPU: what ``optlab.descend`` runs for them. A step is captured as a graph and replayed.

One graph holds forward, backward and update of all runs. What differs between steps stands in tables on the device
(constants of the rule, numbers of the samples), of which a counter that the graph moves on says what counts.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optlab.backends.gpu import step_launches, vectors
from optlab.backends.gpu.device import device, download, empty, upload
from optlab.backends.gpu.network import Batch, Draws, Network
from optlab.backends.gpu.step_gate import bind
from optlab.backends.gpu.step_launches import Constants, Launches
from optlab.backends.gpu.step_plan import CONSTANTS, Plan
from optlab.backends.specs import StepPlan, StudySetup
from optlab.kernels.select import cpu

Array = Any
NONFINITE = -2
"""The reason of a run that is no longer finite, as optlab/stopping.hpp has it."""
TABLE = 1 << 20
"""Numbers in a table, which says how many steps go by before the host writes to it again."""


class Study:
    """One study with its arrays: takes its steps when told, as the compiled studies of the CPU do.

    Args:
        network: The network on its data.
        plan: The optimizer's numbers.
        setup: The checked arguments of ``descend``.
        arrays: What it works on and fills, on the device; ``stop_step`` and ``stop_reason`` on the host.

    Raises:
        ValueError: the study asks for what networks on the GPU do not have.
    """

    def __init__(self, network: Network, plan: StepPlan, setup: StudySetup, arrays: Mapping[str, Array]) -> None:
        _refuse(setup)
        self.network, self.setup, self.arrays = network, setup, arrays
        self.step = setup.first_step
        self.any_active = True
        self.plan = Plan(plan)
        self.runs, dim = setup.runs, setup.dim
        self.grad = empty((self.runs, dim), network.dtype)
        self.norm_room = empty(dim, network.dtype)
        self.graph = upload(np.zeros(3, np.int64))
        self._make_tables()
        names = list(cpu.rule_states(plan.rule))
        names += [f"{name}_scale" for name in names if self.plan.quantized]
        bound = bind(self.plan, [arrays["last"]], [self.grad], [arrays[name] for name in names], names)
        draws = step_launches.Draws(setup.noise, setup.seed, setup.first_run)
        constants = Constants(self.constants, 0, self.graph)
        self.update = Launches(self.plan, self.plan.tables, bound, constants, draws)
        self._replay: Callable[[], None] | None = None

    def _make_tables(self) -> None:
        batch, rows = self.setup.batch_size, self.plan.own_rows
        numbers = max(rows * self.plan.tables.count * CONSTANTS, self.runs * batch)
        steps = max(1, min(self.setup.last_step - self.step, TABLE // numbers))
        self.constants = empty((steps, rows, self.plan.tables.count, CONSTANTS), self.network.dtype)
        self.index = empty((self.runs, steps, batch), np.int64) if batch else None

    def advance(self, steps: int, factors: NDArray[np.float64]) -> None:
        """Takes steps, with these factors on the learning rate."""
        taken = 0
        while taken < steps:
            count = min(len(self.constants), steps - taken)
            self._write_tables(factors[taken : taken + count])
            for _ in range(count):
                self._record()
                self._take()
                self.step += 1
            taken += count

    def settle(self) -> None:
        """Records the last point, and says which runs are not finite there."""
        self._record()
        if self.setup.looks:
            lost = ~download(device().xp.isfinite(self.arrays["last"]).all(axis=1))
            self.arrays["stop_step"][lost], self.arrays["stop_reason"][lost] = self.step, NONFINITE

    def flush(self) -> None:
        """Points and states always stand in the caller's arrays."""

    def _write_tables(self, factors: NDArray[np.float64]) -> None:
        rule_step = self.setup.rule_step + self.step - self.setup.first_step
        constants = np.zeros(self.constants.shape, self.network.dtype)
        constants[: len(factors)] = self.plan.constants(self.network.dtype, rule_step, factors)
        device().write(self.constants, constants)
        device().write(self.graph, np.array([0, self.step, rule_step]))
        if self.index is None:
            return
        index = np.zeros(self.index.shape, np.int64)
        for run, rows in enumerate(index):
            address = (self.setup.seed, self.step, self.setup.first_run + run)
            cpu.batch_indices(rows[: len(factors)], self.setup.sampling, len(self.network.X), *address)
        device().write(self.index, index)

    def _take(self) -> None:
        if self._replay is not None:
            self._replay()
            return
        self._work()  # a step like any other, which loads every kernel
        self._replay = device().capture(self._work)

    def _work(self) -> None:
        averages = self.arrays.get("averages")
        for run in range(self.runs):
            index = None if self.index is None else self.index[run]
            draws = Draws(self.setup.seed, 0, self.setup.first_run + run, self.graph)
            own = None if averages is None else averages[run]
            batch = Batch(index, draws, own, self.graph)
            self.network.value_and_grad(self.arrays["last"][run], grad=self.grad[run], batch=batch)
        self.update.run()
        vectors.advance(self.graph)

    def _record(self) -> None:
        steps = self.setup.record_steps
        row = bisect.bisect_left(steps, self.step)
        if row == len(steps) or steps[row] != self.step:
            return
        for run in range(self.runs):
            theta, value = self.arrays["last"][run], self.arrays["value"][row, run : run + 1]
            self.network.value_and_grad(theta, value=value, grad=self.norm_room)
            self.network.sums().norm(self.arrays["grad_norm"][row, run : run + 1], self.norm_room)
            if "x" in self.arrays:
                vectors.copy(self.arrays["x"][row, run], theta)


def _refuse(setup: StudySetup) -> None:
    """What the CPU offers for networks and the GPU does not.

    Raises:
        ValueError: it is asked for.
    """
    asked = {"stop": bool(setup.stops), "perturbation": setup.perturbation is not None}
    asked["gradient_noise"] = setup.gradient_noise is not None
    for name, given in asked.items():
        if given:
            raise ValueError(f"{name}: got one for a network on the GPU, expected none there; the CPU has it")
