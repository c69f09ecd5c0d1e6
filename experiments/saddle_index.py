"""Critical points of a small network: most are saddles, and the higher the loss, the more directions fall.

A network with one hidden layer of tanh units learns a smooth function of two inputs by least squares, with a little
weight decay so that no valley is flat. Its critical points, of all kinds, are found by descending |∇f|² instead of f,
with Levenberg-Marquardt steps −(H² + μI)⁻¹H∇f on exact Hessians, from points along runs of gradient descent, high ones
and low ones (Pennington and Bahri 2017). Where such a search ends with ∇f not 0, the gradient lies in the Hessian's
null space: about a third do, and are left out (Frye et al. 2021). The index of a critical point is the share of its
eigenvalues that are negative. Points that differ by the order or sign of units count once.

As a check that does not use eigenvalues, gradient descent starts 1e-6 beside each saddle along its steepest falling
direction: a step must multiply that distance by 1 + η|λ_min|.

What is found depends on where the searches start; it is no fair sample of all critical points. In networks with two
hidden layers nearly all searches ended in a narrow band of losses about that of the zero function, and there the index
did not rise with the loss.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import spearmanr

import optlab as ol
from optlab import plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, bounded, mean
from optlab.nn import MLP, NetworkLandscape
from optlab.random import derive_seed, normal

DECAY, RATE = 0.01, 0.1
CRITICAL = 1e-9  # the largest gradient norm of a point that is kept
NUDGE, NUDGED_STEPS = 1e-6, 20
SHOWN = 3  # critical points whose eigenvalues are drawn


def landscape(p: Params, seed: int) -> NetworkLandscape:
    """The regularized least squares of one data set."""
    X = normal((p.samples, 2), derive_seed(seed, "inputs"))
    y = np.sin(2 * X[:, 0]) * X[:, 1]
    return MLP([2, p.width, 1], "tanh", init="xavier_normal", dtype="float64").on(
        X, y / y.std(), "mse", weight_decay=DECAY
    )


def starts(p: Params, f: NetworkLandscape, seed: int) -> np.ndarray:
    """Points of runs of gradient descent, spaced by the logarithm of the step."""
    x0 = f.mlp.init(derive_seed(seed, "start"), runs=p.runs)
    steps = [0, *np.unique(np.geomspace(5, 5000, p.points - 1).astype(int)).tolist()]
    return ol.descend(f, ol.SGD(lr=RATE), x0, steps[-1], record=steps).x.reshape(-1, f.dim)


def hessians(f: NetworkLandscape, x: np.ndarray) -> np.ndarray:
    """The Hessians at many points, (points, dim, dim), from one call."""
    count, dim = x.shape
    return f.hvp(np.repeat(x, dim, axis=0), np.tile(np.eye(dim), (count, 1))).reshape(count, dim, dim)


def search(p: Params, f: NetworkLandscape, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where descending |∇f|² ends, and |∇f| there; each search has a μ of its own."""
    x, g, H, mu = x.copy(), f.grad(x), hessians(f, x), np.full(len(x), 1e-4)
    size = np.linalg.norm(g, axis=1)
    for _ in range(p.iterations):
        on = np.flatnonzero(size > CRITICAL / 100)
        if not on.size:
            break
        damped = H[on] @ H[on] + mu[on, None, None] * np.eye(f.dim)
        new = x[on] - np.linalg.solve(damped, H[on] @ g[on, :, None])[..., 0]
        slope = f.grad(new)
        found = np.linalg.norm(slope, axis=1)
        better = found < size[on]
        mu[on] = np.clip(mu[on] * np.where(better, 0.3, 3.0), 1e-16, 1e6)
        if better.any():
            kept = on[better]
            x[kept], g[kept], size[kept] = new[better], slope[better], found[better]
            H[kept] = hessians(f, x[kept])
    return x, size


def growth(f: NetworkLandscape, x: np.ndarray) -> np.ndarray:
    """The factor of a step on the distance from each saddle, measured and by its least eigenvalue: (2, saddles)."""
    if not len(x):
        return np.empty((2, 0))
    values, vectors = np.linalg.eigh(hessians(f, x))
    least, u = values[:, 0], vectors[:, :, 0]
    last = ol.descend(f, ol.SGD(lr=RATE), x + NUDGE * u, NUDGED_STEPS).last
    return np.array([np.abs(np.sum((last - x) * u, axis=1) / NUDGE) ** (1 / NUDGED_STEPS), 1 - RATE * least])


def one_set(p: Params, seed: int) -> dict[str, np.ndarray]:
    """The different critical points of one data set, by falling loss."""
    f = landscape(p, seed)
    x, size = search(p, f, starts(p, f, seed))
    kept = size <= CRITICAL
    points, value = x[kept], f.value(x[kept])
    kinds = [ol.curvature.classify(f, each) for each in points]
    index = np.array([kind.index for kind in kinds], int)
    _, first = np.unique(np.stack([value.round(8), index], axis=1), axis=0, return_index=True)
    order = first[np.argsort(-value[first], kind="stable")]
    index = index[order]
    return {
        "value": value[order],
        "index": index,
        "gradient": np.array([kinds[k].gradient_norm for k in order]),
        "growth": growth(f, points[order][index > 0]),
        "eigenvalues": np.linalg.eigvalsh(hessians(f, points[order])),
        "kept": np.array(kept.mean()),
    }


