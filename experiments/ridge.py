"""Ridge regression has one solution where least squares has infinitely many (lecture *Training neural networks 2*).

n = 30 rows see 30 of d = 60 directions: XᵀX is singular, XᵀX + λI is not, and |Xw − y|² + λ|w|² has the one minimum
w_λ = (XᵀX + λI)⁻¹Xᵀy. With s₁ ≥ … ≥ s_n the singular values of X:

* The condition number is κ = (s₁² + λ)/λ, the unseen directions being the flattest, and gradient descent with its best
  step comes nearer to w_λ by (κ−1)/(κ+1) a step. Started from 0 it never enters those directions, and its rate is that
  of κ₀ = (s₁² + λ)/(s_n² + λ), which stays finite when λ goes to 0. Without λ, what it starts with there stays.
* For w* with independent coordinates of variance τ² and noise of variance σ² in y, the λ of least expected error is
  σ²/τ² (w_λ is the posterior mean then). With m the Stieltjes transform of the law of Marchenko and Pastur at −λ/n the
  expected square of w_λ − w* is σ²γ(m − (λ/n)(1 − λτ²/σ²) m′), γ = d/n, up to O(1/n) (Hastie, Montanari, Rosset and
  Tibshirani 2022, corollary 5; Dobriban and Wager 2018). At λ = 0 it is τ²(d − n) + σ²n/(d − n − 1) (moments of the
  inverse Wishart law).
"""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import optlab as ol
from optlab import plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, bounded, exact, mean
from optlab.random import derive_seed, normal

Array = np.ndarray
ROWS, DIM = 30, 60
LAMBDAS = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
SHOWN = (0.3, 3.0, 30.0)
"""Whose paths are drawn."""
SIGMA2, TAU2 = 2.0, 0.1
BEST = SIGMA2 / TAU2
GRID = BEST * 10.0 ** np.linspace(-4, 2, 25)
"""λ of the errors; every fourth is a power of ten times the best one."""
WINDOW = (3.0, 8.0)
"""Between how many κ steps the rate is taken: at e⁻⁶ to e⁻¹⁶ of the way, far from the start and from rounding."""
END = 25.0
"""κ steps after which e⁻⁵⁰ is left, nothing but rounding."""
EPS = float(np.finfo(np.float64).eps)
MLP = ol.nn.MLP([DIM, 1], bias=False, dtype="float64")


def samples(seed: int) -> tuple[Array, Array, Array]:
    """X, w* and y."""
    X, truth = normal((ROWS, DIM), seed), math.sqrt(TAU2) * normal((DIM,), seed, step=1)
    return X, truth, X @ truth + math.sqrt(SIGMA2) * normal((ROWS,), seed, step=2)


def solution(X: Array, y: Array, decay: float) -> Array:
    """w_λ from the n × n system: Xᵀ(XXᵀ + λI)⁻¹y."""
    return X.T @ np.linalg.solve(X @ X.T + decay * np.eye(ROWS), y)


def condition(X: Array, y: Array, decay: float) -> float:
    """κ of the Hessian of |Xw − y|²/n + λ/n |w|², from Hessian-vector products."""
    f = MLP.on(X, y, "mse", weight_decay=2 * decay / ROWS)
    return ol.curvature.condition_number(f, np.zeros(DIM)).value


def follow(X: Array, y: Array, start: Array, decay: float, flattest: float) -> tuple[float, float, Array]:
    """The log of the error's factor a step, the last error, and ten errors on the way; over the first error.

    Args:
        X: The inputs.
        y: The targets.
        start: Where descent begins.
        decay: λ.
        flattest: The least curvature that the step is chosen for, λ not included.
    """
    steepest = np.linalg.norm(X, 2) ** 2
    kappa = (steepest + decay) / (flattest + decay)
    steps = [round(share * kappa) for share in (*WINDOW, END)]
    path = ol.descend(
        ol.landscapes.LeastSquares(X, y),
        ol.SGD(lr=2 * ROWS / (steepest + flattest + 2 * decay), weight_decay=decay / ROWS),
        start,
        steps[-1],
        record=sorted({*steps, *(round(k * kappa) for k in range(10))}),
    )
    left = dict(zip(path.step.tolist(), np.linalg.norm(path.x[:, 0] - solution(X, y, decay), axis=1), strict=True))
    first, (early, late, last) = left[0], (left[step] for step in steps)
    drawn = [left[round(k * kappa)] / first for k in range(10)]
    return math.log(late / early) / (steps[1] - steps[0]), last / first, np.array(drawn)


