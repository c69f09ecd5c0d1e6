"""Seven optimizers on a long valley, on Beale's function and at a saddle (lecture *Training DNNs*).

The budget. Every method may try the same grid of learning rates, from the same starts, which are not those shown; its
other numbers stay at their defaults, with momentum 0.9. What counts is the mean number of steps until f is within 1e-4
of the minimum; a run that does not arrive counts as the longest. The best rate runs the race, from starts of its own.

The valley, √(1 + x²) − 1 + 50 y². The walls allow SGD rates below 2/100. Along the floor it moves at speed lr · f′, and
needs (F(x₀) − F(x₁))/lr steps from x₀ to x₁, where F(x) = √(1 + x²) + log(x/(1 + √(1 + x²))) is the integral of 1/f′.

Leaving a saddle of curvature −γ from distance δ. SGD, momentum and Nesterov's method are linear in y: they grow by the
largest eigenvalue z of y' = (1 + ηγ(1 + ν)) y − η(μ + νμ − ν) v, v' = μv − γy, ν = μ for Nesterov's and 0 otherwise,
and take log(1/δ)/log z steps and a constant. A first step of Adagrad and Adam has length η, of RMSprop η/√(1 − α),
whatever δ is: they leave in a number of steps that does not depend on it. Adadelta has its ε = 10⁻⁶ inside the roots:
gradients below 10⁻³ are not seen as small, and it grows by 1 + ηγ a step, as SGD does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

import optlab as ol
from optlab import plotting
from optlab.experiment import (
    Claim,
    Data,
    Experiment,
    Params,
    Progress,
    bounded,
    exact,
    mean,
    ratio_of_medians,
)
from optlab.random import derive_seed, uniform

METHODS: dict[str, Callable[[object], ol.Optimizer]] = {
    "SGD": lambda lr: ol.SGD(lr),
    "momentum": lambda lr: ol.SGD(lr, momentum=0.9),
    "NAG": lambda lr: ol.SGD(lr, momentum=0.9, nesterov=True),
    "Adagrad": lambda lr: ol.Adagrad(lr),
    "Adadelta": lambda lr: ol.Adadelta(lr),
    "RMSprop": lambda lr: ol.RMSprop(lr),
    "Adam": lambda lr: ol.Adam(lr),
}
"""Each method by its learning rate, one or one per run."""
LINEAR, SCALED = ("SGD", "momentum", "NAG"), ("Adagrad", "RMSprop", "Adam")
COLORS = dict(zip(METHODS, ("#777777", *plotting.COLORS), strict=False))
RATES = 10.0 ** np.linspace(-3, 3, 13)
CLOSE, RADIUS, GAMMA = 1e-4, 1.5, 1.0
RACES = {
    "valley": ol.landscapes.LongValley(),
    "Beale": ol.landscapes.Beale(),
    "saddle": ol.landscapes.StrictSaddle(2, curvature=GAMMA, positive=(2.0, 2.0)),
}
VIEWS = {
    "valley": (((-11.0, -1.9), (3.0, 1.9)), np.geomspace(0.3, 120, 9)),
    "Beale": (((-0.7, -1.9), (3.9, 1.8)), np.geomspace(0.03, 300, 12)),
    "saddle": (((-1.7, -1.3), (1.7, 1.3)), np.linspace(0.02, 2, 14)),
}
"""Corners of the maps, and the heights of their contours above the minimum."""
TITLES = ("Long valley: SGD crawls", "Beale's function", "A saddle: rescaled gradients leave at once")
OPEN = ol.landscapes.StrictSaddle(2, curvature=GAMMA, positive=(2.0, 2.0), bounded=False)


def starts(race: str, runs: int, seed: int) -> np.ndarray:
    """Starts around the customary one; at the saddle at distances from 1e-5 to 0.1 of its stable manifold."""
    u = uniform((runs, 2), derive_seed(seed, race))
    if race == "saddle":
        side = np.sign(uniform(runs, derive_seed(seed, "side")) - 0.5)
        return np.stack([side * 10 ** (-5 + 4 * u[:, 0]), 0.5 + u[:, 1]], axis=1)
    return RACES[race].start + (u - 0.5) * ((2.0, 0.4) if race == "valley" else (0.4, 0.4))


def run(race: str, method: str, lr: object, x0: np.ndarray, p: Params, **options: object) -> ol.Trajectory:
    """Run until the minimum is close or the run is lost."""
    rules = [ol.stop.value(RACES[race].minimum + CLOSE), ol.stop.nonfinite(), ol.stop.leaves_ball(1e4)]
    return ol.descend(RACES[race], METHODS[method](lr), x0, p.steps, stop=rules, **options)


def steps_of(study: ol.Trajectory, p: Params) -> np.ndarray:
    """The steps that each run took; the longest for one that did not arrive."""
    return np.where(study.stop_reason == "value", study.stop_step, p.steps)


def tuned(race: str, method: str, p: Params, seed: int) -> int:
    """Which learning rate of the grid takes the least mean number of steps: one call for all of them."""
    x0 = starts(race, p.tuning, derive_seed(seed, "tuning"))
    study = run(race, method, np.repeat(RATES, p.tuning), np.tile(x0, (len(RATES), 1)), p, record_x=False)
    return int(np.argmin(steps_of(study, p).reshape(len(RATES), -1).mean(axis=1)))


def leaving(method: str, lr: float, distances: np.ndarray) -> np.ndarray:
    """The steps from each distance of the open saddle's stable manifold to the radius, and the first step's length."""
    x0 = np.stack([distances, np.ones_like(distances)], axis=1)
    leaves = ol.stop.leaves_ball(RADIUS, np.zeros(2), [0])
    study = ol.descend(OPEN, METHODS[method](lr), x0, 5000, stop=leaves, record=[0, 1])
    return np.array([study.stop_step, study.x[1, :, 0] - distances])


def path(race: str, method: str, lr: float, p: Params) -> np.ndarray:
    """The points of the run that is shown, from the middle of the starts."""
    x0 = np.array([1e-3, 1.0]) if race == "saddle" else RACES[race].start
    return run(race, method, lr, x0, p, record=list(range(p.shown + 1))).x[:, 0].astype(np.float32)


def compute(p: Params, seed: int, progress: Progress) -> dict[str, np.ndarray]:
    """Tune, race, and leave the saddle; (races, methods, ...) each."""
    chosen = []
    for i, race in enumerate(RACES):
        progress(0.3 * i, f"tuning, {race}")
        chosen.append([tuned(race, method, p, seed) for method in METHODS])
    field = [(race, list(zip(METHODS, RATES[row], strict=True))) for race, row in zip(RACES, chosen, strict=True)]
    lines = {race: starts(race, p.runs, derive_seed(seed, "race")) for race in RACES}
    raced = [[steps_of(run(race, *entry, lines[race], p), p) for entry in entries] for race, entries in field]
    return {
        "chosen": np.array(chosen),
        "steps": np.array(raced, np.int32),
        "valley": lines["valley"],
        "paths": np.array([[path(race, *entry, p) for entry in entries] for race, entries in field]),
        "leaving": np.array([leaving(*entry, distances(p)) for entry in field[-1][1]]),
    }


def distances(p: Params) -> np.ndarray:
    """The distances from the stable manifold."""
    return np.geomspace(1e-12, 1e-3, p.distances)


def growth(method: str, lr: float) -> float:
    """z: what a step multiplies the distance by, far from everything but the saddle."""
    if method == "Adadelta":
        return 1 + lr * GAMMA
    mu, nu = (method != "SGD") * 0.9, (method == "NAG") * 0.9
    step = [[1 + lr * GAMMA * (1 + nu), -lr * (mu + nu * mu - nu)], [-GAMMA, mu]]
    return float(np.max(np.abs(np.linalg.eigvals(step))))


def floor_time(x: np.ndarray) -> np.ndarray:
    """F: the steps along the valley's floor, times lr, up to a constant."""
    root = np.sqrt(1 + x * x)
    return root + np.log(np.abs(x) / (1 + root))


