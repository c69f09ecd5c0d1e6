"""``optlab.device``: NumPy arrays computed on the GPU and given back, and what cannot be is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gpu import emulated
from gpu.studies import saddle, starts
from reference.compare import assert_same_bits

import optlab as ol
from optlab import backends
from optlab.backends import current
from optlab.backends.cpu import CPUBackend
from optlab.backends.gpu.device import CuPyDevice, Device, upload
from optlab.errors import MissingPackageError, OptlabError


def test_landscapes_take_and_give_numpy_arrays(device: Device) -> None:
    f = saddle(7)
    x, v = starts(f, 9, np.float32), starts(f, 9, np.float32, seed=1)
    expected = (f.value(x), f.grad(x), f.hvp(x, v), f.value(x[0]), f.hessian(x[0]))
    out = np.empty_like(x)
    with ol.device("gpu"):
        got = (f.value(x), f.grad(x, out=out), f.hvp(x, v), f.value(x[0]), f.hessian(x[0]))
        pair = f.value_and_grad(x)
    assert got[1] is out
    for there, here in zip((*got, *pair), (*expected, *expected[:2]), strict=True):
        assert type(there) is type(here)
        assert_same_bits(np.asarray(there), np.asarray(here))


def test_descend_takes_and_gives_numpy_arrays(device: Device) -> None:
    f, opt = saddle(7), ol.Adam(lr=0.05)
    x0, other = starts(f, 9, np.float64), ol.landscapes.Custom(7, f.value, f.grad)
    options: dict[str, Any] = {"noise": 1e-3, "record": 5, "probes": {"own": f, "custom": other}}
    here = ol.descend(f, opt, x0, 20, **options)
    with ol.device("gpu"):
        there = ol.descend(f, opt, x0, 20, **options)
        rest = ol.descend(f, opt, there.last, 5, noise=1e-3, state=there.state, first_step=20)
    for name in ("value", "grad_norm", "x", "last"):
        assert type(getattr(there, name)) is np.ndarray
        assert_same_bits(getattr(there, name), getattr(here, name))
    for name in ("exp_avg", "exp_avg_sq", "step"):
        assert type(there.state[name]) is np.ndarray
        assert_same_bits(there.state[name], here.state[name])
    for name in options["probes"]:
        assert_same_bits(there.probes[name], here.value)
    assert_same_bits(rest.last, ol.descend(f, opt, x0, 25, noise=1e-3).last)


def test_the_block_ends(device: Device) -> None:
    x = np.zeros(7)
    with ol.device("gpu"):
        assert type(backends.of(x)) is not CPUBackend
        with ol.device("cpu"):
            assert type(backends.of(x)) is CPUBackend
        assert type(backends.of(x)) is not CPUBackend
    assert type(backends.of(x)) is CPUBackend
    with ol.device("cpu"):
        assert type(backends.of(upload(x))) is not CPUBackend  # arrays of the GPU stay there


def test_what_it_cannot_take_it_refuses(device: Device) -> None:
    f, x = saddle(7), np.zeros((3, 7))
    with ol.device("gpu"):
        for make, kind, wrong in (
            (lambda: f.value(x.astype(np.int64)), TypeError, "x: got dtype int64, expected float32 or float64"),
            (lambda: f.value(np.zeros((7, 3)).T), ValueError, "x: got a strided array"),
            (lambda: f.grad(x, out=np.zeros((2, 7))), ValueError, "out: got float64 of shape"),
        ):
            with pytest.raises(kind, match=wrong):
                make()


def test_another_name_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^device: got 'tpu', expected 'cpu' or 'gpu'$"), ol.device("tpu"):
        pass


@pytest.fixture
def no_device(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(current, "_stack", [])
    return monkeypatch


def test_without_cupy_it_says_what_to_install(no_device: pytest.MonkeyPatch) -> None:
    import sys

    no_device.setitem(sys.modules, "cupy", None)  # import cupy fails
    with (
        pytest.raises(MissingPackageError, match=r"^a GPU needs CuPy, .*pip install 'optlab\[gpu\]'"),
        ol.device("gpu"),
    ):
        pass


def test_without_a_gpu_it_says_so(no_device: pytest.MonkeyPatch) -> None:
    def broken(self: CuPyDevice) -> None:
        raise OptlabError("no GPU can be used: no driver; NumPy arrays are computed on the CPU")

    no_device.setattr(CuPyDevice, "__init__", broken)
    with pytest.raises(OptlabError, match=r"^no GPU can be used"), ol.device("gpu"):
        pass


@pytest.mark.skipif(emulated.compiler() is None, reason="no compiler for the emulation")
def test_the_command_line_computes_there(tmp_path: Any) -> None:
    from optlab.backends.gpu.device import using
    from optlab.experiment import runner

    path = tmp_path / "mine.py"
    path.write_text(EXPERIMENT, encoding="utf-8")
    device = emulated.EmulatedDevice()
    with using(device):
        for where, launches in (("cpu", False), ("gpu", True)):
            device.launched.clear()
            (outcome,) = runner.run(runner.plan([str(path)], device=where))
            assert not outcome.failed, outcome.error
            assert bool(device.launched) is launches
            assert ("gpu" in outcome.record["provenance"]) is launches


EXPERIMENT = """
import numpy as np, optlab as ol
from optlab import plotting
from optlab.experiment import Experiment, bounded

def compute(p, seed, progress):
    f = ol.landscapes.StrictSaddle(dim=4)
    return {"x": ol.descend(f, ol.SGD(lr=0.1), np.zeros((9, 4)), 50, noise=1e-4, seed=seed).last}

def plot(data, p):
    return plotting.figure()[0]

def claims(data, p):
    return [bounded("size", "it stays", np.abs(data["x"]).max(), (0.0, 3.0), 1.0)]

experiment = Experiment(
    title="It stays", source="B", question="Does it?", params={"n": 1}, quick={},
    compute=compute, plot=plot, claims=claims,
)
"""
