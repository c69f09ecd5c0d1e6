"""Curvatures that differ slow gradient descent down, momentum less (lectures *Training DNNs* and *Training networks 2*).

On a quadratic with curvatures from μ = 1 to L = κ the error shrinks in the long run by this factor ρ a step:
gradient descent with step 2/(L+μ): (κ−1)/(κ+1); heavy ball with 4/(√L+√μ)² and β = ρ²: (√κ−1)/(√κ+1); Nesterov with 1/L
and β = (√κ−1)/(√κ+1): 1−1/√κ; with 4/(3L+μ) and β = (q−2)/(q+2), q = √(3κ+1): 1−2/q. Conjugate gradients stay below
2((√κ−1)/(√κ+1))^k in the energy norm and end after as many steps as there are different curvatures; Newton needs one.

Along each axis the error obeys e_{t+1} = T e_t − D e_{t−1}; with the roots s and l of z² = T z − D
it is e_t = l^t + (e_1 − l)(l^t − s^t)/(l − s). The slowest axis of the three momentum methods has a double root, so that
their error is (1 + g t) ρ^t with g = 1 + ρ, 1/(√κ+1) and 2/(q+2). A double root makes rounding grow as t².

Heavy ball tuned for speed still changes sides (its root at L is −ρ); with step 1/L and β = (1−1/√κ)² it does not.
"""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import optlab as ol
from optlab import plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, bounded, exact
from optlab.landscapes import Quadratic
from optlab.random import derive_seed

METHODS = ("gradient_descent", "heavy_ball", "nesterov", "nesterov_tuned")
TOLERANCE = 1e-8
DIM = 8
SHOWN = 100.0  # the condition number of the error curves
EPS = float(np.finfo(np.float64).eps)


def tuning(method: str, k: float) -> tuple[float, float, float, float]:
    """Step, β, ρ and g of a method for μ = 1 and L = k."""
    root, q = math.sqrt(k), math.sqrt(3 * k + 1)
    ball = (root - 1) / (root + 1)
    return {
        "gradient_descent": (2 / (k + 1), 0.0, (k - 1) / (k + 1), 0.0),
        "heavy_ball": (4 / (root + 1) ** 2, ball**2, ball, 1 + ball),
        "nesterov": (1 / k, ball, 1 - 1 / root, 1 / (root + 1)),
        "nesterov_tuned": (4 / (3 * k + 1), (q - 2) / (q + 2), 1 - 2 / q, 2 / (q + 2)),
    }[method]


def optimizer(method: str, k: float) -> ol.Optimizer:
    """The method, tuned."""
    lr, beta, _, _ = tuning(method, k)
    return ol.HeavyBall(lr, beta) if method == "heavy_ball" else ol.SGD(lr, beta, nesterov=beta > 0)


def closed_form(method: str, k: float, steps: np.ndarray) -> np.ndarray:
    """The relative error after each of `steps`, from the same error 1 along every axis."""
    lr, beta, _, _ = tuning(method, k)
    a = lr * np.linspace(1, k, DIM)
    look_ahead = method.startswith("nesterov")
    trace, det = ((1 + beta) * (1 - a), beta * (1 - a)) if look_ahead else (1 + beta - a, beta)
    first = 1 - a * (1 + beta) if look_ahead else 1 - a
    split = np.sqrt(trace**2 / 4 - det + 0j)
    large = trace / 2 + np.where(trace < 0, -split, split)
    # Roots that are 0 or equal are moved by less than rounding, so that one formula serves all.
    large = np.where(large == 0, 1e-100, large)
    ratio = det / large**2 + 1e-300
    ratio = np.where(ratio == 1, 1 - EPS, ratio)
    t = steps[:, None]
    errors = large**t + (first - large) * large ** (t - 1.0) * np.expm1(t * np.log(ratio)) / (ratio - 1)
    return np.linalg.norm(errors, axis=1) / math.sqrt(DIM)


