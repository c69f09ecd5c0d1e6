"""Whole studies in one compiled call."""

from __future__ import annotations

import bisect
import contextlib
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from optlab.landscape import CompiledLandscape, Landscape
from optlab.optim import Optimizer
from optlab.perturbation import Perturbation
from optlab.progress import Progress, reporter
from optlab.schedules.schedule import function
from optlab.stop import StopRule
from optlab.study import Study
from optlab.threads import threads as threads_context
from optlab.trajectory import Array, Record, Trajectory

Schedule = Callable[[NDArray[np.int64]], Any]

_ADVICE = "it stopped there; a smaller lr or clip_norm may help, and nonfinite='stop' says that this is expected"

_SLAB_SECONDS = 0.05
"""How long the compiled loop stays away from Python: Ctrl-C and the progress bar wait for it."""


def descend(
    landscape: Landscape,
    optimizer: Optimizer,
    x0: Array,
    steps: int,
    *,
    schedule: Schedule | None = None,
    noise: float = 0.0,
    gradient_noise: float | Array | None = None,
    perturbation: Perturbation | None = None,
    trainable: Array | None = None,
    batch_size: int | None = None,
    sampling: str = "replacement",
    seed: int = 0,
    state: Mapping[str, Array] | None = None,
    first_step: int = 0,
    first_run: int = 0,
    record: Record = None,
    record_x: bool = True,
    probes: Mapping[str, Landscape] | None = None,
    stop: StopRule | Sequence[StopRule] | None = None,
    nonfinite: Literal["warn", "stop", "propagate"] = "warn",
    threads: int | None = None,
    progress: bool | Progress = False,
) -> Trajectory:
    """Runs an optimizer from many starting points at once, compiled, without returning to Python at each step.

    Step t of run r, with ξ and ζ addressed by (seed, stream, t, r)::

        g = ∇f(x_t) + gradient_noise ξ          (stream GRADIENT_NOISE)
        x_{t+1} = rule(x_t, g) + √noise ξ       (stream NOISE)

    This equals the loop below bit for bit, for every thread count and instruction set::

        for t in range(steps):
            opt.step(x, f.grad(x), state)
            x += x.dtype.type(math.sqrt(noise)) * ol.random.normal(x.shape, seed, step=t, dtype=x.dtype)

    Args:
        landscape: What to descend on.
        optimizer: The rule; its hyperparameters may be one per run.
        x0: float32 or float64 starting points, ``(dim,)`` or ``(runs, dim)``; copied. One point is one run. CuPy
            arrays are followed on the GPU, a run in each thread, to the same bits, where the landscape is a listed one.
        steps: How many steps, >= 0.
        schedule: A factor on the learning rate as a function of an int64 array of steps.
        noise: ε >= 0, the variance per coordinate of the noise after each update.
        gradient_noise: The standard deviation of noise in the gradient: a number, or one per coordinate.
        perturbation: Jumps where the gradient is small.
        trainable: A bool array ``(dim,)``: the other coordinates stay where they are, whatever the optimizer does
            besides; their gradient counts as 0, in its clipping, too. Records hold the norm of the whole gradient.
        batch_size: Samples per step of a finite sum.
        sampling: How they are chosen: "replacement" (stream BATCH, by step), "shuffle" (each epoch in a new random
            order, :func:`optlab.random.permutation` by epoch) or "order" (as the data lie, again and again).
        seed: Of all randomness.
        state: A trajectory's ``state``, to continue it; copied. Runs that had stopped start again.
        first_step: The number of the first step, where a continuation goes on.
        first_run: The number of the first run, to reproduce a part of the runs alone.
        record: None: first and last; k: every k-th and the last; a list of steps; or :func:`log_spaced`.
        record_x: Whether the points are kept, or only value and gradient norm.
        probes: Other landscapes whose values are wanted at the records.
        stop: Stopping rules (:mod:`optlab.stop`), tested for each run.
        nonfinite: What happens to a run with a coordinate that is NaN or infinite. "warn": it stops ("nonfinite"), and
            one warning names the step and the first such run; "stop": it stops; "propagate": it goes on. This is looked
            for at steps that are multiples of 32 and at the last one (of networks on the GPU, at the last one only);
            :func:`optlab.stop.nonfinite` does so at every step, without a warning. (The optimizer's own
            ``nonfinite`` is about gradients.)
        threads: Overrides :func:`optlab.threads` for this call.
        progress: True for a bar on stderr, or a function of (fraction done, text).

    Returns:
        The trajectory, on the device of x0. After Ctrl-C it holds what was recorded, and ``interrupted`` is set.

    Raises:
        TypeError: an argument is of the wrong type or dtype.
        ValueError: an argument is out of range, or x0 is not finite.
        FloatingPointError: a gradient is not finite, and the optimizer has ``nonfinite="raise"``. Where there are
            several, any one of them is named.

    Warns:
        RuntimeWarning: a run is no longer finite, once for each call.

    Example:
        >>> import numpy as np, optlab as ol
        >>> f = ol.landscapes.StrictSaddle(dim=4)
        >>> path = ol.descend(f, ol.SGD(lr=0.1), np.zeros((100, 4)), steps=400, noise=1e-8, stop=ol.stop.value(-0.2))
        >>> bool((path.stop_reason == "value").all())
        True
    """
    with contextlib.nullcontext() if threads is None else threads_context(threads):
        study = Study(landscape, optimizer, x0, steps, first_step, first_run)
        study.randomness(noise, gradient_noise, perturbation, batch_size, sampling, seed)
        study.holding(trainable)
        study.recording(record, record_x, probes)
        study.start(stop, state, nonfinite)
        with reporter(progress, "descend") as report:
            path = _run(study, schedule, report)
    if study.tells and (lost := path.stop_reason == "nonfinite").any():
        warnings.warn(f"descend: {lost_runs(lost, path.stop_step, first_run)}; {_ADVICE}", RuntimeWarning, stacklevel=2)
    return path


