"""What batch normalization buys, and what it costs (lectures on batch normalization).

* Normalization in front of the activation or behind it, in a network of six ReLU layers: SGD tolerates longer steps.
  A step is tolerated if the training loss ends below half of log 4, four classes being guessed.
* It takes away what the bias in front of it adds: the bias has no gradient and no effect, and β does its work. Behind
  the activation a bias is not redundant.
* For evaluation, averages over batches stand in for the batch: r ← (1 − m) r + m μ_B (B's momentum m = 0.1; A writes
  0.9 for the same, 1 − m). Batch means of B draws have variance σ²/B, and k steps from 0 leave
  E (r − μ)² = σ²/B m/(2 − m) (1 − (1 − m)²ᵏ) + μ² (1 − m)²ᵏ. A's number in B's formula averages nearly nothing.
* The averaged variance is the unbiased one, so that evaluation equals training on all n samples only up to n/(n − 1):
  behind one normalized ReLU layer without shift, ε = 0, all logits are √(1 − 1/n) of those in training, exactly.
* The loss of a batch is no mean over its samples, as each enters the statistics of all. So the mean gradient of batches
  that share out all n samples is not the gradient of all n: for a smooth activation the two differ on average by a
  multiple of 1/B − 1/n to first order. A sample alone is normalized to 0, without a gradient in front.
"""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import optlab as ol
from optlab import plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, bounded, exact, mean, slope
from optlab.nn.mlp import NormStatistics
from optlab.random import derive_seed, normal

Array = np.ndarray
INPUTS, CLASSES, WIDTH, DEPTH, SAMPLES = 16, 4, 32, 6, 256
KINDS = {"none": {}, "before": {"norm": "batch"}, "after": {"norm": "batch", "norm_position": "after"}}
LRS = 2.0 ** np.arange(-3.5, 4, 0.5)
EPOCHS, BATCH, LEARNED = 20, 32, math.log(CLASSES) / 2
MOMENTA, DRAWS, STEPS, EARLY = (0.1, 0.9), 16, (1, 2, 4, 8, 16, 32), 2
"""Running averages: momenta, samples of a batch, the steps observed, and which of these is early."""
SIZES, FIT = (4, 8, 16, 32, 64), slice(1, None)
"""Batches whose gradients are averaged; those large enough for the first order in 1/B."""
ROUNDING = 1e-12
"""A few hundred terms of like size, each known to a few eps."""


def mixture(seed: int, n: int, dtype: str = "float64") -> tuple[Array, Array]:
    """Normal clouds around random centres, one a class."""
    classes = np.arange(n) % CLASSES
    rows = 0.6 * normal((CLASSES, INPUTS), seed)[classes] + normal((n, INPUTS), seed, step=1)
    return rows.astype(dtype), classes


def sweep(seed: int, run: int) -> Array:
    """The final training loss, shape (kinds, step sizes), on one data set."""
    x, y = mixture(derive_seed(seed, "sweep", run), SAMPLES, "float32")
    found = []
    for kind in KINDS.values():
        mlp = ol.nn.MLP([INPUTS, *[WIDTH] * DEPTH, CLASSES], **kind)
        start = np.tile(mlp.init(derive_seed(seed, "start"), first_run=run), (len(LRS), 1))
        options = {"batch_size": BATCH, "sampling": "shuffle", "seed": derive_seed(seed, "order", run)}
        steps = EPOCHS * SAMPLES // BATCH
        path = ol.descend(
            mlp.on(x, y),
            ol.SGD(lr=LRS),
            start,
            steps,
            stop=ol.stop.nonfinite(),
            record=[steps],
            record_x=False,
            **options,
        )
        found.append(path.value[-1])
    return np.array(found)


def bias(seed: int, run: int) -> Array:
    """The largest gradient by a hidden bias over that by β, and the change of the loss by a shift; for both places."""
    x, y = mixture(derive_seed(seed, "bias", run), 64)
    found = []
    for name in ("before", "after"):
        mlp = ol.nn.MLP([INPUTS, WIDTH, WIDTH, CLASSES], bias=True, dtype="float64", **KINDS[name])
        f, theta = (
            mlp.on(x, y),
            mlp.init(run) + 0.3 * normal((1, mlp.dim), derive_seed(seed, "theta"), first_run=run)[0],
        )
        slopes, hidden = mlp.views(f.grad(theta)), ("layers.0", "layers.1")
        by_bias, by_shift = (max(np.abs(slopes[f"{k}.{each}"]).max() for k in hidden) for each in ("bias", "norm.bias"))
        moved = theta.copy()
        for k, layer in enumerate(hidden):
            mlp.views(moved)[f"{layer}.bias"][:] += normal((1, WIDTH), derive_seed(seed, "moved", k), first_run=run)[0]
        found.append((by_bias / by_shift, abs(f.value(moved) / f.value(theta) - 1)))
    return np.array(found)


