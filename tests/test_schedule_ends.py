"""Schedules past their end, and the table of ``help(optlab.schedules)``, whose every cell is held against them."""

from __future__ import annotations

import dataclasses
import pickle
from typing import Any, NamedTuple

import numpy as np
import pytest
from reference.compare import assert_same_bits, assert_within, eps
from reference.schedulers import CASES, torch_rates

import optlab as ol
from optlab import schedules as s

EPS = eps(np.float64)
OPTIONS = ("hold", "repeat")


class Row(NamedTuple):
    """A line of the table."""

    name: str
    end: str
    last: str
    period: str
    theirs: str
    equal: str


def cells(line: str, rule: str) -> list[str]:
    """What stands above or below each part of a ruled line."""
    starts = [place for place, mark in enumerate(rule) if mark == "=" and (place == 0 or rule[place - 1] == " ")]
    return [line[start:stop].strip() for start, stop in zip(starts, [*starts[1:], None], strict=True)]


def table() -> list[Row]:
    """The lines below its head."""
    lines = (s.__doc__ or "").splitlines()
    first, second, third = (place for place, line in enumerate(lines) if line.startswith("==="))
    assert second == first + 2
    return [Row(*cells(line, lines[first])) for line in lines[second + 1 : third]]


ROWS = {row.name: row for row in table()}
ENDING = {
    "linear": s.Linear(30, start=0.2, end=0.9),
    "short_linear": s.Linear(1),
    "polynomial": s.Polynomial(50, power=0.9),
    "flat_polynomial": s.Polynomial(9, power=0),
    "cosine": s.Cosine(17, floor=0.1),
    "short_cosine": s.Cosine(1),
    "one_cycle": s.OneCycle(40),
    "three_phases": s.OneCycle(41, warm=0.4, div=3, final_div=7, anneal="linear", three_phase=True),
}
"""At least one of every schedule that has the option; by default they hold."""
ENDLESS = (
    s.CosineRestarts(9, growth=2),
    s.Cyclic(8),
    s.Exponential(0.9999),
    s.Inverse(0.3, power=0.75),
    s.Multiplicative(lambda t: t / (t + 1)),
    s.OneOverK(),
    s.Step(50, gamma=0.99),
)
ending = pytest.mark.parametrize("name", ENDING)
both = pytest.mark.parametrize("after", OPTIONS)


def cell(name: str, column: str) -> Any:
    """The value of a formula in the table for an example."""
    schedule = ENDING[name]
    return eval(getattr(ROWS[type(schedule).__name__], column), {}, vars(schedule))


def repeated(name: str) -> Any:
    return dataclasses.replace(ENDING[name], after="repeat")  # type: ignore[type-var]


def far(end: int) -> np.ndarray:
    """Steps up to three ends, and some very far away."""
    return np.concatenate([np.arange(3 * end + 2), 10**6 + np.arange(7), 10**17 + np.arange(2 * end)])


def test_the_table_lists_what_the_module_has() -> None:
    assert [row.name for row in table()] == s.__all__


@pytest.mark.parametrize("name", s.__all__)
def test_the_table_knows_who_has_the_option(name: str) -> None:
    fields = {field.name: field.default for field in dataclasses.fields(getattr(s, name))} if name != "Schedule" else {}
    assert fields.get("after", "-") == ("-" if ROWS[name].period == "-" else "hold")
    assert (name in {type(schedule).__name__ for schedule in ENDING.values()}) == ("after" in fields)
    answers = ('after="hold"', 'after="repeat"', "never") if "after" in fields else ("always", "as its parts", "-")
    assert ROWS[name].equal in answers
    parts = name in ("Chain", "Product", "Warmup")
    assert (ROWS[name].end == "its parts'") == (ROWS[name].equal == "as its parts") == parts


@pytest.mark.parametrize("name", [row.name for row in ROWS.values() if row.end == "none"])
def test_what_has_no_end_goes_on(name: str) -> None:
    endless = [ours for ours in ENDLESS if type(ours).__name__ == name]
    for ours in endless:
        assert len(set(ours(10**4 + np.arange(200)))) > 1
    assert bool(endless) == (name not in ("Constant", "ReduceOnPlateau"))


