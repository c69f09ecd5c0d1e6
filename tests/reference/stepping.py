"""The one comparison of an optimizer with its twin, over configurations and sizes; the mutants face the same one."""

from __future__ import annotations

from typing import Any

import numpy as np

import optlab as ol
from reference.compare import assert_same_bits, assert_within, eps
from reference.optimizers import Array, Path

SIZES = (1, 7, 8, 15, 16, 17, 31, 33, 66, 130)
STEPS = 6
FACTORS = (1.0, 0.5, 2.0, 0.0, 1.0, 0.25)
# Roundings of one step on the way to x: lr, momentum, dampening and decay to the type, decay x, the sum, dampening g,
# momentum v, the sum, momentum v again, the look-ahead's sum, lr times it, and the last sum. A step carries on the
# errors of those before, so t steps make 13 t; half an eps each, and as much again for the twin.
ROUNDINGS = 13

SGD_CASES: dict[str, dict[str, Any]] = {
    "plain": {"lr": 0.1},
    "decay": {"lr": 0.1, "weight_decay": 0.2},
    "climb": {"lr": 0.1, "weight_decay": 0.2, "maximize": True},
    "momentum": {"lr": 0.05, "momentum": 0.9},
    "dampened": {"lr": 0.05, "momentum": 0.9, "dampening": 0.4, "weight_decay": 0.1},
    "nesterov": {"lr": 0.05, "momentum": 0.9, "nesterov": True},
    "nesterov_climb": {"lr": 0.05, "momentum": 0.8, "nesterov": True, "weight_decay": 0.1, "maximize": True},
}
HEAVY_BALL_CASES: dict[str, dict[str, Any]] = {
    "plain": {"lr": 0.1},
    "momentum": {"lr": 0.05, "momentum": 0.9},
    "decay": {"lr": 0.05, "momentum": 0.7, "weight_decay": 0.2},
    "climb": {"lr": 0.05, "momentum": 0.7, "weight_decay": 0.2, "maximize": True},
}
Data = tuple[Array, list[Array]]


def data(shape: Any, dtype: Any, steps: int = STEPS) -> Data:
    """A seeded starting point and gradients."""
    rng = np.random.default_rng(np.prod(shape))
    return rng.normal(size=shape).astype(dtype), [rng.normal(size=shape).astype(dtype) for _ in range(steps)]


def stepped(opt: ol.Optimizer, x: Array, grads: list[Array], factors: Any = FACTORS) -> list[Array]:
    """The library's path, the learning rate overridden at every step."""
    x, path = x.copy(), [x]
    state = opt.init(x, runs_axis=x.ndim > 1)
    for grad, factor in zip(grads, factors, strict=True):
        before = grad.copy()
        rate = np.array(opt.lr) * factor if np.ndim(opt.lr) else opt.lr * factor
        opt.step(x, grad, state, lr=rate)
        assert_same_bits(grad, before)
        path.append(x.copy())
    assert int(state["step"]) == len(grads) and all(np.isfinite(state[name]).all() for name in opt.state_names())
    return path


def assert_follows(
    ours: list[Array], path: Path, twin: Path, x: Array, grads: list[Array], given: dict[str, Any]
) -> None:
    """Our path stays as close to ``path`` as roundings allow; their size is that of the true twin's majorant."""
    wide = x.astype(np.float64), [g.astype(np.float64) for g in grads]
    expected = path(*wide, FACTORS, **given)
    major = twin(np.abs(wide[0]), [np.abs(g) for g in wide[1]], FACTORS, minus=1.0, **given)
    for t, (got, wanted, size) in enumerate(zip(ours, expected, major, strict=True)):
        assert got.dtype == x.dtype
        assert_within(got, wanted, ROUNDINGS * t * eps(x.dtype) * size)


def compare(kind: Any, cases: dict[str, dict[str, Any]], path: Path, twin: Path, dtype: Any, size: int) -> None:
    """Every configuration of an optimizer against a path that should be its twin's."""
    x, grads = data(size, dtype)
    for given in cases.values():
        assert_follows(stepped(kind(**given), x, grads), path, twin, x, grads, given)
