"""Wrong twins. A comparison that lets one of them pass would let the same mistake pass in a kernel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from reference.optimizers import Array, Path, heavy_ball, sgd


def changed(path: Path, **change: Callable[[Any], Any]) -> Path:
    """The twin with some of its hyperparameters changed on the way in."""

    def mutant(x: Array, grads: Sequence[Array], factors: Sequence[float], **given: Any) -> list[Array]:
        for name, function in change.items():
            if name in given:
                given[name] = function(given[name])
        return path(x, grads, factors, **given)

    return mutant


def no_op(x: Array, grads: Sequence[Array], factors: Sequence[float], **_: Any) -> list[Array]:
    """Never moves."""
    return [x] * (len(grads) + 1)


def reversed_direction(path: Path) -> Path:
    """Climbs where it should descend."""
    return lambda x, grads, factors, **given: path(x, [-g for g in grads], factors, **given)


def stale_gradient(path: Path) -> Path:
    """Every step uses the gradient of the step before."""
    return lambda x, grads, factors, **given: path(x, [grads[0], *grads[:-1]], factors, **given)


def stale_state(path: Path) -> Path:
    """Velocity never survives a step."""

    def mutant(x: Array, grads: Sequence[Array], factors: Sequence[float], **given: Any) -> list[Array]:
        points = [x]
        for grad, factor in zip(grads, factors, strict=True):
            points.append(path(points[-1], [grad], [factor], **given)[1])
        return points

    return mutant


def schedule_ignored(path: Path) -> Path:
    """The learning rate never changes."""
    return lambda x, grads, factors, **given: path(x, grads, [1.0] * len(factors), **given)


def schedule_late(path: Path) -> Path:
    """The factor of the step before."""
    return lambda x, grads, factors, **given: path(x, grads, [1.0, *factors[:-1]], **given)


def decay_decoupled(path: Path) -> Path:
    """Weight decay applied to x itself instead of the gradient."""

    def mutant(x: Array, grads: Sequence[Array], factors: Sequence[float], **given: Any) -> list[Array]:
        decay, points, shift = given.pop("weight_decay", 0.0), [x], 0.0 * x
        plain = path(x, grads, factors, **given)
        for before, after, factor in zip(plain, plain[1:], factors, strict=False):
            here = points[-1]
            shift = after - before - given["lr"] * factor * decay * here
            points.append(here + shift)
        return points

    return mutant


def averaged_momentum(x: Array, grads: Sequence[Array], factors: Sequence[float], **given: Any) -> list[Array]:
    """v ← μ v + (1 − μ) g: averaged, not accumulated."""
    return sgd(x, grads, factors, **{**given, "dampening": given.get("momentum", 0.0)})


def dampened_first_step(x: Array, grads: Sequence[Array], factors: Sequence[float], **given: Any) -> list[Array]:
    """The first step takes (1 − dampening) g too."""
    nothing = given.get("weight_decay", 0.0) * x * (1 if given.get("maximize") else -1)  # leaves x and v alone
    return sgd(x, [nothing, *grads], [1.0, *factors], **given)[1:]


def lr_outside_velocity(x: Array, grads: Sequence[Array], factors: Sequence[float], **given: Any) -> list[Array]:
    """The heavy ball as SGD with momentum: equal until the learning rate changes."""
    return sgd(x, grads, factors, **given)


def lr_inside_velocity(x: Array, grads: Sequence[Array], factors: Sequence[float], **given: Any) -> list[Array]:
    """SGD with momentum as the heavy ball."""
    kept = {name: given[name] for name in ("lr", "momentum", "weight_decay", "maximize") if name in given}
    return heavy_ball(x, grads, factors, **kept)


def momentum_halved(path: Path) -> Path:
    """Half the momentum."""
    return changed(path, momentum=lambda m: np.asarray(m) / 2)


SGD_MUTANTS: dict[str, Path] = {
    "no_op": no_op,
    "reversed_direction": reversed_direction(sgd),
    "stale_gradient": stale_gradient(sgd),
    "stale_state": stale_state(sgd),
    "flipped_decay_sign": changed(sgd, weight_decay=lambda d: -np.asarray(d)),
    "no_decay": changed(sgd, weight_decay=lambda d: 0.0),
    "decoupled_decay": decay_decoupled(sgd),
    "maximize_ignored": changed(sgd, maximize=lambda m: False),
    "momentum_halved": momentum_halved(sgd),
    "momentum_averaged": averaged_momentum,
    "dampening_ignored": changed(sgd, dampening=lambda d: 0.0),
    "dampening_on_first_step": dampened_first_step,
    "nesterov_without_look_ahead": changed(sgd, nesterov=lambda n: False),
    "schedule_ignored": schedule_ignored(sgd),
    "schedule_late": schedule_late(sgd),
    "lr_inside_velocity": lr_inside_velocity,
    "lr_off_by_1e-5": changed(sgd, lr=lambda lr: np.asarray(lr) * (1 + 1e-5)),
}
HEAVY_BALL_MUTANTS: dict[str, Path] = {
    "no_op": no_op,
    "reversed_direction": reversed_direction(heavy_ball),
    "stale_gradient": stale_gradient(heavy_ball),
    "stale_state": stale_state(heavy_ball),
    "flipped_decay_sign": changed(heavy_ball, weight_decay=lambda d: -np.asarray(d)),
    "no_decay": changed(heavy_ball, weight_decay=lambda d: 0.0),
    "decoupled_decay": decay_decoupled(heavy_ball),
    "maximize_ignored": changed(heavy_ball, maximize=lambda m: False),
    "momentum_halved": momentum_halved(heavy_ball),
    "schedule_ignored": schedule_ignored(heavy_ball),
    "schedule_late": schedule_late(heavy_ball),
    "lr_outside_velocity": lr_outside_velocity,
    "lr_off_by_1e-5": changed(heavy_ball, lr=lambda lr: np.asarray(lr) * (1 + 1e-5)),
}
