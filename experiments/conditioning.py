"""Curvatures that differ slow gradient descent down, and momentum less (lectures *Training DNNs* and *Training 2*).

On a quadratic with curvatures from μ = 1 to L = κ a step shrinks the error, in the long run, by this factor ρ:
gradient descent with step 2/(L+μ): (κ−1)/(κ+1); heavy ball with step 4/(√L+√μ)² and β = ρ²: (√κ−1)/(√κ+1); Nesterov
with step 1/L and β = (√κ−1)/(√κ+1): 1−1/√κ. Conjugate gradients (CG) stay below 2((√κ−1)/(√κ+1))^k in the energy norm
and end after as many steps as there are different curvatures; Newton's method needs one. Along one axis
e_{t+1} = T e_t − D e_{t−1}: with the roots s and l of z² = T z − D, e_t = l^t + (e_1−l)(l^t−s^t)/(l−s). Momentum's
slowest axis has a double root: the error is (1+gt)ρ^t, g = 1+ρ for heavy ball and 1/(√κ+1) for Nesterov, and rounding
grows as t². Tuned for speed, heavy ball changes sides too; with step 1/L and β = (1−1/√κ)² it does not.
"""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import optlab as ol
from optlab import plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, bounded
from optlab.landscapes import Quadratic

METHODS = ("gradient descent", "heavy ball", "Nesterov", "CG")
TOLERANCE, EPS, DIM = 1e-8, float(np.finfo(np.float64).eps), 8
SHOWN = 100.0  # the condition number of the error curves


def tuning(method: str, k: float) -> tuple[ol.Optimizer, float, float]:
    """The method for curvatures from 1 to k, its ρ and its g."""
    root = math.sqrt(k)
    ball = (root - 1) / (root + 1)
    return {
        "gradient descent": (ol.SGD(2 / (k + 1)), (k - 1) / (k + 1), 0.0),
        "heavy ball": (ol.HeavyBall(4 / (root + 1) ** 2, ball**2), ball, 1 + ball),
        "Nesterov": (ol.SGD(1 / k, ball, nesterov=True), 1 - 1 / root, 1 / (root + 1)),
    }[method]


def closed_form(method: str, k: float, steps: np.ndarray) -> np.ndarray:
    """The relative error after each of `steps`, from the same error 1 along every axis."""
    way, t = tuning(method, k)[0], steps[:, None]
    a, beta, ahead = way.lr * np.linspace(1, k, DIM), way.momentum, way.momentum * (method == "Nesterov")
    trace, det = (1 + ahead) * (1 - a) + beta - ahead, beta * (1 - a if ahead else 1)
    # A root that is 0, or equal to the other, is moved by less than rounding: then one formula serves all.
    large = (trace + np.where(trace < 0, -1, 1) * np.sqrt(trace**2 - 4 * det + 0j)) / 2 + 1e-100
    ratio = det / large**2 + 1e-300
    ratio[ratio == 1] -= EPS
    errors = large ** (t - 1.0) * (large + (1 - a * (1 + ahead) - large) * np.expm1(t * np.log(ratio)) / (ratio - 1))
    return np.linalg.norm(errors, axis=1) / math.sqrt(DIM)


def descent(method: str, k: float, turn: int | np.ndarray) -> np.ndarray:
    """The recorded steps until the relative error is 1e-8, and the error at each; from the sum of the turned axes."""
    f, (way, rho, _) = Quadratic(np.linspace(1, k, DIM), turn), tuning(method, k)
    cap = int(2 * math.log(TOLERANCE) / math.log(rho))
    record, stop = np.unique(np.linspace(0, cap, 400).astype(int)), ol.stop.near(0.0, TOLERANCE * math.sqrt(DIM))
    run = ol.descend(f, way, f.rotation.sum(axis=1), cap, record=record, stop=stop)
    return np.array([np.minimum(run.step, run.stop_step), np.linalg.norm(run.x[:, 0], axis=1) / math.sqrt(DIM)])


def measured(method: str, k: float, turn: int | np.ndarray) -> tuple[float, float, float]:
    """The steps to 1e-8, log ρ in units of its theory, and the distance to the closed form in units of rounding."""
    (steps, error), (_, rho, growth) = descent(method, k, turn), tuning(method, k)
    late, line = (error < 1e-3) & (error > TOLERANCE), np.log(error / (1 + growth * steps))
    slope = np.polyfit(steps[late], line[late], 1)[0] if late.sum() > 1 else np.nan
    rounding = EPS * np.maximum(steps, 1) ** (2.0 if growth else 1.0)
    count = steps[-1] if error[-1] < 1.001 * TOLERANCE else np.inf  # not there in twice the predicted time
    return count, slope / math.log(rho), np.max(np.abs(error / closed_form(method, k, steps) - 1) / rounding)


