"""Gradient descent wins by iteration, stochastic by epoch, until noise stops it (lecture *Training DNNs*).

Least squares |Ax − b|²/2n: A has n rows of d independent standard normal numbers, and half of a label's variance is
noise. An epoch is n products with a row: one step of gradient descent (GD) or n of stochastic gradient descent (SGD),
x ← x − η a (aᵀx − b) with one row a. H = AᵀA/n has the eigenvalues λ_j; with e = x − x* the excess f − f* is ½ eᵀHe.

* GD: for s² = d/n the law of Marchenko and Pastur puts λ between (1 − s)² and (1 + s)², for which 1/(1 + s²) is the
  best step. λ times the law is a semicircle: from a random start t steps leave the share C_t qᵗ of the excess, with
  q = s²/(1 + s²)² and Catalan's numbers C_t. Step t thus multiplies it by q (4t − 2)/(t + 1), which rises to 4q.
* SGD: if the rows' fourth moments are those of normal numbers, the mean square c_j of e along axis j obeys
  c_j ← (1 − 2ηλ_j + 2η²λ_j²) c_j + η²λ_j (σ² + T), T = Σ λ_j c_j. The excess T/2 falls to the floor σ²S/(2 − 2S),
  S = ½η Σ λ_j/(1 − ηλ_j); for λ = 1 it is ησ²d/(2(2 − η(d + 2))). σ² is the mean squared residual at x*, weighted by
  |a|², which makes the floor of short steps exact. Steps ∝ 1/t have no floor: the excess falls as 1/t.
* Without replacement the noise of an epoch sums to 0. At its end this takes σ²/(2n) Σ tanh(½ηλ_j n) from the floor, but
  for a share of order (ηd)²: little if ηn ≫ 1, nearly all if ηn < 1, where η³ is left. Steps ∝ 1/t then give 1/t³.
* Sorted by label, an epoch ends with the largest. Where a label is z standard deviations, its noise and its row along
  the signal are z/√2 on average, with variance ½: the error y along the unit signal obeys, in the mean,
  y ← y − ½η((1 + z²) y − (z² − 1)).
"""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy.special import ndtri

import optlab as ol
from optlab import plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, bounded, exact, mean, slope
from optlab.landscapes import LeastSquares
from optlab.random import derive_seed, normal

Array = np.ndarray
ACCURACY, GD_STEPS, DISTANCE = 1e-2, 10, math.sqrt(500)  # relative to the start, which is at this distance from 0
EPOCHS, LATE = 16, 8  # floors are measured from epoch 8 on
WAY, FLAT = np.geomspace(0.05, 7, 28), np.arange(LATE, EPOCHS + 0.5, 0.5)  # records on the way down and at the floor
ENDS = np.arange(1.0, EPOCHS + 1)  # records without replacement
HALVED = 0.4  # the epoch at which falling steps are half of the first


def problem(p: Params, seed: int) -> tuple[LeastSquares, Array]:
    """The data, sorted by label, which is all the same to those who draw at random, and the signal."""
    rows, signal = normal((p.samples, p.dim), derive_seed(seed, "rows")), normal(p.dim, derive_seed(seed, "signal"))
    signal /= np.linalg.norm(signal)
    labels = rows @ signal + normal(p.samples, derive_seed(seed, "noise"))
    order = np.argsort(labels)
    return LeastSquares(rows[order], labels[order]), signal


