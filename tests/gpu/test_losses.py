"""Losses on GPU arrays against the CPU's in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gpu.compiling import ARCHS, assert_in_registers
from gpu.emulated import EmulatedDevice
from reference.compare import assert_same_bits, assert_within, eps
from reference.refusals import refused

from optlab import ops
from optlab.backends.gpu import losses as gpu
from optlab.backends.gpu.device import Device, download, upload, using
from optlab.backends.gpu.sources import Kernel

DTYPES = (np.float32, np.float64)
REDUCTIONS = ("mean", "sum", "none")
LOSSES = ("mse", "l1", "huber", "binary_cross_entropy", "kl_divergence")
OPTIONS = {"huber": {"delta": 0.7}, "binary_cross_entropy": {"label_smoothing": 0.1}}
K = 16
"""Roundings beside eps of the terms' sizes: of exp, log, a carried sum, and the few operations around; both sides'."""


def drawn(*shape: int, dtype: Any, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def there(arrays: Any) -> list[Any]:
    return [upload(array) for array in arrays]


def check(found: Any, expected: Any, sizes: tuple[float, float], dtype: Any) -> None:
    for ours, right, size in zip(found, expected, sizes, strict=True):
        assert ours.dtype == dtype and ours.shape == np.shape(right)
        assert_within(download(ours), right, K * eps(dtype) * size)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", ("label", "smooth", "targets"))
def test_cross_entropy(device: Device, kind: str, dtype: Any, reduction: str) -> None:
    for rows, classes in ((1, 1), (3, 2), (9, 10), (17, 33), (2, 1100)):
        x, v = (3 * drawn(rows, classes, dtype=dtype, seed=seed) for seed in (classes, 1))
        shares = np.abs(drawn(rows, classes, dtype=dtype, seed=2))
        numbers = np.random.default_rng(rows).integers(0, classes, rows)
        labels = shares / shares.sum(1, keepdims=True) if kind == "targets" else numbers
        wide = labels.astype(np.float64) if kind == "targets" else labels
        how = {"label_smoothing": 0.0 if kind == "label" else 0.2, "reduction": reduction}
        terms = rows if reduction == "sum" else 1
        size = 4 * (1 + np.abs(x).max()) * terms
        exact = ops.softmax_cross_entropy(x.astype(np.float64), wide, **how)
        check(ops.softmax_cross_entropy(*there((x, labels)), **how), exact, (size, 2), dtype)
        alone = ops.softmax_cross_entropy(*there((x, labels)), gradient=False, **how)
        assert alone[1] is None
        check(alone[:1] * 2, exact[:1] * 2, (size, size), dtype)
        exact = ops.softmax_cross_entropy_tangent(v.astype(np.float64), x.astype(np.float64), wide, **how)
        most = 1 + np.abs(v).max()
        found = ops.softmax_cross_entropy_tangent(*there((v, x, labels)), **how)
        check(found, exact, (4 * most * terms, 4 * most), dtype)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", LOSSES)
def test_elementwise(device: Device, name: str, dtype: Any, reduction: str) -> None:
    function, tangent = getattr(ops, name), getattr(ops, f"{name}_tangent")
    options = {"reduction": reduction, **OPTIONS.get(name, {})}
    for shape in ((1,), (7, 3), (33, 31), (4099,)):
        p, t, v = (drawn(*shape, dtype=dtype, seed=seed) for seed in range(3))
        if name in ("binary_cross_entropy", "kl_divergence"):
            t = np.abs(t) / (1 + np.abs(t))
        wide = [array.astype(np.float64) for array in (p, t, v)]
        terms = p.size if reduction == "sum" else 1
        size = (1 + np.abs(p).max() + np.abs(t).max()) ** 2
        check(function(*there((p, t)), **options), function(*wide[:2], **options), (size * terms, size), dtype)
        if reduction == "none":
            assert_same_bits(download(function(*there((p, t)), **options)[1]), function(p, t, **options)[1])
        dots = tangent(*there((v, p, t)), **options)
        size *= 1 + np.abs(v).max()
        check(dots, tangent(wide[2], *wide[:2], **options), (size * terms, size), dtype)


def test_certain_rows(device: Device) -> None:
    """An impossible class that is never asked for costs nothing; one that is asked for costs infinity."""
    x = np.array([[0.0, -np.inf], [0.0, -np.inf], [500.0, -500.0]], np.float32)
    labels = np.array([0, 1, 0])
    here = ops.softmax_cross_entropy(x, labels, reduction="none")
    for ours, right in zip(ops.softmax_cross_entropy(*there((x, labels)), reduction="none"), here, strict=True):
        assert_same_bits(download(ours), right)


def test_a_label_that_names_no_class_makes_its_row_nan(device: Device) -> None:
    x = drawn(3, 4, dtype=np.float32, seed=0)
    loss, slopes = ops.softmax_cross_entropy(*there((x, np.array([1, 4, -1]))), reduction="none")
    assert np.isnan(download(loss)).tolist() == [False, True, True]
    assert np.isnan(download(slopes)).all(1).tolist() == [False, True, True]


def test_no_order_shows_in_a_bit() -> None:
    found = []
    for reverse in (False, True):
        with using(EmulatedDevice(reverse=reverse)):
            p, t = (drawn(9000, dtype=np.float32, seed=seed) for seed in range(2))
            x, labels = drawn(9, 1100, dtype=np.float32, seed=3), np.arange(9)
            results = (*ops.mse(*there((p, t))), *ops.softmax_cross_entropy(*there((x, labels)), label_smoothing=0.1))
            found.append([download(each) for each in results])
    for a, b in zip(*found, strict=True):
        assert_same_bits(a, b)


def test_nothing_is_made_where_all_is_given(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    x, labels = there((drawn(5, 4, dtype=np.float32, seed=0), np.arange(5) % 4))
    out, room = there((np.zeros((), np.float32), np.zeros((5, 4), np.float32))), upload(np.zeros(5, np.float32))
    free = ops.softmax_cross_entropy(x, labels)
    monkeypatch.setattr("optlab.backends.gpu.call.empty", lambda *_: pytest.fail("an array was made"))
    for ours, other in zip(gpu.softmax_cross_entropy(x, labels, out=tuple(out), scratch=room), free, strict=True):
        assert_same_bits(download(ours), download(other))


def test_refusals(device: Device) -> None:
    x, labels = there((np.ones((3, 4), np.float32), np.zeros(3, np.int64)))
    entropy = ops.softmax_cross_entropy
    refused(lambda: entropy(x, np.zeros(3, np.int64)), TypeError, "labels: got a NumPy array beside arrays of the GPU")
    refused(lambda: entropy(x, upload(np.zeros(3, np.int32))), TypeError, "labels: got dtype int32, expected int64")
    refused(lambda: entropy(x, labels[:2]), ValueError, r"labels: got shape \(2,\), expected \(3,\)")
    refused(lambda: entropy(x, labels, label_smoothing=2), ValueError, "label_smoothing: got 2.0")
    refused(
        lambda: entropy(x, labels, reduction="most"), ValueError, "reduction: got 'most', expected 'mean', 'sum' or"
    )
    refused(
        lambda: entropy(x, labels, gradient=False, out=(None, x)), ValueError, "dlogits: got an array, expected None"
    )
    refused(lambda: ops.mse(x, labels), TypeError, "target: got dtype int64, expected float32")
    refused(lambda: ops.huber(x, x, delta=0.0), ValueError, "delta: got 0.0, expected a finite number > 0")
    refused(lambda: ops.maxout_forward(x, 2), TypeError, "maxout_forward: got arrays of the GPU, for which there is no")


@pytest.mark.parametrize("arch", ARCHS)
@pytest.mark.slow
def test_kernels_stay_in_registers(arch: str) -> None:
    for real in ("float", "double"):
        names = [
            f"softmax_cross_entropy{tangent}<{real}, {team}>" for tangent in ("", "_tangent") for team in (32, 256)
        ]
        for name in names:
            assert_in_registers(Kernel("cross_entropy.cu", f"optlab::{name}"), arch)
        for name in LOSSES:
            assert_in_registers(Kernel("losses.cu", f"optlab::loss_terms<optlab::losses::{name}, {real}>"), arch)
        assert_in_registers(Kernel("losses.cu", f"optlab::sum_of_terms<{real}>"), arch)
