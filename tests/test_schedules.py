"""Schedules against PyTorch's schedulers, their closed forms, and themselves in other shapes, slabs and places."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from reference.compare import assert_same_bits, assert_within, eps
from reference.loop import python_loop
from reference.schedulers import CASES, STEPS, torch_rates

import optlab as ol
from optlab import schedules as s
from optlab.kernels.select import available

EPS = eps(np.float64)
DRAWS = 12  # of hyperparameters, for each comparison


def slow_decay(t: Any) -> Any:
    """A factor of a step or of many, on which libraries cannot differ."""
    return 1.0 - 0.5 / (1.0 + t)


EXAMPLES: dict[str, s.Schedule] = {
    "constant": s.Constant(0.7),
    "step": s.Step(every=7, gamma=0.3),
    "staircase": s.Staircase([5, 20, 41], gamma=[0.5, 2.0, 0.1]),
    "linear": s.Linear(30, start=0.2, end=0.9),
    "exponential": s.Exponential(0.95),
    "growing": s.Exponential(1.05),
    "multiplicative": s.Multiplicative(slow_decay),
    "inverse": s.Inverse(0.3, power=0.75),
    "one_over_k": s.OneOverK(offset=4),
    "polynomial": s.Polynomial(50, power=0.9),
    "cosine": s.Cosine(17, floor=0.1),
    "repeated_linear": s.Linear(30, start=0.2, end=0.9, after="repeat"),
    "repeated_polynomial": s.Polynomial(50, power=0.9, after="repeat"),
    "repeated_cosine": s.Cosine(17, floor=0.1, after="repeat"),
    "repeated_one_cycle": s.OneCycle(50, after="repeat"),
    "restarts": s.CosineRestarts(9, floor=0.05),
    "growing_restarts": s.CosineRestarts(5, growth=3),
    "triangular": s.Cyclic(6, 11),
    "triangular2": s.Cyclic(8, mode="triangular2"),
    "exp_range": s.Cyclic(5, 3, low=0.1, mode="exp_range", gamma=0.97),
    "one_cycle": s.OneCycle(100),
    "three_phases": s.OneCycle(100, warm=0.4, anneal="linear", three_phase=True),
    "warmup": s.Warmup(13, s.Cosine(60)),
    "warmup_of_a_function": s.Warmup(13, slow_decay, start=0.2),
    "chain": s.Chain([s.Linear(10, 0, 1), s.Constant(), s.Exponential(0.9)], milestones=[10, 30]),
    "product": 0.5 * s.Warmup(5) * s.Step(10),
}
each = pytest.mark.parametrize("name", EXAMPLES)


@pytest.mark.parametrize("name", CASES)
def test_equals_pytorch(name: str) -> None:
    """PyTorch multiplies the rate of the step before: 5 roundings a step, and again as many for ours.

    Hence 10 eps (t + 1 + conditioning), of the largest rate, because the conditioning is that of differences.
    """
    rng = np.random.default_rng(7)
    for _ in range(DRAWS):
        lr = float(rng.uniform(0.01, 2.0))
        ours, theirs, conditioning, steps = CASES[name](rng, lr)
        expected, t = np.array(torch_rates(theirs, lr, steps)), np.arange(steps)
        assert_within(lr * ours(t), expected, 10 * EPS * (t + 1 + conditioning) * expected.max())


CLOSED: dict[str, tuple[s.Schedule, Callable[[int], float]]] = {
    "constant": (s.Constant(0.25), lambda t: 0.25),
    "step": (s.Step(6, 0.3), lambda t: 0.3 ** (t // 6)),
    "staircase": (s.Staircase([3, 50], [0.5, 0.1]), lambda t: 1.0 if t < 3 else 0.5 if t < 50 else 0.05),
    "linear": (s.Linear(40, 0.1, 0.7), lambda t: 0.1 + 0.6 * min(t, 40) / 40),
    "exponential": (s.Exponential(0.9), lambda t: 0.9**t),
    "multiplicative": (s.Multiplicative(lambda t: t / (t + 1)), lambda t: 1 / (t + 1)),
    "inverse": (s.Inverse(0.2, 0.6), lambda t: (1 + 0.2 * t) ** -0.6),
    "inverse_square": (s.Inverse(0.2, 2), lambda t: (1 + 0.2 * t) ** -2),
    "one_over_k": (s.OneOverK(), lambda t: 1 / (t + 1)),
    "one_over_k_later": (s.OneOverK(20), lambda t: 20 / (t + 20)),
    "polynomial": (s.Polynomial(40, 0.5), lambda t: math.sqrt(max(0, 1 - t / 40))),
    "cosine": (s.Cosine(40, 0.1), lambda t: 0.1 + 0.9 * (1 + math.cos(math.pi * min(t, 40) / 40)) / 2),
    "repeated_cosine": (s.Cosine(40, 0.1, "repeat"), lambda t: 0.1 + 0.9 * (1 + math.cos(math.pi * t / 40)) / 2),
    "repeated_linear": (s.Linear(40, 0.1, 0.7, "repeat"), lambda t: 0.7 - 0.6 * abs(t % 80 - 40) / 40),
    "restarts": (s.CosineRestarts(9), lambda t: (1 + math.cos(math.pi * (t % 9) / 9)) / 2),
    "triangular": (s.Cyclic(10, low=0.1), lambda t: 0.1 + 0.9 * (1 - abs(t % 20 - 10) / 10)),
    "triangular2": (s.Cyclic(10, low=0, mode="triangular2"), lambda t: (1 - abs(t % 20 - 10) / 10) / 2 ** (t // 20)),
}


@pytest.mark.parametrize("name", CLOSED)
def test_equals_its_formula(name: str) -> None:
    """A power is at worst t multiplications for ours and one rounding for the formula, at a scale of 1."""
    ours, formula = CLOSED[name]
    expected = np.array([formula(t) for t in range(STEPS)])
    assert_within(ours(np.arange(STEPS)), expected, 4 * EPS * (np.arange(STEPS) + 1))


def test_prints_the_lecture_of_warmup_and_cosine() -> None:
    printed = [0, 0.05, 0.1, 0.0962, 0.0854, 0.0691, 0.05, 0.0309, 0.0146, 0.0038]
    rates = 0.1 * s.Warmup(2, s.Cosine(8))(np.arange(10))
    assert rates.round(4).tolist() == printed


ENDS = {  # a schedule, a step, and the factor there without any rounding
    "linear_start": (s.Linear(7, 0.3, 0.1), 0, 0.3),
    "linear_end": (s.Linear(7, 1.0, 0.1), 7, 0.1),
    "polynomial_end": (s.Polynomial(7, 0.3), 7, 0.0),
    "cosine_start": (s.Cosine(7, 0.3), 0, 1.0),
    "cosine_end": (s.Cosine(7, 0.3), 7, 0.3),
    "cosine_zero": (s.Cosine(7), 7, 0.0),
    "cosine_after": (s.Cosine(7, 0.3), 14, 0.3),
    "cosine_far": (s.Cosine(7, 0.3), 14 * 10**17, 0.3),
    "cosine_again": (s.Cosine(7, 0.3, "repeat"), 14, 1.0),
    "cosine_far_again": (s.Cosine(7, 0.3, "repeat"), 14 * 10**17, 1.0),
    "restart": (s.CosineRestarts(3, 2, 0.1), 3 + 6, 1.0),
    "restart_far": (s.CosineRestarts(3, 2, 0.1), 3 * (2**60 - 1), 1.0),
    "cyclic_low": (s.Cyclic(3, 4, 0.1, 0.7), 7, 0.1),
    "cyclic_high": (s.Cyclic(3, 4, 0.1, 0.7), 10, 0.7),
    "one_cycle_start": (s.OneCycle(20, 0.5, 8), 0, 0.125),
    "one_cycle_peak": (s.OneCycle(20, 0.5), 9, 1.0),
    "one_cycle_end": (s.OneCycle(20, 0.5, 8, 16), 19, 1 / 128),
    "one_cycle_after": (s.OneCycle(20, 0.5, 8, 16), 10**6, 1 / 128),
    "three_phases_low": (s.OneCycle(20, 0.4, 8, three_phase=True), 14, 0.125),
    "zero_power_zero": (s.Polynomial(7, 0), 7, 1.0),
    "gamma_zero": (s.Exponential(0.0), 0, 1.0),
    "underflow": (s.Exponential(0.1), 10**6, 0.0),
    "warmup_of_none": (s.Warmup(0, s.Constant(0.3)), 0, 0.3),
    "warmup_to_half": (s.Warmup(4, s.Constant(0.5)), 2, 0.25),
}


@pytest.mark.parametrize("name", ENDS)
def test_ends_are_exact(name: str) -> None:
    schedule, step, expected = ENDS[name]
    assert schedule(step) == expected


def test_one_over_k_keeps_the_promise_of_its_sums() -> None:
    factors = s.OneOverK()(np.arange(10**6))
    assert factors.sum() > math.log(10**6)
    assert (factors**2).sum() < math.pi**2 / 6


def test_an_overflowing_factor_is_refused_by_the_study() -> None:
    f = ol.landscapes.Quadratic(np.ones(2))
    with pytest.raises(ValueError, match=r"^schedule: expected finite factors >= 0"):
        ol.descend(f, ol.SGD(lr=0.0), np.ones(2), 2000, schedule=s.Exponential(2.0))


@each
def test_factors_are_finite_and_not_negative(name: str) -> None:
    factors = EXAMPLES[name](np.arange(1000))
    assert np.isfinite(factors).all() and (factors >= 0).all()


@each
def test_one_step_is_a_part_of_many(name: str) -> None:
    schedule, t = EXAMPLES[name], np.arange(STEPS)
    factors = schedule(t)
    assert (factors.dtype, factors.shape) == (np.float64, t.shape)
    alone = [schedule(step) for step in range(STEPS)]
    assert {type(factor) for factor in alone} == {np.float64}
    assert_same_bits(np.array(alone), factors)
    assert schedule(np.int32(7)) == schedule(np.array(7)) == factors[7]
    for first, count in ((0, 0), (3, 1), (11, 7), (1, 129)):  # as slabs of a study come
        assert_same_bits(schedule(t[first : first + count]), factors[first : first + count])
    assert_same_bits(schedule(t.reshape(10, 13)[:, ::-1]), factors.reshape(10, 13)[:, ::-1])
    assert_same_bits(schedule(t[::-1].astype(np.uint8)), factors[::-1])


@each
def test_calls_leave_no_trace(name: str) -> None:
    t = np.arange(STEPS)
    before = EXAMPLES[name](t)
    EXAMPLES[name](np.array([500, 3]))
    assert_same_bits(EXAMPLES[name](t), before)
    assert_same_bits(t, np.arange(STEPS))


@each
def test_pickles_and_compares(name: str) -> None:
    schedule = EXAMPLES[name]
    copy = pickle.loads(pickle.dumps(schedule))
    assert copy == schedule and hash(copy) == hash(schedule) and repr(copy) == repr(schedule)
    assert_same_bits(copy(np.arange(STEPS)), schedule(np.arange(STEPS)))
    assert all(schedule != other for key, other in EXAMPLES.items() if key != name)


@each
def test_fields_are_frozen(name: str) -> None:
    with pytest.raises(AttributeError):
        EXAMPLES[name].total = 3  # type: ignore[attr-defined]


def test_reads_as_it_was_written() -> None:
    assert repr(s.Warmup(np.int64(5), s.Cosine(8))) == (
        "Warmup(steps=5, then=Cosine(total=8, floor=0.0, after='hold'), start=0.0)"
    )
    assert s.Staircase(np.array([3, 5]), [1, 2]) == s.Staircase((3, 5), (1.0, 2.0))
    assert s.Linear(np.int32(4), np.float32(0.5)) == s.Linear(4, 0.5)


def test_the_same_bits_on_every_instruction_set(python: Any) -> None:
    code = """
