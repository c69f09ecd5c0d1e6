"""Trace and diagonal of the Hessian from random probes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optlab.blocks import blocks
from optlab.curvature.probes import DISTRIBUTIONS, Estimate, mean_of, probe_count
from optlab.curvature.probes import probes as probes_of
from optlab.curvature.products import Products
from optlab.landscape import Landscape
from optlab.refusals import one_of

Array = NDArray[Any]
Vector = NDArray[np.float64]


def trace(f: Landscape, x: Array, probes: int = 100, *, distribution: str = "rademacher", seed: int = 0) -> Estimate:
    """``tr H ≈ (1/n) Σ_i z_iᵀ H z_i``, unbiased, with the standard error of the mean over the n probes.

    The variance of one term is ``2 Σ_{i≠j} H_ij²`` for Rademacher probes and ``2 Σ_ij H_ij²`` for normal ones. Where
    ``probes >= dim`` the dim axes are taken instead of random probes, and the trace is exact with fewer products.

    In float32 a product carries a relative error of a few 1e-7 of the Hessian's norm, far below the standard error.

    Args:
        f: A landscape without randomness, or frozen by ``f.sample(seed, step, run)``.
        x: The point ``(dim,)``.
        probes: n >= 2, one product each. With one seed, the first n of any larger number.
        distribution: "rademacher" (±1) or "normal".
        seed: Of the probes.

    Raises:
        TypeError: f is no landscape, or an argument is of the wrong type.
        ValueError: an argument is out of range, or f draws at each evaluation.

    Example:
        >>> import numpy as np, optlab as ol
        >>> f = ol.landscapes.Quadratic(np.arange(1.0, 101.0), rotation=3)
        >>> found = ol.curvature.trace(f, np.zeros(100), probes=50)
        >>> bool(abs(found.value - 5050) < 4 * found.standard_error)
        True

    References:
        Hutchinson, "A stochastic estimator of the trace of the influence matrix", 1990; Avron and Toledo, "Randomized
        algorithms for estimating the trace of an implicit symmetric positive semi-definite matrix", 2011.
    """
    count, product = _checked(f, x, probes, distribution)
    if count >= f.dim:
        return Estimate(float(product.dense().trace()), 0.0, 0)
    return mean_of(np.concatenate([terms.sum(axis=1) for terms in _terms(product, count, distribution, seed)]))


def diagonal(f: Landscape, x: Array, probes: int = 100, *, distribution: str = "rademacher", seed: int = 0) -> Estimate:
    """``H_jj ≈ (1/n) Σ_i z_ij (H z_i)_j``, ``(dim,)``, unbiased, each entry with its standard error.

    The variance of one term is ``Σ_{k≠j} H_jk²`` for Rademacher probes; normal ones add ``2 H_jj²``. Arguments, the
    exact case ``probes >= dim`` and Raises as in :func:`trace`.

    Example:
        >>> import numpy as np, optlab as ol
        >>> ol.curvature.diagonal(ol.landscapes.Quadratic([1.0, 5.0, 2.0]), np.zeros(3)).value
        array([1., 5., 2.])

    References:
        Bekas, Kokiopoulou and Saad, "An estimator for the diagonal of a matrix", 2007; theirs divides by Σ_i z_ij², the
        same for Rademacher probes.
    """
    count, product = _checked(f, x, probes, distribution)
    if count >= f.dim:
        return Estimate(product.dense().diagonal().copy(), np.zeros(f.dim), 0)
    return _over_blocks(_terms(product, count, distribution, seed))


def _checked(f: Landscape, x: Array, probes: int, distribution: str) -> tuple[int, Products]:
    count = probe_count(probes)
    one_of("distribution", distribution, DISTRIBUTIONS)
    return count, Products(f, x)


def _terms(product: Products, count: int, distribution: str, seed: int) -> Iterator[Vector]:
    """``z ∘ H z`` of all probes, a row each, in blocks of rows."""
    for block in blocks(count, product.dim):
        z = probes_of(block.stop - block.start, product.dim, seed, distribution, block.start)
        yield z * product(z)


def _over_blocks(terms: Iterator[Vector]) -> Estimate:
    """The mean over all rows and its standard error, a block at a time (Chan, Golub and LeVeque 1979)."""
    count, mean, squares = 0, np.float64(0.0), np.float64(0.0)
    for rows in terms:
        fresh, total = rows.mean(axis=0), count + len(rows)
        squares = squares + ((rows - fresh) ** 2).sum(axis=0) + (fresh - mean) ** 2 * (count * len(rows) / total)
        mean, count = mean + (fresh - mean) * (len(rows) / total), total
    return Estimate(mean, np.sqrt(squares / (count - 1) / count), count)