class Theory:
    """What is predicted for a problem, and the exact excess."""

    def __init__(self, f: LeastSquares) -> None:
        self.n, self.solution, self.hessian = f.n_samples, f.minima[0], f.A.T @ f.A / f.n_samples
        self.curvatures, self.axes = np.linalg.eigh(self.hessian)
        self.noise = np.average((f.A @ self.solution - f.b) ** 2, weights=np.sum(f.A**2, axis=1))

    def excess(self, x: Array) -> Array:
        """The excess from the distance: a difference of values would lose its digits."""
        error = x.astype(np.float64) - self.solution
        return np.sum(error @ self.hessian * error, axis=-1) / 2

    def floor(self, lr: Array) -> Array:
        """Where the excess of SGD with replacement stays."""
        h = np.multiply.outer(lr, self.curvatures)
        s = np.sum(h / (1 - h), axis=1) / 2
        return self.noise * s / (2 - 2 * s)

    def cut(self, lr: Array) -> Array:
        """By how much the floor is lower at the end of an epoch without replacement."""
        return self.noise / (2 * self.n) * np.sum(np.tanh(np.multiply.outer(lr, self.curvatures) * self.n / 2), axis=1)

    def path(self, x0: Array, rates: Array, record: Array) -> Array:
        """The mean excess of SGD with replacement after `record` steps of the sizes `rates`, a column for each rule."""
        h, found = self.curvatures[:, None], []
        squares, wanted = (self.axes.T @ (x0 - self.solution))[:, None] ** 2 + 0 * rates[0], set(record.tolist())
        for step, eta in enumerate(rates, start=1):
            squares = (1 - 2 * eta * h * (1 - eta * h)) * squares + eta**2 * h * (self.noise + h.T @ squares)
            if step in wanted:
                found.append((h.T @ squares)[0] / 2)
        return np.array(found)


def sorted_drift(n: int, lr: float) -> float:
    """The error along the signal at the end of an epoch of sorted data, once epochs repeat each other."""
    z = ndtri((np.arange(n) + 0.5) / n)
    shrink = 1 - lr / 2 * (1 + z**2)
    left = np.append(np.cumprod(shrink[:0:-1])[::-1], 1)  # of what a step adds, at the end
    return float(lr / 2 * np.sum(left * (z**2 - 1)) / (1 - left[0] * shrink[0]))


def steps(n: int, epochs: Array) -> Array:
    """Epochs as whole numbers of steps."""
    return np.round(epochs * n).astype(np.int64)


def sgd(f: LeastSquares, x0: Array, lr: Array, epochs: Array, sampling: str, seed: int, k0: float = 0) -> Array:
    """The points (epochs, runs, dim) of runs from x0, one sample a step; k0 > 0: the steps fall as k0/(k0 + t).

    In float32, which halves the traffic with memory and whose rounding is far below every floor.
    """
    record, seed = steps(f.n_samples, epochs), derive_seed(seed, sampling, "falling" if k0 else "constant")
    schedule = ol.schedules.OneOverK(k0) if k0 else None
    start = np.tile(x0, (len(lr), 1)).astype(np.float32)
    options = {"batch_size": 1, "sampling": sampling, "seed": seed, "schedule": schedule, "record": record.tolist()}
    return ol.descend(f, ol.SGD(lr=lr), start, int(record[-1]), **options).x


