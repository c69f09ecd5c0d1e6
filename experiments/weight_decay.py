"""Weight decay takes the test error away that the initialization has put there (the notebook, weight decay).

y = 0.05 + Σ 0.01 x_j + 0.01 ε, with 200 inputs x_j and ε all standard normal; 50 samples to train, 50 to test. Gradient
descent on the mean squared error, step 10⁻³: 1000 epochs without decay, then 1000 more with λ = 5, λ/2 |θ|² in the loss
and the bias in θ. θ begins as PyTorch's do, uniform on ±1/√200. The notebook leaves open whether a loss has a ½ and how
often the study was run; what it prints fits a mean square without ½, one run.

* 50 rows see 50 of the D = 201 directions of θ. In the others descent without decay leaves θ as it began, at a cost of
  (1 − 50/D) D/600 = 0.25 in the test loss, and decay multiplies it by 1 − ηλ a step. From θ = 0 nothing is there to be
  forgotten, and decay even costs a few percent.
* The bias has an input of 1, which counts as one more normal input. Along an eigenvector of the Hessian with curvature
  h, θ = A θ₀ + B θ* + C ζ with noise ζ of variance 2hσ²/n; t steps take (A, B, C) to (aᵗA, aᵗB + hs, aᵗC + s) with
  a = 1 − η(h + λ) and s = (1 − aᵗ)/(h + λ). The law of Marchenko and Pastur gives the h, and so the mean test loss of
  all epochs without a free number, up to O(1/n).
* Under SGD the penalty λ/2 |θ|² shrinks θ by 1 − ηλ and the penalty λ |θ|² by 1 − 2ηλ a step, exactly. Adam divides a
  penalty's slope by its own size, so that neither penalty is a decay; AdamW's is, 1 − ηλ again, but for what its steps
  add.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import optlab as ol
from optlab import plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, bounded, fraction, mean
from optlab.random import derive_seed, normal

Array = np.ndarray
TRAIN, INPUTS, SCALE, BIAS = 50, 200, 0.01, 0.05
DIM = INPUTS + 1
LR, LAMBDA, EPOCHS, EVERY = 1e-3, 5.0, 1000, 50
MIDDLE = EPOCHS // EVERY
"""The record at which decay begins."""
PRINTED = (0.2257, 0.0143)
FORGET = 200
"""Epochs over which the unseen part of θ is followed."""
RULES = {
    "SGD, λ/2 |θ|²": (ol.SGD(lr=LR), LAMBDA),
    "SGD, λ |θ|²": (ol.SGD(lr=LR), 2 * LAMBDA),
    "Adam, λ/2 |θ|²": (ol.Adam(lr=LR), LAMBDA),
    "Adam, λ |θ|²": (ol.Adam(lr=LR), 2 * LAMBDA),
    "AdamW": (ol.AdamW(lr=LR, weight_decay=LAMBDA), 0.0),
}
"""The optimizer, and the decay of the landscape, which has λ/2 |θ|²."""
EPS = float(np.finfo(np.float64).eps)
MLP = ol.nn.MLP([INPUTS, 1], init="torch_default", bias_init="torch_default", dtype="float64")


def samples(seed: int, run: int) -> tuple[Array, Array]:
    """Training rows, then as many test rows, and their targets."""
    x = normal((1, 2 * TRAIN * INPUTS), seed, first_run=run).reshape(-1, INPUTS)
    return x, BIAS + SCALE * (x.sum(axis=1) + normal((1, 2 * TRAIN), seed, step=1, first_run=run)[0])


def losses(seed: int, run: int) -> tuple[Array, Array]:
    """Test and training loss, shape (2, records, 4), and the point of the random start after the first epochs.

    Columns: the random start without decay and with it, the zero start likewise; they part after the first epochs.
    """
    x, y = samples(derive_seed(seed, "data"), run)
    f, test = (MLP.on(x[rows], y[rows], "mse") for rows in (slice(TRAIN), slice(TRAIN, None)))
    start = np.array([MLP.init(derive_seed(seed, "start"), first_run=run), np.zeros(DIM)])
    options = {"record": EVERY, "record_x": False, "probes": {"test": test}}
    first = ol.descend(f, ol.SGD(lr=LR), start, EPOCHS, **options)
    decay = ol.SGD(lr=LR, weight_decay=[0.0, LAMBDA, 0.0, LAMBDA])
    second = ol.descend(f, decay, first.last[[0, 0, 1, 1]], EPOCHS, **options)
    paths = [
        np.concatenate([np.array(before)[:, [0, 0, 1, 1]], np.array(after)[1:]])
        for before, after in zip(
            (first.probes["test"], first.value), (second.probes["test"], second.value), strict=True
        )
    ]
    return np.array(paths), first.last[0]


def forget(seed: int, run: int, start: Array) -> tuple[Array, float]:
    """The norm of what the training rows do not see of θ, over its first, for each of RULES; and SGD's own decay.

    The second number is the largest distance of the penalty λ/2 |θ|² from θ ← (1 − ηλ) θ − η∇, in units of rounding.
    """
    x, y = samples(derive_seed(seed, "data"), run)
    x, y = x[:TRAIN], y[:TRAIN]
    seen = np.linalg.qr(np.column_stack([x, np.ones(TRAIN)]).T)[0]
    found = []
    for optimizer, decay in RULES.values():
        path = ol.descend(MLP.on(x, y, "mse", weight_decay=decay), optimizer, start, FORGET, record=5).x[:, 0]
        found.append(np.linalg.norm(path - (path @ seen) @ seen.T, axis=1))
        if decay == LAMBDA and isinstance(optimizer, ol.SGD):
            shrinking = ol.SGD(lr=LR, weight_decay=LAMBDA, decoupled_weight_decay=True)
            other = ol.descend(MLP.on(x, y, "mse"), shrinking, start, FORGET, record=5).x[:, 0]
            # A step rounds a coordinate of θ by a few eps and its gradient, of n terms, times η by n eps of them.
            gap = np.abs(path - other).max() / (FORGET * (8 + LR * TRAIN) * EPS * np.abs(start).max())
    return np.array(found) / found[0][0], float(gap)


def theory() -> Array:
    """The mean test loss of the four columns of :func:`losses` at its records."""
    c, angles = TRAIN / DIM, (np.arange(2000) + 0.5) * np.pi / 2000
    x = 1 + c + 2 * np.sqrt(c) * np.cos(angles)
    h = np.append(0.0, 2 * x / c)  # the Hessian of the mean square has a factor 2
    share = np.append(1 - c, c * 2 / np.pi * np.sin(angles) ** 2 / x * np.pi / 2000)
    begins, signal = (DIM / (3 * INPUTS), 0.0), INPUTS * SCALE**2 + BIAS**2

    def loss(a: Array, b: Array, s: Array, begin: float) -> float:
        noise = 2 * h * SCALE**2 / TRAIN * DIM
        return float(share @ (a**2 * begin + (1 - b) ** 2 * signal + s**2 * noise)) + SCALE**2

    def steps(state: tuple[Array, Array, Array], t: int, decay: float) -> tuple[Array, Array, Array]:
        a, b, s = state
        power = (1 - LR * (h + decay)) ** t
        reach = np.where(h + decay > 0, (1 - power) / np.where(h + decay > 0, h + decay, 1), LR * t)
        return power * a, power * b + h * reach, power * s + reach

    at, fresh = range(0, EPOCHS + 1, EVERY), (np.ones_like(h), np.zeros_like(h), np.zeros_like(h))
    middle = steps(fresh, EPOCHS, 0.0)
    columns = []
    for begin in begins:
        for decay in (0.0, LAMBDA):
            before = [loss(*steps(fresh, t, 0.0), begin) for t in at]
            columns.append(before + [loss(*steps(middle, t, decay), begin) for t in at[1:]])
    return np.array(columns).T


def compute(p: Params, seed: int, progress: Progress) -> dict[str, Array]:
    """The study on many data sets, and on some of them what is forgotten."""
    found, forgotten = [], []
    for run in range(p.sets):
        progress(run / p.sets, "data sets")
        paths, trained = losses(seed, run)
        found.append(paths)
        if run < p.forgetting:
            forgotten.append(forget(seed, run, trained))
    paths = np.array(found)
    return {
        "test": paths[:, 0].astype(np.float32),
        "train": paths[:, 1].mean(axis=0),
        "law": theory(),
        "unseen": np.array([each for each, _ in forgotten]),
        "rounding": [gap for _, gap in forgotten],
    }


def within(name: str, statement: str, values: Array, expected: float, margin: float) -> Claim:
    """The mean is as predicted within `margin`, relative."""
    return mean(name, statement, values, expected, (expected * (1 - margin), expected * (1 + margin)))


def loss_claims(data: Data, p: Params) -> list[Claim]:
    """The test losses of both phases, from both starts, and the printed ones."""
    middle, end = data["test"][:, MIDDLE].astype(np.float64), data["test"][:, -1].astype(np.float64)
    law, last, margin = data["law"][MIDDLE], data["law"][-1], 2 / np.sqrt(p.sets)  # one data set's strays by 0.27 of it
    plain = f"Random start, {EPOCHS} epochs without decay: the test loss is {law[0]:.3f}; the mean."
    decayed = f"Then {EPOCHS} with λ = {LAMBDA:g}: it is {last[1]:.4f}; the mean."
    ratio = "Random start: decay divides the test loss by more than 10; the mean of the quotients after and before."
    control = f"Random start, {EPOCHS} more epochs without decay change nothing: the mean quotient after and before."
    zero = (
        "Zero start: the gap is gone, decay even costs 6 %; the mean quotient of the test losses with and without it."
    )
    overfits = "Random start: without decay the training loss is less than 1 % of the test loss; of the means."
    printed = zip(("plain", "decayed"), PRINTED, (middle[:, 0], end[:, 1]), strict=True)
    below = "The notebook's {:g} is one of these: the share of data sets whose test loss is lower."
    return [
        within("plain", plain, middle[:, 0], law[0], margin),
        within("decayed", decayed, end[:, 1], last[1], margin),
        mean("ratio", ratio, end[:, 1] / middle[:, 1], last[1] / law[1], (None, 0.1)),
        within("control", control, end[:, 0] / middle[:, 0], last[0] / law[0], 0.02),
        within("zero_start", zero, end[:, 3] / end[:, 2], last[3] / last[2], 0.06),
        bounded("overfits", overfits, data["train"][MIDDLE, 0] / middle[:, 0].mean(), (0.0, 0.01)),
        *(
            fraction(f"printed_{name}", below.format(number), np.sum(found < number), p.sets, None, (0.002, 0.998))
            for name, number, found in printed
        ),
    ]


def decay_claims(data: Data, p: Params) -> list[Claim]:
    """The factors under SGD, and that Adam's are others."""
    found, logs = [], np.log(data["unseen"][:, :, -1]) / FORGET
    same = "SGD: the penalty λ/2 |θ|² is the decay θ ← (1 − ηλ)θ; the largest difference, in units of rounding."
    found.append(bounded("decoupled", same, max(data["rounding"]), (0.0, 1.0)))
    for k, (name, text, decay) in enumerate((("half", "λ/2", LAMBDA), ("whole", "λ", 2 * LAMBDA))):
        rate = np.log1p(-LR * decay)
        said = (
            f"SGD: {text} |θ|² multiplies what no sample sees by {1 - LR * decay:g} an epoch; the log, its worst set."
        )
        worst = logs[np.abs(logs[:, k] - rate).argmax(), k]
        found.append(bounded(name, said, worst, (rate * (1 + 1e-9), rate * (1 - 1e-9)), rate))
    for k, (name, text) in enumerate((("adam_half", "λ/2"), ("adam_whole", "λ")), start=2):
        said = f"Adam: {text} |θ|² is neither decay, and forgets faster than 1 − 2ηλ twice over: the mean log an epoch."
        found.append(mean(name, said, logs[:, k], None, (None, 2 * np.log1p(-2 * LR * LAMBDA))))
    said, rate = (
        f"AdamW: its decay multiplies what no sample sees by {1 - LR * LAMBDA:g}; the mean log.",
        np.log1p(-LR * LAMBDA),
    )
    return [*found, mean("adamw", said, logs[:, 4], rate, (1.05 * rate, 0.95 * rate))]


