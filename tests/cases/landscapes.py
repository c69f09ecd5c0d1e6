"""Every public landscape: how it is made, its twin, its dimensions, and what is known of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from reference import landscapes as twins

import optlab as ol

SIZES = (1, 2, 7, 8, 15, 16, 17, 31, 33, 64, 70, 1000)
TABLE = np.random.default_rng(7).normal(size=(2, 6))


def orthogonal(dim: int) -> np.ndarray:
    """A seeded orthogonal matrix, not from the library."""
    return np.linalg.qr(np.random.default_rng(dim).normal(size=(dim, dim)))[0]


def samples(dim: int, rows: int = 30) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(dim)
    return rng.normal(size=(rows, dim)), rng.normal(size=rows)


def teacher(inputs: int) -> np.ndarray:
    """Four units, of which one looks at the inputs in the middle alone."""
    rows = np.random.default_rng(inputs).normal(size=(4, inputs))
    rows[1, [0, -1]] = 0
    return rows


def spectrum(dim: int) -> np.ndarray:
    return np.linspace(-1.0, 3.0, dim)


# Roundings on the longest path: 21 of the summation tree (16 in a strip, 4 to fold, 1 in the total), up to 10 of a term
# and up to 4 of special functions and rounded coefficients. The float64 twin makes as many. One rounding is eps/2.
ROUNDINGS = 35
LONGER = 600  # two products by Q (2 dim + 2, up to dim 64) and one more by the Hessian; or sums over 30 rows in order;
# or five steps of a recursion, up to 30 in each; or 30 roundings of a cosine, divided by a sine above 1/20
INPUTS = {9: 3, 16: 4, 35: 5}  # of a student with so many weights


HALVES = (4, 10, 16)  # dimensions of n x 2 matrices
FALLING = np.array([3.0, 2.0, 1.0])


def planted(rows: int) -> np.ndarray:
    """V diag(3, 2, 1) Vᵀ, cut off where there are fewer rows."""
    v = orthogonal(rows)[:, :3]
    return (v * FALLING[:rows]) @ v.T


def mask(rows: int) -> np.ndarray:
    half = np.tril(np.random.default_rng(rows).random((rows, rows)) < 0.6)
    return half | half.T


def sensed(rows: int) -> tuple[np.ndarray, np.ndarray]:
    """30 symmetric matrices, and any numbers as what was measured."""
    rng = np.random.default_rng(rows)
    g = rng.normal(size=(30, rows, rows))
    return g + g.transpose(0, 2, 1), 9 * rng.normal(size=30)


def squared(inputs: np.ndarray, teacher: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """x xᵀ of every input, and the outputs of a network of squares whose weights are the teacher's rows."""
    return np.einsum("ia,ib->iab", inputs, inputs), np.sum((inputs @ teacher.T) ** 2, axis=1)


@dataclass(frozen=True)
class Case:
    """One landscape.

    Attributes:
        make: The landscape, by dimension.
        twin: Its formula with the same parameters.
        sizes: The dimensions it comes in.
        roundings: On the longest path of its value, gradient or product.
        declares: What of its truth it must know at every small dimension.
        exact_saddles: Whether its gradient is 0 to the bit at the saddles that it knows.
        gpu: The dimension in which it stands for its kind on the GPU.
    """

    make: Callable[[int], Any]
    twin: Callable[[int], twins.Formula]
    sizes: tuple[int, ...]
    roundings: int = ROUNDINGS
    declares: tuple[Literal["minima", "saddles"], ...] = ()
    exact_saddles: bool = True
    gpu: int | None = None