def conjugate_gradients(f: Quadratic, x: np.ndarray) -> np.ndarray:
    """The energy norm of the error at every step, relative to the start, until it is 1e-8 (Hestenes and Stiefel)."""
    r = p = -f.grad(x)
    energy = [f.value(x)]
    while energy[-1] > TOLERANCE**2 * energy[0] and len(energy) < 2 * f.dim:
        hp = f.grad(p)
        x, rest = x + (r @ r) / (p @ hp) * p, r - (r @ r) / (p @ hp) * hp
        r, p = rest, rest + (rest @ rest) / (r @ r) * p
        energy.append(f.value(x))
    return np.sqrt(np.array(energy) / energy[0])


def hard(k: float) -> np.ndarray:
    """CG where every curvature counts: Chebyshev's points of [1, κ], and the same gradient along every axis."""
    h = (k + 1) / 2 + (k - 1) / 2 * np.cos(np.linspace(0, np.pi, int(10 * math.sqrt(k))))
    return conjugate_gradients(Quadratic(h), 1 / h)


def newton(k: float, turn: int) -> float:
    """The relative error after one step of Newton's method."""
    f = Quadratic(np.linspace(1, k, DIM), turn)
    x = f.rotation.sum(axis=1)
    return float(np.linalg.norm(x - np.linalg.solve(f.hessian(x), f.grad(x))) / np.linalg.norm(x))


