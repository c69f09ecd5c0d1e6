"""Backtracking finds the step by itself on the full gradient, and is blind on mini-batches (lecture B).

A step t is tried from 8 down by halves until Armijo's condition holds: f(x − t g) ≤ f(x) − c t |g|² with c = 0.1.

* On the full gradient of a function whose curvature lies between m and L, no step is shorter than (1 − c)/L, and each
  multiplies f − f* by at most 1 − 2 m c t. Nothing of L needs to be known, and steps longer than 1/L pay.
* On a batch the condition holds for the batch's own loss, which is not the loss. The gradient g_B of B samples points
  uphill with probability Φ(−√(B/B₀)), where B₀ = g'Σg/|g|⁴ and Σ is the covariance of the samples' gradients (central
  limit theorem). Far from a minimum B₀ is small and larger batches are the cure; near it |g| falls and B₀ grows
  without bound. There the steps stay as long as ever, since each is right for its batch: half of them raise the loss,
  and the loss stays at a floor that falls with 1/B at most. Steps that shrink as 1/k pass below it.
* Where every sample can be fitted at once there is no such noise at the minimum, and the line search works on
  batches, too (Vaswani et al. 2019).

The lecture names no function: ours are least squares, where all of this is known exactly, and a network. Close to
the minimum the condition cannot be tested: f(x) − f(x − t g) is rounded away. The searches on all samples end before.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.special import ndtr

import optlab as ol
from optlab import plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, bounded, exact, fraction, mean, slope
from optlab.landscape import CompiledLandscape
from optlab.nn import MLP
from optlab.random import derive_seed, integers, normal

DECREASE = 0.1  # c
TRIALS = 8.0 * 0.5 ** np.arange(12)
DIM, SIZE, NOISE = 20, 500, 0.5
ACCURATE = 1e-6  # of the excess at the start
BATCH = 16
"""Of the network, of the set without noise, and of the steps that shrink."""

SCALE = 32.0
"""B₀ at the point that stands for all near the minimum."""


def problem(seed: int, noise: float = NOISE) -> ol.landscapes.LeastSquares:
    """A regression whose columns have sizes from 1 to 0.3."""
    A = normal((SIZE, DIM), seed) * np.geomspace(1, 0.3, DIM)
    return ol.landscapes.LeastSquares(A, A @ normal(DIM, seed, step=1) + noise * normal(SIZE, seed, step=2))


def network(seed: int) -> tuple[CompiledLandscape, np.ndarray]:
    """The loss of a network on noisy values of a smooth function, and where training starts."""
    mlp = MLP([2, 10, 1], "tanh", init="xavier_normal", dtype="float64")
    x = normal((128, 2), seed)
    y = np.tanh(2 * x[:, 0]) * x[:, 1] + 0.3 * normal(128, seed, step=1)
    return mlp.on(x, y, "mse"), mlp.init(seed)


def search(f: CompiledLandscape, x: np.ndarray, batch: np.ndarray | None = None) -> tuple[np.ndarray, float, float]:
    """The point after the longest trial step that Armijo's condition allows, the step, and |g|²."""
    g = f.grad(x, batch)
    square = float(g @ g)
    allowed = f.value(x - TRIALS[:, None] * g, batch) <= f.value(x, batch) - DECREASE * TRIALS * square
    t = float(TRIALS[np.argmax(allowed)]) if allowed.any() else 0.0
    return x - t * g, t, square


def descend(f: CompiledLandscape, x: np.ndarray, steps: int, size: int = 0, seed: int = 0) -> np.ndarray:
    """Values of the full loss, steps and |g|² (3, steps) of searches on batches of a size, or on all samples."""
    found = np.empty((3, steps))
    for k in range(steps):
        batch = integers(size, f.n_samples, seed, step=k) if size else None
        found[0, k] = f.value(x)
        x, *found[1:, k] = search(f, x, batch)
    return found


def to_accuracy(f: ol.landscapes.LeastSquares, sharpness: float) -> int:
    """How many steps gradient descent takes with 1/L."""
    below = ol.stop.value(f.minimum + ACCURATE * (f.value(np.zeros(DIM)) - f.minimum))
    return int(ol.descend(f, ol.SGD(lr=1 / sharpness), np.zeros(DIM), 10_000, stop=below, record=[]).stop_step[0])


