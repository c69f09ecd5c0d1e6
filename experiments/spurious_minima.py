"""Student networks of ReLU units have bad local minima, and with their number gradient descent meets them (lecture I).

A student Σᵢ relu(wᵢ·x) of k units learns from a teacher Σⱼ relu(vⱼ·x) of k orthonormal ones, on all of x ~ N(0, I) at
once (Safran and Shamir 2018). `TeacherStudent` holds this loss without any sampling, with exact derivatives.

* The teacher itself is a minimum of loss 0. Its Hessian ¼ (1 + 11ᵀ) ⊗ I + Σ_{i≠j} eᵢeⱼᵀ ⊗ (eᵢeⱼᵀ + eⱼeᵢᵀ) / 2π
  has the least eigenvalue ¼ − 1/2π for all k ≥ 2.
* From normal starts of variance 1/k gradient descent ends there always for k ≤ 5, and ever more rarely from k = 6 on.
  The paper's authors stored the outcomes of 1000 runs for each k, with which ours are compared; their steps were 0.1.
* The other ends are strict minima: the gradient is 0 to 1e-11, the least eigenvalue of the Hessian is above 1e-4. The
  stationary point itself is no farther than 1e-11 / 1e-4, where the Hessian is the same to seven digits or so.
* In the lowest of them k − 1 units have found a teacher each, and one looks away from the teacher that is left. Such
  points have five different weights. Minimizing over these alone, with formulas of its own, predicts their loss.
* One unit more than the teacher has makes bad minima rare.

Where plain gradient descent has brought the gradient to 1e-5 momentum takes over: by then the basin is decided.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.optimize import minimize

import optlab as ol
from optlab import plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, exact, fraction
from optlab.experiment.intervals import clopper_pearson
from optlab.landscape import Array
from optlab.landscapes import TeacherStudent
from optlab.random import derive_seed

REFERENCE = {6: 3, 8: 126, 10: 346, 12: 585, 15: 803, 16: 851, 20: 949}
"""Of 1000 runs those that ended in bad minima, by k, from the result files of the paper's authors."""

BAD, CURVED, STILL = 1e-3, 1e-4, 1e-11
MOST = 200_000
TEACHER_CURVATURE = 0.25 - 0.5 / np.pi


def runs_of(p: Params, k: int) -> int:
    """More where bad minima are rare, and steps cheap."""
    return int(p.rare_runs if k < 8 else p.runs)


def ends(f: TeacherStudent, runs: int, seed: int) -> Array:
    """Where gradient descent comes to rest; NaN in the rows of runs that do not."""
    lr, start = 4 / (f.units + 4), f.starts(runs, seed)
    path = ol.descend(f, ol.SGD(lr=lr), start, MOST, stop=ol.stop.grad_norm(1e-5), record=[])
    path = ol.descend(f, ol.SGD(lr=lr, momentum=0.9), path.last, MOST, stop=ol.stop.grad_norm(STILL), record=[])
    rest: Array = np.where((path.stop_reason == "grad_norm")[:, None], path.last, np.nan)
    return rest


def wider(k: int, runs: int, seed: int) -> Array:
    """The losses of students with one unit more, whose minima are flat: they creep, and stop sooner."""
    f = TeacherStudent(k + 1, np.eye(k))
    path = ol.descend(f, ol.SGD(lr=4 / (k + 5)), f.starts(runs, seed), MOST, stop=ol.stop.grad_norm(1e-5), record=[])
    return np.where(path.stop_reason == "grad_norm", f.value(path.last), np.nan)


def least(f: TeacherStudent, x: Array) -> float:
    """The least eigenvalue of the Hessian."""
    return float(np.linalg.eigvalsh(f.hessian(x))[0])


def kernel(a: Array, b: Array) -> Array:
    """E relu(a·x) relu(b·x) for all rows of a and b."""
    lengths = np.outer(np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1))
    cosines = np.clip(a @ b.T / lengths, -1, 1)
    sines = np.sqrt(1 - cosines**2)
    return np.asarray(lengths * (sines + (np.pi - np.arccos(cosines)) * cosines) / (2 * np.pi))


def looking_away(k: int, away: int) -> float:
    """The loss of the minimum in which so many units look away from a teacher each, by symmetry in six weights."""
    one, met = np.eye(k), np.arange(k) < k - away

    def loss(weights: Array) -> float:
        own, other, missed, back, against, rest = weights
        w = np.where(met[:, None], np.where(met, other, missed), np.where(met, back, rest))
        w[one > 0] = np.where(met, own, against)
        return float(kernel(w, w).sum() / 2 - kernel(w, one).sum() + kernel(one, one).sum() / 2)

    return float(minimize(loss, [1, 0, 0.2, 0.1, -0.7, 0.1], method="BFGS", options={"gtol": 1e-7}).fun)


