"""Adam's two memories on f(x) = x cos(0.15πx), β₁ × β₂ (notebook *Regularization and Optimization*).

m ← β₁ m + (1−β₁) g,  s ← β₂ s + (1−β₂) g²,  x ← x − lr m / (√s + ε), from m = s = 0. The notebook's "without
normalization" is taken to mean this: m and s are not divided by 1 − βᵗ, that is, there is no bias correction.

* β₁ = β₂ = 0: a step has length lr |g| / (|g| + ε), sign descent but for a part ε/(|g| + ε).
* ε stands outside the root in the notebook and in *Additional Techniques*, as here, but inside, √(s + ε), in *Training
  DNNs* and *Training 2*. There sign descent lacks the part 1 − |g|/√(g² + ε): half of it at |g| = √(ε/3), not at ε.
* By the Cauchy-Schwarz inequality no step t is longer than lr b_t, b_t² = (1−β₁)²/(1−β₂) Σ_{i<t} (β₁²/β₂)ⁱ, which is
  reached when gradients grow as (β₂/β₁)ᵗ. With β₂ = 0 < β₁ only ε bounds a step: m remembers slopes that s forgets.

Rounding, with u = eps/2: a slope, of terms 1 and a = 0.15πx, is known to 8u(1 + |a|)²; a sum or a product adds u, here
and in the kernel. `defect` carries these errors through m, s, the root and the quotient, to first order.
Nothing is random except the starts from which the longest steps are looked for.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import optlab as ol
from optlab import plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, bounded, exact
from optlab.random import derive_seed, uniform

FREQUENCY, START, RATE, EPSILON = 0.15 * math.pi, 15.0, 0.7, 1e-8
BETAS = (0.0, 0.6, 0.9)
BETA1, BETA2 = np.repeat(BETAS, 3), np.tile(BETAS, 3)
WILD, MIXED = (BETA1 > 0) & (BETA2 == 0), BETA1 * BETA2 > 0
HILLS = ol.landscapes.Cosine(FREQUENCY)
U = float(np.finfo(np.float64).eps) / 2


def adam(beta1: np.ndarray, beta2: np.ndarray, eps: float = EPSILON) -> ol.Adam:
    """The notebook's Adam, one run for each pair."""
    return ol.Adam(lr=RATE, betas=(beta1, beta2), eps=eps, bias_correction=False)


def slope(x: np.ndarray) -> np.ndarray:
    """The derivative f′(x)."""
    return np.cos(FREQUENCY * x) - FREQUENCY * x * np.sin(FREQUENCY * x)


def defect(xs: np.ndarray, inside: bool = False) -> np.ndarray:
    """By how much the steps of each cell differ from the rule, in units of the bound on rounding, at worst."""
    m = s = dm = ds = worst = np.zeros(9)
    for before, after in pairwise(xs):
        g, dg = slope(before), 8 * U * (1 + FREQUENCY * np.abs(before)) ** 2
        dm = BETA1 * dm + (1 - BETA1) * dg + 4 * U * (BETA1 * np.abs(m) + (1 - BETA1) * np.abs(g))
        m, s = BETA1 * m + (1 - BETA1) * g, BETA2 * s + (1 - BETA2) * g**2
        ds = BETA2 * ds + 2 * (1 - BETA2) * np.abs(g) * dg + 4 * U * s
        move = RATE * m / (np.sqrt(s + EPSILON) if inside else np.sqrt(s) + EPSILON)
        bound = RATE * dm / np.sqrt(s) + np.abs(move) * (ds / (2 * s) + 8 * U) + U * (np.abs(before) + np.abs(after))
        worst = np.maximum(worst, np.abs(after - before + move) / bound)
    return worst


def longest(p: Params, seed: int) -> np.ndarray:
    """The longest step of each cell, in units of lr, over runs from random starts."""
    x0 = np.tile(30 * uniform(p.starts, seed) - 15, 9)[:, None]
    way = adam(np.repeat(BETA1, p.starts), np.repeat(BETA2, p.starts))
    xs = ol.descend(HILLS, way, x0, p.steps, record=1).x[..., 0]
    return np.abs(np.diff(xs, axis=0)).max(axis=0).reshape(9, p.starts).max(axis=1) / RATE


