"""What Adam's bias correction corrects (lecture *Additional Techniques*; notebook *Regularization and Optimization*).

m ← β₁ m + (1−β₁) g and s ← β₂ s + (1−β₂) g² start at 0. For gradients of mean μ and variance σ² therefore

    E m_t = (1 − β₁ᵗ) μ        E s_t = (1 − β₂ᵗ) (μ² + σ²),

and m̂ = m / (1 − β₁ᵗ), ŝ = s / (1 − β₂ᵗ) are unbiased. A step is lr m̂ / (√ŝ + ε), without correction lr m / (√s + ε).

* For the same gradients a step without correction is that with it times (1 − β₁ᵗ) / √(1 − β₂ᵗ), up to ε: too small
  through m, too large through s. With β = 0.9 and 0.999 s wins: steps are too long, 3.2 times at first, 6.6 at most.
* First step: lr with correction, whatever the gradient; lr (1 − β₁) / √(1 − β₂) without.
* Second step, gradients g₁ and g₂: lr (β₁g₁ + g₂) / (1 + β₁) · √((1 + β₂) / (β₂g₁² + g₂²)) with correction, which is lr
  again if g₁ = g₂.

Rounding, with u = eps/2: a step by itself costs at most 16u of Σ|terms|, each average 4u more for each step before,
and subtracting it from x costs u |x|, where |x| < 7 lr t: (16 + 15t) u in all. Samples are means over blocks of runs.
"""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import optlab as ol
from optlab import plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, bounded, exact, fraction, mean
from optlab.random import derive_seed, normal

RATE, BETA1, BETA2, MU, SIGMA = 0.01, 0.9, 0.999, 1.0, 1.0
MOMENTS = (
    ("m", BETA1, MU, "mu", SIGMA**2),
    ("s", BETA2, MU**2 + SIGMA**2, "(mu^2 + sigma^2)", 2 * SIGMA**4 + 4 * MU**2 * SIGMA**2),
)
"""Name, β, limit of the mean, the same in words, and the variance of what is averaged (of g², for normal noise)."""
PEAK = 50  # the longest step is among the first 50
U = float(np.finfo(np.float64).eps) / 2
SLOPE = ol.landscapes.Custom(1, value=lambda x: MU * x[:, 0], grad=lambda x: np.full_like(x, MU))
"""f(x) = μx: the gradient is the same everywhere, so that only its noise is random."""


def adam(corrected: bool) -> ol.Adam:
    """Adam with or without correction; ε = 0, which the closed forms leave out."""
    return ol.Adam(lr=RATE, betas=(BETA1, BETA2), eps=0.0, bias_correction=corrected)


def times(p: Params) -> np.ndarray:
    """The steps that are looked at, evenly spaced in log t."""
    return np.unique(np.geomspace(1, p.steps, p.times).round().astype(int))


def moments(p: Params, corrected: bool, sigma: float, runs: int, seed: int) -> np.ndarray:
    """The length of step t, m_t and s_t, shape (3, times, runs): one study, continued from time to time."""
    way, x, state, found, now = adam(corrected), np.zeros((runs, 1)), None, [], 0
    for t in times(p):
        part = ol.descend(
            SLOPE, way, x, t - now, state=state, first_step=now, record=[t - 1, t], gradient_noise=sigma, seed=seed
        )
        found.append((part.x[0, :, 0] - part.x[1, :, 0], part.state["exp_avg"][:, 0], part.state["exp_avg_sq"][:, 0]))
        x, state, now = part.last, part.state, t
    return np.moveaxis(found, 1, 0)


def first_two(g: np.ndarray, corrected: bool) -> np.ndarray:
    """The first two steps for pairs of gradients, in units of lr, shape (2, pairs)."""
    way, x, found = adam(corrected), np.zeros(g.shape[1]), []
    state = way.init(x)
    for gradient in g:
        x[:] = 0.0  # so that its last move is left, to the last bit
        way.step(x, gradient, state)
        found.append(-x / RATE)
    return np.array(found)


def grown(beta: float, t: np.ndarray) -> np.ndarray:
    """What an average has grown to by step t: 1 − βᵗ, without cancellation."""
    return -np.expm1(t * np.log(beta))


def factor(t: np.ndarray) -> np.ndarray:
    """The step without correction in units of that with it."""
    return grown(BETA1, t) / np.sqrt(grown(BETA2, t))