def lost_runs(runs: NDArray[np.bool_], steps: NDArray[np.int64], first_run: int = 0) -> str:
    """Which runs are no longer finite, and since when; they are counted from ``first_run``."""
    first = int(np.flatnonzero(runs)[np.argmin(steps[runs])])
    others = int(runs.sum()) - 1
    more = f" (and {others} more of {len(runs)} by the end)" if others else ""
    return f"run {first_run + first} had become NaN or infinite by step {steps[first]}{more}"


def _run(study: Study, schedule: Schedule | None, report: Progress) -> Trajectory:
    """Runs to the end, or to Ctrl-C."""
    loop = _CompiledLoop if isinstance(study.f, CompiledLandscape) else _OutsideLoop
    try:
        loop(study, schedule).run(report)
    except KeyboardInterrupt:
        return study.trajectory(interrupted=True)
    return study.trajectory(interrupted=False)


class _CompiledLoop:
    """Takes slabs of many steps, between which Python answers Ctrl-C, reports progress and evaluates probes."""

    def __init__(self, study: Study, schedule: Schedule | None) -> None:
        self.study, self.compiled, self.schedule = study, study.compiled, schedule
        self.count = 1  # the first slab measures how long a step takes
        if schedule is not None:
            function("schedule", schedule)

    def run(self, report: Progress) -> None:
        first, end = self.study.first, self.study.end
        while self.compiled.step < end and self.compiled.any_active:
            self.probe(self.compiled.step)
            self.advance(self.slab())
            report((self.compiled.step - first) / (end - first))
        for step in self.study.record_steps[bisect.bisect_left(self.study.record_steps, self.compiled.step) :]:
            self.probe(step)
        self.settle()

    def slab(self) -> int:
        """How many steps to take before Python is asked again."""
        now, steps = self.compiled.step, self.study.record_steps
        count: int = min(self.count, self.study.end - now)
        if self.study.probes and (later := bisect.bisect_right(steps, now)) < len(steps):
            count = min(count, steps[later] - now)
        return count

    def advance(self, count: int) -> None:
        factors, began = self.factors(count), time.perf_counter()
        self.compiled.advance(count, factors)
        # Towards slabs of the wanted length, in factors that one slow or one quiet step cannot mislead far.
        stretch = _SLAB_SECONDS / max(time.perf_counter() - began, 1e-9)
        self.count = max(1, int(count * min(stretch, 8.0)))

    def settle(self) -> None:
        """Tests and records the last point."""
        self.compiled.settle()

    def factors(self, count: int) -> NDArray[np.float64]:
        if self.schedule is None:
            return np.ones(count)
        now = self.compiled.step
        factors = np.asarray(self.schedule(np.arange(now, now + count, dtype=np.int64)), np.float64)
        if factors.shape not in ((), (count,)) or not (np.isfinite(factors) & (factors >= 0)).all():
            raise ValueError("schedule: expected finite factors >= 0, one for each step of the array it is given")
        return np.ascontiguousarray(np.broadcast_to(factors, count))

    def probe(self, step: int) -> None:
        """The probes' values at the current points, if this step is recorded; stopped runs stay where they are."""
        steps, study = self.study.record_steps, self.study
        if not study.probes or not steps or steps[bisect.bisect_left(steps, step) % len(steps)] != step:
            return
        study.probe()


class _OutsideLoop(_CompiledLoop):
    """Takes one step at a time, with values and gradients from a landscape in Python."""

    def slab(self) -> int:
        return 1

    def advance(self, count: int) -> None:
        factor = float(self.factors(count)[0])
        grad = self.begin()
        self.compiled.end(grad, factor)
        self.study.undo = {}

    def settle(self) -> None:
        if self.compiled.any_active:
            self.begin()
        else:
            self.compiled.settle()

    def begin(self) -> Array:
        """Tests, records and perturbs; returns the gradient that the step takes."""
        self.compiled.flush()
        value, grad = self.study.f.value_and_grad(self.study.last)
        jumping = {name: array for name, array in self.study.arrays.items() if name.startswith("perturbed_")}
        if jumping:  # Ctrl-C may come between the jump and its step
            self.study.undo = {name: array.copy() for name, array in {**jumping, "last": self.study.last}.items()}
        if self.compiled.begin(np.ascontiguousarray(value), grad):
            self.compiled.flush()
            grad = self.study.f.grad(self.study.last)
        return grad