def averages(p: Params, seed: int) -> tuple[Array, Array]:
    """The mean square of r − μ over σ²/B at STEPS, shape (momenta, steps, runs), and its expectation."""
    x, y = mixture(derive_seed(seed, "averages"), 64)
    found, laws = [], []
    for m in MOMENTA:
        mlp = ol.nn.MLP([INPUTS, WIDTH, CLASSES], norm="batch", momentum=m, dtype="float64")
        theta, f = mlp.init(derive_seed(seed, "frozen")), mlp.on(x, y)
        mu, var = mlp.statistics(theta, x)
        for k in STEPS:
            path = ol.descend(
                f,
                ol.SGD(lr=0.0),
                np.tile(theta, (p.runs, 1)),
                k,
                batch_size=DRAWS,
                seed=derive_seed(seed, "draws"),
                record_x=False,
            )
            found.append(np.mean((path.state["averages"][:, :WIDTH] - mu) ** 2 * DRAWS / var, axis=1))
            left = (1 - m) ** (2 * k)
            laws.append(m / (2 - m) * (1 - left) + left * np.mean(mu**2 * DRAWS / var))
    return np.reshape(found, (len(MOMENTA), len(STEPS), p.runs)), np.reshape(laws, (len(MOMENTA), len(STEPS)))


def evaluation(seed: int, run: int) -> Array:
    """Frozen weights, settled averages: logits as a part of those in training, then what is left of a difference.

    With the running variance as it is, first after division by √(1 − 1/n), and with the variance made biased.
    """
    n = 16 * (run + 1)
    x, y = mixture(derive_seed(seed, "evaluation", run), n)
    mlp = ol.nn.MLP([INPUTS, WIDTH, CLASSES], norm="batch", dtype="float64", eps=0.0)
    theta = mlp.init(derive_seed(seed, "evaluated"), first_run=run)
    settled = mlp.averages(ol.descend(mlp.on(x, y), ol.SGD(lr=0.0), theta, 400).state)
    training = mlp.predict(theta, x, mlp.statistics(theta, x))
    plain = mlp.predict(theta, x, settled)
    biased = mlp.predict(theta, x, NormStatistics(settled.mean, settled.var * ((n - 1) / n)))
    size = np.linalg.norm(training)
    factor = np.sum(plain * training) / size**2
    return np.array(
        [
            factor / math.sqrt(1 - 1 / n) - 1,
            *(np.linalg.norm(each - training) / size for each in (plain / math.sqrt(1 - 1 / n), biased, plain)),
        ]
    )


def batches(p: Params, seed: int, run: int) -> tuple[Array, float]:
    """|mean gradient of batches − gradient of all| over the latter, shape (2, sizes), and a lone sample's gradient.

    Row 0: without normalization; row 1: with it, of the mean over many ways of sharing out the samples, less what
    chance adds to its square. The last number is that by the first layer's weights, over that of all samples.
    """
    x, y = mixture(derive_seed(seed, "batches", run), SAMPLES)
    orders, found, alone = derive_seed(seed, "orders", run), [], 0.0
    for kind in ("none", "before"):
        mlp = ol.nn.MLP([INPUTS, WIDTH, WIDTH, CLASSES], "tanh", dtype="float64", **KINDS[kind])
        f, theta = mlp.on(x, y), mlp.init(derive_seed(seed, "network"), first_run=run)
        whole = f.grad(theta)
        for size in SIZES:
            gaps = []
            for k in range(p.shares if kind == "before" else 1):
                order = ol.random.permutation(SAMPLES, orders, step=k)
                gaps.append(np.mean([f.grad(theta, batch=batch) for batch in order.reshape(-1, size)], axis=0) - whole)
            chance = np.var(gaps, axis=0, ddof=1).sum() / len(gaps) if len(gaps) > 1 else 0.0
            found.append(math.sqrt(max(np.sum(np.mean(gaps, axis=0) ** 2) - chance, 0.0)) / np.linalg.norm(whole))
        single = mlp.views(f.grad(theta, batch=order[:1]))["layers.0.weight"]
        alone = float(np.abs(single).max() / np.abs(mlp.views(whole)["layers.0.weight"]).max())
    return np.reshape(found, (2, len(SIZES))), alone


