"""Batch normalization on GPU arrays against float64 twins with the bounds of the CPU's kernels, and the launches."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from gpu.compiling import ARCHS, assert_in_registers
from gpu.emulated import EmulatedDevice
from reference import batch_norm as twin
from reference.compare import assert_same_bits, assert_within, eps
from reference.refusals import refused

from optlab import ops
from optlab.backends.gpu import batch_norm as gpu
from optlab.backends.gpu import columns
from optlab.backends.gpu.device import Device, download, upload, using
from optlab.backends.gpu.sources import Kernel

DTYPES = (np.float32, np.float64)
SHAPES = (
    *((1, 1), (2, 3), (7, 16), (17, 31), (31, 32), (33, 7), (255, 17), (256, 33), (257, 4), (1023, 9)),
    *((1025, 5), (1030, 64), (2100, 130), (4097, 1), (9001, 3)),
)


def roundings(rows: int) -> int:
    """Roundings of a sum: those of a thread's rows, its chunks and the trees that join them, and those around it.

    A thread adds up to 4096 / 32 rows and 16 chunks' worth of sums; joining moments takes five each; twenty beside.
    """
    return min(rows, 128) + 5 * (math.ceil(math.log2(rows + 1)) + rows // 8192) + 20


class Example:
    """One call of everything: arrays of a shape, seeded, on both sides."""

    def __init__(self, shape: tuple[int, int], dtype: Any, *, plain: bool = False, mean: float = 3.0) -> None:
        rng = np.random.default_rng(shape[0] * 10_007 + shape[1])
        draw = lambda *size: rng.standard_normal(size).astype(dtype)  # noqa: E731 - one line serves ten arrays
        self.x, self.dy, self.x_dot, self.dy_dot = (draw(*shape) for _ in range(4))
        self.x = self.x * 2 + dtype(mean)
        rows = [None] * 4 if plain else [draw(shape[1]) for _ in range(4)]
        self.gamma, self.beta, self.gamma_dot, self.beta_dot = rows
        self.mean, self.fixed = (draw(shape[1]) for _ in range(2))
        self.var = (draw(shape[1]) ** 2 + dtype(0.5)).astype(dtype)
        self.eps, self.k = eps(dtype), roundings(shape[0])

    def there(self, *names: str) -> list[Any]:
        return [None if getattr(self, name) is None else upload(getattr(self, name)) for name in names]

    def wide(self, *names: str) -> list[Any]:
        absent = {"gamma": 1.0}
        given = [getattr(self, name) for name in names]
        return [absent.get(n, 0.0) if v is None else v.astype(np.float64) for n, v in zip(names, given, strict=True)]


def on_host(results: Any) -> list[np.ndarray]:
    return [download(each) for each in (results if isinstance(results, tuple) else (results,))]


def everything(e: Example) -> dict[str, list[np.ndarray]]:
    """What every function returns; the statistics are those of the forward pass."""
    found = {"forward": on_host(ops.batch_norm_forward(*e.there("x", "gamma", "beta")))}
    _, e.mean, e.rstd = found["forward"]
    tangent = ops.batch_norm_forward_tangent(*e.there("x_dot", "x", "gamma", "mean", "rstd", "gamma_dot", "beta_dot"))
    found["tangent"] = on_host(tangent)
    _, e.mean_dot, e.rstd_dot = found["tangent"]
    found["backward"] = on_host(ops.batch_norm_backward(*e.there("dy", "x", "gamma", "mean", "rstd")))
    names = ("dy_dot", "x_dot", "dy", "x", "gamma", "mean", "rstd", "mean_dot", "rstd_dot", "gamma_dot")
    found["backward tangent"] = on_host(ops.batch_norm_backward_tangent(*e.there(*names)))
    at = ("x", "fixed", "var", "gamma")
    found["eval"] = on_host(ops.batch_norm_eval_forward(*e.there(*at, "beta")))
    found["eval backward"] = on_host(ops.batch_norm_eval_backward(*e.there("dy", *at)))
    found["eval tangent"] = on_host(
        ops.batch_norm_eval_forward_tangent(*e.there("x_dot", *at, "gamma_dot", "beta_dot"))
    )
    names = ("dy_dot", "x_dot", "dy", *at, "gamma_dot")
    found["eval backward tangent"] = on_host(ops.batch_norm_eval_backward_tangent(*e.there(*names)))
    return found


def check(e: Example) -> None:
    """Every result within k eps of the sizes of its terms."""
    found = everything(e)
    x, dy, x_dot, dy_dot, gamma, beta, gamma_dot, beta_dot, rstd, mean_dot, rstd_dot, fixed, var = e.wide(
        *("x", "dy", "x_dot", "dy_dot", "gamma", "beta", "gamma_dot", "beta_dot", "rstd", "mean_dot"),
        *("rstd_dot", "fixed", "var"),
    )
    _, exact_mean, exact_rstd = twin.forward(x, gamma, beta)
    y, own_mean, own_rstd = found["forward"]
    assert_within(own_mean, exact_mean, e.eps * (np.abs(exact_mean) + e.k * np.abs(x - exact_mean).mean(0)))
    assert_within(own_rstd, exact_rstd, e.eps * e.k * exact_rstd)
    # y with the deviation as returned, but the mean before it was rounded: five operations, and that mean's error
    centred, centred_dot = twin.centred(x)[1], twin.centred(x_dot)[1]
    rest, exact = np.abs(centred), centred * rstd * gamma
    off = e.k * rest.mean(0) * np.abs(rstd * gamma)
    assert_within(y, exact + beta, e.eps * (3 * (np.abs(exact) + np.abs(beta)) + off))

    r, far = 1 / np.sqrt(var + 1e-5), np.abs(x - fixed)
    sizes = twin.sizes(np.abs(dy), rest, np.abs(gamma), rstd)
    size, along, plain = twin.sizes(np.abs(x_dot), rest, np.abs(gamma), rstd)
    moves = (np.abs(dy_dot), np.abs(x_dot) + np.abs(mean_dot), np.abs(gamma_dot), np.abs(rstd_dot))
    values = (np.abs(dy), rest, np.abs(gamma), rstd)
    still = ((fixed, None), (var, None))
    expected = {
        "backward": (twin.backward(dy, centred, gamma, 0.0, rstd), sizes),
        "tangent": (
            twin.tangent(centred, x_dot, 0.0, rstd, gamma, gamma_dot, beta_dot),
            (
                size + np.abs(gamma_dot) * (rest + rest.mean(0)) * rstd + np.abs(beta_dot),
                plain / len(x),
                rstd**2 * along / len(x),
            ),
        ),
        "backward tangent": (
            twin.along(
                lambda dy, x, gamma, rstd: twin.backward(dy, x, gamma, 0.0, rstd),
                *((dy, dy_dot), (centred, centred_dot), (gamma, gamma_dot), (rstd, rstd_dot)),
            ),
            [2 * each for each in twin.along(twin.sizes, *zip(values, moves, strict=True))],
        ),
        "eval": ((twin.eval_forward(x, fixed, var, gamma, beta),), (far * r * np.abs(gamma) + np.abs(beta),)),
        "eval backward": (
            twin.eval_backward(dy, x, fixed, var, gamma),
            (np.abs(dy * gamma) * r, (np.abs(dy) * far * r).sum(0), np.abs(dy).sum(0)),
        ),
        "eval tangent": (
            (twin.along(twin.eval_forward, (x, x_dot), *still, (gamma, gamma_dot), (beta, beta_dot)),),
            ((np.abs(x_dot * gamma) + far * np.abs(gamma_dot)) * r + np.abs(beta_dot),),
        ),
        "eval backward tangent": (
            twin.along(twin.eval_backward, (dy, dy_dot), (x, x_dot), *still, (gamma, gamma_dot)),
            (
                (np.abs(dy_dot * gamma) + np.abs(dy * gamma_dot)) * r,
                ((np.abs(dy_dot) * far + np.abs(dy * x_dot)) * r).sum(0),
                np.abs(dy_dot).sum(0),
            ),
        ),
    }
    for name, (right, bounds) in expected.items():
        for ours, exactly, bound in zip(found[name], right, bounds, strict=True):
            assert_within(ours, exactly, e.k * e.eps * bound)


@pytest.fixture
def chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cuts matrices of few rows, too."""
    monkeypatch.setattr(columns, "WHOLE_ROWS", 0)
    monkeypatch.setattr(columns, "FEW_ROWS", 0)


