"""A cubic is fitted to the sine, and its gradient is found in five ways (lecture *Training DNNs*).

The sum of squares of y = a + bx + cx² + dx³ against sin x, on 2000 even points of [−π, π], is quadratic in the
coefficients w, with Hessian H = 2AᵀA and minimum w*: after k steps of gradient descent (GD) w − w* is P (w₀ − w*) with
P = (1 − ηH)^k, and from standard normal starts E|w − w*|² = |P|² + |P w*|² (Frobenius). With A = QR the sum is
|Rw − Qᵀy|² and a constant: four rows stand for all points. RMSprop divides a gradient by its own recent size. Its first
step is lr/√(1−α) for every coefficient; at last all of them jump to and fro by lr, so each stays lr/2 from w*.

The five gradients: by hand; by forward differences, off by h/2 times the curvature; by central differences, off by h²/6
times the third derivative; by the complex step Im f(w + ih)/h, off by as much, but without a difference, so that h may
be tiny; by automatic differentiation, here with dual numbers, to rounding. A quadratic has no third derivative, so the
powers of h are shown on the same cubic written as a + b P₃(c + dx), P₃(u) = (5u³ − 3u)/2, which is not quadratic in its
coefficients. Errors are parts of Σ|terms| of the sum that is the gradient: rounding costs a few eps of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import optlab as ol
from optlab import plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, bounded, exact, fraction, mean, slope
from optlab.landscapes import LeastSquares
from optlab.random import derive_seed, normal

Array = np.ndarray
Model = Callable[[Any, Any], Any]
EPS, ALPHA, TINY = float(np.finfo(np.float64).eps), 0.99, 1e-100
STEPS = np.geomspace(1e-15, 1, 31)  # of the differences
# Log₂ 2000 additions of a pairwise sum, and a dozen operations for a term, each of which two gradients round.
ROUNDING = 2 * (11 + 12) * EPS
SHOWN = 30  # a step on the way, for the figure
QUOTIENTS = ("forward differences", "central differences", "complex step")


@dataclass(frozen=True)
class Dual:
    """A value and its derivatives in all coefficients, which every operation carries along."""

    value: Any
    slope: Any

    def __add__(self, other: Any) -> Dual:
        if isinstance(other, Dual):
            return Dual(self.value + other.value, self.slope + other.slope)
        return Dual(self.value + other, self.slope)

    def __sub__(self, other: Any) -> Dual:
        return self + other * -1.0

    def __mul__(self, other: Any) -> Dual:
        if isinstance(other, Dual):
            return Dual(self.value * other.value, self.value * other.slope + other.value * self.slope)
        return Dual(self.value * other, self.slope * other)

    def sum(self) -> Dual:
        """The sum over the points."""
        return Dual(self.value.sum(), self.slope.sum(axis=-1))


def cubic(w: Any, x: Any) -> Any:
    """The model a + bx + cx² + dx³, for coefficients of any kind of number."""
    return w[0] + w[1] * x + w[2] * (x * x) + w[3] * (x * x * x)


def legendre(w: Any, x: Any) -> Any:
    """The model a + b P₃(c + dx)."""
    u = w[3] * x + w[2]
    return w[1] * (u * u * u * 2.5 - u * 1.5) + w[0]


def loss(model: Model, w: Any, x: Any, y: Any) -> Any:
    """The sum of squares."""
    r = model(w, x) - y
    return (r * r).sum()


def by_hand(model: Model, w: Array, x: Array, y: Array) -> tuple[Array, Array]:
    """The gradient, and the sum of the sizes of its terms."""
    parts = [x**0, x, x**2, x**3]
    if model is legendre:
        u = w[2] + w[3] * x
        rise = w[1] * (7.5 * u**2 - 1.5)
        parts = [x**0, 2.5 * u**3 - 1.5 * u, rise, rise * x]
    terms = 2 * (model(w, x) - y) * np.array(parts)
    return terms.sum(axis=1), np.abs(terms).sum(axis=1)


def by_dual_numbers(model: Model, w: Array, x: Array, y: Array) -> Array:
    """The gradient by automatic differentiation."""
    units = [Dual(w[k], np.eye(4)[k][:, None]) for k in range(4)]
    return np.asarray(loss(model, units, x, y).slope)


def by_quotients(model: Model, w: Array, h: float, x: Array, y: Array) -> list[Array]:
    """The gradient by forward and by central differences and by the complex step."""

    def at(step: complex) -> Array:
        return np.array([loss(model, w + step * unit, x, y) for unit in np.eye(4)])

    here = loss(model, w, x, y)
    return [(at(h) - here) / h, (at(h) - at(-h)) / (2 * h), at(1j * h).imag / h]


def gradients(model: Model, w: Array, x: Array, y: Array) -> dict[str, Array]:
    """The errors of all ways, as parts of the terms, the largest of the four coefficients."""
    hand, scale = by_hand(model, w, x, y)

    def off(found: Array) -> float:
        return float(np.max(np.abs(found - hand) / scale))

    return {
        "quotients": np.array([[off(g) for g in by_quotients(model, w, h, x, y)] for h in STEPS]),
        "dual": np.array(off(by_dual_numbers(model, w, x, y))),
        "tiny": np.array(off(by_quotients(model, w, TINY, x, y)[2])),
    }


def quadratic(w: Array, x: Array, y: Array) -> tuple[float, float]:
    """On the cubic: central differences' error in units of rounding, and forward differences' by the curvature's law.

    With h = 1 a difference loses nothing but the rounding of the sums f(w ± h), by 2h.
    """
    hand, _ = by_hand(cubic, w, x, y)
    forward, central, _ = by_quotients(cubic, w, 1.0, x, y)
    sums = sum(loss(cubic, w + sign * unit, x, y) for unit in np.eye(4) for sign in (-1, 1))
    law = [np.sum(x ** (2 * k)) for k in range(4)]  # h/2 times the curvature
    return np.max(np.abs(central - hand)) / (ROUNDING * sums), np.max(np.abs((forward - hand) / law - 1))


def moments(last: int, wanted: int) -> list[int]:
    """The steps to record: evenly in the logarithm, and the first, the wanted and the last."""
    return sorted({0, wanted, last, *np.geomspace(1, last, 80).astype(int).tolist()})


def typical(errors: Array) -> Array:
    """The largest error of a coefficient, the median over the starts, at every record."""
    return np.asarray(np.median(np.max(np.abs(errors), axis=2), axis=1))


def compute(p: Params, seed: int, progress: Progress) -> dict[str, Array]:
    """Check the gradients at random coefficients; fit from random starts with GD and with RMSprop."""
    x = np.linspace(-math.pi, math.pi, p.points)
    A, y = np.vander(x, 4, increasing=True), np.sin(x)
    places = normal((p.checks, 4), derive_seed(seed, "places"))
    found = [gradients(legendre, w, x, y) for w in places]
    progress(0.4, "descent")
    Q, R = np.linalg.qr(A)
    four = LeastSquares(math.sqrt(8) * R, math.sqrt(8) * (Q.T @ y))  # which halves squares and takes their mean
    starts = normal((p.runs, 4), derive_seed(seed, "starts"))
    gd = ol.descend(four, ol.SGD(p.lr), starts, p.steps, record=moments(p.steps, SHOWN))
    progress(0.6, "RMSprop")
    rms = ol.descend(four, ol.RMSprop(p.rms_lr, ALPHA), starts[: p.rms_runs], p.long, record=moments(p.long, p.steps))
    solution = np.linalg.lstsq(A, y, rcond=None)[0]
    hand = np.array([by_hand(cubic, w, x, y)[0] for w in places])
    scale = np.array([by_hand(cubic, w, x, y)[1] for w in places])
    return {
        **{name: np.array([each[name] for each in found]) for name in found[0]},
        "cubic_ways": np.array([[each["dual"], each["tiny"]] for each in (gradients(cubic, w, x, y) for w in places)]),
        "quadratic": np.array([quadratic(w, x, y) for w in places]),
        "four_rows": np.max(np.abs(four.grad(places) - hand) / scale),
        "hessian": 2 * A.T @ A,
        "solution": solution,
        "gd": gd.x[[0, -1]] - solution,
        "gd_path": gd.x[:, int(np.argmin(np.abs(np.linalg.norm(starts - solution, axis=1) - 1.5)))],
        "gd_error": typical(gd.x - solution),
        "gd_steps": gd.step,
        "rms": rms.x[np.searchsorted(rms.step, [0, 1, p.steps, p.long])] - solution,
        "rms_error": typical(rms.x - solution),
        "rms_steps": rms.step,
    }


def after(data: Data, p: Params, steps: int) -> tuple[Array, Array, Array]:
    """The factors by which GD shrinks an error along each axis, slowest first, the axes, and P."""
    curvatures, axes = np.linalg.eigh(data["hessian"])
    factors = (1 - p.lr * curvatures) ** steps
    return factors, axes, axes * factors @ axes.T


def claims(data: Data, p: Params) -> list[Claim]:
    """The exact solution, the five gradients, and how far the two methods come."""
    return [*solution_claims(data), *gradient_claims(data), *descent_claims(data, p), *rmsprop_claims(data, p)]


def solution_claims(data: Data) -> list[Claim]:
    """The coefficients that the lecture prints."""
    said = "The best cubic has {} = {:g}, as far as it was printed."
    printed = (("a", 0.0, 1e-12), ("b", 0.857, 5e-4), ("c", 0.0, 1e-12), ("d", -0.0933, 5e-5))
    return [
        exact(f"solution_{name}", said.format(name, value), found, value, tolerance)
        for (name, value, tolerance), found in zip(printed, data["solution"], strict=True)
    ]


def gradient_claims(data: Data) -> list[Claim]:
    """Each way to its own order of error."""
    logs, h = np.log(np.maximum(data["quotients"], EPS / 8)), np.log(STEPS)
    far, middle, near = (STEPS > 3e-4) & (STEPS < 3e-2), (STEPS > 1e-7) & (STEPS < 3e-4), STEPS < 1e-10
    power = "{} err as h to the power {}: the slope in log-log over h of {}."
    exactly = "{} gives the gradient to rounding: the largest error, in its units."
    flat = max(data["quotients"][:, near, 2].max(), data["tiny"].max(), data["cubic_ways"][:, 1].max())
    dual = max(data["dual"].max(), data["cubic_ways"][:, 0].max())
    return [
        slope(
            "forward",
            power.format("Forward differences", 1, "1e-7 to 3e-4"),
            h[middle],
            logs[:, middle, 0],
            1.0,
            (0.95, 1.05),
        ),
        slope(
            "central",
            power.format("Central differences", 2, "3e-4 to 3e-2"),
            h[far],
            logs[:, far, 1],
            2.0,
            (1.95, 2.05),
        ),
        slope("complex", power.format("Complex steps", 2, "3e-4 to 3e-2"), h[far], logs[:, far, 2], 2.0, (1.95, 2.05)),
        # Below 1e-10 the sums differ in few digits: what is left of them is rounding, by h.
        slope(
            "rounding",
            power.format("Central differences", -1, "1e-15 to 1e-10"),
            h[near],
            logs[:, near, 1],
            -1.0,
            (-1.2, -0.8),
        ),
        bounded("complex_tiny", exactly.format("The complex step with h of 1e-10 to 1e-100"), flat / ROUNDING, (0, 1)),
        bounded("dual", exactly.format("Automatic differentiation"), dual / ROUNDING, (0, 1)),
        bounded(
            "quadratic_central",
            "The cubic's sum is quadratic: central differences with h = 1 err by rounding only.",
            data["quadratic"][:, 0].max(),
            (0, 1),
        ),
        bounded(
            "quadratic_forward",
            "There forward differences err by h/2 times the curvature: relative deviation.",
            data["quadratic"][:, 1].max(),
            (0, 1e-9),
        ),
    ]


def descent_claims(data: Data, p: Params) -> list[Claim]:
    """GD against its closed form."""
    factors, axes, P = after(data, p, p.steps)
    start, last = data["gd"]
    left = (last @ axes)[:, 0] / (start @ axes)[:, 0]
    worst = left[np.argmax(np.abs(left - factors[0]))]
    size = float(np.sum(P**2) + np.sum((P @ data["solution"]) ** 2))
    slow = f"GD leaves {factors[0]:.4f} of the error along the flattest axis after {p.steps} steps: the worst start."
    said = f"GD ends {math.sqrt(size):.4f} from the best coefficients: the mean squared distance, by the predicted one."
    # A step rounds a coefficient of size 1 to eps; the flattest axis forgets it in 1/(lr curvature) = 600 steps, and a
    # start may lie at a hundredth of a standard deviation along it.
    return [
        bounded(
            "four_rows",
            "Four rows have the gradient of all points: largest error, in units of rounding.",
            data["four_rows"] / ROUNDING,
            (0, 2),
        ),
        bounded("gd_slowest", slow, worst, (factors[0] - 1e-9, factors[0] + 1e-9), factors[0]),
        mean("gd_distance", said, np.sum(last**2, axis=1) / size, 1.0, (0.75, 1.25)),
    ]


def rmsprop_claims(data: Data, p: Params) -> list[Claim]:
    """RMSprop's first step, its arrival and its last cycle."""
    start, one, then, last = data["rms"]
    first = np.abs(one - start) * math.sqrt(1 - ALPHA) / p.rms_lr
    amplitude = 2 * np.abs(last) / p.rms_lr
    there = np.max(np.abs(then), axis=1) < p.rms_lr
    return [
        bounded(
            "rms_first",
            "RMSprop's first step is lr/√(1 − α) for every coefficient: the least, in its units.",
            first.min(),
            (1 - 1e-6, 1 + 1e-6),
            1.0,
        ),
        fraction(
            "rms_early",
            f"Most starts are too far away for RMSprop to arrive within {p.steps} steps: share that has.",
            int(there.sum()),
            p.rms_runs,
            None,
            (0.0, 0.5),
        ),
        bounded(
            "rms_cycle_least",
            "RMSprop ends in a cycle, lr/2 from the best coefficients: the least distance by lr/2.",
            amplitude.min(),
            (0.99, 1.01),
            1.0,
        ),
        bounded(
            "rms_cycle_most",
            "The steepest and the flattest coefficient cycle alike: the largest distance by lr/2.",
            amplitude.max(),
            (0.99, 1.01),
            1.0,
        ),
    ]


