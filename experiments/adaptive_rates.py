"""A learning rate for every weight: what Adagrad and RMSprop gain, and where (lectures A, B and C).

* Adagrad's step fades. If nothing but noise drives a weight, g² of a step is as good as any of the k so far, and the
  mean of g²/Σg² is 1/k exactly: the step has the root mean square lr/√k, of any noise. RMSprop forgets: its step
  starts at lr/√(1−α) and stays at lr.
* Rare features ("dog neuron"). Feature j is 0 but in a share p_j of the samples, and ±1 there. The curvature along its
  weight is p_j: SGD learns the weight in log(|w|/tolerance)/(lr p_j) steps, with lr < 2 for the feature that is always
  there. Adagrad divides by the size of the gradients seen, p_j included: a rare weight is learned like a common one,
  as long as a batch B shows its feature at all, p_j ≥ 1/B. (RMSprop, too, but its steps do not fade, and it does not
  stay there: what is counted are the steps until a weight is first within the tolerance.)
* The gain hangs on the axes. On x₁² + κ x₂² Adagrad's path is the one for κ = 1, whatever κ is, as scaling a coordinate
  of the gradient changes nothing. Turned by 45° both coordinates see both curvatures, and nothing is gained; gradient
  descent does not see a rotation.

Every method may try the same learning rates on problems that are not those shown.
Duchi, Hazan and Singer, "Adaptive subgradient methods for online learning and stochastic optimization", 2011.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import optlab as ol
from optlab import plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, bounded, exact, mean, slope
from optlab.landscapes import LeastSquares, Quadratic
from optlab.random import derive_seed, uniform

Array = np.ndarray
METHODS: dict[str, Callable[[object], ol.Optimizer]] = {
    "SGD": lambda lr: ol.SGD(lr),
    "Adagrad": lambda lr: ol.Adagrad(lr),
    "RMSprop": lambda lr: ol.RMSprop(lr, alpha=ALPHA),
}
COLORS = dict(zip(METHODS, plotting.COLORS, strict=False))
RATES = 2.0 ** np.arange(-8, 2.1, 0.5)
ALPHA = 0.99
SHARES, BATCH, TOLERANCE = 2.0 ** -np.arange(9.0), 64, 0.1
RARE = SHARES <= 1 / 4
KAPPAS, NEAR, ALIGNED = (4.0, 100.0), 1e-3, (0.0, 45.0)
SEEN = SHARES >= 1 / BATCH
TIMES = 2 ** np.arange(12)
LATE = TIMES >= 512  # when RMSprop has forgotten its start, e^-5


def wander(method: str, p: Params, seed: int) -> Array:
    """The root mean square of step k over coordinates that only noise drives, in units of lr, (runs, times)."""
    record = sorted({*TIMES.tolist(), *(TIMES - 1).tolist()})
    flat, x0 = Quadratic(np.zeros(p.coordinates)), np.zeros((p.walks, p.coordinates))
    x = ol.descend(flat, METHODS[method](1.0), x0, int(TIMES[-1]), gradient_noise=3.0, record=record, seed=seed).x
    steps = x[np.searchsorted(record, TIMES)] - x[np.searchsorted(record, TIMES - 1)]
    return np.sqrt(np.mean(steps**2, axis=2)).T


def features(p: Params, seed: int) -> tuple[LeastSquares, Array]:
    """A problem of frequent and rare features, and the weights to be found, of size 1 to 2."""
    signs, there, size = (uniform((p.samples, len(SHARES)), derive_seed(seed, name)) for name in ("±", "there", "size"))
    rows, weights = np.sign(signs - 0.5) * (there < SHARES), np.sign(signs[0] - 0.5) * (1 + size[0])
    return LeastSquares(rows, rows @ weights), weights


def learned(method: str, lr: Array, p: Params, seed: int) -> Array:
    """The step at which each weight is first within the tolerance, or the last, (runs, features)."""
    f, weights = features(p, seed)
    options = {"batch_size": BATCH, "seed": derive_seed(seed, "batches"), "record": ol.log_spaced(p.records)}
    path = ol.descend(f, METHODS[method](lr), np.zeros((len(lr), f.dim)), p.steps, nonfinite="stop", **options)
    there = np.abs(path.x - weights) < TOLERANCE
    there[-1] = True
    return path.step[np.argmax(there, axis=0)]


def tuned(method: str, p: Params, seed: int) -> int:
    """The learning rate with the least geometric mean of steps, over all weights of the problems for tuning."""
    problems = [learned(method, RATES, p, derive_seed(seed, "tuning", k)) for k in range(p.tuning)]
    return int(np.argmin(np.log(problems).mean(axis=(0, 2))))


def turned(kappa: float, angle: float) -> Quadratic:
    """x₁² + κ x₂², turned."""
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    return Quadratic([2.0, 2 * kappa], [[c, -s], [s, c]])


def circle(count: int, seed: int) -> Array:
    """Points all around, at distance 1."""
    phi = 2 * math.pi * uniform(count, seed)
    return np.stack([np.cos(phi), np.sin(phi)], axis=1)


def arrivals(f: Quadratic, method: str, lr: Array, starts: Array, p: Params) -> Array:
    """Steps until the minimum is near, (rates, starts); the longest for those that do not arrive."""
    x0 = np.tile(starts @ f.rotation.T, (len(lr), 1))
    rules = [ol.stop.near(0.0, NEAR), ol.stop.nonfinite()]
    run = ol.descend(f, METHODS[method](np.repeat(lr, len(starts))), x0, p.longest, stop=rules, record=[])
    return np.where(run.stop_reason == "near", run.stop_step, p.longest).reshape(len(lr), -1)


def rotations(kappa: float, method: str, p: Params, seed: int) -> tuple[Array, Array]:
    """The tuned rate's place in the grid, and its steps from the starts shown, for each angle."""
    chosen, steps = [], []
    for angle in p.angles:
        f = turned(kappa, angle)
        tries = arrivals(f, method, RATES, circle(p.starts, derive_seed(seed, "tuning")), p)
        chosen.append(int(np.argmin(tries.mean(axis=1))))
        steps.append(arrivals(f, method, RATES[chosen[-1:]], circle(p.starts, derive_seed(seed, "shown")), p)[0])
    return np.array(chosen), np.array(steps)