@ending
def test_holds_by_default(name: str) -> None:
    schedule, end = ENDING[name], cell(name, "end")
    factors, path = schedule(far(end)), schedule(np.arange(end + 1))
    assert_same_bits(factors[: end + 1], path)
    assert_same_bits(factors[end:], np.full(len(factors) - end, path[-1]))
    assert_within(path[-1], cell(name, "last"), 2 * EPS * cell(name, "last"))  # one rounding of ours, one of theirs
    assert schedule == dataclasses.replace(schedule, after="hold")  # type: ignore[type-var]


@ending
def test_repeats_the_way_back_and_forth(name: str) -> None:
    schedule, end, period = repeated(name), cell(name, "end"), cell(name, "period")
    path = ENDING[name](np.arange(end + 1))
    assert_same_bits(schedule(np.arange(end + 1)), path)
    assert_same_bits(schedule(end + np.arange(end + 1)), path[::-1])
    assert_same_bits(schedule(far(end) + period), schedule(far(end)))
    assert_same_bits(schedule(period * 10**15 + np.arange(end + 1)), path)


@ending
def test_the_options_differ_past_the_end_alone(name: str) -> None:
    hold, repeat, t = ENDING[name], repeated(name), np.arange(3 * cell(name, "end"))
    differ = hold(t) != repeat(t)
    assert not differ[: cell(name, "end") + 1].any()
    assert differ[cell(name, "end") + 1] == (name != "flat_polynomial")


def test_a_staircase_stays_on_its_last_level() -> None:
    stairs = s.Staircase([3, 8], gamma=[0.5, 0.2])
    end = eval(ROWS["Staircase"].end, {}, vars(stairs))
    assert stairs(end - 1) != stairs(end)
    assert (stairs(far(end))[end:] == stairs(end)).all()


@pytest.mark.parametrize("name", [row.name for row in ROWS.values() if row.theirs != "-"])
def test_the_table_names_pytorchs(name: str) -> None:
    schedulers = pytest.importorskip("torch").optim.lr_scheduler
    assert issubclass(getattr(schedulers, ROWS[name].theirs), schedulers.LRScheduler)


@pytest.mark.parametrize("name", [row.name for row in ROWS.values() if row.theirs == "-" or row.equal == "-"])
def test_what_pytorch_has_not_is_compared_with_nothing(name: str) -> None:
    assert ROWS[name].equal == "-" and ROWS[name].theirs in ("-", "LRScheduler")


def compared(name: str) -> Any:
    """Draws hyperparameters for a schedule, and gives PyTorch's beside ours."""
    made = {type(make(np.random.default_rng(0), 1.0)[0]).__name__: make for make in CASES.values()}
    return made[name]


@pytest.mark.parametrize("name", [row.name for row in ROWS.values() if row.equal.startswith("after=")])
def test_equals_pytorch_past_its_end_with_the_option_of_the_table_alone(name: str) -> None:
    option, lr = ROWS[name].equal.removeprefix('after="').rstrip('"'), 0.4
    rng = np.random.default_rng(3)
    for _ in range(9):
        ours, theirs, conditioning, steps = compared(name)(rng, lr)
        assert ours.after == option and steps > 3 * ours.total
        expected, t = np.array(torch_rates(theirs, lr, steps)), np.arange(steps)
        bound = 10 * EPS * (t + 1 + conditioning) * expected.max()  # as in the comparison up to the end
        assert_within(lr * ours(t), expected, bound)
        (other,) = set(OPTIONS) - {option}
        off = np.abs(lr * dataclasses.replace(ours, after=other)(t) - expected)
        assert (off <= bound)[: ours.total + 1].all() and (off > bound)[ours.total + 1 : 2 * ours.total].all()


@pytest.mark.parametrize("name", [row.name for row in ROWS.values() if row.equal in ("always", "as its parts")])
def test_what_always_equals_pytorch_is_compared_with_it(name: str) -> None:
    if name != "ReduceOnPlateau":  # which has a comparison of its own
        assert isinstance(compared(name)(np.random.default_rng(0), 1.0)[0], getattr(s, name))


