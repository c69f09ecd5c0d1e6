"""Whole studies against loops in Python, to the bit."""

from __future__ import annotations

import contextlib
import pickle
import tracemalloc
from typing import Any

import numpy as np
import pytest
from reference.compare import assert_same_bits, assert_within, eps
from reference.loop import noise_like, perturbed_loop, python_loop, stopping_loop

import optlab as ol
from optlab.kernels.select import available

DTYPES = (np.float32, np.float64)
STEPS, RUNS = 12, 37  # runs: no multiple of any register's lanes
SWEEP = np.linspace(0.0, 0.1, RUNS)

OPTIMIZERS = {
    "gd": ol.SGD(lr=0.05),
    "gd_decay": ol.SGD(lr=0.05, weight_decay=0.3),
    "climb": ol.SGD(lr=0.01, weight_decay=0.1, maximize=True),
    "momentum": ol.SGD(lr=0.02, momentum=0.9, weight_decay=0.1),
    "dampened": ol.SGD(lr=0.02, momentum=0.9, dampening=0.3),
    "nesterov": ol.SGD(lr=0.02, momentum=0.9, nesterov=True),
    "heavy_ball": ol.HeavyBall(lr=0.02, momentum=0.8, weight_decay=0.1),
    "sweep": ol.SGD(lr=SWEEP, momentum=np.linspace(0, 0.95, RUNS), dampening=0.1),
    "heavy_sweep": ol.HeavyBall(lr=SWEEP, momentum=0.5),
}
FEATURES: dict[str, dict[str, Any]] = {
    "plain": {},
    "noise": {"noise": 1e-3},
    "gradient_noise": {"gradient_noise": 0.3},
    "noise_per_coordinate": {"gradient_noise": np.linspace(0, 1, 7)},
    "schedule": {"schedule": lambda t: 1 / (1 + 0.1 * t)},
    "everything": {
        "noise": 1e-2,
        "gradient_noise": 0.1,
        "schedule": lambda t: np.cos(t) ** 2,
        "first_step": 2**40,
        "first_run": 5,
    },
}


def starts(f: Any, runs: int, dtype: Any, seed: int = 0) -> np.ndarray:
    """Seeded points of the customary box."""
    u = np.random.default_rng(seed).random((runs, f.dim))
    return (f.bounds[0] + u * (f.bounds[1] - f.bounds[0])).astype(dtype)


def saddle(dim: int = 7, **options: Any) -> ol.Landscape:
    return ol.landscapes.StrictSaddle(dim=dim, negative=min(2, dim), **options)


def wrapped(f: ol.Landscape) -> ol.landscapes.Custom:
    """The same landscape as Python functions."""
    return ol.landscapes.Custom(f.dim, value=f.value, grad=f.grad, bounds=f.bounds)


def assert_same_study(a: ol.Trajectory, b: ol.Trajectory) -> None:
    """Every field, every bit."""
    for name in ("step", "value", "grad_norm", "x", "last", "stop_step", "stop_reason"):
        left, right = getattr(a, name), getattr(b, name)
        assert (left is None) == (right is None)
        if left is not None and left.dtype.kind == "U":
            assert left.tolist() == right.tolist()
        elif left is not None:
            assert_same_bits(left, right)
    assert a.state.keys() == b.state.keys()
    for name in a.state:
        assert_same_bits(a.state[name], b.state[name])