def compute(p: Params, seed: int, progress: Progress) -> dict[str, Array]:
    """GD from many starts; SGD from the first with every step size and way of drawing, and with falling steps."""
    f, signal = problem(p, seed)
    theory, lrs, k0 = Theory(f), np.array(p.lrs), HALVED * p.samples
    starts = normal((p.starts, p.dim), derive_seed(seed, "starts")) * DISTANCE / math.sqrt(p.dim)
    progress(0.2, "gradient descent")
    gd = ol.descend(f, ol.SGD(lr=1 / (1 + p.dim / p.samples)), starts, GD_STEPS, record=1)
    progress(0.3, "with replacement")
    many, x0 = np.repeat(lrs, p.runs), starts[0]
    replaced = sgd(f, x0, many, np.append(WAY, FLAT), "replacement", seed)
    progress(0.6, "without")
    shuffled, ordered = sgd(f, x0, many, ENDS, "shuffle", seed), sgd(f, x0, lrs, ENDS[-1:], "order", seed)[0]
    progress(0.8, "falling steps")
    falling = [sgd(f, x0, many[: p.runs], ENDS, sampling, seed, k0) for sampling in ("replacement", "shuffle")]
    constant = np.tile(lrs, (steps(p.samples, WAY)[-1], 1))
    rates = lrs[0] * ol.schedules.OneOverK(k0)(np.arange(EPOCHS * p.samples))[:, None]
    return {
        "gd": theory.excess(gd.x),
        "start": theory.excess(x0),
        "replaced": theory.excess(replaced).reshape(-1, len(lrs), p.runs),
        "shuffled": theory.excess(shuffled).reshape(-1, len(lrs), p.runs),
        "falling": theory.excess(np.array(falling)),
        "ordered": theory.excess(ordered),
        "drift": (ordered - theory.solution) @ signal,
        "floor": theory.floor(lrs),
        "cut": theory.cut(lrs),
        "way_law": theory.path(x0, constant, steps(p.samples, WAY)),
        "falling_law": theory.path(x0, rates, steps(p.samples, ENDS))[:, 0],
    }


def claims(data: Data, p: Params) -> list[Claim]:
    """GD against the law of Marchenko and Pastur, SGD against its recursion, and what the order of the samples does."""
    floors = data["replaced"][len(WAY) :].mean(axis=0)
    return [
        *gd_claims(data, p, floors[0].mean()),
        *noise_claims(data, p, floors),
        *falling_claims(data, p),
        *order_claims(data, p),
    ]


def within(name: str, statement: str, samples: Array, expected: float, margin: float) -> Claim:
    """The mean is as predicted within `margin`, relative."""
    return mean(name, statement, samples, expected, (expected * (1 - margin), expected * (1 + margin)))


def gd_claims(data: Data, p: Params, floor: float) -> list[Claim]:
    """The factors of single steps, the epochs of GD, and when it passes SGD."""
    gd, ratio, found = data["gd"] / data["gd"][0], p.dim / p.samples, []
    margin = 0.04 + 2 / p.dim ** (2 / 3)  # for chance, and as far as the least and largest of dim eigenvalues scatter
    for t in (1, 2, 4, 8):
        factor = ratio / (1 + ratio) ** 2 * (4 * t - 2) / (t + 1)
        said = f"GD's step {t} multiplies the excess by {factor:.4f}, as Catalan's numbers have it: the mean."
        found.append(within(f"gd_step_{t}", said, gd[t] / gd[t - 1], factor, margin))
    average = gd.mean(axis=1)
    arrives, passes = np.argmax(average < ACCURACY), np.argmax(average < floor / data["gd"][0].mean())
    said = "GD, averaged over the starts, is at 1 % of its start after 2 epochs."
    below = f"GD takes 3 epochs to pass the floor of SGD with step {p.lrs[0]:g}."
    return [
        *found,
        exact("gd_arrives", said, arrives, 2),
        exact("gd_passes", below, passes, 3),
    ]


def arrival(excess: Array, start: float) -> Array:
    """The epochs at which the columns are first at 1 % of the start; the logarithm is linear between records."""
    found = []
    for above in np.log(excess.reshape(len(WAY), -1) / start / ACCURACY).T:
        i = np.argmax(above < 0)  # 0 stands for never
        found.append(np.interp(0, -above[i - 1 : i + 1], WAY[i - 1 : i + 1]) if i else np.nan)
    return np.array(found)


