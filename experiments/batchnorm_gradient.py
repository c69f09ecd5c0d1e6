"""The gradient of batch normalization, step by step (lecture *Important Techniques*, batch normalization).

y_i = γ ẑ_i + β, ẑ_i = (z_i − μ)/s, s² = σ² + ε, over a batch of m. With g_i = γ ∂L/∂y_i the lecture's steps are

  ∂L/∂σ² = −½ s⁻³ Σ g_i (z_i − μ),     ∂L/∂μ = −(1/s) Σ g_i − (2/m) ∂L/∂σ² Σ (z_i − μ),
  ∂L/∂z_i = g_i / s + (2/m) (z_i − μ) ∂L/∂σ² + (1/m) ∂L/∂μ,

but it prints the first without the factor (z_i − μ). Then ∂L/∂z_i is off by (1/m) s⁻³ (z_i − μ) Σ g_i (z_i − μ − 1).

* Here L = Σ w y with fixed w ~ N(0, 1), and every column has spread σ = 1. In the mean over w, up to ε, the squared
  error of the printed form is 2γ² a column and that of the gradient (m − 2)γ²: off by √(2/(m − 2)), which a large batch
  hides and a difference quotient shows.
* A scaling of z changes nothing but through ε, so Σ (∂L/∂z_i) ẑ_i = ε/s² Σ g_i ẑ_i / s: almost 0. Printed, it is not.
* A central difference of step h errs by truncation, as h², and by rounding, as 1/h. A complex step takes no difference
  and errs by rounding alone; it is the truth that the others are measured against.

Rounding: z − μ is known to δ = (m + 2) eps max|z|, and a sum of m terms to m eps/2 of the sum of their sizes. To first
order ∂L/∂z_i is then known to 4δ/s + (m + 20) eps of T_i = (|g_i| + mean|g| + (|ẑ_i| + 1) mean(|g| (|ẑ| + 1)))/s.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import optlab as ol
from optlab import ops, plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, bounded, mean, slope
from optlab.random import derive_seed

EPS, EPSILON = float(np.finfo(np.float64).eps), 1e-5
STEPS = np.geomspace(1e-10, 1.0, 31)
FAR, NEAR = (STEPS > 5e-4) & (STEPS < 5e-2), STEPS < 2e-6


def batch(p: Params, m: int, seed: int, run: int) -> tuple[np.ndarray, ...]:
    """Inputs z of shape (m, columns), γ, β and the weights w of the loss."""
    z, w, (gamma, beta, centre) = (
        ol.random.normal(rows * p.columns, seed, step=k, first_run=run).reshape(rows, p.columns)
        for k, rows in enumerate((m, m, 3))
    )
    z -= z.mean(axis=0)
    return z / np.sqrt(np.mean(z * z, axis=0)) + centre, 1 + gamma / 4, beta, w


def by_hand(z: np.ndarray, gamma: np.ndarray, w: np.ndarray, printed: bool = False) -> np.ndarray:
    """∂L/∂z by the lecture's steps."""
    m, centred, g = len(z), z - z.mean(axis=0), w * gamma
    s = np.sqrt(np.mean(centred**2, axis=0) + EPSILON)
    dvar = -0.5 * s**-3.0 * np.sum(g if printed else g * centred, axis=0)
    dmu = -np.sum(g, axis=0) / s - 2 / m * dvar * np.sum(centred, axis=0)
    return g / s + 2 / m * centred * dvar + dmu / m


def by_kernel(z: np.ndarray, gamma: np.ndarray, beta: np.ndarray, w: np.ndarray) -> np.ndarray:
    """∂L/∂z by the fused kernel."""
    return ops.batch_norm_backward(w, z, gamma, *ops.batch_norm_forward(z, gamma, beta, EPSILON)[1:])[0]


def moved(z: np.ndarray, gamma: np.ndarray, beta: np.ndarray, w: np.ndarray, step: complex) -> np.ndarray:
    """Row i: the loss of each column, by the definition, after a step of its z_i; other columns do not enter."""
    z = z + step * np.eye(len(z))[:, :, None]
    centred = z - z.mean(axis=1, keepdims=True)
    y = gamma * centred / np.sqrt(np.mean(centred * centred, axis=1, keepdims=True) + EPSILON) + beta
    return np.sum(w * y, axis=1)


