"""Whitening a hidden batch, and what batch normalization leaves undone (lecture on tricks of training).

A batch of d hidden units behind ReLU has a covariance C. Batch normalization divides each unit by its own standard
deviation: the covariance becomes the correlation matrix, with ones on the diagonal and all else as it was. Whitening
multiplies by a root of C⁻¹ and leaves the identity (ε = 0). Roots differ by a rotation:

* PCA: Λ^(−1/2) Vᵀ, along the principal axes. Two batches of the same units have other axes, with close variances in
  another order, so that a coordinate means something else in every batch.
* ZCA: V Λ^(−1/2) Vᵀ, turned back. Of all it moves the batch least, by Σ (√v − 1)² a sample, v the eigenvalues of C, and
  two batches of n differ by 1/√n.

For normal inputs with weight vectors at an angle of cosine ρ, the correlation behind ReLU is known:
(√(1 − ρ²) + ρ (π − arccos ρ) − 1)/(π − 1). A linear layer on white units is learned in one step of gradient descent. A
batch of n <= d samples has n − 1 variances other than 0 and cannot be whitened; it can be normalized.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

import optlab as ol
from optlab import ops, plotting
from optlab.data import Whiten
from optlab.experiment import Claim, Data, Experiment, Params, Progress, bounded, exact, mean, median, slope
from optlab.random import derive_seed, normal

Array = np.ndarray
INPUTS, UNITS, STEPS = 8, 16, 60
BATCHES = (64, 128, 256, 512, 1024)
HELD = 512
"""Samples on which two whitenings are compared."""
SMALL = (2, 8, UNITS)
KINDS = ("pca", "zca")
LAYERS = ("raw", "batch norm", "whitened")
ROUNDING = 1e-11
"""The least standard deviation is near a tenth: sums of a thousand terms of some eps each, divided by its square."""


def hidden(n: int, seed: int, step: int = 0) -> tuple[Array, Array]:
    """Outputs of ReLU units for n samples, (n, UNITS), and the units' weights; `step` draws other samples."""
    weight = normal((UNITS, INPUTS), derive_seed(seed, "weight"))
    return ops.linear_forward(normal((n, INPUTS), seed, step=step), weight, activation="relu"), weight


def covariance(z: Array) -> Array:
    """Of the rows, the biased one."""
    return np.cov(z.T, bias=True)


def normalized(h: Array) -> Array:
    """As batch normalization does, with ε = 0."""
    return ops.batch_norm_forward(h, eps=0.0)[0]


def predicted(weight: Array) -> Array:
    """The correlations behind ReLU for normal inputs."""
    unit = weight / np.linalg.norm(weight, axis=1, keepdims=True)
    rho = np.clip(unit @ unit.T, -1, 1)
    return (np.sqrt(1 - rho**2) + rho * (np.pi - np.arccos(rho)) - 1) / (np.pi - 1)


def moved(h: Array, seed: int, turns: int) -> Array:
    """Mean squares by which whitenings move the batch, over Σ (√v − 1)²: ZCA's, PCA's, the least of random turns'."""
    centred = h - h.mean(axis=0)
    least = np.sum((np.sqrt(np.linalg.eigvalsh(covariance(h))) - 1) ** 2)
    zca, pca = (Whiten.fit(h, kind=kind).apply(h) for kind in ("zca", "pca"))
    rotations = [np.linalg.qr(normal((UNITS, UNITS), derive_seed(seed, "turn"), step=k))[0] for k in range(turns)]
    found = [np.mean(np.sum((z - centred) ** 2, axis=1)) / least for z in (zca, pca, *(zca @ q for q in rotations))]
    return np.array([*found[:2], min(found[2:])])


def two_batches(seed: int) -> Array:
    """How differently two batches whiten the same samples: the root mean square over that of one, (kinds, BATCHES)."""
    held, found = hidden(HELD, seed, step=1)[0], np.empty((len(KINDS), len(BATCHES)))
    for k, n in enumerate(BATCHES):
        pair = [hidden(n, seed, step=2 + 2 * k + side)[0] for side in (0, 1)]
        for kind in range(len(KINDS)):
            one, other = (Whiten.fit(h, kind=KINDS[kind]).apply(held) for h in pair)
            found[kind, k] = np.linalg.norm(one - other) / np.linalg.norm(one)
    return found


