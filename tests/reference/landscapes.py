"""The landscapes' formulas, from their docstrings, in float64.

Each formula is written once over an arithmetic. ``PLAIN`` gives value, gradient and Hessian. ``MAJORANT``, applied to
|x|, replaces every term by its magnitude and every minus by plus; a computation with k roundings on its longest path
then errs by at most about k eps/2 times the majorant, however its terms cancel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Arithmetic:
    """``minus`` is the sign of a subtraction; an angle's error passes to its sine undiminished, hence 1 + t."""

    minus: float
    cos: Callable[[Any], Any]
    sin: Callable[[Any], Any]
    size: Callable[[Any], Any]
    turn: Callable[[Any], Any]


def _nearest_turn(x: Array) -> Array:
    """2 π x without whole turns, which are taken off exactly."""
    return 2 * np.pi * (x - np.round(np.real(x)))


PLAIN = Arithmetic(-1.0, np.cos, np.sin, lambda c: np.asarray(c, np.float64), _nearest_turn)
MAJORANT = Arithmetic(1.0, lambda t: 1 + t, lambda t: 1 + t, np.abs, lambda x: np.full_like(x, np.pi))

Result = tuple[Any, Array, Array]
"""Value, gradient (dim,), Hessian (dim, dim)."""
Formula = Callable[[Array, Arithmetic], Result]


def separable(terms: Callable[[Array, Arithmetic], tuple[Array, Array, Array]]) -> Formula:
    """From terms, slopes and bends of single coordinates."""

    def formula(x: Array, a: Arithmetic) -> Result:
        term, slope, bend = terms(x, a)
        return np.sum(term), slope, np.diag(bend)

    return formula


def rotated(formula: Formula, q: Array) -> Formula:
    """x -> formula(Q^T x)."""

    def turned(x: Array, a: Arithmetic) -> Result:
        value, grad, hessian = formula(a.size(q).T @ x, a)
        return value, a.size(q) @ grad, a.size(q) @ hessian @ a.size(q).T

    return turned


def quadratic(spectrum: Array) -> Formula:
    """½ Σ h x²."""

    def terms(x: Array, a: Arithmetic) -> tuple[Array, Array, Array]:
        h = a.size(spectrum)
        return h * x**2 / 2, h * x, h + 0 * x

    return separable(terms)


def strict_saddle(dim: int, negative: int, gamma: float, positive: tuple[float, float], bounded: bool) -> Formula:
    """Σ_{i<m} (−γ/2 y² + y⁴/4) + ½ Σ_{i≥m} λ z²."""
    spaced = np.linspace(*positive, dim - negative)

    def terms(x: Array, a: Arithmetic) -> tuple[Array, Array, Array]:
        y, z, quartic = x[:negative], x[negative:], float(bounded)
        down = (a.minus * gamma / 2 * y**2 + quartic * y**4 / 4, a.minus * gamma * y + quartic * y**3)
        up = (spaced * z**2 / 2, spaced * z, spaced + 0 * z)
        parts = zip((*down, a.minus * gamma + 3 * quartic * y**2), up, strict=True)
        return tuple(np.concatenate(pair) for pair in parts)  # type: ignore[return-value]

    return separable(terms)


def cosine(c: float) -> Formula:
    """Σ x cos(c x)."""

    def terms(x: Array, a: Arithmetic) -> tuple[Array, Array, Array]:
        t = a.size(c) * x
        cos, sin = a.cos(t), a.sin(t)
        return x * cos, cos + a.minus * t * sin, a.minus * a.size(c) * (2 * sin + t * cos)

    return separable(terms)


def rastrigin(amplitude: float) -> Formula:
    """Σ x² + a (1 − cos 2πx)."""

    def terms(x: Array, a: Arithmetic) -> tuple[Array, Array, Array]:
        t, turn = a.turn(x), 2 * np.pi
        cos, sin = a.cos(t), a.sin(t)
        return x**2 + amplitude * (1 + a.minus * cos), 2 * x + turn * amplitude * sin, 2 + turn**2 * amplitude * cos

    return separable(terms)


