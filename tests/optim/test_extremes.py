"""Infinities, NaN, subnormal numbers and zeros stay in their own elements, or where documented, in their own run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cases.optimizers import OWN, examples, make
from reference.compare import assert_same_bits, eps
from reference.stepping import Array, data

import optlab as ol
from optlab.optim.rule import state_names

DTYPES = (np.float32, np.float64)
EXTREMES = {"nan": np.nan, "inf": np.inf, "-inf": -np.inf, "subnormal": None, "zero": 0.0, "-zero": -0.0, "huge": 1e30}
AT = (0, 5, 16, 32)
SIZE = 33
ELEMENTWISE = {
    name: opt
    for name, opt in examples().items()
    if not name.startswith(("LARS", "LAMB")) and opt.clip_norm is None and opt.max_norm is None
} | {
    f"{name}_elementwise": make(name, OWN[name]["plain"], {"weight_decay": 0.3, "l1": 0.5, "clip_value": 0.1})
    for name in OWN
    if name not in ("LARS", "LAMB")
}
NORMED = {
    "clip_norm": ol.Adam(lr=0.1, clip_norm=0.5),
    "max_norm": ol.SGD(lr=0.1, momentum=0.5, max_norm=0.5),
    "LARS": ol.LARS(lr=0.1),
    "LAMB": ol.LAMB(lr=0.1),
}


def path(opt: ol.Optimizer, x: Array, grads: list[Array], runs_axis: bool = False) -> dict[str, Array]:
    """The last point and state."""
    x = x.copy()
    state = opt.init(x, runs_axis=runs_axis)
    for grad in grads:
        opt.step(x, grad, state)
    return {"x": x} | {name: state[name] for name in state_names(opt)}


def spoilt(grads: list[Array], extreme: str) -> list[Array]:
    """The second gradient holds the number at some places."""
    number = EXTREMES[extreme]
    grads = [grad.copy() for grad in grads]
    grads[1][list(AT)] = np.finfo(grads[1].dtype).tiny / 8 if number is None else number
    return grads


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("extreme", EXTREMES)
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_other_elements_do_not_notice(name: str, extreme: str, dtype: Any) -> None:
    x, grads = data(SIZE, dtype)
    usual, other = path(ELEMENTWISE[name], x, grads), path(ELEMENTWISE[name], x, spoilt(grads, extreme))
    rest = np.setdiff1d(np.arange(SIZE), AT)
    for array in usual:
        assert_same_bits(other[array][rest], usual[array][rest])
        if extreme in ("subnormal", "zero", "-zero"):
            assert np.isfinite(other[array]).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_nan_is_never_lost(name: str, dtype: Any) -> None:
    x, grads = data(SIZE, dtype)
    assert np.isnan(path(ELEMENTWISE[name], x, spoilt(grads, "nan"))["x"][list(AT)]).all()


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_gradients_of_zero_from_the_start_leave_x_to_the_decay(name: str) -> None:
    opt, x = ELEMENTWISE[name], data(SIZE, np.float32)[0]
    after = path(opt, x, [np.zeros_like(x)] * 3)["x"]
    assert np.isfinite(after).all()
    if opt.weight_decay == 0 and opt.l1 == 0:
        assert_same_bits(after, x)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("extreme", ("nan", "inf", "huge"))
@pytest.mark.parametrize("name", NORMED)
def test_norms_spread_it_over_their_run_alone(name: str, extreme: str, dtype: Any) -> None:
    x, grads = data((3, SIZE), dtype)
    wrong = [grad.copy() for grad in grads]
    wrong[1][1] = spoilt([grad[1] for grad in grads], extreme)[1]
    usual, other = (path(NORMED[name], x, given, runs_axis=True) for given in (grads, wrong))
    for array in usual:
        assert_same_bits(other[array][[0, 2]], usual[array][[0, 2]])
    if extreme == "nan" and name != "max_norm":
        assert np.isnan(other["x"][1]).all()  # the norm is NaN, and with it every step that it scales


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ("LARS", "LAMB"))
def test_where_a_norm_is_zero_the_ratio_is_one(name: str, dtype: Any) -> None:
    opt, g = make(name, {"lr": 0.5, "weight_decay": 0.0}), data(SIZE, dtype)[0]
    x = np.zeros(SIZE, dtype)
    moved = path(opt, x, [g])["x"]
    expected = -dtype(0.5) * g if name == "LARS" else -0.5 * np.sign(g)
    # LAMB's first direction is m / (√v + eps): eps takes eps / |g| off each element's 1, and eight operations round
    assert np.abs(moved - expected).max() <= (0.0 if name == "LARS" else opt.eps / np.abs(g).min() + 8 * eps(dtype))
    x = data(SIZE, dtype)[0]
    assert_same_bits(path(opt, x, [np.zeros_like(x)] * 2)["x"], x)
