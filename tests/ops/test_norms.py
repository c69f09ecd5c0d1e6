"""Layer, group and instance normalization: one table of cases for all three."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from reference import norms
from reference.compare import assert_same_bits
from reference.refusals import refused

import optlab as ol
from optlab import ops

DTYPES = (np.float32, np.float64)
KINDS = ("layer", "group", "instance")
PASSES = ("forward", "backward", "forward_tangent", "backward_tangent")
CASES = [  # kind, shape of x, groups
    *[("layer", (rows, n), 1) for rows, n in ((1, 2), (2, 3), (3, 7), (63, 8), (64, 15), (65, 16), (1, 17), (7, 31))],
    *[("layer", (rows, n), 1) for rows, n in ((2, 33), (3, 63), (5, 64), (9, 65), (1000, 9), (3, 1000), (2, 2307))],
    *[("group", (3, 8), 4), ("group", (2, 6, 5), 3), ("group", (2, 6, 5), 1), ("group", (5, 12, 7, 3), 2)],
    *[("group", (65, 4, 33), 2), ("group", (64, 40), 5), ("group", (2, 4, 290), 2), ("group", (1, 2, 1), 1)],
    *[("instance", (3, 2, 7), 2), ("instance", (2, 5, 4, 4), 5), ("instance", (1, 1, 1000), 1)],
    ("instance", (33, 3, 65), 3),
]
NAMES = [f"{kind}-{'x'.join(map(str, shape))}-{groups}" for kind, shape, groups in CASES]
OPTIONS = ("all", "no gamma", "fixed parameters")
EPS = 1e-3


def drawn(case: Any, dtype: Any, options: str = "all", around: float = 0.5) -> SimpleNamespace:
    """Seeded arrays of a case."""
    kind, shape, groups = case
    rng = np.random.default_rng(len(shape) * 1000 + shape[-1])
    normal = lambda *size: rng.normal(size=size).astype(dtype)  # noqa: E731
    of = SimpleNamespace(kind=kind, groups=groups, dtype=dtype, x=normal(*shape) + dtype(around), eps=EPS)
    of.dy, of.x_dot, of.dy_dot = normal(*shape), normal(*shape), normal(*shape)
    of.gamma, of.beta, of.gamma_dot, of.beta_dot = (normal(shape[1]) for _ in range(4))
    if options == "no gamma":
        of.gamma = of.beta = None
    if options != "all":
        of.gamma_dot = of.beta_dot = None
    return of


def function(kind: str, which: str) -> Any:
    return getattr(ops, f"{kind}_norm_{which}")


def forward(of: Any, **options: Any) -> Any:
    groups = (of.groups,) if of.kind == "group" else ()
    return function(of.kind, "forward")(of.x, *groups, of.gamma, of.beta, of.eps, **options)


def arguments(of: Any) -> dict[str, dict[str, Any]]:
    """What each pass but the forward one is called with, by name."""
    _, of.mean, of.rstd = forward(of)
    common = {"x": of.x, "gamma": of.gamma, "mean": of.mean, "rstd": of.rstd}
    tangent = {"x_dot": of.x_dot, **common, "gamma_dot": of.gamma_dot, "beta_dot": of.beta_dot}
    _, of.mean_dot, of.rstd_dot = function(of.kind, "forward_tangent")(**tangent)
    dots = {"dy_dot": of.dy_dot, "x_dot": of.x_dot, "mean_dot": of.mean_dot, "rstd_dot": of.rstd_dot}
    return {
        "backward": {"dy": of.dy, **common},
        "forward_tangent": tangent,
        "backward_tangent": {**dots, "dy": of.dy, **common, "gamma_dot": of.gamma_dot},
    }


def ours(of: Any) -> dict[str, Any]:
    """The results of every pass."""
    results = {which: function(of.kind, which)(**given) for which, given in arguments(of).items()}
    return {"forward": forward(of), **results}


def twin(of: Any) -> dict[str, Any]:
    """The same in float64 by the formulas; the tangents by complex step."""
    w = SimpleNamespace(**{k: v.astype(np.float64) if isinstance(v, np.ndarray) else v for k, v in vars(of).items()})
    there = lambda x, gamma, beta: norms.forward(x, gamma, beta, w.groups, w.eps)  # noqa: E731
    back = lambda dy, x, gamma: norms.backward(dy, x, gamma, w.groups, w.eps)  # noqa: E731
    beta = np.zeros(w.x.shape[1]) if w.beta is None else w.beta
    return {
        "forward": there(w.x, w.gamma, beta),
        "backward": back(w.dy, w.x, w.gamma),
        "forward_tangent": norms.along(there, (w.x, w.gamma, beta), (w.x_dot, w.gamma_dot, w.beta_dot)),
        "backward_tangent": norms.along(back, (w.dy, w.x, w.gamma), (w.dy_dot, w.x_dot, w.gamma_dot)),
    }


def most(array: Any) -> float:
    return 0.0 if array is None else float(np.abs(array).max())


def scales(of: Any) -> dict[str, tuple[float, ...]]:
    """The largest size of the terms of each result.

    With X = x rstd and its rate X', the gradient G in x_hat and its rate G'. A rounded mean shifts x_hat by eps X, a
    factor x_hat is at most X, and each derivative of rstd brings X' X.
    """
    rstd = forward(of)[2]
    r, gamma = most(rstd), 1.0 if of.gamma is None else most(of.gamma)
    x, x_dot = 1 + most(of.x) * r, most(of.x_dot) * r
    g, g_dot = most(of.dy) * gamma, most(of.dy_dot) * gamma + most(of.dy) * most(of.gamma_dot)
    terms = of.x.size // of.x.shape[1]
    dy, dy_dot = most(of.dy) * terms, most(of.dy_dot) * terms
    return {
        "forward": (gamma * x + most(of.beta), most(of.x), r),
        "backward": (r * g * x**2, dy * x, dy),
        "forward_tangent": (
            most(of.gamma_dot) * x + gamma * x_dot * x**2 + most(of.beta_dot),
            most(of.x_dot),
            r * x_dot * x,
        ),
        "backward_tangent": (r * (g_dot * x**2 + g * x_dot * x**3), dy_dot * x + dy * x_dot * x**2, dy_dot),
    }


K = 32
"""Rounding errors in units of eps: 20 of a sum of the tree, and one each of some ten operations around it.

