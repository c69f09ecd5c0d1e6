"""One call of :func:`optlab.descend`: the arrays that it fills, and the compiled study that works on them."""

from __future__ import annotations

import bisect
import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from optlab.backends import of
from optlab.backends.base import AnyStudy, CompiledStudy, OutsideStudy
from optlab.backends.current import array_module
from optlab.backends.specs import StudySetup
from optlab.landscape import Landscape
from optlab.optim import Optimizer
from optlab.optim.rule import pack, unpacked
from optlab.optim.table import study_plan
from optlab.study import state as states
from optlab.trajectory import Trajectory
from optlab.typing import Array


class Study:
    """The arrays of a study, and what it has come to.

    Args:
        f: The landscape.
        optimizer: The rule.
        x0: The starting points, checked.
        setup: The checked arguments.
        state: A trajectory's state, or None.
        record_x: Whether the points are recorded.
        probes: Other landscapes whose values are wanted at the records.
    """

    def __init__(
        self,
        f: Landscape,
        optimizer: Optimizer,
        x0: Array,
        setup: StudySetup,
        state: Mapping[str, Array] | None,
        record_x: bool,
        probes: Mapping[str, Landscape],
    ) -> None:
        self.f, self.optimizer, self.backend = f, optimizer, of(x0)
        evaluator, plan = f.evaluator(self.backend, x0.dtype), study_plan(optimizer, f.layout)
        if (given := plan.parameters.shape[1]) not in (1, setup.runs):
            raise ValueError(f"optimizer: got hyperparameters for {given} runs, expected {setup.runs}")
        self.last: Array = self.backend.empty((setup.runs, setup.dim), x0.dtype)
        self.last[...] = self.backend.checked(x0, "x0")
        self.state = states.fresh(f, optimizer, self.last, setup, self.backend)
        if state is not None:
            self.state = states.restored(state, self.state, self.backend)
        self.setup = dataclasses.replace(setup, rule_step=int(self.state["step"]))
        self.arrays = self._arrays(record_x)
        self.probes = dict(probes)
        self.probed: dict[str, list[Array]] = {name: [] for name in self.probes}
        self.undo: dict[str, Array] = {}  # how to take back a jump whose step is never taken
        filled = {name: array for name, array in self.arrays.items() if array.size}  # nothing may be recorded
        self.inside: CompiledStudy | None = None
        self.outside: OutsideStudy | None = None
        if evaluator is not None:
            self.inside = self.backend.study(evaluator, plan, self.setup, filled)
        else:
            self.outside = self.backend.outside_study(plan, self.setup, filled)

    @property
    def compiled(self) -> AnyStudy:
        """The one of the two that there is."""
        study = self.inside or self.outside
        assert study is not None
        return study

    def _arrays(self, record_x: bool) -> dict[str, Array]:
        setup, empty, dtype = self.setup, self.backend.empty, self.last.dtype
        rows = (len(setup.record_steps), setup.runs)
        arrays = {"last": self.last, "value": empty(rows, dtype), "grad_norm": empty(rows, dtype)}
        if record_x:
            arrays["x"] = empty((*rows, setup.dim), dtype)
        arrays |= self.state if self.backend.studies_bytes else unpacked(self.optimizer, self.state)
        beside = ("perturbed_", "averages", "skipped")
        arrays |= {name: array for name, array in self.state.items() if name.startswith(beside)}
        arrays["stop_step"] = np.full(setup.runs, -1, np.int64)
        arrays["stop_reason"] = np.zeros(setup.runs, np.int64)
        return arrays

    def records(self, step: int) -> bool:
        """Whether a step is recorded."""
        steps = self.setup.record_steps
        return bool(steps) and steps[bisect.bisect_left(steps, step) % len(steps)] == step

    def probe(self) -> None:
        """The values of the probes at the current points; stopped runs stay where they are."""
        self.compiled.flush()
        for name, probe in self.probes.items():
            point = self.backend.returned(self.last.copy())  # a probe may keep what it is given
            self.probed[name].append(probe.value(point).copy())

    def trajectory(self, interrupted: bool) -> Trajectory:
        """What the study has come to."""
        self.compiled.flush()
        if interrupted:
            running = self.backend.upload(self.arrays["stop_step"] < 0)
            for name, old in self.undo.items():
                self.arrays[name][running] = old[running]
        # Where all runs have stopped, how far the loop went on is chance.
        steps, now = self.setup.record_steps, self.compiled.step if interrupted else self.setup.last_step
        kept = sum(step < now for step in steps) if interrupted else len(steps)
        if not self.backend.studies_bytes:
            pack(self.optimizer, self.arrays, self.state)
        self.state["step"] += now - self.setup.first_step
        back, stopped = self.backend.returned, self.arrays["stop_step"] >= 0
        return Trajectory(
            step=np.array(steps[:kept], np.int64),
            value=back(self.arrays["value"][:kept]),
            grad_norm=back(self.arrays["grad_norm"][:kept]),
            x=back(self.arrays["x"][:kept]) if "x" in self.arrays else None,
            last=back(self.last),
            state={name: back(array) for name, array in self.state.items()},
            stop_step=np.where(stopped, self.arrays["stop_step"], now),
            stop_reason=self._reasons(interrupted),
            last_step=now,
            probes={name: _stacked(rows[:kept]) for name, rows in self.probed.items()},
            interrupted=interrupted,
        )

    def _reasons(self, interrupted: bool) -> NDArray[np.str_]:
        """Why each run stopped. Numbers from 1 on are rules; 0 is the end, -1 and -2 are reasons of their own."""
        names = ["no_decrease", "steps", *(rule.name for rule in self.setup.stops), "interrupted", "nonfinite"]
        reason = self.arrays["stop_reason"] + 1
        if interrupted:
            reason[self.arrays["stop_step"] < 0] = len(names) - 2
        reasons: NDArray[np.str_] = np.array(names)[reason]
        return reasons


def _stacked(rows: Sequence[Array]) -> Array:
    stacked: Array = array_module(rows[0]).stack(rows) if rows else np.array([])
    return stacked
