"""The noise of mini-batches leaves a shallow minimum and a saddle, momentum a trap (the notebook; lecture A).

* The shallow minimum is that of the notebook's f(x) = x cos(0.15πx) at −1.83, behind a hump of height ΔV. Sample i has
  the loss f(x) + σ zᵢ x with a normal number zᵢ, so that a fresh batch of B has the gradient f′(x) + N(0, σ²/B),
  `gradient_noise=σ/√B`. For step size η this is a particle at temperature T = ησ²/(2B) in time ηk. To a point beyond
  the hump it takes (1/T) ∫ e^{f(y)/T} ∫ e^{−f(z)/T} dz dy in the mean, y from the minimum on and z from the left up to
  y, which grows as e^{ΔV/T} (Kramers 1940). So the ratio η/B decides.
* The saddle is that of a linear autoencoder 2-1-2 which has learnt the second principal direction and not the first: a
  finite sum with real batches. Its numbers are multiples of 1/64 there, so that full batches stay to the last bit. A
  batch pushes along the falling direction, of curvature −γ, with deviation s = ησ_v/√B. As for any noise at a saddle
  the distance r takes (log(r/σ∞) + (γ_E + log 2)/2)/log a + ½ steps in the mean, where a = 1 + ηγ, σ∞ = s/√(a² − 1);
  γ_E is Euler's constant: a logarithm of the noise where the hump took an exponential.
* Momentum needs no noise: for small steps heavy ball is x″ + μx′ = −f′(x) with μ = (1 − β)/√η. From rest on a slope it
  passes the hump where μ is below a threshold. Gradient descent, whatever its small step, ends in the first minimum.

The sources give no sizes; σ, η and B are ours, and so is noise that is the same everywhere at the hump. Batches below
64 leave the saddle a little sooner than said: they are far from it before what is linear there has grown.
"""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.integrate import solve_ivp

import optlab as ol
from optlab import plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, bounded, exact, fraction, mean
from optlab.nn import MLP, NetworkLandscape
from optlab.random import derive_seed, normal

HILLS = ol.landscapes.Cosine(0.15 * math.pi)
LEFT, SHALLOW, HUMP, DEEP = (float(x) for x in HILLS.stationary(-8.0, 8.0))
BEYOND = DEEP - 1.0
SIGMA = 30.0
RATES = (0.025, 0.05, 0.1)
RATIOS = 1 / np.array([200, 400, 600, 800, 1200, 1600])
"""η/B."""

HORIZON = 200.0
"""η times the steps taken."""

TIMED = (1 / 400, 1 / 500, 1 / 600)
SADDLE_RATE, RADIUS = 0.05, 0.1
SADDLE = np.array([0.0, 1.0, 0.0, 1.0])
BALL_RATE = 1e-4
STARTS = (-6.5, -6.0, -5.5, -5.0, -4.5, -4.0)


def height(x: np.ndarray | float) -> np.ndarray:
    """The notebook's function."""
    return HILLS.value(np.atleast_1d(x)[:, None])


def kramers(ratio: float) -> float:
    """The mean time from the shallow minimum to beyond the hump, η times steps, for η/B."""
    T = ratio * SIGMA**2 / 2
    y = np.linspace(LEFT, BEYOND, 20_001)
    inner = np.cumsum(np.exp(-height(y) / T)) * (y[1] - y[0])
    outer = np.exp(height(y) / T) * inner * (y >= SHALLOW)
    return float(outer.sum() * (y[1] - y[0]) / T)


def share(ratio: np.ndarray) -> np.ndarray:
    """What theory expects to have left within the horizon."""
    return np.array([-math.expm1(-HORIZON / kramers(each)) for each in ratio])


def exits(rate: float, ratio: float, x0: np.ndarray, steps: int, seed: int) -> np.ndarray:
    """When each run is beyond the hump; NaN for never. A ratio 0 is gradient descent."""
    noise = SIGMA * math.sqrt(ratio / rate)
    beyond = ol.stop.leaves_box(LEFT, BEYOND)
    own = derive_seed(seed, "exit", rate, ratio)
    path = ol.descend(
        HILLS, ol.SGD(lr=rate), x0[:, None], steps, gradient_noise=noise, seed=own, stop=beyond, record=[]
    )
    return np.where(path.stop_reason == "left", path.stop_step, np.nan)