def rates(data: Data, race: str) -> dict[str, float]:
    """The tuned learning rates."""
    return dict(zip(METHODS, RATES[data["chosen"][list(RACES).index(race)]], strict=True))


def claims(data: Data, p: Params) -> list[Claim]:
    """The budget, the arrivals, the valley and the saddle."""
    edge = np.sum((data["chosen"] == 0) | (data["chosen"] == len(RATES) - 1))
    said = f"All methods are tuned on the same {len(RATES)} rates and starts; the rates chosen at an end of the grid."
    found = [exact("budget", said, edge, 0)]
    for race, steps in zip(RACES, data["steps"], strict=True):
        arrived = f"{race.capitalize()}: tuned, they arrive from starts they were not tuned on: the share of methods."
        # One sample a start, because all methods share it.
        found.append(mean(f"arrives_{race.lower()}", arrived, np.mean(steps < p.steps, axis=0), None, (0.75, None)))
    return [*found, *valley_claims(data, p), *saddle_claims(data, p)]


def valley_claims(data: Data, p: Params) -> list[Claim]:
    """SGD crawls."""
    steps, lr = dict(zip(METHODS, data["steps"][0], strict=True)), rates(data, "valley")["SGD"]
    end = math.sqrt((1 + CLOSE) ** 2 - 1)
    ratio = steps["SGD"] * lr / (floor_time(data["valley"][:, 0]) - floor_time(np.array(end)))
    rest = max((name for name in METHODS if name != "SGD"), key=lambda name: np.median(steps[name]))
    steep = RACES["valley"].steepness
    wall = "Valley: the walls hold SGD below 2/100; its tuned rate is the largest of the grid that they allow."
    crawl = "Valley: SGD needs (F(x0) - F(x1))/lr steps: in these units, the mean."
    slow = f"Valley: every other method is faster: SGD's median steps over those of the slowest, {rest}."
    return [
        exact("valley_rate", wall, lr, RATES[steep * RATES < 2].max()),
        mean("valley_sgd", crawl, ratio, 1.0, (0.97, 1.03)),
        ratio_of_medians("valley_others", slow, steps["SGD"], steps[rest], None, (4.0, None), seed=0),
    ]