def draw_fit(ax: Axes, data: Data, p: Params) -> None:
    """The sine, the best cubic, and the way of one run to it."""
    x = np.linspace(-math.pi, math.pi, 301)
    ax.plot(x, np.sin(x), color="#999999", linewidth=6, label="sin x")
    for wanted, color in ((0, plotting.SKY), (SHOWN, plotting.GREEN), (p.steps, plotting.BLUE)):
        at = int(np.flatnonzero(data["gd_steps"] == wanted)[0])
        label = f"GD, step {wanted}" if wanted else "start"
        ax.plot(x, cubic(data["gd_path"][at], x), color=color, label=label)
    plotting.theory_line(ax, x, cubic(data["solution"], x), "best cubic")
    ax.set(xlabel="x", ylabel="y", ylim=(-2.2, 3.8), title=f"GD fits a cubic to the sine in {p.steps} steps")
    ax.legend(loc="upper right")


def draw_gradients(ax: Axes, data: Data) -> None:
    """Errors of the gradients against the step."""
    colors = (plotting.VERMILLION, plotting.GREEN, plotting.BLUE)
    middle = np.median(np.maximum(data["quotients"], EPS / 8), axis=0)
    for error, label, color in zip(middle.T, QUOTIENTS, colors, strict=True):
        ax.loglog(STEPS, error, "o-", color=color, label=label, markersize=6)
    ax.axhline(np.mean(data["dual"]), color=plotting.PURPLE, linestyle=":", linewidth=4, label="automatic")
    ax.set(xlabel="step h", ylabel="error of the gradient", ylim=(1e-17, 1e8), title="Gradients: each to its own order")
    ax.legend(loc="upper left", ncols=2, columnspacing=1, handlelength=1.5)
    ax.set_yticks(10.0 ** np.arange(-16, 5, 4))


