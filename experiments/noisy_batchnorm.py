"""Noise behind batch normalization: why normalization helps (lectures I and B; Santurkar et al., 2018).

Batch normalization was said to help because it keeps the distribution of each layer's inputs in place. So disturb it:
behind each normalization, at each step, y ← s y + m with random s and m for every unit and a little more for every
sample, (0.5, 1.25, 0.1). The inputs of a layer then move more from step to step than without any normalization, and
still training is faster than without. What normalization keeps is a smooth loss: along the gradient g of a batch,
‖∇f(θ − cg) − g‖/(c‖g‖) stays small, the largest over c = ½, 1, 2 and 4 learning rates, with batch and noise held fast.
(Drawn anew between the two gradients, the noise itself would count as roughness.)

The source's finding holds at long steps. At a third of that rate noise is no gain any more over none, and it costs
steps against batch normalization as it is. Each kind has the same rates to choose from, on other data sets.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import optlab as ol
from optlab import plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, mean
from optlab.random import derive_seed, normal

Array = np.ndarray
INPUTS, CLASSES, WIDTH, DEPTH, SAMPLES, BATCH = 32, 10, 32, 8, 240, 40
KINDS = {
    "none": {},
    "batch norm": {"norm": "batch"},
    "batch norm + noise": {"norm": "batch", "norm_noise": (0.5, 1.25, 0.1)},
}
LRS, SLOW, FAST = (0.01, 0.03, 0.1, 0.3), 1, 2
"""Learning rates, and which of them are compared."""
STEPS, TARGET, LAYER = 200, 0.5, 5
TIMES = np.arange(20, 140, 20)
"""Steps at which smoothness and drift are measured, at the slow rate, which suits all kinds."""
RECORDS = sorted({*range(0, STEPS + 1, 5), *TIMES.tolist(), *(TIMES + 1).tolist()})
REACH = (0.5, 1.0, 2.0, 4.0)
"""Along the gradient, in learning rates."""


def landscape(kind: str, seed: int) -> ol.nn.NetworkLandscape:
    """A deep network on normal clouds around random centres, one a class."""
    classes = np.arange(SAMPLES) % CLASSES
    rows = 0.6 * normal((CLASSES, INPUTS), seed)[classes] + normal((SAMPLES, INPUTS), seed, step=1)
    return ol.nn.MLP([INPUTS, *[WIDTH] * DEPTH, CLASSES], **KINDS[kind]).on(rows.astype(np.float32), classes)


def training(f: ol.nn.NetworkLandscape, seed: int) -> ol.Trajectory:
    """Momentum SGD from one start with each of LRS."""
    start = np.tile(f.mlp.init(derive_seed(seed, "start")), (len(LRS), 1))
    options = {"batch_size": BATCH, "seed": derive_seed(seed, "steps"), "stop": ol.stop.nonfinite()}
    return ol.descend(f, ol.SGD(lr=LRS, momentum=0.9), start, STEPS, record=RECORDS, **options)


def steps_to_target(path: ol.Trajectory) -> Array:
    """The first recorded step with the loss at TARGET, by learning rate; the last one where it is never met."""
    met = np.nan_to_num(path.value, nan=np.inf) <= TARGET
    return np.where(met.any(axis=0), path.step[np.argmax(met, axis=0)], STEPS)


def roughness(f: ol.nn.NetworkLandscape, theta: Array, seed: int, t: int, redrawn: bool = False) -> float:
    """The largest ‖∇f(θ − cg) − g‖/(c‖g‖) on one batch; `redrawn` draws it and the noise anew for the second."""
    frozen = f.sample(seed, t, batch_size=BATCH)
    other = f.sample(seed, t, run=1, batch_size=BATCH) if redrawn else frozen
    g = frozen.grad(theta)
    reach = LRS[SLOW] * np.array(REACH, theta.dtype)
    changes = other.grad(theta - reach[:, None] * g) - g
    return float(np.max(np.linalg.norm(changes, axis=1) / reach) / np.linalg.norm(g))


def drift(f: ol.nn.NetworkLandscape, before: Array, after: Array, seed: int, t: int) -> float:
    """How far mean and spread of a layer's units move in one step, over their spread; means over the units."""
    one, other = (f.sample(seed, t + k).outputs(x, LAYER) for k, x in enumerate((before, after)))
    moved = np.abs(other.mean(axis=0) - one.mean(axis=0)) + np.abs(other.std(axis=0) - one.std(axis=0))
    return float(moved.mean() / one.std(axis=0).mean())


def measured(kind: str, seed: int) -> dict[str, Array]:
    """Steps to the target by rate, the losses, roughness and drift at TIMES."""
    f, noise = landscape(kind, seed), derive_seed(seed, "noise")
    path = training(f, seed)
    at = np.searchsorted(path.step, TIMES)
    thetas = [(int(t), path.x[k, SLOW], path.x[k + 1, SLOW]) for t, k in zip(TIMES, at, strict=True)]
    return {
        "steps": steps_to_target(path),
        "loss": path.value[:, FAST],
        "rough": np.array([roughness(f, x, noise, t) for t, x, _ in thetas]),
        "redrawn": np.array([roughness(f, x, noise, t, redrawn=True) for t, x, _ in thetas]),
        "drift": np.array([drift(f, x, y, noise, t) for t, x, y in thetas]),
    }