def rounding(z: np.ndarray, gamma: np.ndarray, w: np.ndarray) -> np.ndarray:
    """The bound on rounding, for the difference of two gradients."""
    m, g, s = len(z), np.abs(w * gamma), np.sqrt(z.var(axis=0) + EPSILON)
    unit = np.abs(z - z.mean(axis=0)) / s
    sizes = (g + g.mean(axis=0) + (unit + 1) * np.mean(g * (unit + 1), axis=0)) / s
    return 2 * (4 * (m + 2) * np.abs(z).max(axis=0) / s + m + 20) * EPS * sizes


def study(p: Params, seed: int, run: int) -> dict[str, np.ndarray]:
    """One batch: the errors of all forms, in units of rounding and of the gradient, and of all difference quotients."""
    z, gamma, beta, w = batch(p, p.batch, seed, run)
    truth = moved(z, gamma, beta, w, 1e-200j).imag / 1e-200
    forms = [by_hand(z, gamma, w), by_kernel(z, gamma, beta, w), by_hand(z, gamma, w, printed=True)]
    quotients = [(moved(z, gamma, beta, w, h) - moved(z, gamma, beta, w, -h)) / (2 * h) for h in STEPS]
    centred, s, g = z - z.mean(axis=0), np.sqrt(z.var(axis=0) + EPSILON), w * gamma
    wrong = forms[2] - truth
    law = centred * np.sum(g * (centred - 1), axis=0) / (p.batch * s**3)
    bound, along = rounding(z, gamma, w), np.abs([np.sum(form * centred, axis=0) for form in forms])
    return {
        "rounding": np.array([np.max(np.abs(each) / bound) for each in (*(np.array(forms) - truth), wrong - law)]),
        "errors": np.array([np.linalg.norm(form - truth) for form in forms]) / np.linalg.norm(truth),
        "quotients": np.array([np.linalg.norm(each - truth) for each in quotients]) / np.linalg.norm(truth),
        "along": np.max(along / np.sum(np.abs(g * centred), axis=0), axis=1),
        "rows": np.array([centred / s, wrong, law])[:, :, :2].swapaxes(1, 2),
    }


def printed_error(p: Params, m: int, seed: int, run: int) -> tuple[float, float]:
    """For one batch of m: the squared error of the printed form over its mean, and its size beside the gradient's."""
    z, gamma, beta, w = batch(p, m, seed, run)
    right = by_kernel(z, gamma, beta, w)
    square = np.sum((by_hand(z, gamma, w, printed=True) - right) ** 2)
    return float(square / np.sum(2 * gamma**2)), float(np.sqrt(square / np.sum(right**2)))


def compute(p: Params, seed: int, progress: Progress) -> dict[str, np.ndarray]:
    """Errors at one batch size in detail, and those of the printed form at many."""
    runs = [study(p, derive_seed(seed, "study"), run) for run in range(p.runs)]
    progress(0.7, "batch sizes")
    sizes = [[printed_error(p, m, derive_seed(seed, "size", m), run) for m in p.sizes] for run in range(p.size_runs)]
    found = {key: np.array([each[key] for each in runs]) for key in ("rounding", "errors", "quotients", "along")}
    return {**found, "rows": runs[0]["rows"], "sizes": np.array(sizes)}


def form_claims(data: Data, p: Params) -> list[Claim]:
    """The corrected form and the kernel are the gradient; the printed form is not."""
    units = f"{p.runs} batches of {p.batch}: the {{}} difference from complex steps, in units of rounding."
    most, least = units.format("largest"), units.format("least")
    hand, kernel, printed, gap = data["rounding"].T
    along = "The {} gradient along ẑ, which no scaling of z may feel, as a part of its terms: the {}."
    return [
        bounded("corrected", f"The corrected steps are the gradient, {most}", hand.max(), (0.0, 1.0)),
        bounded("kernel", f"The fused kernel is the gradient, {most}", kernel.max(), (0.0, 1.0)),
        bounded("printed", f"The printed steps are not the gradient, {least}", printed.min(), (1e6, None)),
        bounded("formula", f"The printed error is that of its formula, {most}", gap.max(), (0.0, 1.0)),
        # What ε leaves of it is ε itself, and rounding is far below.
        bounded("along", along.format("kernel's", "most"), data["along"][:, 1].max(), (0.0, 1.01 * EPSILON)),
        bounded("printed_along", along.format("printed", "least"), data["along"][:, 2].min(), (0.01, None)),
    ]


