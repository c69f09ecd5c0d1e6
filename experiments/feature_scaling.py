"""Features of different scale, and features that depend on each other, slow descent (lecture *Training DNNs*).

The Hessian of least squares, mean of (xᵀw − y)²/2, is the features' second moment M, and with the step 2/(μ+L) the
error shrinks by (κ−1)/(κ+1) a step, κ = L/μ: from the slowest start, v_μ + v_L, exactly so. Here d features have means
m_j = 5s_j, scales s_j from 1 to `ratio` and the same correlation ρ between any two. What is predicted for κ:

* raw, with a constant feature for the intercept: that of [[1, mᵀ], [m, S + mmᵀ]], S_jk = s_j s_k ρ (j ≠ k), s_j²;
* centred: that of S;
* standardized: that of the correlations, (1 + (d−1)ρ)/(1−ρ): 1 if and only if the features are independent;
* whitened by principal components: 1.

A sample of n has a second moment B W Bᵀ with BBᵀ = M and W that of white noise, so (Ostrowski) its κ differs from the
predicted one by κ(W) at most, which is ((1+r)/(1−r))² with r² = d/n for many samples (Marchenko and Pastur); that
samples are standardized by their own scales changes less. Samples that are whitened by the covariance of others have κ
up to the same with r² = 2d/n − (d/n)² (Wachter).
"""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import optlab as ol
from optlab import plotting
from optlab.data import Standardize, Whiten
from optlab.experiment import Claim, Data, Experiment, Params, Progress, bounded, mean
from optlab.landscapes import LeastSquares
from optlab.random import derive_seed, normal

Array = np.ndarray
WAYS = ("raw", "centred", "standardized", "whitened")
TOLERANCE, OFFSET, SIZE = 1e-6, 5.0, 2 * math.sqrt(2)  # SIZE is the distance of every start
CLEAR = {"color": "white", "pad": 1}  # behind words that stand on contours
# The clouds of the picture: the spread of both features, their correlation, what is done, and κ.
CLOUDS = {
    "Independent: κ = {:.3g}": ((1.0, 4.0), 0.0, "raw", 16.0),
    "… normalized: κ = {:.3g}": ((1.0, 4.0), 0.0, "standardized", 1.0),
    "Dependent, normalized: κ = {:.3g}": ((1.0, 4.0), 0.8, "standardized", 9.0),
    "… whitened: κ = {:.3g}": ((1.0, 4.0), 0.8, "whitened", 1.0),
}


def covariance(scales: Array, rho: float) -> Array:
    """S, for spreads and a common correlation."""
    return np.outer(scales, scales) * (rho + (1 - rho) * np.eye(len(scales)))


def samples(p: Params, rho: float, seed: int) -> Array:
    """Features (samples, dim)."""
    scales = np.geomspace(1, p.ratio, p.dim)
    return normal((p.samples, p.dim), seed) @ np.linalg.cholesky(covariance(scales, rho)).T + OFFSET * scales


def prepared(X: Array) -> dict[str, Array]:
    """The features in the four ways; raw ones with a constant."""
    return {
        "raw": np.column_stack([np.ones(len(X)), X]),
        "centred": X - X.mean(axis=0),
        "standardized": Standardize.fit(X).apply(X),
        "whitened": Whiten.fit(X).apply(X),
    }


def predicted(p: Params, rho: float) -> list[float]:
    """κ of the four ways, for as many samples as one likes."""
    scales = np.geomspace(1, p.ratio, p.dim)
    m, S = OFFSET * scales, covariance(scales, rho)
    raw = np.block([[np.ones((1, 1)), m[None]], [m[:, None], S + np.outer(m, m)]])
    return [float(np.linalg.cond(raw)), float(np.linalg.cond(S)), (1 + (p.dim - 1) * rho) / (1 - rho), 1.0]


def edge(r: float) -> float:
    """((1+r)/(1−r))²."""
    return ((1 + r) / (1 - r)) ** 2


def spectrum(X: Array) -> tuple[Array, Array]:
    """The eigenvalues of the second moment, largest first, and the eigenvectors in rows; XᵀX is not formed."""
    _, sizes, axes = np.linalg.svd(np.linalg.qr(X, mode="r"))
    return sizes**2 / len(X), axes


def steps_needed(kappa: Array) -> Array:
    """The first k with ((κ−1)/(κ+1))^k at or below the tolerance, for κ > 1."""
    return np.ceil(math.log(TOLERANCE) / np.log((kappa - 1) / (kappa + 1)))


def descent(X: Array, other: Array, record: int | None = None) -> tuple[Array, Array]:
    """The steps of gradient descent to the tolerance, from the slowest start and from another, and the first's points.

    In coordinates around the solution, and on the triangle R of X = QR, whose second moment is that of all samples.
    """
    values, axes = spectrum(X)
    R = np.linalg.qr(X, mode="r") * math.sqrt(X.shape[1] / len(X))
    slow = axes[0] + axes[-1]
    starts = np.array([np.copysign(1.0, slow[0]) * slow, other])  # on the right in the picture
    starts *= SIZE / np.linalg.norm(starts, axis=1, keepdims=True)
    f, way = LeastSquares(R, np.zeros(len(R))), ol.SGD(2 / (values[0] + values[-1]))
    cap = 10 + int(2 * math.log(1 / TOLERANCE) * values[0] / values[-1])  # far more than is needed
    run = ol.descend(f, way, starts, cap, record=record, stop=ol.stop.near(0.0, TOLERANCE * SIZE))
    return run.stop_step, run.x[run.step <= run.stop_step[0], 0]