def near(f: ol.landscapes.LeastSquares) -> tuple[np.ndarray, np.ndarray]:
    """A point where B₀ is as said, on the way of gradient descent, and what each sample adds to g'g there."""
    away = ol.descend(f, ol.SGD(lr=0.5), np.zeros(DIM), 20).last[0] - f.minima[0]
    for _ in range(20):
        x = f.minima[0] + away
        g = f.grad(x)
        each = (f.A @ x - f.b) * (f.A @ g)
        away *= each.std() / (g @ g) / np.sqrt(SCALE)
    return x, each


def raised(p: Params, f: ol.landscapes.LeastSquares, x: np.ndarray, seed: int) -> list[float]:
    """The share of batches of each size whose accepted step raises the full loss."""
    draws = [integers((p.draws, size), SIZE, seed, step=k) for k, size in enumerate(p.sizes)]
    return [float(np.mean([f.value(search(f, x, batch)[0]) > f.value(x) for batch in each])) for each in draws]


def one_seed(p: Params, seed: int) -> dict[str, np.ndarray]:
    """Everything on one regression and one network."""
    f, (net, start), zero = problem(seed), network(derive_seed(seed, "network")), np.zeros(DIM)
    curvatures = np.linalg.eigvalsh(f.A.T @ f.A / SIZE)
    point, each = near(f)
    uphill = [np.mean(each[integers((4000, B), SIZE, seed, step=k)].mean(axis=1) <= 0) for k, B in enumerate(p.sizes)]
    runs = [descend(f, zero, p.steps, B, derive_seed(seed, B))[0] - f.minimum for B in p.sizes]
    exactly = problem(seed, 0.0)
    shrinking = ol.descend(
        f,
        ol.SGD(lr=1.0),
        zero,
        p.steps,
        schedule=lambda k: 1 / (curvatures[-1] + curvatures[0] * k),
        batch_size=BATCH,
        seed=seed,
        record=1,
    )
    return {
        "curvatures": curvatures[[0, -1]],
        "minimum": np.array(f.minimum),
        "full": descend(f, zero, p.full_steps),
        "fixed": to_accuracy(f, curvatures[-1]),
        "uphill": uphill,
        "raised": np.array([raised(p, f, zero, seed), raised(p, f, point, seed)]),
        "batches": np.array(runs, np.float32),
        "shrinking": (shrinking.value[:-1, 0] - f.minimum).astype(np.float32),
        "exactly": (descend(exactly, zero, p.steps, BATCH, seed)[0] - exactly.minimum).astype(np.float32),
        "net_full": descend(net, start, p.net_steps),
        "net_batch": descend(net, start, p.net_steps, BATCH, seed)[0],
    }


def compute(p: Params, seed: int, progress: Progress) -> dict[str, np.ndarray]:
    """The same for every seed."""
    found = []
    for k in range(p.seeds):
        progress(k / p.seeds, f"problem {k}")
        with ol.threads(1):  # a step is too short to share
            found.append(one_seed(p, derive_seed(seed, "problem", k)))
    return {name: np.array([each[name] for each in found]) for name in found[0]}


