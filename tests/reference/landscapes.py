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


def recurrent_unit(steps: int, start: float, target: float) -> Formula:
    """(σ(x_T) − y)², x_{t+1} = w σ(x_t) + b, with both derivatives of the state carried along.

    For sizes, σ and its derivatives count as their largest values plus what the state's own error adds to them.
    """

    def sigma(x: Any, a: Arithmetic) -> tuple[Any, Any, Any]:
        if a is MAJORANT:
            return 1 + x / 4, 1 / 4 + x / 8, 1 / 8 + x / 8
        s = 1 / (1 + np.exp(-x))
        return s, s * (1 - s), s * (1 - s) * (1 - 2 * s)

    def formula(point: Array, a: Arithmetic) -> Result:
        (w, b), along_w, x = point, np.array([1.0, 0.0]), start + 0 * point[0]
        grad, hessian = np.zeros_like(point), np.zeros((2, 2), point.dtype)
        for _ in range(steps):
            s, slope, bend = sigma(x, a)
            mixed = slope * (np.outer(along_w, grad) + np.outer(grad, along_w))
            hessian = w * (slope * hessian + bend * np.outer(grad, grad)) + mixed
            x, grad = w * s + b, w * slope * grad + np.array([s, 1.0])
        s, slope, bend = sigma(x, a)
        miss = s + a.minus * target
        curved = (slope**2 + miss * bend) * np.outer(grad, grad) + miss * slope * hessian
        return miss**2, 2 * miss * slope * grad, 2 * curved

    return formula


def least_squares(matrix: Array, target: Array) -> Formula:
    """|A x − b|² / (2 n)."""

    def formula(x: Array, a: Arithmetic) -> Result:
        rows, n = a.size(matrix), len(target)
        r = rows @ x + a.minus * a.size(target)
        return np.sum(r**2) / (2 * n), rows.T @ r / n, rows.T @ rows / n

    return formula


def tentacle(u: Array, a: Arithmetic, L: float, gamma: float, tau: float) -> tuple[Array, Array, Array]:
    """h of the octopus and its two derivatives, piece by piece.

    v = u − τ and u − 4τ keep their size under ``MAJORANT``: where they count, they are exact (Sterbenz's lemma).
    """
    v, end = u - tau, u - 4 * tau
    size = np.abs if a is MAJORANT else lambda given: given
    third, fourth = (10 * gamma + a.minus * 14 * L) / (3 * tau), (5 * L + a.minus * 3 * gamma) / (2 * tau**2)
    depth = (37 * L + 13 * gamma) / 6 * tau**2
    root = (a.minus * gamma * u**2, a.minus * 2 * gamma * u, a.minus * 2 * gamma + 0 * u)
    middle = (
        root[0] + third * v**3 + fourth * v**4,
        root[1] + 3 * third * v**2 + 4 * fourth * v**3,
        root[2] + 6 * third * v + 12 * fourth * v**2,
    )
    well = (L * end**2 + a.minus * depth, 2 * L * size(end), 2 * L + 0 * u)
    where = [np.real(u) <= tau, np.real(u) < 2 * tau]
    return tuple(np.select(where, pair, last) for *pair, last in zip(root, middle, well, strict=True))  # type: ignore[return-value]


def smooth_step(u: Array, a: Arithmetic, tau: float) -> tuple[Array, Array, Array]:
    """t³(10 − 15t + 6t²) and its two derivatives by u; 0 and 1 outside of 0 < t < 1."""
    inside = (np.real(u) > tau) & (np.real(u) < 2 * tau)
    t = np.where(inside, (u - tau) / tau, np.real(u) >= 2 * tau)
    rest = 1 + a.minus * t
    step = np.where(inside, t**3 * (10 + a.minus * 15 * t + 6 * t**2), t)
    slope, bend = 30 * t**2 * rest**2 / tau, 60 * t * rest * (1 + a.minus * 2 * t) / tau**2
    return step, np.where(inside, slope, 0), np.where(inside, bend, 0)