def cloud(p: Params, spreads: tuple[float, float], rho: float, seed: int) -> Array:
    """Two features whose covariance in the sample is what is asked for, exactly."""
    white = normal((p.cloud, 2), seed)
    return Whiten.fit(white).apply(white) @ np.linalg.cholesky(covariance(np.array(spreads), rho)).T


def compute(p: Params, seed: int, progress: Progress) -> dict[str, Array]:
    """κ over seeds, correlations and ways; steps where they are few enough; and the picture's clouds and paths."""
    kappa = np.empty((p.seeds, len(p.rhos), len(WAYS)))
    steps, natural, fresh = np.full(kappa.shape, np.nan), np.full(kappa.shape, np.nan), np.empty(kappa.shape[:2])
    for run in range(p.seeds):
        progress(0.9 * run / p.seeds, "samples")
        for i, rho in enumerate(p.rhos):
            X = samples(p, rho, derive_seed(seed, "samples", run, i))
            other = Whiten.fit(samples(p, rho, derive_seed(seed, "others", run, i))).apply(X)
            values = spectrum(other - other.mean(axis=0))[0]
            fresh[run, i] = values[0] / values[-1]
            for j, features in enumerate(prepared(X).values()):
                values = spectrum(features)[0]
                kappa[run, i, j] = values[0] / values[-1]
                if run < p.descents and kappa[run, i, j] < p.most:
                    start = normal(features.shape[1], derive_seed(seed, "start", run, i, j))
                    steps[run, i, j], natural[run, i, j] = descent(features, start)[0]
    found = {"kappa": kappa, "steps": steps, "natural": natural, "fresh": fresh}
    for k, (spreads, rho, way, _) in enumerate(CLOUDS.values()):
        X = cloud(p, spreads, rho, derive_seed(seed, "cloud"))
        Z = {"raw": X, "standardized": Standardize.fit(X).apply(X), "whitened": Whiten.fit(X).apply(X)}[way]
        found |= {f"cloud {k}": Z, f"path {k}": descent(Z, np.ones(2), record=1)[1]}
        found[f"hessian {k}"] = Z.T @ Z / len(Z)
    return found


def claims(data: Data, p: Params) -> list[Claim]:
    """κ for every way and correlation, and what descent makes of it."""
    return [*kappa_claims(data, p), *whitening_claims(data, p), *step_claims(data)]


def kappa_claims(data: Data, p: Params) -> list[Claim]:
    """κ beside the prediction: the mean over data sets, within what so many samples can change."""
    found = []
    for i, rho in enumerate(p.rhos):
        for j, (way, law) in enumerate(zip(WAYS[:-1], predicted(p, rho), strict=False)):
            limit = edge(math.sqrt((p.dim + (way == "raw")) / p.samples))
            said = f"Correlation {rho:g}, {way}: the condition number is {law:.3g}; the mean ratio to it."
            found.append(mean(f"kappa_{way}_{rho:g}", said, data["kappa"][:, i, j] / law, 1.0, (1 / limit, limit)))
    return found


def whitening_claims(data: Data, p: Params) -> list[Claim]:
    """κ = 1 for the samples that were whitened, and nearly so for others."""
    c = p.dim / p.samples
    limit = edge(math.sqrt(2 * c - c * c))
    one = "Whitening gives condition number 1, whatever the correlation: the largest distance from it."
    said = f"Whitened by the covariance of other samples it stays below {limit:.2f}: the mean."
    clouds = [np.linalg.cond(data[f"hessian {k}"]) / law for k, (*_, law) in enumerate(CLOUDS.values())]
    pictures = "The clouds of the picture have condition numbers 16, 1, 9 and 1: the worst relative distance."
    return [
        bounded("whitened", one, np.max(np.abs(data["kappa"][..., -1] - 1)), (0, 1e-9)),
        mean("whitened_others", said, data["fresh"].mean(axis=1), None, (1, limit)),
        bounded("clouds", pictures, np.max(np.abs(np.array(clouds) - 1)), (0, 1e-9)),
    ]


def step_claims(data: Data) -> list[Claim]:
    """The steps to the tolerance, from the slowest start and from random ones."""
    ran = np.isfinite(data["steps"][..., :-1])
    kappa, steps, natural = (data[name][..., :-1][ran] for name in ("kappa", "steps", "natural"))
    law, large = steps_needed(kappa), kappa > 5
    said = f"The slowest start needs as many steps to {TOLERANCE:g} as predicted, κ up to {kappa.max():.2g}: off by."
    power = "They grow in proportion to the condition number: the slope in log-log of all data sets."
    most = "No random start needs more steps than the slowest one: the largest difference."
    one = "After whitening one step is enough: the most steps."
    worst = (steps - law)[np.argmax(np.abs(steps - law))]
    fitted = np.polyfit(np.log(kappa[large]), np.log(steps[large]), 1)[0]
    return [
        bounded("steps", said, worst, (-1, 1), 0.0),
        bounded("steps_slope", power, fitted, (0.97, 1.03), 1.0),
        bounded("steps_random", most, np.max(natural - law), (None, 1)),
        bounded("steps_whitened", one, np.nanmax(data["steps"][..., -1]), (1, 1), 1.0),
    ]