def autoencoder(seed: int, samples: int) -> NetworkLandscape:
    """The network on points whose coordinates are multiples of 1/64, mirrored on both axes; the first varies more."""
    z = np.round(64 * normal((samples // 4, 2), seed) * np.sqrt([1.5, 0.7])) / 64
    X = np.concatenate([z, -z, z * [1, -1], z * [-1, 1]])
    mlp = MLP([2, 1, 2], "identity", bias=False, init="zeros", dtype="float64")
    return mlp.on(X, X, "mse")


def leaving(p: Params, seed: int) -> dict[str, np.ndarray]:
    """Times from the saddle for each batch size, with what theory expects, and how far full batches get."""
    f = autoencoder(derive_seed(seed, "data"), p.samples)
    values, vectors = np.linalg.eigh(f.hessian(SADDLE))
    down = vectors[:, 0]
    each = [f.grad(SADDLE, batch=np.array([i])) @ down for i in range(p.samples)]
    a, times, expected = 1 - SADDLE_RATE * values[0], [], []
    x0, far = np.tile(SADDLE, (p.runs, 1)), ol.stop.leaves_ball(RADIUS, SADDLE, (0, 2))
    for size in p.sizes:
        last = SADDLE_RATE * np.std(each) / math.sqrt(size) / math.sqrt(a * a - 1)
        mean_time = (math.log(RADIUS / last) + (np.euler_gamma + math.log(2)) / 2) / math.log(a) + 0.5
        path = ol.descend(
            f, ol.SGD(lr=SADDLE_RATE), x0, p.still, batch_size=size, seed=derive_seed(seed, size), stop=far, record=[]
        )
        times.append(np.where(path.stop_reason == "left", path.stop_step, np.nan))
        expected.append(mean_time)
    full = ol.descend(f, ol.SGD(lr=SADDLE_RATE), SADDLE, p.still, record=[]).last
    return {"times": np.array(times), "times_law": np.array(expected), "moved": np.abs(full - SADDLE).max()}


def passes(friction: np.ndarray, start: float) -> np.ndarray:
    """Whether heavy ball from rest at a start is ever beyond the hump, for each μ."""
    ball = ol.HeavyBall(lr=BALL_RATE, momentum=1 - friction * math.sqrt(BALL_RATE))
    x0, beyond = np.full((len(friction), 1), start), ol.stop.leaves_box(-math.inf, HUMP)
    path = ol.descend(HILLS, ball, x0, 6000, stop=beyond, record=[])
    return np.asarray(path.stop_reason == "left")


def threshold(start: float) -> float:
    """The largest μ with which x″ + μx′ = −f′(x) passes the hump, by bisection."""

    def beyond(t: float, state: np.ndarray, mu: float) -> float:
        return float(state[0] - HUMP)

    def turned(t: float, state: np.ndarray, mu: float) -> float:
        return float(state[1]) + (t < 0.1)

    beyond.terminal = turned.terminal = True  # type: ignore[attr-defined]
    low, high = 0.0, 3.0
    for _ in range(18):
        mu = (low + high) / 2
        way = solve_ivp(
            lambda t, state, mu: (state[1], -HILLS.grad(state[:1].copy())[0] - mu * state[1]),
            (0.0, 60.0),
            (start, 0.0),
            args=(mu,),
            events=(beyond, turned),
            rtol=1e-8,
        )
        low, high = (mu, high) if len(way.t_events[0]) else (low, mu)
    return low


def trap(p: Params) -> dict[str, np.ndarray]:
    """The thresholds of heavy ball and of the equation of motion, for each start, and where gradient descent ends."""
    law = np.array([threshold(start) for start in STARTS])
    near = np.linspace(0.9, 1.1, p.frictions)
    grids = [passes(each * near, start) for each, start in zip(law, STARTS, strict=True)]
    ends = ol.descend(HILLS, ol.SGD(lr=0.05), np.array(STARTS)[:, None], 5000, record=[]).last[:, 0]
    return {"friction_law": law, "friction": law * near[np.sum(grids, axis=1) - 1], "ends": ends}


def compute(p: Params, seed: int, progress: Progress) -> dict[str, np.ndarray]:
    """The minimum, the saddle, the trap."""
    with ol.threads(1):
        left, timed = np.empty((len(RATES), len(RATIOS), p.runs), bool), []
        for k, rate in enumerate(RATES):
            progress(0.2 * k, f"step size {rate:g}")
            found = [exits(rate, ratio, np.full(p.runs, SHALLOW), round(HORIZON / rate), seed) for ratio in RATIOS]
            left[k] = np.isfinite(found)
        for k, ratio in enumerate(TIMED):
            progress(0.6 + 0.1 * k, "times")
            most = int(40 * kramers(ratio) / RATES[1])
            timed.append(RATES[1] * exits(RATES[1], ratio, np.full(p.timed, SHALLOW), most, derive_seed(seed, "timed")))
        still = exits(RATES[0], 0.0, np.linspace(LEFT, HUMP, p.runs)[1:-1], round(HORIZON / RATES[0]), seed)
        return {"left": left, "timed": np.array(timed), "still": np.isfinite(still).sum()} | leaving(p, seed) | trap(p)


def claims(data: Data, p: Params) -> list[Claim]:
    """The minimum, the saddle, the trap."""
    return [*minimum_claims(data, p), *saddle_claims(data, p), *trap_claims(data)]


def minimum_claims(data: Data, p: Params) -> list[Claim]:
    """How many batches leave the shallow minimum, and when."""
    left, law = data["left"], share(RATIOS)
    found = [
        exact(
            "still",
            "Gradient descent from anywhere in the shallow valley does not leave it: how many runs do.",
            data["still"],
            0,
        )
    ]
    for ratio, count, expected in zip(RATIOS, left[1].sum(axis=1), law, strict=True):
        said = f"Steps over batch = 1/{1 / ratio:.0f}: the share of runs beyond the hump at η k = {HORIZON:g}."
        margin = 0.02 + 0.2 * math.sqrt(expected * (1 - expected))
        accept = (max(expected - margin, 0), min(expected + margin, 1))
        found.append(fraction(f"share_{1 / ratio:.0f}", said, count, p.runs, expected, accept))
    for ratio, times in zip(TIMED, data["timed"], strict=True):
        said = f"Steps over batch = 1/{1 / ratio:.0f}: the mean time over that of the integral of Kramers' problem."
        found.append(mean(f"time_{1 / ratio:.0f}", said, times / kramers(ratio), 1.0, (0.8, 1.2)))
    rise = left[:, 1].mean(axis=0) - left[:, 4].mean(axis=0)
    gap = np.mean(left[2].astype(float) - left[0], axis=0)
    rises = f"The share rises with η/B: that at 1/{1 / RATIOS[1]:.0f} less that at 1/{1 / RATIOS[4]:.0f}, the mean."
    same = "Four times the step with four times the batch leaves as often: the mean change of a share."
    return [
        *found,
        mean("rises", rises, rise, law[1] - law[4], (0.7, 1.0)),
        mean("ratio", same, gap, 0.0, (-0.05, 0.05)),
    ]


def saddle_claims(data: Data, p: Params) -> list[Claim]:
    """How long batches stay at a saddle."""
    sizes, times, law = np.array(p.sizes), data["times"], data["times_law"]
    said = f"Full batches stay at the saddle to the last bit for {p.still} steps: how far they move."
    found = [exact("saddle_still", said, data["moved"], 0)]
    for size, sample, expected in zip(sizes[1:], times[1:], law[1:], strict=True):
        said = f"Batches of {size} leave the saddle after {expected:.0f} steps: the mean ratio to that."
        found.append(mean(f"saddle_{size}", said, sample / expected, 1.0, (0.9, 1.1)))
    return found


def trap_claims(data: Data) -> list[Claim]:
    """What momentum passes."""
    ratio = data["friction"] / data["friction_law"]
    away = np.abs(data["ends"] - SHALLOW).max()
    stays = f"Gradient descent from {len(STARTS)} starts on the slope ends in the first minimum: the largest distance."
    leaves = "Heavy ball passes the hump below the friction of the equation of motion: the ratio farthest from 1."
    return [
        exact("trap_still", stays, away, 0, 1e-6),
        bounded("trap", leaves, ratio[np.argmax(np.abs(ratio - 1))], (0.97, 1.03), 1.0),
    ]


def draw_hills(ax: Axes) -> None:
    """The notebook's function and what is where."""
    x = np.linspace(-7.2, 10, 400)
    ax.plot(x, height(x), color=plotting.COLORS[0])
    for place, text, (dx, dy), color in (
        (SHALLOW, "shallow\nminimum", (-0.4, -4.6), plotting.COLORS[1]),
        (HUMP, "hump", (-0.2, 1.2), plotting.BLACK),
        (DEEP, "deep", (-0.8, 3.0), plotting.BLACK),
        (STARTS[1], "slope", (0.7, 0.3), plotting.COLORS[2]),
    ):
        ax.plot(place, height(place), "o", color=color, markersize=11)
        ax.text(place + dx, float(height(place)[0]) + dy, text, color=color, ha="left")
    ax.set(xlabel="x", ylabel="f(x)", ylim=(-8, 8), title="x cos(0.15πx): two valleys and a hump")


def draw_shares(ax: Axes, data: Data, p: Params) -> None:
    """How many runs have left the shallow minimum."""
    for rate, left, marker, color in zip(RATES, data["left"], "osD", plotting.COLORS[1:], strict=False):
        ax.plot(RATIOS, 100 * left.mean(axis=1), marker, color=color, markersize=9, label=f"step size {rate:g}")
    fine = np.geomspace(RATIOS.min(), RATIOS.max(), 60)
    plotting.theory_line(ax, fine, 100 * share(fine), "theory")
    ax.set(xscale="log", xlabel="step size over batch size, η/B", ylabel="runs that left in %", ylim=(-3, 108))
    ax.set_xticks(RATIOS[[0, 1, 3, 5]], [f"1/{1 / each:.0f}" for each in RATIOS[[0, 1, 3, 5]]])
    ax.minorticks_off()
    ax.set_title("Only η/B decides; without noise: none")
    ax.legend(loc="upper left")


def draw_saddle(ax: Axes, data: Data, p: Params) -> None:
    """How long batches stay at the saddle."""
    ax.plot(p.sizes, data["times"].mean(axis=1), "o", color=plotting.COLORS[3], markersize=11)
    line = plotting.theory_line(ax, p.sizes, data["times_law"])
    ax.set(xscale="log", xlabel="batch size B", ylabel="steps to leave", ylim=(0, 1.15 * data["times_law"].max()))
    ax.set_xticks(p.sizes, [str(size) for size in p.sizes])
    ax.minorticks_off()
    ax.set_title("A saddle costs log B; all samples: for ever")
    ax.legend(handles=[line], loc="upper left")


def draw_trap(ax: Axes, data: Data) -> None:
    """The friction below which heavy ball passes the hump."""
    law = data["friction_law"]
    ax.plot(STARTS, data["friction"], "o", color=plotting.COLORS[2], markersize=11, label="heavy ball")
    plotting.theory_line(ax, STARTS, law, "equation of motion")
    ax.fill_between(STARTS, 0, law, color=plotting.COLORS[2], alpha=0.15, linewidth=0)
    ax.text(STARTS[0] + 0.1, 0.1, "passes the hump", color=plotting.COLORS[2])
    ax.text(-5.0, 0.24, "stays")
    ax.set(xlabel="start on the slope, at rest", ylabel="friction (1 − β)/√η", ylim=(0, 0.42))
    ax.set_title("Momentum carries over the hump")
    ax.legend(loc="upper right")


def plot(data: Data, p: Params) -> Figure:
    """The landscape, the minimum, the saddle, the trap."""
    sheet, ((hills, shares), (saddle, trapped)) = plotting.figure(2, 2)
    draw_hills(hills)
    draw_shares(shares, data, p)
    draw_saddle(saddle, data, p)
    draw_trap(trapped, data)
    return sheet


experiment = Experiment(
    title="The noise of small batches leaves shallow minima and saddles, momentum a trap; gradient descent stays",
    source="Notebook Regularization and Optimization; Additional Techniques: mini-batches, momentum",
    question="What do mini-batches and momentum leave where gradient descent stays, and how fast?",
    params={
        "runs": 2000,
        "timed": 2000,
        "samples": 2048,
        "sizes": (16, 64, 256, 1024),
        "still": 4000,
        "frictions": 201,
    },
    quick={"runs": 1000, "timed": 800, "sizes": (16, 64, 256), "frictions": 41},
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
