"""PyTorch's schedulers beside ours, with hyperparameters drawn at random."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from optlab import schedules as s

STEPS = 130


def torch_rates(make: Callable[[Any, Any], Any], lr: float, steps: int) -> list[float]:
    """The learning rates of a PyTorch scheduler; make takes its module and the optimizer."""
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    scheduler = make(torch.optim.lr_scheduler, optimizer)
    rates = [optimizer.param_groups[0]["lr"]]
    for _ in range(steps - 1):
        optimizer.step()
        scheduler.step()
        rates.append(optimizer.param_groups[0]["lr"])
    return rates


Case = tuple[s.Schedule, Callable[[Any, Any], Any], float, int]
"""Ours, theirs, how badly their form is conditioned, and the number of steps: three lengths if they come to an end."""


def steps_case(rng: np.random.Generator, lr: float) -> Case:
    every, gamma = int(rng.integers(1, 20)), rng.uniform(0.1, 1.1)
    return s.Step(every, gamma), lambda m, o: m.StepLR(o, every, gamma), 0, STEPS


def staircase_case(rng: np.random.Generator, lr: float) -> Case:
    milestones = np.unique(rng.integers(1, STEPS, rng.integers(1, 9))).tolist()
    gamma = rng.uniform(0.1, 1.1)
    return s.Staircase(milestones, gamma), lambda m, o: m.MultiStepLR(o, milestones, gamma), 0, STEPS


def linear_case(rng: np.random.Generator, lr: float) -> Case:
    total, (start, end) = int(rng.integers(1, 99)), rng.uniform(0.1, 1.0, 2)
    # PyTorch's increment divides by total·start + t·(end − start), whose digits cancel by up to start/end
    conditioning = total * max(start / end, 1.0)
    return s.Linear(total, start, end), lambda m, o: m.LinearLR(o, start, end, total), conditioning, 3 * total + 1


def exponential_case(rng: np.random.Generator, lr: float) -> Case:
    gamma = rng.uniform(0.8, 1.01)
    return s.Exponential(gamma), lambda m, o: m.ExponentialLR(o, gamma), 0, STEPS


def multiplicative_case(rng: np.random.Generator, lr: float) -> Case:
    rate = rng.uniform(0.1, 0.9)

    def factor(t: Any) -> Any:
        return 1.0 - rate / (1.0 + t)

    return s.Multiplicative(factor), lambda m, o: m.MultiplicativeLR(o, factor), 0, STEPS


def polynomial_case(rng: np.random.Generator, lr: float) -> Case:
    total, power = int(rng.integers(1, 99)), float(rng.choice([1.0, 2.0, 3.0, rng.uniform(0.5, 3)]))
    # their 1 − t/total loses up to total·eps of itself near the end, once: the next step divides by the same number
    return s.Polynomial(total, power), lambda m, o: m.PolynomialLR(o, total, power), power * total, 3 * total + 1


def cosine_case(rng: np.random.Generator, lr: float) -> Case:
    total, floor = int(rng.integers(2, 60)), rng.uniform(0, 0.5)
    # they climb from the bottom by ratios, beginning with 1 + cos(π + π/total) ≈ 5/total², which is known to eps/2
    ours = s.Cosine(total, floor, after="repeat")
    return ours, lambda m, o: m.CosineAnnealingLR(o, total, floor * lr), total**2, 3 * total + 1


def restarts_case(rng: np.random.Generator, lr: float) -> Case:
    first, growth, floor = int(rng.integers(1, 30)), int(rng.integers(1, 4)), rng.uniform(0, 0.5)
    theirs = lambda m, o: m.CosineAnnealingWarmRestarts(o, first, growth, floor * lr)  # noqa: E731
    return s.CosineRestarts(first, growth, floor), theirs, 0, STEPS


def cyclic_case(rng: np.random.Generator, lr: float) -> Case:
    up, down, low, high = int(rng.integers(1, 30)), int(rng.integers(1, 30)), rng.uniform(0, 0.4), rng.uniform(0.5, 1)
    mode = str(rng.choice(["triangular", "triangular2", "exp_range"]))
    gamma = rng.uniform(0.95, 1.0) if mode == "exp_range" else 1.0
    # their place in the cycle is a difference of numbers of the size of t / (up + down), and multiplies up + down
    return (
        s.Cyclic(up, down, low, high, mode, gamma),
        lambda m, o: m.CyclicLR(o, low * lr, high * lr, up, down, mode, gamma, cycle_momentum=False),
        up + down,
        STEPS,
    )


def one_cycle_case(rng: np.random.Generator, lr: float) -> Case:
    total, warm, div, final = (
        int(rng.integers(20, STEPS)),
        rng.uniform(0.1, 0.45),
        rng.uniform(1, 30),
        rng.uniform(1, 99),
    )
    anneal, three = str(rng.choice(["cos", "linear"])), bool(rng.integers(2))
    settings = {"anneal_strategy": anneal, "div_factor": div, "final_div_factor": final, "three_phase": three}
    # a phase may be as short as one step: its share of it is known to total·eps
    return (
        s.OneCycle(total, warm, div, final, anneal, three),
        lambda m, o: m.OneCycleLR(o, lr, total, pct_start=warm, cycle_momentum=False, **settings),
        total,
        total,  # there PyTorch ends
    )


def warmup_case(rng: np.random.Generator, lr: float) -> Case:
    steps, start, gamma = int(rng.integers(1, 40)), rng.uniform(0.1, 1.0), rng.uniform(0.8, 1)

    def theirs(m: Any, o: Any) -> Any:
        parts = [m.LinearLR(o, start, 1.0, steps), m.ExponentialLR(o, gamma)]
        return m.SequentialLR(o, parts, [steps])

    return s.Warmup(steps, s.Exponential(gamma), start), theirs, steps / start, STEPS


def chain_case(rng: np.random.Generator, lr: float) -> Case:
    first, second = (int(step) for step in np.sort(rng.choice(np.arange(1, STEPS), 2, replace=False)))
    total, every, gamma = int(rng.integers(2, 60)), int(rng.integers(1, 20)), rng.uniform(0.8, 1)

    def theirs(m: Any, o: Any) -> Any:
        parts = [m.StepLR(o, every, gamma), m.CosineAnnealingLR(o, total), m.ExponentialLR(o, gamma)]
        return m.SequentialLR(o, parts, [first, second])

    ours = s.Chain([s.Step(every, gamma), s.Cosine(total, after="repeat"), s.Exponential(gamma)], [first, second])
    return ours, theirs, total**2, STEPS


def product_case(rng: np.random.Generator, lr: float) -> Case:
    every, gamma, total = int(rng.integers(1, 20)), rng.uniform(0.5, 1), int(rng.integers(1, 99))

    def theirs(m: Any, o: Any) -> Any:
        return m.ChainedScheduler([m.ExponentialLR(o, gamma), m.StepLR(o, every, gamma), m.PolynomialLR(o, total)])

    return s.Exponential(gamma) * s.Step(every, gamma) * s.Polynomial(total), theirs, total, 3 * total + 1


CASES: dict[str, Callable[[np.random.Generator, float], Case]] = {
    name.removesuffix("_case"): make for name, make in sorted(globals().items()) if name.endswith("_case")
}