def claims(data: Data, p: Params) -> list[Claim]:
    """Losses, then what a penalty is."""
    return [*loss_claims(data, p), *decay_claims(data, p)]


def draw_losses(ax: Axes, data: Data) -> None:
    """The mean test loss against the epoch, from both starts."""
    epochs, test, late = np.arange(0, 2 * EPOCHS + 1, EVERY), data["test"].mean(axis=0), slice(MIDDLE, None)
    for k, part, x, y, text in (
        (0, slice(None), 60, 0.38, "random start, λ = 0"),
        (1, late, 1270, 0.08, f"random start, λ = {LAMBDA:g}"),
        (2, slice(None), 60, 0.0125, "zero start, λ = 0"),
        (3, late, 1050, 0.0125, f"zero start, λ = {LAMBDA:g}"),
    ):
        color = plotting.COLORS[k]
        ax.plot(epochs[part], test[part, k], "o", color=color, markersize=10 if k in (0, 2) else 8)
        line = plotting.theory_line(ax, epochs[part], data["law"][part, k], "theory: Marchenko–Pastur")
        ax.text(x, y, text, color=color)
    (star,) = ax.plot([EPOCHS, 2 * EPOCHS], PRINTED, "*", color=plotting.BLACK, markersize=20, label="printed, one run")
    ax.axvline(EPOCHS, ymax=0.82, color="#999999", linewidth=1.2)
    ax.set(yscale="log", ylim=(0.009, 1.5), xlim=(-60, 2200), xlabel="epoch, with decay from 1000 on")
    ax.set(ylabel="test loss (mean square)", title="Decay undoes the initialization")
    ax.legend(handles=[line, star], loc="upper left")