def ceiling(steps: int) -> np.ndarray:
    """The bound b_t of each cell."""
    ratio = np.divide(BETA1**2, BETA2, out=np.where(WILD, np.inf, 0.0), where=BETA2 > 0)
    return (1 - BETA1) / np.sqrt(1 - BETA2) * np.sqrt(np.sum(ratio ** np.arange(steps)[:, None], axis=0))


def worst_case(steps: int) -> np.ndarray:
    """The last step of each cell in which both β count, in units of lr, after gradients that grow as (β₂/β₁)ᵗ."""
    beta1, beta2 = BETA1[MIXED], BETA2[MIXED]
    way, x = adam(beta1, beta2, 0.0), np.zeros((len(beta1), 1))
    state = way.init(x)
    for t in range(steps):
        x[:] = 0.0  # so that its last move is left, to the last bit
        way.step(x, ((beta2 / beta1) ** t)[:, None], state)
    return -x[:, 0] / RATE


def sign_steps(slopes: np.ndarray) -> np.ndarray:
    """The part of lr that the first step with β₁ = β₂ = 0 falls short, for each slope."""
    way, x = ol.Adam(lr=RATE, betas=(0.0, 0.0), eps=EPSILON, bias_correction=False), np.zeros_like(slopes)
    way.step(x, slopes, way.init(x))
    return 1 + x / RATE


def compute(p: Params, seed: int, progress: Progress) -> dict[str, np.ndarray]:
    """The nine paths, the longest steps from other starts and in the worst case, and sign descent at many slopes."""
    xs = ol.descend(HILLS, adam(BETA1, BETA2), np.full((9, 1), START), p.steps, record=1).x[..., 0]
    slopes = np.geomspace(1e-10, 10, 111)
    return {
        "paths": xs,
        "defects": defect(xs),
        "inside_defects": defect(xs[:2], inside=True),
        "longest": longest(p, derive_seed(seed, "starts")),
        "worst_case": worst_case(p.steps),
        "slopes": slopes,
        "shortfall": sign_steps(slopes),
    }


def sign_claims(data: Data, p: Params) -> list[Claim]:
    """Without memory Adam is sign descent, up to ε, which stands outside the root."""
    xs, slopes = data["paths"][:, 0], data["slopes"]
    size, moves = np.abs(slope(xs[:-1])), -np.diff(xs) * np.sign(slope(xs[:-1])) / RATE
    k, inside = np.argmin(size), slopes / np.sqrt(slopes**2 + EPSILON)
    apart = 1 - data["shortfall"] - inside
    at = np.argmax(np.abs(apart))
    outside = slopes[at] / (slopes[at] + EPSILON)
    short = (
        f"Beta1 = beta2 = 0 is sign descent up to eps/|g|: the largest part of lr that one of {p.steps} steps lacks."
    )
    every = (
        f"That part is eps/(|g| + eps) for {len(slopes)} slopes down to {slopes[0]:g}: the largest gap, by rounding."
    )
    half = f"With eps outside the root the step is half of lr at |g| = eps = {EPSILON:g}: its length, by lr."
    other = f"With eps inside it would be shorter; the difference is largest at |g| = {slopes[at]:.1e}: by lr."
    gap = np.abs(data["shortfall"] - EPSILON / (slopes + EPSILON)).max()
    return [
        exact("sign_descent", short, 1 - moves[k], EPSILON / (size[k] + EPSILON), 8 * U + 2 * U * xs.max() / RATE),
        bounded("sign_slopes", every, gap / (8 * U), (0.0, 1.0)),
        exact("half_step", half, 1 - np.interp(EPSILON, slopes, data["shortfall"]), 0.5, 8 * U),
        exact("eps_apart", other, apart[at], outside - inside[at], 8 * U),
    ]


def rule_claims(data: Data, p: Params) -> list[Claim]:
    """Every step of every cell is that of the rule with ε outside the root, and is not that with ε inside."""
    follows = (
        "In the nine cells each of {} steps is that of the rule, eps outside: the largest gap, in units of rounding."
    )
    fails = "With eps inside the root the rule misses the first step of each cell: the least gap, in units of rounding."
    return [
        bounded("follows", follows.format(p.steps), data["defects"].max(), (0.0, 1.0)),
        bounded("inside_fails", fails, data["inside_defects"].min(), (1000.0, None)),
    ]