def walled_quadratic(curvatures: Array) -> Formula:
    """½ Σ h x² + Σ x¹⁰."""

    def terms(x: Array, a: Arithmetic) -> tuple[Array, Array, Array]:
        h = a.size(curvatures)
        return h * x**2 / 2 + x**10, h * x + 10 * x**9, h + 90 * x**8

    return separable(terms)


def long_valley(k: float) -> Formula:
    """√(1 + x₁²) − 1 + (k/2) Σ_{i>1} xᵢ²."""

    def terms(x: Array, a: Arithmetic) -> tuple[Array, Array, Array]:
        first, rest = x[:1], x[1:]
        root = np.sqrt(1 + first**2)
        floor = first**2 / (root + 1), first / root, 1 / root + 0 * first
        # the Hessian's entry 1/r³ comes from 1/r − x²/r³ in the dual arithmetic, whose terms are below 1/r
        floor = (*floor[:2], floor[2] if a is MAJORANT else 1 / root**3)
        walls = k * rest**2 / 2, k * rest, k + 0 * rest
        return tuple(np.concatenate(pair) for pair in zip(floor, walls, strict=True))  # type: ignore[return-value]

    return separable(terms)


def rosenbrock() -> Formula:
    """Σ (1 − xᵢ)² + 100 (xᵢ₊₁ − xᵢ²)²."""

    def formula(x: Array, a: Arithmetic) -> Result:
        here, after = x[:-1], x[1:]
        miss, rest = after + a.minus * here**2, 1 + a.minus * here
        grad, hessian = np.zeros_like(x), np.zeros((x.size, x.size), x.dtype)
        grad[:-1] += a.minus * (2 * rest + 400 * here * miss)
        grad[1:] += 200 * miss
        at = np.arange(x.size - 1)
        hessian[at, at] += 2 + 800 * here**2 + a.minus * 400 * miss
        hessian[at + 1, at + 1] += 200
        hessian[at, at + 1] = hessian[at + 1, at] = a.minus * 400 * here
        return np.sum(rest**2 + 100 * miss**2), grad, hessian

    return formula


def beale() -> Formula:
    """Σ_k (level_k − x + x y^k)²."""

    def formula(point: Array, a: Arithmetic) -> Result:
        x, y = point
        value, grad, hessian = 0.0, np.zeros_like(point), np.zeros((2, 2), point.dtype)
        for k, level in ((1, 1.5), (2, 2.25), (3, 2.625)):
            r = level + a.minus * x + x * y**k
            slope = np.array([y**k + a.minus * 1, k * x * y ** (k - 1)])
            bend = np.array([[0 * x, k * y ** (k - 1)], [k * y ** (k - 1), k * (k - 1) * x * y ** max(k - 2, 0)]])
            value, grad, hessian = value + r**2, grad + 2 * r * slope, hessian + 2 * (np.outer(slope, slope) + r * bend)
        return value, grad, hessian

    return formula


def sinusoid(table: Array) -> Formula:
    """Σ a sin(b x + c y) + d cos(e x + f y)."""

    def formula(point: Array, a: Arithmetic) -> Result:
        value, grad, hessian = 0.0, np.zeros_like(point), np.zeros((2, 2), point.dtype)
        for row in a.size(table):
            for amplitude, wave, wave_slope, sign, w in (
                (row[0], a.sin, a.cos, 1.0, row[1:3]),
                (row[3], a.cos, a.sin, a.minus, row[4:6]),
            ):
                t = w @ point
                value = value + amplitude * wave(t)
                grad = grad + sign * amplitude * wave_slope(t) * w
                hessian = hessian + a.minus * amplitude * wave(t) * np.outer(w, w)
        return value, grad, hessian

    return formula