def draw_paths(ax: Axes, data: Data, p: Params) -> None:
    """The error against steps."""
    for name, label, color in (("gd", "GD", plotting.BLUE), ("rms", "RMSprop", plotting.VERMILLION)):
        steps, errors = data[f"{name}_steps"][1:], data[f"{name}_error"][1:]
        (line,) = ax.loglog(steps, errors, color=color)
        plotting.label_line(ax, line, label, at=0.74 if name == "rms" else 0.9).set_position(
            (14, 4) if name == "rms" else (-46, -6)
        )
    plotting.theory_line(ax, [1, p.long], [p.rms_lr / 2] * 2, "lr/2 of RMSprop")
    ax.set(xlabel="step", ylabel="largest error", ylim=(2e-4, 6), title="RMSprop arrives late, then cycles")
    ax.legend(loc="lower left", bbox_to_anchor=(0, 0.1))


def plot(data: Data, p: Params) -> Figure:
    """Left the fit, right the gradients and the paths."""
    sheet, ((left, above), (spare, below)) = plotting.figure(2, 2, width_ratios=(1, 1.1))
    left.set_subplotspec(left.get_gridspec()[:, 0])
    spare.remove()
    draw_fit(left, data, p)
    draw_gradients(above, data)
    draw_paths(below, data, p)
    return sheet


experiment = Experiment(
    title="Five ways to a gradient agree, each to its own order; with it a cubic is fitted to the sine",
    source="Training DNNs: Basic Methods and Tricks, fitting a polynomial",
    question="How do the ways to compute a gradient compare, and what do gradient descent and RMSprop make of it?",
    params={
        "points": 2000,
        "steps": 2000,
        "lr": 1e-6,
        "rms_lr": 1e-3,
        "long": 20_000,
        "runs": 2000,
        "rms_runs": 500,
        "checks": 100,
    },
    quick={"runs": 1000, "rms_runs": 200, "checks": 40},
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