def compute(p: Params, seed: int, progress: Progress) -> dict[str, Array]:
    """The five studies."""
    swept = []
    for run in range(p.sets):
        progress(0.7 * run / p.sets, "step sizes")
        swept.append(sweep(seed, run))
    progress(0.7, "averages")
    settled, law = averages(p, seed)
    progress(0.8, "batches")
    shared = [batches(p, seed, run) for run in range(p.networks)]
    return {
        "sweep": np.array(swept),
        "bias": np.array([bias(seed, run) for run in range(p.networks)]),
        "averages": settled,
        "averages_law": law,
        "evaluation": np.array([evaluation(seed, run) for run in range(8)]),
        "batches": np.array([each for each, _ in shared]),
        "alone": np.array([each for _, each in shared]),
    }


def tolerated(data: Data) -> Array:
    """The binary logarithm of the longest step that still learns, shape (sets, kinds); NaN where none does."""
    learns = np.nan_to_num(data["sweep"], nan=np.inf) < LEARNED
    longest = len(LRS) - 1 - np.argmax(learns[:, :, ::-1], axis=2)
    return np.where(learns.any(axis=2), np.log2(LRS)[longest], np.nan)


def step_claims(data: Data) -> list[Claim]:
    """Longer steps, and the grid is wide enough to see them."""
    longest = tolerated(data)
    said = "Normalized {} the activation, SGD tolerates more than twice the step; the mean log2 of the factor."
    inside = "The grid of steps holds every longest step inside it: the share of data sets."
    share = np.mean((longest > np.log2(LRS[0])) & (longest < np.log2(LRS[-1])))
    return [
        *(
            mean(f"steps_{name}", said.format(place), longest[:, k] - longest[:, 0], None, (1.0, 4.0))
            for k, (name, place) in enumerate((("before", "before"), ("after", "behind")), start=1)
        ),
        exact("steps_grid", inside, share, 1.0),
    ]


def mode_claims(data: Data) -> list[Claim]:
    """What the averages know, and that evaluation is training but for the unbiased variance."""
    found = []
    for name, k, step in (("settled", 0, -1), ("swapped", 1, -1), ("early", 0, EARLY)):
        law = data["averages_law"][k, step]
        said = (
            f"m = {MOMENTA[k]:g}, {STEPS[step]} steps: the running mean errs by {law:.3f} σ²/B in the square; the mean."
        )
        found.append(mean(name, said, data["averages"][k, step], law, (0.75 * law, 1.25 * law)))
    factor, scaled, biased, _ = np.abs(data["evaluation"]).max(axis=0)
    least = np.abs(data["evaluation"][:, 3]).min()
    is_part = "Settled averages: logits are √(1 − 1/n) of those in training; the largest relative difference."
    same = "With the biased variance evaluation is training: the largest relative difference."
    not_same = "With the unbiased variance it is not: the least relative difference, n = 16 to 128."
    return [
        *found,
        bounded("unbiased", is_part, max(factor, scaled), (0.0, ROUNDING)),
        bounded("evaluation", same, biased, (0.0, ROUNDING)),
        bounded("not_training", not_same, least, (1e-3, None)),
    ]


def gradient_claims(data: Data) -> list[Claim]:
    """The redundant bias, and gradients of batches."""
    (slope_before, moved_before), (slope_after, moved_after) = data["bias"].max(axis=0)[0], data["bias"].min(axis=0)[1]
    gradient = "Normalization {} the activation: the {} gradient by a bias, over that by β."
    value = "Normalization {} the activation: the {} relative change of the loss when the biases move."
    plain, normed = data["batches"].swapaxes(0, 1)
    places = np.log(1 / np.array(SIZES[FIT]) - 1 / SAMPLES)
    sums = "Without normalization batch gradients average to the gradient of all: the largest relative difference."
    differs = (
        f"With it they do not, B = {SIZES[FIT][0]}: the relative difference of the mean over many orders; the mean."
    )
    order = "It falls as 1/B − 1/n: the slope in log-log."
    alone = "A sample alone has no gradient by the first weights: the largest, over that of all samples."
    return [
        bounded("bias_before", gradient.format("before", "largest"), slope_before, (0.0, ROUNDING)),
        bounded("bias_after", gradient.format("behind", "least"), slope_after, (1e-3, None)),
        bounded("moved_before", value.format("before", "largest"), moved_before, (0.0, ROUNDING)),
        bounded("moved_after", value.format("behind", "least"), moved_after, (1e-8, None)),
        bounded("sums", sums, plain.max(), (0.0, ROUNDING)),
        mean("no_sum", differs, normed[:, FIT][:, 0], None, (0.02, 0.5)),
        slope("first_order", order, places, np.log(normed[:, FIT]), 1.0, (0.7, 1.35)),
        bounded("alone", alone, data["alone"].max(), (0.0, ROUNDING)),
    ]


def claims(data: Data, p: Params) -> list[Claim]:
    """Steps, modes, gradients."""
    return [*step_claims(data), *mode_claims(data), *gradient_claims(data)]


