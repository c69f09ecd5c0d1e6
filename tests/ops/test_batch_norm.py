"""Batch normalization against the lecture's chain rule, PyTorch, complex steps and itself."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from reference import batch_norm as twin
from reference.compare import assert_same_bits, assert_within, digest, eps
from reference.refusals import refused

import optlab as ol
from optlab import ops

DTYPES = (np.float32, np.float64)
BATCHES = (1, 2, 3, 63, 64, 65, 1000)
FEATURES = (1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 63, 64, 65, 100, 129, 200)
SHAPES = [*itertools.product(BATCHES, FEATURES), (256, 5), (257, 63), (4099, 3), (20_000, 12), (130, 1000), (1, 5000)]


def roundings(rows: int) -> int:
    """Roundings in a chain of sums over rows: 64 of a chunk, five to join two of log2(chunks), and twenty beside."""
    return min(rows, 64) + 5 * math.ceil(math.log2(rows / 64 + 1)) + 20


FIRST = ("x_dot", "x", "gamma", "mean", "rstd", "gamma_dot", "beta_dot")
SECOND = ("dy_dot", "x_dot", "dy", "x", "gamma", "mean", "rstd", "mean_dot", "rstd_dot", "gamma_dot")


class Example:
    """One call of everything: arrays of a shape, seeded; `wide` are the same in float64."""

    def __init__(self, shape: tuple[int, int], dtype: Any, *, plain: bool = False, mean: float = 3.0) -> None:
        rng = np.random.default_rng(shape[0] * 10_007 + shape[1])
        draw = lambda *size: rng.standard_normal(size).astype(dtype)  # noqa: E731 - one line serves ten arrays
        self.x, self.dy, self.x_dot, self.dy_dot = (draw(*shape) for _ in range(4))
        self.x *= 2
        self.x += dtype(mean)
        rows = [None] * 4 if plain else [draw(shape[1]) for _ in range(4)]
        self.gamma, self.beta, self.gamma_dot, self.beta_dot = rows
        self.y, self.mean, self.rstd = ops.batch_norm_forward(self.x, self.gamma, self.beta)
        _, self.mean_dot, self.rstd_dot = ops.batch_norm_forward_tangent(*self.given(*FIRST))
        self.var = (draw(shape[1]) ** 2 + dtype(0.5)).astype(dtype)
        self.eps, self.k = eps(dtype), roundings(shape[0])

    def wide(self, name: str) -> Any:
        value = getattr(self, name)
        if value is None:
            return 1.0 if name == "gamma" else 0.0
        return value.astype(np.float64)

    def take(self, *names: str) -> list[Any]:
        return [self.wide(name) for name in names]

    def given(self, *names: str) -> list[Any]:
        return [getattr(self, name) for name in names]

    def centred(self, name: str) -> Any:
        """An array without its columns' means, in more digits than these have in the array's type."""
        return twin.centred(self.wide(name))[1]


def all_results(e: Example) -> list[Any]:
    """What every function returns."""
    forward = ops.batch_norm_forward(e.x, e.gamma, e.beta)
    fixed = e.given("x", "mean", "var", "gamma")
    return [
        *forward,
        *ops.batch_norm_backward(*e.given("dy", "x", "gamma", "mean", "rstd")),
        *ops.batch_norm_forward_tangent(*e.given(*FIRST)),
        *ops.batch_norm_backward_tangent(*e.given(*SECOND)),
        ops.batch_norm_eval_forward(*fixed, e.beta),
        *ops.batch_norm_eval_backward(e.dy, *fixed),
        ops.batch_norm_eval_forward_tangent(e.x_dot, *fixed, e.gamma_dot, e.beta_dot),
        *ops.batch_norm_eval_backward_tangent(*e.given("dy_dot", "x_dot", "dy"), *fixed, e.gamma_dot),
    ]


def check_forward(e: Example) -> None:
    x, gamma, beta = e.take("x", "gamma", "beta")
    _, mean, rstd = twin.forward(x, gamma, beta)
    spread = np.abs(x - mean).mean(0)
    assert_within(e.mean, mean, e.eps * (np.abs(mean) + e.k * spread))
    assert_within(e.rstd, rstd, e.eps * e.k * rstd)
    # y with the deviation as returned, but the mean before it was rounded: five operations, and that mean's error
    exact, off = e.centred("x") * e.wide("rstd") * gamma, np.abs(spread * e.wide("rstd") * gamma)
    assert_within(e.y, exact + beta, e.eps * (3 * (np.abs(exact) + np.abs(beta)) + e.k * off))


def check_backward(e: Example) -> None:
    dy, gamma, rstd = e.take("dy", "gamma", "rstd")
    found, rest = ops.batch_norm_backward(*e.given("dy", "x", "gamma", "mean", "rstd")), e.centred("x")
    sizes = twin.sizes(np.abs(dy), np.abs(rest), np.abs(gamma), rstd)
    for ours, exact, size in zip(found, twin.backward(dy, rest, gamma, 0.0, rstd), sizes, strict=True):
        assert_within(ours, exact, e.k * e.eps * size)


def check_tangent(e: Example) -> None:
    x_dot, gamma, rstd, gamma_dot, beta_dot = e.take("x_dot", "gamma", "rstd", "gamma_dot", "beta_dot")
    found, x = ops.batch_norm_forward_tangent(*e.given(*FIRST)), e.centred("x")
    rest = np.abs(x) + np.abs(x).mean(0)
    size, along, plain = twin.sizes(np.abs(x_dot), np.abs(x), np.abs(gamma), rstd)
    size = size + np.abs(gamma_dot) * rest * rstd + np.abs(beta_dot)
    bounds = (size, plain / len(x), rstd**2 * along / len(x))
    exact = twin.tangent(x, x_dot, 0.0, rstd, gamma, gamma_dot, beta_dot)
    for ours, right, bound in zip(found, exact, bounds, strict=True):
        assert_within(ours, right, e.k * e.eps * bound)


def check_backward_tangent(e: Example) -> None:
    found = ops.batch_norm_backward_tangent(*e.given(*SECOND))
    dy, gamma, rstd = e.take("dy", "gamma", "rstd")
    dy_dot, x_dot, gamma_dot, mean_dot, rstd_dot = e.take("dy_dot", "x_dot", "gamma_dot", "mean_dot", "rstd_dot")
    x, moves = e.centred("x"), (dy_dot, e.centred("x_dot"), gamma_dot, 0.0, rstd_dot)
    exact = twin.along(twin.backward, *zip((dy, x, gamma, 0.0, rstd), moves, strict=True))
    sizes = (dy_dot, np.abs(x_dot) + np.abs(mean_dot), gamma_dot, rstd_dot)
    pairs = [(np.abs(value), np.abs(dot)) for value, dot in zip((dy, x, gamma, rstd), sizes, strict=True)]
    for ours, right, size in zip(found, exact, twin.along(twin.sizes, *pairs), strict=True):
        assert_within(ours, right, 2 * e.k * e.eps * size)  # twice the operations of the gradients themselves


def check_eval(e: Example) -> None:
    x, dy, mean, var, gamma, beta = e.take("x", "dy", "mean", "var", "gamma", "beta")
    x_dot, dy_dot, gamma_dot, beta_dot = e.take("x_dot", "dy_dot", "gamma_dot", "beta_dot")
    fixed = e.given("x", "mean", "var", "gamma")
    rest, r = np.abs(x - mean), 1 / np.sqrt(var + 1e-5)
    first = np.abs(dy * gamma) * r, (np.abs(dy) * rest * r).sum(0), np.abs(dy).sum(0)
    motion = (np.abs(x_dot * gamma) + rest * np.abs(gamma_dot)) * r + np.abs(beta_dot)
    changes = (
        (np.abs(dy_dot * gamma) + np.abs(dy * gamma_dot)) * r,
        ((np.abs(dy_dot) * rest + np.abs(dy * x_dot)) * r).sum(0),
        np.abs(dy_dot).sum(0),
    )
    still = ((mean, None), (var, None))
    for found, exact, sizes in (
        (
            [ops.batch_norm_eval_forward(*fixed, e.beta)],
            [twin.eval_forward(x, mean, var, gamma, beta)],
            [rest * r * np.abs(gamma) + np.abs(beta)],
        ),
        (ops.batch_norm_eval_backward(e.dy, *fixed), twin.eval_backward(dy, x, mean, var, gamma), first),
        (
            [ops.batch_norm_eval_forward_tangent(e.x_dot, *fixed, e.gamma_dot, e.beta_dot)],
            [twin.along(twin.eval_forward, (x, x_dot), *still, (gamma, gamma_dot), (beta, beta_dot))],
            [motion],
        ),
        (
            ops.batch_norm_eval_backward_tangent(e.dy_dot, e.x_dot, e.dy, *fixed, e.gamma_dot),
            twin.along(twin.eval_backward, (dy, dy_dot), (x, x_dot), *still, (gamma, gamma_dot)),
            changes,
        ),
    ):
        for ours, right, size in zip(found, exact, sizes, strict=True):
            assert_within(ours, right, e.k * e.eps * size)


CHECKS = (check_forward, check_backward, check_tangent, check_backward_tangent, check_eval)


@pytest.mark.parametrize("plain", (False, True), ids=("affine", "plain"))
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_everything_is_right_to_its_roundings(check: Callable[[Example], None], dtype: Any, plain: bool) -> None:
    for shape in SHAPES:
        check(Example(shape, dtype, plain=plain))


@pytest.mark.parametrize("shape", [(2, 3), (64, 17), (65, 5), (300, 4)])
def test_the_lecture_steps_the_composite_and_the_kernel_agree(shape: tuple[int, int]) -> None:
    e = Example(shape, np.float64)
    steps = twin.backward_by_steps(e.dy, e.x, e.gamma)
    composite = twin.backward(e.dy, e.x, e.gamma, *twin.forward(e.x)[1:])
    kernel = ops.batch_norm_backward(e.dy, e.x, e.gamma, e.mean, e.rstd)
    sizes = twin.sizes(np.abs(e.dy), np.abs(e.x) + np.abs(e.mean), np.abs(e.gamma), e.rstd)
    for a, b, c, size in zip(steps, composite, kernel, sizes, strict=True):
        # the twins' means carry roundings of n |x| that the kernel's do not
        assert_within(a, b, 8 * e.k * e.eps * size)
        assert_within(c, b, 8 * e.k * e.eps * size)


@pytest.mark.parametrize("shape", [(2, 3), (7, 2), (65, 5), (300, 4)])
def test_derivatives_are_those_of_the_forward_pass(shape: tuple[int, int]) -> None:
    """Complex steps through the twin's forward pass and through the lecture's steps, statistics included."""
    e = Example(shape, np.float64)
    pairs = [(e.x, e.x_dot), (e.gamma, e.gamma_dot), (e.beta, e.beta_dot)]
    dots = ops.batch_norm_forward_tangent(e.x_dot, e.x, e.gamma, e.mean, e.rstd, e.gamma_dot, e.beta_dot)
    for ours, right in zip(dots, twin.along(twin.forward, *pairs), strict=True):
        np.testing.assert_allclose(ours, right, rtol=1e-11, atol=1e-11)
    gradients = ops.batch_norm_backward(e.dy, e.x, e.gamma, e.mean, e.rstd)
    # <dy, J v> = <J' dy, v>
    moved, pulled = np.sum(e.dy * dots[0]), sum(np.sum(g * v) for g, (_, v) in zip(gradients, pairs, strict=True))
    assert moved == pytest.approx(pulled, rel=1e-10, abs=1e-10 * e.x.size)
    second = ops.batch_norm_backward_tangent(*e.given(*SECOND))
    right = twin.along(twin.backward_by_steps, (e.dy, e.dy_dot), (e.x, e.x_dot), (e.gamma, e.gamma_dot))
    for ours, expected in zip(second, right, strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-10, atol=1e-10)


def test_gradients_are_finite_differences_of_the_kernel() -> None:
    e, h = Example((9, 3), np.float64), 1e-6
    loss = lambda x: np.sum(e.dy * ops.batch_norm_forward(x, e.gamma, e.beta)[0])  # noqa: E731 - used twice
    dx = ops.batch_norm_backward(e.dy, e.x, e.gamma, e.mean, e.rstd)[0]
    for index in np.ndindex(e.x.shape):
        step = np.zeros_like(e.x)
        step[index] = h
        # differences are off by h² and by eps |loss| / h
        assert dx[index] == pytest.approx((loss(e.x + step) - loss(e.x - step)) / (2 * h), abs=1e-8)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("mean", (1e4, -3e6))
@pytest.mark.parametrize("shape", [(50, 3), (1000, 70), (10**6, 4), (5000, 33)])
def test_a_large_mean_costs_no_digit_of_the_variance(shape: tuple[int, int], mean: float, dtype: Any) -> None:
    x = (np.random.default_rng(1).standard_normal(shape) + mean).astype(dtype)
    exact = twin.forward(x.astype(np.longdouble), eps=0)
    _, found, rstd = ops.batch_norm_forward(x, eps=0.0)
    assert_within(rstd, exact[2], 4 * eps(dtype) * exact[2].astype(float))
    assert_within(found, exact[1], eps(dtype) * np.abs(exact[1]).astype(float))


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_drifting_column_keeps_its_digits(dtype: Any) -> None:
    """Whole branches of the tree differ in their mean, and the first row is far from all others."""
    x = np.repeat(np.arange(10_000.0), 3).reshape(-1, 3).astype(dtype)
    x[0] = 1e7
    exact = twin.forward(x.astype(np.longdouble), eps=0)
    _, found, rstd = ops.batch_norm_forward(x, eps=0.0)
    spread = 1 / exact[2].astype(float)  # what the first row is off by is rounded, and it is most of the deviation
    assert_within(rstd, exact[2], 8 * eps(dtype) / spread)
    assert_within(found, exact[1], 8 * eps(dtype) * spread)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1, 3), (3, 5), (100, 70), (1000, 7)])
def test_a_constant_column_has_no_variance_at_all(shape: tuple[int, int], dtype: Any) -> None:
    x = np.full(shape, dtype(0.1))
    y, mean, rstd = ops.batch_norm_forward(x)
    assert (y == 0).all() and (mean == dtype(0.1)).all() and (rstd == 1 / np.sqrt(dtype(1e-5))).all()
    y, _, rstd = ops.batch_norm_forward(x, eps=0.0)
    assert np.isnan(y).all() and np.isinf(rstd).all()


@pytest.mark.parametrize("bad", (np.nan, np.inf, -np.inf))
def test_what_is_not_finite_stays_in_its_column(bad: float) -> None:
    for shape in ((65, 33), (1000, 5)):
        e = Example(shape, np.float32)
        x = e.x.copy()
        x[shape[0] // 2, 3] = bad
        y, mean, rstd = ops.batch_norm_forward(x, e.gamma, e.beta)
        assert np.isnan(y[:, 3]).all() and np.isnan(rstd[3])
        for ours, clean in ((y, e.y), (mean, e.mean), (rstd, e.rstd)):
            assert_same_bits(np.delete(ours, 3, -1), np.delete(clean, 3, -1))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(64, 512), (65, 129), (1000, 5), (20_000, 70), (5000, 3), (3, 1000), (520, 4112)])
def test_threads_and_addresses_show_in_no_bit(shape: tuple[int, int], dtype: Any) -> None:
    e = Example(shape, dtype)
    with ol.threads(1):
        expected = all_results(e)
    for count in (2, 3):
        with ol.threads(count):
            for ours, alone in zip(all_results(e), expected, strict=True):
                assert_same_bits(ours, alone)
    for name, value in list(vars(e).items()):  # the same from and into addresses on no line
        if isinstance(value, np.ndarray):
            setattr(e, name, moved(value))
    out = [moved(np.zeros_like(array)) for array in expected[:6]]
    ops.batch_norm_forward(e.x, e.gamma, e.beta, out=tuple(out[:3]))
    ops.batch_norm_backward(e.dy, e.x, e.gamma, e.mean, e.rstd, out=tuple(out[3:]))
    for ours, alone in zip(out + all_results(e), expected[:6] + expected, strict=True):
        assert_same_bits(ours, alone)


def moved(array: Any) -> Any:
    memory = np.zeros(array.size + 1, array.dtype)[1:].reshape(array.shape)
    memory[...] = array
    return memory


def pytorch_results(e: Example) -> list[Any]:
    torch = pytest.importorskip("torch")
    x, dy, gamma, beta = (
        None if a is None else torch.from_numpy(a.copy()) for a in e.given("x", "dy", "gamma", "beta")
    )
    parameters = [p for p in (x, gamma, beta) if p is not None]
    for p in parameters:
        p.requires_grad_()
    y = torch.nn.functional.batch_norm(x, None, None, gamma, beta, training=True)
    return [y.detach().numpy(), *(g.numpy() for g in torch.autograd.grad(y, parameters, dy))]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("batch", BATCHES[1:])  # PyTorch refuses a batch of one
def test_pytorch_agrees(batch: int, dtype: Any) -> None:
    rng = np.random.default_rng(batch)
    for features, plain in itertools.product(rng.integers(1, 300, 4), (False, True)):
        e = Example((batch, int(features)), dtype, plain=plain)
        dy, x, gamma, beta, mean, rstd = e.take("dy", "x", "gamma", "beta", "mean", "rstd")
        rest, scale = np.abs(x - mean), np.abs(gamma)
        # PyTorch's mean is off by roundings of its own, which move x and all that is made of it
        k, shifted = 4 * e.k * e.eps, rest + np.abs(mean) + 1 / rstd
        sizes = [shifted * rstd * scale + np.abs(beta), *twin.sizes(np.abs(dy), shifted, scale, rstd)]
        found = [e.y, *ops.batch_norm_backward(e.dy, e.x, e.gamma, e.mean, e.rstd)]
        for ours, theirs, size in zip(found, pytorch_results(e), sizes, strict=False):
            assert_within(ours, theirs, k * size)


@pytest.mark.parametrize("momentum", (0.1, 0.0, 1.0, None))
def test_running_averages_are_those_of_pytorch(momentum: float | None) -> None:
    torch = pytest.importorskip("torch")
    for dtype, features in itertools.product(DTYPES, (5, 200)):
        layer = torch.nn.BatchNorm1d(features, momentum=momentum, dtype=getattr(torch, np.dtype(dtype).name))
        running = (np.zeros(features, dtype), np.ones(features, dtype), np.zeros((), np.int64))
        for batch in (2, 70, 300):
            e = Example((batch, features), dtype)
            ops.batch_norm_forward(e.x, running=running, momentum=momentum)
            layer(torch.from_numpy(e.x))
        k = 4 * roundings(300) * eps(dtype)
        assert int(running[2]) == int(layer.num_batches_tracked) == 3
        assert_within(running[0], layer.running_mean.numpy(), k * 4)
        assert_within(running[1], layer.running_var.numpy(), k * np.abs(running[1]))


SHAPE = (6, 5)
E = {dtype: Example(SHAPE, dtype) for dtype in DTYPES}
CALLS: dict[str, tuple[Callable[..., Any], tuple[str, ...], int]] = {
    "forward": (ops.batch_norm_forward, ("x", "gamma", "beta"), 3),
    "backward": (ops.batch_norm_backward, ("dy", "x", "gamma", "mean", "rstd"), 3),
    "tangent": (ops.batch_norm_forward_tangent, FIRST, 3),
    "backward_tangent": (ops.batch_norm_backward_tangent, SECOND, 3),
    "eval_forward": (ops.batch_norm_eval_forward, ("x", "mean", "var", "gamma", "beta"), 1),
    "eval_backward": (ops.batch_norm_eval_backward, ("dy", "x", "mean", "var", "gamma"), 3),
    "eval_tangent": (
        ops.batch_norm_eval_forward_tangent,
        ("x_dot", "x", "mean", "var", "gamma", "gamma_dot", "beta_dot"),
        1,
    ),
    "eval_backward_tangent": (
        ops.batch_norm_eval_backward_tangent,
        ("dy_dot", "x_dot", "dy", "x", "mean", "var", "gamma", "gamma_dot"),
        3,
    ),
}
WRONG: dict[str, tuple[Callable[[Any], Any], type[Exception], str]] = {
    "other_dtype": (lambda a: a.astype(np.float32 if a.dtype == np.float64 else np.float64), TypeError, "got dtype"),
    "float16": (lambda a: a.astype(np.float16), TypeError, "got dtype float16"),
    "list": (lambda a: a.tolist(), TypeError, "got builtins.list"),
    "short": (lambda a: np.ascontiguousarray(a[..., :-1]), ValueError, "got shape"),
    "flat": (lambda a: np.ones((*a.shape, 1), a.dtype), ValueError, "got shape"),
    "strided": (lambda a: np.repeat(a, 2, -1)[..., ::2], ValueError, "got a strided array"),
    "empty": (lambda a: a[..., :0].copy(), ValueError, "got an empty array"),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("call", "wrong"), list(itertools.product(CALLS, WRONG)))
def test_wrong_arrays_are_refused(call: str, wrong: str, dtype: Any) -> None:
    function, names, _ = CALLS[call]
    make, kind, got = WRONG[wrong]
    for place, name in enumerate(names):
        arrays = E[dtype].given(*names)
        # x alone sets dtype and shape, so another is noticed in the first array beside it
        if name == "x" and wrong in ("other_dtype", "short"):
            continue
        before = digest(*arrays)
        bad = make(arrays[place])
        refused(lambda a=(*arrays[:place], bad, *arrays[place + 1 :]): function(*a), kind, rf"^{name}: ", got)
        assert digest(*arrays) == before


@pytest.mark.parametrize("call", CALLS)
def test_wrong_outputs_are_refused(call: str) -> None:
    function, names, count = CALLS[call]
    arrays = E[np.float64].given(*names)
    whole = np.full(SHAPE, 7.0)
    out = lambda first: first if count == 1 else (first, None, None)  # noqa: E731 - of one or of three
    sealed = whole.copy()
    sealed.flags.writeable = False
    for bad, kind, said in (
        (sealed, ValueError, "read-only"),
        (whole[:-1], ValueError, "got shape"),
        (whole.astype(np.float32), TypeError, "got dtype float32"),
        (arrays[0], ValueError, "overlapping memory"),
        (whole.T.copy().T, ValueError, "strided"),
    ):
        refused(lambda bad=bad: function(*arrays, out=out(bad)), kind, said)
    if count == 3:
        refused(lambda: function(*arrays, out=whole), TypeError, r"^out: expected a tuple of 3 arrays")
        refused(lambda: function(*arrays, out=(None, *[np.zeros(5)[:4]] * 2)), ValueError, "got shape")
        refused(lambda: function(*arrays, out=(None, *[np.zeros(5)] * 2)), ValueError, "overlapping memory")
    assert (whole == 7).all()
    fresh = function(*arrays)
    given = function(*arrays, out=out(whole))
    assert (given if count == 1 else given[0]) is whole
    assert_same_bits(whole, fresh if count == 1 else fresh[0])


def running(features: int = 5, count: int = 0) -> tuple[Any, Any, Any]:
    return np.zeros(features), np.ones(features), np.array(count)


@pytest.mark.parametrize(
    ("options", "kind", "said"),
    [
        ({"eps": -1e-5}, ValueError, r"^eps: got -1e-05, expected a finite number >= 0"),
        ({"eps": float("nan")}, ValueError, "^eps: got nan"),
        ({"eps": float("inf")}, ValueError, "^eps: got inf"),
        ({"running": running(), "momentum": 1.5}, ValueError, r"^momentum: got 1.5, expected a number in \[0"),
        ({"running": running(), "momentum": float("nan")}, ValueError, "^momentum: got nan"),
        ({"running": running()[:2]}, TypeError, "^running: expected None or a tuple of 3"),
        ({"running": running(4)}, ValueError, "^running mean: got shape"),
        ({"running": running(count=-1)}, ValueError, "^running count: got -1"),
        ({"running": (*running()[:2], np.zeros(1, np.int64))}, ValueError, "^running count: got shape"),
        ({"running": (*[running()[0]] * 2, np.array(0))}, ValueError, "overlapping memory"),
        ({"running": running(), "x": np.ones((1, 5))}, ValueError, "^x: got a batch of 1, expected at least 2"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], kind: type[Exception], said: str) -> None:
    options = {"x": E[np.float64].x, **options}
    arrays = options.get("running", ())
    before = [digest(array) for array in arrays]
    refused(lambda: ops.batch_norm_forward(**options), kind, said)
    assert [digest(array) for array in arrays] == before


UNALIGNED = """
import numpy as np
from optlab import ops

