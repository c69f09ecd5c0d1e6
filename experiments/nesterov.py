"""Nesterov's look-ahead against the heavy ball (lectures *Additional Techniques* and *Training DNNs*).

Both roll on with momentum β; heavy ball takes the gradient where it is, Nesterov where momentum is about to carry it:
x_{t+1} = y_t − η∇f(y_t) with y_t = x_t + β (x_t − x_{t−1}), for heavy ball y_t = x_t inside ∇f only. `ol.SGD` moves the
y_t; the x_t compared here are one gradient step further.

* Overshoot. Along curvature h, with a = ηh and from rest, e_{t+1} = T e_t − D e_{t−1} with e_0 = 1 and e_1 = 1 − a;
  heavy ball has T = 1 + β − a and D = β, Nesterov T = (1 + β)(1 − a) and D = β(1 − a). The roots z, w of z² = T z − D
  give e_t = ((e_1 − w) zᵗ − (e_1 − z) wᵗ)/(z − w). An oscillation dies as Dᵗᐟ²: look-ahead brakes where it is steep.
* Acceleration. With β_t = (t − 1)/(t + 2) and η = 1/L every convex f has f(x_t) − f* ≤ 2 ‖x_0 − x*‖² / (η (t + 1)²)
  (Nesterov 1983; Beck and Teboulle 2009); descent has only ‖x_0 − x*‖² / (2ηt). With n curvatures in each factor e,
  from L down to where no step is felt, ½ Σ h e² is on average n/(4t) for descent and, as e = 2 J₁(t√a)/(t√a), 2n/t².
* Beyond quadratics. f′ = 25x, x + 24 or 25x − 24 (x < 1, < 2, above) is strongly convex with curvatures 1 and 25. Heavy
  ball with the parameters that are best for quadratics runs into a cycle of three points (Lessard, Recht and Packard
  2016), Nesterov's f(x_t) − f* stays below (1 − 1/√κ)ᵗ (f(x_0) − f* + ½ μ ‖x_0 − x*‖²).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.special import jnp_zeros, jv

import optlab as ol
from optlab import plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, bounded, exact, fraction, mean, slope
from optlab.landscapes import Custom, LongValley, Quadratic
from optlab.random import derive_seed, normal, uniform

EPS, METHODS = float(np.finfo(np.float64).eps), ("heavy ball", "Nesterov")
STEEPNESS = np.geomspace(0.005, 0.95, 40)  # ηh
BETA, ROLL = 0.9, 400  # the momentum of the first two panels, and steps by which it has died out
LEAST, DENSITY = 1e-9, 20  # the least of the many curvatures, and how many there are in a factor e
KAPPA, CYCLES = 25.0, (3.07, 3.46)  # starts from which heavy ball ends in the cycle
SECONDS = (ol.HeavyBall(4 / 36, 16 / 36), ol.SGD(1 / 25, 4 / 6, nesterov=True))  # 4/(√L+√μ)², ((√κ−1)/(√κ+1))²


def rule(method: str, lr: float | np.ndarray, beta: float = BETA) -> ol.Optimizer:
    """Heavy ball or Nesterov."""
    return ol.SGD(lr, beta, nesterov=True) if method == "Nesterov" else ol.HeavyBall(lr, beta)


def iterates(f: ol.Landscape, way: ol.Optimizer, x0: np.ndarray, steps: int) -> np.ndarray:
    """The points x_0, x_1, … of every run, shape (steps + 1, runs, dim)."""
    path = ol.descend(f, way, x0, steps, record=1).x
    if isinstance(way, ol.HeavyBall):
        return path
    ahead, lr = path[:-1], np.reshape(way.lr, (-1, 1))
    return np.concatenate([path[:1], ahead - lr * f.grad(ahead.reshape(-1, f.dim)).reshape(ahead.shape)])


def overshoot(path: np.ndarray) -> np.ndarray:
    """How far each coordinate of each run gets beyond the minimum 0, by the distance of its start."""
    return np.max(-path / path[0], axis=0).clip(0)


def closed_form(method: str, a: np.ndarray) -> np.ndarray:
    """The exact overshoot along curvature a/η."""
    trace, det = ((1 + BETA) * (1 - a), BETA * (1 - a)) if method == "Nesterov" else (1 + BETA - a, BETA + 0 * a)
    root = np.sqrt(trace**2 - 4 * det + 0j)
    z, w, t = (trace + root) / 2, (trace - root) / 2, np.arange(ROLL + 1)[:, None]
    return overshoot(np.real(((1 - a - w) * z**t - (1 - a - z) * w**t) / (z - w)))


def accelerated(f: ol.Landscape, x: np.ndarray, steps: int, measure: Callable) -> np.ndarray:
    """`measure` of each x_t with momentum (t − 1)/(t + 2): a heavy ball fed with the gradient ahead."""
    x, found = x.copy(), [measure(x)]
    state = ol.HeavyBall(1.0).init(x)
    for t in range(1, steps + 1):
        beta = (t - 1) / (t + 2)
        ol.HeavyBall(1.0, beta).step(x, f.grad(x + beta * state["delta"]), state)
        found.append(measure(x))
    return np.array(found)


def textbook(h: np.ndarray, steps: int) -> np.ndarray:
    """The same for ½ h x² along each curvature, by the formula in the two points x_t and y_t."""
    x = before = np.ones_like(h)
    found = [h / 2]
    for t in range(1, steps + 1):
        ahead = x + (t - 1) / (t + 2) * (x - before)
        x, before = ahead - h * ahead, x
        found.append(h * x**2 / 2)
    return np.array(found)


def piecewise() -> Custom:
    """Lessard, Recht and Packard's function of one variable."""

    def grad(x: np.ndarray) -> np.ndarray:
        return np.where(x < 1, 25 * x, np.where(x < 2, x + 24, 25 * x - 24))

    def value(x: np.ndarray) -> np.ndarray:
        middle, right = 12.5 + (x**2 - 1) / 2 + 24 * (x - 1), 38 + 12.5 * (x**2 - 4) - 24 * (x - 2)
        return np.where(x < 1, 12.5 * x**2, np.where(x < 2, middle, right))[:, 0]

    return Custom(1, value, grad)