import numpy as np
from test_schedules import EXAMPLES
from reference.compare import digest
t = np.concatenate([np.arange(1000), 10**5 + np.arange(9)])
print(digest(*(schedule(t) for name, schedule in EXAMPLES.items() if name != "growing")))
"""
    printed = [python(code, OPTLAB_ISA=isa) for isa in available()]
    assert {done.stdout for done in printed} == {printed[0].stdout} and printed[0].stdout, printed[0].stderr


@each
def test_a_study_equals_the_loop(name: str) -> None:
    f, opt = ol.landscapes.Quadratic(np.linspace(0.1, 1.0, 5)), ol.SGD(lr=0.3, momentum=0.5)
    x0 = np.random.default_rng(3).normal(size=(4, 5))
    path = ol.descend(f, opt, x0, 90, schedule=EXAMPLES[name], noise=1e-4, seed=2, record=1)
    expected, _ = python_loop(f, opt, x0, 90, schedule=EXAMPLES[name], noise=1e-4, seed=2)
    assert path.x is not None
    assert_same_bits(path.x, expected)


def test_products() -> None:
    t, a, b = np.arange(40), s.Cosine(20), s.Step(7)
    assert_same_bits((a * b)(t), a(t) * b(t))
    for half in (0.5 * a, a * 0.5, np.float64(0.5) * a, a * np.float32(0.5)):
        assert isinstance(half, s.Product)
        assert_same_bits(half(t), 0.5 * a(t))
    assert 0.5 * a == s.Constant(0.5) * a
    assert_same_bits((a * slow_decay)(t), a(t) * slow_decay(t))
    assert_same_bits((slow_decay * a)(t), slow_decay(t) * a(t))


def test_a_warmup_stands_before_any_schedule() -> None:
    ramp = np.arange(10) / 10
    for then in EXAMPLES.values():
        factors = s.Warmup(10, then)(np.arange(STEPS))
        assert_same_bits(factors[10:], then(np.arange(STEPS - 10)))
        assert_within(factors[:10], ramp * then(0), 2 * EPS * then(0))  # a product more, and a rounding of each


def test_a_chain_starts_every_part_anew() -> None:
    parts = list(EXAMPLES.values())
    milestones = 7 * np.arange(1, len(parts))
    factors = s.Chain(parts, milestones)(np.arange(7 * len(parts)))
    assert_same_bits(factors, np.concatenate([part(np.arange(7)) for part in parts]))


def test_multiplicative_takes_schedules() -> None:
    t = np.arange(50)
    assert_within(s.Multiplicative(s.Constant(0.9))(t), s.Exponential(0.9)(t), EPS * (t + 1))


def test_plot_draws_learning_rates() -> None:
    ax = Figure().add_subplot()
    line = s.Cosine(8).plot(ax, steps=9, lr=0.1, label="cosine")
    assert_same_bits(np.asarray(line.get_xdata()), np.arange(9))
    assert_same_bits(np.asarray(line.get_ydata()), 0.1 * s.Cosine(8)(np.arange(9)))
    assert (ax.get_xlabel(), ax.get_ylabel(), line.get_label()) == ("step", "learning rate", "cosine")


def test_the_import_is_light(python: Any) -> None:
    done = python("import sys, optlab.schedules; print('matplotlib' in sys.modules, 'scipy' in sys.modules)")
    assert done.stdout.strip() == "False False", done.stderr


BAD: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "factor_negative": (lambda: s.Constant(-1), ValueError, r"^factor: got -1.0, expected a finite number >= 0$"),
    "factor_nan": (lambda: s.Constant(math.nan), ValueError, "^factor: got nan, expected a finite number >= 0$"),
    "factor_text": (lambda: s.Constant("1"), TypeError, "^factor: got '1', expected a number$"),
    "factor_bool": (lambda: True * s.Cosine(3), TypeError, "^factor: got True, expected a number$"),
    "every_zero": (lambda: s.Step(0), ValueError, "^every: got 0, expected a whole number from 1 "),
    "every_float": (lambda: s.Step(2.0), TypeError, "^every: got 2.0, expected a whole number$"),
    "step_gamma": (lambda: s.Step(2, -0.1), ValueError, "^gamma: got -0.1, expected a finite number >= 0$"),
    "milestones_number": (lambda: s.Staircase(3), TypeError, "^milestones: got 3, expected a list of steps$"),
    "milestones_order": (lambda: s.Staircase([3, 3]), ValueError, r"^milestones: got \[3, 3\], expected increasing"),
    "milestones_zero": (lambda: s.Staircase([0, 3]), ValueError, "^milestones: got 0, expected a whole number from 1"),
    "gammas": (lambda: s.Staircase([3, 4], [1, 2, 3]), ValueError, "^gamma: got 3 numbers, expected one or 2$"),
    "gammas_nested": (lambda: s.Staircase([3], [[0.1]]), TypeError, r"^gamma: got \[0.1\], expected a number$"),
    "gammas_text": (lambda: s.Staircase([3], "1"), TypeError, "^gamma: got '1', expected a number$"),
    "gamma_infinite": (lambda: s.Exponential(math.inf), ValueError, "^gamma: got inf, expected a finite number >= 0$"),
    "multiplicative": (lambda: s.Multiplicative(0.9), TypeError, "^factor: got 0.9, expected a schedule or a function"),
    "total": (lambda: s.Linear(-3), ValueError, "^total: got -3, expected a whole number from 1 "),
    "start": (lambda: s.Linear(3, -1), ValueError, "^start: got -1.0, expected a finite number >= 0$"),
    "end": (lambda: s.Linear(3, 1, -1), ValueError, "^end: got -1.0, expected a finite number >= 0$"),
    "power": (lambda: s.Polynomial(3, -2), ValueError, "^power: got -2.0, expected a finite number >= 0$"),
    "decay": (lambda: s.Inverse(-1), ValueError, "^decay: got -1.0, expected a finite number >= 0$"),
    "inverse_power": (lambda: s.Inverse(1, -1), ValueError, "^power: got -1.0, expected a finite number >= 0$"),
    "offset": (lambda: s.OneOverK(0), ValueError, "^offset: got 0.0, expected a finite number >= "),
    "floor": (lambda: s.Cosine(3, 1.5), ValueError, "^floor: got 1.5, expected a finite number >= 0 and <= 1$"),
    "first": (lambda: s.CosineRestarts(0), ValueError, "^first: got 0, expected a whole number from 1 "),
    "growth": (lambda: s.CosineRestarts(3, 1.5), TypeError, "^growth: got 1.5, expected a whole number$"),
    "down": (lambda: s.Cyclic(3, 0), ValueError, "^down: got 0, expected a whole number from 1 "),
    "low": (lambda: s.Cyclic(3, low=2), ValueError, "^low: got 2.0, expected a finite number >= 0 and <= 1$"),
    "mode": (lambda: s.Cyclic(3, mode="sine"), ValueError, "^mode: got 'sine', expected 'triangular' or 'triangular2'"),
    "gamma_unused": (lambda: s.Cyclic(3, gamma=0.9), ValueError, "^gamma: got 0.9 with mode 'triangular', expected mo"),
    "warm_short": (lambda: s.OneCycle(3), ValueError, "^warm: got 0.3 of 3 steps, corners at 0, -0.1, 2, expected inc"),
    "warm_whole": (lambda: s.OneCycle(30, 1.0), ValueError, "^warm: got 1 of 30 steps, corners at 0, 29, 29, expected"),
    "warm_phases": (lambda: s.OneCycle(30, 0.6, three_phase=True), ValueError, "^warm: got 0.6 of 30 steps, corners"),
    "div": (lambda: s.OneCycle(30, div=0), ValueError, "^div: got 0.0, expected a finite number >= 1$"),
    "final_div": (
        lambda: s.OneCycle(30, final_div=0),
        ValueError,
        "^final_div: got 0.0, expected a finite number >= 1",
    ),
    "anneal": (lambda: s.OneCycle(30, anneal=1), ValueError, "^anneal: got 1, expected 'cos' or 'linear'$"),
    "after_linear": (lambda: s.Linear(3, after="stop"), ValueError, "^after: got 'stop', expected 'hold' or 'repeat'$"),
    "after_polynomial": (lambda: s.Polynomial(3, after="Hold"), ValueError, "^after: got 'Hold', expected 'hold' or "),
    "after_cosine": (lambda: s.Cosine(3, after=None), ValueError, "^after: got None, expected 'hold' or 'repeat'$"),
    "after_one_cycle": (
        lambda: s.OneCycle(30, after=["hold"]),
        ValueError,
        r"^after: got \['hold'\], expected 'hold' ",
    ),
    "warmup": (lambda: s.Warmup(-1), ValueError, "^steps: got -1, expected a whole number from 0 "),
    "warmup_start": (lambda: s.Warmup(1, start=-1), ValueError, "^start: got -1.0, expected a finite number >= 0$"),
    "then": (
        lambda: s.Warmup(3, 0.5),
        TypeError,
        "^then: got 0.5, expected a schedule or a function of an int64 array",
    ),
    "then_plateau": (lambda: s.Warmup(3, s.ReduceOnPlateau()), TypeError, "^then: got ReduceOnPlateau.*expected a sch"),
    "chain_count": (
        lambda: s.Chain([s.Step(2)], [3]),
        ValueError,
        "^milestones: got 1 for 1 schedules, expected one f",
    ),
    "chain_numbers": (lambda: s.Chain([1, 2], [3]), TypeError, "^schedules: got 1, expected a schedule or a function"),
    "chain_order": (lambda: s.Chain([s.Step(2)] * 3, [5, 4]), ValueError, r"^milestones: got \[5, 4\], expected incr"),
    "product": (lambda: s.Product(s.Step(2), 3), TypeError, "^second: got 3, expected a schedule or a function"),
    "times_text": (lambda: s.Step(2) * "3", TypeError, "unsupported operand|can't multiply"),
    "times_array": (lambda: np.ones(2) * s.Step(2), TypeError, "unsupported operand|ufunc"),
    "times_plateau": (lambda: s.ReduceOnPlateau() * s.Step(2), TypeError, "unsupported operand"),
    "step_negative": (lambda: s.Step(2)([3, -1]), ValueError, "^steps: got -1, expected whole numbers >= 0$"),
    "step_float": (lambda: s.Step(2)(1.0), TypeError, "^steps: got float64, expected whole numbers$"),
    "step_bool": (lambda: s.Step(2)(True), TypeError, "^steps: got bool, expected whole numbers$"),
    "plot_steps": (lambda: s.Step(2).plot(None, 0), ValueError, "^steps: got 0, expected a whole number from 1 "),
    "plateau_factor": (lambda: s.ReduceOnPlateau(1.0), ValueError, "^factor: got 1.0, expected a finite.*and < 1$"),
    "plateau_patience": (lambda: s.ReduceOnPlateau(patience=-1), ValueError, "^patience: got -1, expected a whole"),
    "plateau_threshold": (lambda: s.ReduceOnPlateau(threshold=-1), ValueError, "^threshold: got -1.0, expected"),
    "plateau_mode": (lambda: s.ReduceOnPlateau(mode="low"), ValueError, "^mode: got 'low', expected 'min' or 'max'$"),
    "plateau_relative": (lambda: s.ReduceOnPlateau(threshold_mode="r"), ValueError, "^threshold_mode: got 'r', exp"),
    "plateau_cooldown": (lambda: s.ReduceOnPlateau(cooldown=1.5), TypeError, "^cooldown: got 1.5, expected a whole"),
    "plateau_floor": (lambda: s.ReduceOnPlateau(min_factor=2), ValueError, "^min_factor: got 2.0, expected"),
    "plateau_eps": (lambda: s.ReduceOnPlateau(eps=-1), ValueError, "^eps: got -1.0, expected a finite number >= 0$"),
    "plateau_value": (lambda: s.ReduceOnPlateau().update("1"), TypeError, "^value: got '1', expected a number$"),
    "plateau_state": (lambda: s.ReduceOnPlateau().restore({}), ValueError, "^state: got no bad, best, cooling, scale,"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input(name: str) -> None:
    call, error, said = BAD[name]
    with pytest.raises(error, match=said) as caught:
        call()
    assert "\n" not in str(caught.value)


def plateau_settings(rng: np.random.Generator) -> dict[str, Any]:
    return {
        "factor": float(rng.uniform(0.1, 0.9)),
        "patience": int(rng.integers(0, 5)),
        "threshold": float(rng.choice([0.0, 1e-4, 0.05, 2.0])),
        "threshold_mode": str(rng.choice(["rel", "abs"])),
        "cooldown": int(rng.integers(0, 4)),
        "mode": str(rng.choice(["min", "max"])),
    }


def values_of(rng: np.random.Generator, count: int) -> list[float]:
    """A walk with plateaus, of either sign, with NaN and infinities now and then."""
    walk = np.cumsum(rng.normal(size=count) * (rng.random(count) < 0.5)) + rng.uniform(-3, 3)
    strange = rng.random(count)
    walk[strange < 0.08] = np.nan
    walk[strange > 0.97] = rng.choice([np.inf, -np.inf])
    return walk.tolist()


def plateaus() -> Iterator[tuple[dict[str, Any], float, float, list[float]]]:
    rng = np.random.default_rng(11)
    for _ in range(60):
        floor, tiny = float(rng.choice([0.0, 1e-3, 0.3])), float(rng.choice([0.0, 1e-8, 0.05]))
        yield plateau_settings(rng), floor, tiny, values_of(rng, 90)


@pytest.mark.parametrize("lr", (1.0, 0.25))  # by powers of two nothing is rounded: the same to the bit
def test_plateau_equals_pytorch(lr: float) -> None:
    torch = pytest.importorskip("torch")
    reductions = 0
    for settings, floor, tiny, values in plateaus():
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
        theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, min_lr=floor * lr, eps=tiny * lr, **settings)
        ours = s.ReduceOnPlateau(min_factor=floor, eps=tiny, **settings)
        for value in values:
            theirs.step(value)
            assert lr * ours.update(value) == optimizer.param_groups[0]["lr"]
            assert (ours.best, ours.bad, ours.cooling) == (theirs.best, theirs.num_bad_epochs, theirs.cooldown_counter)
        reductions += ours.scale < 1
    assert reductions > 30  # the comparison is not one of controllers that never act


def test_plateau_continues_from_a_saved_state(tmp_path: Path) -> None:
    for settings, floor, tiny, values in plateaus():
        whole = s.ReduceOnPlateau(min_factor=floor, eps=tiny, **settings)
        factors = [whole.update(value) for value in values]
        first = s.ReduceOnPlateau(min_factor=floor, eps=tiny, **settings)
        head = [first.update(value) for value in values[:40]]
        np.savez(tmp_path / "state.npz", **first.state())
        with np.load(tmp_path / "state.npz", allow_pickle=False) as state:
            second = s.ReduceOnPlateau(min_factor=floor, eps=tiny, **settings).restore(state)
        assert second == first
        assert head + [second.update(value) for value in values[40:]] == factors
        assert second == whole


def test_plateau_state_is_a_copy_of_plain_numbers() -> None:
    control = s.ReduceOnPlateau(patience=0)
    before = control.state()
    control.update(1.0), control.update(2.0)
    assert {name: (array.shape, array.dtype.kind) for name, array in before.items()} == {
        "scale": ((), "f"),
        "best": ((), "f"),
        "bad": ((), "i"),
        "cooling": ((), "i"),
    }
    assert (before["scale"], control.scale) == (1.0, 0.1)
    assert pickle.loads(pickle.dumps(control)) == control


def test_plateau_takes_what_a_study_measures() -> None:
    control = s.ReduceOnPlateau(patience=0, factor=0.5)
    assert control.update(np.float32(1.0)) == 1.0
    assert control.update(np.float64(2.0)) == 0.5


def test_plateau_is_no_schedule() -> None:
    assert not callable(s.ReduceOnPlateau())
    f = ol.landscapes.Quadratic(np.ones(2))
    with pytest.raises(TypeError, match=r"^schedule: got ReduceOnPlateau"):
        ol.descend(f, ol.SGD(lr=0.1), np.ones(2), 3, schedule=s.ReduceOnPlateau())  # type: ignore[arg-type]