def least_squares(matrix: Array, target: Array) -> Formula:
    """|A x − b|² / (2 n)."""

    def formula(x: Array, a: Arithmetic) -> Result:
        rows, n = a.size(matrix), len(target)
        r = rows @ x + a.minus * a.size(target)
        return np.sum(r**2) / (2 * n), rows.T @ r / n, rows.T @ rows / n

    return formula


def factored(matrices: Array, target: Array, weights: Array, rank: int) -> Formula:
    """¼ Σ_i w_i (⟨A_i, U Uᵀ⟩ − y_i)² over matrices A, with U of `rank` columns."""

    def formula(x: Array, a: Arithmetic) -> Result:
        u, A = x.reshape(-1, rank), a.size(matrices)
        image = np.einsum("iab,bk->iak", A, u).reshape(len(A), -1)
        miss = image @ x + a.minus * a.size(target)
        bend = np.kron(np.einsum("i,i,iab->ab", weights, miss, A), np.eye(rank))
        hessian = bend + 2 * np.einsum("i,ip,iq->pq", weights, image, image)
        return np.sum(weights * miss**2) / 4, (weights * miss) @ image, hessian

    return formula


def entries(target: Array, weights: Array, rank: int) -> Formula:
    """¼ Σ_ab w_ab (U Uᵀ − M)²_ab: each matrix has a single entry, made symmetric."""
    unit = np.eye(target.size).reshape(-1, *target.shape)
    return factored((unit + unit.transpose(0, 2, 1)) / 2, target.ravel(), weights.ravel(), rank)


def with_short_rows(formula: Formula, rank: int, lam: float, alpha: float) -> Formula:
    """formula + λ Σ max(|u| − α, 0)⁴ over rows u, whose Hessian is 12 λ e² u uᵀ/|u|² + 4 λ e³ (I − u uᵀ/|u|²)/|u|."""

    def penalized(x: Array, a: Arithmetic) -> Result:
        value, grad, hessian = formula(x, a)
        for first in range(0, x.size, rank):
            part = slice(first, first + rank)
            norm = np.sqrt(x[part] @ x[part])
            e = norm + a.minus * alpha
            if e.real <= 0:
                continue
            unit = x[part] / norm
            radial = np.outer(unit, unit)
            value, grad[part] = value + lam * e**4, grad[part] + 4 * lam * e**3 * unit
            hessian[part, part] += 12 * lam * e**2 * radial + 4 * lam * e**3 / norm * (np.eye(rank) + a.minus * radial)
        return value, grad, hessian

    return penalized


def orthogonal_tensor(d: int) -> Formula:
    """Σ_k Σ_{i≠j} v²_ik v²_jk of the unit rows v of U; the chain rule from v to u for every row."""

    def formula(x: Array, a: Arithmetic) -> Result:
        u = x.reshape(d, d)
        norm = np.sqrt(np.sum(u**2, axis=1))
        v = u / norm[:, None]
        others = np.array([np.sum(np.delete(v, i, axis=0) ** 2, axis=0) for i in range(d)])
        slope = 4 * v * others
        flat = np.array([np.eye(d) + a.minus * np.outer(row, row) for row in v]) / norm[:, None, None]
        hessian = np.zeros((d, d, d, d), x.dtype)
        for i in range(d):
            for j in range(d):
                inner = np.diag(8 * v[i] * v[j]) if i != j else np.diag(4 * others[i])
                hessian[i, :, j] = flat[i] @ inner @ flat[j]
            tangent = flat[i] @ slope[i] / norm[i]
            along = v[i] @ slope[i] * flat[i] / norm[i]
            hessian[i, :, i] += a.minus * (along + np.outer(tangent, v[i]) + np.outer(v[i], tangent))
        grad = np.einsum("iab,ib->ia", flat, slope)
        return np.sum(v**2 * others), grad.ravel(), hessian.reshape(d * d, d * d)

    return formula