def descent(method: str, k: float, rotation: int | None) -> tuple[np.ndarray, np.ndarray]:
    """The recorded steps until the relative error is 1e-8, and the error at each."""
    f, cap = Quadratic(np.linspace(1, k, DIM), rotation), int(2 * math.log(TOLERANCE) / math.log(tuning(method, k)[2]))
    x0 = np.ones(DIM) if rotation is None else f.rotation @ np.ones(DIM)
    stop = ol.stop.near(0.0, TOLERANCE * math.sqrt(DIM))
    record = np.unique(np.linspace(0, cap, 400).astype(int))
    run = ol.descend(f, optimizer(method, k), x0, cap, record=record, stop=stop)
    steps = np.minimum(run.step, run.stop_step[0])
    return steps, np.linalg.norm(run.x[:, 0], axis=1) / math.sqrt(DIM)


def measured(method: str, k: float, rotation: int | None) -> tuple[float, float, float]:
    """The steps to 1e-8, log ρ in units of its theory, and the distance to the closed form in units of rounding."""
    steps, error = descent(method, k, rotation)
    _, _, rho, growth = tuning(method, k)
    late = (error < 1e-3) & (error > TOLERANCE)
    slope = np.polyfit(steps[late], np.log(error[late] / (1 + growth * steps[late])), 1)[0]
    rounding = EPS * np.maximum(steps, 1) ** (1.0 if method == "gradient_descent" else 2.0)
    return steps[-1], slope / math.log(rho), np.max(np.abs(error / closed_form(method, k, steps) - 1) / rounding)


def conjugate_gradients(f: Quadratic, x: np.ndarray) -> np.ndarray:
    """The energy norm of the error at every step, relative to the start, until it is 1e-8 (Hestenes and Stiefel)."""
    r = p = -f.grad(x)
    energy = [f.value(x)]
    while energy[-1] > TOLERANCE**2 * energy[0] and len(energy) < 2 * len(x):
        hp = f.grad(p)
        x, rest = x + (r @ r) / (p @ hp) * p, r - (r @ r) / (p @ hp) * hp
        r, p = rest, rest + (rest @ rest) / (r @ r) * p
        energy.append(f.value(x))
    return np.sqrt(np.array(energy) / energy[0])


def hard(k: float) -> np.ndarray:
    """CG's errors where every curvature counts: Chebyshev's points of [1, κ], the same residual along each axis."""
    points = np.cos(np.linspace(0, np.pi, int(10 * math.sqrt(k))))
    h = (k + 1) / 2 + (k - 1) / 2 * points
    return conjugate_gradients(Quadratic(h), 1 / h)


def different(count: int, seed: int) -> int:
    """CG's steps on 25 copies of each of `count` curvatures."""
    f = Quadratic(np.repeat(np.linspace(1, SHOWN, count), 25), seed)
    return len(conjugate_gradients(f, f.rotation @ np.ones(f.dim))) - 1


def newton(k: float, seed: int) -> int:
    """Newton's steps until the relative error is 1e-8."""
    f, steps = Quadratic(np.linspace(1, k, DIM), seed), 0
    x = x0 = f.rotation @ np.ones(DIM)
    while np.linalg.norm(x) > TOLERANCE * np.linalg.norm(x0) and steps < 10:
        x, steps = x - np.linalg.solve(f.hessian(x), f.grad(x)), steps + 1
    return steps


def compute(p: Params, seed: int, progress: Progress) -> dict[str, np.ndarray]:
    """Sweep κ with every method, along the axes and turned at random, and walk through the valley x₁² + 4x₂²."""
    kappas, turns = np.array(p.kappas), [derive_seed(seed, "turn", i) for i in range(p.turns)]
    found = np.array([[[measured(m, k, turn) for k in kappas] for m in METHODS] for turn in (None, *turns)])
    progress(0.8, "conjugate gradients")
    cg = [hard(k) for k in kappas]
    bounds = [2 * tuning("heavy_ball", k)[2] ** np.arange(len(e)) for k, e in zip(kappas, cg, strict=True)]
    valley, start = Quadratic([2.0, 8.0]), np.array([2.0, 1.0])
    walks = [ol.descend(valley, way, start, 60, record=1).x[:, 0] for way in (ol.SGD(0.2), ol.HeavyBall(0.125, 0.25))]
    curves = {f"curve_{m}": np.array(descent(m, SHOWN, turns[0])) for m in METHODS}
    return {
        **curves,
        "curve_conjugate_gradients": np.array([np.arange(len(hard(SHOWN))), hard(SHOWN)]),
        "counts": found[..., 0],
        "rates": found[..., 1],
        "rounding": found[..., 2],
        "cg_counts": np.array([len(e) - 1 for e in cg]),
        "cg_bound": np.array([np.max(e / b) for e, b in zip(cg, bounds, strict=True)]),
        "cg_different": np.array([different(m, turns[0]) for m in p.different]),
        "newton": np.array([newton(k, turns[0]) for k in kappas]),
        "walks": np.array(walks),
    }


