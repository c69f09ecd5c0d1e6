"""Momentum carries descent over a hump: f(x) = x cos(0.15πx) from −7 (notebook *Regularization and Optimization*).

Three forms of it are printed, each with an lr of its own; these are equal:
averaged     v ← βv + (1−β)g,  x ← x − lr v                    (the notebook's)
accumulated  v ← βv + g,       x ← x − η v,   η = lr (1−β)     (PyTorch's)
lr inside    δ ← βδ − ηg,      x ← x + δ                       (lecture *Additional Techniques*)
Without v each is x_{k+1} = x_k − η f′(x_k) + β (x_k − x_{k−1}). So each path satisfies this recursion up to the
rounding of one step, ρ_k = 4 eps (|x_{k+1}| + |x_k| + |x_{k−1}| + η(1 + |a|)²), where a = 0.15πx: every number is
rounded at most eight times by eps/2, and an error of eps/2 in a enters f′ as |a| |2 sin a + a cos a|.

A path that passes a hump amplifies errors. To first order in eps the distance e of two paths obeys e_{k+1} =
(1 + β − η f″(x_k)) e_k − β e_{k−1} + r_k with |r_k| ≤ 2ρ_k, and stays below 2 Σ_j |E_kj| ρ_j, where E_kj is what an
error of 1 at step j has become at step k.

When lr drops to γ lr at step k, the forms with lr outside slow down at once and the one with lr inside coasts on:
x_{k+1} differs by β(1 − γ)(x_k − x_{k−1}). Nothing is random here; the seed changes nothing.
"""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import optlab as ol
from optlab import plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, bounded, exact

FREQUENCY, START, RATE = 0.15 * math.pi, -7.0, 1.1
BETAS = (0.0, 0.6, 0.9)
HILLS = ol.landscapes.Cosine(FREQUENCY)
MINIMUM, HUMP, VALLEY = HILLS.stationary(-2.0, 8.0)
EPS = float(np.finfo(np.float64).eps)
FORMS = ("averaged", "accumulated", "lr inside")


def paths(form: str, beta: np.ndarray, p: Params, decay: float = 1.0) -> np.ndarray:
    """The points x_0 … x_steps for each β, shape (steps + 1, runs); `decay` multiplies lr from step `p.change` on."""
    way = {
        "averaged": ol.AveragedMomentum(lr=RATE, momentum=beta),
        "accumulated": ol.SGD(lr=RATE * (1 - beta), momentum=beta),
        "lr inside": ol.HeavyBall(lr=RATE * (1 - beta), momentum=beta),
    }[form]
    x0, schedule = np.full((len(beta), 1), START), ol.schedules.Staircase([p.change], gamma=decay)
    return ol.descend(HILLS, way, x0, p.steps, schedule=schedule, record=1).x[..., 0]


def plain(beta: float, steps: int) -> list[float]:
    """The notebook's loop in plain Python."""
    x, v, found = START, 0.0, [START]
    for _ in range(steps):
        v = beta * v + (1 - beta) * (math.cos(FREQUENCY * x) - FREQUENCY * x * math.sin(FREQUENCY * x))
        x -= RATE * v
        found.append(x)
    return found


def rounding(xs: np.ndarray, beta: np.ndarray) -> np.ndarray:
    """The bound ρ_k on the rounding of each step."""
    size = np.abs(np.concatenate([xs[:1], xs]))  # x_{−1} = x_0: all start at rest
    return 4 * EPS * (size[2:] + size[1:-1] + size[:-2] + RATE * (1 - beta) * (1 + FREQUENCY * size[1:-1]) ** 2)


def defect(xs: np.ndarray, beta: np.ndarray) -> float:
    """By how much a path violates the common recursion, in units of the bound, at the worst step of the worst run."""
    angle, moves = FREQUENCY * xs[:-1], np.diff(xs, axis=0, prepend=xs[:1])
    gap = moves[1:] + RATE * (1 - beta) * (np.cos(angle) - angle * np.sin(angle)) - beta * moves[:-1]
    return float(np.max(np.abs(gap) / rounding(xs, beta)))


def reach(xs: np.ndarray, beta: np.ndarray) -> np.ndarray:
    """How far rounding may drive two paths apart up to each step, to first order in eps."""
    angle, errors = FREQUENCY * xs[:-1], 2 * rounding(xs, beta)
    curvature = -FREQUENCY * (2 * np.sin(angle) + angle * np.cos(angle))
    old, now, total = np.zeros_like(errors), np.zeros_like(errors), [np.zeros_like(beta)]
    for k, error in enumerate(errors):
        old, now = now, (1 + beta - RATE * (1 - beta) * curvature[k]) * now - beta * old
        now[k] = error  # row j holds what the error of step j has become
        total.append(np.abs(now).sum(axis=0))
    return np.array(total)


