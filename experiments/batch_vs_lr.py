"""Growing the batch by k instead of dividing the learning rate by k (lecture *Training neural networks 2*).

An epoch of n samples has n/B steps, so both divide what an epoch moves by k, and both divide the noise of a step, whose
variance goes with lr²/B, in the same way by the epoch: what matters is lr/B. The loss of an epoch is the same, with k
times fewer steps. Smith, Kindermans, Ying and Le, "Don't decay the learning rate, increase the batch size", 2018.

This holds while a step is short. Least squares with normal features of covariance I and noise σ² shows how far: the
mean square c of an error along one of d axes obeys c ← (1 − η)² c + η²/B ((1 + d) c + σ²), and settles at
c = ησ²/(B(2 − η) − η(1 + d)). It depends on η/B alone only for η ≪ 2: a long step overshoots, which no batch cures.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import optlab as ol
from optlab import plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, exact, mean
from optlab.nn import MLP
from optlab.nn.landscape import NetworkLandscape
from optlab.random import derive_seed, normal

Array = np.ndarray
BATCH, LR, FACTOR = 16, 0.5, 4
ARMS = ("neither", "lr / 4", "batch × 4")
COLORS = (plotting.VERMILLION, plotting.BLUE, plotting.ORANGE)
PHASES, EPOCHS = 3, 5  # phases of so many epochs
DIM, ROWS, SMALL = 8, 4096, (0.05, 0.1, 0.2, 0.4, 0.8)


def plan(arm: str, phase: int) -> tuple[float, int]:
    """Learning rate and batch size of a phase."""
    divided = float(FACTOR**phase)
    return LR / (divided if arm == "lr / 4" else 1.0), BATCH * (FACTOR**phase if arm == "batch × 4" else 1)


def training(f: NetworkLandscape, arm: str, p: Params, seed: int) -> Array:
    """The training loss after each epoch, the mean over runs."""
    x, first, found = f.mlp.init(derive_seed(seed, "start"), runs=p.runs), 0, []
    for phase in range(PHASES):
        lr, batch = plan(arm, phase)
        each = p.samples // batch
        ends = [first + each * k for k in range(1, EPOCHS + 1)]
        options = {"batch_size": batch, "first_step": first, "record": ends, "record_x": False}
        path = ol.descend(f, ol.SGD(lr), x, each * EPOCHS, seed=derive_seed(seed, "batches"), **options)
        x, first = path.last, path.last_step
        found.append(path.value.mean(axis=1))
    return np.concatenate(found)


def updates(arm: str, p: Params) -> Array:
    """How many steps have been taken after each epoch."""
    return np.cumsum([p.samples // plan(arm, phase)[1] for phase in range(PHASES) for _ in range(EPOCHS)])


def network(p: Params, seed: int) -> Array:
    """The curves of all arms on one data set."""
    X, y = ol.data.gaussian_mixture(p.samples, seed=derive_seed(seed, "data"), classes=4, dim=16, separation=0.4)
    f = MLP([16, 16, 4]).on(X, y)
    return np.array([training(f, arm, p, seed) for arm in ARMS])


def squares(seed: int) -> tuple[ol.landscapes.LeastSquares, float]:
    """Least squares whose features have the covariance I exactly, and the mean squared residual of its solution."""
    q, _ = np.linalg.qr(normal((ROWS, DIM), derive_seed(seed, "rows")))
    f = ol.landscapes.LeastSquares(q * np.sqrt(ROWS), normal(ROWS, derive_seed(seed, "noise")))
    return f, 2 * f.minimum


def law(lr: Array, batch: int) -> Array:
    """The excess at which SGD settles, for σ² = 1."""
    return DIM / 2 * lr / (batch * (2 - lr) - lr * (1 + DIM))


def floors(p: Params, seed: int) -> Array:
    """The settled excess over that for σ² = 1, (rates, grown or divided, runs)."""
    f, noise = squares(seed)
    found = np.empty((len(SMALL), 2, p.floor_runs))
    for i, lr in enumerate(SMALL):
        for j, (rate, batch) in enumerate(((lr, FACTOR * BATCH), (lr / FACTOR, BATCH))):
            settled = int(5 / rate)  # the square of the start falls to e^-10, and the start is at the solution
            x0 = np.tile(f.minima[0], (p.floor_runs, 1))
            record = list(range(settled, settled + p.floor_steps, 20))
            options = {"batch_size": batch, "seed": derive_seed(seed, i, j), "record": record, "record_x": False}
            path = ol.descend(f, ol.SGD(rate), x0, record[-1], **options)
            found[i, j] = (path.value.mean(axis=0) - f.minimum) / noise
    return found


def compute(p: Params, seed: int, progress: Progress) -> dict[str, Array]:
    """The curves on every data set, and the floors of least squares."""
    curves = []
    for k in range(p.seeds):
        progress(0.7 * k / p.seeds, f"data set {k}")
        curves.append(network(p, derive_seed(seed, "set", k)))
    progress(0.7, "least squares")
    return {"curves": np.array(curves), "floors": floors(p, derive_seed(seed, "squares"))}


def network_claims(data: Data, p: Params) -> list[Claim]:
    """The same loss by the epoch, from fewer steps; the control."""
    neither, divided, grown = np.moveaxis(data["curves"], 1, 0)
    gap = (grown - divided)[:, EPOCHS:] / (neither - divided)[:, EPOCHS:]
    said = {
        "last": "In the end a grown batch and a divided rate are at the same loss: the gap, in control's gaps.",
        "epochs": "So they are after each epoch since the first change: the mean gap, in control's gaps.",
        "control": "The control, which changes neither, stays above: log of the ratio of losses in the end.",
        "first": "Before the first change all three are the same: runs that differ.",
        "updates": "The batch that grew takes fewer steps: the ratio.",
    }
    share = (1 + 1 / FACTOR + 1 / FACTOR**2) / 3
    return [
        mean("last", said["last"], gap[:, -1], 0.0, (-0.1, 0.1)),
        mean("epochs", said["epochs"], gap.mean(axis=1), 0.0, (-0.1, 0.15)),
        mean("control", said["control"], np.log(neither[:, -1] / divided[:, -1]), None, (0.04, None)),
        exact("first", said["first"], np.sum(np.ptp(data["curves"][:, :, :EPOCHS], axis=1) != 0), 0),
        exact("updates", said["updates"], updates(ARMS[2], p)[-1] / updates(ARMS[1], p)[-1], share, 1e-12),
    ]


def floor_claims(data: Data) -> list[Claim]:
    """Where SGD settles on least squares, and where the two ways part."""
    found, rates = [], np.array(SMALL)
    laws = np.stack([law(rates, FACTOR * BATCH), law(rates / FACTOR, BATCH)], axis=1)
    said = "Least squares, {}: the excess settles as predicted; the mean ratio over {} rates."
    for j, name in enumerate(("grown", "divided")):
        ratio = np.mean(data["floors"][:, j] / laws[:, j, None], axis=0)
        found.append(mean(f"floor_{name}", said.format(ARMS[2 - j], len(SMALL)), ratio, 1.0, (0.93, 1.07)))
    for i in (0, -1):
        expected = laws[i, 0] / laws[i, 1]
        same = f"Least squares, lr {SMALL[i]:g}: a grown batch's floor is {expected:.2f} times a divided rate's."
        samples = data["floors"][i, 0] / data["floors"][i, 1].mean()
        found.append(mean(f"ratio_{SMALL[i]:g}", same, samples, expected, (0.88 * expected, 1.12 * expected)))
    return found


def claims(data: Data, p: Params) -> list[Claim]:
    """The network, and least squares."""
    return [*network_claims(data, p), *floor_claims(data)]


def draw_curves(ax: Axes, data: Data, steps: list[Array]) -> None:
    """The loss of the three arms, the mean over data sets."""
    for curve, x, color, style in zip(data["curves"].mean(axis=0), steps, COLORS, "^os", strict=True):
        ax.plot(x, curve, style + "-", color=color, markersize=10)
    ax.set_ylabel("training loss")


def draw_ratio(ax: Axes, data: Data) -> None:
    """The ratio of the two floors of least squares against the learning rate."""
    fine = np.geomspace(0.04, 1.2)
    ratio = data["floors"][:, 0].mean(axis=1) / data["floors"][:, 1].mean(axis=1)
    ax.semilogx(SMALL, ratio, "o", color=plotting.GREEN, markersize=11)
    line = plotting.theory_line(ax, fine, law(fine, FACTOR * BATCH) / law(fine / FACTOR, BATCH))
    ax.axhline(1, color="#999999", linewidth=1.5)
    ax.set_xticks(SMALL, [f"{lr:g}" for lr in SMALL])
    ax.minorticks_off()
    ax.legend(handles=[line], loc="upper left")
    ax.set(xlabel="lr (2 is the limit)", ylabel="floor, grown / divided", title="Long steps: not the same")


def plot(data: Data, p: Params) -> Figure:
    """Loss by epoch at the left; by step, and the limits of it, at the right."""
    sheet, ((left, above), (spare, below)) = plotting.figure(2, 2, width_ratios=(1.2, 1))
    left.set_subplotspec(left.get_gridspec()[:, 0])
    spare.remove()
    epochs = np.arange(1, PHASES * EPOCHS + 1)
    draw_curves(left, data, [epochs] * 3)
    for change in (EPOCHS, 2 * EPOCHS):
        left.axvline(change, color="#999999", linewidth=1.5, linestyle=":")
    last = data["curves"].mean(axis=0)[:, -1]
    for text, y, shift, color in zip(ARMS, last, (0.009, -0.007, 0.009), COLORS, strict=True):
        left.text(epochs[-1], y + shift, text, color=color, ha="right", va="center")
    left.set_ylim(bottom=last.min() - 0.012)
    left.set(xlabel="epoch", title="By epoch: a batch grown is a rate divided")
    draw_curves(above, data, [updates(arm, p) for arm in ARMS])
    above.set(xlabel="steps", title="By step: it takes fewer")
    draw_ratio(below, data)
    return sheet


experiment = Experiment(
    title="Growing the batch does by the epoch what dividing the learning rate does, with fewer steps",
    source="Training neural networks 2: batch size and learning rate; Smith et al. 2018",
    question="Is a batch grown by k the same as a learning rate divided by k?",
    params={"seeds": 40, "runs": 8, "samples": 4096, "floor_runs": 200, "floor_steps": 2000},
    quick={"seeds": 14, "runs": 4, "floor_runs": 40, "floor_steps": 1000},
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