def compute(p: Params, seed: int, progress: Progress) -> dict[str, np.ndarray]:
    """All data sets; the points of all in one list, with the number of their set."""
    found = []
    for k in range(p.sets):
        progress(k / p.sets, f"data set {k}")
        found.append(one_set(p, derive_seed(seed, "set", k)))
    each = found[0]["eigenvalues"]
    return {
        "set": np.repeat(np.arange(p.sets), [len(one["value"]) for one in found]),
        **{name: np.concatenate([one[name] for one in found]) for name in ("value", "index", "gradient")},
        "growth": np.concatenate([one["growth"] for one in found], axis=1),
        "kept": np.array([one["kept"] for one in found]),
        "shown": each[np.linspace(0, len(each) - 1, SHOWN).round().astype(int)],
    }


def claims(data: Data, p: Params) -> list[Claim]:
    """Saddles, their index against the loss, and how the searches end."""
    sets = [(data["value"][here], data["index"][here]) for here in (data["set"] == k for k in range(p.sets))]
    rank = [spearmanr(value, index).statistic if len(value) > 2 else np.nan for value, index in sets]
    share = [np.mean(index > 0) for _, index in sets]
    upper = [np.mean(index[: (len(index) + 1) // 2] > 0) for _, index in sets]
    factor, predicted = data["growth"]
    said = {
        "gradient": "The points kept are critical: the largest |∇f|.",
        "saddles": "Most critical points have a falling direction: the share of a data set's, the mean.",
        "rank": "The index rises with the loss: Spearman's rank correlation in a data set, the mean.",
        "upper": "In the upper half of the losses nearly all are saddles: the share, the mean.",
        "growth": "Beside a saddle a step multiplies the distance by 1 + η|λ_min|: the largest gap.",
        "kept": "Searches do end at critical points: the share that does, the mean.",
    }
    asked = {name: (name, text) for name, text in said.items()}
    return [
        bounded(*asked["gradient"], data["gradient"].max(), (0, CRITICAL)),
        mean(*asked["saddles"], share, None, (0.5, None)),
        mean(*asked["rank"], rank, None, (0, None)),
        mean(*asked["upper"], upper, None, (0.8, None)),
        # Over 20 steps the distance stays so small that what bends changes the factor less than this.
        bounded(*asked["growth"], np.abs(factor - predicted).max(), (0, 1e-4), 0),
        mean(*asked["kept"], data["kept"], None, (0.25, None)),
    ]


def draw_index(ax: Axes, data: Data, p: Params) -> None:
    """Index against loss, all data sets."""
    saddle, share = data["index"] > 0, data["index"] / data["shown"].shape[1]
    shift = 0.006 * (data["set"] / max(p.sets - 1, 1) - 0.5)
    ax.plot(data["value"][saddle], (share + shift)[saddle], "o", color=plotting.VERMILLION, alpha=0.55, label="saddles")
    ax.plot(data["value"][~saddle], (share + shift)[~saddle], "*", color=plotting.BLUE, markersize=15, label="minima")
    ax.set(xlabel="loss at the critical point", ylabel="share of negative curvature")
    ax.set_title(f"{len(saddle)} critical points of {p.sets} data sets")
    ax.legend(loc="upper left")


def draw_spectra(ax: Axes, data: Data, p: Params) -> None:
    """The eigenvalues of a high, a middle and a low critical point."""
    values = data["value"][data["set"] == 0]
    values = values[np.linspace(0, len(values) - 1, SHOWN).round().astype(int)]
    for k, spectrum in enumerate(data["shown"]):
        for part, color in ((spectrum < 0, plotting.VERMILLION), (spectrum > 0, plotting.BLUE)):
            ax.plot(
                spectrum[part], np.full(part.sum(), SHOWN - k), "|", color=color, markersize=34, markeredgewidth=2.2
            )
    ax.axvline(0, color=plotting.BLACK, linewidth=1)
    ax.set_xscale("symlog", linthresh=0.01)
    ax.set_xticks([-1, -0.1, -0.01, 0.01, 0.1, 1], ["−1", "−0.1", "", "", "0.1", "1"])
    ax.set_yticks([SHOWN - k for k in range(SHOWN)], [f"loss {value:.2f}" for value in values])
    ax.set(ylim=(0.4, SHOWN + 0.6), xlabel="eigenvalues of the Hessian", title="High ones fall in many directions")


def draw_growth(ax: Axes, data: Data) -> None:
    """How fast gradient descent leaves, against the least eigenvalue."""
    factor, predicted = data["growth"] - 1
    ax.loglog(predicted, factor, "o", color=plotting.VERMILLION, alpha=0.55)
    ends = np.array([predicted.min(), predicted.max()])
    line = plotting.theory_line(ax, ends, ends, r"theory: $\eta\,|\lambda_{\min}|$")
    ax.set(
        xlabel=r"$\eta\,|\lambda_{\min}|$ of the saddle",
        ylabel="growth in a step",
        title="Beside each saddle, descent leaves",
    )
    ax.legend(handles=[line], loc="upper left")


def plot(data: Data, p: Params) -> Figure:
    """The index at the left; spectra and escapes at the right."""
    sheet, ((left, right), (spare, below)) = plotting.figure(2, 2)
    left.set_subplotspec(left.get_gridspec()[:, 0])
    spare.remove()
    draw_index(left, data, p)
    draw_spectra(right, data, p)
    draw_growth(below, data)
    return sheet


experiment = Experiment(
    title="Most critical points of a network are saddles, and the higher they lie, the more ways lead down",
    source="Training DNNs: Basic Methods and Tricks; the notebook: saddle points",
    question="Are a network's critical points minima or saddles, and does that depend on the loss?",
    params={"samples": 40, "width": 5, "runs": 6, "points": 12, "iterations": 120, "sets": 20},
    quick={"runs": 4, "points": 6, "iterations": 80, "sets": 10},
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
