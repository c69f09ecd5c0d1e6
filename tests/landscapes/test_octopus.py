"""The octopus against the paper's pieces and against its own definition, both in 50 digits, and its declared truth."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from mpmath import mpf
from reference.compare import assert_within, eps

import optlab as ol

L, GAMMA, TAU = 2.0, 0.7, 1.5
F = ol.landscapes.Octopus(5, L, GAMMA, TAU)
# Values are below 5 · 40, their slopes and curvatures below 40, with up to 35 roundings on the longest path.
SLACK = 35 * eps(np.float64) * 200


def paper(point: list[mpf]) -> mpf:
    """Equations 6 to 10 of the paper, by the first coordinate that is below 2τ."""
    ell, gamma, tau, u = mpf(L), mpf(GAMMA), mpf(TAU), [abs(x) for x in point]
    nu = mpf(37) / 6 * ell * tau**2 + mpf(13) / 6 * gamma * tau**2
    out = next((i for i, each in enumerate(u) if each < 2 * tau), len(u))
    f = sum((ell * (each - 4 * tau) ** 2 - nu for each in u[:out]), mpf(0))
    if out == len(u):
        return f
    z, rest = u[out], u[out + 1 :]
    if z <= tau:
        return f - gamma * z**2 + ell * sum((each**2 for each in rest), mpf(0))
    v, w = z - tau, z - 2 * tau
    g1 = -gamma * z**2 + (10 * gamma - 14 * ell) / (3 * tau) * v**3 + (5 * ell - 3 * gamma) / (2 * tau**2) * v**4
    g2 = -gamma - (ell + gamma) * (10 * w**3 / tau**3 + 15 * w**4 / tau**4 + 6 * w**5 / tau**5)
    return f + g1 + (g2 * rest[0] ** 2 + ell * sum((each**2 for each in rest[1:]), mpf(0)) if rest else 0)


def extended(point: list[mpf]) -> mpf:
    """The class's definition."""
    ell, gamma, tau, reached, f = mpf(L), mpf(GAMMA), mpf(TAU), mpf(1), mpf(0)
    nu = (37 * ell + 13 * gamma) * tau**2 / 6
    for u in map(abs, point):
        v, t = u - tau, min(max((u - tau) / tau, mpf(0)), mpf(1))
        bend = -gamma * u**2 + (10 * gamma - 14 * ell) / (3 * tau) * v**3 + (5 * ell - 3 * gamma) / (2 * tau**2) * v**4
        h = -gamma * u**2 if u <= tau else bend if u < 2 * tau else ell * (u - 4 * tau) ** 2 - nu
        f += (1 - reached) * ell * u**2 + reached * h
        reached *= t**3 * (10 - 15 * t + 6 * t**2)
    return f


def on_the_paths(out: int, seed: int) -> np.ndarray:
    """A point of the paper's domain with `out` coordinates moved out and the next one on its way."""
    u = np.random.default_rng(seed).random(2 * F.dim)
    x = np.concatenate([(2 + 4 * u[:out]) * TAU, 2 * TAU * u[out : out + 1], TAU * u[out + 1 : F.dim]])[: F.dim]
    return np.where(u[F.dim :] < 0.5, -x, x)


def partial(function, x: np.ndarray, *axes: int) -> float:
    """A derivative in 50 digits."""
    orders = tuple(axes.count(i) for i in range(x.size))
    with mpmath.workdps(50):
        return float(mpmath.diff(lambda *point: function(point), tuple(map(mpf, x)), orders))


def check(function, x: np.ndarray) -> None:
    """Value, gradient and Hessian at a point."""
    everything = range(x.size)
    assert_within(F.value(x), float(function(list(map(mpf, x)))), SLACK)
    assert_within(F.grad(x), [partial(function, x, i) for i in everything], SLACK)
    assert_within(F.hessian(x), [[partial(function, x, i, j) for j in everything] for i in everything], SLACK)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("out", range(F.dim + 1))
def test_is_the_papers_function_on_the_papers_domain(out: int, seed: int) -> None:
    check(paper, on_the_paths(out, seed))


@pytest.mark.parametrize("seed", range(6))
def test_is_its_definition_everywhere(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.uniform(-6, 6, F.dim) * TAU
    # every second point with several coordinates between the pieces at once, which the paper's domain has not
    check(extended, np.sign(x) * rng.uniform(1, 2, F.dim) * TAU if seed % 2 else x)


@pytest.mark.parametrize("border", [0.0, TAU, 2 * TAU])
@pytest.mark.parametrize("at", range(F.dim))
def test_is_twice_continuously_differentiable(at: int, border: float) -> None:
    for seed in range(4):
        x = np.random.default_rng(seed).uniform(1, 6, F.dim) * TAU * (-1) ** seed
        here, there = x.copy(), x.copy()
        here[at], there[at] = np.nextafter(border, -1), np.nextafter(border, 9)
        # third derivatives are below 1e4; the sides are an ulp of the border apart
        near = SLACK + 1e4 * 2 * eps(np.float64) * 2 * TAU
        assert_within(F.value(here), F.value(there), near)
        assert_within(F.grad(here), F.grad(there), near)
        assert_within(F.hessian(here), F.hessian(there), near)


def test_saddles_and_minima_are_all_listed_with_their_curvatures() -> None:
    assert len(F.minima) == 2**5 and len(F.saddles) == 2**5 - 1
    assert len(np.unique(np.vstack([F.minima, F.saddles]), axis=0)) == 2**6 - 1
    for x in F.saddles:
        spectrum = [F.saddle_curvatures[0], *[F.saddle_curvatures[1]] * (F.dim - 1)]
        assert (np.linalg.eigvalsh(F.hessian(x)) == spectrum).all() and not F.grad(x).any()
        assert F.value(x) >= F.minimum + F.depth * (1 - SLACK)
    for x in F.minima:
        assert (F.hessian(x) == 2 * L * np.eye(F.dim)).all()
    assert ol.landscapes.Octopus(13).minima is None and ol.landscapes.Octopus(13).saddles is None


def test_nothing_else_is_stationary() -> None:
    x = np.random.default_rng(0).uniform(-6, 6, (20_000, F.dim)) * TAU
    moved = np.abs(x) >= 2 * TAU
    first = np.argmin(moved, axis=1)  # the first that has not moved out, if there is one
    chosen = np.flatnonzero(~moved.all(axis=1))
    slopes = np.take_along_axis(F.grad(x) * np.sign(x), first[:, None], axis=1)[chosen, 0]
    assert (slopes < 0).all()


@pytest.mark.parametrize("name", ["L", "gamma", "tau"])
def test_lengths_and_curvatures_are_positive(name: str) -> None:
    with pytest.raises(ValueError, match=f"^{name}: got 0.0, expected"):
        ol.landscapes.Octopus(2, **{name: 0.0})
