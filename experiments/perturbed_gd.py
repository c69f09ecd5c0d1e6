"""Perturbed gradient descent of Jin et al.: where the gradient is small, jump once to a random point of a small ball.

From the saddle of a function with one falling direction, curvature −γ. A step multiplies the distance y along it by
a = 1 + ηγ; the jump ζ is uniform in the ball of radius r in d dimensions.

* Leaving. ζ₁²/r² has the law Beta(1/2, (d + 1)/2), so y first reaches R after
  (log(R/r) − (ψ(1/2) − ψ(d/2 + 1))/2) / log a + 1/2 steps on average; ψ is the digamma function, and steps are whole.
  This grows as log d / (2 log a): the jump is shared by d directions, and only one of them falls.
* Stopping. The algorithm returns the point before the jump unless f falls by F within w steps. At a saddle it falls so
  if |ζ₁| aʷ ≥ √(2F/γ), so a wrong answer has the probability that Beta gives to ζ₁²/r² < 2F/(γ r² a²ʷ).
* The whole. With ℓ and ρ the Lipschitz constants of gradient and Hessian, the paper's numbers of `from_theory` return a
  point with |∇f| ≤ ε and no curvature below −√(ρε) with probability at least 1 − δ. The paper leaves open how small its
  constant c must be; here it is 1/4, and η = c/ℓ.

Where wells and saddles follow each other, as on the octopus, the same few numbers do for all of them.

Jin, Ge, Netrapalli, Kakade and Jordan, "How to escape saddle points efficiently", 2017, algorithm 2 and theorem 3.
"""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.special import digamma
from scipy.stats import beta

import optlab as ol
from optlab import plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, bounded, exact, fraction, mean, slope
from optlab.random import derive_seed

LR, GAMMA, RADIUS, SMALL = 0.1, 1.0, 1e-5, 1e-3
AWAY = 0.1
"""R: near enough for the quartic term to delay by less than a tenth of a step."""
CHUNK = 2**22
"""Numbers of all runs that are worked on together."""
LOG_A = math.log1p(LR * GAMMA)
WAIT_RADIUS, WAIT_DECREASE, WAIT_DIM = 1e-3, 1e-4, 10
SMOOTHNESS, HESSIAN_LIPSCHITZ, GAP = 2.0, 6 * math.sqrt(GAMMA), GAMMA**2 / 4
"""ℓ, ρ and Δf of the saddle between its minima: curvatures up to 2, third derivatives 6y, depth γ²/4."""
EPS, C, DELTA = 0.05, 0.25, 0.1
OCTOPUS = ol.landscapes.Octopus(10)
OCTOPUS_JUMPS = ol.Perturbation(radius=1e-3, grad_norm=1e-3, wait=100, decrease=1e-2)


def saddle(dim: int) -> ol.landscapes.StrictSaddle:
    """One direction falls, the others have curvatures from 1/2 to 2."""
    return ol.landscapes.StrictSaddle(dim, 1, GAMMA)