Sums over the batch add up to 256 terms one after another; their scale is the sum of all terms' sizes, of which each
partial sum is at most a part, so that K suffices wherever the signs are random.
"""


def assert_close(got: dict[str, Any], expected: dict[str, Any], of: Any) -> None:
    eps, sizes = np.finfo(of.dtype).eps, scales(of)
    for which, results in expected.items():
        for k, (a, b) in enumerate(zip(got[which], results, strict=True)):
            error = most(np.asarray(a, np.float64) - np.asarray(b).reshape(a.shape))
            assert error <= K * eps * sizes[which][k], (which, k, error / eps / sizes[which][k])


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_all_passes_follow_the_formulas(case: Any, dtype: Any, options: str) -> None:
    of = drawn(case, dtype, options)
    got = ours(of)
    assert_close(got, twin(of), of)
    statistics = (case[1][0],) if case[0] == "layer" else (case[1][0], case[2])
    for results in got.values():
        assert all(result.dtype == dtype for result in results)
        assert results[0].shape == of.x.shape
    assert got["forward"][1].shape == got["forward"][2].shape == statistics


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch", (1, 2, 3, 63, 64, 65, 1000))
@pytest.mark.parametrize("dtype", DTYPES)
def test_pytorch_finds_the_same(kind: str, batch: int, dtype: Any) -> None:
    torch = pytest.importorskip("torch")
    for size, affine in ((4, True), (33, False), (90, True)):
        shape = (batch, size) if kind == "layer" else (batch, 6, size // 4 + 1)
        of = drawn((kind, shape, {"layer": 1, "group": 3, "instance": 6}[kind]), dtype, "all" if affine else "no gamma")
        x, gamma, beta = (
            None if a is None else torch.tensor(a, dtype=torch.float64) for a in (of.x, of.gamma, of.beta)
        )
        leaves = [a.requires_grad_() for a in (x, gamma, beta) if a is not None]
        functional = torch.nn.functional
        if kind == "layer":
            y = functional.layer_norm(x, shape[1:], gamma, beta, EPS)
        elif kind == "group":
            y = functional.group_norm(x, of.groups, gamma, beta, EPS)
        else:
            y = functional.instance_norm(x, None, None, gamma, beta, eps=EPS)
        gradients = torch.autograd.grad(y, leaves, torch.tensor(of.dy, dtype=torch.float64))
        got = ours(of)
        there, back = (y.detach().numpy(),), [gradient.numpy() for gradient in gradients]
        got = {"forward": got["forward"][:1], "backward": got["backward"][: len(back)]}
        assert_close(got, {"forward": there, "backward": back}, of)


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_tangents_are_derivatives_and_backward_is_the_adjoint(case: Any) -> None:
    of = drawn(case, np.float64)
    got, h = ours(of), 1e-5
    sides = []
    for sign in (1, -1):
        moved = SimpleNamespace(**vars(of))
        for name in ("x", "dy", "gamma", "beta"):
            setattr(moved, name, getattr(of, name) + sign * h * getattr(of, f"{name}_dot"))
        sides.append(ours(moved))
    for which, size in scales(of).items():
        if "tangent" in which:
            plain = which.removesuffix("_tangent")
            for a, b, rate, scale in zip(sides[0][plain], sides[1][plain], got[which], size, strict=True):
                x = 1 + most(of.x_dot) * most(of.rstd)  # the third derivative brings x_dot rstd twice more
                assert most((a - b) / (2 * h) - rate) <= 16 * scale * (h * x) ** 2 + 1e-10 * scale
    dx, dgamma, dbeta = got["backward"]
    left = (of.dy * got["forward_tangent"][0]).sum()
    right = (dx * of.x_dot).sum() + dgamma @ of.gamma_dot + dbeta @ of.beta_dot
    assert abs(left - right) <= K * 2e-16 * of.x.size * scales(of)["forward_tangent"][0] * most(of.dy)


LARGE = [
    ("layer", (331, 301), 1),
    ("group", (37, 12, 15, 17), 4),
    ("instance", (9, 7, 1999), 7),
    ("group", (700, 96), 8),
]


def shifted(of: Any) -> Any:
    """The same arrays, each one element after the start of its memory."""
    moved = SimpleNamespace(**vars(of))
    for name, array in vars(of).items():
        if isinstance(array, np.ndarray):
            copy = np.empty(array.size + 1, array.dtype)[1:].reshape(array.shape)
            copy[...] = array
            setattr(moved, name, copy)
    return moved


def flat(results: dict[str, Any]) -> Any:
    return np.concatenate([array.ravel() for arrays in results.values() for array in arrays])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", LARGE, ids=lambda case: case[0])
def test_threads_and_addresses_change_nothing(case: Any, dtype: Any) -> None:
    of = drawn(case, dtype)
    got = []
    for count in (1, 2, 3):
        with ol.threads(count):
            got.append(flat(ours(of)))
    assert_same_bits(got[1], got[0])
    assert_same_bits(got[2], got[0])
    assert_same_bits(flat(ours(shifted(of))), got[0])


@pytest.mark.parametrize(
    "case", [("layer", (2200, 1001), 1), ("instance", (300, 7, 1001), 7)], ids=lambda case: case[0]
)
def test_outputs_larger_than_the_cache(case: Any) -> None:
    of = drawn(case, np.float32)
    whole, part = ours(of), SimpleNamespace(**vars(of))
    for name in ("x", "dy", "x_dot", "dy_dot"):
        setattr(part, name, getattr(of, name)[-5:].copy())
    for which, results in ours(part).items():
        assert_same_bits(whole[which][0][-5:], results[0])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", [CASES[13], CASES[-2]], ids=("layer", "instance"))
def test_statistics_far_from_zero(case: Any, dtype: Any) -> None:
    of = drawn(case, dtype, around=1e4 if dtype == np.float32 else 1e12)
    _, mean, rstd = forward(of)
    exact_mean, exact_rstd = norms.statistics(of.x.astype(np.longdouble), of.groups, EPS)
    eps = np.finfo(dtype).eps
    np.testing.assert_array_less(np.abs(mean.reshape(exact_mean.shape) - exact_mean), eps * np.abs(exact_mean))
    np.testing.assert_array_less(np.abs(rstd.reshape(exact_rstd.shape) / exact_rstd - 1), 16 * eps)


@pytest.mark.parametrize(
    ("dtype", "factor"), [(np.float32, 2.0**120), (np.float32, 2.0**-110), (np.float64, 2.0**1000)]
)
def test_squares_out_of_range(dtype: Any, factor: float) -> None:
    of = drawn(("layer", (3, 1000), 1), dtype)
    of.eps = 0.0
    y, mean, rstd = forward(of)
    of.x = of.x * dtype(factor)
    far_y, far_mean, far_rstd = forward(of)
    assert most(far_y - y) <= K * np.finfo(dtype).eps * 8
    np.testing.assert_allclose(far_mean / dtype(factor), mean, rtol=K * np.finfo(dtype).eps)
    np.testing.assert_allclose(far_rstd * dtype(factor), rstd, rtol=K * np.finfo(dtype).eps)


def test_a_sum_out_of_range() -> None:
    _, mean, rstd = ops.layer_norm_forward(np.full((1, 1000), 2.0**127, np.float32))
    assert mean == 2.0**127 and np.isfinite(rstd)


def test_nonfinite_rows_stay_alone() -> None:
    of = drawn(("layer", (5, 70), 1), np.float32)
    whole = forward(of)[0]
    of.x[1, 3], of.x[2, 5] = np.nan, np.inf
    y = forward(of)[0]
    assert np.isnan(y[1:3]).all()
    for row in (0, 3, 4):
        assert_same_bits(y[row], whole[row])


def test_equal_numbers() -> None:
    y, mean, rstd = ops.layer_norm_forward(np.full((2, 333), 0.1, np.float32), beta=np.ones(333, np.float32), eps=0.25)
    assert (y == 1).all() and (mean == np.float32(0.1)).all() and (rstd == 2).all()


@pytest.mark.parametrize("case", LARGE, ids=lambda case: case[0])
def test_given_outputs_are_used(case: Any) -> None:
    of = drawn(case, np.float32)
    fresh = ours(of)
    given = arguments(of)
    for which, expected in fresh.items():
        out = tuple(np.full_like(array, 7) for array in expected)
        got = forward(of, out=out) if which == "forward" else function(of.kind, which)(**given[which], out=out)
        for array, mine, before in zip(got, out, expected, strict=True):
            assert array is mine
            assert_same_bits(array, before)


def wrong(name: str, array: Any) -> dict[str, tuple[Any, type[Exception], str]]:
    """Wrong versions of an argument, the error, and what is said."""
    strided = np.ones((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)[..., ::2]
    bad = {
        "dtype": (array.astype(np.float16), TypeError, "got dtype float16"),
        "list": (array.tolist(), TypeError, "got builtins.list"),
        "strided": (strided, ValueError, "got a strided array"),
        "empty": (array[:0], ValueError, "got an empty array|got shape"),
        "long": (np.ones(array.size + 1, array.dtype), ValueError, "got shape"),
    }
    return bad if name == "x" else bad | {"float32": (array.astype(np.float32), TypeError, "got dtype float32")}


@pytest.mark.parametrize("which", PASSES)
@pytest.mark.parametrize("case", [CASES[4], CASES[16], CASES[-4]], ids=KINDS)
def test_wrong_arrays_are_refused(case: Any, which: str) -> None:
    of = drawn(case, np.float64)
    groups = {"groups": of.groups} if of.kind == "group" else {}
    given = {"forward": {"x": of.x, **groups, "gamma": of.gamma, "beta": of.beta}, **arguments(of)}[which]
    out = tuple(np.full_like(array, 7) for array in ours(of)[which])
    call = function(of.kind, which)
    for name, array in given.items():
        for make, kind, said in wrong(name, array).values() if isinstance(array, np.ndarray) else ():
            refused(lambda a=make, n=name: call(**{**given, n: a}, out=out), kind, f"^{name}: ", said, "expected")
    overlapping, read_only = (given["x"], *out[1:]), tuple(array.copy() for array in out)
    read_only[1].flags.writeable = False
    for bad, kind, said in (
        (overlapping, ValueError, "overlapping memory"),
        (read_only, ValueError, "read-only"),
        ((out[0], out[1][:0], None), ValueError, "empty"),
        ((out[0], out[0], None), ValueError, "got shape"),
        (out[:2], TypeError, "expected a tuple of 3"),
        (out[0], TypeError, "expected a tuple of 3"),
    ):
        refused(lambda b=bad: call(**given, out=b), kind, said, "expected")
    assert all((array == 7).all() for array in (*out, *read_only))


X = np.ones((3, 8))
NUMBERS = {
    "eps_negative": (
        lambda: ops.layer_norm_forward(X, eps=-1.0),
        ValueError,
        "^eps: got -1.0, expected a finite .*>= 0",
    ),
    "eps_nan": (lambda: ops.group_norm_forward(X, 2, eps=np.nan), ValueError, "^eps: got nan, expected"),
    "eps_inf": (lambda: ops.layer_norm_forward(X, eps=np.inf), ValueError, "^eps: got inf, expected"),
    "eps_text": (lambda: ops.layer_norm_forward(X, eps="1"), TypeError, "^eps: got '1', expected a number"),
    "eps_bool": (lambda: ops.layer_norm_forward(X, eps=True), TypeError, "^eps: got True, expected a number"),
    "groups_zero": (
        lambda: ops.group_norm_forward(X, 0),
        ValueError,
        "^groups: got 0, expected a whole number from 1",
    ),
    "groups_three": (
        lambda: ops.group_norm_forward(X, 3),
        ValueError,
        "^groups: got 3, expected .* divides the 8 chan",
    ),
    "groups_huge": (lambda: ops.group_norm_forward(X, 2**70), ValueError, "^groups: got 1180591620717411303424, expec"),
    "groups_float": (lambda: ops.group_norm_forward(X, 2.0), TypeError, "^groups: got 2.0, expected a whole number"),
    "groups_none": (lambda: ops.group_norm_forward(X, None), TypeError, "^groups: got None, expected a whole number"),
    "mean_of_three": (
        lambda: ops.group_norm_backward(X, X, None, np.ones((3, 3)), np.ones((3, 3))),
        ValueError,
        r"^mean: got shape \(3, 3\), expected \(3, groups\) with groups that divide the 8 channels",
    ),
    "flat": (lambda: ops.group_norm_forward(np.ones(8), 2), ValueError, r"^x: got shape \(8,\), expected \(batch"),
    "no_positions": (lambda: ops.instance_norm_forward(X), ValueError, r"^x: got shape \(3, 8\), expected \(batch"),
    "positions": (lambda: ops.layer_norm_forward(np.ones((2, 3, 4))), ValueError, r"^x: got shape .*expected \(rows"),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_wrong_numbers_are_refused(name: str) -> None:
    call, kind, said = NUMBERS[name]
    refused(call, kind, said)