def compute(p: Params, seed: int, progress: Progress) -> dict[str, Array]:
    """The rates that suit each kind, then the measurements, on other data sets."""
    tuning = [
        [
            steps_to_target(training(landscape(kind, each), each))
            for each in (derive_seed(seed, "tuning", k) for k in range(p.tuning))
        ]
        for kind in KINDS
    ]
    found = []
    for k in range(p.sets):
        progress(k / p.sets, f"data set {k}")
        found.append([measured(kind, derive_seed(seed, "shown", k)) for kind in KINDS])
    names = found[0][0]
    return {
        "tuned": np.argmin(np.mean(tuning, axis=1), axis=1),
        **{name: np.array([[each[name] for each in row] for row in found]) for name in names},
    }


def claims(data: Data, p: Params) -> list[Claim]:
    """Speed, drift, smoothness; all as binary logarithms of ratios."""
    steps = np.log2(data["steps"])
    best = np.take_along_axis(steps, data["tuned"][None, :, None], axis=2)[..., 0]
    none, normed, noisy = range(3)
    gain = steps[:, noisy] - steps[:, none]
    moved, rough, redrawn = (np.log2(data[name]).mean(axis=2) for name in ("drift", "rough", "redrawn"))
    said = {
        "fast": f"lr {LRS[FAST]:g}: steps to a loss of {TARGET:g} with noisy batch normalization, over those without.",
        "tuned": "Each with its best rate, tuned on other data sets: the same.",
        "drift": "Though with noise a layer's inputs move more from step to step, over the movement without.",
        "still": "Batch normalization without noise: they move less, over the movement without.",
        "smooth": "Batch normalization: the gradient changes less along the step, over the change without.",
        "smooth_noisy": "The same with noise.",
        "cost": f"lr {LRS[SLOW]:g}: the noise costs steps, noisy over plain batch normalization.",
        "slow": f"At lr {LRS[SLOW]:g} most of that gain is gone: the ratio there, over that at {LRS[FAST]:g}.",
        "redrawn": "Noise and batch drawn anew between the gradients would pass for roughness, over that held fast.",
    }
    ratios = {
        "fast": (gain[:, FAST], (None, -0.3)),
        "tuned": (best[:, noisy] - best[:, none], (None, -0.02)),
        "drift": (moved[:, noisy] - moved[:, none], (0.58, None)),
        "still": (moved[:, normed] - moved[:, none], (None, -0.5)),
        "smooth": (rough[:, normed] - rough[:, none], (None, -0.02)),
        "smooth_noisy": (rough[:, noisy] - rough[:, none], (None, -0.02)),
        "cost": (steps[:, noisy, SLOW] - steps[:, normed, SLOW], (0.02, None)),
        "slow": (gain[:, SLOW] - gain[:, FAST], (0.5, None)),
        "redrawn": (redrawn[:, noisy] - rough[:, noisy], (1.0, None)),
    }
    return [mean(name, f"{said[name]} Mean log2.", samples, None, accept) for name, (samples, accept) in ratios.items()]


COLORS = (plotting.VERMILLION, plotting.BLUE, plotting.GREEN)


def draw_losses(ax: Axes, data: Data) -> None:
    """The training loss by step at the fast rate."""
    for k, (kind, color) in enumerate(zip(KINDS, COLORS, strict=True)):
        low, middle, high = np.quantile(data["loss"][:, k], (0.25, 0.5, 0.75), axis=0)
        ax.fill_between(RECORDS, low, high, color=color, alpha=0.2, linewidth=0)
        ax.plot(RECORDS, middle, color=color, label=kind)
    ax.axhline(TARGET, color=plotting.BLACK, linewidth=1.6, linestyle=":")
    ax.set(
        xlim=(0, STEPS),
        ylim=(0, 2.6),
        xlabel="step",
        ylabel="training loss",
        title=f"lr {LRS[FAST]:g}: shaken, and still faster",
    )
    ax.legend(loc="upper right")


def draw_rates(ax: Axes, data: Data) -> None:
    """Steps to the target by learning rate."""
    for k, (color, mark) in enumerate(zip(COLORS, "sod", strict=True)):
        ax.plot(LRS, 2 ** np.log2(data["steps"][:, k]).mean(axis=0), mark + "-", color=color)
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="learning rate",
        ylabel=f"steps to loss {TARGET:g}",
        title="The gain comes at high rates",
    )
    ax.set_xticks(LRS, [f"{lr:g}" for lr in LRS])
    ax.set_yticks((25, 50, 100, 200), ("25", "50", "100", "200+"))
    ax.minorticks_off()


def draw_measure(ax: Axes, values: Array, label: str, title: str, scale: str) -> None:
    """One measure by step, a geometric mean over the data sets."""
    for k, (color, mark) in enumerate(zip(COLORS, "sod", strict=True)):
        ax.plot(TIMES, np.exp(np.log(values[:, k]).mean(axis=0)), mark + "-", color=color)
    ax.set(yscale=scale, xlabel="step", ylabel=label, title=title)


def plot(data: Data, p: Params) -> Figure:
    """Speed above; drift and smoothness below."""
    sheet, ((a, b), (c, d)) = plotting.figure(2, 2)
    draw_losses(a, data)
    draw_rates(b, data)
    draw_measure(c, data["drift"], "drift a step", "… though its layers' inputs drift", "log")
    draw_measure(d, data["rough"], "gradient change", "What batch norm keeps: smoothness", "linear")
    d.set_ylim(bottom=0)
    return sheet


experiment = Experiment(
    title="Batch normalization helps by a smoother loss, not by still inputs: shaken, it still wins",
    source="Important Techniques; Training DNNs: why batch normalization works",
    question="Does batch normalization help because it keeps the distribution of a layer's inputs?",
    params={"sets": 30, "tuning": 6},
    quick={"sets": 12, "tuning": 1},
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
