"""What a larger batch buys: steps to a target, the best learning rate, the critical batch (lecture C).

* A noisy quadratic that is understood completely: curvatures h_i = 1/i, gradient noise of variance h_i/B, all second
  moments 1 at first. They obey m ← (1 − ηh)² m + η²h/B, hence m(t) = aᵗ + s (1 − aᵗ) with a = (1 − ηh)² and
  s = η²h/(B(1 − a)). The best η for each B gives the steps T(B) to the target: a line of slope −1, then a flat one. The
  hyperbola T = T_min (1 + B_c/B) joins them, with the critical batch B_c = E_min/T_min, E_min = min B T samples.
* A network on data: the same picture, with the learning rate tuned for each B on all data sets but the one shown.
  A step of batch B at its best does the work of 1/(1 + N/B) of one without noise, with the noise scale N = tr Σ/|G|²
  of the gradients there, G of all samples, Σ of a single one. So B_c is the mean of N along the path without noise.
* The best η grows with B while noise is what limits it, and stays where curvature does. The loss here is a mean over
  the batch; for a sum, as lecture C writes it, the best η per B would fall as 1/B beyond the critical batch.

Zhang et al., "Which algorithmic choices matter at which batch sizes?", 2019; McCandlish et al., "An empirical model of
large-batch training", 2018; Shallue et al., "Measuring the effects of data parallelism", 2019.
"""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import optlab as ol
from optlab import plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, bounded, exact, mean, slope
from optlab.landscapes import Quadratic
from optlab.nn import MLP
from optlab.nn.landscape import NetworkLandscape
from optlab.random import derive_seed, integers

Array = np.ndarray
BENDS, AIM = 1 / np.arange(1.0, 301.0), 0.01
SIZES = 4.0 ** np.arange(10)
STEP_SIZES = np.geomspace(1e-5, 1.99, 200)
SIMULATED = (4, 5, 7)  # which sizes are run
BATCHES = 4 ** np.arange(6)
LRS = 2.0 ** np.arange(-8, 3)
CAPS = (6000, 2400, 900, 400, 150, 150)
LEFT = 0.15  # of the way from guessing to the least loss


def exact_steps() -> tuple[Array, Array]:
    """The least steps of the quadratic to the target over all step sizes, and the best step size, for each size."""
    h, eta, batch = BENDS, STEP_SIZES[:, None], SIZES[:, None, None]
    a = (1 - eta * h) ** 2
    floor = eta**2 * h / (batch * (1 - a))
    low, high = np.zeros((len(SIZES), len(STEP_SIZES))), np.full((len(SIZES), len(STEP_SIZES)), 2.0**24)
    reached = np.sum(h * floor, axis=2) / 2 < AIM
    for _ in range(24):  # halvings, down to one step
        t = np.floor((low + high) / 2)
        left = np.exp(t[..., None] * np.log(np.maximum(a, 1e-300)))
        above = np.sum(h * (left + floor * (1 - left)), axis=2) / 2 > AIM
        low, high = np.where(above, t, low), np.where(above, high, t)
    steps = np.where(reached, high, np.inf)
    return steps.min(axis=1), STEP_SIZES[np.argmin(steps, axis=1)]


def simulated(size: int, steps: Array, eta: Array, p: Params, seed: int) -> Array:
    """The loss of each run after the predicted number of steps, over the target."""
    x0, noise = np.ones((p.runs, len(BENDS))), np.sqrt(BENDS / SIZES[size])
    path = ol.descend(
        Quadratic(BENDS),
        ol.SGD(float(eta[size])),
        x0,
        int(steps[size]),
        gradient_noise=noise,
        record_x=False,
        seed=seed,
    )
    return path.value[-1] / AIM


def arrival(path: ol.Trajectory, target: float, cap: int) -> Array:
    """The step at which each run is at the target, between records by the logarithm; the cap where it never is."""
    values, found = np.nan_to_num(path.value, nan=np.inf), np.full(path.value.shape[1], float(cap))
    below = values < target
    for run in np.flatnonzero(below.any(axis=0)):
        k = int(np.argmax(below[:, run]))
        above, under = np.log(values[k - 1, run] / target), np.log(target / values[k, run])
        start, end = path.step[k - 1 : k + 1]
        found[run] = start + (end - start) * above / (above + under)
    return found