def cycle() -> np.ndarray:
    """The three points between which heavy ball goes round: two with x < 1, then one with x > 2."""
    lr, beta = SECONDS[0].lr, SECONDS[0].momentum
    forward = np.roll(np.eye(3), 1, axis=1)
    return np.linalg.solve(forward - (1 + beta - KAPPA * lr) * np.eye(3) + beta * forward.T, [0, 0, 24 * lr])


def valley(p: Params, seed: int) -> dict[str, np.ndarray]:
    """Random starts in the long valley with step 1/L, and how exactly Nesterov looks ahead there."""
    f = LongValley()
    x0 = np.concatenate([[(-10.0, 1.0)], f.bounds[1] * (2 * uniform((p.runs, 2), seed) - 1)])
    ball, ahead = (iterates(f, rule(method, 1 / f.steepness), x0, ROLL) for method in METHODS)
    path = ol.descend(f, rule("Nesterov", 1 / f.steepness), x0, ROLL, record=1).x
    gap = path[1:] - (ahead[1:] + BETA * np.diff(ahead, axis=0))
    return {
        "valley": np.array([overshoot(ball[:, 1:]), overshoot(ahead[:, 1:])]),
        "gap": np.max(np.abs(gap)) / (EPS * np.max(np.abs(x0))),
        "walks": np.array([ball[:60, 0], ahead[:60, 0]]),
    }


def race(p: Params, seed: int) -> dict[str, np.ndarray]:
    """Descent and Nesterov's method with growing momentum from random starts, on a quadratic with many curvatures."""
    f = Quadratic(np.geomspace(LEAST, 1, int(-DENSITY * np.log(LEAST)) + 1))
    x0, t = normal((p.starts, f.dim), seed), np.unique(np.geomspace(1, p.steps, 60).astype(int))
    plain = ol.descend(f, ol.SGD(1.0), x0, p.steps, record=t, record_x=False).value
    along = accelerated(f, np.ones(f.dim), p.steps, lambda x: f.spectrum * x**2 / 2)
    return {
        "step": t,
        "race": np.array([plain, accelerated(f, x0, p.steps, f.value)[t]]),
        "textbook": np.max(np.abs(along - textbook(f.spectrum, p.steps))),
        "bound": np.max(along * (np.arange(p.steps + 1)[:, None] + 1) ** 2 / 2),
    }


def duel(p: Params, seed: int) -> dict[str, np.ndarray]:
    """Both methods on the piecewise quadratic, from random starts."""
    f, (low, high) = piecewise(), CYCLES
    x0 = low + (high - low) * uniform((p.runs, 1), seed)
    paths = np.array([iterates(f, way, x0, ROLL)[:, :, 0] for way in SECONDS])
    values = np.array([f.value(row[:, None]) for row in paths[1]])
    bound = (1 - 1 / np.sqrt(KAPPA)) ** np.arange(ROLL + 1)[:, None] * (values[0] + x0[:, 0] ** 2 / 2)
    return {"last": paths[:, -3:], "duel": paths[:, :22, :20], "duel_bound": np.max(values[1:] / bound[1:])}


