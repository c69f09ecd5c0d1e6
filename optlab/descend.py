"""Whole studies in one compiled call."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optlab.checks import integer, real
from optlab.kernels.select import cpu
from optlab.landscape import CompiledLandscape, Landscape
from optlab.optim import Optimizer
from optlab.perturbation import Perturbation
from optlab.progress import Progress, reporter
from optlab.stop import StopRule
from optlab.threads import threads as threads_context
from optlab.trajectory import MAX_STEP, Array, Record, Trajectory, record_steps

Schedule = Callable[[NDArray[np.int64]], Any]

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
    batch_size: int | None = None,
    seed: int = 0,
    state: Mapping[str, Array] | None = None,
    first_step: int = 0,
    first_run: int = 0,
    record: Record = None,
    record_x: bool = True,
    probes: Mapping[str, Landscape] | None = None,
    stop: StopRule | Sequence[StopRule] | None = None,
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
        x0: float32 or float64 starting points, ``(dim,)`` or ``(runs, dim)``; copied. One point is one run.
        steps: How many steps, >= 0.
        schedule: A factor on the learning rate as a function of an int64 array of steps.
        noise: ε >= 0, the variance per coordinate of the noise after each update.
        gradient_noise: The standard deviation of noise in the gradient: a number, or one per coordinate.
        perturbation: Jumps where the gradient is small.
        batch_size: Samples per step of a finite sum, drawn with replacement (stream BATCH).
        seed: Of all randomness.
        state: A trajectory's ``state``, to continue it; copied.
        first_step: The number of the first step, where a continuation goes on.
        first_run: The number of the first run, to reproduce a part of the runs alone.
        record: None: first and last; k: every k-th and the last; a list of steps; or :func:`log_spaced`.
        record_x: Whether the points are kept, or only value and gradient norm.
        probes: Other landscapes whose values are wanted at the records.
        stop: Stopping rules (:mod:`optlab.stop`), tested for each run.
        threads: Overrides :func:`optlab.threads` for this call.
        progress: True for a bar on stderr, or a function of (fraction done, text).

    Returns:
        The trajectory. After Ctrl-C it holds what was recorded, and ``interrupted`` is set.

    Raises:
        TypeError: an argument is of the wrong type or dtype.
        ValueError: an argument is out of range, or x0 is not finite.

    Example:
        >>> import numpy as np, optlab as ol
        >>> f = ol.landscapes.StrictSaddle(dim=4)
        >>> path = ol.descend(f, ol.SGD(lr=0.1), np.zeros((100, 4)), steps=400, noise=1e-8, stop=ol.stop.value(-0.2))
        >>> bool((path.stop_reason == "value").all())
        True
    """
    with contextlib.nullcontext() if threads is None else threads_context(threads):
        study = _Study(landscape, optimizer, x0, steps, first_step, first_run)
        study.randomness(noise, gradient_noise, perturbation, batch_size, seed)
        study.recording(record, record_x, probes)
        study.start(stop, state)
        with reporter(progress, "descend") as report:
            return study.run(schedule, report)