def compute(p: Params, seed: int, progress: Progress) -> dict[str, np.ndarray]:
    """The paths of the three β and of a fine grid: in every form, in plain Python, and with a drop of lr."""
    shown, grid = np.array(BETAS), np.arange(p.spacing, 1, p.spacing)
    runs, fine = ([paths(form, beta, p) for form in FORMS] for beta in (shown, grid))
    return {
        "paths": np.array(runs),
        "plain": np.array([plain(beta, p.steps) for beta in BETAS]).T,
        "reach": reach(runs[0], shown),
        "defects": np.array([max(defect(a, shown), defect(b, grid)) for a, b in zip(runs, fine, strict=True)]),
        "grid": grid,
        "ends": fine[0][-1],
        "plain_ends": np.array([plain(beta, p.steps)[-1] for beta in grid.tolist()]),
        "dropped": np.array([paths(form, shown, p, p.decay) for form in FORMS[1:]]),
    }


def form_claims(data: Data, p: Params) -> list[Claim]:
    """The three forms are one recursion, and their paths stay together."""
    count, apart = len(data["grid"]) + len(BETAS), np.abs(data["paths"] - data["paths"][0]).max(axis=(0, 1))
    recursion = f"Form '{{}}' steps as the common recursion for {count} beta: the largest gap, in units of rounding."
    together = (
        f"At beta {{:g}} the forms stay together for {p.steps} steps: their distance, below what rounding reaches."
    )
    gaps, far = zip(FORMS, data["defects"], strict=True), data["reach"].max(axis=0)
    return [
        *(bounded(f"recursion_{form.split()[-1]}", recursion.format(form), gap, (0.0, 1.0)) for form, gap in gaps),
        *(bounded(f"together_{b:g}", together.format(b), apart[i], (0.0, far[i])) for i, b in enumerate(BETAS)),
    ]


def first_beyond(xs: np.ndarray) -> int:
    """The first step beyond the hump; −1 for never."""
    return int(np.argmax(xs > HUMP)) if np.any(xs > HUMP) else -1


def hump_claims(data: Data, p: Params) -> list[Claim]:
    """Which β crosses the hump, against the notebook's loop in plain Python."""
    crosses = "Beta {:g} {} the hump at {:.2f}: the first step beyond it (-1: none), as in plain Python."
    ends = f"Beta {{:g}}: where step {p.steps} ends, as in plain Python."
    window = f"In {p.steps} steps the hump is passed by beta in a window: its {{}} end, as in plain Python."
    found = []
    for beta, xs, law, far in zip(BETAS, data["paths"][0].T, data["plain"].T, data["reach"].T, strict=True):
        said = crosses.format(beta, "crosses" if first_beyond(law) > 0 else "does not reach", HUMP)
        found.append(exact(f"crosses_{beta:g}", said, first_beyond(xs), first_beyond(law)))
        found.append(exact(f"ends_{beta:g}", ends.format(beta), xs[-1], law[-1], far[-1]))
    ours, theirs = (data["grid"][data[key] > HUMP] for key in ("ends", "plain_ends"))
    return [
        *found,
        exact("window_low", window.format("lower"), ours.min(initial=1.0), theirs.min(initial=1.0)),
        exact("window_high", window.format("upper"), ours.max(initial=0.0), theirs.max(initial=0.0)),
    ]


def drop_claims(data: Data, p: Params) -> list[Claim]:
    """Under a schedule the form with lr inside parts from the others, by a known distance at first."""
    (outside, inside), k, b = data["dropped"][..., -1], p.change, BETAS[-1]
    moved = b * (1 - p.decay) * (outside[k] - outside[k - 1])
    # One step changes the distance that rounding has brought about so far by a factor of less than 4.
    slack = 4 * data["reach"][: k + 2, -1].max()
    parts = f"Beta {b:g}, one step after lr drops to {p.decay:g} lr: lr inside is ahead of lr outside by."
    coasts = "After that drop lr {} the velocity {} the hump: the number of steps beyond it."
    return [
        exact("parts", parts, inside[k + 1] - outside[k + 1], moved, slack),
        bounded("coasts", coasts.format("inside", "coasts over"), np.sum(inside > HUMP), (1, None)),
        exact("stays", coasts.format("outside", "never reaches"), np.sum(outside > HUMP), 0),
    ]