def laws(g: np.ndarray, corrected: bool) -> np.ndarray:
    """The closed forms of those steps."""
    first, second = g
    length = np.sqrt((1 + BETA2) / (BETA2 * first**2 + second**2)) / (1 + BETA1)
    found = np.array([np.sign(first), (BETA1 * first + second) * length])
    return found if corrected else found * factor(np.array([[1], [2]]))


def compute(p: Params, seed: int, progress: Progress) -> dict[str, np.ndarray]:
    """The first steps for random gradients, all steps for a constant one, and the moments for noisy ones."""
    pairs = normal((2, p.pairs), derive_seed(seed, "pairs"))
    # The closed forms with all signs equal bound the sums of the terms.
    gaps = [np.abs(first_two(pairs, c) - laws(pairs, c)) / laws(np.abs(pairs), c) for c in (True, False)]
    # The same seed and the same numbering of runs: the same noise, so that runs can be compared one by one.
    noise, t = derive_seed(seed, "noise"), times(p)[:, None]
    noisy, paired = moments(p, False, SIGMA, p.blocks * p.block, noise), moments(p, True, SIGMA, p.paired, noise)
    steps, room = noisy[0, :, : p.paired], 14 * U * RATE * t * (1 + factor(t))
    return {
        "gaps": np.max(gaps, axis=2) / (24 * U),
        "constant": np.array([moments(p, c, 0.0, 1, 0)[0, :, 0] for c in (True, False)]) / RATE,
        "peak": np.diff(ol.descend(SLOPE, adam(False), np.zeros((1, 1)), PEAK, record=1).x[:, 0, 0]) / -RATE,
        "factor_gap": np.max(np.abs(steps - factor(t) * paired[0]) / (room + 16 * U * np.abs(steps))),
        "downhill": np.sum(noisy[0, 0] > 0),
        "blocks": noisy.reshape(3, len(t), p.blocks, p.block).mean(axis=3),
    }


def step_claims(data: Data, p: Params) -> list[Claim]:
    """The first steps, and all steps for a constant gradient, against their closed forms."""
    t, (with_it, without) = times(p), data["constant"]
    room, top = (16 + 15 * t) * U, factor(np.arange(1, PEAK + 1))
    pairs = (
        f"Step {{}} {{}} correction has its closed form for {p.pairs} pairs of gradients: the largest gap, by rounding."
    )
    stays = f"For a constant gradient steps 1 to {t[-1]} with correction are lr: the largest gap, by rounding."
    grows = "Without it they are lr (1 - beta1^t)/sqrt(1 - beta2^t): the largest gap, by rounding."
    size = "Without correction the {} step is too long: its length, by lr."
    slack = (16 + 15 * PEAK) * U * top.max()
    return [
        *(
            bounded(f"step{k + 1}_{word}", pairs.format(k + 1, word), data["gaps"][c, k], (0.0, 1.0))
            for c, word in enumerate(("with", "without"))
            for k in (0, 1)
        ),
        bounded("constant_with", stays, np.max(np.abs(with_it - 1) / room), (0.0, 1.0)),
        bounded("constant_without", grows, np.max(np.abs(without / factor(t) - 1) / room), (0.0, 1.0)),
        exact("first_size", size.format("first"), without[0], (1 - BETA1) / math.sqrt(1 - BETA2), slack),
        exact("peak_size", size.format("longest"), data["peak"].max(), top.max(), slack),
        exact("peak_step", "That is step number", np.argmax(data["peak"]) + 1, np.argmax(top) + 1),
    ]


def moment_claims(data: Data, p: Params) -> list[Claim]:
    """Without correction m and s are too small on average, by the predicted factors."""
    t, n, found = times(p), p.blocks * p.block, []
    said = f"E {{0}}_{{1}} = (1 - {{2:g}}^{{1}}) {{3}} for noisy gradients: the mean over {n} runs."
    for row, (name, beta, target, text, variance) in enumerate(MOMENTS, start=1):
        for i in np.linspace(0, len(t) - 1, 4).round().astype(int):
            expected, statement = grown(beta, t[i]) * target, said.format(name, t[i], beta, text)
            # Eight standard errors: 3.3 for the interval at level 0.999 and 4.7 for chance.
            margin = 8 * math.sqrt(variance * (1 - beta) / (1 + beta) * grown(beta, 2 * t[i]) / n)
            accept = (expected - margin, expected + margin)
            found.append(mean(f"{name}_{t[i]}", statement, data["blocks"][row, i], expected, accept))
    return found