def compute(p: Params, seed: int, progress: Progress) -> dict[str, np.ndarray]:
    """The overshoot along one curvature, the valley, the race to 1/t², and the duel beyond quadratics."""
    f, x0 = Quadratic([1.0]), np.ones((len(STEEPNESS), 1))
    found = {"overshoot": np.array([overshoot(iterates(f, rule(m, STEEPNESS), x0, ROLL))[:, 0] for m in METHODS])}
    for i, part in enumerate((valley, race, duel)):
        progress(i / 3, part.__name__)
        found |= part(p, derive_seed(seed, part.__name__))
    return found


def claims(data: Data, p: Params) -> list[Claim]:
    """Where the gradient is taken, what that saves, the rates, and the function on which heavy ball cycles."""
    return [*overshoot_claims(data, p), *rate_claims(data, p), *cycle_claims(data, p)]


def overshoot_claims(data: Data, p: Params) -> list[Claim]:
    """Look-ahead overshoots less, by what the closed form says."""
    ball, ahead = data["overshoot"]
    off = [np.max(np.abs(row - closed_form(m, STEEPNESS))) for row, m in zip(data["overshoot"], METHODS, strict=True)]
    across, floor = data["valley"][:, :, 1], data["valley"][:, :, 0]
    exact_form = (
        f"{{}} with momentum {BETA:g} overshoots as the closed form says at {len(STEEPNESS)} curvatures: error."
    )
    gap = "SGD(nesterov=True) takes its gradients at x + β(x − x before): the largest gap, in units of rounding."
    less = "Nesterov overshoots less at every curvature: its overshoot by heavy ball's, at most."
    stops = "Across a valley, with step 1/L, Nesterov stops at once: its largest overshoot."
    swings = f"There heavy ball swings to {BETA:g} of its start on the other side: the overshoot farthest from that."
    share = "Along the floor, which is no parabola, Nesterov overshoots less from random starts: the share."
    return [
        # A point is rounded in at most four operations on each side of the equation.
        bounded("look_ahead", gap, data["gap"], (0.0, 8.0)),
        # Rounding grows with the square of the steps to the turn, near a double root at most 60.
        bounded("overshoot_heavy_ball", exact_form.format("Heavy ball"), off[0], (0.0, 60**2 * EPS)),
        bounded("overshoot_nesterov", exact_form.format("Nesterov"), off[1], (0.0, 60**2 * EPS)),
        bounded("less_overshoot", less, np.max(ahead / ball), (0.0, 0.9)),
        exact("across_nesterov", stops, across[1].max(), 0.0, 8 * EPS),
        exact("across_heavy_ball", swings, across[0][np.argmax(np.abs(across[0] - BETA))], BETA, 8 * EPS),
        fraction("floor", share, np.sum(floor[1] < floor[0]), p.runs, 1.0, (1 - 10 / p.runs, 1.0)),
    ]


def rate_claims(data: Data, p: Params) -> list[Claim]:
    """1/t for descent and 1/t² for Nesterov, with their constants."""
    t, found = data["step"], []
    late = t >= p.steps / 10
    laws = {"descent": (1, "5/t", DENSITY / (4 * t)), "nesterov": (2, "40/t²", 2 * DENSITY / t**2)}
    for values, (name, (power, text, law)) in zip(data["race"], laws.items(), strict=True):
        falls = f"Curvatures of all sizes: the power of t with which f falls under {name}, over the last decade."
        size = f"The mean of f after {p.steps} steps of {name}, by its law {text}."
        rows = np.log(values[late].T)
        # Curvatures above L/t die sooner than the laws say, which takes at most 1/√t, here 0.03, from them.
        found.append(slope(f"rate_{name}", falls, np.log(t[late]), rows, -power, (-power - 0.1, -power + 0.1)))
        found.append(mean(f"size_{name}", size, values[-1] / law[-1], 1.0, (0.9, 1.1)))
    same = "With growing momentum every curvature follows the formula: the largest error of f."
    worst = "From the worst start f comes to (max J1)² of Nesterov's bound, and never above: f by the bound, at most."
    most = jv(1, jnp_zeros(1, 1)[0]) ** 2
    return [
        *found,
        # Rounding moves x by up to t² ε, and √h |x| is at most 1.2/t, so that ½ h x² is moved by about t ε.
        bounded("growing_momentum", same, data["textbook"], (0.0, 2 * p.steps * EPS)),
        exact("bound", worst, data["bound"], most, 0.01),
    ]