def rates(X: Array, y: Array, start: Array) -> dict[str, Array]:
    """For each λ what descent does from a random start and from 0."""
    s = np.linalg.svd(X, compute_uv=False)
    top, bottom = float(s[0] ** 2), float(s[-1] ** 2)
    found = [(follow(X, y, start, x, 0.0), follow(X, y, 0 * start, x, bottom)) for x in LAMBDAS]
    kappas = [((top + x) / x, (top + x) / (bottom + x)) for x in LAMBDAS]
    return {
        "kappa": np.array([condition(X, y, x) for x in LAMBDAS]),
        "predicted": np.array(kappas),
        "rate": np.array([[way[0] for way in ways] for ways in found]),
        "last": np.array([[way[1] for way in ways] for ways in found]),
        "paths": np.array([random[2] for random, _ in found]),
    }


def unseen(X: Array, y: Array, start: Array) -> tuple[int, float, float]:
    """Zero eigenvalues of XᵀX; the largest change of the start's unseen part without λ, in roundings; its share."""
    spectrum = np.linalg.eigvalsh(X.T @ X)
    zeros = int(np.sum(spectrum < DIM * EPS * spectrum[-1]))
    hidden = np.linalg.svd(X)[2][ROWS:]
    steps = 1000
    last = ol.descend(ol.landscapes.LeastSquares(X, y), ol.SGD(lr=ROWS / spectrum[-1]), start, steps).last[0]
    # Each step rounds each coordinate of w by eps |w|, and a projection on the unseen directions sums d of them.
    change = np.abs(hidden @ (last - start)).max() / (steps * math.sqrt(DIM) * EPS * np.abs(last).max())
    return zeros, change, float(np.linalg.norm(hidden @ start) / np.linalg.norm(last - solution(X, y, 0.0)))


def errors(X: Array, y: Array, truth: Array) -> Array:
    """|w_λ − w*|² for each λ of the grid."""
    U, s, V = np.linalg.svd(X, full_matrices=False)
    found = (s / (s**2 + GRID[:, None]) * (U.T @ y)) @ V
    return np.square(found - truth).sum(axis=1)


def expected_errors() -> Array:
    """What the errors are on average, for large n."""
    gamma, z = DIM / ROWS, GRID / ROWS

    def stieltjes(at: Array) -> Array:
        lead = 1 - gamma + at
        return (np.sqrt(lead**2 + 4 * gamma * at) - lead) / (2 * gamma * at)

    slope = (stieltjes(z * (1 - 1e-6)) - stieltjes(z * (1 + 1e-6))) / (2e-6 * z)
    return SIGMA2 * gamma * (stieltjes(z) - z * (1 - GRID / BEST) * slope)


def compute(p: Params, seed: int, progress: Progress) -> dict[str, Array]:
    """Descent on some data sets, errors on many."""
    runs, hidden = [], []
    for k in range(p.sets):
        progress(0.8 * k / p.sets, "descent")
        own = derive_seed(seed, "descent", k)
        X, _, y = samples(own)
        start = normal((DIM,), own, step=3)
        runs.append(rates(X, y, start))
        hidden.append(unseen(X, y, start))
    progress(0.8, "errors")
    found = [samples(derive_seed(seed, "errors", k)) for k in range(p.draws)]
    return {
        **{name: np.array([each[name] for each in runs]) for name in runs[0]},
        "hidden": np.array(hidden),
        "errors": np.array([errors(X, y, truth) for X, truth, y in found]),
    }


def descent_claims(data: Data, p: Params) -> list[Claim]:
    """What λ does to the Hessian and to descent."""
    zeros, change, share = data["hidden"].T
    kappa, predicted = data["kappa"], data["predicted"]
    laws = np.log((predicted - 1) / (predicted + 1))
    off = np.abs(kappa / predicted[..., 0] - 1) / (DIM * EPS * predicted[..., 0])
    ratio = (data["rate"] / laws).mean(axis=1)
    said = {
        "singular": f"XᵀX of {ROWS} rows has {DIM - ROWS} eigenvalues that are 0 to rounding; the fewest.",
        "kappa": "κ of XᵀX + λI is (s₁² + λ)/λ; the largest relative gap, in units of d eps κ.",
        "solution": "Gradient descent with λ ends at Xᵀ(XXᵀ + λI)⁻¹y from every start; the largest relative error.",
        "stays": "Without λ, what XᵀX does not see of a start stays; the largest change, in units of rounding.",
        "many": "And is all that parts the end from the shortest solution; the mean quotient of the norms.",
        "rate": "The error shrinks by (κ−1)/(κ+1) a step; the log over the predicted one, mean over λ.",
        "rate_zero": "From 0 it is the rate of (s₁² + λ)/(s_n² + λ); the log over the predicted one, mean over λ.",
    }
    asked = {name: (name, text) for name, text in said.items()}
    # A step rounds w by a few eps |w|; κ of them add up before the contraction has forgotten the first.
    rounding = 8 * EPS * float(predicted[..., 0].max())
    return [
        exact(*asked["singular"], zeros.min(), DIM - ROWS),
        bounded(*asked["kappa"], off.max(), (0, 1)),
        bounded(*asked["solution"], data["last"].max(), (0, rounding), 0),
        bounded(*asked["stays"], change.max(), (0, 1), 0),
        mean(*asked["many"], share, 1.0, (0.99, 1.01)),
        mean(*asked["rate"], ratio[:, 0], 1.0, (0.99, 1.01)),
        mean(*asked["rate_zero"], ratio[:, 1], 1.0, (0.94, 1.06)),
    ]