def claims(data: Data, p: Params) -> list[Claim]:
    """The forms, the two branches of the difference quotients, and the batch size."""
    logs, places = np.log(data["quotients"]), np.log(STEPS)
    squares, errors = data["sizes"][..., 0], data["sizes"][..., 1]
    branch = "Central differences err as h to the power {} where {} rules; the slope."
    power = f"The printed form's squared error, over 2γ² a column, batches of {p.sizes[0]} to {p.sizes[-1]}; the mean."
    falls = "The printed form's error beside the gradient falls as √(2/(m − 2)): the slope in log-log."
    widths = np.log(np.array(p.sizes) - 2.0)
    return [
        *form_claims(data, p),
        slope("truncation", branch.format(2, "truncation"), places[FAR], logs[:, FAR], 2.0, (1.95, 2.05)),
        slope("rounding", branch.format(-1, "rounding"), places[NEAR], logs[:, NEAR], -1.0, (-1.1, -0.9)),
        mean("printed_error", power, squares.mean(axis=1), 1.0, (0.85, 1.15)),
        slope("hides", falls, widths, np.log(errors), -0.5, (-0.57, -0.43)),
    ]


def draw_errors(ax: Axes, data: Data) -> None:
    """Errors of the forms, and of difference quotients against their step."""
    middle = np.exp(np.log(data["quotients"]).mean(axis=0))
    for places, power in ((FAR, 2), (NEAR, -1)):
        at = np.flatnonzero(places)[len(STEPS[places]) // 2]
        law = middle[at] * (STEPS / STEPS[at]) ** power
        near = law > middle.min() / 20
        line = plotting.theory_line(ax, STEPS[near], law[near], "theory: h² and 1/h")
    ax.plot(STEPS, middle, "o", color=plotting.BLUE, markersize=9)
    ax.text(3e-10, 3e-5, "central differences", color=plotting.BLUE)
    hand, kernel, printed = np.exp(np.log(data["errors"]).mean(axis=0))
    for error, color, text in ((printed, plotting.VERMILLION, "as printed"), (hand, plotting.GREEN, "corrected steps")):
        ax.axhline(error, color=color, linewidth=4)
        ax.text(3e-10, 1.6 * error, text, color=color)
    ax.axhline(kernel, color=plotting.PURPLE, linewidth=4, linestyle=":")
    ax.text(1, 1.6 * hand, "fused kernel", color=plotting.PURPLE, ha="right")
    ax.set(xscale="log", yscale="log", xlabel="step h of the difference", ylabel="error, as a part of the gradient")
    ax.set(ylim=(1e-17, 1e2), title="The printed steps are not the gradient")
    ax.legend(handles=[line], loc="upper left")


def draw_rows(ax: Axes, data: Data) -> None:
    """What the printed form adds to the gradient, number by number, in two columns."""
    for unit, wrong, law, (color, marker) in zip(*data["rows"], (("#d55e00", "o"), ("#e69f00", "s")), strict=True):
        ax.plot(unit, wrong, marker, color=color, markersize=8)
        line = plotting.theory_line(ax, unit[[unit.argmin(), unit.argmax()]], law[[unit.argmin(), unit.argmax()]])
    ax.set(xlabel="ẑ, two columns of a batch", ylabel="∂L/∂z printed − true")
    ax.set_title("Its error is a multiple of ẑ")
    ax.legend(handles=[line], loc="best")


def draw_sizes(ax: Axes, data: Data, p: Params) -> None:
    """The error of the printed form against the size of the batch."""
    ax.plot(
        p.sizes, np.sqrt(np.mean(data["sizes"][..., 1] ** 2, axis=0)), "o", color=plotting.VERMILLION, markersize=10
    )
    line = plotting.theory_line(ax, p.sizes, np.sqrt(2 / (np.array(p.sizes) - 2)), "theory: √(2/(m − 2))")
    ax.set(xscale="log", yscale="log", xlabel="batch size m", ylabel="error as printed", ylim=(0.02, 1))
    ax.set_title("A large batch hides the mistake")
    ax.legend(handles=[line], loc="lower left")


def plot(data: Data, p: Params) -> Figure:
    """Errors at the left; at the right the gradients' numbers and the batch size."""
    sheet, ((left, above), (spare, below)) = plotting.figure(2, 2, width_ratios=(1.2, 1))
    left.set_subplotspec(left.get_gridspec()[:, 0])
    spare.remove()
    draw_errors(left, data)
    draw_rows(above, data)
    draw_sizes(below, data, p)
    return sheet


experiment = Experiment(
    title="The lecture's backward steps of batch normalization lack a factor; with it they are the gradient",
    source="Important Techniques in Neural Network Training, batch normalization",
    question="Are the printed backward steps of batch normalization its gradient, and is the fused kernel?",
    params={"batch": 32, "columns": 16, "runs": 100, "sizes": (8, 16, 32, 64, 128, 256, 512, 1024), "size_runs": 100},
    quick={"runs": 20, "size_runs": 40},
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