def same_paths(p: Params, seed: int) -> Array:
    """How far Adagrad's path for κ is from that for 1, and gradient descent's turned path from the straight one."""
    starts, paths = circle(p.starts, seed), {}
    for method, kappa, angle in (("Adagrad", 1, 0), ("Adagrad", 4, 0), ("SGD", 4, 0), ("SGD", 4, 45)):
        f = turned(kappa, angle)
        x = ol.descend(f, METHODS[method](0.125), starts @ f.rotation.T, 20, record=1).x
        paths[method, kappa, angle] = x @ f.rotation
    scaled, rotated = (paths["Adagrad", 4, 0], paths["Adagrad", 1, 0]), (paths["SGD", 4, 45], paths["SGD", 4, 0])
    return np.array([np.abs(np.subtract(*pair)).max() for pair in (scaled, rotated)])


def compute(p: Params, seed: int, progress: Progress) -> dict[str, Array]:
    """Steps under noise; rare features; rotations."""
    walks = [wander(method, p, derive_seed(seed, "walk")) for method in METHODS if method != "SGD"]
    progress(0.1, "tuning on rare features")
    chosen = np.array([tuned(method, p, derive_seed(seed, "rare")) for method in METHODS])
    shown, each = [derive_seed(seed, "shown", k) for k in range(p.problems)], RATES[chosen, None]
    progress(0.3, "rare features")
    rare = [[learned(method, lr, p, k)[0] for k in shown] for method, lr in zip(METHODS, each, strict=True)]
    progress(0.7, "rotations")
    pairs = [[rotations(kappa, method, p, seed) for method in ("SGD", "Adagrad")] for kappa in KAPPAS]
    return {
        "walks": np.array(walks),
        "chosen": chosen,
        "rare": np.array(rare),
        "shares": np.array([np.mean(features(p, k)[0].A != 0, axis=0) for k in shown]),
        "sizes": np.array([np.abs(features(p, k)[1]) for k in shown]),
        "angle_chosen": np.array([[chosen for chosen, _ in row] for row in pairs]),
        "angle_steps": np.array([[steps for _, steps in row] for row in pairs]),
        "same": same_paths(p, derive_seed(seed, "same")),
    }