def error_claims(data: Data, p: Params) -> list[Claim]:
    """Which λ is best, and how good."""
    at = int(np.argmin(np.abs(GRID - BEST)))
    best, law = data["errors"][:, at], float(expected_errors()[at])
    found = [
        mean(
            "error",
            f"With λ = σ²/τ² = {BEST:g} the squared error of w is {law:.3f}; the mean.",
            best,
            law,
            (0.95 * law, 1.05 * law),
        )
    ]
    for name, text, step in (("less", "A tenth of that λ", -4), ("more", "Ten times that λ", 4)):
        said = f"{text} costs error; the mean difference."
        found.append(mean(name, said, data["errors"][:, at + step] - best, None, (0.0, None)))
    none = TAU2 * (DIM - ROWS) + SIGMA2 * ROWS / (DIM - ROWS - 1)
    said = f"With nearly none, so at nearly the shortest solution, it is {none:.3f}; the mean."
    return [*found, mean("none", said, data["errors"][:, 0], none, (0.95 * none, 1.05 * none))]


def claims(data: Data, p: Params) -> list[Claim]:
    """Descent, then errors."""
    return [*descent_claims(data, p), *error_claims(data, p)]


def draw_kappa(ax: Axes, data: Data) -> None:
    """κ against λ."""
    s2, fine = float(data["predicted"][0, 0, 0] - 1) * LAMBDAS[0], np.geomspace(LAMBDAS[0], LAMBDAS[-1], 50)
    ax.plot(LAMBDAS, data["kappa"][0], "o", color=plotting.BLUE, markersize=11, label="measured")
    line = plotting.theory_line(ax, fine, (s2 + fine) / fine, "theory: (s₁² + λ)/λ")
    ax.set(xscale="log", yscale="log", xlabel="λ", ylabel="condition number κ", title="λ makes XᵀX + λI invertible")
    ax.legend(handles=[*ax.get_legend_handles_labels()[0][:1], line], loc="upper right")


def draw_paths(ax: Axes, data: Data) -> None:
    """The distance to the solution against the step, from one random start."""
    for k, decay in enumerate(SHOWN):
        at = LAMBDAS.index(decay)
        kappa = data["predicted"][0, at, 0]
        path, steps = data["paths"][0, at], np.round(np.arange(10) * kappa)
        ax.plot(steps[1:], path[1:], "o", color=plotting.COLORS[k], markersize=10)
        through = path[-1] * ((kappa - 1) / (kappa + 1)) ** (steps - steps[-1])
        line = plotting.theory_line(ax, steps[1:], through[1:], "theory: rate (κ−1)/(κ+1)")
        ax.text(steps[-1] * 1.15, path[-1], f"λ = {decay:g}", color=plotting.COLORS[k], va="center")
    ax.set(xscale="log", yscale="log", xlabel="step of gradient descent", ylabel="distance to w_λ, start = 1")
    ax.set(xlim=(None, 3e4), ylim=(None, 30), title="… and descent find it, in about κ steps")
    ax.legend(handles=[line], loc="upper right")


def draw_errors(ax: Axes, data: Data) -> None:
    """The error of w against λ."""
    found = data["errors"].mean(axis=0)
    (dots,) = ax.plot(GRID, found, "o", color=plotting.GREEN, markersize=9, label="measured, mean")
    line = plotting.theory_line(ax, GRID, expected_errors(), "theory: Marchenko–Pastur")
    ax.axvline(BEST, color="#777777", linestyle=":", linewidth=2.4)
    ax.text(BEST * 0.75, 0.9 * found.max(), "best: σ²/τ²", ha="right", color="#555555")
    ax.set(xscale="log", ylim=(0, None), xlabel="λ", ylabel="|w_λ − w*|²", title="The best λ is noise over signal")
    ax.legend(handles=[dots, line], loc="lower left")


def plot(data: Data, p: Params) -> Figure:
    """Errors at the left; κ and descent at the right."""
    sheet, ((left, above), (spare, below)) = plotting.figure(2, 2)
    left.set_subplotspec(left.get_gridspec()[:, 0])
    spare.remove()
    draw_errors(left, data)
    draw_kappa(above, data)
    draw_paths(below, data)
    return sheet


experiment = Experiment(
    title="Where least squares has infinitely many solutions, ridge regression has one, and descent finds it",
    source="Training neural networks 2: ridge regression",
    question="What does λ do to the normal equations, to gradient descent on them and to the error of what it finds?",
    params={"sets": 40, "draws": 4000},
    quick={"sets": 12, "draws": 1500},
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