def draw_spread(ax: Axes, data: Data, p: Params) -> None:
    """The test losses of single data sets, and the printed ones."""
    bins = np.geomspace(0.006, 0.7, 46)
    for k, at, x, text in ((0, MIDDLE, 0.33, "without\ndecay"), (1, -1, 0.024, f"λ = {LAMBDA:g}")):
        ax.hist(data["test"][:, at, k], bins, color=plotting.COLORS[k], alpha=0.7)
        ax.text(x, 0.17 * p.sets, text, color=plotting.COLORS[k], va="center")
    for number in PRINTED:
        line = ax.axvline(number, color=plotting.BLACK, linewidth=2.6, linestyle=":", label="printed")
    ax.set(xscale="log", xlabel="test loss (mean square)", ylabel=f"data sets of {p.sets}")
    ax.set(xlim=(0.006, 1.2), title="The printed run is an ordinary one")
    ax.legend(handles=[line], loc="upper center")


def draw_forgotten(ax: Axes, data: Data) -> None:
    """What the samples do not see of θ, in the first data set, under both penalties and both rules."""
    epochs, unseen = np.arange(0, FORGET + 1, 5), data["unseen"][0]
    colors = {"SGD": plotting.ORANGE, "Adam": plotting.BLUE, "AdamW": plotting.GREEN}
    for path, (name, (_, decay)), style in zip(unseen, RULES.items(), ("o", "s", "-", "--", "^"), strict=True):
        sgd = name.startswith("SGD")
        (dots,) = ax.plot(epochs[::2], path[::2], style, color=colors[name.split(",")[0]], markersize=8)
        if sgd:
            line = plotting.theory_line(ax, epochs, (1 - LR * decay) ** epochs, "theory: (1 − ηλ)ᵗ, (1 − 2ηλ)ᵗ")
            plotting.label_line(ax, dots, name)
    ax.text(FORGET + 6, unseen[2, -1], "Adam, both", color=plotting.COLORS[0])
    ax.text(FORGET + 6, 0.95, "AdamW", color=plotting.GREEN, va="center")
    ax.set(yscale="log", ylim=(3e-5, 2), xlim=(-8, 1.6 * FORGET), xlabel="epochs t of decay", ylabel="unseen part of θ")
    ax.set_title("Under Adam a penalty is no decay")
    ax.legend(handles=[line], loc="lower left")


def plot(data: Data, p: Params) -> Figure:
    """Losses at the left; their spread and what is forgotten at the right."""
    sheet, ((left, above), (spare, below)) = plotting.figure(2, 2)
    left.set_subplotspec(left.get_gridspec()[:, 0])
    spare.remove()
    draw_losses(left, data)
    draw_spread(above, data, p)
    draw_forgotten(below, data)
    return sheet


experiment = Experiment(
    title="Weight decay divides the test loss by over ten by undoing the initialization; from zero it gains nothing",
    source="Additional Techniques; Training DNNs; Training neural networks 2; the notebook: weight decay",
    question="Where does the test error come from that weight decay takes away, and what is a penalty on the weights?",
    params={"sets": 300, "forgetting": 40},
    quick={"sets": 80, "forgetting": 12},
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