@pytest.mark.parametrize("anneal", ("cos", "linear"))
def test_pytorch_fails_past_one_cycle(anneal: str) -> None:
    assert [row.name for row in ROWS.values() if row.equal == "never"] == ["OneCycle"]
    theirs = lambda m, o: m.OneCycleLR(o, 1.0, 20, anneal_strategy=anneal, cycle_momentum=False)  # noqa: E731
    rates = torch_rates(theirs, 1.0, 21)
    ours = s.OneCycle(20, anneal=anneal)(np.arange(21))
    assert_within(ours[:20], rates[:20], 10 * EPS * 41)
    assert abs(rates[20] - ours[20]) > 0.01 and (rates[20] < 0) == (anneal == "linear")
    with pytest.raises(ValueError, match="Tried to step 21 times"):
        torch_rates(theirs, 1.0, 22)


def test_a_chained_scheduler_is_a_product_up_to_the_end_of_a_cosine() -> None:
    def theirs(m: Any, o: Any) -> Any:
        return m.ChainedScheduler([m.ExponentialLR(o, 0.97), m.CosineAnnealingLR(o, 20)])

    ours, rates = s.Exponential(0.97) * s.Cosine(20, after="repeat"), np.array(torch_rates(theirs, 1.0, 61))
    off = np.abs(ours(np.arange(61)) - rates)
    assert (off[:21] <= 10 * EPS * 421).all() and (off[22:40] > 0.001).all()


@both
@ending
def test_parts_keep_their_option(name: str, after: str) -> None:
    part: Any = dataclasses.replace(ENDING[name], after=after)  # type: ignore[type-var]
    t = far(cell(name, "end"))
    assert_same_bits(s.Warmup(6, part, start=0.3)(t + 6), part(t))
    assert_same_bits(s.Chain([s.Constant(), part], milestones=[4])(t + 4), part(t))
    assert_same_bits(s.Warmup(6, 0.5 * part)(t + 6), 0.5 * part(t))
    assert_same_bits((part * s.Step(7, gamma=0.5))(t), part(t) * s.Step(7, gamma=0.5)(t))
    assert_same_bits(s.Multiplicative(part)(np.arange(90)), np.cumprod([1.0, *part(np.arange(1, 90))]))


@pytest.mark.parametrize("name", ("Cosine", "Linear", "Polynomial"))
def test_behind_a_warmup_they_equal_pytorch_past_their_end(name: str) -> None:
    rng = np.random.default_rng(5)
    for _ in range(9):
        part, theirs, conditioning, steps = compared(name)(rng, 1.0)
        ramp, t = int(rng.integers(1, 20)), np.arange(steps + 20)

        def chained(m: Any, o: Any, theirs: Any = theirs, ramp: int = ramp) -> Any:
            return m.SequentialLR(o, [m.LinearLR(o, 0.2, 1.0, ramp), theirs(m, o)], [ramp])

        expected = np.array(torch_rates(chained, 1.0, len(t)))
        ours = s.Chain([s.Linear(ramp, 0.2, 1.0), part], [ramp])(t)
        assert_within(ours, expected, 10 * EPS * (t + 1 + conditioning + 5 * ramp))
        assert_same_bits(s.Warmup(ramp, part, 0.2)(t)[ramp:], ours[ramp:])


@both
@ending
def test_pickles_with_its_option(name: str, after: str) -> None:
    schedule: Any = dataclasses.replace(ENDING[name], after=after)  # type: ignore[type-var]
    copy = pickle.loads(pickle.dumps(s.Warmup(3, schedule)))
    assert copy.then == schedule and copy.then.after == after and f"after={after!r}" in repr(copy)
    assert (copy.then == ENDING[name]) == (after == "hold")
    assert_same_bits(copy.then(far(40)), schedule(far(40)))


def test_a_repeated_line_is_a_cycle() -> None:
    assert_same_bits(s.Linear(7, 0.1, 0.6, after="repeat")(far(7)), s.Cyclic(7, low=0.1, high=0.6)(far(7)))


def test_a_study_longer_than_its_schedule_rests() -> None:
    f, x0 = ol.landscapes.Quadratic(np.linspace(0.1, 1.0, 3)), np.ones(3)
    runs = {steps: ol.descend(f, ol.SGD(lr=0.3), x0, steps, schedule=s.Cosine(20)).last for steps in (20, 21, 60)}
    assert_same_bits(runs[60], runs[20])
    again = ol.descend(f, ol.SGD(lr=0.3), x0, 60, schedule=s.Cosine(20, after="repeat")).last
    assert (again < runs[60]).all()
