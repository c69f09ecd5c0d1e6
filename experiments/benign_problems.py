"""Problems without bad minima: wherever ∇f = 0 is the global minimum or a direction that falls (lecture I, saddles).

Five problems over matrices, in which f depends on U through U Uᵀ only, or through directions:

* `MatrixFactorization`, ¼ ‖U Uᵀ − M‖² with singular values 3, 2, 1. Its saddles hold some of the three; the least
  eigenvalue is −s of the largest that is missing. All eigenvalues are known, here and in the tensor problem.
* `MatrixSensing`, M from 5 measurements for each degree of freedom; `MatrixCompletion`, M from half of its entries.
* `OrthogonalTensor`, all components of a tensor of order four at once; where m of them are still mixed, the least
  eigenvalue is −8/m.
* `QuadraticNetwork`, a hidden layer of squares with as many units as its teacher.

Noise leaves saddles in a time that grows as the logarithm of its smallness (`saddle_escape`), so that gradient descent
with noise comes down from everywhere, also from saddles, where without noise it stays. It does so exactly where what is
missing is a column of zeros; in a rotated basis rounding leaves those saddles that a present column could leave.

What is benign depends on the data. Below one measurement for each degree of freedom M does not follow from them. Matrix
completion needs more, and has bad minima before: a row without a known diagonal entry may grow far too long. And benign
is not fast: units beyond the teacher's decay as 1/√t, so that f falls as t⁻² and not exponentially. With σ for a
superfluous singular value, σ' = −c σ³ has the solution σ² = 1/(2ct + 1/σ₀²), and f ∝ σ⁴.

Ge, Huang, Jin and Yuan 2015; Ge, Lee and Ma 2016; Bhojanapalli, Neyshabur and Srebro 2016; Du and Lee 2018.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import optlab as ol
from optlab import plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, bounded, exact, fraction, mean
from optlab.landscapes import MatrixCompletion, MatrixFactorization, MatrixSensing, OrthogonalTensor, QuadraticNetwork
from optlab.random import derive_seed, normal

DONE = 1e-6
"""The share of f at the saddle below which a run has come down; noise leaves about 1e-9."""

LANES = 8
"""Starts from each of which a matrix must be recovered."""

RECOVERED = 1e-2
"""The relative error of U Uᵀ below which it is; a wrong matrix is off by 0.1 and more."""

PREFIXES = [0, 1, 4]
"""The saddles of a factorization that hold none, the first, and the first two of three singular values."""

CONTROLS = 2
"""Data sets on which runs without noise start at the saddles."""

CRITICAL = 1e-9
"""The largest gradient norm of a point that counts as stationary."""

FALLING = 1e-4
"""The least eigenvalue of a strict saddle is below minus this; those found are at 1e-3 and below."""

SENSED, COMPLETED, TENSOR, INPUTS = 12, 60, 8, 10
VALUES = {"sensing": (1.0, 1.0), "completion": (2.0, 1.0)}


class Problem(NamedTuple):
    """What is drawn, and the step size, well below 2 over the largest eigenvalue at the minimum."""

    label: str
    lr: float
    draw: Callable[[int], Any]


PROBLEMS = {
    "factorization": Problem("factorization", 0.1, lambda _: MatrixFactorization(20, [3.0, 2.0, 1.0])),
    "sensing": Problem("sensing", 0.2, lambda seed: sensing(5.0, seed)),
    "completion": Problem("completion", 0.1, lambda seed: completion(8.0, seed)),
    "tensor": Problem("tensor", 0.05, lambda _: OrthogonalTensor(TENSOR)),
    "network": Problem("quadratic net", 0.05, lambda seed: QuadraticNetwork.draw(INPUTS, 2, 200, seed)),
}


def freedom(rows: int, rank: int = 2) -> int:
    """The degrees of freedom of a symmetric matrix of this rank."""
    return rows * rank - rank * (rank - 1) // 2


def sensing(ratio: float, seed: int) -> MatrixSensing:
    """So many measurements for each degree of freedom."""
    return MatrixSensing.draw(SENSED, VALUES["sensing"], round(ratio * freedom(SENSED)), seed)


def completion(ratio: float, seed: int) -> MatrixCompletion:
    """So many known entries, on and below the diagonal, for each degree of freedom; rows are kept short."""
    share = ratio * freedom(COMPLETED) / (COMPLETED * (COMPLETED + 1) / 2)
    return MatrixCompletion.draw(COMPLETED, VALUES["completion"], share, seed, lam=1.0)


def random_starts(f: ol.Landscape, runs: int, seed: int) -> np.ndarray:
    """Normal entries, rows of length about √(r/n)."""
    return normal((runs, f.dim), seed) / np.sqrt(f.layout[0].shape[0])


def height(f: ol.Landscape) -> float:
    """F at the first saddle: 0, or nothing found."""
    return float(f.value(f.saddles[0]))


def descend(f: ol.Landscape, lr: float, x0: np.ndarray, p: Params, seed: int, **options: Any) -> ol.Trajectory:
    """Noisy gradient descent until it is down."""
    stop = [ol.stop.value(DONE * height(f)), ol.stop.nonfinite()]
    return ol.descend(f, ol.SGD(lr=lr), x0, p.steps, noise=p.noise**2, seed=seed, stop=stop, record_x=False, **options)


def descents(problem: Problem, p: Params, seed: int) -> dict[str, Any]:
    """How many runs come down from random starts and from saddles, and how many leave a saddle without noise."""
    found: dict[str, Any] = {"random": 0, "saddle": 0, "runs": 0, "stayed": 0, "started": 0}
    for k in range(p.instances):
        f, draws = problem.draw(derive_seed(seed, "data", k)), derive_seed(seed, "runs", k)
        x0 = random_starts(f, p.runs, derive_seed(seed, "starts", k))
        at = np.ascontiguousarray(np.resize(f.saddles, (p.runs, f.dim)))
        found["random"] += np.sum(descend(f, problem.lr, x0, p, draws, record=[]).stop_reason == "value")
        found["saddle"] += np.sum(descend(f, problem.lr, at, p, draws, record=[]).stop_reason == "value")
        found["runs"] += p.runs
        if k < CONTROLS:
            still = ol.descend(f, ol.SGD(lr=problem.lr), np.array(f.saddles), p.steps, record=[]).last
            found["stayed"] += np.sum(np.linalg.norm(still - f.saddles, axis=1) < 1e-6)
            found["started"] += len(still)
    return found


def curve(problem: Problem, p: Params, seed: int) -> np.ndarray:
    """The median height of runs from the first saddle, by step."""
    f = problem.draw(derive_seed(seed, "data", 0))
    x0 = np.tile(f.saddles[0], (p.runs, 1))
    run = ol.descend(f, ol.SGD(lr=problem.lr), x0, p.shown, noise=p.noise**2, seed=seed, record=5, record_x=False)
    return np.median(run.value, axis=1) / height(f)


def eigenvalue_error(problem: Problem, seed: int) -> float:
    """The largest difference of a computed eigenvalue at a declared saddle from its formula."""
    f = problem.draw(derive_seed(seed, "data", 0))
    return float(np.abs(np.linalg.eigvalsh(f.hessian(f.saddles)) - f.saddle_eigenvalues).max())


def hessians(f: ol.Landscape, x: np.ndarray) -> np.ndarray:
    """The Hessians at many points, (points, dim, dim), from one call."""
    count, dim = x.shape
    return f.hvp(np.repeat(x, dim, axis=0), np.tile(np.eye(dim), (count, 1))).reshape(count, dim, dim)


def search(f: ol.Landscape, x: np.ndarray, iterations: int) -> np.ndarray:
    """Where descending |∇f|² ends with ∇f = 0, by Levenberg-Marquardt steps with a μ for each search."""
    x, g, mu = x.copy(), f.grad(x), np.full(len(x), 1e-2)
    for _ in range(iterations):
        on = np.flatnonzero(np.linalg.norm(g, axis=1) > CRITICAL / 100)
        if not on.size:
            break
        H = hessians(f, x[on])
        damped = H @ H + mu[on, None, None] * np.eye(f.dim)
        new = x[on] - np.linalg.solve(damped, H @ g[on, :, None])[..., 0]
        slope = f.grad(new)
        better = np.linalg.norm(slope, axis=1) < np.linalg.norm(g[on], axis=1)
        mu[on] = np.clip(mu[on] * np.where(better, 0.2, 4.0), 1e-12, 1e6)
        x[on[better]], g[on[better]] = new[better], slope[better]
    return x[np.linalg.norm(g, axis=1) < CRITICAL]


def stationary(problem: Problem, p: Params, seed: int) -> np.ndarray:
    """Height and least eigenvalue of the different stationary points above the global minimum."""
    rows = [np.empty((0, 2))]
    for k in range(p.searched):
        f = problem.draw(derive_seed(seed, "data", k))
        x0 = random_starts(f, p.searches // 8, derive_seed(seed, "searches", k))
        path = ol.descend(f, ol.SGD(lr=problem.lr), x0, 64, record=[0, 4, 8, 16, 24, 32, 48, 64]).x
        x = search(f, path.reshape(-1, f.dim), p.iterations)
        x = f.on_spheres(x) if isinstance(f, OrthogonalTensor) else x
        if len(x):
            rows.append(np.stack([f.value(x) / height(f), np.linalg.eigvalsh(hessians(f, x))[:, 0]], axis=1))
    table = np.concatenate(rows)
    table = table[table[:, 0] > DONE]
    return table[np.unique(table.round(5), axis=0, return_index=True)[1]]


def recovered(draw: Callable[[float, int], Any], lr: float, ratio: float, p: Params, seed: int) -> int:
    """Of how many matrices every start finds the planted one."""
    count = 0
    for k in range(p.matrices):
        f = draw(ratio, derive_seed(seed, "matrix", k))
        x0 = random_starts(f, LANES, derive_seed(seed, "start", k))
        stop = [ol.stop.value(1e-8 * f.value(np.zeros(f.dim))), ol.stop.nonfinite()]
        last = ol.descend(f, ol.SGD(lr=lr), x0, p.most, stop=stop, record=[]).last
        truth = f.product(f.minima[0])
        count += bool(np.linalg.norm(f.product(last) - truth, axis=(1, 2)).max() < RECOVERED * np.linalg.norm(truth))
    return count


def rotated(p: Params, seed: int) -> np.ndarray:
    """Which noise-free runs leave the saddles of factorizations in random bases, (rotations, saddles)."""
    lr, left = PROBLEMS["factorization"].lr, []
    for k in range(p.rotations):
        f = MatrixFactorization(20, [3.0, 2.0, 1.0], rotation=derive_seed(seed, k))
        last = ol.descend(f, ol.SGD(lr=lr), np.array(f.saddles), p.steps, record=[]).last
        left.append(f.value(last) < 0.99 * f.value(f.saddles))
    return np.array(left)


def wide(p: Params, seed: int) -> np.ndarray:
    """Heights of networks by width, at steps spaced by logarithm: the mean of log f over starts, for each data set."""
    found = np.empty((len(p.widths), p.sets, len(p.spaced)))
    for i, width in enumerate(p.widths):
        for k in range(p.sets):
            f = QuadraticNetwork.draw(INPUTS, 2, 200, derive_seed(seed, "set", k), width)
            x0 = random_starts(f, LANES, derive_seed(seed, "start", k, width))
            rule, record = ol.SGD(lr=PROBLEMS["network"].lr), list(p.spaced)
            run = ol.descend(f, rule, x0, record[-1], record=record, record_x=False)
            found[i, k] = np.log(run.value / f.value(np.zeros(f.dim))).mean(axis=1)
    return found


def compute(p: Params, seed: int, progress: Progress) -> dict[str, np.ndarray]:
    """All five problems, then what becomes of them with little data and with units to spare."""
    data: dict[str, Any] = {}
    for k, (name, problem) in enumerate(PROBLEMS.items()):
        progress(0.1 * k, problem.label)
        here = derive_seed(seed, name)
        data |= {f"{name}_{what}": np.array(count) for what, count in descents(problem, p, here).items()}
        data[f"{name}_curve"] = curve(problem, p, here)
        data[f"{name}_eigenvalues"] = np.array(eigenvalue_error(problem, here))
        data[f"{name}_points"] = stationary(problem, p, here)
    progress(0.5, "recovery")
    for name, draw, ratios in (("sensing", sensing, p.sensed), ("completion", completion, p.known)):
        counts = [recovered(draw, PROBLEMS[name].lr, r, p, derive_seed(seed, name, "few", r)) for r in ratios]
        data[f"{name}_recovered"] = np.array(counts)
    progress(0.8, "networks")
    return data | {"rotated": rotated(p, derive_seed(seed, "rotated")), "wide": wide(p, derive_seed(seed, "wide"))}


def claims(data: Data, p: Params) -> list[Claim]:
    """Descents and saddles of each problem, then the limits."""
    found = [claim for name, problem in PROBLEMS.items() for claim in problem_claims(data, name, problem.label)]
    return [*found, *point_claims(data), *recovery_claims(data, p), *other_claims(data, p)]


def problem_claims(data: Data, name: str, label: str) -> list[Claim]:
    """Everything comes down with noise; without it nothing leaves a declared saddle, whose eigenvalues are known."""
    runs, share = int(data[f"{name}_runs"]), (0.99, 1.0)
    said = {
        "random": f"{label}: noisy descent from random starts reaches the global minimum: the share of runs.",
        "saddle": f"{label}: so it does from exact saddles: the share of runs.",
        "stays": f"{label}: without noise it leaves none of them: the share that stays.",
        "eigenvalues": f"{label}: the Hessian at the saddles has the predicted eigenvalues: the largest error.",
    }
    stays = data[f"{name}_stayed"] / data[f"{name}_started"]
    return [
        fraction(f"random_{name}", said["random"], data[f"{name}_random"], runs, 1.0, share),
        fraction(f"saddle_{name}", said["saddle"], data[f"{name}_saddle"], runs, 1.0, share),
        exact(f"stays_{name}", said["stays"], float(stays), 1.0),
        exact(f"eigenvalues_{name}", said["eigenvalues"], float(data[f"{name}_eigenvalues"]), 0.0, 1e-11),
    ]


def point_claims(data: Data) -> list[Claim]:
    """Stationary points that were searched for, not declared."""
    points = np.concatenate([data[f"{name}_points"] for name in PROBLEMS])
    height, least = data["factorization_points"].T
    # Half the singular values' squares, 14/4 in all, tell which are missing: sums of 9, 4 and 1 are all different.
    missing = np.round(14 * height)
    law = -np.select([missing >= 9, missing >= 4], [3.0, 2.0], 1.0)
    said = {
        "strict": "No stationary point above the global minimum lacks a falling direction: those that do.",
        "many": "There are stationary points enough for that to mean something: the different ones that were found.",
        "law": "In factorizations their least eigenvalue is −s of the largest value missing: the largest error.",
    }
    return [
        exact("strict", said["strict"], float(np.sum(points[:, 1] > -FALLING)), 0.0),
        bounded("many", said["many"], float(len(points)), (10.0, None)),
        # Points are good to |∇f| = 1e-9, and eigenvalues change by a few times that.
        exact("law", said["law"], float(np.abs(least - law).max(initial=0.0)), 0.0, 1e-6),
    ]


def recovery_claims(data: Data, p: Params) -> list[Claim]:
    """How many measurements it takes."""
    few = "give M from all of 8 starts: the share of matrices, by"
    cases = (
        ("few", "sensing", p.sensed, 0.75, f"Fewer measurements than unknowns never {few} sensing.", 0.0, (0.0, 0.2)),
        (
            "few",
            "completion",
            p.known,
            1,
            f"As many known entries as unknowns never {few} completion.",
            0.0,
            (0.0, 0.2),
        ),
        ("some", "sensing", p.sensed, 3, f"Three times as many measurements do {few} sensing.", None, (0.7, 1.0)),
        ("some", "completion", p.known, 3, f"Three times as many do not always {few} completion.", None, (0.0, 0.8)),
        ("enough", "sensing", p.sensed, 5, f"Five times as many do {few} sensing.", 1.0, (0.8, 1.0)),
        ("enough", "completion", p.known, 8, f"Eight times as many do {few} completion.", 1.0, (0.8, 1.0)),
    )
    found = []
    for word, name, ratios, ratio, said, expected, accept in cases:
        count = int(data[f"{name}_recovered"][ratios.index(ratio)])
        found.append(fraction(f"{word}_{name}", said, count, p.matrices, expected, accept))
    return found


def other_claims(data: Data, p: Params) -> list[Claim]:
    """Rounding, and units to spare."""
    left, x = data["rotated"], np.log(p.spaced)
    tail = slice(np.searchsorted(p.spaced, p.spaced[-1] / 4), None)
    found = [
        exact(
            "columns_of_zeros",
            "In random bases saddles that hold the largest values stay, their other columns 0: those that leave.",
            float(left[:, PREFIXES].sum()),
            0.0,
        ),
        fraction(
            "rounding",
            "Where the values 2 and 1 were found and not 3, rounding alone can leave: the share of bases.",
            int(left[:, -1].sum()),
            len(left),
            None,
            (0.12, 1.0),
        ),
        bounded(
            "linear",
            "As many units as the teacher: f falls exponentially; the largest log10 of its share left.",
            float(data["wide"][0, :, -1].max() / np.log(10)),
            (None, -12.0),
        ),
    ]
    for width, rows in zip(p.widths[1:], data["wide"][1:], strict=True):
        slopes = np.polyfit(x[tail], rows[:, tail].T, 1)[0]
        said = f"{width} units for a teacher of 2: f falls as a power of the step; the mean power."
        # The power is −2 t/(t + t₀), with t₀ of the order of a hundred steps.
        found.append(mean(f"power_{width}", said, slopes, -2.0, (-2.15, -1.85)))
    return found


def draw_curves(ax: Axes, data: Data, p: Params) -> None:
    """Median heights from a saddle, with noise; without it they stay at 1."""
    for name in PROBLEMS:
        curve = data[f"{name}_curve"]
        steps = 5 * np.arange(len(curve))
        ax.semilogy(steps, curve, label=PROBLEMS[name].label)
    ax.axhline(1, color="black", linewidth=2, linestyle="--")
    ax.text(p.shown, 1.4, "without noise: stays for ever", ha="right", va="bottom")
    ax.set(xlabel="step, from an exact saddle", ylabel="f / f(saddle)", xlim=(0, p.shown), ylim=(1e-7, 30))
    ax.set_title("With noise each comes down")
    ax.legend(loc="lower right")


def draw_points(ax: Axes, data: Data) -> None:
    """Stationary points by height and least eigenvalue, in units of the lowest of their problem."""
    for name in PROBLEMS:
        height, least = data[f"{name}_points"].T
        ax.plot(height, least / np.abs(least).max(), "o", markersize=8, alpha=0.7)
    ax.plot([0], [0], "*", color="black", markersize=20)
    ax.annotate("global minima", (0, 0), xytext=(8, 12), textcoords="offset points", va="bottom")
    ax.axhspan(0.05, 0.4, 0.42, color="#dddddd")
    ax.text(0.78, 0.22, "bad minima: none", ha="center", va="center")
    ax.axhline(0, color="#666666", linewidth=1.2)
    ax.set(xlim=(-0.04, 1.12), ylim=(-1.1, 0.42), xlabel="f at a stationary point / f(saddle)")
    ax.set(ylabel="least eigenvalue, scaled", title="All but global minima have a way down")


def draw_recovery(ax: Axes, data: Data, p: Params) -> None:
    """Shares of matrices by the number of measurements."""
    for name, ratios, color, place in (
        ("sensing", p.sensed, plotting.VERMILLION, (3.2, 0.9)),
        ("completion", p.known, plotting.GREEN, (4.5, 0.62)),
    ):
        ax.plot(ratios, data[f"{name}_recovered"] / p.matrices, "o-", color=color, markersize=10)
        ax.text(*place, name, color=color)
    plotting.theory_line(ax, [1, 1], [0, 1], "as many as unknowns")
    ax.set(xlim=(0, 8.2), xlabel="measurements / degrees of freedom", ylabel="share of matrices", ylim=(-0.04, 1.04))
    ax.set_title("From enough data every start finds M")
    ax.legend(loc="lower right")


def draw_wide(ax: Axes, data: Data, p: Params) -> None:
    """Networks with units to spare."""
    x, rows = np.array(p.spaced), np.exp(data["wide"].mean(axis=1))
    for width, row, color in zip(p.widths, rows, plotting.COLORS, strict=False):
        ax.loglog(x, np.maximum(row, 1e-30), color=color, label=f"{width} units")
    start = len(x) // 2
    plotting.theory_line(ax, x[start:], 4 * rows[1, -1] * (x[start:] / x[-1]) ** -2.0, "theory: slope −2")
    ax.legend(loc="lower left")
    ax.set(xlabel="step", ylabel="f / f(0)", ylim=(1e-13, 3), xlim=(p.spaced[0], p.spaced[-1]))
    ax.set_title("Units to spare are slow (teacher: 2)")


def plot(data: Data, p: Params) -> Figure:
    """Descent and stationary points above, the limits below."""
    sheet, ((curves, points), (recovery, spare)) = plotting.figure(2, 2)
    draw_curves(curves, data, p)
    draw_points(points, data)
    draw_recovery(recovery, data, p)
    draw_wide(spare, data, p)
    return sheet


experiment = Experiment(
    title="Many nonconvex problems over matrices have no bad minima, and noise leaves their saddles",
    source="Important Techniques in Neural Network Training: problems whose local minima are all global",
    question="Does noisy gradient descent reach the global minimum from everywhere, and what does it take?",
    params={
        "noise": 1e-6,
        "steps": 4000,
        "instances": 40,
        "runs": 128,
        "shown": 600,
        "searched": 3,
        "searches": 80,
        "iterations": 50,
        "sensed": (0.5, 0.75, 1, 1.5, 2, 3, 5),
        "known": (0.5, 1, 2, 3, 4, 5, 6, 8),
        "most": 4000,
        "matrices": 300,
        "rotations": 400,
        "widths": (2, 3, 5),
        "sets": 16,
        "spaced": tuple(np.unique(np.geomspace(10, 20_000, 40).astype(int)).tolist()),
    },
    quick={
        "instances": 8,
        "runs": 160,
        "searched": 1,
        "searches": 24,
        "iterations": 40,
        "sensed": (0.75, 3, 5),
        "known": (1, 3, 8),
        "most": 1200,
        "matrices": 48,
        "rotations": 60,
        "sets": 8,
        "widths": (2, 3),
        "spaced": tuple(np.unique(np.geomspace(10, 10_000, 20).astype(int)).tolist()),
    },
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