def learning(inputs: tuple[Array, ...], seed: int) -> Array:
    """The distance to the least-squares weights by step, over that of the start, 0; best constant rates."""
    found = []
    for z in inputs:
        target = normal((len(z),), derive_seed(seed, "target"))
        values = np.linalg.eigvalsh(z.T @ z / len(z))
        best = np.linalg.lstsq(z, target, rcond=None)[0]
        f, rate = ol.landscapes.LeastSquares(z, target), 2 / (values[0] + values[-1])
        path = ol.descend(f, ol.SGD(lr=rate), np.zeros(UNITS), STEPS, record=1)
        found.append(np.linalg.norm(path.x[:, 0] - best, axis=1) / np.linalg.norm(best))
    return np.array(found)


def ranks(seed: int) -> Array:
    """For each of SMALL: the variances other than 0 of a normalized batch of so many, and whether it was whitened."""
    found = []
    for n in SMALL:
        h = normal((n, UNITS), derive_seed(seed, "small"), step=n)
        try:
            Whiten.fit(h)
            whitened = True
        except ValueError:
            whitened = False
        found.append((np.sum(np.linalg.eigvalsh(covariance(normalized(h))) > ROUNDING), whitened))
    return np.array(found)


def network(p: Params, seed: int) -> dict[str, Array]:
    """All that is measured on one layer."""
    h, weight = hidden(p.batch, seed)
    layers = (h - h.mean(axis=0), normalized(h), *(Whiten.fit(h, kind=kind).apply(h) for kind in KINDS))
    found = {name: covariance(z) for name, z in zip(("raw", "normal", "pca", "zca"), layers, strict=True)}
    return {
        **found,
        "law": predicted(weight),
        "moved": moved(h, seed, p.turns),
        "two": two_batches(seed),
        "learning": learning((layers[0], layers[1], layers[3]), seed),
        "ranks": ranks(seed),
    }


def compute(p: Params, seed: int, progress: Progress) -> dict[str, Array]:
    """One layer after the other."""
    found = []
    for k in range(p.networks):
        progress(k / p.networks, f"layer {k}")
        found.append(network(p, derive_seed(seed, "layer", k)))
    return {name: np.array([each[name] for each in found]) for name in found[0]}


def apart(found: Array, wanted: Array) -> float:
    """The largest difference of two stacks of matrices."""
    return float(np.abs(found - wanted).max())


def covariance_claims(data: Data) -> list[Claim]:
    """What is left of the covariance."""
    identity, off = np.eye(UNITS), ~np.eye(UNITS, dtype=bool)
    scale = np.sqrt(np.diagonal(data["raw"], axis1=1, axis2=2))
    correlation = data["raw"] / scale[:, :, None] / scale[:, None, :]
    ratio = np.array(
        [np.sum(c[off] * t[off]) / np.sum(t[off] ** 2) for c, t in zip(data["normal"], data["law"], strict=True)]
    )
    white = "{} whitening makes the covariance the identity: the largest difference of an entry."
    return [
        *(bounded(kind, white.format(kind.upper()), apart(data[kind], identity), (0.0, ROUNDING)) for kind in KINDS),
        bounded(
            "normal",
            "Batch normalization makes it the correlation matrix: the same.",
            apart(data["normal"], correlation),
            (0.0, ROUNDING),
        ),
        mean(
            "left",
            "Its correlations are those of ReLU units of normal inputs: fitted as a multiple of the law.",
            ratio,
            1.0,
            (0.95, 1.05),
        ),
        median(
            "condition",
            "So the normalized batch keeps a large condition number; its median.",
            [np.linalg.cond(c) for c in data["normal"]],
            None,
            (10.0, None),
        ),
    ]


