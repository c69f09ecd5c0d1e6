"""Landscapes from Python functions on GPU arrays: values, gradients and whole studies, to the bits of the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cases.optimizers import by_rule
from gpu.studies import AROUND, FEATURES, STRICT, per_run, saddle, segmented, starts
from gpu.test_descend import both
from reference.compare import assert_same_bits

import optlab as ol
from optlab.backends.gpu.device import Device, download, on_gpu, upload
from optlab.backends.gpu.landscape import MOST

DTYPES = (np.float32, np.float64)
RUNS = 37

RULES = by_rule()


def custom(dim: int = 7, seen: list[Any] | None = None) -> ol.landscapes.Custom:
    """A listed landscape through Python, which takes arrays of either device; notes what it was given."""
    f = saddle(dim)

    def noted(function: Any) -> Any:
        def call(*points: Any) -> Any:
            if seen is not None:
                seen.extend(points)
            return function(*points)

        return call

    return ol.landscapes.Custom(dim, noted(f.value), noted(f.grad), noted(f.hvp))


@pytest.mark.parametrize("dtype", DTYPES)
def test_functions_are_given_arrays_of_the_gpu(device: Device, dtype: Any) -> None:
    seen: list[Any] = []
    f, x, v = custom(seen=seen), starts(saddle(), 9, dtype), starts(saddle(), 9, dtype, seed=1)
    value, grad, product, single = f.value(x), f.grad(x), f.hvp(x, v), f.value(x[0])
    assert not any(map(on_gpu, seen))
    seen.clear()
    there, out = upload(x), upload(np.zeros_like(x))
    assert_same_bits(download(f.value(there)), value)
    assert f.grad(there, out=out) is out
    assert_same_bits(download(out), grad)
    assert_same_bits(download(f.hvp(there, upload(v))), product)
    assert f.value(there[0]).shape == () and float(download(f.value(there[0]))) == single
    both_there = f.value_and_grad(there)
    assert all(map(on_gpu, (*both_there, *seen)))
    seen.clear()
    with ol.device("gpu"):
        own = np.empty_like(x)
        for got, here in ((f.value(x), value), (f.grad(x, out=own), grad), (f.hvp(x, v), product)):
            assert type(got) is np.ndarray
            assert_same_bits(got, here)
        assert f.value(x[0]) == single and f.grad(x[0]).shape == (7,)
    assert_same_bits(own, grad)
    assert all(map(on_gpu, seen))


@pytest.mark.parametrize("dtype", DTYPES)
def test_products_by_differences(device: Device, dtype: Any) -> None:
    f = ol.landscapes.Custom(1, lambda x: x[:, 0] ** 2, lambda x: 4 * (x * x * x))
    x, v = np.array([[0.3], [-2.0], [0.0]], dtype), np.array([[1.0], [1e-3], [0.0]], dtype)
    assert_same_bits(download(f.hvp(upload(x), upload(v))), f.hvp(x, v))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FEATURES)
def test_every_option(device: Device, name: str, dtype: Any) -> None:
    options = {"record": 1, **FEATURES[name]}
    if name == "together":
        options["record"] = ol.log_spaced(9)
    path = both(custom(), ol.SGD(lr=0.1, momentum=0.5), starts(saddle(), RUNS, dtype), **options)
    assert_same_bits(path.last, ol.descend(saddle(), ol.SGD(lr=0.1, momentum=0.5), starts(saddle(), RUNS, dtype), 25,
                                           **options).last)  # fmt: skip
    if name.startswith(("stops", "together", "jumps_that")):  # some runs stop on the way, some never
        assert len(set(path.stop_reason.tolist())) > 1


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", AROUND)
def test_what_stands_around_a_rule(device: Device, name: str, dtype: Any) -> None:
    both(custom(), AROUND[name], starts(saddle(), 5, dtype), record=4)


@pytest.mark.parametrize("name", RULES)
def test_every_rule(device: Device, name: str) -> None:
    both(segmented(custom(), 3, 4), RULES[name], starts(saddle(), 5, np.float32), 9, record=4)


@pytest.mark.parametrize("dtype", DTYPES)
def test_rates_of_their_own(device: Device, dtype: Any) -> None:
    f = segmented(custom(), 3, 4)
    options: dict[str, Any] = {"noise": 1e-3, "schedule": lambda t: 1 / (1 + t), "first_step": 100}
    both(f, per_run(RUNS), starts(f, RUNS, dtype), record=4, **options)


def test_averages_in_bytes(device: Device) -> None:
    f = segmented(custom(300), 44, 256)
    both(f, ol.AdamW8bit(lr=0.05), starts(f, 5, np.float32), noise=1e-4, first_run=3, first_step=9, record=6)


@pytest.mark.parametrize("nonfinite", ("warn", "stop", "propagate"))
def test_runs_that_are_no_longer_finite(device: Device, nonfinite: Any) -> None:
    f = ol.landscapes.Custom(2, lambda x: x[:, 0] * x[:, 1], lambda x: x * x * x)
    x0 = np.array([[0.1, 0.2], [1e30, 1.0], [0.3, 1e30]], np.float32)
    with np.errstate(all="ignore"), pytest.warns(RuntimeWarning) if nonfinite == "warn" else np.errstate():
        path = ol.descend(f, ol.SGD(lr=0.1), x0, 40, nonfinite=nonfinite, record=8)
    with np.errstate(all="ignore"), pytest.warns(RuntimeWarning) if nonfinite == "warn" else np.errstate():
        there = ol.descend(f, ol.SGD(lr=0.1), upload(x0), 40, nonfinite=nonfinite, record=8)
    assert there.stop_reason.tolist() == path.stop_reason.tolist()
    assert there.stop_step.tolist() == path.stop_step.tolist()
    assert np.array_equal(download(there.x), path.x, equal_nan=True)
    assert ("nonfinite" in path.stop_reason) == (nonfinite != "propagate")


def test_one_point_and_no_steps(device: Device) -> None:
    both(custom(), ol.Adam(lr=0.1), starts(saddle(), 1, np.float64)[0], 9, noise=1e-3)
    both(custom(), ol.Adam(lr=0.1), starts(saddle(), 3, np.float64), 0, stop=ol.stop.value(0.0))


def test_after_a_jump_the_gradient_is_asked_for_again(device: Device) -> None:
    seen: list[Any] = []
    f, x0 = custom(seen=seen), upload(np.zeros((3, 7)))
    path = ol.descend(f, ol.SGD(lr=0.1), x0, 1, perturbation=ol.Perturbation(0.1, 1.0, 5))
    assert len(seen) == 5  # value and gradient at both ends, and the gradient where it jumped to
    here = ol.descend(saddle(), ol.SGD(lr=0.1), np.zeros((3, 7)), 1, perturbation=ol.Perturbation(0.1, 1.0, 5))
    assert_same_bits(download(path.last), here.last)


def test_numpy_points_are_followed_there(device: Device) -> None:
    seen: list[Any] = []
    f, x0 = custom(seen=seen), starts(saddle(), 9, np.float64)
    options: dict[str, Any] = {"noise": 1e-3, "record": 5, "perturbation": STRICT}
    here = ol.descend(saddle(), ol.Adam(lr=0.05), x0, 20, **options)
    with ol.device("gpu"):
        there = ol.descend(f, ol.Adam(lr=0.05), x0, 20, **options)
    assert seen and all(map(on_gpu, seen))
    for name in ("value", "grad_norm", "x", "last"):
        assert type(getattr(there, name)) is np.ndarray
        assert_same_bits(getattr(there, name), getattr(here, name))


def test_ctrl_c_takes_back_a_jump_without_its_step(device: Device) -> None:
    asked = 0
    f = saddle()

    def grad(x: Any) -> Any:
        nonlocal asked
        asked += 1
        if asked == 5:  # at the start, after the jump, in the two steps that follow; now after the second jump
            raise KeyboardInterrupt
        return f.grad(x)

    x0, jumps = starts(f, 3, np.float64) * 1e-3, ol.Perturbation(0.01, 10.0, 1)
    part = ol.descend(ol.landscapes.Custom(7, f.value, grad), ol.SGD(lr=0.1), upload(x0), 9, perturbation=jumps)
    assert part.interrupted and part.last_step == 2
    rest = ol.descend(custom(), ol.SGD(lr=0.1), part.last, 7, perturbation=jumps, state=part.state, first_step=2)
    assert_same_bits(download(rest.last), ol.descend(f, ol.SGD(lr=0.1), x0, 9, perturbation=jumps).last)


class Mine(ol.Landscape):
    """One that knows nothing of the GPU."""

    def value(self, x: Any, batch: Any = None) -> Any:
        return np.zeros(len(x))

    def grad(self, x: Any, batch: Any = None, out: Any = None) -> Any:
        return np.zeros(x.shape)


def test_refusals(device: Device) -> None:
    f, x, opt = custom(), np.zeros((3, 7)), ol.SGD(lr=0.1)
    there = upload(x)

    def numpy_value(given: Any) -> Any:
        return np.zeros(len(given))

    def numpy_grad(given: Any) -> Any:
        return np.zeros(given.shape)

    value_only = ol.landscapes.Custom(7, numpy_value, f.grad)
    grad_only = ol.landscapes.Custom(7, f.value, numpy_grad, lambda x, v: np.zeros(x.shape))
    said = r"returned a NumPy array for points on the GPU, expected a CuPy array; xp = cupy.get_array_module\(x\)"
    wide = ol.landscapes.Custom(MOST + 1, lambda x: x[:, 0], lambda x: x)
    for make, kind, words in (
        (lambda: value_only.value(there), TypeError, f"value: {said}"),
        (lambda: ol.descend(value_only, opt, there, 3), TypeError, f"value: {said}"),
        (lambda: ol.descend(grad_only, opt, there, 3), TypeError, f"grad: {said}"),
        (lambda: grad_only.hvp(there, there), TypeError, f"hvp: {said}"),
        (lambda: ol.descend(Mine(7), opt, there, 3), TypeError, "landscape: Mine has no kernel for the GPU, expected"),
        (lambda: f.hvp(there, x), TypeError, "v: got a NumPy array beside arrays of the GPU"),
        (lambda: f.hvp(there, upload(x[:2])), ValueError, r"v: got shape \(2, 7\), expected \(3, 7\)"),
        (lambda: f.grad(there, out=x), TypeError, "out: got a NumPy array beside arrays of the GPU"),
        (lambda: f.grad(there, out=there), ValueError, "out and x: got overlapping memory"),
        (lambda: f.value(upload(np.zeros((3, 6)))), ValueError, "x: got 6 coordinates, expected 7"),
        (lambda: f.value(upload(np.zeros((3, 7), int))), TypeError, "x: got dtype int64, expected float32 or float64"),
        (lambda: ol.descend(wide, opt, upload(np.zeros(MOST + 1)), 1), ValueError, f"landscape: got {MOST + 1} coord"),
        (
            lambda: ol.descend(f, opt, there, 3, trainable=np.arange(7) > 2),
            ValueError,
            "trainable: got it for points on the GPU",
        ),
    ):
        with pytest.raises(kind, match=f"^{words}"):
            make()
    with ol.device("gpu"), pytest.raises(TypeError, match=f"^value: {said}"):
        ol.descend(value_only, opt, x, 3)