UP_TO_64 = tuple(size for size in SIZES if size <= 64)
CASES: dict[str, Case] = {
    "walled_quadratic": Case(
        lambda n: ol.landscapes.WalledQuadratic(spectrum(n)),
        lambda n: twins.walled_quadratic(spectrum(n)),
        SIZES,
        gpu=7,
    ),
    "quadratic": Case(
        lambda n: ol.landscapes.Quadratic(spectrum(n)), lambda n: twins.quadratic(spectrum(n)), SIZES, gpu=17
    ),
    "quadratic_rotated": Case(
        lambda n: ol.landscapes.Quadratic(spectrum(n), rotation=orthogonal(n)),
        lambda n: twins.rotated(twins.quadratic(spectrum(n)), orthogonal(n)),
        UP_TO_64,
        LONGER,
        gpu=7,
    ),
    "hyperbolic_paraboloid": Case(
        lambda _: ol.landscapes.HyperbolicParaboloid(),
        lambda _: twins.quadratic(np.array([2.0, -2.0])),
        (2,),
        declares=("saddles",),
    ),
    "saddle": Case(
        lambda n: ol.landscapes.StrictSaddle(n),
        lambda n: twins.strict_saddle(n, 1, 1.0, (0.5, 2.0), True),
        SIZES,
        gpu=16,
        declares=(
            "minima",
            "saddles",
        ),
    ),
    "saddle_pure": Case(
        lambda n: ol.landscapes.StrictSaddle(n, negative=n, curvature=0.3, bounded=False),
        lambda n: twins.strict_saddle(n, n, 0.3, (0.5, 2.0), False),
        SIZES,
        declares=("saddles",),
    ),
    "saddle_rotated": Case(
        lambda n: ol.landscapes.StrictSaddle(n, 2, 0.7, (0.1, 1.0), rotation=orthogonal(n)),
        lambda n: twins.rotated(twins.strict_saddle(n, 2, 0.7, (0.1, 1.0), True), orthogonal(n)),
        UP_TO_64[1:],
        LONGER,
        gpu=33,
        declares=("saddles",),
    ),
    "cosine": Case(lambda n: ol.landscapes.Cosine(0.4, n), lambda n: twins.cosine(0.4), SIZES, gpu=7),
    "cosine_backwards": Case(lambda n: ol.landscapes.Cosine(-0.7, n), lambda n: twins.cosine(-0.7), (1, 17)),
    "rastrigin": Case(
        lambda n: ol.landscapes.Rastrigin(n, 3.0), lambda n: twins.rastrigin(3.0), SIZES, gpu=15, declares=("minima",)
    ),
    "long_valley": Case(
        lambda n: ol.landscapes.LongValley(n, 50.0),
        lambda n: twins.long_valley(50.0),
        SIZES[1:],
        gpu=7,
        declares=("minima",),
    ),
    "rosenbrock": Case(
        lambda n: ol.landscapes.Rosenbrock(n), lambda n: twins.rosenbrock(), SIZES[1:], gpu=31, declares=("minima",)
    ),
    "beale": Case(
        lambda _: ol.landscapes.Beale(),
        lambda _: twins.beale(),
        (2,),
        gpu=2,
        declares=(
            "minima",
            "saddles",
        ),
    ),
    "sinusoid": Case(lambda _: ol.landscapes.Sinusoid(TABLE), lambda _: twins.sinusoid(TABLE), (2,), gpu=2),
    # τ = 1.5 is exact in both number types
    "octopus": Case(
        lambda n: ol.landscapes.Octopus(n, 2.0, 0.7, 1.5), lambda n: twins.octopus(2.0, 0.7, 1.5), SIZES, gpu=7
    ),
    "teacher_student": Case(
        lambda n: ol.landscapes.TeacherStudent(n // INPUTS[n], teacher(INPUTS[n])),
        lambda n: twins.teacher_student(teacher(INPUTS[n])),
        tuple(INPUTS),
        LONGER,
        gpu=9,
    ),
    "recurrent_unit": Case(
        lambda _: ol.landscapes.RecurrentUnit(5, 0.5, 0.7),
        lambda _: twins.recurrent_unit(5, 0.5, 0.7),
        (2,),
        LONGER,
        gpu=2,
    ),
    "least_squares": Case(
        lambda n: ol.landscapes.LeastSquares(*samples(n)),
        lambda n: twins.least_squares(*samples(n)),
        SIZES,
        LONGER,
        declares=("minima",),
        gpu=7,
    ),
    "factorization": Case(
        lambda n: ol.landscapes.MatrixFactorization(n // 2, [4.0, 1.0]),
        lambda n: twins.entries(np.diag([4.0, 1.0, *[0.0] * (n // 2 - 2)]), np.ones((n // 2, n // 2)), 2),
        HALVES,
    ),
    "factorization_rotated": Case(
        lambda n: ol.landscapes.MatrixFactorization(n // 2, FALLING[: n // 2], 2, rotation=orthogonal(n // 2)),
        lambda n: twins.entries(planted(n // 2), np.ones((n // 2, n // 2)), 2),
        HALVES,
        LONGER,
        exact_saddles=False,
    ),
    "completion": Case(
        lambda n: ol.landscapes.MatrixCompletion(planted(n // 2), mask(n // 2), 2),
        lambda n: twins.entries(planted(n // 2), mask(n // 2) / mask(n // 2).mean(), 2),
        HALVES,
    ),
    "completion_of_short_rows": Case(
        lambda n: ol.landscapes.MatrixCompletion(planted(n // 2), mask(n // 2), 2, lam=3.0, alpha=0.6),
        lambda n: twins.with_short_rows(
            twins.entries(planted(n // 2), mask(n // 2) / mask(n // 2).mean(), 2), 2, 3.0, 0.6
        ),
        HALVES,
        gpu=10,
    ),
    "sensing": Case(
        lambda n: ol.landscapes.MatrixSensing(*sensed(n // 2), 2),
        lambda n: twins.factored(*sensed(n // 2), np.full(30, 1 / 30), 2),
        HALVES,
        LONGER,
        gpu=10,
    ),
    "quadratic_network": Case(
        lambda n: ol.landscapes.QuadraticNetwork(samples(n // 2)[0], TABLE[:, : n // 2].T, 2),
        lambda n: twins.factored(*squared(samples(n // 2)[0], TABLE[:, : n // 2]), np.full(30, 1 / 30), 2),
        (4, 12),
        LONGER,
    ),
    "orthogonal_tensor": Case(
        lambda n: ol.landscapes.OrthogonalTensor(math.isqrt(n)),
        lambda n: twins.orthogonal_tensor(math.isqrt(n)),
        (4, 9, 16),
        LONGER,
        gpu=16,
        exact_saddles=False,
    ),
}


def compiled() -> dict[str, ol.Landscape]:
    """One landscape or more for each kind that is compiled for the GPU."""
    return {name: case.make(case.gpu) for name, case in CASES.items() if case.gpu is not None}
