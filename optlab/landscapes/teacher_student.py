"""A network that learns from another one: bad minima of a two-layer network without any data."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from optlab.checks import integer
from optlab.landscape import CompiledLandscape
from optlab.random import normal

_MOST_UNITS = 64
"""As many as the kernel has room for on the stack."""


class TeacherStudent(CompiledLandscape):
    """f(W) = ½ E_x (Σᵢ relu(wᵢ·x) − Σⱼ relu(vⱼ·x))² over x ~ N(0, I): the loss of a student W on a teacher V, exactly.

    With k(a, b) = E relu(a·x) relu(b·x) = |a| |b| (sin θ + (π − θ) cos θ) / 2π, θ the angle between a and b (the
    arc-cosine kernel of degree one, Cho and Saul 2009), this is ½ Σ k(wᵢ, wⱼ) − Σ k(wᵢ, vⱼ) + ½ Σ k(vᵢ, vⱼ). Its
    gradient ::

        ∂f/∂wᵢ = wᵢ/2 + Σ_{j≠i} h(wᵢ, wⱼ) − Σⱼ h(wᵢ, vⱼ),   h(w, v) = (|v| sin θ w/|w| + (π − θ) v) / 2π

    is continuous but where some wᵢ = 0, and so is the Hessian; both are exact where directions coincide or oppose. At
    wᵢ = 0 the gradient is the mean of those on both sides, as if relu′(0) = ½, and Hessian-vector products leave out
    what grows as 1/|wᵢ|. The value is a difference of larger numbers, good to a few ε Σ |wᵢ| |wⱼ|.

    Args:
        units: k, the student's units, 1 to 64.
        teacher: ``(teachers, inputs)``, the rows vⱼ; by default k orthonormal ones, the unit vectors. Other
            orthonormal ones give the same function in rotated coordinates.

    Attributes:
        minima: One of the global minima: the teacher itself, its last unit in equal parts in all units left over. Every
            order of the rows is another. None where the student has too few units.

    Raises:
        ValueError: an argument is out of range.

    Example:
        >>> f = TeacherStudent(6)
        >>> f.dim, float(f.value(f.minima[0]))
        (36, 0.0)
        >>> round(float(f.value(0 * f.start)), 4)  # ½ k/2 + ½ k (k − 1)/2π
        3.8873

    Safran and Shamir, "Spurious Local Minima are Common in Two-Layer ReLU Neural Networks", 2018.
    """

    kind = "teacher_student"

    def __init__(self, units: int, teacher: ArrayLike | None = None) -> None:
        self.units = integer("units", units, 1, _MOST_UNITS)
        self.teacher = np.eye(units) if teacher is None else np.array(teacher, np.float64)
        if self.teacher.ndim != 2 or 0 in self.teacher.shape or not np.isfinite(self.teacher).all():
            raise ValueError(f"teacher: got shape {self.teacher.shape}, expected (teachers, inputs) finite numbers")
        self.teacher.flags.writeable = False
        inputs = self.teacher.shape[1]
        fits = self.units >= len(self.teacher)
        super().__init__(
            self.units * inputs,
            [_coefficients(self.teacher)],
            minima=_widened(self.teacher, self.units).reshape(1, -1) if fits else None,
            minimum=0.0 if fits else None,
            start=normal(self.units * inputs, 0) / math.sqrt(inputs),
        )

    def starts(self, runs: int, seed: int) -> NDArray[np.float64]:
        """Normal weights of variance 1/inputs, ``(runs, dim)``."""
        return normal((runs, self.dim), seed) / math.sqrt(self.teacher.shape[1])


def _widened(teacher: NDArray[np.float64], units: int) -> NDArray[np.float64]:
    """The same function with more units: relu(v·x) is the sum of n times relu(v·x / n)."""
    share = units - len(teacher) + 1
    return np.concatenate([teacher[:-1], np.repeat(teacher[-1:] / share, share, axis=0)])


def _coefficients(teacher: NDArray[np.float64]) -> NDArray[np.float64]:
    """As the kernel reads them: inputs, teachers, the teacher's own part; then length, range and direction of each."""
    lengths = np.linalg.norm(teacher, axis=1)
    directions = teacher / np.where(lengths > 0, lengths, 1.0)[:, None]
    rows = [[_own_part(lengths, directions)]]
    for length, direction in zip(lengths, directions, strict=True):
        places = np.flatnonzero(direction)
        ends = (places[0], places[-1] + 1) if places.size else (0, 0)
        rows.append([length, *ends, *direction])
    return np.concatenate([teacher.shape[::-1], *rows]).astype(np.float64)


def _own_part(lengths: NDArray[np.float64], directions: NDArray[np.float64]) -> float:
    """½ Σ k(vᵢ, vⱼ)."""
    cosines = np.clip(directions @ directions.T, -1.0, 1.0)
    np.fill_diagonal(cosines, 1.0)
    kernels = np.sqrt(1 - cosines**2) + (np.pi - np.arccos(cosines)) * cosines
    return float(lengths @ kernels @ lengths / (4 * np.pi))
