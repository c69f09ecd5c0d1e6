"""Optimizer steps on GPU arrays against those of the CPU: the same bits where no norm is wanted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cases.optimizers import CASES, COUPLED, EVERYTHING, OWN, make
from gpu.emulated import EmulatedDevice
from reference.optimizers import LAYERWISE

import optlab as ol
from optlab.backends.gpu.device import Device, download, upload, using

SIZES = [1, 7, 15, 16, 17, 255, 256, 257, 4096, 4097, 3 * 4096 + 2 * 1024 + 3]
NORM_ULPS = 4  # two totals of the same sums in another order, their root, and a quotient, each within half an ulp


def drawn(size: Any, dtype: Any, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(size).astype(dtype)


def both(
    opt: ol.Optimizer, x: np.ndarray, steps: int = 2, scale: float = 1.0, **given: Any
) -> tuple[dict[str, Any], dict[str, Any]]:
    """x and state after some steps with gradients of this size, here and there; lr is given to the second."""
    init = {name: given.pop(name) for name in ("layout", "runs_axis") if name in given}
    here, there = x.copy(), upload(x)
    state, device_state = opt.init(here, **init), opt.init(there, **init)
    for k in range(steps):
        grad = drawn(x.shape, x.dtype, seed=k + 1) * x.dtype.type(scale)
        opt.step(here, grad, state, **(given if k else {}))
        opt.step(there, upload(grad), device_state, **(given if k else {}))
    assert state["step"] == device_state["step"] == steps
    on_host = {name: array if name in ("step", "format") else download(array) for name, array in device_state.items()}
    return {**state, "x": here}, {**on_host, "x": download(there)}


def assert_same(expected: dict[str, Any], got: dict[str, Any], ulps: float = 0) -> None:
    assert expected.keys() == got.keys()
    for name, array in expected.items():
        if ulps and array.dtype.kind == "f":
            scale = np.maximum(np.abs(array), np.abs(expected["x"]).max())
            assert (np.abs(got[name] - array) <= ulps * np.finfo(array.dtype).eps * scale).all(), name
        else:
            np.testing.assert_array_equal(got[name], array, err_msg=name)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("name", "case"), CASES)
def test_every_rule_has_the_bits_of_the_cpu(device: Device, name: str, case: str, dtype: Any) -> None:
    x = drawn(4096 + 1024 + 5, dtype)
    assert_same(*both(make(name, OWN[name][case]), x), ulps=NORM_ULPS if name in LAYERWISE else 0)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sizes(device: Device, size: int, dtype: Any) -> None:
    assert_same(*both(ol.NAdam(lr=0.1), drawn(size, dtype)))


@pytest.mark.parametrize("name", OWN)
def test_everything_around_every_rule(device: Device, name: str) -> None:
    case = next(iter(OWN[name]))
    assert_same(*both(make(name, OWN[name][case], EVERYTHING), drawn(700, np.float32)), ulps=NORM_ULPS)


@pytest.mark.parametrize("option", [COUPLED, {"weight_decay": 0.1, "decoupled_weight_decay": True}, {"maximize": True},
                                    {"clip_value": 0.1}, {"l1": 2.0}])  # fmt: skip
def test_options_without_norms_have_the_bits_of_the_cpu(device: Device, option: dict[str, Any]) -> None:
    assert_same(*both(make("SGD", {"lr": 0.1, "momentum": 0.9}, option), drawn(1000, np.float64)))


@pytest.mark.parametrize("size", [1, 255, 257, 4097, 256 * 300 + 9])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_norms(device: Device, size: int, dtype: Any) -> None:
    opt = ol.SGD(lr=0.1, clip_norm=0.9, max_norm=0.7)
    assert_same(*both(opt, drawn(size, dtype)), ulps=NORM_ULPS)


@pytest.mark.parametrize("scale", [1e-30, 1e20, 1e37])
@pytest.mark.parametrize("opt", [ol.SGD(lr=0.1, clip_norm=0.9), ol.SGD(lr=0.1, max_norm=0.7), ol.LARS(lr=0.1),
                                 ol.SGD(lr=0.1, momentum=0.5, clip_norm=1e-7), ol.LAMB(lr=0.1, clip_norm=1e-7),
                                 ol.AdamW8bit(lr=0.1, clip_norm=1e-7)])  # fmt: skip
def test_norms_whose_squares_leave_the_range(device: Device, opt: ol.Optimizer, scale: float) -> None:
    assert_same(*both(opt, drawn(600, np.float32) * np.float32(scale), scale=scale), ulps=NORM_ULPS)


def test_norms_of_one_block_have_the_bits_of_the_cpu(device: Device) -> None:
    assert_same(*both(ol.LAMB(lr=0.1, clip_norm=0.9, max_norm=0.7), drawn(256, np.float32)))


@pytest.mark.parametrize("first", [0, 1, 2, 3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_noise_has_the_bits_of_the_cpu_wherever_a_segment_begins(device: Device, first: int, dtype: Any) -> None:
    layout = [ol.Segment("a", 0, (first + 1,)), ol.Segment("b", first + 1, (300 - first,))]
    opt = ol.Adam(lr=0.1, noise=0.3, seed=2**64 - 1, groups={"b": {"lr": 0.2}})
    assert_same(*both(opt, drawn(301, dtype), layout=layout))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("opt", [ol.Adam(lr=[0.1, 0.2, 0.3], weight_decay=[0.0, 0.1, 1.0]), ol.SGD(lr=0.1, noise=0.1),
                                 ol.LAMB(lr=0.1, clip_norm=0.5)], ids=["swept", "noisy", "norms"])  # fmt: skip
def test_runs_are_points_of_their_own(device: Device, opt: ol.Optimizer, dtype: Any) -> None:
    layout = [ol.Segment("a", 0, (7, 3)), ol.Segment("b", 21, (5,))]
    x = drawn((3, 26), dtype)
    ulps = NORM_ULPS if opt.clip_norm else 0
    assert_same(*both(opt, x, layout=layout, runs_axis=True, lr=[0.3, 0.1, 0.2]), ulps=ulps)


def test_more_runs_than_a_grid_has_rows(device: Device) -> None:
    if isinstance(device, EmulatedDevice):
        pytest.skip("too slow when emulated; a smaller grid is emulated by the next test")
    assert_same(*both(ol.SGD(lr=[0.1] * 70_000), drawn((70_000, 2), np.float32), runs_axis=True))


def test_runs_beyond_the_grid(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("optlab.backends.gpu.step_launches.GRID_LIMIT", 2)
    opt = ol.SGD(lr=[0.1, 0.2, 0.3, 0.4, 0.5], clip_norm=0.5, max_norm=0.7)
    assert_same(*both(opt, drawn((5, 9), np.float32), runs_axis=True))


@pytest.mark.parametrize("size", [1, 3, 255, 256, 257, 1021, 4096 + 256 + 3])
@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_bytes_have_the_bits_of_the_cpu(device: Device, size: int, noise: float) -> None:
    assert_same(*both(ol.AdamW8bit(lr=0.1, weight_decay=0.1, noise=noise), drawn(size, np.float32), steps=3))


def test_bytes_by_segments_and_runs(device: Device) -> None:
    layout = [ol.Segment("a", 0, (257,)), ol.Segment("b", 257, (6,))]
    opt = ol.AdamW8bit(lr=0.1, groups={"b": {"weight_decay": 0.0}})
    assert_same(*both(opt, drawn((2, 263), np.float32), layout=layout, runs_axis=True))


def test_bytes_of_what_is_not_finite(device: Device) -> None:
    opt, x = ol.AdamW8bit(lr=0.1), drawn(600, np.float32)
    here, there = x.copy(), upload(x)
    state, device_state = opt.init(here), opt.init(there)
    grad = drawn(600, np.float32, 1)
    grad[3], grad[300] = np.inf, np.nan
    opt.step(here, grad, state)
    opt.step(there, upload(grad), device_state)
    np.testing.assert_array_equal(download(there), here)
    for name in ("exp_avg_scale", "exp_avg_sq_scale"):
        np.testing.assert_array_equal(download(device_state[name]), state[name])


@pytest.mark.parametrize("offset", [0, 1, 2, 3])
def test_views_that_are_not_aligned(device: Device, offset: int) -> None:
    opt, whole = ol.Adam(lr=0.1), drawn(1000 + offset, np.float32)
    here, there = whole[offset:].copy(), upload(whole)
    state, device_state = opt.init(here), opt.init(there[offset:])
    opt.step(here, drawn(1000, np.float32, 1), state)
    opt.step(there[offset:], upload(drawn(1000, np.float32, 1)), device_state)
    np.testing.assert_array_equal(download(there)[offset:], here)
    np.testing.assert_array_equal(download(there)[:offset], whole[:offset])


def test_lists_take_one_launch(device: Device) -> None:
    shapes = [(3, 5), (1,), (4099,), (16, 16), ()]
    opt = ol.AdamW(lr=0.1, groups={"1": {"weight_decay": 0.0}})
    here = [np.array(drawn(shape, np.float32, k)) for k, shape in enumerate(shapes)]
    there = [upload(x) for x in here]
    state, device_state = opt.init(here), opt.init(there)
    for step in range(3):
        grads = [np.array(drawn(shape, np.float32, 10 * step + k)) for k, shape in enumerate(shapes)]
        before = len(getattr(device, "launched", []))
        opt.step(here, grads, state)
        opt.step(there, [upload(grad) for grad in grads], device_state)
        assert len(getattr(device, "launched", [None])) - before == 1
    for x, y in zip(here, there, strict=True):
        np.testing.assert_array_equal(download(y), x)
    np.testing.assert_array_equal(download(device_state["exp_avg_sq"]), state["exp_avg_sq"])


@pytest.mark.parametrize("clip", [None, 0.5])
def test_rows(device: Device, clip: float | None) -> None:
    opt, table, rows = ol.SparseAdam(lr=0.1, clip_norm=clip), drawn((9, 70), np.float32), np.array([7, 0, 3])
    here, there = table.copy(), upload(table)
    state, device_state = opt.init(here), opt.init(there)
    for k in range(2):
        grad = drawn((3, 70), np.float32, k + 1)
        opt.step(here, grad, state, rows=rows)
        opt.step(there, upload(grad), device_state, rows=upload(rows))
    np.testing.assert_array_equal(download(there), here)
    np.testing.assert_array_equal(download(device_state["exp_avg"]), state["exp_avg"])


def test_the_same_arrays_again_are_not_checked_again_but_others_are(device: Device) -> None:
    opt, x, grad = ol.SGD(lr=0.1, momentum=0.5), upload(drawn(9, np.float32)), upload(drawn(9, np.float32, 1))
    state = opt.init(x)
    opt.step(x, grad, state)
    other = upload(drawn(9, np.float32, 2))
    expected = download(x) - np.float32(0.1) * (np.float32(0.5) * download(grad) + download(other))
    opt.step(x, other, state)
    np.testing.assert_allclose(download(x), expected, rtol=4 * np.finfo(np.float32).eps, atol=1e-7)


def refusals(x: Any) -> dict[str, tuple[Any, Any, str]]:
    """Name -> x, gradient, and what is said of them."""
    host = np.ones(8, np.float32)
    return {
        "host_gradient": (x, host, "grad: got a NumPy array beside arrays of the GPU"),
        "dtype": (x, upload(host.astype(np.float64)), "grad: got dtype float64, expected float32"),
        "shape": (x, upload(np.ones(7, np.float32)), r"grad: got shape \(7,\), expected \(8,\)"),
        "strided": (x, upload(np.ones(16, np.float32))[::2], "grad: got a strided array"),
        "overlap": (x, x, "x and grad: got overlapping memory"),
        "size": (upload(np.ones(9, np.float32)), upload(np.ones(9, np.float32)), "x: got 9 elements, expected 8"),
        "list": ([x], [x], "x: got a list, expected one array"),
        "whole": (upload(np.ones(8, np.int32)), x, "x: got dtype int32, expected float32 or float64"),
    }


@pytest.mark.parametrize("name", ["host_gradient", "dtype", "shape", "strided", "overlap", "size", "list", "whole"])
def test_refusals(device: Device, name: str) -> None:
    x = upload(np.zeros(8, np.float32))
    opt, (given, grad, said) = ol.SGD(lr=0.1), refusals(x)[name]
    state = opt.init(x)
    with pytest.raises((TypeError, ValueError), match=said):
        opt.step(given, grad, state)
    assert state["step"] == 0
    np.testing.assert_array_equal(download(x), 0)


def test_refusals_of_what_is_on_the_host(device: Device) -> None:
    x, state = np.zeros(8, np.float32), ol.SGD(lr=0.1, momentum=0.9).init(upload(np.zeros(8, np.float32)))
    if not isinstance(device, EmulatedDevice):  # its arrays are NumPy's in disguise
        with pytest.raises(TypeError, match="grad"):
            ol.SGD(lr=0.1).step(x, upload(x), ol.SGD(lr=0.1).init(x))
        with pytest.raises(TypeError, match="momentum_buffer"):
            ol.SGD(lr=0.1, momentum=0.9).step(x, x + 1, state)
    with pytest.raises(ValueError, match="rows: got 3 twice"):
        opt, table = ol.SparseAdam(lr=0.1), upload(np.zeros((5, 2), np.float32))
        opt.step(table, upload(np.ones((2, 2), np.float32)), opt.init(table), rows=upload(np.array([3, 3])))
    with pytest.raises(ValueError, match="x: got an empty array"):
        ol.SGD(lr=0.1).init(upload(np.zeros(0, np.float32)))


def test_a_step_without_a_gpu_says_so() -> None:
    class Stranger:
        pass

    with using(EmulatedDevice()), pytest.raises(TypeError, match="x: "):
        ol.SGD(lr=0.1).init(Stranger())  # type: ignore[arg-type]


def test_an_optimizer_that_has_stepped_there_pickles(device: Device) -> None:
    import pickle

    opt, x = ol.SGD(lr=0.1), upload(np.ones(4, np.float32))
    opt.step(x, upload(np.ones(4, np.float32)), opt.init(x))
    assert pickle.loads(pickle.dumps(opt)) == opt