def octopus(L: float, gamma: float, tau: float) -> Formula:
    """Σ L u² + P (h(u) − L u²), u = |x|, Pᵢ = Π_{j<i} s(uⱼ)."""

    def formula(x: Array, a: Arithmetic) -> Result:
        sign = np.where(np.real(x) < 0, -1.0, 1.0)
        u, n = sign * x, x.size
        h, s = tentacle(u, a, L, gamma, tau), smooth_step(u, a, tau)
        gain = [h[0] + a.minus * L * u**2, h[1] + a.minus * 2 * L * u, h[2] + a.minus * 2 * L]
        reached = np.concatenate([[1.0], np.cumprod(s[0])[:-1]])
        value = np.sum(L * u**2 + reached * gain[0])
        behind = np.zeros_like(x)  # what P_{k+1} / P_k weighs
        for k in range(n - 1)[::-1]:
            behind[k] = gain[0][k + 1] + s[0][k + 1] * behind[k + 1]
        inner = gain[1] + s[1] * behind
        grad = sign * (2 * L * u + reached * inner)
        hessian = np.diag(2 * L + reached * (gain[2] + s[2] * behind))
        turn = np.zeros(0, x.dtype)  # ∂P_k / ∂u_j for j < k
        for k in range(n):
            hessian[:k, k] = hessian[k, :k] = turn * inner[k]
            turn = np.append(turn * s[0][k], reached[k] * s[1][k])
        return value, grad, sign[:, None] * hessian * sign

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


def teacher_student(teacher: Array) -> Formula:
    """½ Σ k(wᵢ, wⱼ) − Σ k(wᵢ, vⱼ) + ½ Σ k(vᵢ, vⱼ), every pair for itself; blocks of the Hessian from the paper."""
    m, d = teacher.shape

    def formula(x: Array, a: Arithmetic) -> Result:
        w = x.reshape(-1, d)
        k, sizes = len(w), _teacher_sizes(x.reshape(-1, d), teacher)
        if a is MAJORANT:
            return sizes
        both, signs = np.concatenate([w, teacher]), np.array([1.0] * k + [-1.0] * m)
        value = sum(
            s * t * _arc_cosine(u, v) / 2
            for s, u in zip(signs, both, strict=True)
            for t, v in zip(signs, both, strict=True)
        )
        grad, hessian = np.zeros_like(w), np.zeros((k, d, k, d), x.dtype)
        for i in range(k):
            grad[i], hessian[i, :, i] = w[i] / 2, np.eye(d) / 2
            for j in range(k + m):
                if j != i:
                    slope, bend, mixed = _arc_cosine_derivatives(w[i], both[j])
                    grad[i] += signs[j] * slope
                    hessian[i, :, i] += signs[j] * bend
                    if j < k:
                        hessian[i, :, j] = mixed
        return value, grad.ravel(), hessian.reshape(x.size, x.size)

    return formula


def _angle(w: Array, v: Array) -> tuple[Any, Any, Any]:
    """Both lengths and the angle; a vector's cosine with itself is 1 but for rounding."""
    length, other = np.sqrt(np.sum(w * w)), np.sqrt(np.sum(v * v))
    return length, other, 0.0 if np.array_equal(w, v) else np.arccos(np.sum(w * v) / (length * other))


def _arc_cosine(w: Array, v: Array) -> Any:
    """E relu(w x) relu(v x)."""
    length, other, angle = _angle(w, v)
    return length * other * (np.sin(angle) + (np.pi - angle) * np.cos(angle)) / (2 * np.pi)


def _arc_cosine_derivatives(w: Array, v: Array) -> tuple[Array, Array, Array]:
    """Of the above: by w, by w twice, by w and v."""
    length, other, angle = _angle(w, v)
    p, q, sin, cos = w / length, v / other, np.sin(angle), np.cos(angle)
    across = cos * p - q
    slope = other * sin * p + (np.pi - angle) * v
    bend = other / length * (sin * (np.eye(w.size) - np.outer(p, p)) + np.outer(across, across) / sin)
    mixed = (np.pi - angle) * np.eye(w.size)
    mixed = mixed + (np.outer(p, q) + np.outer(q, p) - cos * (np.outer(p, p) + np.outer(q, q))) / sin
    return slope / (2 * np.pi), bend / (2 * np.pi), mixed / (2 * np.pi)


def _teacher_sizes(w: Array, teacher: Array) -> Result:
    """Every sine, cosine and component of a direction counted as 1, every angle as π.

    The angle's own error is that of its cosine over its sine. In value and gradient the sine takes it away again; in
    the Hessian it stays.
    """
    mine, theirs = np.linalg.norm(w, axis=1), np.linalg.norm(teacher, axis=1)
    (k, d), everyone = w.shape, np.sum(mine) + np.sum(theirs)
    grad = np.full((k, d), everyone * (1 + np.pi) / (2 * np.pi))
    hessian = np.full((k, d, k, d), (np.pi + 4) / (2 * np.pi))
    for i in range(k):
        hessian[i, :, i] = 0.5 + 3 * everyone / mine[i] / (2 * np.pi)
    return everyone**2 / 2 * (1 + np.pi) / (2 * np.pi), grad.ravel(), hessian.reshape(w.size, w.size)


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
