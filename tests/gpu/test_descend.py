"""Whole studies on GPU arrays against those of the CPU: the same bits everywhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cases.landscapes import compiled
from cases.optimizers import by_rule
from gpu.studies import AROUND, FEATURES, least_squares, per_run, saddle, segmented, starts
from reference.compare import assert_same_bits

import optlab as ol
from optlab.backends.gpu.device import Device, download, on_gpu, upload
from optlab.backends.gpu.step_plan import CONSTANTS

LANDSCAPES, RULES = compiled(), by_rule()
DTYPES = (np.float32, np.float64)
STEPS, RUNS = 25, 37


def on_host(array: Any) -> Any:
    return download(array) if on_gpu(array) else array


def assert_same_study(there: ol.Trajectory, here: ol.Trajectory) -> None:
    """Every field, every bit, and the device that each belongs to."""
    for name in ("value", "grad_norm", "x", "last"):
        got, expected = getattr(there, name), getattr(here, name)
        assert (got is None) == (expected is None)
        if got is not None:
            assert on_gpu(got)
            assert_same_bits(download(got), expected)
    for name in ("step", "stop_step", "stop_reason"):
        assert type(getattr(there, name)) is np.ndarray
        assert getattr(there, name).tolist() == getattr(here, name).tolist()
    assert there.state.keys() == here.state.keys()
    for name, array in here.state.items():
        assert on_gpu(there.state[name]) == (name not in ("step", "format"))
        assert str(array) == str(there.state[name]) if name == "format" else True
        if name != "format":
            assert_same_bits(on_host(there.state[name]), array)
    for name, array in here.probes.items():
        assert_same_bits(on_host(there.probes[name]), array)
    assert there.last_step == here.last_step


def both(f: Any, opt: ol.Optimizer, x0: np.ndarray, steps: int = STEPS, **options: Any) -> ol.Trajectory:
    """Runs the study in both places, asserts that they agree, and returns the one of the CPU."""
    options = {"nonfinite": "stop", **options}
    here, there = ol.descend(f, opt, x0, steps, **options), ol.descend(f, opt, upload(x0), steps, **options)
    assert_same_study(there, here)
    return here


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", LANDSCAPES)
def test_every_landscape(device: Device, name: str, dtype: Any) -> None:
    f = LANDSCAPES[name]
    both(f, ol.SGD(lr=1e-3), starts(f, 5, dtype), noise=1e-4, record=4)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", RULES)
def test_every_rule(device: Device, name: str, dtype: Any) -> None:
    both(saddle(), RULES[name], starts(saddle(), 5, dtype), record=4)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", AROUND)
def test_what_stands_around_a_rule(device: Device, name: str, dtype: Any) -> None:
    both(saddle(), AROUND[name], starts(saddle(), 5, dtype), record=4)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FEATURES)
def test_every_option(device: Device, name: str, dtype: Any) -> None:
    options = {"record": 1, **FEATURES[name]}
    if name == "together":
        options["record"] = ol.log_spaced(9)
    path = both(saddle(), ol.SGD(lr=0.1, momentum=0.5), starts(saddle(), RUNS, dtype), **options)
    if name.startswith(("stops", "together", "jumps_that")):  # some runs stop on the way, some never
        assert len(set(path.stop_reason.tolist())) > 1


BATCHES: dict[str, dict[str, Any]] = {
    "replacement": {"batch_size": 3},
    "shuffle": {"batch_size": 3, "sampling": "shuffle", "first_step": 100, "first_run": 5},
    "order": {"batch_size": 7, "sampling": "order"},
    "more_than_there_are": {"batch_size": 50, "sampling": "shuffle"},
    "stops": {"batch_size": 2, "stop": [ol.stop.value(0.6), ol.stop.grad_norm(0.2)]},
    "jumps": {"batch_size": 2, "perturbation": ol.Perturbation(radius=0.05, grad_norm=1.0, wait=5, decrease=1e-3)},
    "together": {
        "batch_size": 5,
        "sampling": "shuffle",
        "noise": 1e-4,
        "gradient_noise": 0.05,
        "schedule": lambda t: np.cos(t) ** 2,
        "stop": [ol.stop.leaves_ball(3.5), ol.stop.grad_norm(0.05), ol.stop.value(0.5)],
        "perturbation": ol.Perturbation(radius=0.05, grad_norm=0.5, wait=7, decrease=1e-2),
        "seed": 2**64 - 1,
    },
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", BATCHES)
def test_batches(device: Device, name: str, dtype: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records and stops see the whole sum; tables hold the batches of a few steps only."""
    monkeypatch.setattr("optlab.backends.gpu.descend.TABLE", 10 * RUNS * BATCHES[name]["batch_size"])
    f = least_squares()
    path = both(f, ol.SGD(lr=0.1, momentum=0.5), starts(f, RUNS, dtype), record=1, **BATCHES[name])
    if name in ("stops", "jumps", "together"):
        assert len(set(path.stop_reason.tolist())) > 1