def cycle_claims(data: Data, p: Params) -> list[Claim]:
    """Heavy ball's cycle beyond quadratics, and Nesterov's arrival."""
    ball, ahead = data["last"]
    off = np.max(np.abs(np.sort(ball, axis=0) - np.sort(cycle())[:, None]), axis=0)
    arrived, n = np.abs(ahead).max(axis=0) < 1e-9, p.runs
    rounds = f"Tuned for quadratics, heavy ball never arrives on a convex function from {n} starts: share that cycles."
    points = "Heavy ball goes round the three points of the exact cycle: the largest distance from them."
    arrives = f"Nesterov, tuned for quadratics, too, arrives from each of the {n} starts: the share."
    rate = "Nesterov keeps to its rate there: f by the bound (1 − 1/√κ)^t (…), at most from the first step on."
    return [
        fraction("cycles", rounds, np.sum(off < 1e-6), n, 1.0, (1 - 10 / n, 1.0)),
        # Round the cycle errors shrink, so that only those of the last few steps are left.
        bounded("cycle_points", points, off.max(), (0.0, 64 * EPS)),
        fraction("arrives", arrives, arrived.sum(), n, 1.0, (1 - 10 / n, 1.0)),
        bounded("cycle_rate", rate, data["duel_bound"], (0.0, 1.0)),
    ]


def draw_valley(ax: Axes, data: Data) -> None:
    """One start in the long valley, seen from above."""
    x, y = np.meshgrid(np.linspace(-10.4, -3.4, 200), np.linspace(-1.15, 1.25, 120))
    height = LongValley().value(np.stack([x.ravel(), y.ravel()], axis=1)).reshape(x.shape)
    ax.contour(x, y, height, levels=12, colors="#cccccc", linewidths=1.2)
    for walk, method, at in zip(data["walks"], METHODS, ((-9.6, 0.75), (-4.9, -0.06)), strict=True):
        (line,) = ax.plot(*walk.T, "o-", markersize=5, linewidth=1.8)
        ax.text(*at, method, color=line.get_color())
    ax.set(
        xlim=(-10.4, -3.4),
        ylim=(-1.15, 1.25),
        xlabel="x₁",
        ylabel="x₂",
        title="Across a valley look-ahead stops at once",
    )
    ax.grid(False)


def draw_overshoot(ax: Axes, data: Data) -> None:
    """Overshoot against curvature, with the closed forms."""
    fine = np.linspace(0.003, 0.999, 400)
    for row, method, at in zip(data["overshoot"], METHODS, ((0.4, 0.64), (0.45, 0.32)), strict=True):
        (dots,) = ax.plot(STEEPNESS, row, "o")
        line = plotting.theory_line(ax, fine, closed_form(method, fine), "closed form")
        ax.text(*at, method, color=dots.get_color())
    ax.set(
        xlabel="step × curvature, ηh",
        ylabel="overshoot / start",
        title=f"The steeper, the more it brakes (β = {BETA:g})",
    )
    ax.legend(handles=[line], loc="center right")


def draw_race(ax: Axes, data: Data) -> None:
    """The mean of f against the step, with both laws."""
    t = data["step"]
    for values, law, text, color, at in zip(
        data["race"].mean(axis=2),
        (DENSITY / (4 * t), 2 * DENSITY / t**2),
        (f"descent: {DENSITY / 4:g}/t", f"Nesterov: {2 * DENSITY}/t²"),
        (plotting.PURPLE, plotting.COLORS[1]),
        ((30, 1), (2, 1e-4)),
        strict=True,
    ):
        ax.loglog(t, values, "o", color=color, markersize=6)
        plotting.theory_line(ax, t, law)
        ax.text(*at, text, color=color)
    ax.set(xlabel="step t", ylabel="f − f* (mean)", title="Curvatures down to 0: 1/t², not 1/t")


def draw_duel(ax: Axes, data: Data) -> None:
    """Runs on the piecewise quadratic."""
    for level in cycle():
        line = plotting.theory_line(ax, [0, 21], [level, level], "exact cycle")
    for runs, color in zip(data["duel"], plotting.COLORS, strict=False):
        ax.plot(runs, color=color, linewidth=1.6)
    ax.text(21.3, -0.1, "Nesterov", color=plotting.COLORS[1], va="center")
    ax.text(21.3, 1.4, "heavy ball", color=plotting.COLORS[0], va="center")
    ax.set(xlim=(0, 21), ylim=(-3.9, 4.6), xlabel="step", ylabel="x", title="Not a quadratic: heavy ball cycles")
    ax.legend(handles=[line], loc="upper right")


def plot(data: Data, p: Params) -> Figure:
    """Four panels: the valley, the overshoot, the rate, and the cycle."""
    sheet, ((upper, right), (lower, last)) = plotting.figure(2, 2)
    draw_valley(upper, data)
    draw_overshoot(right, data)
    draw_race(lower, data)
    draw_duel(last, data)
    return sheet


experiment = Experiment(
    title="Nesterov's look-ahead overshoots less than the heavy ball, is accelerated, and converges where that cycles",
    source="Additional Techniques for Training Neural Networks; Training DNNs: Basic Methods and Tricks: Nesterov",
    question="What does it change to take the gradient where momentum is about to go?",
    params={"runs": 4000, "starts": 300, "steps": 3000},
    quick={"runs": 1000, "steps": 1000},
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
