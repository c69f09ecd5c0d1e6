"""Random probe vectors, each a function of its seed and number, and what is estimated over them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optlab.checks import integer
from optlab.curvature.lanczos import norm
from optlab.random import derive_seed, integers, normal
from optlab.refusals import one_of

Vector = NDArray[np.float64]
DISTRIBUTIONS = ("rademacher", "normal")


@dataclass(frozen=True, eq=False)
class Estimate:
    """A mean over independent probes.

    Attributes:
        value: The estimate: a number or an array.
        standard_error: The standard deviation of ``value``, estimated from the spread of the probes (divisor probes −
            1); 0 where the value is exact. Its own relative error is about ``1 / √(2 probes)``.
        probes: How many probes; 0 where the value is exact.
    """

    value: Any
    standard_error: Any
    probes: int


def mean_of(samples: Vector) -> Estimate:
    """The mean over the first axis, with its standard error."""
    count = len(samples)
    return Estimate(samples.mean(axis=0)[()], samples.std(axis=0, ddof=1)[()] / np.sqrt(count), count)


def probe_count(given: int) -> int:
    """At least two, since a single probe says nothing of its error."""
    return integer("probes", given, 2, 2**32 - 1)


def probes(count: int, dim: int, seed: int, distribution: str, first: int = 0) -> Vector:
    """Rows of independent numbers of mean 0 and variance 1; row i depends on the seed and on first + i alone."""
    if one_of("distribution", distribution, DISTRIBUTIONS) == "normal":
        return normal((count, dim), derive_seed(seed, "curvature", "normal"), first_run=first)
    bits = integers((count, dim), 2, derive_seed(seed, "curvature", "rademacher"), stream=0, first_run=first)
    return np.array([-1.0, 1.0])[bits]


def unit_vector(dim: int, seed: int, *part: int | str) -> Vector:
    """A direction that is uniform over the sphere."""
    z: Vector = normal((dim,), derive_seed(seed, "curvature", *part))
    return z / norm(z)
