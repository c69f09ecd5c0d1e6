"""Landscapes on GPU arrays against the CPU: the same bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cases.landscapes import compiled
from gpu.studies import least_squares, saddle, starts
from reference.compare import assert_same_bits

import optlab as ol
from optlab.backends.gpu.device import Device, download, on_gpu, upload
from optlab.backends.gpu.landscape import MOST

LANDSCAPES = compiled()
DTYPES = (np.float32, np.float64)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", LANDSCAPES)
def test_every_landscape_has_the_bits_of_the_cpu(device: Device, name: str, dtype: Any) -> None:
    f = LANDSCAPES[name]
    x, v = starts(f, 33, dtype), starts(f, 33, dtype, seed=1)
    value, grad = f.value_and_grad(upload(x))
    assert on_gpu(value) and on_gpu(grad)
    assert_same_bits(download(value), f.value(x))
    assert_same_bits(download(grad), f.grad(x))
    assert_same_bits(download(f.hvp(upload(x), upload(v))), f.hvp(x, v))


@pytest.mark.parametrize("runs", (1, 31, 32, 33, 127, 128, 129))
def test_any_number_of_points(device: Device, runs: int) -> None:
    f = saddle(7)
    x = starts(f, runs, np.float32)
    assert_same_bits(download(f.value(upload(x))), f.value(x))
    assert_same_bits(download(f.grad(upload(x))), f.grad(x))


def test_more_points_than_the_card_has_room_for_at_once(device: Device) -> None:
    f = saddle(4)
    x = starts(f, 4 * 128 * device.processors() + 5 if device.processors() < 10 else 10**6 + 5, np.float32)
    assert_same_bits(download(f.value(upload(x))), f.value(x))


@pytest.mark.parametrize("dim", (1, 2, 3, 15, 32, 64, 100, 300))
def test_any_dimension(device: Device, dim: int) -> None:
    f = saddle(dim)
    x = starts(f, 5, np.float32)
    value, grad = f.value_and_grad(upload(x))
    assert_same_bits(download(value), f.value(x))
    assert_same_bits(download(grad), f.grad(x))


@pytest.mark.parametrize("offset", (1, 2, 3, 4))
def test_rows_that_begin_anywhere(device: Device, offset: int) -> None:
    f = saddle(16)
    x = starts(f, 9, np.float32)
    memory = upload(np.zeros(x.size + 2 * offset, np.float32))
    there = memory[offset : offset + x.size].reshape(x.shape)
    there[...] = upload(x)
    assert_same_bits(download(f.grad(there)), f.grad(x))
    f.grad(upload(x), out=there)
    assert_same_bits(download(there), f.grad(x))
    assert not download(memory[:offset]).any() and not download(memory[offset + x.size :]).any()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", (1, 16, 300))
def test_batches_of_a_finite_sum(device: Device, size: int, dtype: Any) -> None:
    f = least_squares()
    x, v = starts(f, 5, dtype), starts(f, 5, dtype, seed=1)
    batch = np.random.default_rng(0).integers(0, f.n_samples, size)
    there = {"batch": upload(batch)}
    value, grad = f.value_and_grad(upload(x), **there)
    assert_same_bits(download(value), f.value(x, batch))
    assert_same_bits(download(grad), f.grad(x, batch))
    assert_same_bits(download(f.hvp(upload(x), upload(v), **there)), f.hvp(x, v, batch))
    with ol.device("gpu"):
        assert_same_bits(f.grad(x, batch), f.grad(x, batch))


def test_batches_of_steps(device: Device) -> None:
    f, x = least_squares(), starts(least_squares(), 3, np.float32)
    assert_same_bits(download(f.batch_grad(upload(x), 4, seed=1, step=2)), f.batch_grad(x, 4, seed=1, step=2))


@pytest.mark.parametrize(("samples", "dim"), ((1, 1), (257, 3), (40, 33), (20, 300)))
def test_sums_of_any_size(device: Device, samples: int, dim: int) -> None:
    f = least_squares(dim, samples)
    x = starts(f, 3, np.float32)
    value, grad = f.value_and_grad(upload(x))
    assert_same_bits(download(value), f.value(x))
    assert_same_bits(download(grad), f.grad(x))


def test_hessians(device: Device) -> None:
    f = saddle(7, rotation=1)
    x = starts(f, 3, np.float32)
    assert_same_bits(download(f.hessian(upload(x))), f.hessian(x))


def test_a_single_point_and_the_hessian(device: Device) -> None:
    f = saddle(7, rotation=1)
    x = starts(f, 1, np.float64)[0]
    value = f.value(upload(x))
    assert value.shape == () and float(download(value)) == f.value(x)
    assert_same_bits(download(f.hessian(upload(x))), f.hessian(x))


def test_refusals(device: Device) -> None:
    f, x = saddle(7), np.zeros((3, 7))
    there = upload(x)
    for make, kind, said in (
        (lambda: f.value(upload(np.zeros((3, 6)))), ValueError, "x: got 6 coordinates, expected 7"),
        (lambda: f.value(upload(np.zeros((1, 3, 7)))), ValueError, r"x: got 3 dimensions, expected \(dim,\) or"),
        (lambda: f.value(upload(np.zeros((3, 7), np.int64))), TypeError, "x: got dtype int64, expected float32 or"),
        (lambda: f.value(upload(np.zeros((7, 3))).T), ValueError, "x: got a strided array"),
        (lambda: f.value(upload(np.zeros((0, 7)))), ValueError, "x: got an empty array"),
        (lambda: f.hvp(there, x), TypeError, "v: got a NumPy array beside arrays of the GPU"),
        (lambda: f.hvp(there, upload(x[:2])), ValueError, r"v: got shape \(2, 7\), expected \(3, 7\)"),
        (lambda: f.grad(there, out=x), TypeError, "out: got a NumPy array beside arrays of the GPU"),
        (lambda: f.grad(there, out=there), ValueError, "x and out: got overlapping memory|out and x: got overlapping"),
        (lambda: f.value(there, batch=np.array([0])), ValueError, "batch: got indices, but this landscape is not a"),
        (lambda: saddle(MOST + 1).value(upload(np.zeros(MOST + 1))), ValueError, f"landscape: got {MOST + 1} coordin"),
        (lambda: least_squares().grad(there, batch=np.array([0])), TypeError, "batch: got a NumPy array beside"),
        (lambda: least_squares().grad(there, batch=upload(np.array([0.0]))), TypeError, "batch: got dtype float64"),
        (lambda: least_squares().grad(there, batch=upload(np.array([0, 40]))), IndexError, "batch: got sample 40, exp"),
        (lambda: least_squares().value(there, batch=upload(np.zeros(0, int))), ValueError, "batch: got an empty array"),
        (lambda: least_squares().value(there, batch=upload(np.array([-1]))), IndexError, "batch: got sample -1, exp"),
        (lambda: least_squares(MOST + 1).value(upload(np.zeros(MOST + 1))), ValueError, f"landscape: got {MOST + 1}"),
    ):
        with pytest.raises(kind, match=f"^(landscape: )?{said}"):
            make()