def saddle_claims(data: Data, p: Params) -> list[Claim]:
    """Who leaves in a time that grows with log 1/δ, and who does not."""
    lr, gone = rates(data, "saddle"), dict(zip(METHODS, data["leaving"], strict=True))
    found, far = [], distances(p)
    # Below a gradient of 1e-8, the ε of Adam and RMSprop; far below 1e-3, the root of Adadelta's.
    seen, small = far >= 1e-5, far <= 1e-6
    for name in (*LINEAR, "Adadelta"):
        steps, x = gone[name][0][small], np.log(1 / far[small])
        expected = 1 / math.log(growth(name, lr[name]))
        said = f"Saddle: {name} with lr {lr[name]:.3g} takes log(1/δ)/log z steps to leave: the slope, times log z."
        # Times are whole: what that does to a slope matters more where there are few steps, as Adadelta's.
        margin = 0.04 if name in LINEAR else 0.1
        slope = np.polyfit(x, steps, 1)[0] / expected
        found.append(bounded(f"leave_{name.lower()}", said, slope, (1 - margin, 1 + margin), 1))
    for name in SCALED:
        length = lr[name] * (10.0 if name == "RMSprop" else 1.0)
        said = f"Saddle: {name} first steps as far from 1e-5 as from 1e-3: in units of the prediction, at least."
        found.append(bounded(f"first_{name.lower()}", said, np.min(gone[name][1][seen] / length), (0.98, 1.001), 1))
        same = f"Saddle: {name} leaves as soon from 1e-5 as from 1e-3: how much the steps differ."
        found.append(bounded(f"leave_{name.lower()}", same, np.ptp(gone[name][0][seen]), (0, 1)))
    slow, fast = min(gone[name][0][seen][0] for name in LINEAR), max(gone[name][0][seen][0] for name in SCALED)
    said = "Saddle, from δ = 1e-5: the fastest of SGD, momentum, NAG over the slowest of Adagrad, RMSprop, Adam."
    return [*found, bounded("order", said, slow / fast, (2, None))]