def walk_claims(data: Data) -> list[Claim]:
    """The valley x₁² + 4x₂²."""
    steps = np.diff(data["walks"], axis=1)
    back = np.mean(np.sum(steps[:, 1:21] * steps[:, :20], axis=2) < 0, axis=1)
    length = np.linalg.norm(steps, axis=2).sum(axis=1) / np.linalg.norm(data["walks"][0, 0])
    said = "On x1^2 + 4 x2^2 {}: the share of turns by more than 90 degrees in 20 steps."
    return [
        exact("zigzag", said.format("gradient descent turns back at every step"), back[0], 1),
        exact("no_zigzag", said.format("heavy ball with step 1/L never turns back"), back[1], 0),
        # Both coordinates shrink by 0.6 a step, so the steps add up to |(0.4·2, 1.6·1)| / 0.4 = 2 |(2, 1)|.
        exact(
            "detour",
            "Zigzag doubles the way to the minimum: gradient descent's way by the distance.",
            length[0],
            2,
            1e-9,
        ),
    ]


def claims(data: Data, p: Params) -> list[Claim]:
    """The zigzag, the rates, and the growth of the cost with κ."""
    worst = data["rates"].max(axis=(0, 2)), data["rates"].min(axis=(0, 2))
    rates = np.where(worst[0] - 1 > 1 - worst[1], *worst)
    counts = dict(zip((*METHODS, "conjugate_gradients"), (*data["counts"][0], data["cg_counts"]), strict=True))
    moved = np.abs(data["counts"] - data["counts"][0]).max()
    off = np.abs(data["cg_different"] - p.different).max()
    kappas = f"{len(p.kappas)} condition numbers up to {max(p.kappas):g}"
    return [
        *walk_claims(data),
        # A few roundings of each of the DIM terms of a gradient.
        bounded("closed_form", "closed", data["rounding"].max(), (0, 2 * DIM)),
        # Half a percent is left to the other axes, whose errors have not quite died out when the fit begins.
        *(
            bounded(f"rate_{m}", f"{m}: rate", rate, (0.995, 1.005), 1.0)
            for m, rate in zip(METHODS, rates, strict=True)
        ),
        *(
            bounded(f"slope_{m}", "slope", np.polyfit(np.log(p.kappas), np.log(count), 1)[0], (0, 1))
            for m, count in counts.items()
        ),
        bounded("turned", "Turning", moved, (0, 1)),
        bounded("cg_bound", "bound", data["cg_bound"].max(), (0, 1)),
        exact("cg_different", "cg", off, 0),
        exact("newton", "newton", data["newton"].max(), 1),
    ]


def plot(data: Data, p: Params) -> Figure:
    sheet, axes = plotting.figure(1, 3)
    return sheet


experiment = Experiment(
    name="conditioning",
    title="Gradient descent's cost grows with the condition number, momentum's with its square root",
    source="Training DNNs: Basic Methods and Tricks; Training neural networks 2: conditioning",
    question="How do curvatures that differ slow each method down?",
    params={"kappas": (1e1, 1e2, 1e3, 1e4, 1e5, 1e6), "turns": 2, "different": (1, 2, 3, 5, 8)},
    quick={"kappas": (1e1, 1e2, 1e3, 1e4)},
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