def from_saddle(dim: int, runs: int, lr: float, jumps: ol.Perturbation, steps: int, seed: int, **options: object):
    """Runs that start at the saddle, some at a time because many coordinates take memory."""
    f, some = saddle(dim), max(1, CHUNK // dim)
    for first in range(0, runs, some):
        x0, options["first_run"] = np.zeros((min(some, runs - first), dim)), first
        yield ol.descend(f, ol.SGD(lr), x0, steps, perturbation=jumps, seed=seed, record=[], **options)


def leaving(dim: int, p: Params, seed: int) -> np.ndarray:
    """When each run is at distance R; 0 stands for never."""
    away = ol.stop.leaves_ball(AWAY, np.zeros(dim), [0])
    jumps, runs = ol.Perturbation(RADIUS, SMALL, wait=1000), min(p.runs, p.numbers // dim)
    parts = from_saddle(dim, runs, LR, jumps, 900, derive_seed(seed, "leave", dim), stop=away)
    return np.concatenate([np.where(part.stop_reason == "left", part.stop_step, 0) for part in parts])


def returned(dim: int, runs: int, lr: float, jumps: ol.Perturbation, seed: int) -> np.ndarray:
    """Of each run's answer: the step, the gradient's norm and the least curvature; step −1 stands for no answer."""
    f, found = saddle(dim), []
    for part in from_saddle(dim, runs, lr, jumps, 20 * jumps.wait + 1000, seed):
        least = f.hvp(part.last, np.ones_like(part.last)).min(axis=1)  # the Hessian is diagonal
        step = np.where(part.stop_reason == "no_decrease", part.stop_step, -1)
        found.append([step, np.linalg.norm(f.grad(part.last), axis=1), least])
    return np.concatenate(found, axis=1)


def theory(dim: int) -> tuple[ol.Perturbation, float]:
    """The paper's numbers for the saddle."""
    known = {"smoothness": SMOOTHNESS, "hessian_lipschitz": HESSIAN_LIPSCHITZ, "gap": GAP, "eps": EPS}
    return ol.Perturbation.from_theory(dim=dim, **known, c=C, delta=DELTA)


def chain(p: Params, seed: int) -> dict[str, np.ndarray]:
    """The algorithm on the octopus, from its first saddle, and gradient descent beside it."""
    rule, x0 = ol.SGD(1 / (4 * OCTOPUS.L)), np.zeros((p.chain_runs, OCTOPUS.dim))
    options = {"perturbation": OCTOPUS_JUMPS, "seed": derive_seed(seed, "chain"), "record_x": False}
    study = ol.descend(OCTOPUS, rule, x0, p.chain_steps, record=[], **options)
    shown = ol.descend(OCTOPUS, rule, x0[:1], int(study.stop_step[0]), record=1, **options)
    least = np.linalg.eigvalsh(OCTOPUS.hessian(study.last))[:, 0]
    stays = ol.descend(OCTOPUS, rule, x0[:1], p.chain_steps, record_x=False)
    return {
        "chain_returned": study.stop_reason == "no_decrease",
        "chain_norm": np.linalg.norm(OCTOPUS.grad(study.last), axis=1),
        "chain_least": least,
        "chain_above": (OCTOPUS.value(study.last) - OCTOPUS.minimum) / OCTOPUS.depth,
        "shown": (shown.value[:, 0] - OCTOPUS.minimum) / OCTOPUS.depth,
        "shown_norm": shown.grad_norm[:, 0],
        "stays": stays.value[:, 0],
    }


def compute(p: Params, seed: int, progress: Progress) -> dict[str, np.ndarray]:
    """Times to leave by dimension, answers by waiting time, answers with the paper's numbers, and the octopus."""
    found = {}
    for i, dim in enumerate(p.dims):
        progress(0.6 * i / len(p.dims), f"leaving in {dim} dimensions")
        found[f"leaving_{dim}"] = leaving(dim, p, seed).astype(np.uint16)
    progress(0.6, "waiting too short")
    wrong = []
    for wait in p.waits:
        jumps = ol.Perturbation(WAIT_RADIUS, SMALL, wait, WAIT_DECREASE)
        wrong.append(returned(WAIT_DIM, p.wait_runs, LR, jumps, derive_seed(seed, "wait", wait))[2] < 0)
    for i, dim in enumerate(p.paper_dims):
        progress(0.7 + 0.3 * i / len(p.paper_dims), f"the paper's numbers in {dim} dimensions")
        jumps, lr = theory(dim)
        found[f"paper_{dim}"] = returned(dim, p.paper_runs, lr, jumps, derive_seed(seed, "paper", dim))
    return {**found, **chain(p, seed), "wrong": np.array(wrong).sum(axis=1)}


def predicted(dim: int) -> float:
    """The mean number of steps to distance R."""
    start = math.log(RADIUS) + (float(digamma(0.5)) - float(digamma(dim / 2 + 1))) / 2
    return (math.log(AWAY) - start) / LOG_A + 0.5


def wrong(wait: float) -> float:
    """The probability that a waiting time is too short for the saddle."""
    needed = 2 * WAIT_DECREASE / GAMMA * math.exp(-2 * LOG_A * wait) / WAIT_RADIUS**2
    return float(beta.cdf(min(needed, 1.0), 0.5, (WAIT_DIM + 1) / 2))


def claims(data: Data, p: Params) -> list[Claim]:
    """Leaving, waiting, the whole algorithm, and saddle after saddle."""
    return [*leaving_claims(data, p), *waiting_claims(data, p), *paper_claims(data, p), *chain_claims(data, p)]


def leaving_claims(data: Data, p: Params) -> list[Claim]:
    """The mean time in every dimension, and how it grows."""
    times = {dim: np.where(data[f"leaving_{dim}"] == 0, np.nan, data[f"leaving_{dim}"]) for dim in p.dims}
    found, logs, margin = [], np.log(p.dims), 0.25 / LOG_A
    for dim, samples in times.items():
        said = f"A jump of radius r leaves the saddle in {dim} dimensions after {predicted(dim):.0f} steps: the mean."
        bound = (predicted(dim) - margin, predicted(dim) + margin)  # what a radius wrong by a quarter would change
        found.append(mean(f"leaves_{dim}", said, samples, predicted(dim), bound))
    rows = np.array([samples[: len(times[p.dims[-1]])] for samples in times.values()]).T
    line = "Steps to leave grow with log d at the rate 1/(2 log(1 + ηγ)): the slope, in this unit."
    power = f"From d = {p.dims[0]} to {p.dims[-1]} no power of d above 0.1 would fit: the exponent."
    expected = float(np.polyfit(logs, np.log([predicted(dim) for dim in p.dims]), 1)[0])
    return [
        *found,
        slope("slope", line, logs, rows * 2 * LOG_A, 1.0, (0.9, 1.1)),
        slope("power", power, logs, np.log(rows), expected, (0.01, 0.1)),
    ]


def waiting_claims(data: Data, p: Params) -> list[Claim]:
    """The share of saddles among the answers, by waiting time."""
    found = []
    for wait, saddles in zip(p.waits, data["wrong"], strict=True):
        said = f"Allowed {wait} steps for its decrease, the algorithm calls the saddle its answer: the share of runs."
        # One step more or less changes the share by up to 0.045.
        bound = (max(wrong(wait) - 0.025, 0.0), min(wrong(wait) + 0.025, 1.0))
        found.append(fraction(f"wait_{wait}", said, saddles, p.wait_runs, wrong(wait), bound))
    return found


def paper_claims(data: Data, p: Params) -> list[Claim]:
    """What is returned with the paper's numbers, and after how long."""
    found, curvature = [], -math.sqrt(HESSIAN_LIPSCHITZ * EPS)
    for dim in p.paper_dims:
        step, norm, least = data[f"paper_{dim}"]
        good = np.sum((step >= 0) & (norm <= EPS) & (least >= curvature))
        said = f"The paper's numbers, d = {dim}: an answer with |∇f| ≤ ε, curvatures ≥ −√(ρε): the share of runs."
        found.append(fraction(f"paper_{dim}", said, good, p.paper_runs, 1.0, (1 - DELTA, 1.0)))
    first, last = (data[f"paper_{dim}"][0].mean() for dim in (p.paper_dims[0], p.paper_dims[-1]))
    exponent = math.log(last / first) / math.log(p.paper_dims[-1] / p.paper_dims[0])
    said = f"The whole algorithm, from d = {p.paper_dims[0]} to {p.paper_dims[-1]}: its steps as a power of d."
    return [*found, bounded("whole_power", said, exponent, (0.0, 0.1))]


def chain_claims(data: Data, p: Params) -> list[Claim]:
    """Ten saddles in a row."""
    right = data["chain_returned"] & (data["chain_norm"] <= OCTOPUS_JUMPS.grad_norm) & (data["chain_least"] > 0)
    stays = "Gradient descent, started at the octopus' first saddle, stays: how far f falls."
    passes = f"The algorithm passes {OCTOPUS.dim} saddles and returns a minimum by its own rule: the share of runs."
    bound = (1 - 10 / p.chain_runs, 1.0)  # without an exception, n runs exclude shares below 1 - 7.6 / n
    found = np.sum(right & (data["chain_above"] < 1e-3))
    return [
        exact("chain_stays", stays, data["stays"][0] - data["stays"][-1], 0),
        fraction("chain_passes", passes, found, p.chain_runs, 1.0, bound),
    ]


def draw_leaving(ax: Axes, data: Data, p: Params) -> None:
    """The time to leave against the dimension, with the middle nine tenths of the runs."""
    low, high = (np.array([np.quantile(data[f"leaving_{dim}"], q) for dim in p.dims]) for q in (0.05, 0.95))
    middle = np.array([data[f"leaving_{dim}"].mean() for dim in p.dims])
    bars = ax.errorbar(
        p.dims,
        middle,
        [middle - low, high - middle],
        fmt="o",
        markersize=11,
        capsize=6,
        label="mean, and 90 % of the runs",
    )
    line = plotting.theory_line(ax, p.dims, [predicted(dim) for dim in p.dims], "theory, nothing is fitted")
    ax.set(
        xscale="log",
        ylim=(0, None),
        xlabel=f"dimension d, with η = {LR:g}, γ = {GAMMA:g}, r = $10^{{{math.log10(RADIUS):.0f}}}$",
        ylabel="steps to leave",
        title="Steps grow as log d",
    )
    ax.legend(handles=[bars, line], loc="lower right")


def draw_waiting(ax: Axes, data: Data, p: Params) -> None:
    """How often too short a wait takes the saddle for a minimum."""
    grid = np.linspace(p.waits[0], p.waits[-1], 200)
    ax.plot(p.waits, data["wrong"] / p.wait_runs, "o", markersize=11, color=plotting.VERMILLION)
    line = plotting.theory_line(ax, grid, [wrong(wait) for wait in grid], "theory")
    ax.set(xlabel=f"steps allowed for a decrease, d = {WAIT_DIM}", ylabel="saddles returned", ylim=(-0.03, 1.05))
    ax.set_title("Too little patience returns the saddle")
    ax.legend(handles=[line], loc="upper right")


def draw_answers(ax: Axes, data: Data, p: Params) -> None:
    """The least curvature at the start and at every answer, and what the theorem allows."""
    least = [data[f"paper_{dim}"][2].min() for dim in p.paper_dims]
    ax.semilogx(p.paper_dims, least, "o", markersize=13, color=plotting.BLUE, label="answers, the worst run")
    ax.semilogx(p.paper_dims, [-GAMMA] * len(least), "X", markersize=13, color=plotting.VERMILLION, label="start")
    level = -math.sqrt(HESSIAN_LIPSCHITZ * EPS)
    plotting.theory_line(ax, [p.paper_dims[0] / 2, p.paper_dims[-1] * 2], [level, level], "allowed: −√(ρε)")
    ax.set(
        xlabel=f"dimension d, with ε = {EPS:g}, c = {C:g}",
        ylabel="least curvature",
        ylim=(-1.4, 3.0),
        title="The paper's numbers: all runs right",
    )
    ax.legend(loc="upper left")


def jumps_of(norms: np.ndarray, rule: ol.Perturbation) -> list[int]:
    """The steps at which a run with such gradients jumped."""
    found: list[int] = []
    for step, norm in enumerate(norms):
        if norm <= rule.grad_norm and (not found or step - found[-1] > rule.wait):
            found.append(step)
    return found


def draw_chain(ax: Axes, data: Data) -> None:
    """A run on the octopus with its jumps."""
    shown, jumps = data["shown"], jumps_of(data["shown_norm"], OCTOPUS_JUMPS)
    ax.axhline(shown[0], color=plotting.VERMILLION, label="gradient descent")
    ax.plot(shown, color=plotting.BLUE, label="perturbed")
    ax.plot(jumps, shown[jumps], "o", color=plotting.BLACK, markersize=10, label="jump", zorder=6)
    ax.set(
        xlabel="step, with L = γ = 1, η = 1/4",
        ylabel="saddles ahead",
        ylim=(-0.5, OCTOPUS.dim + 1),
        yticks=range(0, OCTOPUS.dim + 1, 2),
    )
    ax.set_title("The octopus, from its first saddle")
    ax.legend(loc="upper right", bbox_to_anchor=(1, 0.92))


def plot(data: Data, p: Params) -> Figure:
    """Four panels: leaving, waiting, answers, and a chain of saddles."""
    sheet, ((first, second), (third, fourth)) = plotting.figure(2, 2)
    draw_leaving(first, data, p)
    draw_waiting(second, data, p)
    draw_answers(third, data, p)
    draw_chain(fourth, data)
    return sheet


experiment = Experiment(
    title="A small random jump leaves a saddle in a number of steps that grows as the logarithm of the dimension",
    source="Important Techniques in Neural Network Training, escaping saddle points; Jin et al. 2017",
    question="What does perturbed gradient descent cost in many dimensions, and what does it return?",
    params={
        "dims": (10, 100, 1000, 10_000, 100_000),
        "runs": 4000,
        "numbers": 100_000_000,
        "waits": (25, 30, 35, 40, 45, 50, 60, 80, 120),
        "wait_runs": 20_000,
        "paper_dims": (10, 100, 1000, 10_000),
        "paper_runs": 200,
        "chain_runs": 2000,
        "chain_steps": 5000,
    },
    quick={
        "dims": (10, 100, 1000, 10_000),
        "runs": 1500,
        "numbers": 10_000_000,
        "paper_dims": (10, 100, 1000),
        "paper_runs": 100,
        "chain_runs": 1000,
    },
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
