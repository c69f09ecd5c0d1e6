"""Clipping at a cliff (lecture on important techniques; Pascanu, Mikolov and Bengio, 2013).

One recurrent unit, x_{t+1} = w σ(x_t) + b, must remember for T = 50 steps: E = (σ(x_50) − 0.7)². Where its start x₀ is
an unstable state, a wall crosses the plain of E: the gradient there is 2 (σ − y) σ′ (λ^T − 1)/(λ − 1) (σ, 1), all at
x₀, with λ = w σ′(x₀) > 1, three millions for w = 6. One plain step from there ends where σ is saturated and no gradient
leads back.

* Clipped by its norm the gradient keeps its direction, and no step is longer than the learning rate times the bound.
* Clipped by value it turns: on the wall from (σ, 1) to (1, 1).
* Each method has the same learning rates to choose from, by the mean final loss from other starts than those shown.
  Without clipping the best ones are those so long that they jump out of the valley and land wherever the jump ends.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import optlab as ol
from optlab import plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, bounded, fraction, mean, median
from optlab.random import derive_seed, uniform

Array = np.ndarray
BOUND, SOLVED = 1.0, 1e-3
METHODS: dict[str, Mapping[str, float]] = {
    "without clipping": {},
    "clipped by norm": {"clip_norm": BOUND},
    "clipped by value": {"clip_value": BOUND},
}
LRS = 0.05 * 2.0 ** np.arange(-2, 9)
LR = 0.05
"""That of the example; one of LRS."""
EXAMPLE = np.array([5.5, -2.7])
LENGTHS = np.arange(5, 55, 5)
W = 6.0
"""The weight at which the wall is measured."""
BOX = (4.0, 7.0, -4.2, -1.2)
"""Of the picture: the least and largest w, then b."""


def starts(n: int, seed: int) -> Array:
    """Points on both sides of the wall, shape (n, 2): w uniform in [4.5, 6.5), −b/w in [0.4, 0.55)."""
    u = uniform((2, n), seed)
    w = 4.5 + 2 * u[0]
    return np.stack([w, -w * (0.4 + 0.15 * u[1])], axis=1)


def sweep(p: Params, n: int, seed: int) -> Array:
    """The final losses from n starts, shape (methods, learning rates, n)."""
    points, rates = np.tile(starts(n, seed), (len(LRS), 1)), np.repeat(LRS, n)
    f = ol.landscapes.RecurrentUnit()
    found = [
        ol.descend(f, ol.SGD(lr=rates, **options), points, p.steps, record=[p.steps], record_x=False).value[-1]
        for options in METHODS.values()
    ]
    return np.reshape(found, (len(METHODS), len(LRS), n))


def longest(p: Params, seed: int) -> Array:
    """The longest step of each start at LR, over LR times BOUND; shape (methods, starts)."""
    f, points = ol.landscapes.RecurrentUnit(), starts(p.starts, seed)
    found = []
    for options in METHODS.values():
        path = ol.descend(f, ol.SGD(lr=LR, **options), points, p.steps, record=1)
        found.append(np.linalg.norm(np.diff(path.x, axis=0), axis=2).max(axis=0))
    return np.array(found) / (LR * BOUND)


def walls() -> tuple[Array, Array]:
    """The gradient on the wall for each length T, and its closed form; shape (lengths, 2) each."""
    units = [ol.landscapes.RecurrentUnit(int(steps)) for steps in LENGTHS]
    return np.array([f.grad(f.wall(W)) for f in units]), np.array([f.slope_on_wall(W) for f in units])


def surface(p: Params) -> Array:
    """E on a grid over BOX, rows by b."""
    w, b = np.meshgrid(np.linspace(*BOX[:2], p.grid), np.linspace(*BOX[2:], p.grid))
    return ol.landscapes.RecurrentUnit().value(np.stack([w.ravel(), b.ravel()], axis=1)).reshape(w.shape)


def paths(p: Params) -> Array:
    """The example, shape (methods, steps + 1, 2)."""
    f = ol.landscapes.RecurrentUnit()
    return np.array(
        [ol.descend(f, ol.SGD(lr=LR, **each), EXAMPLE, p.steps, record=1).x[:, 0] for each in METHODS.values()]
    )


def compute(p: Params, seed: int, progress: Progress) -> dict[str, Array]:
    """Both sweeps, the steps, the wall and the picture."""
    tuning = sweep(p, p.starts // 2, derive_seed(seed, "tuning"))
    progress(0.4, "shown starts")
    shown = sweep(p, p.starts, derive_seed(seed, "shown"))
    progress(0.8, "steps")
    found, law = walls()
    return {
        "tuned": np.argmin(tuning.mean(axis=2), axis=1),
        "loss": shown,
        "longest": longest(p, derive_seed(seed, "shown")),
        "wall": found,
        "wall_law": law,
        "surface": surface(p).astype(np.float32),
        "paths": paths(p).astype(np.float32),
    }


def share_claims(data: Data) -> list[Claim]:
    """How many starts arrive."""
    solved = data["loss"] < SOLVED
    total, at = solved.shape[2], int(np.argmin(np.abs(LRS - LR)))
    said = f"E < {SOLVED:g} from a random start with lr {LR:g}, {{}}: the share of starts."
    best = solved[np.arange(len(METHODS)), data["tuned"]].astype(float)
    tuned = "Each with its best lr, tuned on other starts: more of them arrive {} than without; the paired difference."
    ranges = {"left": (0.0, 0.5), "kept": (0.9, 1.0), "by_value": (0.0, 0.5)}
    return [
        *(
            fraction(name, said.format(method), int(solved[k, at].sum()), total, None, accept)
            for k, ((name, accept), method) in enumerate(zip(ranges.items(), METHODS, strict=True))
        ),
        mean("tuned", tuned.format("clipped by norm"), best[1] - best[0], None, (0.01, None)),
    ]


def claims(data: Data, p: Params) -> list[Claim]:
    """Arrivals, steps, and the wall."""
    plain, by_norm, _ = data["longest"]
    size = np.linalg.norm(data["wall_law"], axis=1)
    error = np.linalg.norm(data["wall"] - data["wall_law"], axis=1) / size
    step = "Clipped by norm, no step is longer than lr times the bound: the longest of all, over that."
    leap = "Without clipping some step is far longer: the longest from a start, over the same; the median."
    law = f"On the wall at w = {W:g} the gradient is its closed form, T = 5 to 50: the largest relative difference."
    ratio = "So it grows as λ^T: that at T = 50 over that at T = 5."
    growth = W * ol.ops.activation_forward(np.array([0.5]), "sigmoid")[0]
    growth *= 1 - growth / W
    predicted = (growth**50 - 1) / (growth**5 - 1)
    measured = np.linalg.norm(data["wall"][-1]) / np.linalg.norm(data["wall"][0])
    return [
        *share_claims(data),
        # a step is a difference of numbers near 6, each rounded to 9e-16: 4e-14 of a step of 0.05
        bounded("step", step, by_norm.max(), (0.99, 1 + 1e-13)),
        median("leap", leap, plain, None, (20.0, None)),
        # a rounding of the state, 1e-16, grows as λ^T = 3e7 on the wall
        bounded("wall", law, error.max(), (0.0, 1e-7)),
        bounded("growth", ratio, measured, (0.999 * predicted, 1.001 * predicted), predicted),
    ]


def draw_surface(ax: Axes, data: Data) -> None:
    """The loss, its wall, and the example with and without clipping."""
    image = ax.imshow(
        np.log10(data["surface"] + 1e-6), extent=BOX, origin="lower", aspect="auto", cmap="Greys_r", vmin=-4.5, vmax=0
    )
    bar = ax.figure.colorbar(image, ax=ax, location="bottom", aspect=30, pad=0.02)
    bar.set_label("loss, log₁₀ E")
    ax.grid(False)
    for k, (color, text, place) in enumerate(
        ((plotting.VERMILLION, "without: thrown off", (5.55, -2.1)), (plotting.SKY, "clipped: arrives", (4.05, -3.0)))
    ):
        ax.plot(*data["paths"][k].T, color=color, linewidth=3)
        ax.text(*place, text, color=color, fontweight="bold")
    ax.plot(*data["paths"][0, 0], "o", color=plotting.YELLOW, markersize=12, markeredgecolor="black", zorder=6)
    ax.text(5.75, -3.65, "the wall", rotation=-33)
    ax.set(xlim=BOX[:2], ylim=BOX[2:], xlabel="weight w", ylabel="bias b", title="One gradient at the wall ends it")


def draw_shares(ax: Axes, data: Data) -> None:
    """The share of starts that arrive against the learning rate."""
    share = np.mean(data["loss"] < SOLVED, axis=2)
    looks = ((plotting.VERMILLION, "s-"), (plotting.BLUE, "o-"), (plotting.GREEN, "^--"))
    for k, (method, (color, style)) in enumerate(zip(METHODS, looks, strict=True)):
        ax.plot(LRS, share[k], style, color=color, label=method)
    ax.axvline(LR, color="#777777", linewidth=1.5, linestyle=":")
    ax.set(xscale="log", ylim=(-0.04, 1.06), xlabel="learning rate", ylabel="share that arrives")
    ax.set_title("Clipped, nearly any rate arrives")
    ax.legend(loc="lower right", borderaxespad=0.1, labelspacing=0.2)


def draw_wall(ax: Axes, data: Data) -> None:
    """The gradient on the wall against the length."""
    ax.plot(LENGTHS, np.linalg.norm(data["wall"], axis=1), "o", color=plotting.PURPLE, markersize=10)
    law = np.linalg.norm(data["wall_law"], axis=1)
    line = plotting.theory_line(ax, LENGTHS, law, "theory: ∝ (λ$^T$ − 1)/(λ − 1)")
    ax.axhline(BOUND, color=plotting.BLUE, linewidth=2)
    ax.text(LENGTHS[-1], 1.3 * BOUND, "bound of clipping", color=plotting.BLUE, ha="right", va="bottom")
    ax.set(yscale="log", xlabel="steps T of the unit", ylabel="|∇E| on the wall", title="The wall rises with time")
    ax.legend(handles=[line], loc="upper left")


def plot(data: Data, p: Params) -> Figure:
    """The surface at the left; shares and the wall at the right."""
    sheet, ((left, above), (spare, below)) = plotting.figure(2, 2)
    left.set_subplotspec(left.get_gridspec()[:, 0])
    spare.remove()
    draw_surface(left, data)
    draw_shares(above, data)
    draw_wall(below, data)
    return sheet


experiment = Experiment(
    title="Unclipped, one step at the cliff undoes the training; clipping its norm keeps the step and arrives",
    source="Important Techniques: gradient clipping",
    question="What does one huge gradient do to training, and what does clipping change?",
    params={"starts": 600, "steps": 2000, "grid": 300},
    quick={"starts": 120, "grid": 50},
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
