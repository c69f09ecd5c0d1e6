"""Activations: the twin, awkward sizes, PyTorch, differences, bits and refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from reference.activations import CURVATURE, DEFAULTS, PARAMETERS, SLOPE, VALUE
from reference.compare import assert_same_bits, assert_within, eps
from reference.refusals import refused

import optlab as ol
from optlab import ops

DTYPES = (np.float32, np.float64)
CASES = [(name, parameter) for name in VALUE for parameter in PARAMETERS.get(name, (None,))]
SIZES = (1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 63, 64, 65, 1000)
each_case = pytest.mark.parametrize(("name", "parameter"), CASES)
each_dtype = pytest.mark.parametrize("dtype", DTYPES)


def arrays(dtype: Any, shape: Any = 4001, seed: int = 0) -> list[np.ndarray]:
    """x with 0 and large arguments among ordinary ones, and dy, x_dot, dy_dot."""
    rng = np.random.default_rng(seed)
    made = [rng.normal(size=shape).astype(dtype) for _ in range(4)]
    made[0].reshape(-1)[::7] *= 20
    made[0].reshape(-1)[::11] = 0
    return made


def passes(x: Any, dy: Any, x_dot: Any, dy_dot: Any, name: str, parameter: Any) -> tuple[np.ndarray, ...]:
    """y, dx, y_dot, dx_dot."""
    y = ops.activation_forward(x, name, parameter=parameter)
    dx = ops.activation_backward(dy, y, name, parameter=parameter)
    y_dot = ops.activation_forward_tangent(x_dot, y, name, parameter=parameter)
    return y, dx, y_dot, ops.activation_backward_tangent(dy_dot, y_dot, dy, y, name, parameter=parameter)


def test_the_names_are_those_of_the_list() -> None:
    assert ops.activations == tuple(VALUE)


@each_dtype
@each_case
def test_the_twin(name: str, parameter: Any, dtype: Any) -> None:
    given = arrays(dtype)
    y, dx, y_dot, dx_dot = passes(*given, name, parameter)
    x64, dy64, x_dot64, dy_dot64 = (array.astype(np.float64) for array in given)
    a = float(dtype(DEFAULTS.get(name, 0.0) if parameter is None else parameter))
    value, slope, curvature = VALUE[name](x64, a), SLOPE[name](x64, a), CURVATURE[name](x64, a)
    # y: 3 ulp of the functions and 1 for a product; where dtype is float64 the twin itself errs by as much
    unit, scale, small = eps(dtype), max(1.0, a), 4 * float(np.finfo(dtype).smallest_subnormal)
    assert_within(y, value, 8 * unit * np.abs(value) + small)
    # f' as a function of y in [-1, 1] (elu: [-a, 0]) passes the error of y on by at most 2, and rounds 3 times
    allowed = 12 * unit * scale
    assert_within(dx, slope * dy64, allowed * np.abs(dy64) + small)
    assert_within(y_dot, slope * x_dot64, allowed * np.abs(x_dot64) + small)
    # f'' passes it on by at most 4, rounds 5 times, and the sum once more
    exact = slope * dy_dot64 + curvature * dy64 * x_dot64
    bend = 24 * unit * scale * np.abs(dy64 * x_dot64)
    assert_within(dx_dot, exact, (allowed + unit) * np.abs(dy_dot64) + bend + small)


@each_dtype
@each_case
def test_awkward_sizes_shapes_and_places(name: str, parameter: Any, dtype: Any) -> None:
    given = arrays(dtype, 1024)
    whole = passes(*given, name, parameter)
    for size in SIZES:
        for got, expected in zip(passes(*(a[:size].copy() for a in given), name, parameter), whole, strict=True):
            assert_same_bits(got, expected[:size])
        unaligned = [a[3 : 3 + size] for a in given]
        for got, expected in zip(passes(*unaligned, name, parameter), whole, strict=True):
            assert_same_bits(got, expected[3 : 3 + size])
    cubes = passes(*(a.reshape(2, 16, 32) for a in given), name, parameter)
    for got, expected in zip(cubes, whole, strict=True):
        assert_same_bits(got.reshape(-1), expected)


@each_dtype
@each_case
def test_threads_and_given_outputs_change_no_bit(name: str, parameter: Any, dtype: Any) -> None:
    given = arrays(dtype, 100_003)
    with ol.threads(1):
        alone = passes(*given, name, parameter)
    for threads in (2, 3):
        with ol.threads(threads):
            for got, expected in zip(passes(*given, name, parameter), alone, strict=True):
                assert_same_bits(got, expected)
    out = np.full_like(given[0], np.nan)
    assert ops.activation_forward(given[0], name, parameter=parameter, out=out) is out
    assert_same_bits(out, alone[0])


@each_case
def test_differences(name: str, parameter: Any) -> None:
    x, dy, x_dot, dy_dot = arrays(np.float64, 500)
    x[np.abs(x) < 1e-3] = 0.5  # away from the kink
    h = 6e-6  # the cube root of eps
    _, _, y_dot, dx_dot = passes(x, dy, x_dot, dy_dot, name, parameter)

    def at(t: float) -> tuple[np.ndarray, ...]:
        return passes(x + t * x_dot, dy + t * dy_dot, x_dot, dy_dot, name, parameter)[:2]

    scale = (1 + np.abs(dy) + np.abs(dy_dot)) * (1 + np.abs(x_dot)) ** 3 * max(1.0, parameter or 1.0)
    # third derivatives are below 2, and dx moves with two arguments: 3 h²; 20 eps |y| / h where |y| <= 80 by rounding
    bound = (3 * h * h + 20 * 80 * eps(np.float64) / h) * scale
    for got, high, low in zip((y_dot, dx_dot), at(h), at(-h), strict=True):
        assert_within(got, (high - low) / (2 * h), bound)


@each_case
def test_the_twins_derivatives_by_complex_steps(name: str, parameter: Any) -> None:
    x = arrays(np.float64, 500)[0]
    a = DEFAULTS.get(name, 0.0) if parameter is None else parameter
    step = VALUE[name](x + 1e-30j, a).imag / 1e-30
    assert_within(step, SLOPE[name](x, a), 20 * eps(np.float64) * max(1.0, a))


@each_dtype
@each_case
def test_forward_and_backward_are_transposes(name: str, parameter: Any, dtype: Any) -> None:
    x, dy, x_dot, dy_dot = arrays(dtype)
    _, dx, y_dot, _ = passes(x, dy, x_dot, dy_dot, name, parameter)
    left, right = dy.astype(np.float64) @ y_dot, dx.astype(np.float64) @ x_dot
    # every term is one rounding (eps/2) away from the exact product, on both sides
    terms = np.abs(dy.astype(np.float64) * y_dot).sum()
    assert abs(left - right) <= (2 * eps(dtype) + len(x) * eps(np.float64)) * terms


@each_case
def test_pytorch_agrees(name: str, parameter: Any) -> None:
    torch = pytest.importorskip("torch")
    f = torch.nn.functional
    option = {} if parameter is None else {"negative_slope" if name == "leaky_relu" else "alpha": parameter}
    peer = {"identity": lambda x: x + 0, "leaky_relu": f.leaky_relu, "elu": f.elu, "relu": f.relu}.get(
        name, getattr(torch, name, None)
    )
    given = arrays(np.float64)
    given[0][given[0] == 0] = -1  # at 0 PyTorch's elu takes f' from the left and f'' from the right
    x, dy = (torch.from_numpy(array).requires_grad_() for array in given[:2])
    y = peer(x, **option)
    (dx,) = torch.autograd.grad(y, x, dy, create_graph=True)
    # every element of dx depends on its own x and dy alone, so the gradients of the sum are the two derivatives
    bend, slope = torch.autograd.grad(dx.sum(), (x, dy), materialize_grads=True)
    expected = y.detach().numpy(), dx.detach().numpy(), slope.numpy() * given[2]
    expected = *expected, bend.numpy() * given[2] + slope.numpy() * given[3]
    size = max(1.0, parameter or 1.0) * (1 + np.abs(given[1])) * (1 + np.abs(given[2])) * (1 + np.abs(given[3]))
    for got, exact in zip(passes(*given, name, parameter), expected, strict=True):
        # twice the bound of the twin's test, since both sides err
        assert_within(got, exact, 48 * eps(np.float64) * np.maximum(np.abs(exact), size))


@each_dtype
@each_case
def test_what_is_not_finite_passes(name: str, parameter: Any, dtype: Any) -> None:
    x = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e30, -1e30], dtype)
    y = ops.activation_forward(x, name, parameter=parameter)
    with np.errstate(all="ignore"):
        a = dtype(DEFAULTS.get(name, 0.0) if parameter is None else parameter)
        expected = VALUE[name](x.astype(np.float64), float(a))
        np.testing.assert_array_equal(y, expected.astype(dtype))
    dx = ops.activation_backward(np.ones_like(x), y, name, parameter=parameter)
    assert np.isnan(dx[0]) or name in ("identity", "relu", "leaky_relu")
    assert np.isfinite(dx[3:]).all()


@each_dtype
def test_the_kink_belongs_to_the_left_branch(dtype: Any) -> None:
    x, one = np.zeros(3, dtype), np.ones(3, dtype)
    for name, parameter, slope in (("relu", None, 0.0), ("leaky_relu", 0.25, 0.25), ("elu", 2.0, 2.0)):
        y = ops.activation_forward(x, name, parameter=parameter)
        assert_same_bits(ops.activation_backward(one, y, name, parameter=parameter), slope * one)


X, Y = np.ones((3, 4)), np.ones((3, 4))
READ_ONLY = np.ones((3, 4))
READ_ONLY.flags.writeable = False
REFUSED: list[tuple[Any, type[Exception], str]] = [
    (lambda: ops.activation_forward(X, "gelu"), ValueError, "activation: got 'gelu', expected one of identity, sig"),
    (lambda: ops.activation_forward(X, None), TypeError, "activation: got None, expected a name"),
    (lambda: ops.activation_forward(X, "relu", parameter=1.0), ValueError, "parameter: got 1.0.*relu has no parameter"),
    (lambda: ops.activation_forward(X, "elu", parameter=0.0), ValueError, "got 0.0, expected a finite alpha > 0"),
    (lambda: ops.activation_forward(X, "leaky_relu", parameter=-1), ValueError, "got -1.*negative_slope >= 0"),
    (lambda: ops.activation_forward(X, "elu", parameter=float("nan")), ValueError, "got nan.*alpha > 0"),
    (lambda: ops.activation_forward(X, "elu", parameter=float("inf")), ValueError, "got inf.*alpha > 0"),
    (lambda: ops.activation_forward(X, "elu", parameter="1"), TypeError, "parameter: got '1', expected a number"),
    (lambda: ops.activation_forward(X, "elu", parameter=True), TypeError, "parameter: got True, expected a number"),
    (lambda: ops.activation_forward(X.astype(int), "elu"), TypeError, "x: got dtype int64"),
    (lambda: ops.activation_forward(X.T, "elu"), ValueError, "x: got a strided array"),
    (lambda: ops.activation_forward(np.ones(()), "elu"), ValueError, "x: got 0 dimensions"),
    (lambda: ops.activation_forward(X, out=np.ones((4, 3))), ValueError, r"out: got shape \(4, 3\), expected \(3, 4\)"),
    (lambda: ops.activation_forward(X, out=READ_ONLY), ValueError, "out: got a read-only array"),
    (lambda: ops.activation_forward(X, out=X), ValueError, "x and out: got overlapping memory"),
    (lambda: ops.activation_backward(X, np.ones(12), "elu"), ValueError, r"y: got shape \(12,\), expected \(3, 4\)"),
    (lambda: ops.activation_backward(X, Y.astype("f"), "elu"), TypeError, "y: got dtype float32, expected float64"),
    (lambda: ops.activation_backward([1.0], Y, "elu"), TypeError, "dy: got builtins.list"),
    (lambda: ops.activation_forward_tangent([1.0], Y, "elu"), TypeError, "x_dot: got builtins.list"),
    (lambda: ops.activation_backward_tangent(X, X, X[:2], Y, "elu"), ValueError, r"dy: got shape \(2, 4\)"),
    (lambda: ops.activation_backward_tangent(X, X, X, Y, "elu", out=Y), ValueError, "y and out: got overlap"),
]


@pytest.mark.parametrize(("call", "kind", "pattern"), REFUSED, ids=[case[2] for case in REFUSED])
def test_refusals(call: Any, kind: type[Exception], pattern: str) -> None:
    refused(call, kind, pattern)
    assert (X == 1).all() and (Y == 1).all() and (READ_ONLY == 1).all()
