"""Softmax cross entropy: twin, derivatives, PyTorch, hard numbers, threads and refusals."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from reference import losses as twin
from reference.compare import assert_same_bits, assert_within, eps
from reference.refusals import refused

import optlab as ol
from optlab import ops

DTYPES = (np.float32, np.float64)
SHAPES = [(3, classes) for classes in (1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 63, 64, 65, 1000)]
SHAPES += [(rows, 10) for rows in (1, 2, 63, 64, 65, 1000)]
OPTIONS = [
    {"label_smoothing": smoothing, "reduction": reduction}
    for smoothing, reduction in itertools.product((0.0, 0.1, 1.0), ("mean", "sum", "none"))
]
KINDS = ("labels", "distributions", "weights")


def case(shape: tuple[int, int], dtype: Any, kind: str) -> tuple[Any, Any, Any]:
    """Logits, labels and a direction."""
    rng = np.random.default_rng(shape)
    logits, direction = (rng.normal(scale=3, size=shape).astype(dtype) for _ in range(2))
    if kind == "labels":
        return logits, rng.integers(0, shape[1], shape[0]), direction
    weights = rng.random(shape)
    if kind == "distributions":
        weights /= weights.sum(1, keepdims=True)
    return logits, weights.astype(dtype), direction


def weight_of(reduction: str, rows: int) -> float:
    return 1 / rows if reduction == "mean" else 1.0


def reduced(terms: Any, reduction: str) -> Any:
    return terms if reduction == "none" else terms.sum() * weight_of(reduction, len(terms))


def bounds(logits: Any, q: Any, reduction: str) -> tuple[Any, Any, Any]:
    """Of the loss, of dlogits, and the relative error of p: as in test_softmax, 24 eps for each sum, half of |x - max|
    and log(classes) for the exponentials, 6 and 8 for the rest."""
    unit, x = eps(logits.dtype), logits.astype(np.float64)
    below, spread = x.max(1, keepdims=True) - x, np.log(x.shape[1])
    total = q.sum(1)
    terms = unit * (total * (30 + spread) + 54 * (np.abs(twin.cross_entropy(x, q)) + (q * below).sum(1)))
    relative = unit * (below + spread + 60)
    weight = weight_of(reduction, len(x))
    return reduced(terms, reduction), weight * (twin.softmax(x) * total[:, None] * relative + 4 * unit * q), relative


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_twin(shape: tuple[int, int], kind: str, dtype: Any) -> None:
    logits, labels, _ = case(shape, dtype, kind)
    x = logits.astype(np.float64)
    for options in OPTIONS:
        how, q = options["reduction"], twin.smoothed(labels, shape[1], options["label_smoothing"])
        of_loss, of_gradient, _ = bounds(logits, q, how)
        loss, dlogits = ops.softmax_cross_entropy(logits, labels, **options)
        assert loss.dtype == dlogits.dtype == dtype
        assert loss.shape == (shape[:1] if how == "none" else ())
        assert_within(loss, reduced(twin.cross_entropy(x, q), how), of_loss)
        assert_within(dlogits, weight_of(how, shape[0]) * twin.cross_entropy_gradient(x, q), of_gradient)
        value, nothing = ops.softmax_cross_entropy(logits, labels, gradient=False, **options)
        assert nothing is None
        assert_same_bits(value, loss)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_tangents_are_derivatives_of_the_twin(shape: tuple[int, int], kind: str, dtype: Any) -> None:
    logits, labels, direction = case(shape, dtype, kind)
    x, v, unit = logits.astype(np.float64), direction.astype(np.float64), eps(dtype)
    p, total = twin.softmax(x), lambda terms: terms.sum(1, keepdims=True)
    for options in OPTIONS:
        how, q = options["reduction"], twin.smoothed(labels, shape[1], options["label_smoothing"])
        *_, relative = bounds(logits, q, how)
        loss_dot, dlogits_dot = ops.softmax_cross_entropy_tangent(direction, logits, labels, **options)
        slopes = twin.derivative(lambda z, q=q: twin.cross_entropy(z, q), x, v)
        mean, of_mean = total(p * np.abs(v)), total(p * np.abs(v) * relative)  # u and its error
        error = total(q) * of_mean + 60 * unit * total(q * (np.abs(v) + mean))
        assert_within(loss_dot, reduced(slopes, how), reduced(error[:, 0], how))
        hessian = twin.derivative(lambda z, q=q: twin.cross_entropy_gradient(z, q), x, v)
        error = total(q) * p * ((np.abs(v) + mean) * relative + of_mean)
        weight = weight_of(how, shape[0])
        assert_within(dlogits_dot, weight * hessian, weight * error)


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_is_a_derivative(kind: str) -> None:
    logits, labels, direction = case((5, 9), np.float64, kind)
    for options in OPTIONS:
        q = twin.smoothed(labels, 9, options["label_smoothing"])
        _, dlogits = ops.softmax_cross_entropy(logits, labels, **options)
        exact = twin.derivative(lambda z, q=q: twin.cross_entropy(z, q), logits, direction)
        slope = (dlogits * direction).sum()
        assert abs(slope - exact.sum() * weight_of(options["reduction"], 5)) <= 1e3 * eps(np.float64)
        h = 1e-6
        ahead, behind = (
            ops.softmax_cross_entropy(logits + sign * h * direction, labels, **options)[0].sum() for sign in (1, -1)
        )
        assert abs((ahead - behind) / (2 * h) - slope) <= 1e-7  # h² |f'''| and eps / h


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_pytorch(shape: tuple[int, int], kind: str, dtype: Any) -> None:
    torch = pytest.importorskip("torch")
    logits, labels, direction = case(shape, dtype, kind)
    for options in OPTIONS:
        x = torch.from_numpy(logits).requires_grad_()
        theirs = torch.nn.functional.cross_entropy(x, torch.from_numpy(labels), **options)
        (gradient,) = torch.autograd.grad(theirs.sum(), x, create_graph=True)
        (hessian,) = torch.autograd.grad((gradient * torch.from_numpy(direction)).sum(), x)
        q = twin.smoothed(labels, shape[1], options["label_smoothing"])
        of_loss, of_gradient, _ = bounds(logits, q, options["reduction"])
        loss, dlogits = ops.softmax_cross_entropy(logits, labels, **options)
        assert_within(loss, theirs.detach().numpy(), 2 * of_loss)
        # PyTorch takes exp(log p) and adds q up: its relative error grows with |log p| and the number of classes
        slack = shape[1] * eps(dtype) * weight_of(options["reduction"], shape[0]) * q.sum(1, keepdims=True)
        assert_within(dlogits, gradient.detach().numpy(), 2 * of_gradient + slack)
        _, dlogits_dot = ops.softmax_cross_entropy_tangent(direction, logits, labels, **options)
        assert_within(dlogits_dot, hessian.numpy(), 40 * slack * np.abs(direction).max() + 100 * of_gradient)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
def test_out_threads_and_alignment_change_nothing(kind: str, dtype: Any) -> None:
    for shape, options in itertools.product(((4000, 10), (300, 100), (7, 3001), (5, 17)), OPTIONS):
        logits, labels, direction = case(shape, dtype, kind)
        with ol.threads(1):
            alone = ops.softmax_cross_entropy(logits, labels, **options)
            tangents = ops.softmax_cross_entropy_tangent(direction, logits, labels, **options)
        shifted = np.empty(logits.size + 1, dtype)[1:].reshape(shape)
        shifted[...] = logits
        for count in (2, 3):
            with ol.threads(count):
                out = (np.full_like(alone[0], np.nan), np.full(logits.size + 1, np.nan, dtype)[1:].reshape(shape))
                got = ops.softmax_cross_entropy(shifted, labels, out=out, **options)
                assert got[0] is out[0] and got[1] is out[1]
                their = ops.softmax_cross_entropy_tangent(direction, shifted, labels, **options)
            for one, another in zip((*got, *their), (*alone, *tangents), strict=True):
                assert_same_bits(one, another)


def loss_of(logits: list[float], labels: Any, dtype: Any, **options: Any) -> tuple[float, list[float]]:
    loss, gradient = ops.softmax_cross_entropy(np.array([logits], dtype), np.array([labels]), **options)
    return float(loss), gradient[0].tolist()


@pytest.mark.parametrize("dtype", DTYPES)
def test_hard_numbers(dtype: Any) -> None:
    inf, third = np.inf, dtype(1) / dtype(3)
    assert loss_of([1e4, -1e4], 0, dtype) == (0.0, [0.0, 0.0])
    assert loss_of([1e4, -1e4], 1, dtype) == (2e4, [1.0, -1.0])
    assert loss_of([0.0, -inf], 0, dtype) == (0.0, [0.0, 0.0])
    assert loss_of([0.0, -inf], 1, dtype) == (inf, [1.0, -1.0])
    assert loss_of([7.0], 0, dtype, label_smoothing=0.3)[0] == 0.0
    assert loss_of([0.0, -inf], 0, dtype, label_smoothing=0.5) == (inf, [0.25, -0.25])
    loss, gradient = loss_of([2.0, 2.0, 2.0], 0, dtype)
    assert_within([loss, *gradient], [np.log(3), third - 1, third, third], 2 * eps(dtype))
    assert all(np.isnan(x) for x in loss_of([np.nan, 0.0], 1, dtype)[1])
    zero = np.array([[1.0, 0.0]], dtype)  # a target of 0 beside a logit of -inf costs nothing
    assert ops.softmax_cross_entropy(np.array([[0.0, -inf]], dtype), zero)[0] == 0.0


def test_ten_million_rows_are_added_accurately() -> None:
    rows = 10_000_000
    logits = np.broadcast_to(np.array([0.1, 0.7], np.float32), (rows, 2)).copy()
    loss, _ = ops.softmax_cross_entropy(logits, np.zeros(rows, np.int64), gradient=False)
    exact = np.log1p(np.exp(np.float64(logits[0, 1]) - logits[0, 0]))
    assert abs(loss - exact) <= 24 * eps(np.float32) * exact


GOOD = {"logits": np.zeros((3, 4), np.float32), "labels": np.array([0, 1, 2])}
REFUSED: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"labels": np.array([0, 4, 9])}, ValueError, "^labels: got 4 in row 1, expected a class from 0 to 3$"),
    ({"labels": np.array([0, 1, -1])}, ValueError, "^labels: got -1 in row 2, expected a class from 0 to 3$"),
    ({"labels": np.array([0, 1, 2**63 - 1])}, ValueError, "^labels: got 9223372036854775807 in row 2, expected"),
    ({"labels": np.array([0, 1])}, ValueError, r"^labels: got shape \(2,\), expected \(3,\)"),
    ({"labels": np.array([0, 1, 2], np.int32)}, TypeError, "^labels: got dtype int32, expected int64"),
    ({"labels": [0, 1, 2]}, TypeError, "^labels: got builtins.list"),
    ({"labels": np.zeros((3, 4))}, TypeError, "^labels: got dtype float64, expected float32"),
    ({"labels": np.zeros((3, 5), np.float32)}, ValueError, r"^labels: got shape \(3, 5\), expected \(3, 4\)"),
    ({"logits": np.zeros(4, np.float32)}, ValueError, r"^logits: got shape \(4,\), expected \(any, any\)"),
    ({"logits": np.zeros((3, 4), int)}, TypeError, "^logits: got dtype int64, expected float32 or float64"),
    ({"logits": np.zeros((3, 8), np.float32)[:, ::2]}, ValueError, "^logits: got a strided array"),
    ({"label_smoothing": 1.5}, ValueError, r"^label_smoothing: got 1.5, expected a number in \[0, 1\]"),
    ({"label_smoothing": -0.1}, ValueError, "^label_smoothing: got -0.1, expected"),
    ({"label_smoothing": np.nan}, ValueError, "^label_smoothing: got nan, expected"),
    ({"label_smoothing": "0.1"}, TypeError, "^label_smoothing: got '0.1', expected a number"),
    ({"reduction": "average"}, ValueError, "^reduction: got 'average', expected 'mean', 'sum' or 'none'"),
    ({"reduction": None}, ValueError, "^reduction: got None, expected"),
    ({"out": np.zeros((3, 4), np.float32)}, TypeError, "^out: expected a tuple of 2 arrays"),
    ({"out": (None, np.zeros((3, 4)))}, TypeError, "^dlogits.*: got dtype float64"),
    ({"out": (None, GOOD["logits"])}, ValueError, "^logits and dlogits.*: got overlapping memory"),
    ({"out": (np.zeros(3, np.float32), None)}, ValueError, r"^loss.*: got shape \(3,\), expected \(\)"),
]


@pytest.mark.parametrize(("wrong", "kind", "text"), REFUSED, ids=[text[1:50] for *_, text in REFUSED])
def test_refusals(wrong: dict[str, Any], kind: type[Exception], text: str) -> None:
    out = (np.full((), 7, np.float32), np.full((3, 4), 7, np.float32))
    for function, extra in (
        (ops.softmax_cross_entropy, ()),
        (ops.softmax_cross_entropy_tangent, (np.ones((3, 4), np.float32),)),
    ):
        given = GOOD | {"out": out} | wrong
        arrays = given.pop("logits"), given.pop("labels")
        refused(lambda f=function, e=extra, a=arrays, g=given: f(*e, *a, **g), kind, text)
    assert (out[0] == 7).all() and (out[1] == 7).all() and not GOOD["logits"].any()


def test_an_unwanted_gradient_is_refused_an_array() -> None:
    out = (None, np.zeros((3, 4), np.float32))
    refused(
        lambda: ops.softmax_cross_entropy(*GOOD.values(), gradient=False, out=out),
        ValueError,
        "^dlogits: got an array, expected None because of gradient=False",
    )
