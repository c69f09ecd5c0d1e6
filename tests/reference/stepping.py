"""The one comparison of an optimizer with its twin; the mutants face the same one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import optlab as ol
from optlab.layout import Layout, flat
from optlab.optim.rule import state_names
from reference.around import Stages, stages_of, twin_step
from reference.compare import assert_same_bits, assert_within
from reference.optimizers import State
from reference.rounding import Rounded, exact

Array = NDArray[Any]
SIZES = (1, 7, 8, 15, 16, 17, 31, 33, 66, 130)
FACTORS = (1.0, 0.5, 2.0, 0.0, 1.0, 0.25)
STEPS = len(FACTORS)


def data(shape: Any, dtype: Any, steps: int = STEPS) -> tuple[Array, list[Array]]:
    """A seeded starting point and gradients."""
    rng = np.random.default_rng(np.prod(shape))
    return rng.normal(size=shape).astype(dtype), [rng.normal(size=shape).astype(dtype) for _ in range(steps)]


def rate(opt: ol.Optimizer, factor: float) -> Any:
    """The learning rate times a schedule's factor, one number or one per run."""
    return np.array(opt.lr) * factor if np.ndim(opt.lr) else opt.lr * factor


def stepped(opt: ol.Optimizer, x: Array, grads: list[Array], factors: Any = FACTORS) -> list[Array]:
    """The library's path, the learning rate overridden at every step; two axes are runs."""
    x, path = x.copy(), [x]
    state = opt.init(x, runs_axis=x.ndim > 1)
    for grad, factor in zip(grads, factors, strict=True):
        before = grad.copy()
        opt.step(x, grad, state, lr=rate(opt, factor))
        assert_same_bits(grad, before)
        path.append(x.copy())
    assert int(state["step"]) == len(grads) and all(np.isfinite(state[name]).all() for name in state_names(opt))
    return path


def of_arrays(opt: ol.Optimizer, state: dict[str, Array]) -> State:
    """A state as exact numbers."""
    return {name: exact(state[name], state[name].dtype) for name in state_names(opt)}


def assert_close(actual: Array, expected: Rounded) -> None:
    """Within the error that the twin has counted; the least number stands for what underflows."""
    assert np.isfinite(expected.error).all() and np.isfinite(actual).all(), "nothing to compare"
    assert_within(actual, expected.value, expected.error + np.finfo(actual.dtype).smallest_subnormal)


@dataclass(frozen=True)
class Step:
    """What one step of ours was given, and what it made of it."""

    t: int
    lr: float
    x: Array
    grad: Array
    state: dict[str, Array]
    after: dict[str, Array]

    def expected(self, opt: ol.Optimizer, stages: Stages, layout: Layout) -> dict[str, Rounded]:
        """The twin's step from the same x and state."""
        x, grad = exact(self.x, self.x.dtype), exact(self.grad, self.x.dtype)
        point, state = twin_step(stages, opt, x, grad, of_arrays(opt, self.state), self.t, self.lr, layout)
        return {"x": point} | state


def steps(opt: ol.Optimizer, x: Array, grads: list[Array], layout: Layout | None = None) -> list[Step]:
    """Our steps one by one, under a schedule."""
    x, state, made = x.copy(), opt.init(x, layout), []
    for t, (grad, factor) in enumerate(zip(grads, FACTORS, strict=False), start=1):
        before = x.copy(), grad, {name: state[name].copy() for name in state_names(opt)}
        opt.step(x, grad, state, lr=opt.lr * factor)
        after = {"x": x.copy()} | {name: state[name].copy() for name in state_names(opt)}
        made.append(Step(t, opt.lr * factor, *before, after))
    return made


def assert_steps(opt: ol.Optimizer, x: Array, grads: list[Array], layout: Layout | None = None) -> None:
    """Every step of ours is the twin's step from where we stood: errors do not add up, so the bound is tight."""
    for step in steps(opt, x, grads, layout):
        expected = step.expected(opt, stages_of(type(opt).__name__), layout or flat(x.size))
        for name, ours in step.after.items():
            assert_close(ours, expected[name])


def assert_path(opt: ol.Optimizer, x: Array, grads: list[Array]) -> None:
    """The whole path is the twin's, which goes on from its own states and carries their errors along."""
    point, state = exact(x, x.dtype), of_arrays(opt, opt.init(x))
    paths = zip(stepped(opt, x, grads)[1:], grads, FACTORS, strict=True)
    for t, (ours, grad, factor) in enumerate(paths, start=1):
        lr, stages = opt.lr * factor, stages_of(type(opt).__name__)
        point, state = twin_step(stages, opt, point, exact(grad, x.dtype), state, t, lr, flat(x.size))
        assert_close(ours, point)
