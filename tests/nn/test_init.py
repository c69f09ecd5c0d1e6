"""Initializers: formulas, distributions against SciPy and PyTorch, orthogonality, addresses, and every refusal."""

from __future__ import annotations

import math
import pickle
import re
from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest
from reference.compare import assert_same_bits, assert_within, eps
from scipy import stats

import optlab as ol
from optlab.kernels.select import cpu
from optlab.nn import init

DTYPES = (np.float32, np.float64)
LEVEL = 1e-6  # of each statistical test; the seeds are fixed, so a test that passes passes always
SHAPE = (300, 200)  # fan_out, fan_in
N = math.prod(SHAPE)

# initializer -> its distribution on SHAPE, from the papers' formulas: a variance, normal or uniform around a mean
SPREAD: dict[str, tuple[init.Initializer, str, float, float]] = {
    "normal": (init.Normal(0.02, mean=-0.5), "normal", 0.02**2, -0.5),
    "uniform": (init.Uniform(-1.0, 3.0), "uniform", 4.0**2 / 12, 1.0),
    "xavier_normal": (init.XavierNormal(), "normal", 2 / (200 + 300), 0.0),
    "xavier_normal_gain": (init.XavierNormal(gain=5 / 3), "normal", 25 / 9 * 2 / 500, 0.0),
    "xavier_uniform": (init.XavierUniform(), "uniform", 2 / 500, 0.0),
    "kaiming_normal": (init.KaimingNormal(), "normal", 2 / 200, 0.0),
    "kaiming_normal_out": (init.KaimingNormal(mode="fan_out"), "normal", 2 / 300, 0.0),
    "kaiming_normal_slope": (init.KaimingNormal(a=0.2), "normal", 2 / 1.04 / 200, 0.0),
    "kaiming_uniform": (init.KaimingUniform(), "uniform", 2 / 200, 0.0),
    "kaiming_uniform_tanh": (init.KaimingUniform(nonlinearity="tanh"), "uniform", 25 / 9 / 200, 0.0),
    "torch_default": (init.TorchDefault(), "uniform", 1 / 200 / 3, 0.0),
    "defazio_bottou": (init.DefazioBottou(), "normal", 2 / math.sqrt(200 * 300), 0.0),
    "defazio_bottou_gain": (init.DefazioBottou(gain=1.0), "normal", 1 / math.sqrt(200 * 300), 0.0),
}
EVERY = {
    "zeros": init.Zeros(),
    "constant": init.Constant(0.1),
    "given": init.Given(np.ones(SHAPE)),
    "orthogonal": init.Orthogonal(1.5),
    **{name: case[0] for name, case in SPREAD.items()},
}


def test_the_table_names_every_initializer() -> None:
    assert {type(method) for method in EVERY.values()} == set(init.INITIALIZERS.values())
    assert all(key == re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower() for key, cls in init.INITIALIZERS.items())
    assert {cls.__name__ for cls in init.INITIALIZERS.values()} <= set(init.__all__)


# ---------------------------------------------------------------- distributions


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", SPREAD)
def test_numbers_have_the_distribution_of_the_formula(name: str, dtype: Any) -> None:
    method, kind, variance, mean = SPREAD[name]
    drawn = method.draw(SHAPE, 11, step=3, dtype=dtype).ravel().astype(np.float64)
    std, half = math.sqrt(variance), math.sqrt(3 * variance)
    law = stats.norm(mean, std) if kind == "normal" else stats.uniform(mean - half, 2 * half)
    assert stats.kstest(drawn, law.cdf).pvalue > LEVEL
    # five standard deviations of the mean and of the mean square: the kurtosis is 3 or 9/5
    spread = math.sqrt((3 if kind == "normal" else 1.8) - 1)
    assert abs(drawn.mean() - mean) < 5 * std / math.sqrt(N)
    assert abs(np.square(drawn - mean).mean() / variance - 1) < 5 * spread / math.sqrt(N)
    if kind == "uniform":  # the bound, reached to 20/N of it (the chance of less is exp(-20)); rounded twice
        top = np.abs(drawn - mean).max()
        assert half * (1 - 20 / N) < top <= half + 2 * eps(dtype) * (half + abs(mean))


