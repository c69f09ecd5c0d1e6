"""Activations, dropout and linear passes on GPU arrays: the bits of the CPU where no sum is taken, bounds elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from gpu.compiling import ARCHS, assert_in_registers
from gpu.emulated import EmulatedDevice
from reference.compare import assert_same_bits, assert_within, eps
from reference.refusals import refused

from optlab import ops
from optlab.backends.gpu import columns, dense
from optlab.backends.gpu.device import Device, download, upload, using
from optlab.backends.gpu.sources import Kernel

DTYPES = (np.float32, np.float64)
SIZES = (1, 3, 7, 15, 16, 17, 255, 1025, 3100)
KERNELS = ("forward", "slope", "bend", "backward", "backward_tangent")
DROPOUTS = (None, ops.Dropout(0.4, seed=2**63 + 5, step=2**33 + 1, run=3))


def drawn(*shape: int, dtype: Any, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype) * dtype(2)


def both(function: Callable[..., Any], *given: Any, **options: Any) -> tuple[Any, Any]:
    """The results here and there."""
    there = [upload(each) if isinstance(each, np.ndarray) else each for each in given]
    found = function(*there, **options)
    on_host = tuple(None if each is None else download(each) for each in found) if isinstance(found, tuple) else found
    return function(*given, **options), on_host if isinstance(found, tuple) else download(found)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", ops.activations)
def test_activations_have_the_bits_of_the_cpu(device: Device, activation: str, dtype: Any) -> None:
    for size in SIZES:
        x, dy, x_dot, dy_dot = (drawn(size, dtype=dtype, seed=seed) for seed in range(4))
        y, found = both(ops.activation_forward, x, activation)
        assert_same_bits(found, y)
        y_dot, found = both(ops.activation_forward_tangent, x_dot, y, activation)
        assert_same_bits(found, y_dot)
        assert_same_bits(*reversed(both(ops.activation_backward, dy, y, activation)))
        assert_same_bits(*reversed(both(ops.activation_backward_tangent, dy_dot, y_dot, dy, y, activation)))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("p", (0.0, 1e-9, 0.3, 0.999))
def test_masks_have_the_bits_of_the_cpu(device: Device, p: float, dtype: Any) -> None:
    for size in SIZES:
        options = {"step": 2**40 + size, "run": 2**32 - 1, "stream": 9}
        assert_same_bits(*reversed(both(ops.dropout_forward, drawn(size, dtype=dtype), p, 2**64 - 1, **options)))


def test_views_off_the_vectors_and_in_place(device: Device) -> None:
    x = drawn(41, dtype=np.float32)
    room = upload(np.zeros(90, np.float32))
    room[1:42] = upload(x)
    ops.activation_forward(room[1:42], "tanh", out=room[45:86])
    assert_same_bits(download(room[45:86]), ops.activation_forward(x, "tanh"))
    assert (download(room[86:]) == 0).all()


def problem(batch: int, inner: int, outer: int, dtype: Any) -> dict[str, np.ndarray]:
    shapes = {"x": (batch, inner), "weight": (outer, inner), "bias": (outer,), "dy": (batch, outer)}
    arrays = {name: drawn(*shape, dtype=dtype, seed=k) for k, (name, shape) in enumerate(shapes.items())}
    arrays |= {f"{name}_dot": drawn(*array.shape, dtype=dtype, seed=9) for name, array in arrays.items()}
    return arrays


def passes(of: dict[str, Any], f: str, dropout: Any) -> dict[str, Any]:
    """All four passes, and what they return."""
    follow = {"activation": f, "dropout": dropout}
    if "y" not in of:
        of["y"] = ops.linear_forward(of["x"], of["weight"], of["bias"], **follow)
        directions = (of["weight_dot"], of["bias_dot"])
        of["y_dot"] = ops.linear_forward_tangent(of["x_dot"], of["x"], of["weight"], of["y"], *directions, **follow)
    second = [of[name] for name in ("dy_dot", "x_dot", "dy", "x", "weight", "y", "y_dot", "weight_dot")]
    return {
        "forward": ops.linear_forward(of["x"], of["weight"], of["bias"], **follow),
        "tangent": ops.linear_forward_tangent(
            of["x_dot"], of["x"], of["weight"], of["y"], of["weight_dot"], of["bias_dot"], **follow
        ),
        "backward": ops.linear_backward(of["dy"], of["x"], of["weight"], of["y"], **follow),
        "backward tangent": ops.linear_backward_tangent(*second, **follow),
    }


@pytest.mark.parametrize("dropout", DROPOUTS, ids=("plain", "dropout"))
@pytest.mark.parametrize("f", ("identity", "relu", "elu", "tanh"))
def test_linear_passes_agree_with_the_cpu(device: Device, f: str, dropout: Any) -> None:
    """In float64, where both sides' sums of n terms differ by n eps of the sum of sizes, bounded by the largest."""
    for batch, inner, outer in ((1, 1, 1), (3, 7, 5), (33, 16, 34), (130, 5, 17)):
        of = problem(batch, inner, outer, np.float64)
        here = passes(of, f, dropout)
        there = passes({name: upload(array) for name, array in of.items()}, f, dropout)
        terms = 4 * (batch + inner + outer) * max(1.0, max(np.abs(array).max() for array in of.values())) ** 4
        for name, expected in here.items():
            for right, ours in zip(
                expected if isinstance(expected, tuple) else (expected,),
                there[name] if isinstance(expected, tuple) else (there[name],),
                strict=True,
            ):
                assert_within(download(ours), right, terms * eps(np.float64) * max(1.0, np.abs(right).max()))