@pytest.mark.parametrize("plain", (False, True), ids=("affine", "plain"))
@pytest.mark.parametrize("dtype", DTYPES)
def test_everything_is_right_to_its_roundings(device: Device, dtype: Any, plain: bool) -> None:
    for shape in SHAPES[:: 2 if plain else 1]:
        check(Example(shape, dtype, plain=plain))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.usefixtures("chunks")
def test_few_rows_in_chunks_and_slabs(device: Device, dtype: Any) -> None:
    for shape in ((1, 1), (31, 33), (257, 64), (600, 100), (1100, 7)):
        check(Example(shape, dtype))


@pytest.mark.parametrize(("mean", "deviation"), [(1e4, 0.1), (1e6, 1.0), (0.0, 1e30), (1e38, 1e36), (0.0, 1e-30)])
def test_everything_is_right_wherever_the_numbers_lie(device: Device, mean: float, deviation: float) -> None:
    """As on the CPU, which is held against the formulas there (tests/ops/test_norm_range.py)."""
    e = Example((300, 70), np.float32)
    e.x, e.x_dot = (mean + deviation * (e.x - 3)).astype(np.float32), (deviation * e.x_dot).astype(np.float32)
    small = 0.0 if deviation < 1e-3 else 1e-5
    y, at, rstd = ops.batch_norm_forward(e.x, eps=small)
    for ours, right in zip(on_host(ops.batch_norm_forward(upload(e.x), eps=small)), (y, at, rstd), strict=True):
        assert_within(ours, right, 16 * e.eps * np.abs(right).max())
    e.mean, e.rstd, e.gamma, e.gamma_dot, e.beta_dot = at, rstd, None, None, None
    names = ("x_dot", "x", "gamma", "mean", "rstd")
    found = on_host(ops.batch_norm_forward_tangent(*e.there(*names)))
    right = ops.batch_norm_forward_tangent(*(getattr(e, name) for name in names))
    assert_within(found[0], right[0], 16 * e.eps * np.abs(right[0]).max())
    names = ("dy", "x", "gamma", "mean", "rstd")
    found = on_host(ops.batch_norm_backward(*e.there(*names)))
    for ours, right in zip(found, ops.batch_norm_backward(*(getattr(e, name) for name in names)), strict=True):
        assert_within(ours, right, 16 * e.eps * np.abs(right).max())


