"""The loop around a compiled study, which returns to Python for Ctrl-C, progress, probes and landscapes in Python."""

from __future__ import annotations

import bisect
import time

import numpy as np
from numpy.typing import NDArray

from optlab.backends.current import array_module, on_gpu
from optlab.progress import Progress
from optlab.schedules.schedule import function
from optlab.study.study import Study
from optlab.trajectory import Trajectory
from optlab.typing import Array, Schedule

SLAB_SECONDS = 0.05
"""How long the compiled loop stays away from Python: Ctrl-C and the progress bar wait for it."""


def run(study: Study, schedule: Schedule | None, report: Progress) -> Trajectory:
    """Runs to the end, or to Ctrl-C."""
    loop = OutsideLoop(study, schedule) if study.outside is not None else CompiledLoop(study, schedule)
    try:
        loop.run(report)
    except KeyboardInterrupt:
        return study.trajectory(interrupted=True)
    return study.trajectory(interrupted=False)


class CompiledLoop:
    """Takes slabs of many steps, between which Python answers Ctrl-C, reports progress and evaluates probes."""

    def __init__(self, study: Study, schedule: Schedule | None) -> None:
        self.study, self.compiled, self.schedule = study, study.compiled, schedule
        self.count = 1  # the first slab measures how long a step takes
        if schedule is not None:
            function("schedule", schedule)

    def run(self, report: Progress) -> None:
        """Takes all steps, and measures where they end."""
        setup = self.study.setup
        first, end, steps = setup.first_step, setup.last_step, setup.record_steps
        while self.compiled.step < end and self.compiled.any_active:
            self.probe(self.compiled.step)
            self.advance(self.slab())
            report((self.compiled.step - first) / (end - first))
        for step in steps[bisect.bisect_left(steps, self.compiled.step) :]:
            self.probe(step)
        self.settle()

    def slab(self) -> int:
        """How many steps to take before Python is asked again."""
        now, steps = self.compiled.step, self.study.setup.record_steps
        count = min(self.count, self.study.setup.last_step - now)
        if self.study.probes and (later := bisect.bisect_right(steps, now)) < len(steps):
            count = min(count, steps[later] - now)
        return count

    def advance(self, count: int) -> None:
        """Takes one slab."""
        assert self.study.inside is not None
        factors, began = self.factors(count), time.perf_counter()
        self.study.inside.advance(count, factors)
        # Towards slabs of the wanted length, in factors that one slow or one quiet step cannot mislead far.
        stretch = SLAB_SECONDS / max(time.perf_counter() - began, 1e-9)
        self.count = max(1, int(count * min(stretch, 8.0)))

    def settle(self) -> None:
        """Tests and records the last point."""
        self.compiled.settle()

    def factors(self, count: int) -> NDArray[np.float64]:
        """What the schedule makes of the learning rate at the next steps.

        Raises:
            ValueError: it gives other shapes, or a factor that is negative or not finite.
        """
        if self.schedule is None:
            return np.ones(count)
        now = self.compiled.step
        factors = np.asarray(self.schedule(np.arange(now, now + count, dtype=np.int64)), np.float64)
        if factors.shape not in ((), (count,)) or not (np.isfinite(factors) & (factors >= 0)).all():
            raise ValueError("schedule: expected finite factors >= 0, one for each step of the array it is given")
        return np.ascontiguousarray(np.broadcast_to(factors, count))

    def probe(self, step: int) -> None:
        """The probes' values at the current points, if this step is recorded."""
        if self.study.probes and self.study.records(step):
            self.study.probe()


class OutsideLoop(CompiledLoop):
    """Takes one step at a time, with values and gradients from a landscape in Python."""

    def __init__(self, study: Study, schedule: Schedule | None) -> None:
        super().__init__(study, schedule)
        assert study.outside is not None
        self.outside = study.outside

    def slab(self) -> int:
        """See :class:`CompiledLoop`."""
        return 1

    def advance(self, count: int) -> None:
        """See :class:`CompiledLoop`."""
        factor = float(self.factors(count)[0])
        grad = self.begin()
        self.outside.end(grad, factor)
        self.study.undo = {}

    def settle(self) -> None:
        """See :class:`CompiledLoop`."""
        if self.compiled.any_active:
            self.begin()
        else:
            self.compiled.settle()

    def begin(self) -> Array:
        """Tests, records and perturbs; returns the gradient that the step takes."""
        self.compiled.flush()
        value, grad = self.study.f.value_and_grad(self.study.last)
        self.require_device(value, grad)
        jumping = {name: array for name, array in self.study.arrays.items() if name.startswith("perturbed_")}
        if jumping:  # Ctrl-C may come between the jump and its step
            self.study.undo = {name: array.copy() for name, array in {**jumping, "last": self.study.last}.items()}
        if self.outside.begin(array_module(value).ascontiguousarray(value), grad):
            self.compiled.flush()
            grad = self.study.f.grad(self.study.last)
            self.require_device(grad)
        return grad

    def require_device(self, *found: Array) -> None:
        """Refuses what a landscape has found in NumPy arrays for points on the GPU.

        Raises:
            TypeError: that is one.
        """
        if on_gpu(self.study.last) and not all(map(on_gpu, found)):
            raise TypeError(
                f"landscape: {type(self.study.f).__name__} has no kernel for the GPU, expected one whose value and "
                'grad give CuPy arrays for CuPy points; NumPy points, outside of optlab.device("gpu"), it takes'
            )