def noise_claims(data: Data, p: Params) -> list[Claim]:
    """Noisy steps differ by the same factor in every run, and the first is the sign of its gradient."""
    n, down = p.blocks * p.block, (1 + math.erf(MU / SIGMA / math.sqrt(2))) / 2
    factors = (
        f"In each of {p.paired} noisy runs steps differ by (1 - beta1^t)/sqrt(1 - beta2^t): largest gap, by rounding."
    )
    signs = "The first step has the sign of its noisy gradient: the share that goes downhill."
    margin = 8 * math.sqrt(down * (1 - down) / n)
    return [
        bounded("factor", factors, data["factor_gap"], (0.0, 1.0)),
        fraction("downhill", signs, data["downhill"], n, down, (down - margin, down + margin)),
    ]


def claims(data: Data, p: Params) -> list[Claim]:
    """Steps, moments, and what noise changes."""
    return [*step_claims(data, p), *moment_claims(data, p), *noise_claims(data, p)]


def draw_moment(ax: Axes, p: Params, samples: np.ndarray, beta: float, target: float) -> None:
    """The mean of a moment against t, without and with correction, with 99.9 % intervals, and its expectation."""
    t, fine = times(p), np.geomspace(1, p.steps, 200)
    middle, error = samples.mean(axis=1), 3.3 * samples.std(axis=1, ddof=1) / math.sqrt(p.blocks)
    for scale, law, color, text, at in (
        (1.0, target * grown(beta, fine), plotting.VERMILLION, "without", (0.4 / (1 - beta), 0.06)),
        (1 / grown(beta, t), np.full(200, target), plotting.BLUE, "with correction", (1.1, 1.07)),
    ):
        ax.errorbar(t, middle * scale, error * scale, fmt="o", color=color, capsize=5)
        plotting.theory_line(ax, fine, law)
        ax.text(at[0], at[1] * target, text, color=color)
    ax.set(xscale="log", xlabel="step t", ylim=(-0.05 * target, 1.3 * target))


def draw_factors(ax: Axes, data: Data, p: Params) -> None:
    """By what the missing corrections multiply a step: through m, through s, and both."""
    t, fine = times(p), np.geomspace(1, p.steps, 300)
    m, s = data["blocks"][1:].mean(axis=2)
    ways = (
        (np.sqrt((MU**2 + SIGMA**2) / s), 1 / np.sqrt(grown(BETA2, fine)), plotting.PURPLE, 2.2, 27, "s: too long"),
        (data["constant"][1], factor(fine), plotting.VERMILLION, 3.2, 3.6, "both"),
        (m / MU, grown(BETA1, fine), plotting.GREEN, 3.2, 0.2, "m: too short"),
    )
    for dots, law, color, x, y, text in ways:
        ax.loglog(t, dots, "o", color=color, markersize=11)
        ax.text(x, y, text, color=color, fontsize=18)
        theory = plotting.theory_line(ax, fine, law, "1/√(1−β₂ᵗ), 1−β₁ᵗ, and their product")
    ax.legend(handles=[theory], loc="lower right")
    ax.set_yticks((0.1, 1, 10), ("0.1", "1", "10"))
    ax.set(xlabel="step t", ylabel="step without correction / with it", ylim=(0.07, 50))
    ax.set_title(f"s wins: without correction steps are\nup to {data['peak'].max():.1f} times too long")


def plot(data: Data, p: Params) -> Figure:
    """The two moments; beside them what leaving their correction out does to a step."""
    sheet, ((m, step), (s, spare)) = plotting.figure(2, 2, width_ratios=(1, 1.2))
    step.set_subplotspec(step.get_gridspec()[:, 1])
    spare.remove()
    for ax, samples, (name, beta, target, *_) in zip((m, s), data["blocks"][1:], MOMENTS, strict=True):
        draw_moment(ax, p, samples, beta, target)
        ax.set(ylabel=f"mean of {name}", title=f"{name} needs about {round(1 / (1 - beta)):,} steps to fill")
    draw_factors(step, data, p)
    return sheet


experiment = Experiment(
    title="Without bias correction Adam's first steps are too long: s is too small by more than m",
    source="Additional Techniques for Training Neural Networks; Regularization and Optimization (notebook), Adam",
    question="What do Adam's moments and steps look like without bias correction?",
    params={"pairs": 10_000, "blocks": 200, "block": 100, "paired": 1000, "steps": 2000, "times": 24},
    quick={"blocks": 100, "block": 50, "steps": 300, "times": 16},
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