def noise_claims(data: Data, p: Params, floors: Array) -> list[Claim]:
    """SGD with replacement: epochs to 1 %, the floors, and what half the step does to them."""
    found, flat = [], data["floor"]
    for i, lr in enumerate(p.lrs):
        (expected,) = arrival(data["way_law"][:, i], data["start"])
        said = f"SGD with step {lr:g} is at 1 % of its start after {expected:.2f} epochs: the mean."
        samples = arrival(data["replaced"][: len(WAY), i], data["start"])
        found.append(within(f"arrives_{lr:g}", said, samples, expected, 0.09))
        said = f"SGD with step {lr:g} stops at an excess of {flat[i]:.4f}: the mean from epoch {LATE} on."
        found.append(within(f"floor_{lr:g}", said, floors[i], flat[i], 0.06))
    said = "SGD stops at the floor that is predicted: the mean ratio over all steps."
    # Steps that are 5 % too long raise the ratio by 6 %.
    found.append(within("floors", said, np.mean(floors / flat[:, None], axis=0), 1.0, 0.035))
    for i, lr in enumerate(p.lrs[1:]):
        said = f"Halving the step to {lr:g} divides the floor by {flat[i] / flat[i + 1]:.2f}: the mean ratio."
        found.append(within(f"halved_{lr:g}", said, floors[i] / floors[i + 1], flat[i] / flat[i + 1], 0.08))
    return found


def falling_claims(data: Data, p: Params) -> list[Claim]:
    """Falling steps: no floor, and the powers of t."""
    law, (replaced, shuffled), x = data["falling_law"], data["falling"], np.log(ENDS[3:])
    expected = float(np.polyfit(x, np.log(law[3:]), 1)[0])
    said = f"Steps ∝ 1/t: the excess from epoch {LATE} on is that of the recursion: the mean ratio."
    below = f"Steps ∝ 1/t end below the floor of the constant step {p.lrs[-1]:g}: the mean ratio."
    power = "Steps ∝ 1/t, {} replacement: the power of t with which the excess falls."
    with_, without = (np.log(values[3:].T) for values in (replaced, shuffled))
    return [
        within("falling", said, np.mean((replaced / law[:, None])[ENDS >= LATE], axis=0), 1.0, 0.1),
        mean("no_floor", below, replaced[-1] / data["floor"][-1], law[-1] / data["floor"][-1], (0, 0.5)),
        slope("falling_power", power.format("with"), x, with_, expected, (expected - 0.25, expected + 0.25)),
        # The power of late t; powers of 1, with replacement, and of 2 must not pass.
        slope("falling_shuffled", power.format("without"), x, without, -3, (-3.4, -2.6)),
    ]


def order_claims(data: Data, p: Params) -> list[Claim]:
    """Without replacement the floor is lower; sorted data raise it again."""
    shuffled, found = data["shuffled"][ENDS >= LATE].mean(axis=0), []
    for lr, low, floor, share in zip(p.lrs, shuffled, data["floor"], 1 - data["cut"] / data["floor"], strict=True):
        margin = 2 * (lr * p.dim) ** 2 * (1 - share) + 0.03  # what the prediction leaves out, and chance
        said = f"Step {lr:g}: without replacement the floor is {share:.0%} of that with: the mean share."
        found.append(mean(f"shuffled_{lr:g}", said, low / floor, share, (share - margin, share + margin)))
    cost, drift = np.exp(np.mean(np.log(data["ordered"] / shuffled.mean(axis=1)))), sorted_drift(p.samples, p.lrs[0])
    # Four standard deviations of one error of dim, whose noise large labels double.
    margin = 4 * math.sqrt(4 * data["floor"][0] / p.dim)
    said = f"Sorted by label: step {p.lrs[0]:g} ends its epochs {drift:.2f} off along the signal."
    costs = "Sorted by label, floors are two or three times those of shuffled data: the geometric mean of the steps."
    return [
        *found,
        bounded("sorted_drift", said, data["drift"][0], (drift - margin, drift + margin), drift),
        bounded("sorted_cost", costs, cost, (1.4, 5)),
    ]


