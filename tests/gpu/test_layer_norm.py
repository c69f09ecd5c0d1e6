"""Layer and group normalization on GPU arrays: the table, the twins and the bounds of the CPU's tests."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from gpu.compiling import ARCHS, assert_in_registers
from gpu.emulated import EmulatedDevice
from ops import test_norms as cpu
from reference.compare import assert_same_bits
from reference.refusals import refused

from optlab import ops
from optlab.backends.gpu import columns, layer_norm
from optlab.backends.gpu.device import Device, download, upload, using
from optlab.backends.gpu.sources import Kernel

CASES = [case for case in cpu.CASES if case[0] != "instance" and len(case[1]) == 2 and case[1][0] < 1000]
CASES += [("group", (9, 34), 2)]


def there(of: Any) -> SimpleNamespace:
    """The same arrays on the device."""
    arrays = {name: upload(value) if isinstance(value, np.ndarray) else value for name, value in vars(of).items()}
    return SimpleNamespace(**arrays)


def ours(of: Any) -> dict[str, Any]:
    """The results of every pass on the device, on the host; of gets the statistics that the twins want."""
    got = {which: tuple(map(download, results)) for which, results in cpu.ours(there(of)).items()}
    assert all(result.dtype == of.dtype for results in got.values() for result in results)
    return got


@pytest.mark.parametrize("options", cpu.OPTIONS)
@pytest.mark.parametrize("dtype", cpu.DTYPES)
def test_all_passes_follow_the_formulas(device: Device, dtype: Any, options: str) -> None:
    for case in CASES[:: 1 if options == "all" else 3]:
        of = cpu.drawn(case, dtype, options)
        cpu.assert_close(ours(of), cpu.twin(of), of)


def test_long_rows_far_from_zero(device: Device) -> None:
    of = cpu.drawn(("layer", (3, 1500), 1), np.float32, around=1000.0)
    cpu.assert_close(ours(of), cpu.twin(of), of)


@pytest.mark.parametrize("size", (1e-30, 1e30, 1e38))
def test_statistics_of_numbers_whose_squares_leave_the_range(device: Device, size: float) -> None:
    x = np.random.default_rng(0).uniform(-1, 1, (3, 40)).astype(np.float32) * np.float32(size)
    for got, expected in zip(
        ops.layer_norm_forward(upload(x), eps=0.0), ops.layer_norm_forward(x, eps=0.0), strict=True
    ):
        np.testing.assert_allclose(download(got), expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize(("mean", "deviation"), [(1e4, 0.1), (1e6, 1.0), (0.0, 1e30)])
def test_everything_is_right_wherever_the_numbers_lie(device: Device, mean: float, deviation: float) -> None:
    """As on the CPU, which is held against the formulas there (tests/ops/test_norm_range.py)."""
    for case in (("layer", (30, 70), 1), ("layer", (3, 1500), 1), ("group", (9, 34), 2)):
        of = cpu.drawn(case, np.float32)
        of.x, of.x_dot = (mean + deviation * of.x).astype(np.float32), (deviation * of.x_dot).astype(np.float32)
        expected = cpu.ours(of)
        for which, results in ours(of).items():
            if deviation > 1 and "tangent" in which:
                continue  # rstd_dot is out of range
            for found, right in zip(results, expected[which], strict=True):
                assert np.abs(found.astype(np.float64) - right).max() <= 64 * 2**-23 * np.abs(right).max(), which


def test_no_order_shows_in_a_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "WHOLE_ROWS", 0)
    monkeypatch.setattr(columns, "FEW_ROWS", 0)
    found = []
    for reverse in (False, True):
        with using(EmulatedDevice(reverse=reverse)):
            found.append(ours(cpu.drawn(("layer", (70, 1100), 1), np.float32)))
    for which, results in found[0].items():
        for a, b in zip(results, found[1][which], strict=True):
            assert_same_bits(a, b)


def test_refusals(device: Device) -> None:
    x = upload(np.ones((4, 6), np.float32))
    refused(lambda: ops.group_norm_forward(x, 4), ValueError, "groups: got 4, expected a whole number that divides")
    positions = upload(np.ones((4, 6, 5), np.float32))
    refused(lambda: ops.group_norm_forward(positions, 2), TypeError, "on the GPU, expected .batch, channels.")
    refused(lambda: ops.layer_norm_forward(positions), ValueError, r"x: got shape \(4, 6, 5\), expected \(any, any\)")
    refused(lambda: ops.instance_norm_forward(positions), TypeError, "instance_norm_forward: got arrays of the GPU")


@pytest.mark.parametrize("arch", ARCHS)
@pytest.mark.slow
def test_kernels_stay_in_registers(arch: str) -> None:
    for real in ("float", "double"):
        for number in (real, f"optlab::Dual<{real}>"):
            names = [f"backward<{number}, {team}>" for team in (32, 256)] + [f"parameters<{number}>"]
            names += [f"{name}<{real}, {team}>" for name in ("forward", "forward_tangent") for team in (32, 256)]
            for name in names if number == real else names[:3]:
                assert_in_registers(Kernel(layer_norm.FILE, f"optlab::layer_norm_{name}"), arch)