def fading_claims(data: Data) -> list[Claim]:
    """How the size of a step depends on its number."""
    adagrad, rmsprop = data["walks"]
    fades = "Adagrad: the root mean square step k falls as 1/sqrt(k): the slope in log-log."
    size = "Adagrad: it is lr/sqrt(k): k times the mean square, in units of lr; the mean over 12 steps to 2048."
    stays = f"RMSprop: it does not fall: the slope in log-log from step {TIMES[LATE][0]} on."
    first = "RMSprop: its first step is 1/sqrt(1 - alpha) times lr."
    return [
        slope("adagrad_fades", fades, np.log(TIMES), np.log(adagrad), -0.5, (-0.52, -0.48)),
        mean("adagrad_size", size, np.mean(adagrad**2 * TIMES, axis=1), 1.0, (0.94, 1.06)),
        slope("rmsprop_stays", stays, np.log(TIMES[LATE]), np.log(rmsprop[:, LATE]), 0.0, (-0.1, 0.1)),
        # Epsilon takes 1e-8 / 0.1 |g| of it, on average over |g| some 1e-6.
        exact("rmsprop_first", first, rmsprop[:, 0].max(), 1 / math.sqrt(1 - ALPHA), 1e-4),
    ]


def rare_claims(data: Data) -> list[Claim]:
    """How long rare weights take."""
    sgd, adagrad, rmsprop = data["rare"]
    lr, log = RATES[data["chosen"][0]], np.log2
    law = sgd * lr * data["shares"] / np.log(data["sizes"] / TOLERANCE)
    edge = np.sum((data["chosen"] == 0) | (data["chosen"] == len(RATES) - 1))
    tried = f"Each method tries the same {len(RATES)} rates on problems not shown: those chosen at an end of the grid."
    predicted = "SGD learns a weight in log(|w|/tol)/(lr p) steps, p <= 1/4: in these units, the mean."
    power = "{}: the power of the share p in the steps to learn a weight, {}."
    gain = f"{{}} learns the rarest weight, p = 1/{1 / SHARES[-1]:g}, {{}} than SGD: log2 of the factor in steps."
    less = "It gains more there than on weights with p >= 1/4: log2 of the factor between the gains."
    found = [exact("budget", tried, edge, 0)]
    found.append(mean("sgd_law", predicted, law[:, RARE].mean(axis=1), 1.0, (0.8, 1.4)))
    for name, steps, places, where, expected, accept in (
        ("SGD", sgd, RARE, "p <= 1/4", -1.0, (-1.25, -0.75)),
        ("Adagrad", adagrad, SEEN, f"p >= 1/{BATCH}, so that a batch shows it", 0.0, (-0.5, 0.3)),
        ("RMSprop", rmsprop, SEEN, f"p >= 1/{BATCH}, so that a batch shows it", 0.0, (-0.6, 0.3)),
    ):
        said, x, y = power.format(name, where), log(SHARES[places]), log(steps[:, places])
        found.append(slope(f"power_{name.lower()}", said, x, y, expected, accept))
    gains = log(sgd / adagrad)
    return [
        *found,
        mean("gain_adagrad", gain.format("Adagrad", "over 10 times sooner"), gains[:, -1], None, (log(10), None)),
        mean("gain_rmsprop", gain.format("RMSprop", "sooner"), log(sgd / rmsprop)[:, -1], None, (0, None)),
        mean("gain_rare", less, gains[:, -1] - gains[:, :3].mean(axis=1), None, (1.0, None)),
    ]


def rotation_claims(data: Data, p: Params) -> list[Claim]:
    """What is left of the gain when the axes turn."""
    scaled, rotated = data["same"]
    edge = np.sum((data["angle_chosen"] == 0) | (data["angle_chosen"] == len(RATES) - 1))
    tried = "At every angle each method tries the same rates from starts not shown: those chosen at an end of the grid."
    paths = "Adagrad's path on x1^2 + 4 x2^2 is that on x1^2 + x2^2: the largest gap."
    turns = "Gradient descent's path turns with the function, by 45 degrees: the largest gap."
    found = [
        exact("angle_budget", tried, edge, 0),
        # Epsilon is 1e-10 of gradients above 1e-3 on 20 steps no longer than 1/8.
        bounded("scaled", paths, scaled, (0, 3e-7)),
        bounded("turned", turns, rotated, (0, 1e-13)),
    ]
    for kappa, (sgd, adagrad), least in zip(KAPPAS, data["angle_steps"], (0.3, 3.0), strict=True):
        gain = np.log2(sgd / adagrad)
        said = (
            f"x1^2 + {kappa:g} x2^2: Adagrad's gain over SGD {{}}: log2 of the factor in steps, the mean over starts."
        )
        found.append(mean(f"straight_{kappa:g}", said.format("along the axes"), gain[0], None, (least, None)))
        found.append(mean(f"turned_{kappa:g}", said.format("is gone at 45 degrees"), gain[-1], None, (-1.0, 0.4)))
    return found


