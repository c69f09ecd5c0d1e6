"""Norms are right where the squares of float32 and float64 leave their range, and 0 / 0 is a step of 0."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cases.optimizers import OWN, make
from reference.compare import assert_same_bits, eps
from reference.stepping import Array, assert_steps, data

import optlab as ol
from optlab.kernels.select import cpu
from optlab.optim.rule import rule_of, state_names

DTYPES = (np.float32, np.float64)
SIZES = (1, 33, 700)
SCALES = (1e-38, 1e-25, 1e-19, 1e-10, 1e10, 1e19, 1e20, 1e30, 3e37)
EXPONENTS = {np.float32: (-100, -70, -30, 30, 63, 70, 120), np.float64: (-970, -600, -300, 300, 511, 600, 1010)}
"""Powers of two on both sides of where a square is lost; a thousandth of the smallest numbers is still normal."""
DIVIDING = [name for name in OWN if cpu.rule_divides(rule_of(make(name, OWN[name]["plain"])))]


def after(opt: ol.Optimizer, x: Array, *grads: Array, runs_axis: bool = False) -> Array:
    """Where steps with these gradients lead."""
    x = x.copy()
    state = opt.init(x, runs_axis=runs_axis)
    for grad in grads:
        opt.step(x, grad, state)
    return x


def scaled(array: Array, exponent: int) -> Array:
    """Times a power of two, to the bit."""
    return np.ldexp(array, exponent).astype(array.dtype)


@pytest.mark.parametrize("bound", (1e-30, 1.0, 1e30))
@pytest.mark.parametrize("scale", SCALES)
def test_every_gradient_of_float32_is_clipped_and_every_point_projected(scale: float, bound: float) -> None:
    """Against twins in float64, which holds all of these squares."""
    for size in SIZES:
        x, grads = data(size, np.float32, 2)
        large = [grad * np.float32(scale) for grad in grads]
        assert_steps(ol.SGD(lr=0.5, momentum=0.5, clip_norm=bound), x, large)
        assert_steps(ol.SGD(lr=0.5, max_norm=bound), x * np.float32(scale), grads)


@pytest.mark.parametrize("weight_decay", (0.0, 0.1))
@pytest.mark.parametrize("scale_of_g", SCALES)
@pytest.mark.parametrize("scale", SCALES)
def test_layerwise_steps_of_float32_have_the_length_of_their_weights(
    scale: float, scale_of_g: float, weight_decay: float
) -> None:
    x, grads = data(700, np.float32, 2)
    x, grads = x * np.float32(scale), [grad * np.float32(scale_of_g) for grad in grads]
    assert_steps(ol.LARS(lr=1.0, trust_coefficient=0.02, weight_decay=weight_decay), x, grads)
    if 1e-38 < scale_of_g < 1e19:  # its averages, of float32, hold neither less nor more
        assert_steps(ol.LAMB(lr=0.05, weight_decay=weight_decay), x, grads)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", SIZES)
def test_out_of_range_has_the_bits_of_in_range(size: int, dtype: Any) -> None:
    x, (g, _) = data(size, dtype, 2)
    clipped, origin = ol.SGD(lr=0.5, clip_norm=0.75), np.zeros_like(x)
    projected, layerwise = ol.SGD(lr=0.5, max_norm=0.75), ol.LARS(lr=0.5)
    far = 40 if dtype == np.float32 else 80  # the 1e-6 in the denominator is lost beside such a norm
    for exponent in EXPONENTS[dtype]:
        if exponent > far:
            assert_same_bits(after(clipped, origin, scaled(g, exponent)), after(clipped, origin, scaled(g, far)))
            assert_same_bits(after(projected, scaled(x, exponent), origin), after(projected, scaled(x, far), origin))
        assert_same_bits(after(layerwise, scaled(x, exponent), g), scaled(after(layerwise, x, g), exponent))
        assert_same_bits(after(layerwise, x, scaled(g, exponent)), after(layerwise, x, g))
        other = ol.LAMB(lr=0.5, weight_decay=0.0)
        assert_same_bits(after(other, scaled(x, exponent), g), scaled(after(other, x, g), exponent))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("opt", (ol.SGD(lr=0.5, clip_norm=0.75), ol.SGD(lr=0.5, max_norm=0.75), ol.LARS(lr=0.5)))
def test_a_run_out_of_range_is_itself_alone(opt: ol.Optimizer, dtype: Any) -> None:
    for runs in (1, 3, 37):
        x, (g, _) = data((runs, 19), dtype, 2)
        for row in range(1, runs, 2):
            exponent = EXPONENTS[dtype][row // 2 % 7]
            x[row], g[row] = scaled(x[row], exponent), scaled(g[row], exponent)
        together = after(opt, x, g, runs_axis=True)
        for row in range(runs):
            assert_same_bits(together[row], after(opt, x[row], g[row]))


@pytest.mark.parametrize("opt", (ol.SGD(lr=0.5, clip_norm=0.75), ol.SGD(lr=0.5, max_norm=0.75), ol.LARS(lr=0.5)))
def test_threads_change_no_bit_out_of_range(opt: ol.Optimizer) -> None:
    x, (g, _) = data(100_001, np.float32, 2)
    results = []
    for count in (1, 2, 5):
        with ol.threads(count):
            results.append(after(opt, x * np.float32(1e37), g * np.float32(1e37)))
    for other in results[1:]:
        assert_same_bits(other, results[0])


@pytest.mark.parametrize("dtype", DTYPES)
def test_lists_and_named_rows_are_clipped_out_of_range(dtype: Any) -> None:
    x, (g, _) = data((6, 5), dtype, 2)
    g = scaled(g, EXPONENTS[dtype][-1])
    opt = ol.SGD(lr=0.5, clip_norm=1e-30)
    whole, parts = after(opt, x, g), [x[:2].copy(), x[2:].copy()]
    opt.step(parts, [g[:2].copy(), g[2:].copy()], opt.init(parts))
    # the norm adds up arrays in another order than one array: two roundings
    np.testing.assert_allclose(np.concatenate(parts), whole, rtol=2 * eps(dtype), atol=2e-30 * eps(dtype))
    sparse, rows = ol.SparseAdam(lr=0.5, clip_norm=1e-30), np.array([4, 1])
    state, moved = sparse.init(x), x.copy()
    sparse.step(moved, g[rows], state, rows=rows)
    length = np.linalg.norm(state["exp_avg"].astype(np.float64))
    assert length == pytest.approx(0.1 * 1e-30, rel=20 * eps(dtype))
    assert_same_bits(moved[[0, 2, 3, 5]], x[[0, 2, 3, 5]])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("runs", (1, 40))
def test_studies_record_and_stop_by_norms_out_of_range(runs: int, dtype: Any) -> None:
    exponent = EXPONENTS[dtype][-2]
    f = ol.landscapes.Quadratic([1.0, 2.0, 4.0])
    x0 = scaled(np.tile(np.array([3.0, 1.0, 0.5], dtype), (runs, 1)), exponent)
    stops = [ol.stop.grad_norm(np.ldexp(1.0, exponent)), ol.stop.leaves_ball(np.ldexp(3.3, exponent))]
    path = ol.descend(f, ol.SGD(lr=0.1), x0, steps=50, record=1, stop=stops[0])
    exact = np.linalg.norm(np.ldexp(path.x.astype(np.float64), -exponent) * f.grad(np.ones(3)), axis=-1)
    np.testing.assert_allclose(np.ldexp(path.grad_norm.astype(np.float64), -exponent), exact, rtol=8 * eps(dtype))
    assert set(path.stop_reason) == {"grad_norm"} and path.stop_step.max() < 50
    left = ol.descend(f, ol.SGD(lr=0.1, maximize=True), x0, steps=50, stop=stops[1])
    assert set(left.stop_reason) == {"left"} and left.stop_step.max() == 1
    tiny = ol.descend(f, ol.SGD(lr=0.1), scaled(x0, -2 * exponent), steps=1)
    np.testing.assert_allclose(
        np.ldexp(tiny.grad_norm[0].astype(np.float64), exponent), np.sqrt(17.0), rtol=8 * eps(dtype)
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", DIVIDING)
def test_without_eps_a_zero_gradient_is_a_step_of_zero(name: str, dtype: Any) -> None:
    for own in OWN[name].values():
        for around in ({}, {"l1": 0.1, "clip_value": 0.5, "clip_norm": 0.9}):
            opt = make(name, own, around, {"eps": 0.0, "weight_decay": 0.0})
            x, grads = data(33, dtype, 3)
            assert_steps(opt, x, grads)
            still = np.arange(0, 33, 4)
            for grad in grads:
                grad[still] = 0
            moved, state = x.copy(), opt.init(x)
            for grad in grads:
                opt.step(moved, grad, state)
            assert all(np.isfinite(array).all() for array in (moved, *(state[k] for k in state_names(opt))))
            if not around:
                assert_same_bits(moved[still], x[still])


def test_without_eps_the_usual_bits_stay() -> None:
    x, grads = data(130, np.float32, 3)
    for name in DIVIDING:
        tiny = 0.0 if name == "Adadelta" else 1e-38  # what 1 + 1e-38 rounds away
        assert_same_bits(
            after(make(name, OWN[name]["plain"], {"eps": 0.0}), x, *grads),
            after(make(name, OWN[name]["plain"], {"eps": tiny}), x, *grads),
        )


def test_a_projection_shortens_small_coordinates_too() -> None:
    """They would lose digits if the factor, which is in range here, were applied in two parts."""
    x = np.array([1e15, 1e-30, -3e-33], np.float32)
    found = after(ol.SGD(lr=0.1, max_norm=1e10), x, np.zeros(3, np.float32))
    np.testing.assert_allclose(found, x.astype(np.float64) * 1e-5, rtol=3 * eps(np.float32))
    many = after(ol.SGD(lr=0.1, max_norm=1e10), np.tile(x, (9, 1)), np.zeros((9, 3), np.float32), runs_axis=True)
    assert_same_bits(many, np.tile(found, (9, 1)))
