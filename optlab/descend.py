"""Whole studies in one compiled call."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from optlab.landscape import Landscape
from optlab.optim import Optimizer
from optlab.perturbation import Perturbation
from optlab.progress import Progress, reporter
from optlab.stop import StopRule
from optlab.study import Arguments, Study, check_probes, prepare, run
from optlab.threads import threads as threads_context
from optlab.trajectory import Record, Trajectory
from optlab.typing import Array, Schedule

_ADVICE = "it stopped there; a smaller lr or clip_norm may help, and nonfinite='stop' says that this is expected"


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
            arrays are followed on the GPU, a run in each thread, to the same bits; the functions of a
            :class:`~optlab.landscapes.Custom` landscape are then given CuPy arrays at every step.
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
        arguments = Arguments(
            steps=steps,
            noise=noise,
            gradient_noise=gradient_noise,
            perturbation=perturbation,
            trainable=trainable,
            batch_size=batch_size,
            sampling=sampling,
            seed=seed,
            first_step=first_step,
            first_run=first_run,
            record=record,
            stop=stop,
            nonfinite=nonfinite,
        )
        setup = prepare(landscape, optimizer, x0, arguments)
        study = Study(landscape, optimizer, x0, setup, state, record_x, check_probes(probes, setup.dim))
        with reporter(progress, "descend") as report:
            path = run(study, schedule, report)
    tells = setup.looks and nonfinite == "warn"
    if tells and (lost := path.stop_reason == "nonfinite").any():
        warnings.warn(f"descend: {lost_runs(lost, path.stop_step, first_run)}; {_ADVICE}", RuntimeWarning, stacklevel=2)
    return path


def lost_runs(runs: NDArray[np.bool_], steps: NDArray[np.int64], first_run: int = 0) -> str:
    """Which runs are no longer finite, and since when; they are counted from ``first_run``."""
    first = int(np.flatnonzero(runs)[np.argmin(steps[runs])])
    others = int(runs.sum()) - 1
    more = f" (and {others} more of {len(runs)} by the end)" if others else ""
    return f"run {first_run + first} had become NaN or infinite by step {steps[first]}{more}"