@pytest.mark.parametrize(
    "name", [name for name, case in SPREAD.items() if isinstance(case[0], init.initializer.ByFans)]
)
def test_std_is_the_formula(name: str) -> None:
    method, _, variance, _ = SPREAD[name]
    assert_within(method.std((200, 300)), math.sqrt(variance), 4 * eps(np.float64) * math.sqrt(variance))  # 8 roundings


def of_torch(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """PyTorch's numbers for a name of SPREAD."""
    torch = pytest.importorskip("torch")
    nn, w = torch.nn.init, torch.empty(shape)
    generator = torch.Generator().manual_seed(7)
    calls: dict[str, Any] = {
        "normal": lambda: nn.normal_(w, -0.5, 0.02, generator=generator),
        "uniform": lambda: nn.uniform_(w, -1.0, 3.0, generator=generator),
        "xavier_normal": lambda: nn.xavier_normal_(w, generator=generator),
        "xavier_normal_gain": lambda: nn.xavier_normal_(w, nn.calculate_gain("tanh"), generator=generator),
        "xavier_uniform": lambda: nn.xavier_uniform_(w, generator=generator),
        "kaiming_normal": lambda: nn.kaiming_normal_(w, generator=generator),
        "kaiming_normal_out": lambda: nn.kaiming_normal_(w, mode="fan_out", generator=generator),
        "kaiming_normal_slope": lambda: nn.kaiming_normal_(w, a=0.2, generator=generator),
        "kaiming_uniform": lambda: nn.kaiming_uniform_(w, generator=generator),
        "kaiming_uniform_tanh": lambda: nn.kaiming_uniform_(w, nonlinearity="tanh", generator=generator),
        "torch_default": lambda: nn.kaiming_uniform_(w, a=math.sqrt(5), generator=generator),
    }
    return calls[name]().numpy().ravel()


@pytest.mark.parametrize("shape", (SHAPE, (40, 30, 5, 3)))
@pytest.mark.parametrize("name", [name for name in SPREAD if not name.startswith("defazio")])
def test_numbers_are_distributed_as_pytorchs(name: str, shape: tuple[int, ...]) -> None:
    ours = SPREAD[name][0].draw(shape, 12)
    assert stats.ks_2samp(ours.ravel(), of_torch(name, shape)).pvalue > LEVEL


def test_the_default_of_a_linear_layer_is_pytorchs() -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(5)
    theta = np.empty((400, 8 * 50 + 8), np.float32)
    layers = [torch.nn.Linear(50, 8) for _ in theta]
    layout = (ol.Segment("weight", 0, (8, 50)), ol.Segment("bias", 400, (8,), "bias"))
    init.fill(theta, layout, weight="torch_default", bias="torch_default", seed=6)
    for ours, name in ((theta[:, :400], "weight"), (theta[:, 400:], "bias")):
        theirs = np.concatenate([getattr(layer, name).detach().numpy().ravel() for layer in layers])
        assert stats.ks_2samp(ours.ravel(), theirs).pvalue > LEVEL
        assert np.abs(ours).max() <= 1 / math.sqrt(50) + eps(np.float32)


@pytest.mark.parametrize("shape", ((3, 5), (7, 5, 3), (7, 5, 3, 2)))
def test_fans_are_pytorchs(shape: tuple[int, ...]) -> None:
    torch = pytest.importorskip("torch")
    expected = torch.nn.init._calculate_fan_in_and_fan_out(torch.empty(shape))
    assert init.fans(shape) == expected


@pytest.mark.parametrize("parameter", (None, 0.0, 0.2, -1.0, 3))
@pytest.mark.parametrize("name", ("linear", "sigmoid", "tanh", "relu", "leaky_relu", "selu"))
def test_gains_are_pytorchs(name: str, parameter: float | None) -> None:
    torch = pytest.importorskip("torch")
    assert init.gain(name, parameter) == torch.nn.init.calculate_gain(name, parameter)


# ---------------------------------------------------------------- orthogonal

WEIGHTS = ((1, 1), (1, 7), (7, 1), (2, 3), (15, 16), (17, 17), (31, 33), (33, 31), (64, 65), (65, 300), (8, 3, 5, 2))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", WEIGHTS)
def test_the_shorter_side_is_orthonormal(shape: tuple[int, ...], dtype: Any) -> None:
    w = init.Orthogonal(gain=3.0).draw(shape, 5, dtype=dtype).reshape(shape[0], -1).astype(np.float64) / 3
    gram = w @ w.T if len(w) <= w.shape[1] else w.T @ w
    # Two passes leave products of a few eps; rounding to the dtype, gain and the product above add sums of
    # |w_i| |w_j| eps, at most 1 by Cauchy and Schwarz, and (columns) roundings of the latter in float64.
    assert_within(gram, np.eye(len(gram)), 4 * eps(dtype) + 2 * max(w.shape) * eps(np.float64))


def test_rows_are_gram_and_schmidts() -> None:
    z = np.random.default_rng(1).normal(size=(40, 70))
    ours = z.copy()
    cpu.orthonormalize_rows(ours)
    # rows of R^T of the QR factorization, with a positive diagonal
    q, r = np.linalg.qr(z.T)
    expected = (q * np.sign(np.diag(r))).T
    # both are within (condition number) * (rows) * eps of the exact factor; the factor 4 leaves room for constants
    assert_within(ours, expected, 4 * np.linalg.cond(z) * 40 * eps(np.float64))


def test_almost_parallel_rows_become_orthonormal() -> None:
    """One pass leaves products of (condition number) * eps; the second takes them off."""
    z = 1 + 1e-8 * np.random.default_rng(2).normal(size=(40, 70))
    assert np.linalg.cond(z) > 1e8
    cpu.orthonormalize_rows(z)
    assert_within(z @ z.T, np.eye(40), 2 * 70 * eps(np.float64))


def test_orthogonal_weights_are_haar_distributed() -> None:
    """The square of an entry of a random unit vector of n dimensions is Beta(1/2, (n - 1)/2)."""
    runs = 4000
    for shape in ((3, 5), (5, 3), (4, 4)):
        w = np.array([init.Orthogonal().draw(shape, 2, run=run, dtype="float64") for run in range(runs)])
        n = max(shape)
        for i, j in ((0, 0), (shape[0] - 1, shape[1] - 1)):
            assert stats.kstest(w[:, i, j] ** 2, stats.beta(0.5, (n - 1) / 2).cdf).pvalue > LEVEL
            assert abs((w[:, i, j] > 0).mean() - 0.5) < 5 * 0.5 / math.sqrt(runs)
        # invariance under a fixed rotation of either side
        turn = np.linalg.qr(np.random.default_rng(0).normal(size=(shape[0], shape[0])))[0]
        if shape[0] == n:
            turned = np.einsum("ij,rjk->rik", turn, w)
            assert stats.ks_2samp(turned[:, 0, -1], w[:, 0, -1]).pvalue > LEVEL
    assert abs((np.linalg.det(w) > 0).mean() - 0.5) < 5 * 0.5 / math.sqrt(runs)


def test_the_rotation_of_a_seed_is_the_orthonormalized_draw() -> None:
    rows = ol.random.normal((21, 21), 9, stream=ol.random.Stream.INIT)
    cpu.orthonormalize_rows(rows)
    assert_same_bits(ol.landscapes.StrictSaddle(dim=21, rotation=9).rotation, rows)


@pytest.mark.parametrize("rows", (33, 200))  # below and above what threads share
def test_threads_do_not_change_orthogonal_weights(rows: int) -> None:
    drawn = []
    for count in (1, 2, 3):
        with ol.threads(count):
            drawn.append(init.Orthogonal().draw((rows, 517), 3))
    for other in drawn[1:]:
        assert_same_bits(other, drawn[0])


REFUSED_ROWS = {
    "float32": (np.ones((2, 3), np.float32), TypeError, "rows: got dtype float32, expected float64"),
    "more_rows": (np.ones((3, 2)), ValueError, r"rows: got shape \(3, 2\), expected \(3, 3\)"),
    "one_row": (np.ones(3), ValueError, "rows: got shape"),
    "order": (np.asfortranarray(np.ones((2, 3))), ValueError, "rows: got"),
}


@pytest.mark.parametrize("name", REFUSED_ROWS)
def test_rows_that_do_not_fit_are_refused(name: str) -> None:
    rows, error, said = REFUSED_ROWS[name]
    with pytest.raises(error, match=said):
        cpu.orthonormalize_rows(rows)
    assert (rows == 1).all()


# ---------------------------------------------------------------- addresses


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", EVERY)
def test_a_draw_is_a_function_of_its_address(name: str, dtype: Any) -> None:
    method = EVERY[name]
    where: dict[str, Any] = {"seed": 2**63 + 1, "step": 5, "run": 7}
    first = method.draw(SHAPE, **where, dtype=dtype)
    assert (first.shape, first.dtype, first.flags.c_contiguous) == (SHAPE, dtype, True)
    assert_same_bits(method.draw(list(SHAPE), **where, dtype=np.dtype(dtype).name), first)
    buffer = np.full(N + 1, np.nan, dtype)
    out = buffer[1:].reshape(SHAPE)  # not aligned to any register
    assert method.draw(SHAPE, **where, out=out) is out
    assert_same_bits(out, first)
    assert np.isnan(buffer[0])
    for change in ({"seed": 1}, {"step": 6}, {"step": 2**40}, {"run": 8}):
        assert np.array_equal(method.draw(SHAPE, **{**where, **change}, dtype=dtype), first) == (name in CONSTANT)


CONSTANT = ("zeros", "constant", "given")


@pytest.mark.parametrize("name", EVERY)
def test_the_two_dtypes_draw_different_numbers(name: str) -> None:
    narrow, wide = (EVERY[name].draw(SHAPE, 1, dtype=dtype) for dtype in DTYPES)
    assert np.array_equal(wide.astype(np.float32), narrow) == (name in (*CONSTANT, "orthogonal"))


def test_numbers_are_those_of_the_stream() -> None:
    z = ol.random.normal(N, 3, stream=ol.random.Stream.INIT, step=2, first_run=4, dtype=np.float32)
    assert_same_bits(init.Normal(0.5).draw(SHAPE, 3, step=2, run=4), z.reshape(SHAPE) * np.float32(0.5))


@pytest.mark.parametrize("name", EVERY)
def test_initializers_are_values(name: str) -> None:
    method = EVERY[name]
    again = pickle.loads(pickle.dumps(method))
    assert_same_bits(again.draw(SHAPE, 1), method.draw(SHAPE, 1))
    assert again == method or name == "given"
    with pytest.raises(FrozenInstanceError):
        method.gain = 2.0  # type: ignore[attr-defined]
    assert init.resolve(method) is method


def test_a_given_array_is_copied() -> None:
    array = np.arange(6.0).reshape(2, 3)
    method = init.Given(array)
    array[:] = 0
    drawn = method.draw((2, 3), 0, dtype="float64")
    assert drawn.ravel().tolist() == [0, 1, 2, 3, 4, 5]
    drawn[:] = 0
    assert method.array.sum() == 15


# ---------------------------------------------------------------- whole networks

LAYOUT = (
    ol.Segment("layers.0.weight", 0, (6, 4), "weight", 4, 6),
    ol.Segment("layers.0.bias", 24, (6,), "bias"),
    ol.Segment("layers.0.norm.weight", 30, (6,), "scale"),
    ol.Segment("layers.0.norm.bias", 36, (6,), "shift"),
    ol.Segment("layers.1.weight", 42, (3, 6)),
    ol.Segment("layers.1.bias", 60, (3,), "bias", 100, 3),
)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("weight", ("kaiming_normal", init.Orthogonal(2.0), "torch_default"))
def test_fill_draws_segment_by_segment(weight: Any, dtype: Any) -> None:
    theta = np.full((3, 63), np.nan, dtype)
    init.fill(theta, LAYOUT, weight=weight, bias="torch_default", seed=8, first_run=5)
    alone, bias = init.resolve(weight), init.TorchDefault()
    for run, row in enumerate(theta, 5):
        parts = [row[s.offset : s.offset + s.size].reshape(s.shape) for s in LAYOUT]
        where = {"run": run, "dtype": dtype}
        assert_same_bits(parts[0], alone.draw((6, 4), 8, step=0, **where))
        assert_same_bits(parts[1], bias.draw(6, 8, step=1, **where, fans=(4, 6)))
        assert (parts[2] == 1).all() and (parts[3] == 0).all()
        assert_same_bits(parts[4], alone.draw((3, 6), 8, step=4, **where))
        assert_same_bits(parts[5], bias.draw(3, 8, step=5, **where, fans=(100, 3)))
    single = np.full(63, np.nan, dtype)
    init.fill(single, LAYOUT, weight=weight, bias="torch_default", seed=8, first_run=6)
    assert_same_bits(single, theta[1])


def test_fill_begins_with_kaiming_and_zeros() -> None:
    theta = np.full(63, np.nan)
    init.fill(theta, LAYOUT, seed=1)
    assert_same_bits(theta[:24].reshape(6, 4), init.KaimingNormal().draw((6, 4), 1, dtype="float64"))
    assert (theta[24:30] == 0).all() and (theta[60:] == 0).all()


# ---------------------------------------------------------------- refusals

READ_ONLY = np.ones((2, 3), np.float32)
READ_ONLY.flags.writeable = False
UNIT = init.Uniform(0, 1)
BIAS = (ol.Segment("b", 0, (4,), "bias"),)
REFUSED: dict[str, tuple[Any, type[Exception], str]] = {
    "unknown_name": (lambda: init.resolve("kaimin_normal"), ValueError, "init: got 'kaimin_normal'; did you mean"),
    "strange_name": (lambda: init.resolve("zzz"), ValueError, "init: got 'zzz', expected one of zeros, constant"),
    "no_name": (lambda: init.resolve(3), TypeError, "init: got 3, expected an initializer or one of"),
    "class": (lambda: init.resolve(init.Zeros), TypeError, "init: got <class"),
    "needs": (lambda: init.resolve("normal"), ValueError, r"init: got 'normal', which needs .* Normal\(…\)"),
    "value": (lambda: init.Constant("1"), TypeError, "value: got '1', expected a number"),
    "nan": (lambda: init.Constant(math.nan), ValueError, "value: got nan"),
    "std": (lambda: init.Normal(-1.0), ValueError, "std: got -1.0, expected a finite number >= 0"),
    "mean": (lambda: init.Normal(1.0, math.inf), ValueError, "mean: got inf"),
    "ends": (lambda: init.Uniform(1.0, 0.0), ValueError, "high: got 0.0, expected a finite number >= 1"),
    "gain": (lambda: init.XavierNormal(-1), ValueError, "gain: got -1.0"),
    "gain_text": (lambda: init.Orthogonal("relu"), TypeError, "gain: got 'relu'"),
    "gain_infinite": (lambda: init.DefazioBottou(math.inf), ValueError, "gain: got inf"),
    "mode": (lambda: init.KaimingNormal(mode="fan"), ValueError, "mode: got 'fan', expected 'fan_in' or 'fan_out'"),
    "slope": (lambda: init.KaimingUniform(a=True), TypeError, "a: got True"),
    "activation": (
        lambda: init.KaimingNormal(nonlinearity="rel"),
        ValueError,
        "nonlinearity: got 'rel'; did you mean 'relu'",
    ),
    "gain_name": (lambda: init.gain("zzz"), ValueError, "nonlinearity: got 'zzz'; expected one of linear"),
    "gain_of_list": (lambda: init.gain("relu", [1]), TypeError, "parameter: got"),
    "given_list": (lambda: init.Given([1.0]), TypeError, "array: got list, expected a float32"),
    "given_whole": (lambda: init.Given(np.ones(2, int)), TypeError, "array: got int64"),
    "given_nan": (lambda: init.Given(np.array([np.nan])), ValueError, "array: got numbers that are not finite"),
    "given_shape": (lambda: init.Given(np.ones(2)).draw(3, 0), ValueError, r"shape: got \(3,\), expected \(2,\)"),
    "seed": (lambda: UNIT.draw(2, -1), ValueError, "seed: got -1"),
    "step": (lambda: UNIT.draw(2, 0, step=2**48), ValueError, "step: got"),
    "run": (lambda: UNIT.draw(2, 0, run=2**32), ValueError, "run: got"),
    "run_float": (lambda: UNIT.draw(2, 0, run=1.0), TypeError, "run: got 1.0"),
    "shape": (lambda: UNIT.draw((2, 0), 0), ValueError, "shape: got 0"),
    "shape_none": (lambda: UNIT.draw((), 0), ValueError, r"shape: got \(\)"),
    "shape_huge": (lambda: UNIT.draw((2**20, 2**20), 0), ValueError, "shape: got"),
    "dtype": (lambda: UNIT.draw(2, 0, dtype="float16"), TypeError, "dtype: got float16"),
    "no_fans": (lambda: init.XavierNormal().draw(4, 0), ValueError, r"shape: got \(4,\), which has no fans"),
    "fans": (lambda: init.XavierNormal().draw(4, 0, fans=4), TypeError, r"fans: got 4, expected a pair"),
    "fan_zero": (lambda: init.XavierNormal().draw(4, 0, fans=(0, 1)), ValueError, "fans: got 0"),
    "vector": (lambda: init.Orthogonal().draw(4, 0), ValueError, r"shape: got \(4,\), expected at least two"),
    "large": (lambda: init.Orthogonal().draw((8192, 8192), 0), ValueError, r"shape: got \(8192, 8192\), which would"),
    "out_list": (lambda: UNIT.draw(2, 0, out=[0, 0]), TypeError, "out: got list"),
    "out_dtype": (lambda: UNIT.draw(2, 0, out=np.ones(2, int)), TypeError, "out: got int64"),
    "out_shape": (lambda: UNIT.draw((2, 3), 0, out=np.ones((3, 2))), ValueError, r"out: got shape \(3, 2\)"),
    "out_fixed": (lambda: UNIT.draw((2, 3), 0, out=READ_ONLY), ValueError, "out: got a read-only array"),
    "out_order": (lambda: UNIT.draw((2, 3), 0, out=np.ones((3, 2)).T), ValueError, "out: got a read-only array or"),
    "theta": (lambda: init.fill([1.0], BIAS, seed=0), TypeError, "theta: got list"),
    "theta_dtype": (lambda: init.fill(np.ones(4, int), BIAS, seed=0), TypeError, "theta: got int64"),
    "theta_order": (lambda: init.fill(np.ones((4, 2)).T, BIAS, seed=0), ValueError, r"theta: got shape \(2, 4\)"),
    "theta_size": (lambda: init.fill(np.ones(5), BIAS, seed=0), ValueError, "layout: got segments of 4"),
    "runs": (lambda: init.fill(np.ones((2, 4)), BIAS, seed=0, first_run=2**32 - 1), ValueError, "first_run: got"),
    "kind": (lambda: init.fill(np.ones(1), (ol.Segment("k", 0, (1,), "key"),), seed=0), ValueError, "kind 'key'"),
    "lonely_bias": (lambda: init.fill(np.ones(4), BIAS, bias="torch_default", seed=0), ValueError, "has no fans"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name: str) -> None:
    work, error, said = REFUSED[name]
    with pytest.raises(error, match=said) as caught:
        work()
    assert "\n" not in str(caught.value)


def test_a_refusal_leaves_theta_alone() -> None:
    theta = np.full(63, 7.0)
    for wrong in ({"weight": init.Given(np.ones((6, 4)))}, {"seed": -1}, {"bias": "orthogonal"}):
        with pytest.raises(ValueError):
            init.fill(theta, LAYOUT, **{"seed": 0, **wrong})  # type: ignore[arg-type]
        assert (theta == 7).all()