def claims(data: Data, p: Params) -> list[Claim]:
    """Fading steps, rare features, turned axes."""
    return [*fading_claims(data), *rare_claims(data), *rotation_claims(data, p)]


def draw_rare(ax: Axes, data: Data) -> None:
    """Steps to learn a weight against how often its feature is there."""
    place = {"SGD": 1.0, "Adagrad": 0.7, "RMSprop": 1.5}
    for (name, color), steps, chosen in zip(COLORS.items(), data["rare"], data["chosen"], strict=True):
        ax.loglog(1 / SHARES, np.exp(np.log(steps).mean(axis=0)), "o-", color=color, markersize=10)
        label = f"{name},\nlr {RATES[chosen]:.2g}"
        ax.text(1.15 / SHARES[-1], place[name] * np.exp(np.log(steps[:, -1]).mean()), label, color=color, va="center")
    law = np.log(data["sizes"].mean() / TOLERANCE) / (RATES[data["chosen"][0]] * SHARES)
    plotting.theory_line(ax, 1 / SHARES, law, "theory: log(|w|/tol)/(lr p)")
    ax.axvline(BATCH, color="#999999", linewidth=1.5)
    ax.text(BATCH * 1.1, 2, "one a batch", color="#666666")
    ax.set_xticks(1 / SHARES[::2], ["always", *(f"1/{1 / share:g}" for share in SHARES[2::2])])
    ax.minorticks_off()
    ax.set(xlim=(0.8, 256 * 4.5), ylim=(1.5, 2500), xlabel="share p of samples that have the feature")
    ax.set(ylabel="steps until its weight is first right", title="Rates of their own find the rare weight soon")
    ax.legend(loc="upper left")


def draw_steps(ax: Axes, data: Data) -> None:
    """The size of step k."""
    for name, walk in zip(("Adagrad", "RMSprop"), data["walks"], strict=True):
        ax.loglog(TIMES, np.sqrt(np.mean(walk**2, axis=0)), "o", color=COLORS[name], markersize=9)
    plotting.theory_line(ax, TIMES, 1 / np.sqrt(TIMES), "theory: lr/√k")
    ax.text(150, 1.6, "RMSprop", color=COLORS["RMSprop"])
    ax.text(3, 0.05, "Adagrad", color=COLORS["Adagrad"])
    ax.legend(loc="upper right")
    ax.set(xlabel="step k", ylabel="rms step / lr", title="Under noise Adagrad's steps fade")


def draw_angles(ax: Axes, data: Data, p: Params) -> None:
    """Steps to the minimum against the angle of the axes."""
    for kappa, both, marker in zip(KAPPAS, data["angle_steps"], "so", strict=True):
        for name, steps in zip(("SGD", "Adagrad"), both, strict=True):
            ax.semilogy(p.angles, steps.mean(axis=1), marker + "-", color=COLORS[name])
        ax.text(46, both[:, -1].mean(), f"κ = {kappa:g}", va="center")
    ax.text(9, 220, "SGD", color=COLORS["SGD"])
    ax.text(22, 60, "Adagrad", color=COLORS["Adagrad"])
    ax.set_xticks([0, 15, 30, 45])
    ax.set(xlim=(-1, 55), xlabel="angle of the axes, degrees", ylabel="steps", title="Turned axes take the gain away")


def plot(data: Data, p: Params) -> Figure:
    """Rare features at the left; fading steps and turned axes at the right."""
    sheet, ((left, above), (spare, below)) = plotting.figure(2, 2, width_ratios=(1.15, 1))
    left.set_subplotspec(left.get_gridspec()[:, 0])
    spare.remove()
    draw_rare(left, data)
    draw_steps(above, data)
    draw_angles(below, data, p)
    return sheet


experiment = Experiment(
    title="A rate for every weight learns rare features soon, as long as the axes are the right ones",
    source="Additional Techniques; Training DNNs; Training neural networks 2: Adagrad and RMSprop",
    question="What do rates of their own give to weights that are seldom used, and what does it depend on?",
    params={
        "walks": 40,
        "coordinates": 1024,
        "samples": 4096,
        "tuning": 6,
        "problems": 60,
        "steps": 2500,
        "records": 200,
        "angles": (0.0, 7.5, 15.0, 22.5, 30.0, 37.5, 45.0),
        "starts": 400,
        "longest": 3000,
    },
    quick={
        "walks": 16,
        "coordinates": 512,
        "samples": 2048,
        "tuning": 2,
        "problems": 16,
        "angles": (0.0, 45.0),
        "starts": 60,
    },
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