def test_digits_survive_a_large_mean(device: Device) -> None:
    for shape in ((1000, 5), (3000, 5)):
        e = Example(shape, np.float32, mean=1e5)
        rstd = on_host(ops.batch_norm_forward(*e.there("x")))[2]
        exact = twin.forward(e.x.astype(np.float64))[2]
        assert_within(rstd, exact, e.eps * e.k * exact)


@pytest.mark.usefixtures("chunks")
def test_the_order_of_sums_does_not_depend_on_the_device() -> None:
    """Neither the order of threads nor the size of the cache, which cuts the slabs, shows in a bit."""
    found = []
    for reverse, cache in ((False, 1 << 16), (True, 1 << 16), (False, 1 << 30)):
        one = EmulatedDevice(reverse=reverse)
        one.cache_bytes = lambda size=cache: size  # type: ignore[method-assign]
        with using(one):
            found.append([array for arrays in everything(Example((1100, 70), np.float32)).values() for array in arrays])
    assert len(one.launched) == 6 * 3 + 2  # sum, combine, apply; those with given statistics at once
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            assert_same_bits(a, b)


@pytest.mark.usefixtures("chunks")
def test_a_launch_applies_a_slab_combines_the_next_and_sums_the_one_after() -> None:
    one = EmulatedDevice()
    grids = []
    launch = one.launch
    one.launch = lambda kernel, grid, *of: (grids.append(grid), launch(kernel, grid, *of))  # type: ignore[method-assign]
    with using(one):
        ops.batch_norm_forward(upload(np.ones((2048, 96), np.float32)))
    # three tiles of 32 columns, 256 kB each: a slab a tile, in four chunks
    assert grids == [(4,), (1 + 4,), (4 + 1 + 4,), (4 + 1,), (4,)]


def test_views_off_the_vectors_and_given_outputs(device: Device) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((40, 8)).astype(np.float32)
    room = upload(np.zeros(3 * 320 + 33, np.float32))
    off = room[1:321].reshape(40, 8)
    off[...] = upload(x)
    y, mean, rstd = room[321:641].reshape(40, 8), room[641:649], room[649:657]
    results = ops.batch_norm_forward(off, out=(y, mean, rstd))
    assert results[0] is y and results[1] is mean and results[2] is rstd
    for ours, aligned in zip(results, ops.batch_norm_forward(upload(x)), strict=True):
        assert_same_bits(download(ours), download(aligned))
    assert (download(room[657:]) == 0).all()