@pytest.mark.parametrize("rows", (31, 1500))
@pytest.mark.parametrize("dtype", DTYPES)
def test_gradients_behind_the_activation(
    device: Device, dtype: Any, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """dz has the bits of activation_backward after dropout_backward; its columns' sums their bound."""
    monkeypatch.setattr(columns, "FEW_ROWS", 0)
    for width in (4, 10, 33):
        dy, y, dy_dot, y_dot = (drawn(rows, width, dtype=dtype, seed=seed) for seed in range(4))
        y = np.tanh(y)
        of = dense.follow("tanh", None, None)
        dz, dz_dot = upload(np.zeros_like(y)), upload(np.zeros_like(y))
        sums = upload(np.zeros(width, dtype))
        room = upload(np.zeros(dense.scratch_numbers(rows, width, dtype), dtype))
        there = [upload(array) for array in (dy_dot, y_dot, dy, y)]
        dense.backward(dz, sums, there[2], there[3], of, room)
        right = ops.activation_backward(dy, y, "tanh")
        assert_same_bits(download(dz), right)
        bound = rows * eps(dtype) * np.abs(right).sum(0)
        assert_within(download(sums), right.astype(np.float64).sum(0), bound)
        dense.backward_tangent(dz_dot, dz, sums, *there, of, room)
        turned = ops.activation_backward_tangent(dy_dot, y_dot, dy, y, "tanh")
        assert_same_bits(download(dz), right)
        assert_same_bits(download(dz_dot), turned)
        assert_within(download(sums), turned.astype(np.float64).sum(0), rows * eps(dtype) * np.abs(turned).sum(0))


def test_a_replayed_graph_draws_the_mask_of_its_step(device: Device) -> None:
    x = drawn(40, dtype=np.float32)
    graph = upload(np.array([0, 7, 0]))  # the step by which is drawn stands second (cuda/grid.cuh)
    of = dense.follow("identity", None, (0.5, 1, 6, 2, 0))._replace(graph=graph)
    y = upload(np.zeros_like(x))
    dense.forward(upload(x), None, of, y)
    assert_same_bits(download(y), ops.dropout_forward(x, 0.5, 1, step=7))


def test_no_order_shows_in_a_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "WHOLE_ROWS", 0)
    monkeypatch.setattr(columns, "FEW_ROWS", 0)
    found = []
    for reverse in (False, True):
        with using(EmulatedDevice(reverse=reverse)):
            of = {name: upload(array) for name, array in problem(600, 3, 70, np.float32).items()}
            results = passes(of, "elu", DROPOUTS[1])
            found.append([download(each) for each in (*results["backward"], *results["backward tangent"])])
    for a, b in zip(*found, strict=True):
        assert_same_bits(a, b)


def test_refusals(device: Device) -> None:
    x, y = upload(np.ones(4, np.float32)), upload(np.ones(5, np.float32))
    forward = ops.activation_forward
    refused(lambda: forward(x, "softsign"), ValueError, "activation: got 'softsign', expected one of identity, sigmoid")
    refused(lambda: forward(x, 3), TypeError, "activation: got 3, expected a name")  # type: ignore[arg-type]
    refused(lambda: forward(x, "relu", parameter=1.0), ValueError, "parameter: got 1.0, expected None, since relu")
    refused(lambda: forward(x, "elu", parameter=0.0), ValueError, "parameter: got 0.0, expected a finite number > 0")
    refused(lambda: ops.activation_backward(x, y), ValueError, r"y: got shape \(5,\), expected \(4,\)")
    refused(lambda: ops.activation_backward(x, np.ones(4, np.float32)), TypeError, "y: got a NumPy array beside")
    refused(lambda: forward(x, out=x), ValueError, "x and y: got overlapping memory")
    refused(lambda: ops.dropout_forward(x, 1.0, 0), ValueError, "p: got 1.0, expected a finite number >= 0 and < 1")
    refused(lambda: ops.dropout_forward(x, 0.1, -1), ValueError, "seed: got -1")
    row = upload(np.ones((2, 4), np.float32))
    refused(lambda: ops.linear_forward(row, row, activation="tanh", bias=y), ValueError, r"bias: got shape \(5,\)")
    refused(lambda: ops.linear_backward(row[:, :2], row, row), ValueError, "dy: got a strided array")
    square = upload(np.ones((2, 2), np.float32))
    refused(lambda: ops.linear_backward(square, row, row, None, "relu"), TypeError, "y: got NoneType, expected a CuPy")


@pytest.mark.parametrize("arch", ARCHS)
@pytest.mark.slow
def test_kernels_stay_in_registers(arch: str) -> None:
    """Every activation in float32; in float64 the one of most registers, since the rest differ in the formula alone."""
    chosen = [(f, "float") for f in ops.activations] + [("elu", "double")]
    for f, real in chosen:
        for name in KERNELS:
            assert_in_registers(Kernel(dense.FILE, f"optlab::dense_{name}<optlab::activations::{f}, {real}>"), arch)


@pytest.mark.parametrize("f", ops.activations)
def test_defaults_are_those_of_the_rules(f: str) -> None:
    """What Python says of the parameters is what the CPU's kernels say."""
    x = np.array([-1.0, 2.0])
    _, default, lowest, left_out = dense.PARAMETERS.get(f, ("", None, 0.0, False))
    assert_same_bits(ops.activation_forward(x, f, parameter=default), ops.activation_forward(x, f))
    if default is not None:
        assert left_out == (f == "elu")
        with pytest.raises(ValueError, match="parameter"):
            ops.activation_forward(x, f, parameter=lowest if left_out else lowest - 1)