# ---------------------------------------------------------------- the loop


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("feature", FEATURES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_equals_the_python_loop(optimizer: str, feature: str, dtype: Any) -> None:
    f, opt, options = saddle(), OPTIMIZERS[optimizer], FEATURES[feature]
    x0 = starts(f, RUNS, dtype)
    path = ol.descend(f, opt, x0, STEPS, seed=3, record=1, **options)
    expected, state = python_loop(f, opt, x0, STEPS, seed=3, **options)
    assert_same_bits(path.x, expected)
    assert_same_bits(path.last, expected[-1])
    assert path.state.keys() == state.keys()
    for name in state:
        assert_same_bits(path.state[name], state[name])


LANDSCAPES = {
    "one_of_7": (lambda: saddle(7), 1),
    "one_of_1": (lambda: saddle(1), 1),
    "one_of_1000": (lambda: saddle(1000), 1),
    "three_of_33": (lambda: saddle(33), 3),
    "many_of_8": (lambda: saddle(8), 64),
    "rotated": (lambda: saddle(17, rotation=2), 37),
    "rotated_alone": (lambda: saddle(70, rotation=2), 1),
    "rosenbrock": (lambda: ol.landscapes.Rosenbrock(5), 19),
    "beale": (ol.landscapes.Beale, 5),
    "rastrigin": (lambda: ol.landscapes.Rastrigin(15), 33),
    "cosine": (lambda: ol.landscapes.Cosine(dim=31), 2),
    "long_valley": (lambda: ol.landscapes.LongValley(16), 9),
    "sinusoid": (lambda: ol.landscapes.Sinusoid.draw(1), 40),
    "least_squares": (lambda: least_squares(9), 6),
}


def least_squares(dim: int) -> ol.landscapes.LeastSquares:
    rng = np.random.default_rng(8)
    return ol.landscapes.LeastSquares(rng.normal(size=(23, dim)), rng.normal(size=23))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", LANDSCAPES)
def test_equals_the_loop_on_every_landscape(name: str, dtype: Any) -> None:
    make, runs = LANDSCAPES[name]
    f, opt = make(), ol.SGD(lr=1e-6, momentum=0.5)  # the corners of the boxes are steep
    x0 = starts(f, runs, dtype)
    path = ol.descend(f, opt, x0, STEPS, noise=1e-4, seed=1, record=1)
    assert_same_bits(path.x, python_loop(f, opt, x0, STEPS, noise=1e-4, seed=1)[0])
    assert_same_bits(path.value, np.array([f.value(x) for x in path.x]))
    # one sum of squares: at most 21 roundings of the tree, one of the square and one of the root; NumPy's likewise
    norms = np.linalg.norm([f.grad(x).astype(np.float64) for x in path.x], axis=2)
    assert_within(path.grad_norm, norms, 48 * eps(dtype) * norms + np.finfo(dtype).tiny)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", (1, 4, 50))
def test_batches_equal_the_loop(size: int, dtype: Any) -> None:
    f, opt = least_squares(9), ol.SGD(lr=0.05, momentum=0.5)
    x0 = starts(f, 11, dtype)
    options = {"batch_size": size, "noise": 1e-4, "seed": 5, "first_run": 100, "first_step": 7}
    path = ol.descend(f, opt, x0, STEPS, record=1, **options)
    assert_same_bits(path.x, python_loop(f, opt, x0, STEPS, **options)[0])
    assert_same_bits(path.value, np.array([f.value(x) for x in path.x]))  # of the full objective
    assert not np.array_equal(path.x, ol.descend(f, opt, x0, STEPS, record=1, noise=1e-4, seed=5).x)


@pytest.mark.parametrize("threads", (1, 2, 5))
def test_threads_change_nothing(threads: int, fingerprints: Any, expected_fingerprints: dict[str, str]) -> None:
    assert fingerprints(f"import optlab; optlab.threads({threads}).__enter__()") == expected_fingerprints


@pytest.mark.parametrize("isa", available())
def test_instruction_sets_change_nothing(isa: str, fingerprints: Any, expected_fingerprints: dict[str, str]) -> None:
    prelude = f"from optlab.kernels.select import cpu; assert cpu.isa == {isa!r}"
    found, expected = fingerprints(prelude, OPTLAB_ISA=isa), dict(expected_fingerprints)
    if isa == "v2":  # products promise the same bits where there are fused multiply-adds
        expected = {name: bits for name, bits in expected.items() if not name.startswith(("products", "network"))}
    assert found == expected


FORK = """
import os, sys, numpy, optlab
optlab.threads(3).__enter__()
optlab.random.normal((1000, 100), 0)  # the parent's pool is awake
if (child := os.fork()):
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_forked_child_computes_the_same(fingerprints: Any, expected_fingerprints: dict[str, str]) -> None:
    # newer interpreters warn of every fork; this one is the subject of the test
    prelude = "import warnings; warnings.simplefilter('ignore', DeprecationWarning)" + FORK
    assert fingerprints(prelude) == expected_fingerprints


def test_threads_argument_changes_nothing() -> None:
    f, x0 = saddle(8), starts(saddle(8), 301, np.float32)
    studies = [ol.descend(f, ol.SGD(lr=0.1), x0, 50, noise=1e-4, record=9, threads=n) for n in (1, 2, 5)]
    for study in studies[1:]:
        assert_same_study(study, studies[0])


# ---------------------------------------------------------------- subnormal numbers


@contextlib.contextmanager
def flushing() -> Any:
    """PyTorch's flushing of subnormal numbers, in this thread."""
    torch = pytest.importorskip("torch")
    assert torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


SMALL = {  # what becomes subnormal on the way
    "points": ({"noise": 0.0}, 0.5, 2.0),
    "noise": ({"noise": 1e-80}, 0.5, 1.0),  # its root is a subnormal float32
    "learning_rate": ({"noise": 0.0}, 1e-40, 1e3),
    "gradient_noise": ({"gradient_noise": 1e-40}, 0.5, 1e-3),
}


@pytest.mark.parametrize("threads", (1, 3))
@pytest.mark.parametrize("name", SMALL)
def test_flushing_changes_nothing(name: str, threads: int) -> None:
    options, lr, scale = SMALL[name]
    f = ol.landscapes.Quadratic(np.linspace(0.5, 1.5, 9))
    x0 = (scale * starts(f, 40, np.float32) * 1e-38).astype(np.float32)
    study = lambda: ol.descend(f, ol.SGD(lr=lr), x0, 20, record=1, threads=threads, **options)  # noqa: E731
    kept = study()
    assert (np.abs(kept.x) < np.finfo(np.float32).tiny).any() and (kept.x != 0).any()
    with flushing():
        flushed = study()
    assert_same_study(flushed, kept)


def test_flushing_is_left_as_it_was() -> None:
    tiny = np.array([1e-310])
    with flushing():
        ol.descend(saddle(), ol.SGD(lr=0.1), np.ones((200, 7)), 5, threads=2)
        assert (tiny * 1.0)[0] == 0  # still flushing
    assert (tiny * 1.0)[0] != 0


# ---------------------------------------------------------------- parts of a study


@pytest.mark.parametrize("kind", (wrapped, lambda f: f), ids=("custom", "compiled"))
@pytest.mark.parametrize("optimizer", ("gd", "momentum", "dampened", "nesterov", "heavy_ball", "sweep"))
def test_continues_to_the_bit(optimizer: str, kind: Any) -> None:
    f, opt, jumps = kind(saddle()), OPTIMIZERS[optimizer], ol.Perturbation(0.1, 0.5, 5)
    x0 = starts(saddle(), RUNS, np.float64) / 100
    options = {
        "noise": 1e-4,
        "gradient_noise": 0.1,
        "perturbation": jumps,
        "seed": 2,
        "schedule": lambda t: 1 / (1 + t),
    }
    whole = ol.descend(f, opt, x0, 40, **options)
    first = ol.descend(f, opt, x0, 13, **options)
    before = {name: array.copy() for name, array in first.state.items()}
    rest = ol.descend(f, opt, first.last, 27, state=first.state, first_step=first.last_step, **options)
    assert_same_bits(rest.last, whole.last)
    for name in whole.state:
        assert_same_bits(rest.state[name], whole.state[name])
        assert_same_bits(first.state[name], before[name])  # the given state is copied
    assert int(rest.state["step"]) == 40


@pytest.mark.parametrize("dtype", DTYPES)
def test_one_run_of_many_alone(dtype: Any) -> None:
    f, opt = saddle(), ol.SGD(lr=0.1, momentum=0.5)
    x0 = starts(f, RUNS, dtype)
    options = {
        "noise": 1e-3,
        "gradient_noise": 0.2,
        "perturbation": ol.Perturbation(0.1, 1.0, 3),
        "seed": 6,
        "record": 4,
    }
    whole = ol.descend(f, opt, x0, 30, **options)
    for run in (0, 1, 17, RUNS - 1):
        alone = ol.descend(f, opt, x0[run], 30, first_run=run, **options)
        for name in ("x", "value", "grad_norm"):
            assert_same_bits(getattr(alone, name)[:, 0], getattr(whole, name)[:, run])


@pytest.mark.parametrize("kind", (wrapped, lambda f: f), ids=("custom", "compiled"))
@pytest.mark.parametrize("runs", (1, RUNS, 64))
def test_what_is_not_trainable_stays(runs: int, kind: Any) -> None:
    f, trainable = saddle(), np.arange(7) % 3 > 0
    x0 = starts(f, runs, np.float64)
    opt = ol.AdamW(lr=0.05, weight_decay=0.3, max_norm=2.0, l1=0.01, clip_norm=0.1)
    path = ol.descend(kind(f), opt, x0, 20, noise=1e-3, gradient_noise=0.1, trainable=trainable)
    assert_same_bits(path.last[:, ~trainable], x0[:, ~trainable])
    assert (path.last[:, trainable] != x0[:, trainable]).all()
    assert_same_bits(ol.descend(kind(f), opt, x0, 20, trainable=np.ones(7, bool)).last, ol.descend(f, opt, x0, 20).last)
    # The norm that is clipped is that of the rest; coordinates of a separable function do not see each other.
    clipped = ol.SGD(lr=1.0, clip_norm=0.1)
    moved = np.linalg.norm(ol.descend(kind(f), clipped, x0, 1, trainable=trainable).last - x0, axis=1)
    assert np.allclose(moved, 0.1, rtol=1e-4, atol=0)  # but for the 1e-6 in the denominator
    plain = ol.SGD(lr=0.05, momentum=0.5)
    whole, part = ol.descend(f, plain, x0, 20), ol.descend(kind(f), plain, x0, 20, trainable=trainable)
    assert_same_bits(part.last[:, trainable], whole.last[:, trainable])


def test_trainable_is_checked() -> None:
    f, opt = saddle(), ol.SGD(lr=0.1)
    for given in (np.ones(6, bool), np.ones(7), [True] * 7):
        with pytest.raises(ValueError, match=r"^trainable: got .*, expected a bool array \(7,\)$"):
            ol.descend(f, opt, np.ones(7), 1, trainable=given)
    with pytest.raises(ValueError, match=r"^trainable: got it with a perturbation"):
        ol.descend(f, opt, np.ones(7), 1, trainable=np.ones(7, bool), perturbation=ol.Perturbation(0.1, 0.5, 5))


def test_runs_differ_and_seeds_differ() -> None:
    f = saddle()
    paths = [ol.descend(f, ol.SGD(lr=0.1), np.zeros((5, 7)), 3, noise=1e-3, seed=seed).last for seed in (0, 1)]
    everything = np.concatenate(paths).ravel()
    assert len(set(everything.tolist())) == everything.size


def test_rates_per_run_equal_separate_calls() -> None:
    f, rates = saddle(), (0.0, 0.01, 0.2)
    x0 = starts(f, 3, np.float32)
    sweep = ol.descend(f, ol.HeavyBall(lr=rates, momentum=(0.9, 0.5, 0.0)), x0, 30, noise=1e-3)
    for run, (lr, momentum) in enumerate(zip(rates, (0.9, 0.5, 0.0), strict=True)):
        alone = ol.descend(f, ol.HeavyBall(lr=lr, momentum=momentum), x0[run], 30, noise=1e-3, first_run=run)
        assert_same_bits(sweep.last[run], alone.last[0])


def test_steps_are_counted_in_64_bits() -> None:
    f, options = saddle(), {"noise": 1e-2, "record": 5}
    paths = [
        ol.descend(f, ol.SGD(lr=0.1), np.zeros((3, 7)), 10, first_step=t, **options)
        for t in (0, 2**40, 2**32, 2**48 - 11)
    ]
    for start, path in zip((0, 2**40, 2**32, 2**48 - 11), paths, strict=True):
        assert path.step.tolist() == [start, start + 5, start + 10] and path.last_step == start + 10
    assert len({path.last.tobytes() for path in paths}) == 4


def test_a_single_point_keeps_the_axis_and_x0_is_copied() -> None:
    x0 = np.ones(7)
    path = ol.descend(saddle(), ol.SGD(lr=0.1), x0, 4, noise=1e-2, record=2)
    assert (
        path.x.shape == (3, 1, 7) and path.last.shape == (1, 7) and path.value.shape == path.grad_norm.shape == (3, 1)
    )
    assert (x0 == 1).all() and not np.shares_memory(path.last, x0)
    assert path.stop_reason.tolist() == ["steps"] and path.stop_step.tolist() == [4]


def test_no_steps() -> None:
    f, x0 = saddle(), np.full((3, 7), 0.5)
    path = ol.descend(f, ol.SGD(lr=0.1, momentum=0.9), x0, 0, noise=1.0, perturbation=ol.Perturbation(1.0, 1e9, 1))
    assert path.step.tolist() == [0] and path.stop_step.tolist() == [0, 0, 0] and int(path.state["step"]) == 0
    assert_same_bits(path.last, x0)
    assert_same_bits(path.value[0], f.value(x0))


# ---------------------------------------------------------------- records

RECORDS: dict[str, tuple[Any, list[int]]] = {
    "none": (None, [10, 30]),
    "every": (1, [*range(10, 31)]),
    "every_7th": (7, [10, 17, 24, 30]),
    "rarely": (100, [10, 30]),
    "list": ([29, 11, 11, 15], [11, 15, 29]),
    "array": (np.array([12, 30]), [12, 30]),
    "log": (ol.log_spaced(5), [10, 11, 12, 14, 19, 30]),  # 10 + round(20 ** (k / 4)), both ends
}


@pytest.mark.parametrize("kind", (wrapped, lambda f: f), ids=("custom", "compiled"))
@pytest.mark.parametrize("name", RECORDS)
def test_records(name: str, kind: Any) -> None:
    record, steps = RECORDS[name]
    f, x0 = saddle(), starts(saddle(), 5, np.float64)
    every = ol.descend(f, ol.SGD(lr=0.1), x0, 20, noise=1e-3, first_step=10, record=1)
    path = ol.descend(kind(f), ol.SGD(lr=0.1), x0, 20, noise=1e-3, first_step=10, record=record)
    bare = ol.descend(kind(f), ol.SGD(lr=0.1), x0, 20, noise=1e-3, first_step=10, record=record, record_x=False)
    assert path.step.tolist() == steps and path.step.dtype == np.int64 and bare.x is None
    rows = np.array(steps) - 10
    for field in ("x", "value", "grad_norm"):
        assert_same_bits(getattr(path, field), getattr(every, field)[rows])
    assert_same_bits(bare.value, path.value)
    assert_same_bits(path.last, every.last)


def test_log_spaced_reaches_far_with_few() -> None:
    path = ol.descend(saddle(2), ol.SGD(lr=0.01), np.ones(2), 100_000, record=ol.log_spaced(40))
    ratios = path.step[10:] / path.step[9:-1]
    assert path.step[0] == 0 and path.step[-1] == 100_000 and len(path.step) <= 42
    assert ratios.max() < 2


def test_a_million_steps_keep_a_thousand_records() -> None:
    tracemalloc.start()
    try:
        path = ol.descend(saddle(2), ol.SGD(lr=1e-6), np.full((1, 2), 0.1), 10**6, noise=1e-9, record=1000)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(path.step) == 1001 and path.x.shape == (1001, 1, 2)
    # a slab of learning-rate factors is 8 bytes a step for at most 4e6 steps; the records of all steps would add 32 MB
    assert peak < 20e6


def test_probes_are_values_of_other_landscapes_at_the_records() -> None:
    f, other = saddle(), ol.landscapes.Rastrigin(7)
    x0 = starts(f, 9, np.float32)
    probes = {"other": other, "custom": wrapped(other), "same": f}
    path = ol.descend(f, ol.SGD(lr=0.1), x0, 25, noise=1e-2, record=10, probes=probes)
    assert_same_bits(path.probes["other"], np.array([other.value(x) for x in path.x]))
    assert_same_bits(path.probes["custom"], path.probes["other"])
    assert_same_bits(path.probes["same"], path.value)
    assert_same_study(path, ol.descend(f, ol.SGD(lr=0.1), x0, 25, noise=1e-2, record=10))


@pytest.mark.parametrize("decrease", (None, 0.3), ids=("stopping", "no_decrease"))
def test_probes_see_where_stopped_runs_stay(decrease: float | None) -> None:
    f, x0 = saddle(), starts(saddle(), 9, np.float64)
    jumps = None if decrease is None else ol.Perturbation(0.3, 0.1, 6, decrease)
    rules = [] if decrease else [ol.stop.grad_norm(0.5)]
    path = ol.descend(f, ol.SGD(lr=0.1), x0, 120, record=1, perturbation=jumps, stop=rules, probes={"same": f})
    assert (path.stop_step < 120).any()
    assert_same_bits(path.probes["same"], path.value)


def test_trajectories_pickle() -> None:
    path = ol.descend(saddle(), ol.SGD(lr=0.1, momentum=0.5), np.ones((2, 7)), 5, probes={"a": saddle()})
    assert_same_study(pickle.loads(pickle.dumps(path)), path)


# ---------------------------------------------------------------- stopping


def _norm(x: np.ndarray) -> float:
    return float(np.linalg.norm(x.astype(np.float64)))


CENTER = np.linspace(-0.1, 0.2, 7)
STOPS: dict[str, tuple[Any, str, Any]] = {  # the rule, its reason, and its meaning for one point
    "grad_norm": (ol.stop.grad_norm(0.3), "grad_norm", lambda f, x: _norm(f.grad(x)) <= 0.3),
    "value": (ol.stop.value(-0.3), "value", lambda f, x: f.value(x) <= -0.3),
    "near": (ol.stop.near(CENTER, 0.7), "near", lambda f, x: _norm(x - CENTER.astype(x.dtype)) <= 0.7),
    "near_number": (ol.stop.near(0.25, 0.8), "near", lambda f, x: _norm(x - x.dtype.type(0.25)) <= 0.8),
    "ball": (ol.stop.leaves_ball(1.3), "left", lambda f, x: _norm(x) >= 1.3),
    "ball_in_two": (
        ol.stop.leaves_ball(0.8, CENTER, coordinates=[0, 1]),
        "left",
        lambda f, x: _norm((x - CENTER.astype(x.dtype))[:2]) >= 0.8,
    ),
    "box": (ol.stop.leaves_box(-0.95, 0.95), "left", lambda f, x: bool((np.abs(x) >= x.dtype.type(0.95)).any())),
    "box_in_one": (
        ol.stop.leaves_box([-0.5] + [-np.inf] * 6, [np.inf] * 7),
        "left",
        lambda f, x: bool(x[0] <= x.dtype.type(-0.5)),
    ),
}


@pytest.mark.parametrize("kind", (wrapped, lambda f: f), ids=("custom", "compiled"))
@pytest.mark.parametrize(("dtype", "runs"), ((np.float32, 41), (np.float64, 1), (np.float64, 16)))
@pytest.mark.parametrize("name", STOPS)
def test_stopping_rules(name: str, dtype: Any, runs: int, kind: Any) -> None:
    rule, reason, met = STOPS[name]
    f, x0 = saddle(), (starts(saddle(), 41, dtype, seed=1) * dtype(0.4))[:runs]
    expected, stops = stopping_loop(f, 0.05, x0, 60, lambda x: met(f, x))
    path = ol.descend(kind(f), ol.SGD(lr=0.05), x0, 60, record=3, stop=rule)
    assert path.stop_step.tolist() == [60 if stop is None else stop for stop in stops]
    assert path.stop_reason.tolist() == ["steps" if stop is None else reason for stop in stops]
    assert_same_bits(path.x, expected[path.step])  # a stopped run's later records repeat its point
    assert_same_bits(path.last, expected[-1])
    assert_same_bits(path.value, np.array([f.value(x) for x in path.x]))
    if runs == 41:
        assert 0 < sum(stop is not None and stop > 0 for stop in stops) < runs  # some stop on the way, some never


@pytest.mark.parametrize("kind", (wrapped, lambda f: f), ids=("custom", "compiled"))
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("runs", (1, 20))
def test_nonfinite_points_stop(runs: int, dtype: Any, kind: Any) -> None:
    f, x0 = saddle(), starts(saddle(), 20, dtype)[:runs]
    with np.errstate(all="ignore"):
        expected, stops = stopping_loop(f, 3.0, x0, 30, lambda x: not np.isfinite(x).all())
    path = ol.descend(kind(f), ol.SGD(lr=3.0), x0, 30, record=1, stop=ol.stop.nonfinite())
    assert None not in stops and path.stop_step.tolist() == stops
    assert set(path.stop_reason) == {"nonfinite"}
    for run, stop in enumerate(stops):
        assert_same_bits(path.x[:stop, run], expected[:stop, run])
        assert not np.isfinite(path.last[run]).all()


def test_divergence_without_a_rule_neither_hangs_nor_raises() -> None:
    start = np.full((9, 7), 2.0)
    path = ol.descend(saddle(), ol.SGD(lr=3.0), start, 100, noise=1e-3, nonfinite="propagate")
    assert not np.isfinite(path.last[:, :2]).any() and set(path.stop_reason) == {"steps"}


def test_the_first_rule_of_several_gives_the_reason() -> None:
    rules = [ol.stop.value(1e9), ol.stop.leaves_ball(0.0)]
    for order, reason in ((rules, "value"), (rules[::-1], "left")):
        path = ol.descend(saddle(), ol.SGD(lr=0.1), np.ones((3, 7)), 5, stop=order)
        assert path.stop_reason.tolist() == [reason] * 3 and path.stop_step.tolist() == [0] * 3


def test_rules_see_the_full_gradient_behind_batches() -> None:
    f, x0 = least_squares(4), np.zeros((8, 4))
    path = ol.descend(f, ol.SGD(lr=0.05), x0, 300, batch_size=2, record=1, stop=ol.stop.grad_norm(0.1))
    stopped = path.stop_step < 300
    norms = np.linalg.norm([f.grad(x) for x in path.x], axis=2)
    assert stopped.any()
    for run in np.flatnonzero(stopped):
        assert (norms[: path.stop_step[run], run] > 0.1).all() and norms[path.stop_step[run], run] <= 0.1


# ---------------------------------------------------------------- perturbation

JUMPS = {
    "stops": ol.Perturbation(radius=0.05, grad_norm=0.02, wait=40, decrease=1e-3),
    "goes_on": ol.Perturbation(radius=0.05, grad_norm=0.02, wait=7),
    "always": ol.Perturbation(radius=0.05, grad_norm=1e9, wait=1),
    "strict": ol.Perturbation(radius=0.01, grad_norm=0.02, wait=3, decrease=0.1),
}


@pytest.mark.parametrize("kind", (wrapped, lambda f: f), ids=("custom", "compiled"))
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", JUMPS)
def test_perturbed_descent_is_the_published_algorithm(name: str, dtype: Any, kind: Any) -> None:
    f, x0 = saddle(), np.zeros((19, 7), dtype)
    x0[1::3] = starts(saddle(), 6, dtype)
    path = ol.descend(kind(f), ol.SGD(lr=0.1), x0, 200, perturbation=JUMPS[name], seed=4, first_run=3, record=50)
    runs = [perturbed_loop(f, 0.1, start, 200, JUMPS[name], 4, 3 + run) for run, start in enumerate(x0)]
    assert_same_bits(path.last, np.array([last for last, _, _ in runs]))
    assert path.stop_step.tolist() == [step for _, step, _ in runs]
    assert path.stop_reason.tolist() == [reason for _, _, reason in runs]
    assert_same_bits(path.value[-1], f.value(path.last))
    if name == "stops":  # at a minimum, that is, since the saddle was left
        assert set(path.stop_reason) == {"no_decrease"} and path.value[-1].max() < -0.49


def test_perturbation_from_theory() -> None:
    given = {"dim": 10, "smoothness": 2.0, "hessian_lipschitz": 3.0, "gap": 5.0, "eps": 0.01, "c": 0.2, "delta": 0.05}
    jumps, lr = ol.Perturbation.from_theory(**given)
    chi = 3 * np.log(10 * 2 * 5 / (0.2 * 1e-4 * 0.05))
    expected = (np.sqrt(0.2) / chi**2 * 0.01 / 2, np.sqrt(0.2) / chi**2 * 0.01, 0.2 / chi**3 * np.sqrt(1e-6 / 3))
    # a handful of operations in float64
    np.testing.assert_allclose((jumps.radius, jumps.grad_norm, jumps.decrease), expected, rtol=16 * eps(np.float64))
    assert jumps.wait == np.ceil(chi / 0.04 * 2 / np.sqrt(0.03)) and lr == 0.1


# ---------------------------------------------------------------- Custom landscapes


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("feature", FEATURES)
def test_custom_equals_compiled(feature: str, dtype: Any) -> None:
    f, x0 = saddle(), starts(saddle(), 21, dtype)
    rules = [ol.stop.grad_norm(0.2), ol.stop.leaves_ball(3.0)]
    options = {**FEATURES[feature], "stop": rules, "record": 4, "perturbation": ol.Perturbation(0.1, 0.5, 6, 1e-2)}
    first = options.get("first_step", 0)
    options["record"] = [first, first + 9, first + 40]
    studies = [ol.descend(g, OPTIMIZERS["momentum"], x0, 40, **options) for g in (f, wrapped(f))]
    assert_same_study(*studies)
    assert len(set(studies[0].stop_reason)) > 1


# ---------------------------------------------------------------- Ctrl-C and progress

INTERRUPT = """
import os, signal, sys, threading, time
import numpy as np, optlab as ol
A = np.random.default_rng(0).normal(size=(20_000, 100))
saddle = ol.landscapes.StrictSaddle(dim=4)
f = {
    "compiled": lambda: saddle,
    "custom": lambda: ol.landscapes.Custom(4, saddle.value, saddle.grad),
    "many_samples": lambda: ol.landscapes.LeastSquares(A, A[:, 0]),
    "rotated": lambda: ol.landscapes.Quadratic(np.ones(2000), rotation=np.eye(2000)),
}[KIND]()
pressed = []
def press():
    pressed.append(time.monotonic())
    os.kill(os.getpid(), signal.SIGINT)
threading.Timer(0.3, press).start()
path = ol.descend(f, ol.SGD(lr=1e-9), np.ones((2, f.dim)), 10**9, noise=1e-12, record=100, record_x=False)
late = time.monotonic() - pressed[0]
rows = len(path.step)
assert path.interrupted and set(path.stop_reason) == {"interrupted"}, path.stop_reason
assert 0 < path.last_step < 10**9 and path.step.tolist() == [*range(0, path.last_step, 100)]
assert path.value.shape == path.grad_norm.shape == (rows, 2)
assert np.isfinite(path.value).all() and int(path.state["step"]) == path.last_step
print(late)
"""


@pytest.mark.parametrize("kind", ("compiled", "custom", "many_samples", "rotated"))
def test_ctrl_c_is_answered_within_a_second(kind: str, python: Any) -> None:
    done = python(f"KIND = {kind!r}\n{INTERRUPT}".replace("10**9", "10**7"), timeout=8)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 1.0


def test_interrupted_studies_continue_to_the_bit() -> None:
    f, x0 = saddle(), starts(saddle(), 9, np.float64)

    def press(fraction: float, text: str = "") -> None:
        if fraction >= 0.4:
            raise KeyboardInterrupt

    options = {"noise": 1e-3, "seed": 3}
    opt = ol.SGD(lr=0.01, momentum=0.9)
    part = ol.descend(wrapped(f), opt, x0, 50, progress=press, record=10, probes={"f": f}, **options)
    assert part.interrupted and part.last_step == 20 and part.step.tolist() == [0, 10]
    assert_same_bits(part.probes["f"], part.value)
    rest = ol.descend(f, opt, part.last, 30, state=part.state, first_step=part.last_step, **options)
    assert_same_bits(rest.last, ol.descend(f, opt, x0, 50, **options).last)


def test_a_jump_without_its_step_is_taken_back() -> None:
    f, calls = saddle(), []

    def grad(x: np.ndarray) -> np.ndarray:
        calls.append(1)
        if len(calls) == 2:  # the gradient after the first jump
            raise KeyboardInterrupt
        return f.grad(x)

    options = {"perturbation": ol.Perturbation(0.01, 0.1, 5), "stop": ol.stop.leaves_ball(1e-4), "seed": 3}
    part = ol.descend(ol.landscapes.Custom(7, f.value, grad), ol.SGD(lr=0.1), np.zeros((2, 7)), 20, **options)
    assert part.interrupted and part.last_step == 0 and not part.last.any()
    rest = ol.descend(f, ol.SGD(lr=0.1), part.last, 20, state=part.state, **options)
    assert_same_study(rest, ol.descend(f, ol.SGD(lr=0.1), np.zeros((2, 7)), 20, **options))


def test_batches_of_a_python_landscape_are_refused() -> None:
    sums = ol.landscapes.Custom(2, lambda x: x.sum(1), np.ones_like)
    sums.n_samples = 10
    with pytest.raises(ValueError, match=r"^batch_size: got 2, but .* not a finite sum in compiled code"):
        ol.descend(sums, ol.SGD(lr=0.1), np.zeros(2), 3, batch_size=2)


@pytest.mark.parametrize("kind", (wrapped, lambda f: f), ids=("custom", "compiled"))
def test_progress_is_told_and_ends_at_one(kind: Any) -> None:
    told: list[float] = []
    ol.descend(
        kind(saddle()), ol.SGD(lr=0.1), np.ones((3, 7)), 30, progress=lambda fraction, text="": told.append(fraction)
    )
    assert told == sorted(told) and told[-1] == 1.0


def test_a_bar_goes_to_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    ol.descend(saddle(), ol.SGD(lr=0.1), np.ones((3, 7)), 30, progress=True)
    assert capfd.readouterr().out == ""


def test_errors_of_a_callback_come_through() -> None:
    def broken(x: np.ndarray) -> np.ndarray:
        raise ZeroDivisionError("mine")

    f = ol.landscapes.Custom(7, value=saddle().value, grad=broken)
    with pytest.raises(ZeroDivisionError, match="mine"):
        ol.descend(f, ol.SGD(lr=0.1), np.ones(7), 3)


def test_noise_has_the_variance_asked_for() -> None:
    x0 = np.zeros((1000, 50))
    path = ol.descend(ol.landscapes.Quadratic(np.zeros(50)), ol.SGD(lr=1.0), x0, 1, noise=0.25, seed=9)
    assert_same_bits(path.last, 0.5 * noise_like(x0, 9, 0, 0, 0))
    # the variance of n normals has the relative standard deviation sqrt(2 / n); five of them
    assert abs(path.last.var() / 0.25 - 1) < 5 * np.sqrt(2 / x0.size)


def test_studies_in_python_threads_do_not_disturb_each_other() -> None:
    from concurrent.futures import ThreadPoolExecutor

    f, x0 = saddle(), starts(saddle(), 300, np.float64)
    study = lambda seed: ol.descend(f, ol.SGD(lr=0.1), x0, 200, noise=1e-4, seed=seed, threads=2)  # noqa: E731
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(study, range(8)))
    for seed, path in enumerate(together):
        assert_same_study(path, study(seed))