def ups(values: np.ndarray) -> np.ndarray:
    """The share of steps that raise the loss in the last half."""
    return np.mean(np.diff(values[..., values.shape[-1] // 2 :]) > 0, axis=-1)


def floor(data: Data) -> np.ndarray:
    """What is left above the minimum in the last half, by seed and batch size."""
    return data["batches"][..., data["batches"].shape[-1] // 2 :].mean(axis=-1)


def until(data: Data) -> np.ndarray:
    """How many steps the search on all samples takes to the accuracy asked; all, if it does not get there."""
    excess = data["full"][:, 0] - data["minimum"][:, None]
    there = excess <= ACCURATE * excess[:, :1]
    return np.where(there.any(axis=1), there.argmax(axis=1), excess.shape[1] - 1)


def claims(data: Data, p: Params) -> list[Claim]:
    """All samples; single steps on batches; runs on batches."""
    return [*full_claims(data), *step_claims(data, p), *run_claims(data, p)]


def full_claims(data: Data) -> list[Claim]:
    """What the theory of line searches promises."""
    broken = 0
    ends = [*until(data), *[data["net_full"].shape[2] - 1] * len(data["net_full"])]
    for (values, t, square), k in zip([*data["full"], *data["net_full"]], ends, strict=True):
        falls = values[1 : k + 1] <= values[:k] - DECREASE * (t * square)[:k]
        broken += np.sum(~falls | (t[:k] == 0))
    rates, least = [], []
    for (values, t, _), f, (m, L), k in zip(
        data["full"], data["minimum"], data["curvatures"], until(data), strict=True
    ):
        bound = 1 - 2 * m * DECREASE * t[:k]
        rates.append(np.max((values[1 : k + 1] - f) / (values[:k] - f) / bound))
        least.append(t[:k].min() * L / (1 - DECREASE))
    said = {
        "armijo": "On all samples Armijo's condition holds at every step, on regressions and networks: how often not.",
        "least": "No step is shorter than (1 - c)/L: the shortest, in units of it.",
        "rate": "A step multiplies what is left by 1 - 2 m c t at most: the largest ratio to that.",
        "steps": f"Backtracking beats 1/L without knowing L: its steps to {ACCURATE:g} over those with 1/L, the mean.",
    }
    return [
        exact("armijo", said["armijo"], broken, 0),
        bounded("least", said["least"], min(least), (1.0, 2.0)),
        bounded("rate", said["rate"], max(rates), (0.0, 1.0)),
        mean("steps", said["steps"], until(data) / data["fixed"], None, (None, 0.7)),
    ]


def step_claims(data: Data, p: Params) -> list[Claim]:
    """What a single batch does, far from the minimum and near it."""
    gap = (data["uphill"] - ndtr(-np.sqrt(np.array(p.sizes) / SCALE)))[:, 1:]  # a single sample is not yet normal
    far, close = np.moveaxis(data["raised"], 1, 0)
    said = {
        "uphill": f"A batch points uphill with probability Φ(-√(B/B0)), here B0 = {SCALE:g}: the largest mean gap.",
        "far": f"Far away larger batches help: the share of bad steps of 1 sample, less that of {p.sizes[-1]}.",
        "safe": f"There almost no step raises the loss that {p.sizes[-1]} samples accept: the share.",
        "near": f"Near the minimum a step that {BATCH} samples accept raises the loss: the mean share.",
    }
    return [
        mean("uphill", said["uphill"], gap[:, np.argmax(np.abs(gap.mean(axis=0)))], 0.0, (-0.03, 0.03)),
        mean("far", said["far"], far[:, 0] - far[:, -1], None, (0.1, None)),
        fraction("safe", said["safe"], round(far[:, -1].sum() * p.draws), far[:, -1].size * p.draws, 0.0, (0.0, 0.03)),
        mean("near", said["near"], close[:, p.sizes.index(BATCH)], None, (0.9, 1.0)),
    ]


def run_claims(data: Data, p: Params) -> list[Claim]:
    """What such steps add up to."""
    half, left, k = ups(data["batches"]), floor(data), p.sizes.index(BATCH)
    worst = half[:, np.argmax(np.abs(half.mean(axis=0) - 0.5))]
    shrunk = data["shrinking"][:, -p.steps // 4 :].mean(axis=1)
    apart = np.log10(np.maximum(data["exactly"][:, -1], 1e-30) / data["exactly"][:, 0])
    net = np.log10(data["net_batch"][:, -p.net_steps // 4 :].mean(axis=1) / data["net_full"][:, 0, -1])
    said = {
        "half": "In the end half of the accepted steps raise the loss, at all batch sizes: the mean farthest off.",
        "floor": "Larger batches lower the floor, but by 1/B at most: the slope of its logarithm.",
        "shrinking": f"Steps that fall as 1/k pass below the floor, B = {BATCH}: log10 of how far, the mean.",
        "exact_fit": f"Without noise in the data the search converges, B = {BATCH}: log10 of what is left, the mean.",
        "network": "On a network, half of the accepted steps raise the loss in the end: the mean share.",
        "network_floor": "There batches stay above the search on all samples: log10 of the ratio of losses, the mean.",
    }
    large = [j for j, size in enumerate(p.sizes) if size >= BATCH]
    return [
        mean("half", said["half"], worst, 0.5, (0.38, 0.62)),
        slope("floor", said["floor"], np.log(p.sizes)[large], np.log(left[:, large]), None, (-1.0, -0.5)),
        mean("shrinking", said["shrinking"], np.log10(left[:, k] / shrunk), None, (1.0, None)),
        mean("exact_fit", said["exact_fit"], apart, None, (None, -10.0)),
        mean("network", said["network"], ups(data["net_batch"]), 0.5, (0.38, 0.62)),
        mean("network_floor", said["network_floor"], net, None, (0.0, None)),
    ]


def draw_runs(ax: Axes, data: Data, p: Params) -> None:
    """What is left above the minimum, the median over the regressions."""
    full = data["full"][:, 0] - data["minimum"][:, None]
    lines = [("all samples", full, plotting.COLORS[0]), ("shrinking steps", data["shrinking"], plotting.COLORS[2])]
    lines += [(f"batches of {p.sizes[k]}", data["batches"][:, k], plotting.COLORS[1]) for k in (0, 2, 4)]
    lines += [("no noise", data["exactly"], plotting.COLORS[3])]
    for _, rows, color in lines:
        ax.plot(np.arange(rows.shape[1]), np.maximum(np.median(rows, axis=0), 1e-30), color=color)
    ax.set(yscale="log", ylim=(1e-9, 30), xlim=(0, 150), xlabel="step", ylabel="loss above the minimum")
    for text, (x, y), k in (
        ("all samples", (30, 3e-8), 0),
        ("batches of 1", (60, 1.1), 1),
        (f"batches of {p.sizes[2]}", (28, 0.14), 1),
        (f"batches of {p.sizes[4]}", (90, 0.018), 1),
        (f"{BATCH}, steps that shrink as 1/k", (60, 8e-4), 2),
        (f"{BATCH}, data without noise", (48, 1.2e-5), 3),
    ):
        ax.text(x, y, text, color=plotting.COLORS[k])
    ax.set_title("On batches the search stays in the noise")


def draw_steps(ax: Axes, data: Data, p: Params) -> None:
    """The shares of bad steps against the batch size."""
    far, close = 100 * data["raised"].mean(axis=0)
    ax.plot(p.sizes, close, "-s", color=plotting.COLORS[1])
    ax.plot(p.sizes, far, "-s", color=plotting.COLORS[2])
    ax.plot(p.sizes, 100 * data["uphill"].mean(axis=0), "o", color=plotting.COLORS[4], markersize=10)
    fine = np.geomspace(p.sizes[0], p.sizes[-1], 200)
    line = plotting.theory_line(ax, fine, 100 * ndtr(-np.sqrt(fine / SCALE)), "theory: Φ(−√(B/B₀))")
    ax.text(1.0, 84, "near the minimum", color=plotting.COLORS[1])
    ax.text(3.6, 46, "uphill, near the minimum", color=plotting.COLORS[4])
    ax.text(1.0, 7, "far away", color=plotting.COLORS[2])
    size_axis(ax, p, "bad steps in %")
    ax.set(ylim=(-4, 107), title="Accepted, and yet the full loss rises")
    ax.legend(handles=[line], loc="center right", bbox_to_anchor=(1.0, 0.32))


def draw_floor(ax: Axes, data: Data, p: Params) -> None:
    """Where the searches end, against the batch size."""
    left = floor(data)
    ax.plot(p.sizes, left.T, "o", color=plotting.COLORS[1], alpha=0.25, markersize=7)
    middle = np.median(left, axis=0)
    line = plotting.theory_line(ax, p.sizes, middle[-1] * p.sizes[-1] / np.array(p.sizes), "slope −1")
    size_axis(ax, p, "floor of the loss")
    ax.set(yscale="log", title="Only as low as the batch is large")
    ax.legend(handles=[line], loc="upper right")


def size_axis(ax: Axes, p: Params, label: str) -> None:
    """Batch sizes in plain numbers."""
    ax.set(xscale="log", xlabel="batch size B", ylabel=label)
    ax.set_xticks(p.sizes, [str(size) for size in p.sizes])
    ax.minorticks_off()


def plot(data: Data, p: Params) -> Figure:
    """Runs at the left, steps and floors at the right."""
    sheet, ((left, above), (spare, below)) = plotting.figure(2, 2)
    left.set_subplotspec(left.get_gridspec()[:, 0])
    spare.remove()
    draw_runs(left, data, p)
    draw_steps(above, data, p)
    draw_floor(below, data, p)
    return sheet


experiment = Experiment(
    title="Backtracking finds its own step on the full gradient; on batches every step is right and the run is wrong",
    source="Training DNNs: line search",
    question="Why does backtracking work with the full gradient, and what does it do on mini-batches?",
    params={"seeds": 40, "steps": 400, "full_steps": 100, "net_steps": 200, "sizes": (1, 4, 16, 64, 256), "draws": 200},
    quick={"seeds": 12, "steps": 200, "net_steps": 100, "draws": 40},
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