def draw_paths(ax: Axes, data: Data, p: Params, unit: int) -> list[Line2D]:
    """The relative excess against the work of GD and of SGD, whose iteration is the part 1/unit of GD's."""
    gd, sgd = np.mean(data["gd"] / data["gd"][0], axis=1), data["replaced"].mean(axis=2) / data["start"]
    ax.axhline(ACCURACY, color="#999999", linewidth=1.2)
    (line,) = ax.loglog(np.arange(1, GD_STEPS + 1), gd[1:], "o-", color=plotting.BLACK)
    plotting.label_line(ax, line, "GD", at=0.44)
    ax.set(ylim=(3e-8, 2), ylabel="relative excess")
    return ax.loglog(np.append(WAY, FLAT) * p.samples / unit, sgd)


def draw_epochs(ax: Axes, data: Data, p: Params) -> None:
    """Excess against epochs: the constant steps with their floors, and the falling ones."""
    lines = draw_paths(ax, data, p, p.samples)
    for path, lr, floor in zip(lines, p.lrs, data["floor"] / data["start"], strict=True):
        plotting.label_line(ax, path, f"η = 1/{1 / lr:g}")
        flat = plotting.theory_line(ax, [2, EPOCHS], [floor, floor], "floor, predicted")
    falling = zip(data["falling"], (plotting.ORANGE, plotting.SKY), ("η ∝ 1/t", "η ∝ 1/t,\nshuffled"), strict=True)
    for runs, color, label in falling:
        (path,) = ax.plot(ENDS, runs.mean(axis=1) / data["start"], color=color)
        plotting.label_line(ax, path, label)
    ax.text(WAY[0], 0.8 * ACCURACY, "1 %", va="top")
    ax.legend(handles=[flat], loc="lower left")
    ax.set(xlabel="epochs", title="By epoch SGD is ahead, down to its floor")


def draw_floors(ax: Axes, data: Data, p: Params) -> None:
    """The floors against the step size, for every way of drawing."""
    for excess, marker, color, label in (
        (data["replaced"][len(WAY) :].mean(axis=(0, 2)), "o", "#777777", "with replacement"),
        (data["shuffled"][ENDS >= LATE].mean(axis=(0, 2)), "s", plotting.SKY, "shuffled"),
        (data["ordered"], "^", plotting.BLACK, "sorted by label"),
    ):
        ax.loglog(p.lrs, excess, marker, color=color, markersize=11, label=label)
    for law in (data["floor"], data["floor"] - data["cut"]):
        plotting.theory_line(ax, p.lrs, law, "_")
    ax.set_xticks(p.lrs, [f"1/{1 / lr:g}" for lr in p.lrs])
    ax.minorticks_off()
    ax.set(ylim=(1e-3, 8), xlabel="step size η", ylabel="floor", title="Shuffling lowers the floor")
    ax.legend(loc="upper left", handletextpad=0.1)


def plot(data: Data, p: Params) -> Figure:
    """Left the excess against iterations and the floors, right the excess against epochs."""
    sheet, ((upper, right), (lower, spare)) = plotting.figure(2, 2, width_ratios=(1, 1.3))
    right.set_subplotspec(right.get_gridspec()[:, 1])
    spare.remove()
    draw_paths(upper, data, p, 1)
    upper.text(0.85, 0.85, "SGD", transform=upper.transAxes)
    upper.set(xlabel="iterations", title="By iteration GD wins")
    draw_floors(lower, data, p)
    draw_epochs(right, data, p)
    return sheet


experiment = Experiment(
    title="Gradient descent wins by iteration, stochastic gradient descent by epoch, until it stops at a noise floor",
    source="Training DNNs: Basic Methods and Tricks, gradient descent against stochastic gradient descent",
    question="What does a step on one sample buy, and what does it cost?",
    params={"samples": 10_000, "dim": 500, "lrs": (1e-3, 5e-4, 2.5e-4, 1.25e-4), "runs": 12, "starts": 32},
    quick={"samples": 2000, "dim": 100, "lrs": (5e-3, 2.5e-3, 1.25e-3), "runs": 32, "starts": 256},
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