def noise_scale(f: NetworkLandscape, theta: Array, p: Params, seed: int) -> float:
    """The noise scale at a point, from batches of 16."""
    whole = f.grad(theta).astype(np.float64)
    index = integers((p.probes, 16), f.n_samples, seed)
    squares = [np.sum(np.square(f.grad(theta, batch=batch), dtype=np.float64)) for batch in index]
    return float(16 * (np.mean(squares) / (whole @ whole) - 1))


def network(p: Params, seed: int) -> tuple[Array, float]:
    """Steps to the target, (batches, rates), and the noise scale there."""
    X, y = ol.data.gaussian_mixture(p.samples, seed=derive_seed(seed, "data"), classes=4, dim=16, separation=0.6)
    f = MLP([16, 24, 4]).on(X, y)
    start = f.mlp.init(derive_seed(seed, "start"))
    least = float(ol.descend(f, ol.SGD(1.0), start, 300, record_x=False).value.min())
    target = least + LEFT * (math.log(4) - least)
    found = []
    for batch, cap in zip(BATCHES.tolist(), CAPS, strict=True):
        options = {"batch_size": batch, "record": ol.log_spaced(p.records), "record_x": False, "nonfinite": "stop"}
        path = ol.descend(f, ol.SGD(LRS), np.tile(start, (len(LRS), 1)), cap, seed=derive_seed(seed, "run"), **options)
        found.append(arrival(path, target, cap))
    lr = LRS[np.argmin(found[-1])]
    way = ol.descend(f, ol.SGD(float(lr)), start, CAPS[-1], record=1, stop=ol.stop.value(target))
    points = way.x[: int(way.stop_step[0]), 0]
    scales = [noise_scale(f, x, p, derive_seed(seed, "probe", k)) for k, x in enumerate(points)]
    return np.array(found), float(np.mean(scales))


def compute(p: Params, seed: int, progress: Progress) -> dict[str, Array]:
    """The quadratic, computed and run; the network on every data set."""
    steps, eta = exact_steps()
    runs = [simulated(k, steps, eta, p, derive_seed(seed, "quadratic", k)) for k in SIMULATED]
    tables = []
    for k in range(p.sets):
        progress(0.2 + 0.8 * k / p.sets, f"data set {k}")
        tables.append(network(p, derive_seed(seed, "set", k)))
    return {
        "steps": steps,
        "eta": eta,
        "runs": np.array(runs),
        "table": np.array([table for table, _ in tables]),
        "scale": np.array([scale for _, scale in tables]),
    }


def tuned(data: Data) -> tuple[Array, Array]:
    """Steps on each data set, with the rate that is best on average on all others, and that rate's place."""
    logs = np.log2(data["table"])
    chosen = np.argmin(logs.sum(axis=0) - logs, axis=2)
    return np.take_along_axis(logs, chosen[..., None], axis=2)[..., 0], chosen


def critical(log_steps: Array, sizes: Array) -> Array:
    """log2 of E_min/T_min."""
    return (np.log2(sizes) + log_steps).min(axis=-1) - log_steps.min(axis=-1)


def quadratic_claims(data: Data) -> list[Claim]:
    """What is exact."""
    log_t, log_b, log_eta = np.log2(data["steps"]), np.log2(SIZES), np.log2(data["eta"])
    local = np.diff(log_t) / np.diff(log_b)
    line = np.log2(2 ** log_t.min() * (1 + 2 ** critical(log_t, SIZES) / SIZES))
    said = "Quadratic, B = {:g}: the loss after the predicted {:.0f} steps, over the target; the mean over runs."
    small, early = log_b[:4], log_eta[:4] - log_eta[0]
    return [
        *(
            mean(f"run_{SIZES[k]:g}", said.format(SIZES[k], data["steps"][k]), ratio, 1.0, (0.92, 1.07))
            for k, ratio in zip(SIMULATED, data["runs"], strict=True)
        ),
        bounded("slope_small", "Quadratic: steps ∝ 1/B at first; the slope.", local[0], (-1.05, -0.95), -1.0),
        bounded("slope_large", "Quadratic: flat in the end; the slope.", local[-1], (-0.05, 0.0), 0.0),
        bounded("hyperbola", "Quadratic: T_min (1 + B_c/B), within; log2.", np.abs(log_t - line).max(), (0, 0.4)),
        bounded(
            "eta", "Quadratic: the best step ∝ B at first; the power.", np.polyfit(small, early, 1)[0], (0.9, 1.1), 1
        ),
    ]