class _Study:
    """The arguments of one call, checked, and the arrays they fill."""

    def __init__(
        self, f: Landscape, optimizer: Optimizer, x0: Array, steps: int, first_step: int, first_run: int
    ) -> None:
        for name, given, wanted in (("landscape", f, Landscape), ("optimizer", optimizer, Optimizer)):
            if not isinstance(given, wanted):
                raise TypeError(f"{name}: got {type(given).__name__}, expected an optlab {wanted.__name__}")
        cpu.check_point(x0, "x0")
        if x0.shape[-1] != f.dim:
            raise ValueError(f"x0: got {x0.shape[-1]} coordinates, expected {f.dim}")
        if not np.isfinite(x0).all():
            raise ValueError("x0: got a coordinate that is NaN or infinite, expected finite numbers")
        self.f, self.optimizer = f, optimizer
        self.last = np.array(x0, ndmin=2)
        self.runs, self.dim = self.last.shape
        self.dtype = x0.dtype
        self.first = integer("first_step", first_step, 0, MAX_STEP)
        self.end = self.first + integer("steps", steps, 0, MAX_STEP - self.first)
        first_run = integer("first_run", first_run, 0, 2**32 - self.runs)
        self.setup: dict[str, Any] = {"runs": self.runs, "dim": self.dim, "first_run": first_run}
        self.setup |= {"first_step": self.first, "last_step": self.end, "flags": optimizer.flags()}
        self.setup["parameters"] = self._parameters()

    def _parameters(self) -> list[float]:
        columns = self.optimizer.parameters()
        longest = max(len(column) for column in columns)
        if longest not in (1, self.runs) or any(len(column) not in (1, longest) for column in columns):
            raise ValueError(f"optimizer: got hyperparameters for {longest} runs, expected {self.runs}")
        return np.column_stack([np.broadcast_to(column, longest) for column in columns]).ravel().tolist()

    def randomness(
        self,
        noise: float,
        gradient_noise: float | Array | None,
        perturbation: Perturbation | None,
        batch_size: int | None,
        seed: int,
    ) -> None:
        """Checks everything that draws."""
        if perturbation is not None and not isinstance(perturbation, Perturbation):
            raise TypeError(f"perturbation: got {type(perturbation).__name__}, expected an optlab Perturbation")
        if batch_size is not None and self.f.n_samples is None:
            raise ValueError(f"batch_size: got {batch_size}, but this landscape is not a finite sum")
        self.setup |= {
            "noise": math.sqrt(real("noise", noise, 0.0)),
            "gradient_noise": self._gradient_noise(gradient_noise),
            "perturbation": perturbation,
            "batch_size": 0 if batch_size is None else integer("batch_size", batch_size, 1, 2**31),
            "seed": integer("seed", seed, 0, 2**64 - 1),
        }

    def _gradient_noise(self, given: float | Array | None) -> Array | None:
        if given is None:
            return None
        sigma = np.asarray(given, self.dtype)
        if sigma.shape not in ((), (self.dim,)) or not (np.isfinite(sigma) & (sigma >= 0)).all():
            raise ValueError(f"gradient_noise: got {given!r}, expected finite numbers >= 0, one or ({self.dim},)")
        return np.ascontiguousarray(np.broadcast_to(sigma, self.dim))

    def recording(self, record: Record, record_x: bool, probes: Mapping[str, Landscape] | None) -> None:
        """Makes room for what is recorded."""
        self.record_steps = record_steps(record, self.first, self.end)
        self.setup["record_steps"] = self.record_steps
        rows = (len(self.record_steps), self.runs)
        self.arrays: dict[str, Array] = {"last": self.last}
        self.arrays |= {name: np.empty(rows, self.dtype) for name in ("value", "grad_norm")}
        if record_x:
            self.arrays["x"] = np.empty((*rows, self.dim), self.dtype)
        self.probes = dict(probes or {})
        for name, probe in self.probes.items():
            if not isinstance(probe, Landscape) or probe.dim != self.dim:
                raise TypeError(f"probes: {name!r} is not a landscape of {self.dim} coordinates")
        self.probed: dict[str, list[Array]] = {name: [] for name in self.probes}

    def start(self, stop: StopRule | Sequence[StopRule] | None, state: Mapping[str, Array] | None) -> None:
        """Builds the compiled study."""
        rules = [stop] if isinstance(stop, StopRule) else list(stop or [])
        for rule in rules:
            if not isinstance(rule, StopRule):
                raise TypeError(f"stop: got {type(rule).__name__}, expected rules of optlab.stop")
        self.reasons = np.array(["no_decrease", "steps", *(rule.name for rule in rules), "interrupted"])
        self.setup["stops"] = [rule.compiled(self.dim, self.dtype) for rule in rules]
        self.state = self._state(state)
        self.setup["rule_step"] = int(self.state["step"])
        self.arrays |= {name: array for name, array in self.state.items() if name != "step"}
        self.arrays["stop_step"] = np.full(self.runs, -1, np.int64)
        self.arrays["stop_reason"] = np.zeros(self.runs, np.int64)
        self.compiled = isinstance(self.f, CompiledLandscape)
        handle = self.f.handle(self.dtype) if isinstance(self.f, CompiledLandscape) else None
        kind = cpu.Study32 if self.dtype == np.float32 else cpu.Study64
        self.study = kind(handle, self.optimizer.rule(), self.setup, self.arrays)

    def _state(self, given: Mapping[str, Array] | None) -> dict[str, Array]:
        fresh: dict[str, Array] = self.optimizer.init(self.last)
        if (jumps := self.setup["perturbation"]) is not None:
            fresh["perturbed_x"] = np.zeros_like(self.last)
            fresh |= {name: np.zeros(self.runs, self.dtype) for name in ("perturbed_value", "perturbed_norm")}
            fresh["perturbed_step"] = np.full(self.runs, self.first - jumps.wait - 1, np.int64)
        if given is None:
            return fresh
        if set(given) != set(fresh):
            raise ValueError(f"state: got entries {sorted(given)}, expected {sorted(fresh)}")
        for name, array in fresh.items():
            old = np.asarray(given[name])
            if old.shape != array.shape or old.dtype != array.dtype:
                raise ValueError(f"state: {name!r} is {old.dtype}{old.shape}, expected {array.dtype}{array.shape}")
            fresh[name] = old.copy()
        return fresh

    # ------------------------------------------------------------ the loop

    def run(self, schedule: Schedule | None, report: Progress) -> Trajectory:
        """Runs to the end, or to Ctrl-C."""
        try:
            self._loop(schedule, report)
            interrupted = False
        except KeyboardInterrupt:
            interrupted = True
        self.study.flush()
        return self._trajectory(interrupted)

    def _loop(self, schedule: Schedule | None, report: Progress) -> None:
        while self.study.step < self.end and self.study.any_active:
            self._probe()
            count, began = self._slab(), time.perf_counter()
            factors = self._factors(schedule, self.study.step, count)
            if self.compiled:
                self.study.advance(count, factors)
            else:
                self._outside_step(float(factors[0]))
            self._pace(count, time.perf_counter() - began)
            report((self.study.step - self.first) / (self.end - self.first))
        self._probe(rest=True)
        if self.compiled:
            self.study.settle()
        elif self.study.any_active:
            self.study.begin(*self._outside())
        else:
            self.study.settle()

    pace = 0.0

    def _pace(self, count: int, seconds: float) -> None:
        self.pace = count / max(seconds, 1e-6)

    def _slab(self) -> int:
        """How many steps to take before Python is asked again: short at first, then by the measured pace."""
        if not self.compiled:
            return 1
        guess = self.pace * _SLAB_SECONDS if self.pace else 2e6 / (self.runs * self.dim)
        count: int = min(max(int(guess), 1), self.end - self.study.step, 1 << 22)
        if self.probes:
            later = [step for step in self.record_steps if step > self.study.step]
            count = min(count, later[0] - self.study.step) if later else count
        return count

    @staticmethod
    def _factors(schedule: Schedule | None, step: int, count: int) -> NDArray[np.float64]:
        if schedule is None:
            return np.ones(count)
        factors = np.asarray(schedule(np.arange(step, step + count, dtype=np.int64)), np.float64)
        if factors.shape not in ((), (count,)) or not (np.isfinite(factors) & (factors >= 0)).all():
            raise ValueError("schedule: expected finite factors >= 0, one for each step of the array it is given")
        return np.ascontiguousarray(np.broadcast_to(factors, count))

    def _outside(self) -> tuple[Array, Array]:
        self.study.flush()
        value, grad = self.f.value_and_grad(self.last)
        return np.ascontiguousarray(value), grad

    def _outside_step(self, factor: float) -> None:
        value, grad = self._outside()
        if self.study.begin(value, grad):
            self.study.flush()
            grad = self.f.grad(self.last)
        self.study.end(grad, factor)

    def _probe(self, rest: bool = False) -> None:
        """Values of the probes at x_t when t is recorded; runs that have all stopped stay where they are."""
        if not self.probes:
            return
        now = self.study.step
        due = [step for step in self.record_steps if step == now or (rest and step > now)]
        self.study.flush()
        for name, probe in self.probes.items():
            self.probed[name] += [probe.value(self.last)] * len(due)

    def _trajectory(self, interrupted: bool) -> Trajectory:
        now = self.study.step
        kept = sum(step < now for step in self.record_steps) if interrupted else len(self.record_steps)
        stopped = self.arrays["stop_step"] >= 0
        reason = self.arrays["stop_reason"] + 1
        if interrupted:
            reason[~stopped] = len(self.reasons) - 1
        self.state["step"][...] += now - self.first
        return Trajectory(
            step=np.array(self.record_steps[:kept], np.int64),
            value=self.arrays["value"][:kept],
            grad_norm=self.arrays["grad_norm"][:kept],
            x=self.arrays["x"][:kept] if "x" in self.arrays else None,
            last=self.last,
            state=self.state,
            stop_step=np.where(stopped, self.arrays["stop_step"], now),
            stop_reason=self.reasons[reason],
            last_step=now,
            probes={name: np.array(rows[:kept]) for name, rows in self.probed.items()},
            interrupted=interrupted,
        )
