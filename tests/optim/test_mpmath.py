"""Paths on a quadratic against 50-digit arithmetic, over hundreds of steps.

What a path in float64 may be off by is found by experiment on the exact path, to first order: the 50-digit run is
repeated with every intermediate result of every step off by one random eps, which is more than its rounding.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
from mpmath import mpf

import optlab as ol

SPECTRUM, START, STEPS = (0.1, 1.0, 3.0), (1.0, -2.0, 0.5), 300
LR, EPS, DECAY, PSI = 0.01, 1e-8, 0.1, 4e-3
BETA1, BETA2 = 0.9, 0.999
Round = Callable[[Any], Any]
Vector = list[Any]


def exactly(number: Any) -> Any:
    return number


def roughly(seed: int) -> Round:
    """Off by up to one eps of float64."""
    rng = random.Random(seed)
    return lambda number: number * (1 + mpf(rng.uniform(-1, 1)) * mpf(2) ** -52)


def averages(m: Vector, v: Vector, g: Vector, r: Round) -> None:
    """Adam's, in place."""
    for i in range(len(g)):
        m[i] = r(r(mpf(BETA1) * m[i]) + r((1 - mpf(BETA1)) * g[i]))
        v[i] = r(r(mpf(BETA2) * v[i]) + r((1 - mpf(BETA2)) * r(g[i] ** 2)))


def adam(x: Vector, g: Vector, m: Vector, v: Vector, t: int, r: Round) -> Vector:
    root = [r(mpmath.sqrt(r(b / (1 - mpf(BETA2) ** t)))) for b in v]
    return [r(r(LR * r(a / (1 - mpf(BETA1) ** t))) / r(b + mpf(EPS))) for a, b in zip(m, root, strict=True)]


@functools.cache
def mu(t: int) -> Any:
    return mpf(BETA1) * (1 - mpf("0.96") ** (t * mpf(PSI)) / 2)


@functools.cache
def mu_product(t: int) -> Any:
    return mu_product(t - 1) * mu(t) if t else mpf(1)


def nadam(x: Vector, g: Vector, m: Vector, v: Vector, t: int, r: Round) -> Vector:
    now, ahead = (1 - mu(t)) / (1 - mu_product(t)), mu(t + 1) / (1 - mu_product(t + 1))
    root = [r(mpmath.sqrt(r(b / (1 - mpf(BETA2) ** t)))) for b in v]
    step = [r(r(now * c) + r(ahead * a)) for a, c in zip(m, g, strict=True)]
    return [r(r(LR * a) / r(b + mpf(EPS))) for a, b in zip(step, root, strict=True)]


def lamb(x: Vector, g: Vector, m: Vector, v: Vector, t: int, r: Round) -> Vector:
    root = [r(mpmath.sqrt(r(b / (1 - mpf(BETA2) ** t)))) for b in v]
    u = [r(r(a / (1 - mpf(BETA1) ** t)) / r(b + mpf(EPS))) for a, b in zip(m, root, strict=True)]
    u = [r(a + r(mpf(DECAY) * b)) for a, b in zip(u, x, strict=True)]
    ratio = r(mpmath.norm(x) / mpmath.norm(u))
    return [r(r(LR * ratio) * a) for a in u]


def path(rule: Any, r: Round) -> list[Vector]:
    """x after every step, from the spectrum's own gradient."""
    x, m, v = [mpf(a) for a in START], [mpf(0)] * 3, [mpf(0)] * 3
    points = []
    for t in range(1, STEPS + 1):
        g = [r(mpf(h) * a) for h, a in zip(SPECTRUM, x, strict=True)]
        averages(m, v, g, r)
        x = [r(a - d) for a, d in zip(x, rule(x, g, m, v, t, r), strict=True)]
        points.append(x)
    return points


OPTIMIZERS = {
    "adam": (adam, ol.Adam(lr=LR, betas=(BETA1, BETA2), eps=EPS)),
    "nadam": (nadam, ol.NAdam(lr=LR, betas=(BETA1, BETA2), eps=EPS, momentum_decay=PSI)),
    "lamb": (lamb, ol.LAMB(lr=LR, betas=(BETA1, BETA2), eps=EPS, weight_decay=DECAY)),
}


def distance(points: list[Vector], others: Any) -> np.ndarray:
    """The largest difference of each step."""
    pairs = zip(points, others, strict=True)
    return np.array([float(max(abs(a - mpf(float(b))) for a, b in zip(x, y, strict=True))) for x, y in pairs])


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_follows_fifty_digits(name: str) -> None:
    rule, opt = OPTIMIZERS[name]
    f = ol.landscapes.Quadratic(SPECTRUM)
    ours = ol.descend(f, opt, np.array([START]), STEPS, record=1).x[1:, 0]
    with mpmath.workdps(50):
        right = path(rule, exactly)
        rough = np.array([[float(a) for a in x] for x in path(rule, roughly(1))])
        scale = np.maximum.accumulate(distance(right, rough))
        # Twice that, since one random run is not the worst; and the size of one rounding, which a lucky run may miss.
        bound = 2 * scale + 4 * np.finfo(np.float64).eps * max(map(abs, START))
        assert (distance(right, ours) <= bound).all()
        assert scale[-1] < 1e-12  # so the comparison says something