def draw_cloud(ax: Axes, data: Data, k: int, title: str) -> None:
    """The loss over both weights, the path of descent, and in the corner the data."""
    H, path, Z = (data[f"{name} {k}"] for name in ("hessian", "path", "cloud"))
    u, v = np.meshgrid(np.linspace(-5, 5, 161), np.linspace(-3.4, 3.4, 121))
    value = H[0, 0] * u * u + 2 * H[0, 1] * u * v + H[1, 1] * v * v
    ax.contour(
        u, v, value, levels=H.max() * np.array([0.1, 0.6, 1.7, 3.6, 6.5, 11, 18]), colors="#bbbbbb", linewidths=1.3
    )
    ax.plot(*path.T, "o-", color=plotting.VERMILLION, markersize=5, linewidth=2)
    ax.plot(0, 0, "*", color=plotting.BLACK, markersize=13, zorder=6)
    count = len(path) - 1
    ax.set(xlim=(-5, 5), ylim=(-3.4, 3.4), xticks=[], yticks=[], xlabel="weight 1", ylabel="weight 2")
    ax.set_title(title.format(np.linalg.cond(H)))
    ax.text(
        0.98, 0.03, f"{count} step{'s' * (count > 1)}", transform=ax.transAxes, ha="right", color=plotting.VERMILLION
    )
    inset = ax.inset_axes((0.01, 0.55, 0.32, 0.44))
    inset.plot(*Z.T, ".", color=plotting.BLUE, markersize=2.5)
    reach = 1.1 * np.abs(Z).max()
    inset.set(xlim=(-reach, reach), ylim=(-reach, reach), xticks=[], yticks=[], aspect="equal")
    ax.text(0.02, 0.42, "data", transform=ax.transAxes, color=plotting.BLUE, bbox=CLEAR)


def draw_kappas(ax: Axes, data: Data, p: Params) -> None:
    """κ against the correlation, in every way."""
    at, laws = np.arange(len(p.rhos)), np.array([predicted(p, rho) for rho in p.rhos])
    places = {"raw": (0.1, 5e8), "centred": (0.1, 5e4), "standardized": (1.5, 5.0), "whitened": (1.5, 0.06)}
    for j, ((way, place), color) in enumerate(zip(places.items(), plotting.COLORS, strict=False)):
        ax.plot(at, data["kappa"].mean(axis=0)[:, j], "o", color=color, markersize=10)
        line = plotting.theory_line(ax, at, laws[:, j], "predicted")
        ax.text(*place, way, color=color)
    ax.set(yscale="log", ylim=(0.02, 1e12), ylabel="κ", xlabel="correlation ρ", title="Condition numbers")
    ax.set_xticks(at, [f"{rho:g}" for rho in p.rhos])
    ax.legend(handles=[line], loc="upper right")


def draw_steps(ax: Axes, data: Data) -> None:
    """Steps against κ."""
    for j, (way, color) in enumerate(zip(WAYS, plotting.COLORS, strict=False)):
        ran = np.isfinite(data["steps"][..., j])
        if ran.any():
            ax.loglog(data["kappa"][..., j][ran], data["steps"][..., j][ran], "o", color=color, markersize=9, label=way)
    k = np.geomspace(1.05, data["kappa"][np.isfinite(data["steps"])].max(), 200)
    plotting.theory_line(ax, k, math.log(TOLERANCE) / np.log((k - 1) / (k + 1)), "_")
    ax.set(xlabel="κ", ylabel="steps to 1e-6", title="Steps are 7 κ", ylim=(0.5, None))


def plot(data: Data, p: Params) -> Figure:
    """Left four losses with paths and data, right κ and the steps."""
    sheet, axes = plotting.figure(2, 3, width_ratios=(1, 1, 1))
    for k, (ax, title) in enumerate(zip(axes[:, :2].flat, CLOUDS, strict=True)):
        draw_cloud(ax, data, k, title)
    draw_kappas(axes[0, 2], data, p)
    draw_steps(axes[1, 2], data)
    return sheet


experiment = Experiment(
    title="Standardizing features cures different scales, and nothing else; whitening cures dependence, too",
    source="Training DNNs: Basic Methods and Tricks, normalization of features",
    question="What do centring, normalization and whitening do to the condition number, and to descent?",
    params={
        "samples": 10_000,
        "dim": 10,
        "ratio": 100.0,
        "rhos": (0.0, 0.5, 0.9, 0.99),
        "seeds": 40,
        "descents": 2,
        "most": 2e5,
        "cloud": 300,
    },
    quick={"samples": 4000, "seeds": 20, "descents": 1, "most": 3e4},
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
