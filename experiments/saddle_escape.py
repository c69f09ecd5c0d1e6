"""How long noise takes to leave a strict saddle: x ← x − η∇f(x) + √ε ξ with ξ ~ N(0, I) (lecture I, escaping saddles).

Along a falling direction of curvature λ = −γ, a step multiplies the distance y to the stable manifold by a = 1 + ηγ.

* Without noise, |y| = δ first reaches 1 after ⌈log(1/δ) / log a⌉ steps.
* From the saddle with noise s = √ε, y_t / aᵗ tends to N(0, σ²), σ = s / √(a² − 1). With m equal falling directions |y|
  therefore first reaches 1 after (log(1/σ) − (ψ(m/2) + log 2)/2) / log a + 1/2 steps on average; for m = 1 the variance
  is (π²/8) / log² a + 1/12. ψ is the digamma function; 1/2 and 1/12 are there because steps are whole.
* Rounding is noise, too, s ∝ 2⁻ᵇ for numbers of b bits, unless y is a coordinate and exactly 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import digamma

import optlab as ol
from optlab import plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, bounded, exact, fraction, mean, slope
from optlab.random import derive_seed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BITS = {"float32": 24, "float64": 53}
SWARM = ol.landscapes.StrictSaddle(2)
"""What the animation shows: x²/4 − y²/2 + y⁴/4, the point being (y, x)."""
DIM = 10
MANIFOLD = np.arange(DIM) > 0
"""Times a point, its projection to the stable manifold y = 0, where y is the first coordinate."""


def rate(p: Params, curvature: float) -> float:
    """The logarithm of a: what a step adds to log |y|."""
    return math.log1p(p.lr * curvature)


def noisy_time(p: Params, curvature: float, noise: float, falling: int = 1) -> float:
    """The mean number of steps that noise takes from the saddle to distance 1."""
    sigma = noise / math.sqrt(math.expm1(2 * rate(p, curvature)))
    return -(math.log(sigma) + (float(digamma(falling / 2)) + math.log(2)) / 2) / rate(p, curvature) + 0.5


def escape(p: Params, seed: int, curvature: float, x0: np.ndarray, noise: float = 0.0, falling: int = 1) -> np.ndarray:
    """When each run is first at distance 1; `p.steps` stands for never."""
    f = ol.landscapes.StrictSaddle(x0.shape[1], falling, curvature, bounded=False)
    leaves = ol.stop.leaves_ball(1.0, np.zeros(f.dim), range(falling))
    seed = derive_seed(seed, curvature, noise, falling, f.dim)
    study = ol.descend(f, ol.SGD(lr=p.lr), x0, p.steps, noise=noise**2, seed=seed, stop=leaves, record_x=False)
    return study.stop_step.astype(np.uint16)


def tilted_path(p: Params, seed: int, run: int, dtype: str) -> np.ndarray:
    """The distances |y_t| of a run from the stable manifold of a saddle that is rotated at random for each run."""
    rotation = derive_seed(seed, "rotation", run)
    f = ol.landscapes.StrictSaddle(DIM, 1, p.curvatures[-1], bounded=False, rotation=rotation)
    x0 = (ol.random.uniform((1, DIM), seed, first_run=run) * MANIFOLD @ f.rotation.T).astype(dtype)
    study = ol.descend(f, ol.SGD(lr=p.lr), x0, 600, record=1)
    return np.abs(study.x[:, 0] @ f.rotation[:, 0])


def compute(p: Params, seed: int, progress: Progress) -> dict[str, np.ndarray]:
    """The escape times of all studies, and a few paths; every cell draws from a seed of its own."""
    near, x0 = np.array([(distance, 1.0) for distance in p.distances]), np.zeros((p.runs, 2))
    g, s = p.curvatures[-1], p.noise
    progress(0.0, "noise levels and curvatures")
    noisy = [[escape(p, seed, c, x0, noise) for noise in p.noises] for c in p.curvatures]
    progress(0.5, "directions")
    falling = [escape(p, seed, g, np.zeros((p.runs, m)), s, m) for m in p.falling]
    dims = [escape(p, seed, g, np.zeros((p.wide_runs, dim)), s) for dim in p.dims]
    progress(0.8, "stable manifold")
    points = ol.random.uniform((p.wide_runs, DIM), derive_seed(seed, "manifold")) * MANIFOLD
    tilted = derive_seed(seed, "tilted")
    paths = np.array([[tilted_path(p, tilted, run, dtype) for run in range(p.tilted_runs)] for dtype in BITS])
    return {
        "pushed": np.array([escape(p, seed, c, near) for c in p.curvatures]),
        "noisy": np.array(noisy),
        "falling": np.array(falling),
        "dims": np.array(dims),
        "manifold": np.array([escape(p, seed, g, points, noise) for noise in (0.0, s)]),
        "rounded": np.where(paths[..., -1] < 1, np.nan, np.argmax(paths >= 1, axis=-1)),
        "paths": paths[:, :3].astype(np.float32),
        "swarm": swarm(p, derive_seed(seed, "swarm")).astype(np.float32),
    }


def swarm(p: Params, seed: int) -> np.ndarray:
    """Points (frames, runs, 2) of runs from one start on the stable manifold; the last one has no noise."""
    x0, options = np.tile([0.0, 1.0], (60, 1)), {"record": 3}
    noisy = ol.descend(SWARM, ol.SGD(lr=p.lr), x0, 270, noise=p.noise**2, seed=seed, **options)
    still = ol.descend(SWARM, ol.SGD(lr=p.lr), x0[:1], 270, **options)
    return np.concatenate([noisy.x, still.x], axis=1)


def near(name: str, statement: str, times: np.ndarray, expected: float, margin: float, never: int = -1) -> Claim:
    """The mean of `times` is as predicted within `margin`; a time of `never` spoils it."""
    samples = np.where(times == never, np.nan, times)
    return mean(name, statement, samples, expected, (expected - margin, expected + margin))


def claims(data: Data, p: Params) -> list[Claim]:
    """Every time against its formula, which has no free parameter."""
    return [*pushed_claims(data, p), *noisy_claims(data, p), *direction_claims(data, p), *manifold_claims(data, p)]


def pushed_claims(data: Data, p: Params) -> list[Claim]:
    """Without noise the times are known to the step."""
    x, rates = -np.log(p.distances), np.array([rate(p, g) for g in p.curvatures])
    deviations = np.abs(data["pushed"] - np.ceil(x / rates[:, None]))
    ratios = np.polyfit(x, data["pushed"].T, 1)[0] * rates
    formula = "Gradient descent escapes after log(1/δ)/log(1+ηγ) steps, rounded up: the largest deviation in steps."
    growth = "Time against log 1/δ is a line of slope 1/log(1+ηγ) at every curvature −γ: the ratio farthest from 1."
    return [
        exact("gradient_descent", formula, deviations.max(), 0),
        # Times are rounded up to whole steps, which changes a slope by less than 1 %.
        bounded("slope", growth, ratios[np.argmax(np.abs(ratios - 1))], (0.95, 1.05), 1.0),
    ]


def noisy_claims(data: Data, p: Params) -> list[Claim]:
    """With noise the mean of every cell follows its formula, and the spread does not depend on the noise."""
    found = []
    for g, rows in zip(p.curvatures, data["noisy"], strict=True):
        for s, times in zip(p.noises, rows, strict=True):
            expected = noisy_time(p, g, s)
            said = f"Noise √ε = {s:g} leaves curvature −{g:g} after {expected:.0f} steps: the mean."
            # What a noise level wrong by 6 % would change.
            found.append(near(f"noise_{s:g}_{g:g}", said, times, expected, 0.06 / rate(p, g), p.steps))
        squares = (rows - rows.mean(axis=1, keepdims=True)).ravel() ** 2
        expected = math.pi**2 / 8 / rate(p, g) ** 2 + 1 / 12
        said = f"Curvature −{g:g}: times scatter by {math.sqrt(expected):.0f} steps at every noise level; the variance."
        # A standard deviation wrong by 5 %.
        found.append(near(f"variance_{g:g}", said, squares, expected, 0.1 * expected))
    return found


def direction_claims(data: Data, p: Params) -> list[Claim]:
    """Falling directions shorten the escape; rising ones change nothing, though they carry noise, too."""
    times, margin = data["dims"].T, 0.06 / rate(p, p.curvatures[-1])
    said = f"{p.dims[-1]} dimensions take no longer than {p.dims[0]}: the steps added by a factor e."
    # Noise of a fixed total size would add 0.5 / log a, eight times the margin.
    found = [slope("dimension", said, np.log(p.dims), np.where(times < p.steps, times, np.nan), 0, (-margin, margin))]
    for m, times in zip(p.falling, data["falling"], strict=True):
        expected = noisy_time(p, p.curvatures[-1], p.noise, m)
        said = f"{m} equal falling direction{'s' if m > 1 else ''}: the mean escape time in steps."
        found.append(near(f"falling_{m}", said, times, expected, margin, p.steps))
    return found


def manifold_claims(data: Data, p: Params) -> list[Claim]:
    """Starts on the stable manifold never leave it, unless there is noise, be it from rounding."""
    n, (quiet, shaken) = p.wide_runs, np.sum(data["manifold"] < p.steps, axis=1)
    r, bits = rate(p, p.curvatures[-1]), (BITS["float64"] - BITS["float32"]) * math.log(2)
    stay = f"Without noise no start on the stable manifold leaves in {p.steps} steps: the share that does."
    leave = f"With noise √ε = {p.noise:g} all starts on the stable manifold leave: the share that does."
    later = f"On a tilted saddle rounding leaves, {bits / r:.0f} steps later in float64 than in float32: the mean."
    return [
        # Without an exception, n runs exclude shares above 7.6 / n.
        fraction("manifold", stay, quiet, n, 0.0, (0.0, 10 / n)),
        fraction("manifold_noise", leave, shaken, n, 1.0, (1 - 10 / n, 1.0)),
        # Counted in their last bits, the errors of the two types may differ by a factor of 4.
        near("rounding", later, data["rounded"][1] - data["rounded"][0], bits / r, math.log(4) / r),
    ]


def draw_times(ax: Axes, p: Params, levels: Sequence[float], times: np.ndarray, law: Callable) -> None:
    """Escape times against something small, with a line for each curvature."""
    for g, row in zip(p.curvatures, times, strict=True):
        (dots,) = ax.plot(levels, row, "o", markersize=11)
        line = plotting.theory_line(ax, levels, [law(g, level) for level in levels], "theory, nothing is fitted")
        plotting.label_line(ax, dots, f"λ = −{g:g}")
    ax.set(xscale="log", xlim=(2 * max(levels), min(levels) / 2), ylim=(0, None), ylabel="steps to escape")
    ax.set_xticks(levels)
    ax.minorticks_off()
    ax.legend(handles=[line], loc="upper left")


def draw_paths(ax: Axes, p: Params, paths: np.ndarray) -> None:
    """Distances of runs that start on the stable manifold; exponential growth is a straight line."""
    steps = np.arange(paths.shape[-1])
    for rows, (dtype, bits), color in zip(paths, BITS.items(), plotting.COLORS, strict=False):
        ax.plot(steps, rows.T, color=color, linewidth=1.8)
        law = 2.0**-bits * np.exp(rate(p, p.curvatures[-1]) * steps)
        line = plotting.theory_line(ax, steps, law, "2⁻ᵇ (1 + η|λ|)ᵗ")
        ax.text(np.searchsorted(law, 1e-3) + 65, 1e-3, dtype, color=color)
    ax.legend(handles=[line], loc="center right")
    ax.text(590, 1e-16, "λ along an axis:\n|y| = 0 for ever", ha="right", va="bottom")
    ax.set(yscale="log", xlim=(0, 600), ylim=(1e-17, 1), xlabel="step", ylabel="distance |y|")
    ax.set_title("Rounding is noise, too")


def draw_directions(ax: Axes, p: Params, data: Data) -> None:
    """Escape times against the dimension and against the number of falling directions."""
    for name, x, falling, label in (
        ("dims", p.dims, [1] * len(p.dims), "dimension, one falling direction"),
        ("falling", p.falling, p.falling, "falling directions"),
    ):
        ax.plot(x, data[name].mean(axis=1), "o", markersize=11, label=label)
        plotting.theory_line(ax, x, [noisy_time(p, p.curvatures[-1], p.noise, m) for m in falling], "_")
    ax.set(xscale="log", ylim=(0, 110), xlabel="number of directions", ylabel="steps to escape")
    ax.set_title("Only falling directions matter")
    ax.legend(loc="lower left")


def plot(data: Data, p: Params) -> Figure:
    """Four panels: the time without noise and with it, paths from the stable manifold, and the number of directions."""
    sheet, ((still, shaken), (paths, count)) = plotting.figure(2, 2)
    draw_times(still, p, p.distances, data["pushed"], lambda g, distance: -math.log(distance) / rate(p, g))
    still.set(title="Without noise, steps grow as log 1/δ", xlabel="starting distance δ from the manifold")
    draw_times(shaken, p, p.noises, data["noisy"].mean(axis=2), lambda g, noise: noisy_time(p, g, noise))
    shaken.set(title="With noise, steps grow as log 1/√ε", xlabel="noise level √ε, started at the saddle")
    draw_paths(paths, p, data["paths"])
    draw_directions(count, p, data)
    return sheet


def animate(data: Data, p: Params) -> Iterator[Figure]:
    """All come down to the saddle; those with noise leave it to either side."""
    sheet, ax = plotting.figure(size=(9.0, 5.6))
    with plotting.style():
        y, x = np.meshgrid(np.linspace(-1.3, 1.3, 81), np.linspace(-0.4, 1.1, 61))
        height = SWARM.value(np.stack([y.ravel(), x.ravel()], axis=1)).reshape(y.shape)
        ax.contour(y, x, height, levels=24, cmap="Greys", linewidths=1.0)
        (noisy,) = ax.plot([], [], "o", color=plotting.BLUE, markersize=8, label=f"noise √ε = {p.noise:.0e}")
        (still,) = ax.plot([], [], "o", color=plotting.VERMILLION, markersize=12, label="no noise")
        ax.set(xlim=(-1.3, 1.3), ylim=(-0.4, 1.1), xlabel="way out of the saddle, y", ylabel="way into it, x")
        ax.legend(loc="upper right")
    for k, points in enumerate(data["swarm"]):
        noisy.set_data(*points[:-1].T)
        still.set_data(*points[-1:].T)
        ax.set_title(f"step {3 * k}")
        yield sheet


experiment = Experiment(
    title="Noise leaves a strict saddle in a time that grows only with the logarithm of its smallness",
    source="Important Techniques in Neural Network Training, escaping saddle points",
    question="How long does gradient descent stay near a strict saddle, without noise and with it?",
    params={
        "lr": 0.1,
        "steps": 5000,
        "curvatures": (0.1, 0.3, 1.0),
        "distances": (1e-2, 1e-4, 1e-6, 1e-8, 1e-10, 1e-12),
        "noises": (1e-3, 1e-6, 1e-9),
        "runs": 20_000,
        "noise": 1e-4,
        "falling": (1, 2, 5, 20, 100),
        "dims": (2, 10, 100, 1000),
        "wide_runs": 4000,
        "tilted_runs": 400,
    },
    quick={"curvatures": (0.3, 1.0), "noises": (1e-3, 1e-6), "falling": (1, 2, 20), "dims": (2, 10, 100)},
    compute=compute,
    plot=plot,
    claims=claims,
    animate=animate,
)

if __name__ == "__main__":
    experiment.main()
