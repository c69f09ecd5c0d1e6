"""What ``descend`` promises to equal, step by step in Python."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

import optlab as ol

Array = NDArray[Any]


def factored(lr: Any, factor: float) -> Any:
    """The learning rate times a schedule's factor, one number or one per run."""
    return np.array(lr) * factor if np.ndim(lr) else lr * factor


def noise_like(x: Array, seed: int, stream: int, step: int, first_run: int) -> Array:
    """Standard normal numbers for the runs of x."""
    return ol.random.normal(x.shape, seed, stream=stream, step=step, first_run=first_run, dtype=x.dtype)


def python_loop(
    f: Any,
    opt: ol.Optimizer,
    x0: Array,
    steps: int,
    *,
    schedule: Callable[[Any], Any] | None = None,
    noise: float = 0.0,
    gradient_noise: Any = None,
    batch_size: int | None = None,
    seed: int = 0,
    first_step: int = 0,
    first_run: int = 0,
) -> tuple[Array, dict[str, Array]]:
    """All points ``(steps + 1, runs, dim)``, and the last state."""
    x, streams = x0.copy(), ol.random.Stream
    state, path = opt.init(x, runs_axis=True), [x0.copy()]
    for t in range(first_step, first_step + steps):
        g = f.grad(x) if batch_size is None else f.batch_grad(x, batch_size, seed, t, first_run)
        if gradient_noise is not None:
            sigma = np.asarray(gradient_noise, x.dtype)
            g = g + sigma * noise_like(x, seed, streams.GRADIENT_NOISE, t, first_run)
        opt.step(x, g, state, lr=None if schedule is None else factored(opt.lr, schedule(t)))
        if noise:
            x += x.dtype.type(math.sqrt(noise)) * noise_like(x, seed, streams.NOISE, t, first_run)
        path.append(x.copy())
    return np.array(path), state


def stopping_loop(f: Any, lr: float, x0: Array, steps: int, met: Callable[[Array], bool]) -> tuple[Array, list[int]]:
    """Gradient descent of every run alone until ``met(x)``: points ``(steps + 1, runs, dim)``, and when it stopped."""
    opt, paths, stops = ol.SGD(lr=lr), [], []
    for start in x0:
        x, path, stopped = start.copy(), [], None
        state = opt.init(x, runs_axis=True)
        for t in range(steps + 1):
            path.append(x.copy())
            if stopped is None and met(x):
                stopped = t
            if stopped is None:
                opt.step(x, f.grad(x), state)
        paths.append(path)
        stops.append(stopped)
    return np.array(paths).swapaxes(0, 1), stops


def perturbed_loop(
    f: Any, lr: float, start: Array, steps: int, jumps: ol.Perturbation, seed: int, run: int
) -> tuple[Array, int, str]:
    """Jin et al., algorithm 2, for one run: where it ends, when, and why."""
    opt, x, kept, jumped = ol.SGD(lr=lr), start.copy(), start.copy(), -jumps.wait - 1
    state = opt.init(x, runs_axis=True)
    for t in range(steps):
        if _not_fallen(f, x, kept, jumps, t - jumped):
            return kept, t, "no_decrease"
        if np.linalg.norm(f.grad(x)) <= jumps.grad_norm and t - jumped > jumps.wait:
            kept, jumped = x.copy(), t
            x += ol.random.ball((1, x.size), seed, radius=jumps.radius, step=t, first_run=run, dtype=x.dtype)[0]
        opt.step(x, f.grad(x), state)
    if _not_fallen(f, x, kept, jumps, steps - jumped):
        return kept, steps, "no_decrease"
    return x, steps, "steps"


def _not_fallen(f: Any, x: Array, kept: Array, jumps: ol.Perturbation, waited: int) -> bool:
    return jumps.decrease is not None and waited == jumps.wait and f.value(x) - f.value(kept) > -jumps.decrease
