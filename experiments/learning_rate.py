"""How the learning rate decides: gradient descent on f(x) = x² from 1.5 (notebook *Regularization and Optimization*).

One step is x ← x − η·2x, so that x_k = 1.5 (1 − 2η)^k: each step multiplies the distance to the minimum by |1 − 2η|,
which is below 1 if and only if η < 2/f″ = 1. Nothing is random here; the seed changes nothing.

Rounding. With u half the spacing of the floats at 1, η is stored with a relative error of at most u, and the product
and the difference of a step add one of at most u each (2x is exact). One step therefore multiplies x by
(1 − 2η)(1 + θ) with |θ| ≤ u + 2η/|1 − 2η| · (2u + u²)(1 + u), and k steps stay within (1 + |θ|)^k − 1 of the formula,
relatively. The formula itself is evaluated in exact fractions.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import optlab as ol
from optlab import plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, bounded, exact

START = 1.5
RATES = (0.1, 0.3, 0.9, 1.0)
TOO_HIGH = 1.1
NEAR = START / 100
EPS = float(np.finfo(np.float64).eps)
DTYPES = ("float64", "float32")
PARABOLA = ol.landscapes.Quadratic([2.0])


def path(lr: float, steps: int, dtype: str = "float64") -> np.ndarray:
    """The points x_0 … x_steps of gradient descent on x²."""
    return ol.descend(PARABOLA, ol.SGD(lr=lr), np.array([START], dtype), steps, record=1).x[:, 0, 0]


def rounding_errors(lr: float, xs: np.ndarray, dtype: str) -> list[float]:
    """The distance of each x_k, k ≥ 1, from 1.5 (1 − 2η)^k, in units of the bound on rounding."""
    # The decimal number that was asked for, not the float next to it.
    eta, u = Fraction(str(lr)), Fraction(float(np.finfo(dtype).eps)) / 2
    factor = 1 - 2 * eta
    theta = u + 2 * eta / abs(factor) * (2 * u + u**2) * (1 + u)
    errors = []
    for k, x in enumerate(xs[1:].tolist(), start=1):
        formula = Fraction(START) * factor**k
        errors.append(float(abs(Fraction(x) - formula) / (abs(formula) * ((1 + theta) ** k - 1))))
    return errors


def edge(curvature: float, spacing: float) -> float:
    """The learning rate up to which runs come nearer to the minimum, in units of 2/f″, to half of `spacing`."""
    # The grid lies between the multiples of the spacing: at the edge itself a run neither comes nearer nor leaves.
    grid = np.arange(spacing / 2, 2, spacing)
    f = ol.landscapes.Quadratic([curvature])
    last = ol.descend(f, ol.SGD(lr=grid * 2 / curvature), np.full((len(grid), 1), START), 10).last
    return float(np.sum(np.abs(last) < START)) * spacing


def compute(p: Params, seed: int, progress: Progress) -> dict[str, np.ndarray]:
    """The paths of the four learning rates, and of one that is too high, in both number types."""
    rates = (*RATES, TOO_HIGH)
    paths = {dtype: np.array([path(lr, p.steps, dtype) for lr in rates]) for dtype in DTYPES}
    near = np.abs([path(lr, p.long) for lr in RATES]) <= NEAR
    corners = START * (-1.0) ** np.arange(p.long + 1)
    return {
        **paths,
        "errors": np.array([[rounding_errors(*run, d) for run in zip(rates, paths[d], strict=True)] for d in DTYPES]),
        # -1 stands for never.
        "steps_needed": np.where(near.any(axis=1), near.argmax(axis=1), -1),
        "off_cycle": np.array([np.sum(path(RATES[-1], p.long, dtype) != corners) for dtype in DTYPES]),
        "edges": np.array([edge(curvature, p.spacing) for curvature in p.curvatures]),
    }


def steps_needed(lr: float) -> int:
    """The first k with |1 − 2η|^k ≤ 1/100, for η < 1."""
    return math.ceil(math.log(NEAR / START) / math.log(abs(1 - 2 * lr)))


def formula_claims(data: Data, p: Params) -> list[Claim]:
    """The formula at every step of every run."""
    statement = (
        f"Each of the {p.steps} steps at {len(data['float64'])} learning rates lands on 1.5(1 - 2 lr)^k in {{}}: "
        "the largest error, in units of the bound on rounding."
    )
    return [
        bounded(f"formula_{dtype}", statement.format(dtype), np.max(data["errors"][i]), (0.0, 1.0))
        for i, dtype in enumerate(DTYPES)
    ]


def speed_claims(data: Data, p: Params) -> list[Claim]:
    """How many steps the learning rates below 1 need."""
    said = ("creeps", "is fast", "is as slow as 0.1, because |1 - 2 lr| is the same")
    names = ("creeps", "fast", "jumping_is_slow")
    return [
        exact(
            name,
            f"Learning rate {lr:g} {verdict}: the steps until 1 % of the distance is left.",
            data["steps_needed"][i],
            steps_needed(lr),
        )
        for i, (name, verdict, lr) in enumerate(zip(names, said, RATES[:-1], strict=True))
    ]


def side_claims(data: Data, p: Params) -> list[Claim]:
    """Which runs jump to the other side, cycle, or leave."""
    xs = data["float64"]
    jumps = np.sum(xs[:, 1:] * xs[:, :-1] < 0, axis=1)
    growth = np.abs(xs[-1, 1:] / xs[-1, :-1])
    stays = "Learning rates 0.1 and 0.3 approach from one side: the steps that cross the minimum."
    crosses = "Learning rate 0.9 jumps to the other side and still converges: the steps that cross the minimum."
    cycles = f"Learning rate 1 cycles between 1.5 and -1.5 for ever: points off the cycle in {p.long} steps."
    leaves = f"Learning rate {TOO_HIGH:g} diverges: the least factor by which a step lengthens the distance."
    meets = (
        f"Runs converge up to lr = 2/f'' for each of {len(p.curvatures)} curvatures f'': the edge, in units of 2/f''."
    )
    return [
        exact("one_side", stays, np.sum(jumps[:2]), 0),
        exact("jumps_sides", crosses, jumps[2], p.steps),
        exact("cycles", cycles, np.sum(data["off_cycle"]), 0),
        # Beyond 1 by more than the rounding of a step and of the quotient.
        bounded("diverges", leaves, growth.min(), (1 + 8 * EPS, None), 2 * TOO_HIGH - 1),
        exact("edge", meets, data["edges"][np.argmax(np.abs(data["edges"] - 1))], 1.0, p.spacing / 2),
    ]


def claims(data: Data, p: Params) -> list[Claim]:
    """The formula, and what it says about each learning rate."""
    return [*formula_claims(data, p), *speed_claims(data, p), *side_claims(data, p)]


def draw(ax: Axes, lr: float, xs: np.ndarray, color: str) -> None:
    """The parabola, the hops of one run on it, and where the formula puts them."""
    curve = np.linspace(-1.75, 1.75, 141)
    theory = START * (1 - 2 * lr) ** np.arange(len(xs))
    ring = {"color": plotting.BLACK, "linestyle": "none", "fillstyle": "none", "markersize": 15, "markeredgewidth": 1.6}
    ax.plot(curve, curve**2, color="#999999", linewidth=2)
    ax.plot(xs, xs**2, color=color, marker="o", markersize=9, label="gradient descent")
    ax.plot(theory, theory**2, marker="o", label="1.5 (1 − 2 lr)ᵏ", **ring)
    ax.annotate("start", (START, START**2), xytext=(14, -2), textcoords="offset points", va="center")
    ax.set(xlim=(-1.8, 1.98), ylim=(-0.25, 3.1))


def plot(data: Data, p: Params) -> Figure:
    """Four panels: the hops along the parabola at each learning rate."""
    sheet, axes = plotting.figure(2, 2, sharex=True, sharey=True)
    left = 100 * np.abs(data["float64"][:, -1]) / START
    found = (
        f"creeps: {p.steps} steps leave {left[0]:.0f} % of the way",
        f"is fast: {p.steps} steps leave {left[1]:.2f} %",
        f"jumps sides: {left[2]:.0f} % left, as at 0.1",
        "cycles between 1.5 and −1.5 for ever",
    )
    for ax, lr, xs, text, color in zip(axes.flat, RATES, data["float64"], found, plotting.COLORS, strict=False):
        draw(ax, lr, xs, color)
        ax.set_title(f"lr {lr:g} {text}")
    for ax in axes[1]:
        ax.set_xlabel("x")
    for ax in axes[:, 0]:
        ax.set_ylabel("f(x) = x²")
    axes[0, 0].legend(loc="upper center")
    return sheet


experiment = Experiment(
    title="Below 2/f'' gradient descent converges, at 2/f'' it cycles, above it diverges",
    source="Regularization and Optimization (notebook), learning rate",
    question="What does the learning rate do on the parabola x², ten steps from 1.5?",
    params={
        "steps": 10,
        "long": 100_000,
        "curvatures": (0.1, 0.5, 2.0, 8.0, 300.0),
        "spacing": 1e-4,
    },
    quick={"long": 10_000, "spacing": 1e-3},
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
