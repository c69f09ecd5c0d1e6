"""Linear passes: the formulas, their derivatives by complex steps, PyTorch, bits, refusals."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
from reference import linear as twin
from reference.compare import assert_same_bits, assert_within, eps
from reference.refusals import refused

import optlab as ol

ops = ol.ops
FOLLOWING = {  # activation, parameter, dropout
    "plain": ("identity", None, None),
    "sigmoid": ("sigmoid", None, None),
    "tanh": ("tanh", None, None),
    "relu": ("relu", None, None),
    "leaky_relu": ("leaky_relu", 0.2, None),
    "elu": ("elu", 0.7, None),
    "dropped": ("identity", None, ops.Dropout(0.3, 5)),
    "relu_dropped": ("relu", None, ops.Dropout(0.5, 7, step=2**40, run=3)),
    "tanh_dropped": ("tanh", None, ops.Dropout(0.1, 2**63, stream=9)),
}
SHAPES = [(1, 1, 1), (2, 3, 2), (3, 7, 5), (63, 17, 10), (64, 33, 66), (65, 9, 31), (1000, 5, 3), (33, 530, 70)]
STEP = 1e-30


class Case:
    """One pass with its direction, in float64; sums of many terms keep their sizes near 1."""

    def __init__(self, shape: tuple[int, int, int], following: str) -> None:
        batch, wide, out = shape
        normal = functools.partial(ol.random.normal, stream=20)
        self.x, self.x_dot = normal((batch, wide), 1), normal((batch, wide), 2)
        self.weight, self.weight_dot = (normal((out, wide), seed) / np.sqrt(wide) for seed in (3, 4))
        self.bias, self.bias_dot = normal(out, 5), normal(out, 6)
        self.dy, self.dy_dot = normal((batch, out), 7), normal((batch, out), 8)
        name, parameter, dropout = FOLLOWING[following]
        self.following = (name, {"leaky_relu": 0.2, "elu": 0.7}.get(name, 0.0), dropout)
        self.options: dict[str, Any] = {"activation": name, "parameter": parameter, "dropout": dropout}

    def stepped(self) -> list[Any]:
        """dy, x, weight and bias, moved by an imaginary step along the direction."""
        pairs = [(self.dy, self.dy_dot), (self.x, self.x_dot), (self.weight, self.weight_dot)]
        return [a + 1j * STEP * d for a, d in [*pairs, (self.bias, self.bias_dot)]]

    def cast(self, dtype: Any) -> Case:
        for name in ("x", "x_dot", "weight", "weight_dot", "bias", "bias_dot", "dy", "dy_dot"):
            setattr(self, name, getattr(self, name).astype(dtype))
        return self

    def y(self) -> Any:
        return ops.linear_forward(self.x, self.weight, self.bias, **self.options)

    def y_dot(self) -> Any:
        args = (self.x_dot, self.x, self.weight, self.y(), self.weight_dot, self.bias_dot)
        return ops.linear_forward_tangent(*args, **self.options)

    def gradients(self) -> Any:
        return ops.linear_backward(self.dy, self.x, self.weight, self.y(), **self.options)

    def gradients_dot(self) -> Any:
        args = (self.dy_dot, self.x_dot, self.dy, self.x, self.weight, self.y(), self.y_dot(), self.weight_dot)
        return ops.linear_backward_tangent(*args, **self.options)


def bound(dtype: Any, shape: tuple[int, int, int]) -> float:
    """Sums of up to n products of size about 1 (their spread grows as its root), each factor itself a few eps off."""
    n = max(shape)
    return 60 * eps(dtype) * (np.sqrt(n) + 8) * np.sqrt(np.log(n * n + 3))


everything = pytest.mark.parametrize("following", FOLLOWING)
shapes = pytest.mark.parametrize("shape", SHAPES, ids=str)
dtypes = pytest.mark.parametrize("dtype", (np.float32, np.float64))


@everything
@shapes
@dtypes
def test_forward_is_the_formula(shape: tuple[int, int, int], following: str, dtype: Any) -> None:
    case = Case(shape, following).cast(dtype)
    wide = [array.astype(np.float64) for array in (case.x, case.weight, case.bias)]
    assert_within(case.y(), twin.forward(*wide, *case.following), bound(dtype, shape))


@everything
@shapes
@dtypes
def test_backward_is_the_chain_rule(shape: tuple[int, int, int], following: str, dtype: Any) -> None:
    case = Case(shape, following).cast(dtype)
    wide = [array.astype(np.float64) for array in (case.dy, case.x, case.weight, case.bias)]
    for found, expected in zip(case.gradients(), twin.backward(*wide, *case.following), strict=True):
        assert_within(found, expected, bound(dtype, shape))


@everything
def test_the_twin_is_its_own_complex_step(following: str) -> None:
    case = Case((3, 7, 5), following)
    _, x, weight, bias = case.stepped()
    rate = (case.dy * twin.forward(x, weight, bias, *case.following)).sum().imag / STEP
    gradients = twin.backward(case.dy, case.x, case.weight, case.bias, *case.following)
    dots = (case.x_dot, case.weight_dot, case.bias_dot)
    expected = sum(float((g * d).sum()) for g, d in zip(gradients, dots, strict=True))
    assert rate == pytest.approx(expected, rel=1e-12)


@everything
@shapes
def test_tangents_are_complex_steps(shape: tuple[int, int, int], following: str) -> None:
    case = Case(shape, following)
    dy, x, weight, bias = case.stepped()
    y_dot = twin.forward(x, weight, bias, *case.following).imag / STEP
    assert_within(case.y_dot(), y_dot, bound(np.float64, shape))
    expected = [array.imag / STEP for array in twin.backward(dy, x, weight, bias, *case.following)]
    for found, wanted in zip(case.gradients_dot(), expected, strict=True):
        assert_within(found, wanted, 4 * bound(np.float64, shape))


@everything
@dtypes
def test_what_is_held_fixed_has_no_part(following: str, dtype: Any) -> None:
    for fixed in (["x_dot"], ["weight_dot"], ["bias_dot"], ["x_dot", "weight_dot"]):
        case, other = (Case((5, 9, 4), following).cast(dtype) for _ in range(2))
        for name in fixed:
            setattr(case, name, None)
            setattr(other, name, np.zeros_like(getattr(other, name)))
        assert_within(case.y_dot(), other.y_dot(), 8 * eps(dtype) * (1 + np.abs(other.y_dot())))
        for found, expected in zip(case.gradients_dot(), other.gradients_dot(), strict=True):
            assert_within(found, expected, 20 * eps(dtype) * (1 + np.abs(expected)))


@everything
@dtypes
@pytest.mark.parametrize("threads", (2, 3, 5))
def test_threads_change_no_bit(following: str, dtype: Any, threads: int) -> None:
    case = Case((520, 70, 130), following).cast(dtype)
    with ol.threads(1):
        alone = [case.y(), case.y_dot(), *case.gradients(), *case.gradients_dot()]
    with ol.threads(threads):
        shared = [case.y(), case.y_dot(), *case.gradients(), *case.gradients_dot()]
    for a, b in zip(alone, shared, strict=True):
        assert_same_bits(a, b)


@pytest.mark.parametrize("batch", (1, 2, 3, 63, 64, 65, 1000))
@pytest.mark.parametrize("following", [name for name, (_, _, dropout) in FOLLOWING.items() if not dropout])
@dtypes
def test_pytorch_agrees(batch: int, following: str, dtype: Any) -> None:
    torch = pytest.importorskip("torch")
    f = torch.nn.functional
    applied = {
        "plain": lambda z: z,
        "leaky_relu": lambda z: f.leaky_relu(z, 0.2),
        "elu": lambda z: f.elu(z, 0.7),
    } | {name: getattr(torch, name) for name in ("sigmoid", "tanh", "relu")}
    shape = (batch, 37, 21)
    case = Case(shape, following).cast(dtype)
    x, weight, bias = (torch.from_numpy(a.copy()).requires_grad_() for a in (case.x, case.weight, case.bias))
    y = applied[following](f.linear(x, weight, bias))
    y.backward(torch.from_numpy(case.dy))
    assert_within(case.y(), y.detach().numpy(), bound(dtype, shape))
    for found, expected in zip(case.gradients(), (x.grad, weight.grad, bias.grad), strict=True):
        assert_within(found, expected.numpy(), bound(dtype, shape))


@pytest.mark.parametrize("name", ("sigmoid", "tanh", "elu"))
@pytest.mark.parametrize("p", (0.1, 0.15, 0.3, 0.45, 0.7, 0.9))
def test_a_saturated_unit_is_never_pushed_the_wrong_way(name: str, p: float) -> None:
    """y = f(z) / (1 - p), taken back to f(z), may not leave the range of f by rounding: f' >= 0."""
    z = np.concatenate([np.linspace(-90, 90, 181, dtype=np.float32)] * 4)[None, :]
    options: dict[str, Any] = {"activation": name, "dropout": ops.Dropout(p, 1)}
    one, weight = np.ones((1, 1), np.float32), np.ascontiguousarray(z.T)
    y = ops.linear_forward(one, weight, **options)
    dbias = ops.linear_backward(np.ones_like(y), one, weight, y, **options)[2]
    assert (dbias >= 0).all() and (dbias > 0).any()