def draw_steps(ax: Axes, data: Data) -> None:
    """The final loss against the step size: the median of the data sets, and the middle half of them."""
    gone = 8.0
    loss = np.clip(np.nan_to_num(data["sweep"], nan=gone), None, gone)
    labels = (("without", 0.62, 2.5), ("before the\nactivation", 3.4, 0.16), ("behind it", 1.0, 0.03))
    for k, (text, x, y) in enumerate(labels):
        color, (low, middle, high) = plotting.COLORS[(1, 0, 2)[k]], np.quantile(loss[:, k], (0.25, 0.5, 0.75), axis=0)
        ax.fill_between(LRS, low, high, color=color, alpha=0.2, linewidth=0)
        ax.plot(LRS, middle, "os^"[k] + "-", color=color, markersize=9)
        ax.text(x, y, text, color=color, ha="right" if k == 0 else "left")
    ax.axhline(LEARNED, color=plotting.BLACK, linewidth=1.6, linestyle=":")
    ax.text(LRS[0], 1.06 * LEARNED, "half of guessing", va="bottom")
    ax.text(LRS[0], gone, "diverged", va="center")
    ax.set(xscale="log", yscale="log", xlabel="step size η of SGD", ylabel=f"training loss after {EPOCHS} epochs")
    ax.set(ylim=(0.012, 12), xlim=(0.08, 17), title="Normalized, steps may be longer")


def draw_averages(ax: Axes, data: Data) -> None:
    """The squared error of the running mean against the steps, for m = 0.1 and 0.9."""
    steps = np.arange(1, STEPS[-1] + 1)
    for k, (m, text) in enumerate(zip(MOMENTA, ("m = 0.1 (A writes 0.9)", "m = 0.9, A's number"), strict=True)):
        begin = data["averages_law"][k, 0] - m / (2 - m) * (1 - (1 - m) ** 2)
        left = (1 - m) ** (2.0 * steps)
        line = plotting.theory_line(
            ax, steps, m / (2 - m) * (1 - left) + begin / (1 - m) ** 2 * left, "theory: noise and start"
        )
        ax.plot(STEPS, data["averages"][k].mean(axis=1), "so"[k], color=plotting.COLORS[3 - 3 * k], markersize=10)
        ax.text(1.0, (0.075, 0.35)[k], text, color=plotting.COLORS[3 - 3 * k])
    ax.set(
        xscale="log", yscale="log", ylim=(0.04, 8), xlabel="steps k with frozen weights", ylabel="squared error in σ²/B"
    )
    ax.set_xticks(STEPS, [str(each) for each in STEPS])
    ax.minorticks_off()
    ax.set(title="A's momentum is one minus B's")
    ax.legend(handles=[line], loc="upper right")


def draw_batches(ax: Axes, data: Data) -> None:
    """How far the mean gradient of batches is from that of all samples."""
    plain, normed = np.exp(np.log(np.maximum(data["batches"], 1e-17)).mean(axis=0))
    b = np.array(SIZES)
    ax.plot(b, normed, "o", color=plotting.COLORS[0], markersize=10)
    ax.plot(b, plain, "s", color=plotting.COLORS[1], markersize=9)
    law = 1 / b - 1 / SAMPLES
    line = plotting.theory_line(ax, b[FIT], normed[FIT][1] * law[FIT] / law[FIT][1], "theory: ∝ 1/B − 1/n")
    ax.text(4, 3e-5, "normalized", color=plotting.COLORS[0])
    ax.text(4, 3e-15, "without: rounding", color=plotting.COLORS[1])
    ax.set(
        xscale="log",
        yscale="log",
        ylim=(1e-17, 1e3),
        xlabel=f"batch size B of n = {SAMPLES}",
        ylabel="relative difference",
    )
    ax.set_xticks(b, [str(each) for each in b])
    ax.minorticks_off()
    ax.set_title("Batch gradients do not add up")
    ax.legend(handles=[line], loc="center right")


def plot(data: Data, p: Params) -> Figure:
    """Step sizes at the left; averages and batches at the right."""
    sheet, ((left, above), (spare, below)) = plotting.figure(2, 2)
    left.set_subplotspec(left.get_gridspec()[:, 0])
    spare.remove()
    draw_steps(left, data)
    draw_averages(above, data)
    draw_batches(below, data)
    return sheet


experiment = Experiment(
    title="Batch normalization lets SGD take more than twice the step, and makes a batch more than its samples",
    source="Additional Techniques; Training DNNs; Important Techniques: batch normalization",
    question="What does normalization by the batch allow, what does it make redundant, and what does it mix?",
    params={"sets": 50, "runs": 800, "networks": 20, "shares": 64},
    quick={"sets": 14, "runs": 300, "networks": 10, "shares": 32},
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
