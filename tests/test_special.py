"""The mathematical functions of the kernels against 50 digits, at the bounds that special.hpp states."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
from reference.compare import assert_same_bits

from optlab.kernels.select import cpu

DTYPES = (np.float32, np.float64)
LEVELLING = ("log1p", "tanh", "sigmoid", "softplus", "one_minus_exp")
FUNCTIONS = ("log", "exp", "sin", "cos", "sin_turns", "cos_turns", "expm1", *LEVELLING, "acos", "acos_sine")
EXACT: dict[str, Callable[[Any], Any]] = {
    "log": mpmath.log,
    "exp": mpmath.exp,
    "sin": mpmath.sin,
    "cos": mpmath.cos,
    "sin_turns": lambda x: mpmath.sinpi(2 * x),
    "cos_turns": lambda x: mpmath.cospi(2 * x),
    "expm1": mpmath.expm1,
    "log1p": mpmath.log1p,
    "tanh": mpmath.tanh,
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "softplus": lambda x: mpmath.log1p(mpmath.exp(x)),
    "one_minus_exp": lambda x: -mpmath.expm1(-x),
    "acos": mpmath.acos,
    "acos_sine": lambda x: mpmath.sqrt((1 - x) * (1 + x)),
}
NORMAL, SUBNORMAL, SINE = 1.0, 1.5, 2.5  # ulp of the result
OTHERS = {"expm1": 3.0, "log1p": 1.5, "tanh": 3.0, "sigmoid": 2.5, "softplus": 2.0, "one_minus_exp": 1.5} | {
    "acos": 2.0,
    "acos_sine": 2.0,
}
SMALL, SMALL_ULPS = 1e-3, 1.5e-3  # below SMALL sine and cosine err by SMALL_ULPS ulp(1)
SIN_LIMIT = {np.float32: 12867.0, np.float64: 1.6e6}
COUNT = 1500
DUAL: dict[str, Callable[[Any, Any], Any]] = {  # the derivative from x and the value y
    "log": lambda x, y: 1 / x,
    "exp": lambda x, y: y,
    "log1p": lambda x, y: 1 / (1 + x),
    "tanh": lambda x, y: 1 - y * y,
    "sigmoid": lambda x, y: y * (1 - y),
    "softplus": lambda x, y: 1 / (1 + mpmath.exp(-x)),
}


def special(name: str, x: np.ndarray, scalar: bool = False) -> np.ndarray:
    out = np.empty_like(x)
    cpu.special(out, x, FUNCTIONS.index(name), scalar)
    return out


def hard_angles(rng: np.random.Generator, limit: float) -> np.ndarray:
    """Uniform, of ordinary size, and near multiples of π/2, where digits cancel."""
    quarters = np.round(rng.uniform(-limit, limit, COUNT) * 0.63) * (np.pi / 2)
    return np.concatenate(
        [rng.uniform(-limit, limit, COUNT), 3 * rng.normal(size=COUNT), quarters, quarters[:99] * (1 + 1e-5)]
    )


def levelling_samples(name: str, dtype: Any, rng: np.random.Generator) -> list[np.ndarray]:
    """Of every size down to subnormal numbers, of ordinary size, and where the result levels off."""
    info, far = np.finfo(dtype), 103.2 if dtype == np.float32 else 745.0
    tiny = np.exp(rng.uniform(np.log(float(info.tiny) / 99), 0, COUNT))
    if name == "log1p":
        huge = np.exp(rng.uniform(0, np.log(float(info.max)), COUNT))
        return [tiny, -tiny, huge, rng.uniform(-1, 3, COUNT), rng.uniform(-0.5, 0.5, COUNT), 2.0 ** np.arange(-20, 99)]
    both = [tiny, rng.uniform(0, far, COUNT), rng.uniform(0, 25, COUNT), abs(rng.normal(size=COUNT))]
    return both if name == "one_minus_exp" else [*both, *[-part for part in both]]


def samples(name: str, dtype: Any) -> np.ndarray:
    rng, info = np.random.default_rng(20), np.finfo(dtype)
    if name == "log":
        spread = np.exp(rng.uniform(np.log(float(info.tiny)), np.log(float(info.max)), COUNT))
        parts = [
            spread,
            rng.uniform(0.5, 2, COUNT),
            1 + 1e-3 * rng.normal(size=COUNT),
            float(info.tiny) * rng.random(COUNT),
        ]
    elif name == "exp":
        low, high = (-103.2, 88.7) if dtype == np.float32 else (-745.0, 709.7)
        parts = [rng.uniform(low, high, COUNT), rng.normal(size=COUNT), rng.uniform(low, 0.84 * low, COUNT)]
    elif name == "expm1":
        tiny = np.exp(rng.uniform(np.log(float(info.tiny)), 0, COUNT))
        parts = [tiny, -tiny, rng.uniform(-40, 80, COUNT), rng.normal(size=COUNT)]
    elif name in LEVELLING:
        parts = levelling_samples(name, dtype, rng)
    elif name in ("sin", "cos"):
        parts = [hard_angles(rng, SIN_LIMIT[dtype])]
    elif name.startswith("acos"):  # the ends, where the angle is a root of what is missing, and the seam at 1/2
        ends = 1 - np.exp(rng.uniform(np.log(float(info.eps)), 0, COUNT))
        parts = [rng.uniform(-1, 1, COUNT), ends, -ends, 0.5 + 1e-3 * rng.normal(size=COUNT), 1e-9 * rng.normal(size=9)]
    else:
        parts = [rng.uniform(-100, 100, COUNT), rng.integers(-9999, 9999, COUNT) / 4 + 1e-4 * rng.normal(size=COUNT)]
    return np.concatenate(parts).astype(dtype)


def ulp(exact: Any, dtype: Any) -> Any:
    """The distance between neighbours around an exact result."""
    info = np.finfo(dtype)
    exponent = mpmath.frexp(exact)[1] - 1 if exact else info.minexp
    return mpmath.ldexp(1, max(exponent, info.minexp) - info.nmant)


def allowed(name: str, exact: Any, dtype: Any) -> Any:
    info = np.finfo(dtype)
    if name in OTHERS:
        return OTHERS[name] * ulp(exact, dtype)
    if name not in ("log", "exp"):
        return SMALL_ULPS * mpmath.mpf(float(info.eps)) if abs(exact) < SMALL else SINE * ulp(exact, dtype)
    return (SUBNORMAL if abs(exact) < float(info.tiny) else NORMAL) * ulp(exact, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_errors_stay_below_the_stated_bounds(name: str, dtype: Any) -> None:
    x = samples(name, dtype)
    worst, where = mpmath.mpf(0), 0.0
    with mpmath.workdps(50):
        for given, got in zip(x.tolist(), special(name, x).tolist(), strict=True):
            exact = EXACT[name](mpmath.mpf(given))
            error = abs(mpmath.mpf(got) - exact) / allowed(name, exact, dtype)
            worst, where = max((worst, where), (error, given))
    assert worst <= 1, f"{float(worst):.3f} of the stated bound, at {where!r}"


def test_the_functions_are_these() -> None:
    assert tuple(cpu.special_functions) == FUNCTIONS


INF, NAN = np.inf, np.nan
HARD: dict[str, list[tuple[float, float]]] = {  # exact results; the sign of a zero is not promised
    "log": [(0.0, -INF), (-0.0, -INF), (1.0, 0.0), (INF, INF), (-1.0, NAN), (-INF, NAN), (NAN, NAN)],
    "exp": [(0.0, 1.0), (-0.0, 1.0), (INF, INF), (-INF, 0.0), (NAN, NAN), (1e4, INF), (-1e4, 0.0)],
    "sin": [(0.0, 0.0), (-0.0, -0.0), (INF, NAN), (-INF, NAN), (NAN, NAN), (1.7e6, NAN), (-1e30, NAN)],
    "cos": [(0.0, 1.0), (-0.0, 1.0), (INF, NAN), (NAN, NAN), (-1.7e6, NAN), (1e30, NAN)],
    "sin_turns": [(0.0, 0.0), (0.25, 1.0), (-0.25, -1.0), (0.75, -1.0), (1e4 + 0.25, 1.0), (INF, NAN), (NAN, NAN)],
    "cos_turns": [(0.0, 1.0), (0.5, -1.0), (-0.5, -1.0), (1.0, 1.0), (1e5 + 0.5, -1.0), (-INF, NAN), (NAN, NAN)],
    "expm1": [(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -1.0), (NAN, NAN), (1e4, INF), (-1e4, -1.0)],
    "log1p": [(0.0, 0.0), (-0.0, -0.0), (-1.0, -INF), (-1.5, NAN), (INF, INF), (-INF, NAN), (NAN, NAN)],
    "tanh": [(0.0, 0.0), (-0.0, -0.0), (INF, 1.0), (-INF, -1.0), (NAN, NAN), (1e30, 1.0), (-30.0, -1.0)],
    "sigmoid": [(0.0, 0.5), (-0.0, 0.5), (INF, 1.0), (-INF, 0.0), (NAN, NAN), (1e4, 1.0), (-1e4, 0.0)],
    "softplus": [(INF, INF), (-INF, 0.0), (NAN, NAN), (1e30, 1e30), (-1e30, 0.0)],
    "one_minus_exp": [(0.0, 0.0), (INF, 1.0), (NAN, NAN), (1e30, 1.0), (50.0, 1.0)],
    "acos": [(1.0, 0.0), (0.0, np.pi / 2), (-1.0, np.pi), (1.01, 0.0), (-INF, np.pi), (NAN, NAN)],
    "acos_sine": [(1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (1.01, 0.0), (INF, 0.0), (NAN, NAN)],
}


@pytest.mark.parametrize("scalar", (False, True), ids=("pack", "scalar"))
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_special_values(name: str, dtype: Any, scalar: bool) -> None:
    given, expected = np.array(HARD[name], dtype).T.copy()
    got = special(name, given, scalar)
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ("sin", "cos"))
def test_the_limit_of_the_reduction_is_sharp(name: str, dtype: Any) -> None:
    limit = dtype(SIN_LIMIT[dtype])
    beyond = np.nextafter(limit, dtype(INF))
    got = special(name, np.array([limit, -limit, beyond, -beyond]))
    assert np.isnan(got).tolist() == [False, False, True, True]


@pytest.mark.parametrize("dtype", DTYPES)
def test_exp_ends_where_the_numbers_end(dtype: Any) -> None:
    info = np.finfo(dtype)
    with mpmath.workdps(50):
        top, bottom = float(mpmath.log(float(info.max))), float(mpmath.log(float(info.smallest_subnormal) / 2))
    got = special(
        "exp", np.array([top * (1 - 1e-6), top * (1 + 1e-6), bottom * (1 - 1e-6), bottom * (1 + 1e-6)], dtype)
    )
    assert np.isfinite(got[0]) and got[1] == INF
    assert (got[2:] <= info.smallest_subnormal).all()  # both within the 1.5 ulp of subnormal results


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_packs_and_single_numbers_agree_to_the_bit(name: str, dtype: Any) -> None:
    x = np.concatenate([samples(name, dtype), np.array([pair[0] for pair in HARD[name]], dtype)])
    assert_same_bits(special(name, x), special(name, x, scalar=True))
    for size in (1, 2, 3, 5, 7, 9, 15, 17):  # tails of every length
        assert_same_bits(special(name, x[:size].copy()), special(name, x)[:size])


@pytest.mark.parametrize("dtype", DTYPES)
def test_sine_and_cosine_have_their_symmetries(dtype: Any) -> None:
    x = samples("sin", dtype)
    assert_same_bits(special("sin", -x), -special("sin", x))
    assert_same_bits(special("cos", -x), special("cos", x))


@pytest.mark.parametrize("dtype", DTYPES)
def test_tanh_is_odd_keeps_the_sign_of_zero_and_never_passes_one(dtype: Any) -> None:
    x = samples("tanh", dtype)
    y = special("tanh", x)
    assert_same_bits(special("tanh", -x), -y)
    assert (abs(y) <= 1).all()
    for name in ("tanh", "log1p"):  # what is small comes back as it went in
        small = np.array([0.0, np.finfo(dtype).smallest_subnormal, np.finfo(dtype).tiny * 1.5], dtype)
        small = np.concatenate([small, -small])
        assert_same_bits(special(name, small), small)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", DUAL)
def test_dual_numbers_carry_the_derivative(name: str, dtype: Any) -> None:
    rng = np.random.default_rng(21)
    x = (rng.uniform(0.1, 5, COUNT) if name == "log" else rng.uniform(-0.9, 5, COUNT)).astype(dtype)
    got, value = np.empty_like(x), special(name, x)
    cpu.special_derivative(got, x, FUNCTIONS.index(name))
    with mpmath.workdps(50):
        for given, y, d in zip(x.tolist(), value.tolist(), got.tolist(), strict=True):
            exact = DUAL[name](mpmath.mpf(given), mpmath.mpf(y))
            # of the value as computed, three roundings and the 2.5 ulp of a function
            assert abs(mpmath.mpf(d) - exact) <= 4 * float(np.finfo(dtype).eps) * abs(exact)


def test_instruction_sets_agree(fingerprints: Any, expected_fingerprints: dict[str, str]) -> None:
    from optlab.kernels.select import available

    for isa in available():
        got = fingerprints(OPTLAB_ISA=isa)
        assert {
            name: got[name] for name in got if name.startswith(("special", "random"))
        }.items() <= expected_fingerprints.items()