def sorted_rows(w: Array) -> Array:
    """Units in the order of their teachers, the pair that did not meet last."""
    odd, missed = np.unravel_index(np.argmin(w), w.shape)
    columns = [*np.delete(np.arange(len(w)), missed), missed]
    rows = [*(np.argmax(w[:, column]) for column in columns[:-1]), odd]
    return np.asarray(w[np.ix_(rows, columns)])


def study(p: Params, k: int, seed: int) -> dict[str, Array]:
    """Losses of all ends, least eigenvalues of the bad ones, and what is predicted."""
    f = TeacherStudent(k)
    points = ends(f, runs_of(p, k), seed)
    losses = f.value(points)
    bad = points[losses > BAD]
    found = {"losses": losses, "curved": np.array([least(f, x) for x in bad])}
    found["teacher"] = np.array(least(f, np.eye(k).ravel()))
    found["away"] = np.array([looking_away(k, away) for away in p.away])
    if k == p.shown and len(bad):
        found["weights"] = sorted_rows(points[np.nanargmin(np.where(losses > BAD, losses, np.nan))].reshape(k, k))
    return {f"{name}_{k}": array for name, array in found.items()}


def compute(p: Params, seed: int, progress: Progress) -> dict[str, Array]:
    """One study for each k; the largest take longest."""
    found: dict[str, Array] = {}
    for k in (*p.few, *p.units):
        progress((k / (p.units[-1] + 1)) ** 4, f"{k} units")
        found |= study(p, k, derive_seed(seed, "start", k))
    for k in p.wider:
        found[f"wider_{k}"] = wider(k, p.runs, derive_seed(seed, "wider", k))
    return found


def bad_of(losses: Array) -> int:
    """How many runs ended badly."""
    return int(np.sum(losses > BAD))


def claims(data: Data, p: Params) -> list[Claim]:
    """How often, how bad, and that they are minima."""
    return [*share_claims(data, p), *minimum_claims(data, p)]


def share_claims(data: Data, p: Params) -> list[Claim]:
    """Shares of runs that end badly."""
    few = np.concatenate([data[f"losses_{k}"] for k in p.few])
    said = f"Up to {p.few[-1]} units no run ends in a bad minimum: the share that does."
    found = [fraction("few", said, bad_of(few), few.size, 0.0, (0.0, 10 / few.size))]
    for k in p.units:
        if k not in REFERENCE:
            continue
        losses, share = data[f"losses_{k}"], REFERENCE[k] / 1000
        # Four standard errors of the 1000 runs of the reference, and three of ours with the interval's half width.
        accept = (share - p.margin, share + p.margin) if k >= 8 else (1e-4, 0.02)
        said = f"{k} units: the share of runs that end in bad minima is that of the paper's authors."
        found.append(fraction(f"share_{k}", said, bad_of(losses), losses.size, share, accept))
    for k in p.wider:
        losses = data[f"wider_{k}"]
        said = f"{k + 1} units for {k} of the teacher: bad minima are rare; the share of runs that end there."
        found.append(fraction(f"wider_{k}", said, bad_of(losses), losses.size, None, (0.0, 0.05)))
    return found


def minimum_claims(data: Data, p: Params) -> list[Claim]:
    """What the ends are."""
    bad = {k: data[f"losses_{k}"][data[f"losses_{k}"] > BAD] for k in p.units}
    every = np.concatenate([data[f"losses_{k}"] for k in (*p.few, *p.units)])
    curved = np.concatenate([data[f"curved_{k}"] for k in p.units])
    errors = [abs(bad[k].min() - data[f"away_{k}"][0]) for k in p.units if bad[k].size]
    teacher = [float(data[f"teacher_{k}"]) - TEACHER_CURVATURE for k in p.units]
    clear = int(np.sum((every < 1e-12) | (every > 1e-2)))
    said = {
        "rest": "Runs end at loss 0 or above 1 %, and nowhere between: the share, of all.",
        "minima": "Bad ends are strict minima, with gradients below 1e-11 and curvatures above 1e-4: the share.",
        "lowest": "In the lowest, one unit looks away from a teacher: the largest error of the loss predicted for it.",
        "teacher": "At the teacher the least eigenvalue is ¼ − 1/2π for any k: the largest error.",
    }
    return [
        fraction("rest", said["rest"], clear, every.size, 1.0, (0.99, 1.0)),
        fraction("minima", said["minima"], int(np.sum(curved > CURVED)), curved.size, 1.0, (0.98, 1.0)),
        exact("lowest", said["lowest"], max(errors, default=np.inf), 0, 1e-8),
        exact("teacher", said["teacher"], np.abs(teacher).max(), 0, 1e-12),
    ]