def test_no_bias_and_no_input_gradient() -> None:
    case = Case((6, 5, 4), "relu")
    y = ops.linear_forward(case.x, case.weight, activation="relu")
    assert_same_bits(y, ops.linear_forward(case.x, case.weight, np.zeros(4), "relu"))
    dx, dweight, dbias = ops.linear_backward(case.dy, case.x, case.weight, y, "relu", input_gradient=False)
    whole = ops.linear_backward(case.dy, case.x, case.weight, y, "relu")
    assert dx is None
    assert_same_bits(dweight, whole[1])
    assert_same_bits(dbias, whole[2])


def test_column_sums_stay_accurate_over_long_batches() -> None:
    """A running sum of 10^6 equal numbers would lose digits: (64 + 2) eps is what blocks with a carry may."""
    rows = 10**6
    dy, x = np.full((rows, 1), 0.1, np.float32), np.ones((rows, 1), np.float32)
    dbias = ops.linear_backward(dy, x, np.ones((1, 1), np.float32), input_gradient=False)[2]
    exact = rows * float(np.float32(0.1))
    assert_within(dbias, np.array([exact]), 66 * eps(np.float32) * exact)


def test_out_is_written() -> None:
    case = Case((6, 5, 4), "tanh")
    out = np.empty((6, 4))
    assert ops.linear_forward(case.x, case.weight, case.bias, "tanh", out=out) is out
    dweight = np.empty((4, 5))
    found = ops.linear_backward(case.dy, case.x, case.weight, out, "tanh", out=(None, dweight, None))
    assert found[1] is dweight and found[0].shape == (6, 5)


