"""A constraint holds exactly; a penalty as exactly as it is dear (*Training DNNs*, *Training neural networks 2*).

* Norm ball: descent that is projected on |w| <= τ ends at the ridge solution w_λ with |w_λ| = τ. λ is Lagrange's
  multiplier, −∇f(w)·w/|w|², and 0 where the ball holds the unconstrained minimum. So to each τ belongs a λ.
* Orthonormal columns: −½ tr WᵀSW with WᵀW = I is least on the k leading eigenvectors of S. With the penalty
  μ/4 |WᵀW − I|² instead it is μ/4 |WWᵀ − (I + S/μ)|² but for a constant, and WᵀW − I has the eigenvalues λ₁/μ … λ_k/μ:
  off by |λ|/μ. Descent then turns towards the eigenvectors by η(λ_k − λ_{k+1})/μ a step: a penalty ten times as good
  takes ten times the steps. The projection on WᵀW = I, the polar factor, after each step of W ← W + ηSW has neither.
* Binary weights, from r = n/d equations a weight. The shortest solution of Xw = Xb is Pb, P a random projection, and
  rounding it is wrong in a share Φ(−√(u/(1−u))) of its signs, where u = P_ii, of mean r, has the law Beta(n/2,
  (d−n)/2). In the box |w_i| <= 1, of which b is a corner, b is the only solution with probability 2^{1−d} Σ_{k<n}
  C(d−1, k): near 1 for r well above 1/2 (Wendel 1962; Mangasarian and Recht 2011).
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import beta, binom, norm

import optlab as ol
from optlab import plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, bounded, mean, slope
from optlab.random import derive_seed, normal

Array = np.ndarray
ROWS, DIM = 40, 10
LAMBDAS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
SPECTRUM = np.array([3.0, 2.5, 2.0, *np.linspace(0.5, 0.1, 11)])
COLUMNS = 3
GAP = float(SPECTRUM[COLUMNS - 1] - SPECTRUM[COLUMNS])
PENALTIES = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
STIFF = slice(2, None)
"""The penalties that count for the growth of the steps: those whose I + S/μ is near I."""
NEAR = 1e-4
"""How near to the leading eigenvectors descent has to come."""
BITS = 32
EQUATIONS = (8, 12, 16, 20, 24, 28)
SHOWN = EQUATIONS.index(24)
EPS = float(np.finfo(np.float64).eps)


def balls(seed: int) -> Array:
    """For each λ: τ, the multiplier found, the distance to w_λ over |w_λ|, and how far |w| exceeds τ, in eps."""
    X = normal((ROWS, DIM), seed)
    y = X @ normal((DIM,), seed, step=1) + normal((ROWS,), seed, step=2)
    f, H, c = ol.landscapes.LeastSquares(X, y), X.T @ X / ROWS, X.T @ y / ROWS
    rate, found = 1 / np.linalg.eigvalsh(H)[-1], []
    for decay in (0.0, *LAMBDAS):
        ridge = np.linalg.solve(H + decay * np.eye(DIM), c)
        radius = np.linalg.norm(ridge) if decay else 2 * np.linalg.norm(ridge)
        w = ol.descend(f, ol.SGD(lr=rate, max_norm=radius), np.zeros(DIM), 2000, record=[]).last[0]
        size = np.linalg.norm(w)
        found.append([radius, -(f.grad(w) @ w) / size**2, np.linalg.norm(w - ridge) / size, (size / radius - 1) / EPS])
    return np.array(found)


def outside(W: Array, V: Array) -> Array:
    """How much of W, (…, rows, columns), lies outside the leading eigenvectors."""
    return np.linalg.norm(np.swapaxes(V[:, COLUMNS:], 0, 1) @ W, axis=(-2, -1))


def deviation(W: Array) -> float:
    """|WᵀW − I|."""
    return float(np.linalg.norm(W.T @ W - np.eye(W.shape[1])))


def penalized(V: Array, start: Array, penalty: float) -> tuple[float, float]:
    """The deviation at the end, and the steps until it is near the eigenvectors."""
    values = 1 + SPECTRUM / penalty
    f = ol.landscapes.MatrixFactorization(len(V), values, COLUMNS, rotation=V)
    rate = 0.2 / values[0]
    path = ol.descend(f, ol.SGD(lr=rate), start.ravel(), round(40 * penalty / (rate * GAP)), record=ol.log_spaced(150))
    W = path.x[:, 0].reshape(-1, *start.shape)
    return deviation(W[-1]), float(path.step[np.argmax(outside(W, V) < NEAR)])


def projected(V: Array, start: Array) -> tuple[float, float]:
    """The same for the projection on WᵀW = I after each step."""
    S, W, near = V * SPECTRUM @ V.T, start, 0
    for step in range(1, 201):
        left, _, right = np.linalg.svd(W + 0.2 * S @ W, full_matrices=False)
        W = left @ right
        near = near or (step if outside(W, V) < NEAR else 0)
    return deviation(W), float(near)


def frames(seed: int) -> Array:
    """Deviations and steps, the projection first, then each penalty: (1 + penalties, 2)."""
    V = np.linalg.qr(normal((len(SPECTRUM), len(SPECTRUM)), seed))[0]
    start = np.linalg.qr(normal((len(SPECTRUM), COLUMNS), seed, step=1))[0]
    return np.array([projected(V, start), *(penalized(V, start, penalty) for penalty in PENALTIES)])


def signs(p: Params, seed: int) -> Array:
    """Shares of wrong signs, (sets, equations, 2): the shortest solution rounded, and the one in the box."""
    found = np.empty((p.sets, len(EQUATIONS), 2))
    for k, rows in enumerate(EQUATIONS):
        X = normal((p.sets, rows * BITS), seed, step=2 * k).reshape(p.sets, rows, BITS)
        b = np.sign(normal((p.sets, BITS), seed, step=2 * k + 1))[..., None]
        inverse = np.linalg.pinv(X)
        shortest = inverse @ (X @ b)
        w, ahead = shortest, shortest
        # Projections on the solutions and on the box in turn, with Nesterov's momentum.
        for step in range(p.steps):
            before, w = w, np.clip(ahead - inverse @ (X @ (ahead - b)), -1, 1)
            ahead = w + step / (step + 3) * (w - before)
        for j, guess in enumerate((shortest, w)):
            found[:, k, j] = np.mean(np.sign(guess) != b, axis=(1, 2))
    return found


def compute(p: Params, seed: int, progress: Progress) -> dict[str, Array]:
    """Balls, frames, signs."""
    seeds = [derive_seed(seed, "set", k) for k in range(p.seeds)]
    found = {"balls": np.array([balls(each) for each in seeds])}
    progress(0.2, "orthonormal columns")
    found["frames"] = np.array([frames(each) for each in seeds])
    progress(0.7, "signs")
    return {**found, "signs": signs(p, derive_seed(seed, "signs"))}


def ball_claims(data: Data, p: Params) -> list[Claim]:
    """τ and λ."""
    free, held = data["balls"][:, 0], data["balls"][:, 1:]
    said = {
        "ball": "Projected descent is in the ball; by how much |w| exceeds τ at most, in eps.",
        "ridge": "With τ = |w_λ| it ends at the ridge solution w_λ; the largest relative distance.",
        "multiplier": "Its multiplier −∇f·w/|w|² is λ; the largest relative gap.",
        "free": "A ball twice as large as the unconstrained minimum holds changes nothing: the largest distance.",
    }
    asked = {name: (name, text) for name, text in said.items()}
    # Rounding of 2000 steps, each by a few eps of w, contracted by no less than 1/50 a step; the gap is over λ.
    rounding = 50 * 8 * EPS
    return [
        bounded(*asked["ball"], held[..., 3].max(), (None, 4)),
        bounded(*asked["ridge"], held[..., 2].max(), (0, rounding), 0),
        bounded(*asked["multiplier"], np.abs(held[..., 1] / LAMBDAS - 1).max(), (0, rounding / LAMBDAS[0]), 0),
        bounded(*asked["free"], free[:, 2].max(), (0, rounding), 0),
    ]


def frame_claims(data: Data, p: Params) -> list[Claim]:
    """Orthonormal columns."""
    exactly, dear = data["frames"][:, 0], data["frames"][:, 1:]
    law = np.linalg.norm(SPECTRUM[:COLUMNS]) / np.array(PENALTIES)
    said = {
        "frame": "The projected W has WᵀW = I to rounding; the largest deviation, in eps.",
        "deviation": "The penalized one is off by |λ|/μ; the largest relative gap.",
        "steps": "And its steps grow with μ; the slope of their log over log μ, μ >= 10.",
        "faster": f"The projection takes less than a tenth of the steps of μ = {PENALTIES[-1]:g}; the mean share.",
    }
    asked = {name: (name, text) for name, text in said.items()}
    log_steps = np.log(dear[:, STIFF, 1])
    return [
        bounded(*asked["frame"], exactly[:, 0].max() / EPS, (0, 8 * COLUMNS)),
        bounded(*asked["deviation"], np.abs(dear[..., 0] / law - 1).max(), (0, 1e-6), 0),
        slope(*asked["steps"], np.log(PENALTIES[STIFF]), log_steps, 1.0, (0.85, 1.15)),
        mean(*asked["faster"], exactly[:, 1] / dear[:, -1, 1], None, (0, 0.1)),
    ]


def sign_claims(data: Data, p: Params) -> list[Claim]:
    """Binary weights."""
    (short, box), rows = data["signs"][:, SHOWN].T, EQUATIONS[SHOWN]
    law, alone = rounding_law(rows), float(binom.cdf(EQUATIONS[1] - 1, BITS - 1, 0.5))
    said = {
        "rounded": f"{rows} equations for {BITS} signs: rounding the shortest solution errs in {law:.3f} of them.",
        "box": "In the box hardly a sign is wrong, as b is its only solution; the mean share.",
        "too_few": f"With {EQUATIONS[1]} b is alone in the box with probability {alone:.2g}; the mean share of errors.",
    }
    asked = {name: (name, text) for name, text in said.items()}
    return [
        mean(*asked["rounded"], short, law, (0.7 * law, 1.3 * law)),
        mean(*asked["box"], box, None, (None, law / 10)),
        mean(*asked["too_few"], data["signs"][:, 1, 1], None, (0.05, None)),
    ]


def rounding_law(rows: float) -> float:
    """The share of wrong signs after rounding, of so many equations."""
    u = beta.ppf((np.arange(1000) + 0.5) / 1000, rows / 2, (BITS - rows) / 2)
    return float(norm.cdf(-np.sqrt(u / (1 - u))).mean())


def claims(data: Data, p: Params) -> list[Claim]:
    """Balls, frames, signs."""
    return [*ball_claims(data, p), *frame_claims(data, p), *sign_claims(data, p)]


def draw_balls(ax: Axes, data: Data) -> None:
    """The multiplier against τ."""
    for k, found in enumerate(data["balls"][:3, 1:]):
        (dots,) = ax.plot(found[:, 0] / data["balls"][k, 0, 0] * 2, found[:, 1], "o", markersize=11)
        line = plotting.theory_line(ax, found[:, 0] / data["balls"][k, 0, 0] * 2, LAMBDAS)
    dots.set_label("multiplier, three data sets")
    line.set_label("theory: ridge's λ with |w_λ| = τ")
    ax.axvline(1, ymax=0.8, color="#777777", linestyle=":", linewidth=2.4)
    ax.set(yscale="log", ylim=(0.004, 300), xlim=(0, 1.05), xlabel="radius τ, over |w| without constraint")
    ax.set(ylabel="λ", title="To each radius belongs a λ")
    ax.legend(handles=[dots, line], loc="upper right")


def draw_frames(ax: Axes, data: Data) -> None:
    """Deviation against steps, each penalty and the projection."""
    exactly, dear = data["frames"][:, 0].mean(axis=0), data["frames"][:, 1:].mean(axis=0)
    law = np.linalg.norm(SPECTRUM[:COLUMNS]) / np.array(PENALTIES)
    ax.plot(dear[:, 1], dear[:, 0], "o", color=plotting.VERMILLION, markersize=11, label="penalty μ = 1 … 300")
    line = plotting.theory_line(ax, dear[:, 1], law, "theory: |λ|/μ")
    ax.plot(exactly[1], exactly[0], "s", color=plotting.BLUE, markersize=13, label="projection")
    ax.set(xscale="log", yscale="log", xlabel="steps until W is near the eigenvectors", ylabel="|WᵀW − I|")
    ax.set(ylim=(1e-17, 1e3), title="A good penalty is slow")
    ax.legend(handles=[*ax.get_legend_handles_labels()[0][::2], line], loc="lower right")


def draw_signs(ax: Axes, data: Data) -> None:
    """The share of wrong signs against the equations a weight."""
    share, fine = np.array(EQUATIONS) / BITS, np.linspace(6, 29.5, 50)
    names = ("shortest solution, rounded", "solution in the box, rounded")
    for k, name in enumerate(names):
        color = plotting.COLORS[1 - k]
        ax.plot(share, data["signs"][:, :, k].mean(axis=0), "o", color=color, markersize=11, label=name)
    line = plotting.theory_line(ax, fine / BITS, [rounding_law(rows) for rows in fine], "theory")
    ax.axvline(0.5, ymax=0.5, color="#777777", linestyle=":", linewidth=2.4)
    ax.set(ylim=(-0.02, 0.6), xlabel="equations for each binary weight, r", ylabel="wrong signs")
    ax.set_title("The box knows the signs")
    ax.legend(handles=[*ax.get_legend_handles_labels()[0][:2], line], loc="upper right")


def plot(data: Data, p: Params) -> Figure:
    """Balls at the left; frames and signs at the right."""
    sheet, ((left, above), (spare, below)) = plotting.figure(2, 2)
    left.set_subplotspec(left.get_gridspec()[:, 0])
    spare.remove()
    draw_balls(left, data)
    draw_frames(above, data)
    draw_signs(below, data)
    return sheet


experiment = Experiment(
    title="A constraint holds exactly where a penalty is off or slow; on a ball the two are one",
    source="Training DNNs; Training neural networks 2: constraints and penalties",
    question="What do norm balls, orthonormal columns and binary weights give that penalties do not?",
    params={"seeds": 20, "sets": 2000, "steps": 1000},
    quick={"seeds": 8, "sets": 600, "steps": 300},
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