@pytest.mark.parametrize("dtype", DTYPES)
def test_batches_with_rates_of_their_own(device: Device, dtype: Any) -> None:
    f = segmented(least_squares(), 3, 4)
    both(f, per_run(RUNS), starts(f, RUNS, dtype), record=4, batch_size=4, sampling="shuffle")


def test_batches_with_averages_in_bytes(device: Device) -> None:
    f = least_squares(300)
    both(f, ol.AdamW8bit(lr=0.05), starts(f, 3, np.float32), record=6, batch_size=4)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sizes", ((7,), (3, 4), (1, 1, 5)))
@pytest.mark.parametrize("name", ("lars", "lamb", "clipped"))
def test_segments(device: Device, name: str, sizes: tuple[int, ...], dtype: Any) -> None:
    groups = {"0": {"lr": 0.01, "l1": 0.1}}
    norms = {"clip_norm": 0.5, "max_norm": 1.5, "groups": groups}
    opts = {
        "lars": ol.LARS(lr=0.5, weight_decay=0.01, **norms),
        "lamb": ol.LAMB(lr=0.05, groups=groups),
        "clipped": ol.Adam(lr=0.05, **norms),
    }
    both(segmented(saddle(), *sizes), opts[name], starts(saddle(), 5, dtype), record=4, noise=1e-4)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ("adam", "sgd", "lamb"))
def test_hyperparameters_per_run(device: Device, name: str, dtype: Any) -> None:
    lr = np.linspace(0.0, 0.1, RUNS)
    opts = {
        "adam": per_run(RUNS),
        "sgd": ol.SGD(lr=lr, momentum=np.linspace(0, 0.95, RUNS), dampening=0.1, groups={"1": {"weight_decay": 0.1}}),
        "lamb": ol.LAMB(lr=lr, weight_decay=lr),
    }
    f = segmented(saddle(), 3, 4)
    options = {"noise": 1e-3, "schedule": lambda t: 1 / (1 + t), "first_step": 100}
    both(f, opts[name], starts(f, RUNS, dtype), record=4, **options)


@pytest.mark.parametrize("sizes", ((7,), (300,), (2, 256, 257)))
def test_averages_in_bytes(device: Device, sizes: tuple[int, ...]) -> None:
    f = segmented(saddle(sum(sizes)), *sizes)
    both(f, ol.AdamW8bit(lr=0.05), starts(f, 5, np.float32), noise=1e-4, first_run=3, first_step=9, record=6)


@pytest.mark.parametrize("opt", [ol.SGD(lr=0.1, clip_norm=0.5), ol.SGD(lr=0.1, max_norm=0.7), ol.LARS(lr=0.1),
                                 ol.Adam(lr=0.1, clip_norm=1e-7)])  # fmt: skip
@pytest.mark.parametrize("scale", [1e-30, 1e20, 1e36])
def test_norms_whose_squares_leave_the_range(device: Device, opt: ol.Optimizer, scale: float) -> None:
    f = ol.landscapes.Quadratic([1.0, 2.0, 4.0])
    x0 = np.array([[3.0, 1.0, 0.5], [-1.0, 2.0, 0.0], [1.0, 1.0, 1.0]]) * [[scale], [1.0], [scale]]
    both(f, opt, x0.astype(np.float32), record=2, stop=ol.stop.near(0.0, 1e-3 * scale))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("runs", (1, 31, 32, 33, 127, 129))
def test_any_number_of_runs(device: Device, runs: int, dtype: Any) -> None:
    both(saddle(), ol.Adam(lr=0.05), starts(saddle(), runs, dtype), noise=1e-3, record=7)


def test_more_runs_than_stand_in_small_blocks(device: Device) -> None:
    runs = 4 * 128 * min(device.processors(), 16) + 5
    both(saddle(4), ol.SGD(lr=0.1), starts(saddle(4), runs, np.float32), 9, noise=1e-3, stop=ol.stop.value(-0.1))


@pytest.mark.parametrize("dim", (1, 2, 4, 15, 16, 17, 32, 33, 64, 130))
def test_any_dimension(device: Device, dim: int) -> None:
    f = saddle(dim)
    jumps = ol.Perturbation(0.1, 1.0, 3)
    both(f, ol.SGD(lr=0.1), starts(f, 3, np.float32), 9, noise=1e-3, gradient_noise=0.1, perturbation=jumps, record=2)


