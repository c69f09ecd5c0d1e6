"""Matrix products on GPU arrays: what is asked of cuBLAS, and the rounding to bfloat16."""

from __future__ import annotations

import ctypes
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from gpu.compiling import ARCHS, assert_in_registers
from reference.compare import assert_within, eps
from reference.refusals import refused

from optlab import ops
from optlab.backends.gpu.device import CuPyDevice, Device, download, upload
from optlab.backends.gpu.products import product, rounded
from optlab.backends.gpu.sources import Kernel


def drawn(*shape: int, dtype: Any = np.float32, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def size(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.abs(a).astype(np.float64) @ np.abs(b)


@pytest.mark.parametrize("dtype", (np.float32, np.float64))
@pytest.mark.parametrize("turn_a", (False, True))
@pytest.mark.parametrize("turn_b", (False, True))
def test_matmul_of_both_orders(device: Device, turn_b: bool, turn_a: bool, dtype: Any) -> None:
    for m, k, n in ((1, 1, 1), (3, 5, 2), (17, 33, 16), (1, 7, 9)):
        a, b = drawn(m, k, dtype=dtype), drawn(k, n, dtype=dtype, seed=1)
        left = upload(np.ascontiguousarray(a.T)).T if turn_a else upload(a)
        right = upload(np.ascontiguousarray(b.T)).T if turn_b else upload(b)
        out = upload(np.ones((m, n), dtype))
        assert ops.matmul(left, right, out=out) is out
        exact = a.astype(np.float64) @ b
        assert_within(download(out), exact, k * eps(dtype) * size(a, b))  # of any order of summation
        ops.matmul(left, right, out=out, accumulate=True)
        assert_within(download(out), 2 * exact, 2 * (k + 1) * eps(dtype) * (1 + size(a, b)))


def test_sums_of_nothing(device: Device) -> None:
    empty = upload(np.ones((3, 0), np.float32))
    assert (download(ops.matmul(empty, upload(np.ones((0, 2), np.float32)))) == 0).all()


def bits(values: np.ndarray) -> np.ndarray:
    return values.view(np.uint32)


def bfloat(x: np.ndarray) -> np.ndarray:
    """The nearest bfloat16 in float32, ties to even, by exact arithmetic in float64 (normal numbers)."""
    wide = x.astype(np.float64)
    step = 2.0 ** (np.floor(np.log2(np.abs(wide))) - 7)
    return (np.round(wide / step) * step).astype(np.float32)


def test_bfloat_rounds_to_nearest_even(device: Device) -> None:
    x = drawn(2001) * np.float32(10.0) ** np.random.default_rng(1).integers(-20, 20, 2001).astype(np.float32)
    x[:3] = [1 + 2**-8, 1 + 3 * 2**-8, -1 - 2**-8]  # ties
    out = upload(np.zeros(2001, np.uint16))
    rounded(upload(x), out)
    found = (download(out).astype(np.uint32) << 16).view(np.float32)
    np.testing.assert_array_equal(found, bfloat(x))
    special = np.array([0.0, -0.0, np.inf, -np.inf, 3.4e38, 1e-45], np.float32)
    out = upload(np.zeros(7, np.uint16))
    rounded(upload(np.append(special, np.uint32(0x7F800001).view(np.float32))), out)
    assert download(out)[:6].tolist() == [0, 0x8000, 0x7F80, 0xFF80, 0x7F80, 0]
    assert np.isnan((download(out)[6:].astype(np.uint32) << 16).view(np.float32)).all()


@pytest.mark.parametrize("mode", ("float32", "tf32", "bf16"))
def test_modes(device: Device, mode: str) -> None:
    a, b = drawn(9, 40), drawn(12, 40, seed=1)
    out = upload(np.zeros((9, 12), np.float32))
    given = [upload(array) for array in (a, b)]
    if mode == "bf16":
        room = [upload(np.zeros(array.shape, np.uint16)) for array in (a, b)]
        for array, into in zip(given, room, strict=True):
            rounded(array, into)
        given = room
    product(out, *given, turn_b=True, mode=mode)
    digits = {"float32": eps(np.float32), "tf32": 2.0**-10, "bf16": 2.0**-7}[mode]
    bound = (digits + 40 * eps(np.float32)) * size(a, b.T)
    assert_within(download(out), a.astype(np.float64) @ b.T, bound)


class Blas(ModuleType):
    """Stands for cuBLAS: computes by columns, from the pointers it is given, and keeps the types."""

    def __init__(self) -> None:
        super().__init__("cublas")
        self.types: list[tuple[int, ...]] = []
        self.memory: dict[int, np.ndarray] = {}

    def gemmEx(self, handle: int, *of: Any) -> None:  # noqa: N802 - the name of cuBLAS
        turn_a, turn_b, m, n, k, alpha, a, a_type, lda, b, b_type, ldb, beta, c, c_type, ldc, compute, algo = of
        assert handle == 7 and algo == -1

        def columns(address: int, rows: int, count: int, leading: int) -> np.ndarray:
            assert leading >= rows
            return self.memory[address].ravel().reshape(count, leading).T[:rows]

        left = columns(a, k, m, lda).T if turn_a else columns(a, m, k, lda)
        right = columns(b, n, k, ldb).T if turn_b else columns(b, k, n, ldb)
        out = columns(c, m, n, ldc)
        scale = ctypes.c_double if compute == 70 else ctypes.c_float
        one, zero = (scale.from_address(address).value for address in (alpha, beta))
        out[...] = one * (left @ right) + (zero * out if zero else 0)
        self.types.append((a_type, b_type, c_type, compute))


@pytest.mark.parametrize("accumulate", (False, True))
@pytest.mark.parametrize("turn_a", (False, True))
@pytest.mark.parametrize("turn_b", (False, True))
def test_what_is_asked_of_cublas(turn_b: bool, turn_a: bool, accumulate: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The call by columns, executed by a cuBLAS of NumPy: shapes, leading dimensions, order and types."""
    blas = Blas()
    monkeypatch.setitem(sys.modules, "cupy_backends.cuda.libs.cublas", blas)
    monkeypatch.setitem(vars(pytest.importorskip("cupy_backends.cuda.libs")), "cublas", blas)
    one = CuPyDevice.__new__(CuPyDevice)
    one.xp = SimpleNamespace(cuda=SimpleNamespace(device=SimpleNamespace(get_cublas_handle=lambda: 7)))
    for mode, dtype, types in (
        ("float32", "f4", (0, 0, 0, 68)),
        ("tf32", "f4", (0, 0, 0, 77)),
        ("float64", "f8", (1, 1, 1, 70)),
    ):
        a = drawn(*((4, 3) if turn_a else (3, 4)), dtype=dtype)
        b = drawn(*((5, 4) if turn_b else (4, 5)), dtype=dtype, seed=1)
        out = np.ones((3, 5), dtype)
        blas.memory = {k: array for k, array in enumerate((a, b, out))}
        held = [SimpleNamespace(shape=array.shape, data=SimpleNamespace(ptr=k)) for k, array in blas.memory.items()]
        one.product(held[2], held[0], held[1], turn_a, turn_b, mode, accumulate)
        right = (a.T if turn_a else a) @ (b.T if turn_b else b)
        np.testing.assert_allclose(out, right + accumulate, rtol=1e-5, atol=1e-5)
        assert blas.types[-1] == types


def test_refusals(device: Device) -> None:
    a, b = upload(np.ones((2, 3), np.float32)), upload(np.ones((3, 2), np.float32))
    refused(lambda: ops.matmul(a, np.ones((3, 2), np.float32)), TypeError, "b: got a NumPy array beside arrays of the")
    refused(lambda: ops.matmul(a, a), ValueError, r"b: got shape \(2, 3\), expected \(3, any\)")
    refused(lambda: ops.matmul(a[:, :2], a), ValueError, "a: got a strided array")
    refused(lambda: ops.matmul(a, b, accumulate=True), ValueError, "accumulate: got True without out")
    refused(
        lambda: product(a, a, b, mode="fp8"),
        ValueError,
        "mode: got 'fp8', expected one of float32, tf32, bf16, float64",
    )
    refused(lambda: product(a, a, b, mode="bf16"), TypeError, "a: got dtype float32, expected uint16")
    refused(lambda: product(b, a, b), ValueError, r"out: got shape \(3, 2\), expected \(2, 2\)")


@pytest.mark.parametrize("arch", ARCHS)
def test_the_rounding_stays_in_registers(arch: str) -> None:
    assert_in_registers(Kernel("bfloat.cu", "optlab::round_bfloat"), arch)
