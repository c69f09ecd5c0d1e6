"""The spectrum of a network's Hessian: a bulk at zero, and one outlier fewer than there are classes.

The density of all eigenvalues comes from Hessian-vector products alone, by stochastic Lanczos quadrature: each random
probe z turns m steps of Lanczos into m nodes with weights, whose moments are those of zᵀH^p z for p < 2m. The networks
are small enough for the whole matrix, so that the density is judged by the exact eigenvalues: by the Wasserstein
distance W₁, and by the variance of a probe's trace, 2 Σ_{i≠j} H_ij² for probes of ±1. Without reorthogonalization
rounding brings converged eigenvalues back as ghosts. They split a weight and do little to the density, but whoever
counts eigenvalues counts them twice (Paige 1976; Ghorbani, Krishnan and Xiao 2019).

The networks classify K of the handwritten digits by softmax with cross entropy, ReLU and a little weight decay.
Outliers are what lies above the widest gap, as a ratio, among the first 2K + 1 eigenvalues. There are K − 1 of them:
adding the same to all logits changes nothing, and the other K − 1 directions of logits, each with the mean of the
features, which is far from 0, are where the loss curves. The setting matters. With tanh the gap is elsewhere now and
then; clouds around random means give K outliers and not K − 1; and with squared error, which has no flat direction of
logits, the gap is less clear. "As many as classes" is good to one or two, not to the last one. Nor do outliers need
classes that can be told apart: with random labels most of these networks have K − 1, too.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.linalg import eigvalsh_tridiagonal
from scipy.stats import wasserstein_distance

import optlab as ol
from optlab import plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, bounded, fraction, mean, slope
from optlab.nn import MLP, NetworkLandscape
from optlab.random import derive_seed, normal, permutation

DECAY, RATE, STEPS = 0.01, 0.3, 100
NEAR = 1e-6  # Ritz values so near to the largest eigenvalue, relative to it, are copies of it
GRID = 800


@cache
def images() -> ol.data.Data:
    """The digits, read once."""
    return ol.data.digits()


def network(p: Params, classes: int, width: int, seed: int) -> tuple[NetworkLandscape, np.ndarray]:
    """A network that has learned some of the digits, and its parameters."""
    digits = images()
    kinds = permutation(10, derive_seed(seed, "kinds"))[:classes]
    kept = np.flatnonzero(np.isin(digits.y, kinds))
    kept = kept[permutation(len(kept), derive_seed(seed, "images"))[: p.images]]
    labels = np.argsort(kinds)[np.searchsorted(np.sort(kinds), digits.y[kept])]
    mlp = MLP([64, width, classes], "relu", dtype="float64")
    f = mlp.on(digits.X[kept].astype(np.float64), labels, weight_decay=DECAY)
    return f, ol.descend(f, ol.SGD(lr=RATE), mlp.init(derive_seed(seed, "start")), STEPS).last[0]


def outliers(values: np.ndarray, classes: int) -> int:
    """How many of the falling eigenvalues lie above the widest gap, as a ratio."""
    first = np.maximum(values[: 2 * classes + 1], 1e-9)
    return int(np.argmax(first[:-1] / first[1:])) + 1


def counted(p: Params, seed: int) -> list[int]:
    """The outliers of a network for each number of classes."""
    found = []
    for classes in p.classes:
        f, theta = network(p, classes, p.width, derive_seed(seed, "classes", classes))
        found.append(outliers(ol.curvature.eigenvalues(f, theta, 2 * classes + 1, tol=1e-4).values, classes))
    return found


def plain_lanczos(H: np.ndarray, v: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """The three-term recurrence as it is printed, with no reorthogonalization: the failing control."""
    diagonal, off, before = np.empty(steps), np.zeros(steps), np.zeros_like(v)
    v = v / np.linalg.norm(v)
    for j in range(steps):
        w = H @ v - (off[j - 1] * before if j else 0)
        diagonal[j] = w @ v
        w -= diagonal[j] * v
        off[j] = np.linalg.norm(w)
        before, v = v, w / off[j]
    return diagonal, off[:-1]


def copies(nodes: np.ndarray, largest: float) -> int:
    """How many Ritz values stand at the largest eigenvalue."""
    return int(np.sum(np.abs(nodes - largest) <= NEAR * largest))


def ghosts(p: Params, f: NetworkLandscape, theta: np.ndarray, H: np.ndarray, top: float, seed: int) -> np.ndarray:
    """Copies of the largest eigenvalue after each number of steps: with reorthogonalization, and without."""
    alpha, beta = plain_lanczos(H, normal(f.dim, seed), max(p.ghost_steps))
    plain = [copies(eigvalsh_tridiagonal(alpha[:m], beta[: m - 1]), top) for m in p.ghost_steps]
    full = [
        copies(ol.curvature.density(f, theta, probes=2, steps=m, distribution="normal", seed=seed).nodes[0], top)
        for m in p.ghost_steps
    ]
    return np.array([full, plain])


def spectrum(p: Params, seed: int) -> dict[str, np.ndarray]:
    """The exact eigenvalues of one network beside its density."""
    f, theta = network(p, p.classes[-1], p.spectrum_width, seed)
    H = ol.curvature.hessian(f, theta)
    exact = np.linalg.eigvalsh(H)
    found = ol.curvature.density(f, theta, probes=p.probes, steps=p.lanczos, seed=derive_seed(seed, "probes"))
    smooth = np.exp(-0.5 * ((found.grid[:, None] - exact) / found.width) ** 2).sum(axis=1)
    traces = (found.weights * found.nodes).sum(axis=1) * f.dim
    variance = 2 * (np.sum(H**2) - np.sum(np.diag(H) ** 2))
    trace = ol.curvature.trace(f, theta, p.trace_probes, seed=derive_seed(seed, "trace"))
    count = outliers(exact[::-1], p.classes[-1])
    gap = exact[-count - 1 : len(exact) - count + 1].mean()
    return {
        "exact": exact,
        "grid": found.grid,
        "density": found.density * f.dim,
        "smooth": smooth / (found.width * np.sqrt(2 * np.pi)),
        "distance": distance(found.nodes, found.weights, exact),
        "distances": np.array(
            [distance(n[None], w[None], exact) for n, w in zip(found.nodes, found.weights, strict=True)]
        ),
        "top": np.abs(found.nodes[:, -1] / exact[-1] - 1).max(),
        "trace": (traces.mean() - exact.sum()) / np.sqrt(variance / p.probes),
        "spread": trace.standard_error**2 * trace.probes / variance,
        "share": found.share(gap, np.inf).value * f.dim / count,
        "ghosts": ghosts(p, f, theta, H, exact[-1], derive_seed(seed, "ghosts")),
    }


def distance(nodes: np.ndarray, weights: np.ndarray, exact: np.ndarray) -> float:
    """W₁ to the exact spectrum, as a share of its range."""
    return float(wasserstein_distance(nodes.ravel(), exact, weights.ravel()) / np.ptp(exact))


def compute(p: Params, seed: int, progress: Progress) -> dict[str, np.ndarray]:
    """Counts for all numbers of classes, and whole spectra for the largest."""
    counts = []
    for k in range(p.seeds):
        progress(0.5 * k / p.seeds, "outliers")
        counts.append(counted(p, derive_seed(seed, "count", k)))
    found = []
    for k in range(p.spectra):
        progress(0.5 + 0.5 * k / p.spectra, "whole spectra")
        found.append(spectrum(p, derive_seed(seed, "spectrum", k)))
    shown = {name: found[0][name] for name in ("grid", "density", "smooth", "exact")}
    others = {name: np.array([each[name] for each in found]) for name in found[0] if name not in shown}
    return {"counts": np.array(counts), **shown, **others}


def claims(data: Data, p: Params) -> list[Claim]:
    """The density against the exact spectrum, and the outliers against the classes."""
    less = data["counts"] == np.array(p.classes) - 1
    full, plain = np.moveaxis(data["ghosts"][..., -1], 1, 0)
    gain = np.log10(data["distances"].mean(axis=1) / data["distance"])
    said = {
        "density": f"{p.probes} probes of {p.lanczos} steps: W₁ to the exact spectrum, as a share of its range; mean.",
        "probes": "Probes average out: log10 of W₁ of a single one over that of all; mean.",
        "top": "Every probe finds the largest eigenvalue: the largest relative error.",
        "trace": "The density's mean times dim is the trace: the largest error, in standard errors of the formula.",
        "spread": f"A probe's trace has variance 2 Σ_{{i≠j}} H_ij²: that of {p.trace_probes} probes over it, the mean.",
        "share": "The density's mass above the gap, times dim, counts the outliers: the mean ratio.",
        "copies": f"Reorthogonalized: Ritz values at the largest after {p.ghost_steps[-1]} steps, the most.",
        "ghosts": "Without it there are ghosts: the mean number at the largest eigenvalue.",
        "outliers": "Networks with K classes have K − 1 outliers: the share of all networks that do.",
        "slope": "Each class more brings one outlier more: the slope of the number against K.",
    }
    asked = {name: (name, text) for name, text in said.items()}
    return [
        mean(*asked["density"], data["distance"], None, (None, 0.01)),
        mean(*asked["probes"], gain, None, (0.1, None)),
        bounded(*asked["top"], data["top"].max(), (0, 1e-6)),
        # A sum of squares of some hundred numbers has a longer tail than a normal one: of a dozen such, one beyond six
        # standard errors comes once in 100 000 times.
        bounded(*asked["trace"], np.abs(data["trace"]).max(), (0, 6)),
        mean(*asked["spread"], data["spread"], 1.0, (0.75, 1.33)),
        mean(*asked["share"], data["share"], 1.0, (0.7, 1.3)),
        bounded(*asked["copies"], full.max(), (1, 1), 1),
        mean(*asked["ghosts"], plain, None, (1.5, None)),
        fraction(*asked["outliers"], less.sum(), less.size, 1.0, (0.7, 1)),
        slope(*asked["slope"], np.array(p.classes), data["counts"], 1.0, (0.9, 1.1)),
    ]


def draw_density(ax: Axes, data: Data, p: Params) -> None:
    """The density of one network, and its exact eigenvalues smoothed alike."""
    grid, count = data["grid"], outliers(data["exact"][::-1], p.classes[-1])
    ax.semilogy(grid, data["density"], color=plotting.BLUE, label=f"Lanczos, {p.probes * p.lanczos} products")
    line = plotting.theory_line(ax, grid, data["smooth"], f"exact, all {len(data['exact'])} eigenvalues")
    high = data["exact"][-count:]
    ax.plot(high, np.full(count, 0.35), "|", color=plotting.VERMILLION, markersize=26, markeredgewidth=2.5)
    ax.text(high.mean(), 30, f"{count} outliers", color=plotting.VERMILLION, fontsize=20, ha="center")
    ax.set(ylim=(0.2, 3 * data["smooth"].max()), xlabel="eigenvalue of the Hessian", ylabel="eigenvalues per unit")
    ax.set_title(f"{p.classes[-1]} classes: a bulk at 0, and outliers")
    ax.legend(handles=[ax.get_lines()[0], line], loc="upper right")


def draw_outliers(ax: Axes, data: Data, p: Params) -> None:
    """Outliers against classes, larger dots for more networks."""
    for classes, counts in zip(p.classes, data["counts"].T, strict=True):
        number, times = np.unique(counts, return_counts=True)
        ax.scatter(np.full(len(number), classes), number, s=260 * times / p.seeds, color=plotting.VERMILLION, zorder=3)
    ends = np.array([p.classes[0], p.classes[-1]])
    line = plotting.theory_line(ax, ends, ends - 1, "K − 1")
    ax.set(xlabel="classes K", ylabel="outliers", title=f"K classes, K − 1 outliers: {data['counts'].size} networks")
    ax.set_xticks(p.classes)
    ax.set_yticks(range(0, p.classes[-1] + 1, 2))
    ax.legend(handles=[line], loc="upper left")


def draw_ghosts(ax: Axes, data: Data, p: Params) -> None:
    """Copies of the largest eigenvalue among the Ritz values."""
    full, plain = np.moveaxis(data["ghosts"], 1, 0)
    ax.plot(p.ghost_steps, plain.mean(axis=0), "-o", color=plotting.PURPLE, label="without reorthogonalization: ghosts")
    ax.plot(p.ghost_steps, full.mean(axis=0), "-o", color=plotting.BLUE, label="with it: one")
    ax.set(xlabel="steps of Lanczos", ylabel="copies of the largest", ylim=(0, 1.5 * plain.mean(axis=0).max()))
    ax.set_title("Rounding invents eigenvalues")
    ax.legend(loc="upper left")


def plot(data: Data, p: Params) -> Figure:
    """The density at the left; outliers and ghosts at the right."""
    sheet, ((left, right), (spare, below)) = plotting.figure(2, 2)
    left.set_subplotspec(left.get_gridspec()[:, 0])
    spare.remove()
    draw_density(left, data, p)
    draw_outliers(right, data, p)
    draw_ghosts(below, data, p)
    return sheet


experiment = Experiment(
    title="A network's Hessian is flat but for about as many directions as there are classes",
    source="Theory of training: spectral density by Lanczos quadrature (Ghorbani, Krishnan and Xiao 2019)",
    question="What do the eigenvalues of a network's Hessian look like, and how are they found without the matrix?",
    params={
        "images": 200,
        "width": 20,
        "classes": (2, 3, 4, 6, 8, 10),
        "seeds": 20,
        "spectra": 10,
        "spectrum_width": 20,
        "probes": 20,
        "lanczos": 80,
        "trace_probes": 400,
        "ghost_steps": (20, 50, 80, 110, 140),
    },
    quick={
        "images": 150,
        "classes": (2, 4, 8),
        "seeds": 8,
        "spectra": 10,
        "spectrum_width": 8,
        "lanczos": 40,
        "ghost_steps": (20, 60),
    },
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
