"""The arguments of a study, checked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optlab.backends import of
from optlab.backends.specs import StudySetup
from optlab.checks import integer, real
from optlab.landscape import CompiledLandscape, Landscape
from optlab.optim import Optimizer
from optlab.perturbation import Perturbation
from optlab.refusals import one_of
from optlab.stop import StopRule
from optlab.trajectory import MAX_STEP, Record, record_steps
from optlab.typing import Array

NONFINITE = ("warn", "stop", "propagate")
"""What :func:`optlab.descend` does about runs that are no longer finite."""

_HINTS = {
    "landscape": "; ol.landscapes.Custom(dim, value, grad) makes one of functions, mlp.on(X, y) of a network",
    "optimizer": ", as ol.SGD(lr=0.1)",
}


@dataclass(frozen=True)
class Arguments:
    """What :func:`optlab.descend` was given that says how a study goes; see there."""

    steps: int
    noise: float
    gradient_noise: float | Array | None
    perturbation: Perturbation | None
    trainable: Array | None
    batch_size: int | None
    sampling: str
    seed: int
    first_step: int
    first_run: int
    record: Record
    stop: StopRule | Sequence[StopRule] | None
    nonfinite: str


def prepare(f: Landscape, optimizer: Optimizer, x0: Array, given: Arguments) -> StudySetup:
    """The setup of a study, whose rule begins at step 0 until a state says otherwise.

    Raises:
        TypeError: an argument is of the wrong type or dtype.
        ValueError: an argument is out of range, or x0 is not finite.
    """
    _check_start(f, optimizer, x0)
    runs, dim = (1, *x0.shape)[-2:]
    first = integer("first_step", given.first_step, 0, MAX_STEP)
    last = first + integer("steps", given.steps, 0, MAX_STEP - first)
    first_run = integer("first_run", given.first_run, 0, 2**32 - runs)
    _check_optimizer(optimizer, runs)
    if given.perturbation is not None and not isinstance(given.perturbation, Perturbation):
        raise TypeError(f"perturbation: got {type(given.perturbation).__name__}, expected an optlab Perturbation")
    batch_size = _batch_size(f, given, first, last)
    stops = _stops(given.stop)
    asked = one_of("nonfinite", given.nonfinite, NONFINITE) != "propagate"
    return StudySetup(
        runs=runs,
        dim=dim,
        first_run=first_run,
        first_step=first,
        last_step=last,
        rule_step=0,
        seed=integer("seed", given.seed, 0, 2**64 - 1),
        batch_size=batch_size,
        sampling=given.sampling,
        noise=math.sqrt(real("noise", given.noise, 0.0)),
        gradient_noise=_gradient_noise(given.gradient_noise, dim),
        perturbation=given.perturbation,
        held=_held(given.trainable, dim, given.perturbation),
        record_steps=tuple(record_steps(given.record, first, last)),
        stops=tuple(rule.of_dim(dim) for rule in stops),
        looks=asked and all(rule.kind != "nonfinite" for rule in stops),
    )


def _check_start(f: Landscape, optimizer: Optimizer, x0: Array) -> None:
    for name, given, wanted in (("landscape", f, Landscape), ("optimizer", optimizer, Optimizer)):
        if not isinstance(given, wanted):
            got = f"the class {given.__name__}" if isinstance(given, type) else type(given).__name__
            raise TypeError(f"{name}: got {got}, expected an optlab {wanted.__name__}{_HINTS[name]}")
    backend = of(x0)
    backend.check_point(x0, "x0")
    f.require(x0.dtype, "x0")
    if x0.shape[-1] != f.dim:
        raise ValueError(f"x0: got {x0.shape[-1]} coordinates, expected {f.dim}")
    if not backend.xp.isfinite(backend.checked(x0, "x0")).all():
        raise ValueError("x0: got a coordinate that is NaN or infinite, expected finite numbers")


def _check_optimizer(optimizer: Optimizer, runs: int) -> None:
    if optimizer.noise:
        raise ValueError("optimizer: got noise, expected none: descend adds it itself (arguments noise and seed)")


def _batch_size(f: Landscape, given: Arguments, first: int, last: int) -> int:
    """0 where there is none."""
    sampling, samples = one_of("sampling", given.sampling, ("replacement", "shuffle", "order")), f.n_samples
    if given.batch_size is not None and (samples is None or not isinstance(f, CompiledLandscape)):
        raise ValueError(f"batch_size: got {given.batch_size}, but this landscape is not a finite sum in compiled code")
    if sampling != "replacement" and given.batch_size is None:
        raise ValueError(f"sampling: got {sampling!r}, expected a batch_size with it")
    size = 0 if given.batch_size is None else integer("batch_size", given.batch_size, 1, 2**31)
    if f.averages and (size or samples) == 1 and last > first:
        raise ValueError("batch_size: got 1 with batch normalization, expected at least 2: one has no variance")
    if sampling != "replacement" and size * last >= min(2**62, 2**48 * (samples or 1)):
        raise ValueError(f"batch_size: got {size} for steps up to {last}, expected fewer than 2**48 epochs")
    return size


def _gradient_noise(given: float | Array | None, dim: int) -> NDArray[np.float64] | None:
    if given is None:
        return None
    try:
        sigma = np.asarray(given, np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"gradient_noise: got {given!r}, expected numbers") from None
    if sigma.shape not in ((), (dim,)) or not (np.isfinite(sigma) & (sigma >= 0)).all():
        raise ValueError(f"gradient_noise: got {given!r}, expected finite numbers >= 0, one or ({dim},)")
    return np.ascontiguousarray(np.broadcast_to(sigma, dim))


def _held(trainable: Array | None, dim: int, perturbation: Perturbation | None) -> tuple[int, ...]:
    """The coordinates that do not move."""
    if trainable is None:
        return ()
    if not isinstance(trainable, np.ndarray) or trainable.dtype != bool or trainable.shape != (dim,):
        given = f"{trainable.dtype}{trainable.shape}" if isinstance(trainable, np.ndarray) else repr(trainable)
        raise ValueError(f"trainable: got {given}, expected a bool array ({dim},)")
    if perturbation is not None:
        raise ValueError("trainable: got it with a perturbation, expected one of them: a jump moves all coordinates")
    return tuple(np.flatnonzero(~trainable).tolist())


def _stops(given: StopRule | Sequence[StopRule] | None) -> tuple[StopRule, ...]:
    rules = () if given is None else tuple(given) if isinstance(given, Sequence) else (given,)
    if not all(isinstance(rule, StopRule) for rule in rules):
        raise TypeError(f"stop: got {type(given).__name__}, expected rules of optlab.stop")
    return rules


def check_probes(given: Mapping[str, Landscape] | None, dim: int) -> dict[str, Landscape]:
    """The landscapes whose values are wanted at the records.

    Raises:
        TypeError: they are no dict of landscapes of so many coordinates.
    """
    if not isinstance(given, Mapping | None):
        raise TypeError(f"probes: got {type(given).__name__}, expected a dict of landscapes by name")
    for name, probe in (given or {}).items():
        if not isinstance(probe, Landscape) or probe.dim != dim:
            raise TypeError(f"probes: {name!r} is not a landscape of {dim} coordinates")
    return dict(given or {})