def draw_shares(ax: Axes, data: Data, p: Params) -> None:
    """Shares against k with their intervals, and those of the reference."""
    units = (*p.few, *p.units)
    counts = [(bad_of(data[f"losses_{k}"]), data[f"losses_{k}"].size) for k in units]
    shares = np.array([bad / runs for bad, runs in counts])
    bars = np.array([clopper_pearson(*count, 0.999) for count in counts])
    spread = np.abs(bars.T - shares)
    ax.errorbar(units, shares, yerr=spread, fmt="o", markersize=10, capsize=5, elinewidth=2, label="ours, 99.9 %")
    known = [k for k in REFERENCE if k in p.units]
    ax.plot(known, [REFERENCE[k] / 1000 for k in known], "kx", markersize=13, mew=2.5, zorder=5, label="Safran, Shamir")
    for k in p.wider:
        label = "one unit more" if k == p.wider[0] else "_"
        losses = data[f"wider_{k}"]
        ax.plot(k, bad_of(losses) / losses.size, "s", color=plotting.VERMILLION, markersize=10, label=label)
    ax.set(title="From 6 units on, runs end badly", ylabel="share of runs", ylim=(-0.03, 1.03))
    ax.set_xlabel("units k of teacher and student")
    ax.legend(loc="upper left")


def draw_losses(ax: Axes, data: Data, p: Params) -> None:
    """Losses of the bad ends, with those of students some of whose units look away."""
    for k in p.units:
        bad = np.unique(np.round(data[f"losses_{k}"][data[f"losses_{k}"] > BAD], 5))
        ax.plot(np.full(bad.size, k), bad, "o", color=plotting.BLUE, alpha=0.7, markersize=7)
    for index, away in enumerate(p.away):
        units = [k for k in p.units if k >= 2 * away]  # with fewer the minimization ends elsewhere
        line = plotting.theory_line(ax, units, [data[f"away_{k}"][index] for k in units])
        plotting.label_line(ax, line, str(away))
    ax.set(title="Units that look away make them", ylim=(0, 0.11), ylabel="loss of a bad end", xlabel="units k")
    ax.text(p.units[-1], 0.1, "dashed: so many units look away", ha="right")


def draw_weights(ax: Axes, data: Data, p: Params) -> None:
    """The lowest bad minimum of the shown k."""
    image = ax.imshow(data[f"weights_{p.shown}"], cmap="RdBu_r", vmin=-1.05, vmax=1.05)
    ax.grid(visible=False)
    ax.set(title="One unit looks away", xlabel="teacher's unit", ylabel="student's unit", xticks=[], yticks=[])
    ax.figure.colorbar(image, ax=ax, label="weight", ticks=[-1, 0, 1])


def draw_curvatures(ax: Axes, data: Data, p: Params) -> None:
    """Least eigenvalues at the bad ends and at the teacher."""
    for k in p.units:
        curved = np.unique(np.round(data[f"curved_{k}"], 5))
        ax.plot(np.full(curved.size, k), curved, "o", color=plotting.BLUE, alpha=0.7, markersize=7)
    plotting.theory_line(ax, p.units, [TEACHER_CURVATURE] * len(p.units))
    ax.text(p.units[0], 1.15 * TEACHER_CURVATURE, "at the teacher: ¼ − 1/2π", va="bottom")
    ax.set(yscale="log", ylim=(1e-4, 0.5), title="All are strict minima", ylabel="least eigenvalue")
    ax.set_xlabel("units k")


def plot(data: Data, p: Params) -> Figure:
    """Shares at the left; losses, weights and curvatures."""
    sheet, ((shares, losses), (weights, curvatures)) = plotting.figure(2, 2)
    draw_shares(shares, data, p)
    draw_losses(losses, data, p)
    draw_weights(weights, data, p)
    draw_curvatures(curvatures, data, p)
    for ax in (shares, losses, curvatures):
        ax.xaxis.get_major_locator().set_params(integer=True)
    return sheet


experiment = Experiment(
    title="A student of as many ReLU units as its teacher ends in bad minima, the more surely the more units",
    source="Important Techniques in Neural Network Training: spurious minima; Safran and Shamir 2018",
    question="How often does gradient descent end in a bad local minimum of a two-layer network?",
    params={
        "few": (2, 3, 4, 5),
        "units": tuple(range(6, 21)),
        "runs": 1000,
        "rare_runs": 10_000,
        "wider": (8, 10, 12),
        "away": (1, 2, 3, 4),
        "shown": 10,
        "margin": 0.12,
    },
    quick={"units": (6, 8, 10, 12), "runs": 600, "rare_runs": 3000, "wider": (10,), "margin": 0.17},
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