def network_claims(data: Data, p: Params) -> list[Claim]:
    """The same for the network."""
    steps, chosen = tuned(data)
    own, log_b = np.argmin(data["table"], axis=2), np.log2(BATCHES)
    first = "Network: the power of B in the steps to the target, B = 1 to 16."
    last = "Network: the power of B, 256 to 1024."
    rate = "Network: the power of B in the best learning rate, B = 1 to 64."
    stays = (
        "Network: the best learning rate grows no more in proportion, 256 to 1024: log2 of its factor, where B's is 2."
    )
    size = "Network: the critical batch is 1/16 to 4 times the mean noise scale of the way: log2, the mean."
    edge = "Network: best rates at an end of the grid."
    return [
        slope("power_small", first, log_b[:3], steps[:, :3], -1.0, (-1.3, -0.7)),
        slope("power_large", last, log_b[4:], steps[:, 4:], None, (-0.6, 0.25)),
        slope("rate", rate, log_b[:4], own[:, :4], 1.0, (0.6, 1.35)),
        mean("rate_stays", stays, own[:, 5] - own[:, 4], None, (-1.2, 1.4)),
        mean("noise_scale", size, critical(steps, BATCHES) - np.log2(data["scale"]), 0.0, (-4, 2)),
        exact("edge", edge, np.sum((chosen == 0) | (chosen == len(LRS) - 1)), 0),
    ]


def claims(data: Data, p: Params) -> list[Claim]:
    """The quadratic, and the network."""
    return [*quadratic_claims(data), *network_claims(data, p)]


def draw_steps(ax: Axes, sizes: Array, log_steps: Array, color: str) -> None:
    """Steps against batch size with the two guides."""
    ax.loglog(sizes, 2**log_steps, "o", color=color, markersize=11)
    fine = np.geomspace(sizes[0], sizes[-1])
    least, size = 2 ** log_steps.min(), 2 ** critical(log_steps, sizes)
    plotting.theory_line(ax, fine, least * (1 + size / fine), "T₀ (1 + critical/B)")
    ax.axvline(size, color="#999999", linewidth=1.5)
    ax.text(size * 1.15, 2 ** (log_steps.max() - 2.6), f"critical: {size:.0f}", color="#666666", va="top")
    ax.set(xlabel="batch size B", ylabel="steps to the target")


def draw_rates(ax: Axes, sizes: Array, rates: Array, color: str) -> None:
    """The best learning rate against batch size."""
    ax.loglog(sizes, rates, "s", color=color, markersize=10)
    early = sizes <= 64
    plotting.theory_line(ax, sizes[early], rates[0] * sizes[early] / sizes[0], "∝ B")
    ax.set(xlabel="batch size B", ylabel="best learning rate")
    ax.legend(loc="lower right")


def plot(data: Data, p: Params) -> Figure:
    """Steps above, best rates below; the quadratic at the left, the network at the right."""
    sheet, axes = plotting.figure(2, 2, sharex="col")
    steps, _ = tuned(data)
    own = np.argmin(data["table"], axis=2).mean(axis=0)
    draw_steps(axes[0, 0], SIZES, np.log2(data["steps"]), plotting.BLUE)
    draw_steps(axes[0, 1], BATCHES, steps.mean(axis=0), plotting.VERMILLION)
    draw_rates(axes[1, 0], SIZES, data["eta"], plotting.BLUE)
    draw_rates(axes[1, 1], BATCHES, 2.0 ** (np.log2(LRS[0]) + own), plotting.VERMILLION)
    scale = 2 ** np.log2(data["scale"]).mean()
    axes[0, 1].axvline(scale, color=plotting.GREEN, linewidth=2.5, linestyle=":")
    axes[0, 1].text(scale * 1.25, 600, f"mean noise\nscale: {scale:.0f}", color=plotting.GREEN, va="center")
    axes[0, 0].legend(loc="upper right")
    axes[0, 0].set_title("Noisy quadratic, exact")
    axes[0, 1].set_title("Network, tuned for each B")
    for ax in axes[0]:
        ax.set_xlabel("")
    return sheet


experiment = Experiment(
    title="Twice the batch is half the steps, up to the critical batch; beyond it buys nothing",
    source="Training neural networks 2: batch size; Zhang et al. 2019, McCandlish et al. 2018, Shallue et al. 2019",
    question="How many steps does a larger batch save, and how does the best learning rate go with it?",
    params={"runs": 4000, "sets": 32, "samples": 2048, "records": 80, "probes": 256},
    quick={"runs": 600, "sets": 10, "samples": 1024, "records": 36, "probes": 64},
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
