"""Element-wise losses: twin, derivatives, PyTorch, hard numbers, threads and refusals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from reference import losses as twin
from reference.compare import assert_same_bits, assert_within, eps
from reference.losses import LOSSES
from reference.losses_bits import of_losses
from reference.refusals import refused

import optlab as ol
from optlab import ops

DTYPES = (np.float32, np.float64)
SHAPES: list[tuple[int, ...]] = [(n,) for n in (1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 63, 64, 65, 1000, 8193, 20_003)]
SHAPES += [(), (5, 13), (2, 3, 4)]
REDUCTIONS = ("mean", "sum", "none")


def case(name: str, shape: tuple[int, ...], dtype: Any) -> tuple[Any, Any, Any]:
    """Predictions, targets and a direction; some targets are 0 and 1."""
    rng = np.random.default_rng((*shape, 1))
    p, v = (np.array(rng.normal(scale=2, size=shape)).astype(dtype) for _ in range(2))
    t = np.clip(rng.uniform(-0.2, 1.2, shape), 0, 1)
    return p, np.array(t).astype(dtype), v


def options_of(name: str) -> Iterator[dict[str, Any]]:
    option = LOSSES[name].option
    for reduction in (*REDUCTIONS, *(["batchmean"] if name == "kl_divergence" else [])):
        for value in option[1] if option else (None,):
            yield {"reduction": reduction, **({option[0]: value} if option else {})}


def number_of(name: str, options: dict[str, Any]) -> float:
    """The option of the rule, as a twin takes it."""
    option = LOSSES[name].option
    return options[option[0]] if option else 0.0


def weight_of(shape: tuple[int, ...], reduction: str) -> float:
    return {"mean": 1 / max(int(np.prod(shape)), 1), "batchmean": 1 / max((*shape, 1)[0], 1)}.get(reduction, 1.0)


def reduced(terms: Any, reduction: str) -> Any:
    return terms if reduction == "none" else terms.sum() * weight_of(terms.shape, reduction)


# A term: 8 eps of its scale (its few operations, exp and log). Their sum: 24 eps more (the tree). A slope: 8 and its
# weight. The mean of a kl_divergence may cancel, so all bounds are of sums of sizes.
TERM, SUMMED = 8, 34
SOME = [(name, shape) for name in LOSSES for shape in SHAPES]


def cases_of(name: str, shape: tuple[int, ...]) -> Iterator[dict[str, Any]]:
    for options in options_of(name):
        if shape or options["reduction"] != "batchmean":
            yield options


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "shape"), SOME)
def test_twin(name: str, shape: tuple[int, ...], dtype: Any) -> None:
    rule, (prediction, target, direction) = LOSSES[name], case(name, shape, dtype)
    p, t, v = (array.astype(np.float64) for array in (prediction, target, direction))
    for options in cases_of(name, shape):
        how, number = options["reduction"], number_of(name, options)
        weight, unit = weight_of(shape, how), eps(dtype)
        loss, gradient = getattr(ops, name)(prediction, target, **options)
        assert loss.dtype == gradient.dtype == dtype and gradient.shape == shape
        assert loss.shape == (shape if how == "none" else ())
        scale, slope_scale = rule.value_scale(p, t, number), rule.slope_scale(p, t, number)
        assert_within(loss, reduced(rule.value(p, t, number), how), SUMMED * unit * reduced(scale, how))
        assert_within(gradient, weight * rule.slope(p, t, number), TERM * unit * weight * slope_scale)
        value, nothing = getattr(ops, name)(prediction, target, gradient=False, **options)
        assert nothing is None
        assert_same_bits(value, loss)
        loss_dot, gradient_dot = getattr(ops, f"{name}_tangent")(direction, prediction, target, **options)
        slopes = twin.derivative(lambda z, n=number: rule.value(z, t, n), p, v)
        assert_within(loss_dot, reduced(slopes, how), SUMMED * unit * reduced(slope_scale * np.abs(v), how))
        curvatures = twin.derivative(lambda z, n=number: rule.slope(z, t, n), p, v)
        assert_within(gradient_dot, weight * curvatures, TERM * unit * weight * np.abs(curvatures))


@pytest.mark.parametrize("name", LOSSES)
def test_derivatives_are_differences(name: str) -> None:
    p, t, v = case(name, (33,), np.float64)
    f, h = getattr(ops, name), 1e-6
    for options in options_of(name):
        _, gradient = f(p, t, **options)
        ahead, behind = f(p + h * v, t, **options), f(p - h * v, t, **options)
        assert abs((ahead[0].sum() - behind[0].sum()) / (2 * h) - (gradient * v).sum()) <= 1e-7  # eps sum / h
        _, gradient_dot = getattr(ops, f"{name}_tangent")(v, p, t, **options)
        assert_within(gradient_dot, (ahead[1] - behind[1]) / (2 * h), 1e-7)


@pytest.mark.filterwarnings("ignore:reduction. 'mean'")  # of kl_div, which would have "batchmean" be the mean
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "shape"), SOME)
def test_pytorch(name: str, shape: tuple[int, ...], dtype: Any) -> None:
    functional = pytest.importorskip("torch").nn.functional
    import torch

    theirs = {
        "mse": functional.mse_loss,
        "l1": functional.l1_loss,
        "huber": functional.huber_loss,
        "binary_cross_entropy": functional.binary_cross_entropy_with_logits,
        "kl_divergence": functional.kl_div,
    }[name]
    rule, (prediction, target, _) = LOSSES[name], case(name, shape, dtype)
    p, t = prediction.astype(np.float64), target.astype(np.float64)
    for options in cases_of(name, shape):
        how, number = options["reduction"], number_of(name, options)
        weight, unit = weight_of(shape, how), eps(dtype)
        x, given = torch.from_numpy(prediction).requires_grad_(), dict(options)
        s = given.pop("label_smoothing", 0.0)
        expected = theirs(x, torch.from_numpy(np.array(target * dtype(1 - s) + dtype(s / 2))), **given)
        (slope,) = torch.autograd.grad(expected.sum(), x)
        loss, gradient = getattr(ops, name)(prediction, target, **options)
        terms = reduced(rule.value_scale(p, t, number), how)
        assert_within(loss, expected.detach().numpy(), 2 * SUMMED * unit * terms)
        assert_within(gradient, slope.numpy(), 2 * TERM * unit * weight * rule.slope_scale(p, t, number))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", LOSSES)
def test_out_threads_and_alignment_change_nothing(name: str, dtype: Any) -> None:
    shape = (40_003,)
    prediction, target, direction = case(name, shape, dtype)
    shifted = np.empty(40_004, dtype)[1:]
    shifted[...] = prediction
    for options in options_of(name):
        with ol.threads(1):
            alone = getattr(ops, name)(prediction, target, **options)
            tangents = getattr(ops, f"{name}_tangent")(direction, prediction, target, **options)
        for count in (2, 3):
            with ol.threads(count):
                out = (np.full_like(alone[0], np.nan), np.full(40_004, np.nan, dtype)[1:])
                got = getattr(ops, name)(shifted, target, out=out, **options)
                assert got[0] is out[0] and got[1] is out[1]
                theirs = getattr(ops, f"{name}_tangent")(direction, shifted, target, **options)
            for one, another in zip((*got, *theirs), (*alone, *tangents), strict=True):
                assert_same_bits(one, another)


def test_instruction_sets_agree(python: Any) -> None:
    from optlab.kernels.select import available

    ours = [of_losses(dtype) for dtype in DTYPES]
    code = "import numpy; from reference.losses_bits import *; [print(of_losses(numpy.dtype(d).type)) for d in 'fd']"
    for isa in available():
        done = python(code, OPTLAB_ISA=isa)
        assert done.stdout.split() == ours, done.stderr


INF, NAN = np.inf, np.nan
HARD: dict[str, list[tuple[dict[str, Any], float, float, float, float]]] = {  # p, t, loss, slope
    "mse": [({}, 1.0, 1.0, 0.0, 0.0), ({}, INF, 0.0, INF, INF), ({}, NAN, 0.0, NAN, NAN)],
    "l1": [
        ({}, 1.0, 1.0, 0.0, 0.0),
        ({}, -0.0, 0.0, 0.0, 0.0),
        ({}, -INF, 0.0, INF, -1.0),
        ({}, NAN, 0.0, NAN, NAN),
    ],
    "huber": [
        ({"delta": 2.0}, 3.0, 1.0, 2.0, 2.0),
        ({"delta": 2.0}, -3.0, 1.0, 6.0, -2.0),
        ({}, INF, 0.0, INF, 1.0),
        ({}, 1e30, 0.0, 1e30, 1.0),
        ({}, NAN, 0.0, NAN, NAN),
    ],
    "binary_cross_entropy": [
        ({}, INF, 1.0, 0.0, 0.0),
        ({}, -INF, 0.0, 0.0, 0.0),
        ({}, INF, 0.0, INF, 1.0),
        ({}, -1e4, 1.0, 1e4, -1.0),
        ({}, 0.0, 1.0, np.log(2.0), -0.5),
        ({}, -60.0, 0.0, np.exp(-60.0), np.exp(-60.0)),  # the digits of small results
        ({}, 60.0, 1.0, np.exp(-60.0), -np.exp(-60.0)),
        ({"label_smoothing": 1.0}, 0.0, 1.0, np.log(2.0), 0.0),
        ({}, NAN, 1.0, NAN, NAN),
        ({}, NAN, 0.0, NAN, NAN),
    ],
    "kl_divergence": [
        ({}, -INF, 0.0, 0.0, 0.0),
        ({}, -INF, 0.5, INF, -0.5),
        ({}, -1.0, 1.0, 1.0, -1.0),
        ({}, 0.0, -1.0, NAN, 1.0),
        ({}, NAN, 0.5, NAN, -0.5),
    ],
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", LOSSES)
def test_hard_numbers(name: str, dtype: Any) -> None:
    for options, p, t, value, slope in HARD[name]:
        for size in (1, 19):
            got = getattr(ops, name)(np.full(size, p, dtype), np.full(size, t, dtype), reduction="sum", **options)
            rounding = 34 * eps(dtype)
            np.testing.assert_allclose(got[0], dtype(value) * size, rtol=rounding, atol=0)
            np.testing.assert_allclose(got[1], np.full(size, slope), rtol=rounding, atol=0)


def test_ten_million_terms_are_added_accurately() -> None:
    size = 10_000_019
    p = np.random.default_rng(0).random(size, np.float32)
    loss, _ = ops.mse(p, np.zeros_like(p), gradient=False)
    exact = np.mean(p.astype(np.float64) ** 2)
    assert abs(loss - exact) <= 26 * eps(np.float32) * exact  # the tree, a square and the division


def refusals() -> list[tuple[str, dict[str, Any], type[Exception], str]]:
    p = np.ones((3, 4), np.float32)
    wrong: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({"prediction": p.tolist()}, TypeError, "^prediction: got builtins.list"),
        ({"prediction": p.astype(int)}, TypeError, "^prediction: got dtype int64, expected float32 or float64"),
        ({"prediction": p[:, ::2]}, ValueError, "^prediction: got a strided array"),
        ({"target": p.astype(np.float64)}, TypeError, "^target: got dtype float64, expected float32"),
        ({"target": p[:2]}, ValueError, r"^target: got shape \(2, 4\), expected \(3, 4\)"),
        ({"reduction": "max"}, ValueError, "^reduction: got 'max', expected 'mean',"),
        ({"reduction": 3}, ValueError, "^reduction: got 3, expected"),
        ({"out": p}, TypeError, "^out: expected a tuple of 2 arrays"),
        ({"out": (None, p[0])}, ValueError, r"^dprediction.*: got shape \(4,\)"),
        ({"out": (p, None)}, ValueError, r"^loss.*: got shape \(3, 4\), expected \(\)"),
    ]
    table = [(name, *each) for name in LOSSES for each in wrong]
    table += [(name, {"reduction": "batchmean"}, ValueError, "^reduction: got 'batchm") for name in ("mse", "huber")]
    for value in (0.0, -1.0, INF, NAN):
        table.append(("huber", {"delta": value}, ValueError, "^delta: got .*, expected a finite number > 0"))
    table.append(("huber", {"delta": None}, TypeError, "^delta: got None, expected a number"))
    table.append(("binary_cross_entropy", {"label_smoothing": 2}, ValueError, "^label_smoothing: got 2, expected"))
    return table


@pytest.mark.parametrize(("name", "wrong", "kind", "text"), refusals())
def test_refusals(name: str, wrong: dict[str, Any], kind: type[Exception], text: str) -> None:
    out = (np.full((), 7, np.float32), np.full((3, 4), 7, np.float32))
    given = {"prediction": np.ones((3, 4), np.float32), "target": np.ones((3, 4), np.float32), "out": out} | wrong
    arrays = given.pop("prediction"), given.pop("target")
    refused(lambda: getattr(ops, name)(*arrays, **given), kind, text)
    refused(lambda: getattr(ops, f"{name}_tangent")(np.ones((3, 4), np.float32), *arrays, **given), kind, text)
    assert (out[0] == 7).all() and (out[1] == 7).all()


@pytest.mark.parametrize("name", LOSSES)
def test_overlap_is_refused(name: str) -> None:
    p, t = np.ones(4), np.ones(4)
    refused(lambda: getattr(ops, name)(p, t, out=(None, t)), ValueError, "^target and dprediction: got overlapping")
    refused(lambda: getattr(ops, name)(p, t, out=(p[0:1].reshape(()), None)), ValueError, "^prediction and loss: got")
    getattr(ops, name)(p, p)  # two inputs may be one