def claims(data: Data, p: Params) -> list[Claim]:
    """The forms, the hump and the schedule."""
    return [*form_claims(data, p), *hump_claims(data, p), *drop_claims(data, p)]


def mark_places(ax: Axes, label: str, names: tuple[str, ...] = ("",) * 4) -> None:
    """Mark the start, the two minima and the hump on an axis of x."""
    places = (START, MINIMUM, HUMP, VALLEY)
    ax.set_yticks(places, [f"{n}{x:.3g}".replace("-", "−") for x, n in zip(places, names, strict=True)])
    ax.set(ylim=(-8, 11), ylabel=label)
    ax.grid(axis="y", color=plotting.BLACK, linestyle=":")


def shade(ax: Axes, steps: int) -> None:
    """Shade a plot of x against step by the height of f."""
    height, box = HILLS.value(np.linspace(-8, 11, 381)[:, None]), (0, steps, -8, 11)
    ax.imshow(height[:, None], cmap="Greys", vmin=-8, vmax=24, extent=box, origin="lower", aspect="auto")
    ax.grid(visible=False, axis="x")
    mark_places(ax, "x, dark where f is high")
    ax.set(xlabel="step")


def draw_paths(ax: Axes, data: Data, p: Params) -> None:
    """Paths x_k of the three β, with the loop in plain Python."""
    shade(ax, p.steps)
    mark_places(ax, "x, dark where f is high", ("start\n", "minimum\n", "hump\n", "minimum\n"))
    for i, (beta, x, y) in enumerate(zip(BETAS, (0.3, 3.8, 9.8), (-1.4, 0.0, 2.2), strict=True)):
        (line,) = ax.plot(data["paths"][0, :, i], "o-", markersize=9, linewidth=5)
        ax.text(x, y, f"β = {beta:g}", color=line.get_color(), fontsize=18)
        law = plotting.theory_line(ax, range(p.steps + 1), data["plain"][:, i], "the same in plain Python")
    ax.legend(handles=[law], loc="upper left")
    ax.set_title(f"Enough momentum, β = {BETAS[-1]:g}, passes the hump")


def draw_ends(ax: Axes, data: Data, p: Params) -> None:
    """Where each β ends, and the window of those that end beyond the hump."""
    beyond = data["grid"][data["ends"] > HUMP]
    ax.axvspan(beyond.min(), beyond.max(), color=plotting.YELLOW, alpha=0.4, linewidth=0)
    ax.plot(data["grid"], data["ends"], color=plotting.BLUE, linewidth=6)
    plotting.theory_line(ax, data["grid"], data["plain_ends"])
    mark_places(ax, f"x after {p.steps} steps")
    ax.set(xlim=(0.7, 1), xlabel="β", title="Too much is too slow to pass it")
    ax.text(0.71, 2.5, f"β from {beyond.min():.3g} to\n{beyond.max():.3g} passes")


def draw_drop(ax: Axes, data: Data, p: Params) -> None:
    """The paths at the largest β when lr drops on the way."""
    shade(ax, p.steps)
    for xs, fill, y, side in zip(
        data["dropped"][..., -1], ("none", "full"), (-3.8, 8.4), ("outside", "inside"), strict=True
    ):
        ax.plot(xs, "o-", color=plotting.GREEN, fillstyle=fill, markersize=8, linewidth=2)
        ax.text(p.change + 0.6, y, f"lr {side} the velocity")
    ax.axvline(p.change, color=plotting.BLACK, linewidth=1.6, linestyle="--")
    ax.text(p.change - 0.5, 3.2, f"lr\ndrops to\n{p.decay:g} lr", ha="right")
    ax.set_title("When lr drops, lr inside coasts on")


def plot(data: Data, p: Params) -> Figure:
    """The paths; beside them where each β ends, and how a drop of lr parts the forms."""
    sheet, ((paths_of, ends), (spare, drop)) = plotting.figure(2, 2, width_ratios=(1.2, 1))
    paths_of.set_subplotspec(paths_of.get_gridspec()[:, 0])
    spare.remove()
    draw_paths(paths_of, data, p)
    draw_ends(ends, data, p)
    draw_drop(drop, data, p)
    return sheet


experiment = Experiment(
    title="Enough momentum, and not too much, passes a hump; its printed forms are one while lr is constant",
    source="Regularization and Optimization (notebook), momentum; Additional Techniques and Training 2, momentum",
    question="Which β crosses the hump of x cos(0.15πx) in 35 steps from −7, and does the form of momentum matter?",
    params={"steps": 35, "spacing": 0.001, "change": 10, "decay": 0.1},
    quick={"spacing": 0.005},
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
