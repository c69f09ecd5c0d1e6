"""Whether a gradient is right."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optlab import refusals
from optlab.checks import integer
from optlab.derivatives.noise import signs
from optlab.derivatives.report import GradientCheck, Part, worst
from optlab.derivatives.surveys import Numbers, Subject
from optlab.landscape import Landscape
from optlab.random import derive_seed, permutation

Array = NDArray[Any]
DIRECTIONS = 8


def check_gradient(f: Landscape, x: Array, *, coordinates: int | str = 1000, seed: int = 0) -> GradientCheck:
    """Compares the gradient of a landscape with its values, and its Hessian-vector products with its gradient.

    For each coordinate, central differences D(h) = (f(x + h eᵢ) − f(x − h eᵢ)) / 2h are taken at steps h from about
    ε^(1/7) s down to ε^(1/2) s, each a quarter of the one before, where s is a power of two not below max(|xᵢ|, 1),
    and extrapolated, P(h) = (16 D(h/4) − D(h)) / 15 = f′ + O(h⁴). What is expected of P(h) is the sum of

    - rounding, 35 (r + ε |f|) / h: of a single value it is taken to be up to 8 times r, which points a few units in the
      last place from x show, and ε |f|; one value each side of 2h of D(h/4), and the weights of P, make 65/15 of that;
    - truncation: twice the distance of P(h) to the next P, and to all smaller steps' beyond their rounding; or, where
      that is more, a quarter of that of P(4h) and a sixteenth of that of P(16h);
    - at a kink, half of the jump of the slope.

    The step with the least sum is taken. The rounding of the stated gradient is added to it: 16 times the effect of one
    unit in the last place of x, or what points beside x show of it, and 16 ε |gᵢ| + 4 ε max |g|. A larger error is
    reported. Where the functions of a :class:`optlab.landscapes.Custom` take complex points and agree with the
    differences, the slope is Im f(x + i 10⁻³⁰ eᵢ) / 10⁻³⁰ instead, in which nothing is subtracted, to 32 ε max |g|.

    x lies at a kink if the slopes of the two sides still differ at the smallest step, where those of a smooth function
    have come together, or if differences grow as 1/h. Every slope between those of the two sides passes there, as every
    subgradient does; others are reported, with a word on the kink. Beside a kink the check is one of the side on which
    x lies, since smaller steps do not reach the kink; nearer than the smallest step it is one of both sides. Where the
    stated slopes jump within four smallest steps, differences may be off by half of that jump.

    Differences are taken in float64 also for float32 points, where the landscape, or the same network in float64, takes
    them. Products H v are compared with the same differences of the gradient along three random directions v =
    s (±1, …, ±1) / √dim, in which every entry of H has its share. One that is not symmetric is found, since the
    derivative of a true gradient is. Products that are differences themselves are not checked.

    Beyond ``coordinates`` coordinates, a seeded sample of so many is checked one by one, and all of them together along
    eight random directions s (±1, …, ±1) / √dim. A single wrong coordinate makes the slope along every one of them
    wrong by |error| s / √dim, and is found wherever that is above the expected error of the slope; it is then searched
    by halves and named. Of several wrong ones, at least the share of the largest remains in a slope with a probability
    of ½ or more, so that they escape all eight with at most 2⁻⁸.

    Args:
        f: A landscape without randomness, or frozen by ``f.sample(seed, step, run)``.
        x: Points ``(dim,)`` or ``(runs, dim)``, float32 or float64 NumPy arrays.
        coordinates: Up to how many coordinates are checked one by one, or "all".
        seed: Of samples and directions.

    Returns:
        The worst entries of gradient and products with the expected error of each; ``ok``; in words as ``str``.

    Raises:
        TypeError: f is no landscape, or an argument is of the wrong type.
        ValueError: x is no finite point of f, f is not finite there or draws at each evaluation, or an argument is out
            of range.

    Example:
        >>> import numpy as np, optlab as ol
        >>> f = ol.landscapes.Custom(2, lambda x: (x**2).sum(1), lambda x: x * [2.0, -2.0])
        >>> found = ol.check_gradient(f, np.array([1.0, 3.0]))
        >>> found.ok, found.gradient.coordinate, found.gradient.stated, found.gradient.numeric, found.gradient.method
        (False, 1, -6.0, 6.0, 'complex step')
        >>> ol.check_gradient(ol.landscapes.Beale(), np.array([1.0, 3.0])).ok
        True

    References:
        Squire and Trapp, "Using complex variables to estimate derivatives of real functions", SIAM Review 40, 1998.
        Ridders, "Accurate computation of F'(x) and F'(x)F''(x)", Advances in Engineering Software 4, 1982 (steps and
        extrapolation). Moré and Wild, "Estimating computational noise", SIAM Journal on Scientific Computing 33, 2011.
    """
    _refuse(f, x)
    if coordinates != "all":
        coordinates = integer("coordinates", coordinates, 1, 2**33)
    seed = integer("seed", seed, 0, 2**64 - 1)
    most = f.dim if coordinates == "all" else min(int(coordinates), f.dim)
    with np.errstate(all="ignore"):
        subject = Subject(f, np.atleast_2d(x), seed)
        gradient = _gradient(subject, most)
        has_products = f.exact_hvp and type(f).hvp is not Landscape.hvp
        products = worst(subject.products()) if has_products else None
    return GradientCheck(gradient, products, most, 0 if most == f.dim else DIRECTIONS)


def _refuse(f: Any, x: Any) -> None:
    refusals.methods(f)
    refusals.points("x", x, f.dim)
    refusals.frozen(f)
    value = f.value(x)
    refusals.same_bits("values", value, f.value(x))
    refusals.same_bits("gradients", f.grad(x), f.grad(x))
    if not np.isfinite(value).all():
        raise ValueError("x: got a point where f is not finite, expected finite values")


def _gradient(subject: Subject, most: int) -> Part:
    """The worst of the coordinates, those of a sample and those that directions lead to."""
    dim, seed = subject.f.dim, subject.seed
    if most == dim:
        return worst(subject.axes(np.arange(dim)))
    sample = np.sort(permutation(dim, derive_seed(seed, "check_gradient", "sample"))[:most])
    rows = signs(DIRECTIONS, dim, seed, "directions")
    found, along = worst(subject.axes(sample)), subject.along(rows)
    part = worst(along)
    if found.ok and not part.ok:
        row = rows[int(np.argmax(along.ratio[part.run]))]
        alone = Subject(subject.f, subject.x[part.run, None], seed)
        named = worst(alone.axes(_searched(alone, row)))
        found = part if named.ok else replace(named, run=part.run)
    return found


def _searched(subject: Subject, row: Array) -> Numbers:
    """The coordinate whose error makes the slope along a row of signs wrong, by halves."""
    inside = np.arange(len(row))
    while len(inside) > 1:
        halves = np.array_split(inside, 2)
        rows = np.zeros((2, len(row)))
        for k, half in enumerate(halves):
            rows[k, half] = row[half]
        inside = halves[int(np.argmax(subject.along(rows).ratio[0]))]
    return inside