def claims(data: Data, p: Params) -> list[Claim]:
    """Covariances, rotations, learning, small batches."""
    zca, _, turned = data["moved"].T
    by_pca, by_zca = data["two"][:, 0], data["two"][:, 1]
    after_one = data["learning"][:, :, 1]
    rank = data["ranks"] - np.array([[n - 1, 0] for n in SMALL])
    said = {
        "least": "ZCA moves the batch by the sum of (√v − 1)², the least of all: the largest relative difference.",
        "turned": "Any other rotation moves it more: the least of many, over that.",
        "swapped": f"Two batches of {BATCHES[-1]} whiten the same samples differently by PCA; relative, the mean.",
        "steady": "By ZCA they differ as n to the power −1/2: the slope.",
        "one_step": "White units: one step of gradient descent finds the least-squares weights; the distance left.",
        "many_steps": "Normalized units: it does not; the distance left of 1, the mean.",
        "rank": f"n = {', '.join(map(str, SMALL))} samples: n − 1 variances and no whitening; differences.",
    }
    return [
        *covariance_claims(data),
        bounded("least", said["least"], np.abs(zca - 1).max(), (0.0, ROUNDING)),
        bounded("turned", said["turned"], turned.min(), (1.01, None)),
        mean("swapped", said["swapped"], by_pca[:, -1], None, (0.3, None)),
        slope("steady", said["steady"], np.log(BATCHES), np.log(by_zca), -0.5, (-0.65, -0.4)),
        bounded("one_step", said["one_step"], after_one[:, 2].max(), (0.0, ROUNDING)),
        mean("many_steps", said["many_steps"], after_one[:, 1], None, (0.3, None)),
        exact("rank", said["rank"], np.abs(rank).sum(), 0),
    ]


def draw_covariance(ax: Axes, matrix: Array, title: str) -> AxesImage:
    """One matrix, from −1 to 1."""
    image = ax.imshow(matrix, cmap="RdBu_r", vmin=-1, vmax=1)
    ax.grid(False)
    ax.set(xticks=[], yticks=[], title=title, xlabel="hidden unit", ylabel="hidden unit")
    return image


def draw_correlation(ax: Axes, data: Data) -> None:
    """What batch normalization leaves against the law."""
    pairs = np.triu_indices(UNITS, 1)
    law, found = (np.array([c[pairs] for c in data[name][:6]]).ravel() for name in ("law", "normal"))
    ax.plot(law, found, ".", color=plotting.VERMILLION, markersize=6)
    ends = np.array([law.min(), law.max()])
    line = plotting.theory_line(ax, ends, ends, "theory: ReLU")
    ax.set(xlabel="predicted correlation", ylabel="left by batch norm", title="What is left was there")
    ax.legend(handles=[line], loc="upper left")


def draw_two(ax: Axes, data: Data) -> None:
    """How far apart two batches are."""
    middle = data["two"].mean(axis=0)
    for k, (color, mark) in enumerate(((plotting.PURPLE, "s"), (plotting.BLUE, "o"))):
        ax.plot(BATCHES, middle[k], mark, color=color, markersize=10)
    line = plotting.theory_line(ax, BATCHES, middle[1, -1] * np.sqrt(BATCHES[-1] / np.array(BATCHES)), "theory: 1/√n")
    ax.text(BATCHES[-1], 1.15, "PCA", color=plotting.PURPLE, ha="right")
    ax.text(BATCHES[-1], 0.2, "ZCA", color=plotting.BLUE, ha="right")
    ax.set(xscale="log", yscale="log", ylim=(0.06, 2.2), xlabel="batch size n", ylabel="difference")
    ax.set_xticks(BATCHES, [str(n) for n in BATCHES])
    ax.minorticks_off()
    ax.set_title("Two batches, two whitenings")
    ax.legend(handles=[line], loc="lower left")


def draw_learning(ax: Axes, data: Data) -> None:
    """The distance to the solution by step."""
    middle = data["learning"].mean(axis=0)
    for curve, name, color in zip(middle, LAYERS, ("#777777", plotting.VERMILLION, plotting.BLUE), strict=True):
        ax.plot(curve, color=color, label=name)
    ax.legend(loc="upper right")
    ax.set(ylim=(-0.03, 1.05), xlabel="gradient step", ylabel="distance left", title="White: learned in one")


def plot(data: Data, p: Params) -> Figure:
    """Covariances above; what follows from them below."""
    sheet, ((a, b, c), (d, e, f)) = plotting.figure(2, 3)
    draw_covariance(a, data["raw"][0] / np.abs(data["raw"][0]).max(), "a hidden batch")
    draw_covariance(b, data["normal"][0], "after batch norm")
    image = draw_covariance(c, data["zca"][0], "whitened")
    sheet.colorbar(image, ax=c, label="covariance", ticks=(-1, 0, 1))
    draw_correlation(d, data)
    draw_two(e, data)
    draw_learning(f, data)
    return sheet


experiment = Experiment(
    title="Batch normalization equalizes the variances and leaves the correlations; whitening takes both",
    source="Training DNNs: whitening",
    question="What does whitening a hidden batch do that batch normalization does not, and by which of its roots?",
    params={"networks": 60, "batch": 1024, "turns": 50},
    quick={"networks": 16, "turns": 10},
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