@pytest.mark.parametrize("momentum", (0.1, 0.0, 1.0, None))
@pytest.mark.parametrize("rows", (2, 33, 1500))
def test_running_averages(device: Device, rows: int, momentum: float | None) -> None:
    rng = np.random.default_rng(rows)
    here = (np.zeros(5, np.float32), np.ones(5, np.float32), np.zeros((), np.int64))
    there = tuple(upload(array) for array in here)
    for _ in range(3):
        x = rng.standard_normal((rows, 5)).astype(np.float32)
        ops.batch_norm_forward(x, running=here, momentum=momentum)
        ops.batch_norm_forward(upload(x), running=there, momentum=momentum)
    assert int(download(there[2])) == 3
    for ours, cpu in zip(there, here, strict=True):
        assert_within(download(ours), cpu, roundings(rows) * eps(np.float32) * (1 + np.abs(cpu)))


def test_nothing_is_made_where_all_is_given(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    """A captured graph must not allocate."""
    x = upload(np.random.default_rng(0).standard_normal((4200, 12)).astype(np.float32))
    out = tuple(upload(np.zeros(shape, np.float32)) for shape in ((4200, 12), 12, 12))
    room = upload(np.zeros(gpu.scratch_numbers(4200, 12, np.float32), np.float32))
    free = [download(each) for each in ops.batch_norm_forward(x)]
    monkeypatch.setattr("optlab.backends.gpu.call.empty", lambda *_: pytest.fail("an array was made"))
    for ours, other in zip(gpu.batch_norm_forward(x, out=out, scratch=room), free, strict=True):
        assert_same_bits(download(ours), other)


def test_refusals(device: Device) -> None:
    x = upload(np.ones((4, 3), np.float32))
    row, wide = upload(np.ones(3, np.float32)), upload(np.ones(3))
    forward = ops.batch_norm_forward
    refused(lambda: forward(x, np.ones(3, np.float32)), TypeError, "gamma: got a NumPy array beside")
    dy = np.ones((4, 3), np.float32)
    refused(lambda: ops.batch_norm_backward(dy, x, None, row, row), TypeError, "dy: got a NumPy array beside")
    refused(lambda: forward(x, wide), TypeError, "gamma: got dtype float64, expected float32")
    refused(lambda: forward(x, upload(np.ones(4, np.float32))), ValueError, r"gamma: got shape \(4,\), expected \(3,\)")
    refused(lambda: forward(x[:, :2]), ValueError, "x: got a strided array")
    refused(lambda: forward(row), ValueError, r"x: got shape \(3,\), expected \(any, any\)")
    refused(lambda: forward(x[:0]), ValueError, "x: got an empty array")
    refused(lambda: forward(x, eps=-1), ValueError, "eps: got -1.0, expected a finite number >= 0")
    refused(lambda: forward(x, out=(x, None, None)), ValueError, "x and y: got overlapping memory")
    refused(lambda: forward(x, out=x), TypeError, r"out: expected a tuple of 3 arrays \(y, mean, rstd\)")
    refused(lambda: forward(upload(np.ones((4, 3), np.int64))), TypeError, "x: got dtype int64, expected float32 or")
    refused(lambda: gpu.batch_norm_forward(x, scratch=wide), TypeError, "scratch: got dtype float64")
    big = upload(np.ones((5000, 3), np.float32))
    refused(lambda: gpu.batch_norm_forward(big, scratch=row), ValueError, "scratch: got 3 numbers, expected at least")
    averages = (row, upload(np.ones(3, np.float32)), upload(np.zeros((), np.int64)))
    refused(lambda: forward(x[:1], running=averages), ValueError, "x: got a batch of 1, expected at least 2")
    refused(lambda: forward(x, running=averages, momentum=2), ValueError, "momentum: got 2.0")


@pytest.mark.parametrize("arch", ARCHS)
@pytest.mark.slow
def test_kernels_stay_in_registers(arch: str) -> None:
    for each in gpu.PASSES:
        for real in ("float", "double"):
            assert_in_registers(Kernel("batch_norm.cu", gpu.kernel_name(each, real)), arch)