rows, features = {shape}
rng = np.random.default_rng(0)
draw = lambda *shape: rng.standard_normal(shape).astype(np.{dtype})
dy_dot, x_dot, dy, x = (draw(rows, features) for _ in range(4))
gamma, mean, mean_dot, rstd_dot = (draw(features) for _ in range(4))
given = (dy_dot, x_dot, dy, x, gamma, mean, 1 + mean**2, mean_dot, rstd_dot)
right = ops.batch_norm_backward_tangent(*given)[0]
memory = np.empty(x.nbytes + 192, np.uint8)
line = -memory.ctypes.data % 64 + 64
for offset in range(0, 64, x.itemsize):
    memory[:] = 7
    out = memory[line + offset :][: x.nbytes].view(x.dtype).reshape(x.shape)
    ops.batch_norm_backward_tangent(*given, out=(out, None, None))
    assert (out == right).all(), offset
    assert (memory[: line + offset] == 7).all() and (memory[line + offset + x.nbytes :] == 7).all(), offset
"""


@pytest.mark.parametrize(("dtype", "shape"), (("float32", (4096, 512)), ("float64", (2048, 512))))
def test_outputs_stand_at_any_place_of_a_line(python: Any, dtype: str, shape: tuple[int, int]) -> None:
    """Large enough to be written past the caches, for which groups of columns begin on lines."""
    from optlab.kernels.select import available

    for isa in available():
        done = python(UNALIGNED.format(dtype=dtype, shape=shape), OPTLAB_ISA=isa)
        assert done.returncode == 0, (isa, done.stderr)