def test_one_point_and_no_steps(device: Device) -> None:
    both(saddle(), ol.Adam(lr=0.1), starts(saddle(), 1, np.float64)[0], 9, noise=1e-3)
    both(saddle(), ol.Adam(lr=0.1), starts(saddle(), 3, np.float64), 0, stop=ol.stop.value(0.0))


@pytest.mark.parametrize("dtype", DTYPES)
def test_many_slabs_are_one_study(device: Device, dtype: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Launches of a few steps each, with probes between them, and all of them continued elsewhere."""
    monkeypatch.setattr("optlab.backends.gpu.descend.TABLE", 3 * CONSTANTS)
    f, opt = saddle(), ol.Adam(lr=0.05)
    x0 = starts(f, RUNS, dtype)
    options = {"noise": 1e-3, "perturbation": ol.Perturbation(0.1, 0.5, 4, 1e-3), "seed": 5}
    whole = both(
        f, opt, x0, 40, record=[3, 4, 17, 40], probes={"own": f, "other": ol.landscapes.Rastrigin(7)}, **options
    )
    first = ol.descend(f, opt, upload(x0), 13, **options)
    before = {name: np.array(on_host(array)) for name, array in first.state.items()}
    rest = ol.descend(f, opt, first.last, 27, state=first.state, first_step=13, **options)
    run = whole.stop_step == 40  # those that had stopped start again
    assert_same_bits(download(rest.last)[run], whole.last[run])
    for name, array in before.items():  # the given state is copied
        assert np.array_equal(on_host(first.state[name]), array)


def test_a_study_moves_between_the_devices(device: Device) -> None:
    f, opt, x0 = saddle(300), ol.AdamW8bit(lr=0.05), starts(saddle(300), 3, np.float32)
    whole = ol.descend(f, opt, x0, 20, noise=1e-4)
    first = ol.descend(f, opt, upload(x0), 8, noise=1e-4)
    moved = {name: on_host(array) for name, array in first.state.items()}
    rest = ol.descend(f, opt, download(first.last), 12, noise=1e-4, state=moved, first_step=8)
    assert_same_bits(rest.last, whole.last)
    assert_same_bits(rest.state["exp_avg"], whole.state["exp_avg"])


@pytest.mark.parametrize("dtype", DTYPES)
def test_noise_that_rounds_to_nothing_leaves_negative_zeros(device: Device, dtype: Any) -> None:
    path = both(saddle(), ol.SGD(lr=0.1), np.full((3, 7), -0.0, dtype), 3, noise=1e-100)
    assert np.signbit(path.last[:, :2]).all() == (dtype == np.float32)


def test_divergence_neither_hangs_nor_raises(device: Device) -> None:
    path = both(saddle(), ol.SGD(lr=3.0), np.full((9, 7), 2.0), 60, noise=1e-3, stop=ol.stop.nonfinite(), record=9)
    assert set(path.stop_reason) == {"nonfinite"}


def test_ctrl_c_keeps_what_was_recorded(device: Device) -> None:
    def press(fraction: float, text: str = "") -> None:
        if fraction >= 0.4:
            raise KeyboardInterrupt

    f, x0, opt = saddle(), upload(starts(saddle(), 9, np.float64)), ol.SGD(lr=0.01, momentum=0.9)
    part = ol.descend(f, opt, x0, 50_000, noise=1e-6, progress=press, record=10)
    now = part.last_step
    assert part.interrupted and 20_000 <= now < 50_000 and part.step.tolist() == [*range(0, now, 10)]
    rest = ol.descend(f, opt, part.last, 50_000 - now, noise=1e-6, state=part.state, first_step=now)
    assert_same_bits(download(rest.last), download(ol.descend(f, opt, x0, 50_000, noise=1e-6).last))


def test_refusals(device: Device) -> None:
    f, opt, x0 = saddle(), ol.Adam(lr=0.1), upload(np.zeros((3, 7)))
    host = ol.descend(f, opt, np.zeros((3, 7)), 1).state
    for given, kind, said in (
        ({"state": host}, TypeError, "state: 'exp_avg': got a NumPy array beside arrays of the GPU"),
        ({"x0": upload(np.full((3, 7), np.nan))}, ValueError, "x0: got a coordinate that is NaN"),
        ({"x0": upload(np.zeros((3, 6)))}, ValueError, "x0: got 6 coordinates, expected 7"),
        ({"batch_size": 2}, ValueError, "batch_size: got 2, but this landscape is not a finite sum"),
        ({"optimizer": ol.AdamW8bit()}, TypeError, "x: got dtype float64, expected float32"),
    ):
        arguments = {"landscape": f, "optimizer": opt, "x0": x0, "steps": 3, **given}
        with pytest.raises(kind, match=f"^{said}"):
            ol.descend(**arguments)