def compute(p: Params, seed: int, progress: Progress) -> dict[str, np.ndarray]:
    """Sweep κ with every method, along the axes and turned at random, and walk through the valley x₁² + 4x₂²."""
    turns = [np.eye(DIM), *(ol.random.derive_seed(seed, "turn", i) for i in range(p.turns))]
    found = np.array([[[measured(m, k, turn) for k in p.kappas] for m in METHODS[:-1]] for turn in turns])
    progress(0.8, "conjugate gradients")
    cg, ball = [hard(k) for k in p.kappas], [tuning("heavy ball", k)[1] for k in p.kappas]
    copies = [Quadratic(np.repeat(np.linspace(1, SHOWN, count), 25), turns[-1]) for count in p.different]
    valley, ways, start = Quadratic([2.0, 8.0]), (ol.SGD(0.2), ol.HeavyBall(0.125, 0.25)), np.array([2.0, 1.0])
    return {
        **{f"curve {m}": descent(m, SHOWN, turns[-1]) for m in METHODS[:-1]},
        "curve CG": np.array([np.arange(len(hard(SHOWN))), hard(SHOWN)]),
        "steps": np.concatenate([found[0, :, :, 0], [[len(e) - 1 if e[-1] <= TOLERANCE else np.inf for e in cg]]]),
        "turned": np.max(np.abs(found[..., 0] - found[0, ..., 0])),
        "rate": found[..., 1],
        "rounding": found[..., 2].max(),
        "cg_bound": np.array([np.max(e / (2 * r ** np.arange(len(e)))) for e, r in zip(cg, ball, strict=True)]),
        "cg_off": max(abs(len(conjugate_gradients(f, f.rotation.sum(axis=1))) - 1 - f.dim // 25) for f in copies),
        "newton": np.array([newton(k, turns[-1]) for k in p.kappas]),
        "walks": np.array([ol.descend(valley, way, start, 60, record=1).x[:, 0] for way in ways]),
    }


def claims(data: Data, p: Params) -> list[Claim]:
    """The zigzag, the rates, the growth of the cost with κ, CG and Newton."""
    moves, top = np.diff(data["walks"], axis=1), f"for kappa up to {max(p.kappas):g}"
    back = np.mean(np.sum(moves[:, 1:21] * moves[:, :20], axis=2) < 0, axis=1)
    rates = [r.flat[np.argmax(np.abs(r - 1))] for r in np.moveaxis(data["rate"], 1, 0)]
    slopes = [np.polyfit(np.log(p.kappas), np.log(steps), 1)[0] for steps in data["steps"]]
    cost = f"The steps of {{}} to an error of 1e-8 grow like kappa^{{}}: the exponent {top}."
    rate = f"{{}} shrinks the error as fast as predicted: log of the factor, by the prediction, at worst {top}."
    rows = [
        ("zigzag", "On x1^2 + 4 x2^2 gradient descent turns back at every step: share of turns.", back[0], (1, 1)),
        ("no_zigzag", "Heavy ball with step 1/L never turns back there: share of turns.", back[1], (0, 0)),
        # Half a percent is left to the other axes, whose errors have not died out where the fit begins.
        *((f"rate_{m}", rate.format(m), r, (0.995, 1.005)) for m, r in zip(METHODS[:-1], rates, strict=True)),
        # Each of the DIM terms of a gradient may be rounded twice.
        ("closed_form", "Every error is the exact one up to rounding: in its units.", data["rounding"], (0, 2 * DIM)),
        ("turned", "Turning the axes changes no number of steps by more than 1.", data["turned"], (0, 1)),
        ("slope_gradient descent", cost.format(METHODS[0], 1), slopes[0], (0.97, 1.03)),
        # The factor 1 + gt adds log t to the steps, which raises the exponent by up to 0.03.
        *((f"slope_{m}", cost.format(m, 0.5), s, (0.45, 0.55)) for m, s in zip(METHODS[1:], slopes[1:], strict=True)),
        ("cg_bound", "CG stays below its bound: error by bound, at most over steps.", data["cg_bound"].max(), (0, 1)),
        ("cg_different", "CG ends after as many steps as there are curvatures: off by.", data["cg_off"], (0, 0)),
        ("newton", "Newton's method needs one step: the error after it.", data["newton"].max(), (0, TOLERANCE)),
    ]
    return [bounded(name.replace(" ", "_").lower(), *row) for name, *row in rows]


def draw_errors(ax: Axes, data: Data) -> None:
    """Error against step at one condition number, with the closed forms and, for CG on its hard problem, the bound."""
    t = np.arange(1, 250)
    for method, at, shift in zip(METHODS, (0.06, 0.55, 0.45, 0.9), ((0, 12), (8, 4), (8, 4), (-38, -4)), strict=True):
        (line,) = ax.semilogy(*data[f"curve {method}"])
        plotting.label_line(ax, line, method, at=at).set_position(shift)
        law = 2 * tuning("heavy ball", SHOWN)[1] ** t if method == "CG" else closed_form(method, SHOWN, t)
        plotting.theory_line(ax, t, law, "closed form; CG's bound" if method == "CG" else "")
    gain = data["curve gradient descent"][0, -1] / data["curve heavy ball"][0, -1]
    ax.set_title(f"κ = {SHOWN:g}: heavy ball is {gain:.0f} times as fast")
    ax.set(xlim=(0, 220), ylim=(TOLERANCE, 50), xlabel="step", ylabel="relative error")
    ax.legend(loc="upper right")


def draw_costs(ax: Axes, data: Data, p: Params) -> None:
    """Steps to 1e-8 against κ, and the slopes 1 and 1/2."""
    k = np.array(p.kappas)
    for method, cost in zip(METHODS, data["steps"], strict=True):
        ax.loglog(k, cost, "o-", label=method)
    for start, power, text in ((3 * data["steps"][0, 0], 1, "∝ κ"), (data["steps"][3, 0] / 3, 0.5, "∝ √κ")):
        plotting.label_line(ax, plotting.theory_line(ax, k, start * (k / k[0]) ** power, ""), text)
    ax.set(xlabel="condition number κ", ylabel="steps to an error of 1e-8", title="Momentum: √κ steps instead of κ")
    ax.legend(loc="upper left")


def plot(data: Data, p: Params) -> Figure:
    """Left the zigzag and the errors, right the cost against κ."""
    sheet, ((upper, right), (lower, spare)) = plotting.figure(2, 2, width_ratios=(1.15, 1))
    right.set_subplotspec(right.get_gridspec()[:, 1])
    spare.remove()
    x, y = np.meshgrid(np.linspace(-0.4, 3.5, 121), np.linspace(-0.8, 1.15, 121))
    upper.contour(x, y, x**2 + 4 * y**2, levels=np.linspace(0.1, 3.5, 9) ** 2, colors="#cccccc", linewidths=1.2)
    for walk, label in zip(data["walks"], (METHODS[0], "heavy ball, step 1/L"), strict=True):
        plotting.label_line(upper, upper.plot(*walk.T, "o-")[0], label, at=1 / len(walk))
    upper.set(title="x₁² + 4x₂²: gradient descent zigzags", xlabel="x₁", ylabel="x₂", aspect="equal")
    draw_errors(lower, data)
    draw_costs(right, data, p)
    return sheet


experiment = Experiment(
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
