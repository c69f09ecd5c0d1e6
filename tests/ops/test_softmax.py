"""Softmax and its logarithm: twin, derivatives, PyTorch, hard numbers, threads and refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from reference import losses as twin
from reference.compare import assert_same_bits, assert_within, eps
from reference.refusals import refused

import optlab as ol
from optlab import ops

DTYPES = (np.float32, np.float64)
CLASSES = (1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 63, 64, 65, 1000)
ROWS = (1, 2, 3, 63, 64, 65, 1000)
SHAPES = [(3, classes) for classes in CLASSES] + [(rows, 10) for rows in ROWS]
FORWARD = ("softmax_forward", "log_softmax_forward")
OPERANDS = {  # function -> its arrays; y is the forward result, *_dot and dy are anything
    "softmax_forward": ("x",),
    "log_softmax_forward": ("x",),
    "softmax_backward": ("dy", "y"),
    "log_softmax_backward": ("dy", "y"),
    "softmax_forward_tangent": ("x_dot", "y"),
    "log_softmax_forward_tangent": ("x_dot", "y"),
    "softmax_backward_tangent": ("dy_dot", "y_dot", "dy", "y"),
    "log_softmax_backward_tangent": ("dy_dot", "y_dot", "dy", "y"),
}


def forward_twin(name: str) -> Callable[[Any], Any]:
    return twin.log_softmax if name.startswith("log") else twin.softmax


def arrays(name: str, shape: tuple[int, int], dtype: Any) -> dict[str, Any]:
    rng = np.random.default_rng(shape)
    made = {key: rng.normal(scale=3, size=shape).astype(dtype) for key in ("x", "x_dot", "y_dot", "dy", "dy_dot")}
    return made | {"y": forward_twin(name)(made["x"].astype(np.float64)).astype(dtype)}


def call(name: str, of: dict[str, Any], **options: Any) -> Any:
    return getattr(ops, name)(*[of[key] for key in OPERANDS[name]], **options)


def expected(name: str, of: dict[str, Any]) -> Any:
    """By the twin; tangents by complex steps through it."""
    a = {key: array.astype(np.float64) for key, array in of.items()}
    backward = twin.log_softmax_backward if name.startswith("log") else twin.softmax_backward
    if name.endswith("backward_tangent"):
        at = np.concatenate([a["dy"], a["y"]], 1)
        return twin.derivative(lambda z: backward(*np.split(z, 2, 1)), at, np.concatenate([a["dy_dot"], a["y_dot"]], 1))
    if name == "softmax_forward_tangent":
        return twin.softmax_backward(a["x_dot"], a["y"])
    if name == "log_softmax_forward_tangent":  # at logits that have this y: y itself
        return twin.derivative(twin.log_softmax, a["y"], a["x_dot"])
    return forward_twin(name)(a["x"]) if name in FORWARD else backward(a["dy"], a["y"])


def bound(name: str, of: dict[str, Any], dtype: Any) -> Any:
    """k eps times what is added up. Forward: the sum is off by 24 eps (the tree) and by the roundings of x - max, which
    the exponential turns into relative errors, half of |x - max| each and of their mean, which is below log(classes); 6
    for exp, log and the last operations. Otherwise: sums of up to four products, 24 eps, and the same 6; y is given."""
    a = {key: np.abs(array.astype(np.float64)) for key, array in of.items()}
    classes = a["x"].shape[1]
    if name in FORWARD:
        below = np.abs(of["x"].astype(np.float64) - of["x"].max(1, keepdims=True))
        size = expected(name, of) if name == "softmax_forward" else 1.0
        return eps(dtype) * size * (below + 2 * np.log(classes) + 30)
    p = np.exp(of["y"].astype(np.float64)) if name.startswith("log") else a["y"]
    total = lambda terms: terms.sum(1, keepdims=True)  # noqa: E731
    if name == "softmax_backward_tangent":
        size = a["y_dot"] * (a["dy"] + total(p * a["dy"]))
        size += p * (a["dy_dot"] + total(a["y_dot"] * a["dy"] + p * a["dy_dot"]))
    elif name == "log_softmax_backward_tangent":
        size = a["dy_dot"] + p * (total(a["dy_dot"]) + a["y_dot"] * total(a["dy"]))
    else:
        v = a["x_dot" if "forward" in name else "dy"]
        own = 1.0 if name.startswith("log") else p
        size = v + p * total(v) if name == "log_softmax_backward" else own * (v + total(p * v))
    return 30 * eps(dtype) * size


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", OPERANDS)
def test_twin(name: str, dtype: Any) -> None:
    for shape in SHAPES:
        if shape[0] * shape[1] ** 2 > 1e7:  # the twin writes Jacobians down
            continue
        of = arrays(name, shape, dtype)
        got = call(name, of)
        assert got.dtype == dtype
        assert_within(got, expected(name, of), bound(name, of, dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", OPERANDS)
def test_out_threads_and_alignment_change_nothing(name: str, dtype: Any) -> None:
    for shape in ((300, 100), (7, 3001), (5, 17)):
        of = arrays(name, shape, dtype)
        with ol.threads(1):
            alone = call(name, of)
        shifted = {key: np.empty(array.size + 1, dtype)[1:].reshape(shape) for key, array in of.items()}
        for key, array in of.items():
            shifted[key][...] = array
        for count in (2, 3):
            with ol.threads(count):
                out = np.full(np.prod(shape) + 1, np.nan, dtype)[1:].reshape(shape)
                assert call(name, shifted, out=out) is out
                assert_same_bits(out, alone)


@pytest.mark.parametrize("name", ("softmax", "log_softmax"))
def test_forward_and_backward_are_adjoint(name: str) -> None:
    of = arrays(name, (65, 33), np.float64)
    across = np.sum(of["dy"] * call(f"{name}_forward_tangent", of))
    back = np.sum(call(f"{name}_backward", of) * of["x_dot"])
    size = np.sum(np.abs(of["dy"]) * (np.abs(of["x_dot"]) + np.abs(of["x_dot"]).sum(1, keepdims=True)))
    assert abs(across - back) <= 60 * eps(np.float64) * size


@pytest.mark.parametrize("name", ("softmax", "log_softmax"))
def test_tangents_are_differences_along_the_direction(name: str) -> None:
    of, h = arrays(name, (5, 9), np.float64), 1e-6
    move = lambda x: getattr(ops, f"{name}_forward")(x)  # noqa: E731
    tangent = getattr(ops, f"{name}_forward_tangent")(of["x_dot"], move(of["x"]))
    difference = (move(of["x"] + h * of["x_dot"]) - move(of["x"] - h * of["x_dot"])) / (2 * h)
    assert_within(tangent, difference, 1e-8)  # h² |f'''| ~ 1e-12 · 30 · 9, and eps / h ~ 1e-9
    back = lambda s: call(f"{name}_backward", {k: of[k] + s * of[f"{k}_dot"] for k in ("dy", "y")})  # noqa: E731
    assert_within(call(f"{name}_backward_tangent", of), (back(h) - back(-h)) / (2 * h), 1e-5)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ("softmax", "log_softmax"))
def test_pytorch(name: str, dtype: Any) -> None:
    torch = pytest.importorskip("torch")
    for shape in SHAPES:
        of = arrays(name, shape, dtype)
        x = torch.from_numpy(of["x"]).requires_grad_()
        y = getattr(torch, name)(x, 1)
        (dx,) = torch.autograd.grad(y, x, torch.from_numpy(of["dy"]))
        assert_within(call(f"{name}_forward", of), y.detach().numpy(), 2 * bound(f"{name}_forward", of, dtype))
        of["y"] = y.detach().numpy()
        allowed = 2 * bound(f"{name}_backward", of, dtype)
        if name == "softmax" or shape[1] < 65:  # PyTorch adds a row in plain order: its error grows with the row
            assert_within(call(f"{name}_backward", of), dx.numpy(), allowed)


INF, NAN = np.inf, np.nan
HARD = {  # logits -> probabilities
    "equal": ([5.0, 5.0, 5.0, 5.0], [0.25] * 4),
    "large": ([1e4, -1e4, 1e4], [0.5, 0.0, 0.5]),
    "impossible": ([-INF, 0.0, 0.0], [0.0, 0.5, 0.5]),
    "certain": ([-INF, 3.0, -INF], [0.0, 1.0, 0.0]),
    "one": ([-1e4], [1.0]),
    "signed zeros": ([-0.0, 0.0], [0.5, 0.5]),
    "infinite": ([INF, 0.0], [NAN, NAN]),
    "all impossible": ([-INF, -INF], [NAN, NAN]),
    "nan": ([0.0, NAN, 0.0], [NAN] * 3),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", HARD)
def test_hard_numbers(case: str, dtype: Any) -> None:
    logits, probabilities = HARD[case]
    for repeat in (1, 8):  # longer than a register, too
        x = np.array([logits * repeat], dtype)
        p = np.array([probabilities * repeat], dtype) / repeat
        np.testing.assert_array_equal(ops.softmax_forward(x), p)
        with np.errstate(divide="ignore"):
            assert_within(np.exp(ops.log_softmax_forward(x)[~np.isnan(p)]), p[~np.isnan(p)], 4 * eps(dtype))
            assert np.isnan(ops.log_softmax_forward(x)[np.isnan(p)]).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_tails_of_probability_keep_their_digits(dtype: Any) -> None:
    x = np.array([[0.0, -60.0, -86.0]], dtype)
    assert_within(ops.softmax_forward(x) / np.exp(x.astype(np.float64)), 1.0, 4 * eps(dtype))


@pytest.mark.parametrize("name", OPERANDS)
def test_refusals(name: str) -> None:
    good, out = arrays(name, (3, 4), np.float32), np.full((3, 4), 7, np.float32)
    for key in OPERANDS[name]:
        wrong = good[key]
        wrongs = [
            (wrong.tolist(), TypeError, "got builtins.list"),
            (wrong[0], ValueError, r"got shape \(4,\)"),
            (wrong[:, ::2], ValueError, "got a strided array"),
            (wrong.astype(np.int64), TypeError, "got dtype int64"),
            (wrong[:0], ValueError, "got an empty array"),
        ]
        if key != OPERANDS[name][0]:  # which sets type and shape
            wrongs += [(wrong.astype(np.float64), TypeError, "got dtype"), (wrong[:2], ValueError, "got shape")]
        for bad, kind, text in wrongs:
            refused(lambda bad=bad, key=key: call(name, good | {key: bad}, out=out), kind, f"^{key}: ", text)
        refused(lambda wrong=wrong: call(name, good, out=wrong), ValueError, "overlapping memory")
    frozen = np.ones((3, 4), np.float32)
    frozen.flags.writeable = False
    refused(lambda: call(name, good, out=frozen), ValueError, "read-only")
    refused(lambda: call(name, good, out=np.ones((4, 3), np.float32)), ValueError, r"got shape \(4, 3\)")
    assert (out == 7).all()