WRONG: list[tuple[type[Exception], str, dict[str, Any]]] = [
    (ValueError, r"weight: got shape \(4, 6\), expected \(any, 5\)", {"weight": np.ones((4, 6))}),
    (TypeError, "weight: got dtype float32, expected float64", {"weight": np.ones((4, 5), np.float32)}),
    (ValueError, r"bias: got shape \(5,\), expected \(4,\)", {"bias": np.ones(5)}),
    (ValueError, "x: got a strided array", {"x": np.ones((5, 6)).T}),
    (ValueError, "x: got an empty array", {"x": np.ones((0, 5))}),
    (ValueError, "activation: got 'rleu', expected one of identity", {"activation": "rleu"}),
    (TypeError, "activation: got 3, expected a name", {"activation": 3}),
    (ValueError, "parameter: got 1.0, expected None, since relu has no", {"activation": "relu", "parameter": 1.0}),
    (ValueError, "parameter: got -1.0, expected a finite alpha > 0", {"activation": "elu", "parameter": -1.0}),
    (TypeError, "dropout: got 0.5, expected None or", {"dropout": 0.5}),
    (ValueError, "p: got 1.0, expected a number >= 0 and < 1", {"dropout": ops.Dropout(1.0, 0)}),
    (ValueError, "seed: got -1", {"dropout": ops.Dropout(0.5, -1)}),
    (ValueError, r"y: got shape \(4, 6\), expected \(6, 4\)", {"out": np.ones((4, 6))}),
]


@pytest.mark.parametrize(("kind", "said", "change"), WRONG, ids=[said for _, said, _ in WRONG])
def test_wrong_input_is_refused(kind: type[Exception], said: str, change: dict[str, Any]) -> None:
    given = {"x": np.ones((6, 5)), "weight": np.ones((4, 5)), "bias": np.ones(4), **change}
    refused(lambda: ops.linear_forward(**given), kind, said)


def test_what_does_not_fit_the_backward_pass_is_refused() -> None:
    case, y = Case((6, 5, 4), "relu"), np.ones((6, 4))
    refused(lambda: ops.linear_backward(case.dy, case.x, case.weight, None, "relu"), TypeError, "y: got builtins.None")
    wanted = (np.empty((6, 5)), None, None)
    call = functools.partial(ops.linear_backward, case.dy, case.x, case.weight, y, "relu")
    refused(lambda: call(input_gradient=False, out=wanted), ValueError, "dx: got an array, expected None")
    refused(lambda: call(out=(None, None)), TypeError, r"out: expected a tuple of 3 arrays \(dx, dweight, dbias\)")
    refused(lambda: call(out=(case.x, None, None)), ValueError, "x and dx: got overlapping memory")
    refused(lambda: call(out=(y[:, :1], None, None)), ValueError, "dx: got a strided array")