def step_claims(data: Data, p: Params) -> list[Claim]:
    """How long steps can be."""
    top, tame = ceiling(p.steps), ~WILD
    share = (data["longest"] / top)[tame].max()
    within = f"With beta2 > 0 or beta1 = 0 no step from {p.starts} starts exceeds its bound b: the longest, by b."
    reached = "Beta1 {:g}, beta2 {:g}: gradients that grow as (beta2/beta1)^t reach the bound; step {}, in units of lr."
    wild = "With beta2 = 0 momentum over a passing slope is unbounded: the longest step, in units of lr, beta1 {:g}."
    return [
        # At β₁ = 0 the first step is the bound, but for rounding.
        bounded("within_bound", within, share, (0.9, 1 + 8 * U + 16 * U / RATE), 1.0),
        *(
            exact(f"reached_{b1:g}_{b2:g}", reached.format(b1, b2, p.steps), step, b, 8 * p.steps * U * b)
            for b1, b2, step, b in zip(BETA1[MIXED], BETA2[MIXED], data["worst_case"], top[MIXED], strict=True)
        ),
        *(
            bounded(f"wild_{b1:g}", wild.format(b1), step, (100.0, None))
            for b1, step in zip(BETA1[WILD], data["longest"][WILD], strict=True)
        ),
    ]


def claims(data: Data, p: Params) -> list[Claim]:
    """Sign descent, the place of ε, and the length of steps."""
    return [*sign_claims(data, p), *rule_claims(data, p), *step_claims(data, p)]


def draw_cell(ax: Axes, xs: np.ndarray, bound: float) -> None:
    """The path of one cell on f, its longest step, and the bound on it."""
    color = plotting.BLUE if math.isfinite(bound) else plotting.VERMILLION
    curve = np.linspace(14, 24, 200)
    ax.plot(curve, curve * np.cos(FREQUENCY * curve), color="#999999", linewidth=2)
    ax.plot(xs, xs * np.cos(FREQUENCY * xs), "o-", color=color, markersize=6, linewidth=1.8)
    limit = f"bound {bound:.1f} lr" if math.isfinite(bound) else "no bound"
    text = f"longest {np.abs(np.diff(xs)).max() / RATE:.1f} lr\n{limit}"
    ax.text(0.97, 0.95, text, transform=ax.transAxes, ha="right", va="top", fontsize=15)
    ax.set(xlim=(14, 24), xticks=(15, 20), ylim=(-23, 38), yticks=(-20, 0))


def draw_eps(ax: Axes, data: Data) -> None:
    """The part of lr that sign descent lacks, with ε outside the root, as measured, and inside."""
    g = data["slopes"]
    ax.loglog(g, data["shortfall"], color=plotting.SKY, linewidth=8, label="measured")
    plotting.theory_line(ax, g, EPSILON / (g + EPSILON), "ε / (|g| + ε)")
    ax.loglog(g, 1 - g / np.sqrt(g**2 + EPSILON), color=plotting.PURPLE, label="ε inside the root")
    ax.set(xlabel="slope |g|", ylabel="part of lr missing, β₁ = β₂ = 0", ylim=(1e-13, 4), title="ε inside acts like √ε")
    ax.legend(loc="lower left")


def plot(data: Data, p: Params) -> Figure:
    """Nine panels of paths; beside them what ε does outside and inside the root."""
    sheet, axes = plotting.figure(3, 4, width_ratios=(1, 1, 1, 1.5))
    for i, ax in enumerate(axes[:, :3].flat):
        draw_cell(ax, data["paths"][:, i], ceiling(p.steps)[i])
        ax.label_outer()
    for beta, top, left in zip(BETAS, axes[0], axes[:, 0], strict=False):
        top.set_title(f"β₂ = {beta:g}")
        left.set_ylabel(f"β₁ = {beta:g}\nf(x)")
    axes[2, 1].set_xlabel("x")
    axes[0, 3].set_subplotspec(axes[0, 3].get_gridspec()[:, 3])
    draw_eps(axes[0, 3], data)
    for spare in axes[1:, 3]:
        spare.remove()
    sheet.suptitle("β₁ without β₂: momentum is divided by a passing slope, and no step has a bound")
    return sheet


experiment = Experiment(
    title="Without memory Adam is sign descent; momentum needs a memory of squares, or its steps have no bound",
    source="Regularization and Optimization (notebook), Adam",
    question="What do Adam's β₁ and β₂ do on x cos(0.15πx), twenty steps of 0.7 from 15, and where does ε stand?",
    params={"steps": 20, "starts": 20_000},
    quick={"starts": 2000},
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
