"""The spectral density of a Hessian by stochastic Lanczos quadrature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from optlab.checks import integer, real
from optlab.curvature.extremes import precision
from optlab.curvature.lanczos import lanczos, ritz
from optlab.curvature.probes import DISTRIBUTIONS, Estimate, mean_of, probe_count, probes
from optlab.curvature.products import Products
from optlab.landscape import Landscape
from optlab.refusals import finite, one_of

Array = NDArray[Any]
Vector = NDArray[np.float64]
MARGIN = 6.0
"""Widths by which the default grid exceeds the nodes; 2e-9 of the mass of a Gaussian lies beyond."""


@dataclass(frozen=True, eq=False)
class Density:
    """How the eigenvalues of a Hessian are distributed; the whole has mass 1.

    Attributes:
        grid: Eigenvalues t, ``(points,)`` float64.
        density: The density at t, smoothed: the sum over all nodes of weight times a Gaussian of standard deviation
            ``width``. Per unit of eigenvalue, so times dim it counts eigenvalues.
        standard_error: Of ``density`` over the probes, ``(points,)``; what smoothing hides is not in it.
        width: The standard deviation of the smoothing Gaussian, in units of eigenvalues.
        nodes: Ritz values of each probe, rising, ``(probes, steps)``; a probe whose Krylov space ended early repeats
            its largest with weight 0. The ends lie inside the spectrum.
        weights: What each node weighs, ``(probes, steps)``; each row sums to 1.
    """

    grid: Vector
    density: Vector
    standard_error: Vector
    width: float
    nodes: Vector
    weights: Vector

    def moment(self, power: int) -> Estimate:
        """``tr(H^p) / dim`` from the nodes, unsmoothed; each probe's ``zᵀH^p z / |z|²`` is exact for p < 2 steps."""
        power = integer("power", power, 0, 2**31)
        return mean_of((self.weights * self.nodes**power).sum(axis=1))

    def share(self, low: float, high: float) -> Estimate:
        """The share of eigenvalues in ``[low, high)``, from the nodes.

        Its error beside the probes' is the weight of a node on either side, since nodes stand for intervals.
        """
        inside = (self.nodes >= low) & (self.nodes < high)
        return mean_of((self.weights * inside).sum(axis=1))


def density(
    f: Landscape,
    x: Array,
    *,
    probes: int = 10,
    steps: int = 80,
    width: float | None = None,
    grid: ArrayLike | None = None,
    distribution: str = "rademacher",
    seed: int = 0,
) -> Density:
    """``φ(t) = (1/n) Σ_i Σ_l w_il g(t − θ_il)``: Lanczos from n random probes, Gaussians g on its Ritz values θ.

    The weights w are the squared first components of the eigenvectors of Lanczos' tridiagonal matrix, so that each
    probe is a Gauss quadrature of the spectrum. Reorthogonalization is full: without it, outliers come back as ghosts.
    It keeps ``steps · dim`` float64 numbers. All products and sums have one order: the bits do not depend on threads.

    Accuracy: Lanczos vectors and sums are float64; in float32, products blur every node by about 1e-6 of the largest
    |eigenvalue|.

    Args:
        f: A landscape without randomness, or frozen by ``f.sample(seed, step, run)``.
        x: The point ``(dim,)``.
        probes: n >= 2. With one seed, the first n of any larger number.
        steps: Lanczos steps for each probe, at most dim are taken; probes · steps products in all.
        width: Of the Gaussians; None: 1 % of the range of the nodes (of |H| where they are all equal).
        grid: Where to evaluate, ``(points,)``; None: 1001 points from 6 widths below the nodes to 6 above.
        distribution: Of the probes, "rademacher" or "normal".
        seed: Of the probes.

    Raises:
        TypeError: f is no landscape, or an argument is of the wrong type.
        ValueError: an argument is out of range, f draws at each evaluation, or a product is not finite.

    Example:
        >>> import numpy as np, optlab as ol
        >>> f = ol.landscapes.Quadratic(np.append(np.linspace(0, 1, 99), 10.0), rotation=2)
        >>> found = ol.curvature.density(f, np.zeros(100), steps=30)
        >>> bool(abs(found.moment(1).value - 0.595) < 4 * found.moment(1).standard_error)
        True
        >>> bool(abs(found.nodes[:, -1] - 10).max() < 1e-12)
        True

    References:
        Ubaru, Chen and Saad, "Fast estimation of tr(f(A)) via stochastic Lanczos quadrature", 2017; Ghorbani, Krishnan
        and Xiao, "An investigation into neural net optimization via Hessian eigenvalue density", 2019.
    """
    count, steps = probe_count(probes), integer("steps", steps, 1, 2**16)
    one_of("distribution", distribution, DISTRIBUTIONS)
    width = None if width is None else real("width", width, 0.0, open_low=True)
    at = None if grid is None else _grid(grid)
    nodes, weights = _quadratures(Products(f, x), count, steps, distribution, seed)
    width = _default_width(nodes) if width is None else width
    if at is None:
        at = np.linspace(nodes.min() - MARGIN * width, nodes.max() + MARGIN * width, 1001)
    smooth = mean_of(np.array([_gaussians(at, *row, width) for row in zip(nodes, weights, strict=True)]))
    return Density(at, smooth.value, smooth.standard_error, width, nodes, weights)


def _grid(given: Any) -> Vector:
    at = np.array(given, np.float64)
    if at.ndim != 1 or not at.size:
        raise ValueError(f"grid: got shape {at.shape}, expected (points,), not empty")
    finite("grid", at)
    return at


def _quadratures(product: Products, count: int, steps: int, distribution: str, seed: int) -> tuple[Vector, Vector]:
    steps = min(steps, product.dim)
    nodes, weights = np.empty((count, steps)), np.zeros((count, steps))
    for i in range(count):
        z = probes(1, product.dim, seed, distribution, i)[0]
        theta, weight = ritz(lanczos(product, z, steps, precision(product)))
        nodes[i, : theta.size], nodes[i, theta.size :] = theta, theta[-1]
        weights[i, : theta.size] = weight
    return nodes, weights


def _default_width(nodes: Vector) -> float:
    return 0.01 * float(np.ptp(nodes) or np.abs(nodes).max() or 1.0)


def _gaussians(at: Vector, nodes: Vector, weights: Vector, width: float) -> Vector:
    """The sum of Gaussians around one probe's nodes, at every point of the grid."""
    total = np.zeros(at.size)
    for node, weight in zip(nodes, weights, strict=True):
        total += weight * np.exp(-0.5 * ((at - node) / width) ** 2)
    scaled: Vector = total / (width * np.sqrt(2 * np.pi))
    return scaled