def draw_map(ax: Axes, race: str) -> None:
    """Contours, the start's surroundings and the minimum."""
    (low, high), levels = VIEWS[race]
    x, y = np.meshgrid(np.linspace(low[0], high[0], 161), np.linspace(low[1], high[1], 161))
    points = np.stack([x, y], axis=-1).reshape(-1, 2)
    height = RACES[race].value(points).reshape(x.shape) - RACES[race].minimum
    ax.contour(x, y, height, levels=levels, colors="#c8c8c8", linewidths=1.0)
    ax.plot(*RACES[race].minima.T, "*", color=plotting.YELLOW, markersize=20, markeredgecolor=plotting.BLACK, zorder=4)
    ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), xlabel="x", ylabel="y")
    ax.grid(False)


def draw_paths(ax: Axes, paths: np.ndarray) -> list[tuple[Line2D, Line2D]]:
    """The trail and the head of each method."""
    lines = []
    for (name, color), path in zip(COLORS.items(), paths, strict=True):
        # RMSprop without bias correction begins as Adagrad with ten times its rate: both shall be seen.
        (trail,) = ax.plot(*path.T, color=color, linewidth=6.0 if name == "Adagrad" else 2.2, label=name)
        (head,) = ax.plot(
            *path[-1:].T, "o", color=color, markersize=15 if name == "Adagrad" else 11, mec="white", zorder=5
        )
        lines.append((trail, head))
    return lines


def draw_leaving(ax: Axes, data: Data, p: Params) -> None:
    """The steps to leave the saddle against the distance from its stable manifold."""
    far, lr = distances(p), rates(data, "saddle")
    for (name, color), (steps, _) in zip(COLORS.items(), data["leaving"], strict=True):
        ax.semilogx(far, steps, color=color)
        if name in LINEAR:
            law = steps[-1] + np.log(far[-1] / far) / math.log(growth(name, lr[name]))
            line = plotting.theory_line(ax, far, law, "slope 1/log z")
    ax.set(xlabel="starting distance δ from the manifold", ylabel="steps", title="Steps to leave the saddle")
    ax.legend(handles=[line], loc="upper right")


def plot(data: Data, p: Params) -> Figure:
    """Three maps with paths, and the time to leave the saddle."""
    sheet, axes = plotting.figure(2, 2)
    for ax, race, paths, title in zip(axes.flat, RACES, data["paths"], TITLES, strict=False):
        draw_map(ax, race)
        draw_paths(ax, paths)
        ax.set_title(title)
    draw_leaving(axes[1, 1], data, p)
    sheet.legend(
        *axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=len(METHODS), columnspacing=1
    )
    return sheet


def animate(data: Data, p: Params) -> Iterator[Figure]:
    """The race, slower at first."""
    sheet, axes = plotting.figure(1, 3, size=(12.8, 5.6))
    lines = []
    for ax, race, paths in zip(axes, RACES, data["paths"], strict=True):
        draw_map(ax, race)
        ax.set_title({"valley": "long valley", "Beale": "Beale's function"}.get(race, race))
        lines += zip(draw_paths(ax, paths), paths, strict=True)
    sheet.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(METHODS), columnspacing=1)
    for step in np.unique(np.geomspace(1, p.shown, p.frames).round().astype(int)) - 1:
        for (trail, head), path in lines:
            trail.set_data(*path[: step + 1].T)
            head.set_data(*path[step : step + 1].T)
        sheet.suptitle(f"step {step}", fontsize=20)
        yield sheet


experiment = Experiment(
    title="Tuned alike, methods that rescale the gradient leave a saddle at once; the others wait for log 1/δ",
    source="Training DNNs: Basic Methods and Tricks, comparing optimizers",
    question="Which optimizer is fast where, when each is tuned with the same budget?",
    params={"steps": 10_000, "tuning": 100, "runs": 100, "distances": 200, "shown": 1500, "frames": 70},
    quick={"steps": 6000, "tuning": 60, "runs": 60, "frames": 12},
    compute=compute,
    plot=plot,
    claims=claims,
    animate=animate,
)

if __name__ == "__main__":
    experiment.main()
