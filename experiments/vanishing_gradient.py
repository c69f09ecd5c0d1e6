"""How gradients vanish and explode with depth (lectures on initialization and on vanishing gradients).

* A sigmoid's slope is at most ¼, so ten of them in a chain pass on at most 0.25¹⁰ ≈ 10⁻⁶ of a gradient.
* In a wide network z = W h, h = φ(z), the gradients' mean square changes from layer to layer by χ = σ² E φ′(√q Z)²,
  where σ²/n is the variance of a weight, q = σ² E h² that of z, and Z is normal (mean field; Poole et al. 2016,
  Schoenholz et al. 2017). Sigmoid and tanh have Xavier's weights, σ² = 1, and ReLU He's, σ² = 2, for which χ = 1.
* A Gaussian k x k matrix A stretches the i-th of k orthogonal directions, given those before it, by a factor whose
  square is χ² with k − i + 1 degrees of freedom, whatever was multiplied before. So the logarithms of the length, area
  and volume of what a product makes of one, two and three vectors are sums of independent numbers, and grow by λ₁,
  λ₁ + λ₂ and λ₁ + λ₂ + λ₃ a factor: Newman's (1986) λ_i = ½ (log 2 + ψ((k − i + 1)/2)) = 0.365, 0.058, −0.635.
"""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.special import digamma

import optlab as ol
from optlab import ops, plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, bounded, exact, mean, slope
from optlab.nn import init
from optlab.random import derive_seed

NETS = {"sigmoid": init.XavierNormal(), "tanh": init.XavierNormal(), "relu": init.KaimingNormal()}
CHAIN, SIDE = 10, 3
LYAPUNOV = (math.log(2) + digamma((SIDE - np.arange(SIDE)) / 2)) / 2
ROOMS = (0.02, 0.03, 0.05)
"""Around the rates of length, area and volume; a dimension more or less would change each by 0.18 or more."""
PLACES = ((15, 1e-6), (20, 1e-3), (20, 5.0))
EPS = float(np.finfo(np.float64).eps)


def network(p: Params, seed: int, name: str, net: int) -> np.ndarray:
    """The logarithm of the size of the gradient at each z, the last layer first and taken as 1."""
    h, weights, values = ol.random.normal((1, p.width), seed, first_run=net), [], []
    for layer in range(p.depth):
        weights.append(NETS[name].draw((p.width, p.width), seed, step=layer, run=net, dtype="float64"))
        h = ops.activation_forward(ops.matmul(h, weights[-1].T), name)
        values.append(h)
    dh, sizes = ol.random.normal((1, p.width), seed, step=1, first_run=net), []
    for w, h in zip(reversed(weights), reversed(values), strict=True):
        dz = ops.activation_backward(dh, h, name)
        sizes.append(math.log(np.sum(dz * dz)) / 2)
        dh = ops.matmul(dz, w)
    return np.array(sizes) - sizes[0]


def mean_field(p: Params, name: str) -> np.ndarray:
    """What :func:`network` gives for infinite width: half the sums of log χ."""
    z, share = np.polynomial.hermite_e.hermegauss(120)
    share = share / share.sum()
    second, scale, chi = 1.0, (2.0 if name == "relu" else 1.0), []
    for _ in range(p.depth):
        x = math.sqrt(scale * second) * z
        h = {"sigmoid": 1 / (1 + np.exp(-x)), "tanh": np.tanh(x), "relu": np.maximum(x, 0)}[name]
        slopes = {"sigmoid": h * (1 - h), "tanh": 1 - h * h, "relu": x > 0}[name]
        second = float(share @ (h * h))
        chi.append(scale * float(share @ slopes**2))
    return np.concatenate([[0.0], np.cumsum(np.log(chi[-2::-1])) / 2])


def chains(p: Params, seed: int) -> tuple[float, float]:
    """What ten sigmoids in a chain pass on, z ← σ(z) + b: with b = −½ from 0, and at most with random b."""
    shifts = 2 * ol.random.normal((CHAIN, p.chains), seed)
    shifts[:, 0] = -0.5
    z, values = np.where(np.arange(p.chains) > 0, shifts[0], 0.0), []
    for b in shifts:
        values.append(ops.activation_forward(z, "sigmoid"))
        z = values[-1] + b
    dz = np.ones(p.chains)
    for y in reversed(values):
        dz = ops.activation_backward(dz, y, "sigmoid")
    return dz[0], dz[1:].max()


def products(p: Params, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Log length, area and volume after each factor, shape (factors, runs, 3), and the product's log norm."""
    runs = p.products
    factors = ol.random.normal((runs, p.factors * SIDE * SIDE), seed).reshape(runs, p.factors, SIDE, SIDE)
    frame = np.tile(np.eye(SIDE), (runs, 1, 1))  # its columns are orthonormal directions
    product, volumes, norms = frame, [np.zeros((runs, SIDE))], [np.full(runs, math.log(SIDE) / 2)]
    for a in factors.swapaxes(0, 1):
        product, frame = np.einsum("rij,rjk->rik", a, product), np.einsum("rij,rjk->rik", a, frame)
        stretch = np.empty((runs, SIDE))
        for i in range(SIDE):
            for j in range(i):
                frame[..., i] -= np.sum(frame[..., i] * frame[..., j], axis=1)[:, None] * frame[..., j]
            stretch[:, i] = np.sqrt(np.sum(frame[..., i] ** 2, axis=1))
            frame[..., i] /= stretch[:, i, None]
        volumes.append(volumes[-1] + np.cumsum(np.log(stretch), axis=1))
        norms.append(np.log(np.sum(product**2, axis=(1, 2))) / 2)
    return np.array(volumes), np.array(norms)


def compute(p: Params, seed: int, progress: Progress) -> dict[str, np.ndarray]:
    """Gradients through networks, through chains of sigmoids, and products of matrices."""
    found = []
    for k, name in enumerate(NETS):
        progress(k / 4, name)
        found.append([network(p, derive_seed(seed, "network", name), name, net) for net in range(p.nets)])
    progress(0.75, "products")
    volumes, norms = products(p, derive_seed(seed, "products"))
    return {
        "gradients": np.array(found),
        "laws": np.array([mean_field(p, name) for name in NETS]),
        "chains": chains(p, derive_seed(seed, "chains")),
        "volumes": volumes[:, :20],
        "growth": volumes[-1] / p.factors,
        "volume_means": volumes.mean(axis=1),
        "norms": norms[p.factors // 2 :].T.astype(np.float32),
    }


def network_claims(data: Data, p: Params) -> list[Claim]:
    """Sigmoids lose at least ¾ a layer; the rates are those of mean field."""
    best, others = data["chains"]
    steepest = f"{CHAIN} sigmoids in a chain, each at its steepest, pass on 0.25^{CHAIN} = {0.25**CHAIN:.1e}."
    never = f"No chain of {CHAIN} sigmoids passes on more: the largest of {p.chains - 1}, by 0.25^{CHAIN}."
    found = [
        exact("steepest", steepest, best, 0.25**CHAIN, 4 * CHAIN * EPS * 0.25**CHAIN),
        bounded("never_more", never, others / 0.25**CHAIN, (0.0, 1.0)),
    ]
    for name, rows, law in zip(NETS, data["gradients"], data["laws"], strict=True):
        rates, rate = rows[:, -1] / (p.depth - 1), law[-1] / (p.depth - 1)
        said = (
            f"{name}: a layer changes gradients by a factor {math.exp(rate):.3f}, as mean field has it; the mean log."
        )
        # At width n the logarithm of a layer's factor has a mean lower by 1/(2n) to 5/(4n), at most 0.01 here.
        found.append(mean(f"rate_{name}", said, rates, rate, (rate - 0.04, rate + 0.04)))
    return found


def product_claims(data: Data, p: Params) -> list[Claim]:
    """The three exponents, and the norm of the product itself."""
    found, sums = [], np.cumsum(LYAPUNOV)
    for name, samples, law, room in zip(("length", "area", "volume"), data["growth"].T, sums, ROOMS, strict=True):
        said = (
            f"Products of {p.factors} Gaussian {SIDE}x{SIDE} matrices: a factor changes {name} by e^{law:.3f}; the log."
        )
        found.append(mean(name, said, samples, law, (law - room, law + room)))
    half = p.factors // 2  # by then the largest singular value has parted from the others
    said = f"The norm of the product grows by e^{sums[0]:.3f} a factor, from {half} factors to {p.factors}; the slope."
    room = (sums[0] - ROOMS[0], sums[0] + ROOMS[0])
    return [*found, slope("norm", said, np.arange(half, p.factors + 1), data["norms"], sums[0], room)]


def claims(data: Data, p: Params) -> list[Claim]:
    """Networks, then products."""
    return [*network_claims(data, p), *product_claims(data, p)]


def draw_networks(ax: Axes, data: Data, p: Params) -> None:
    """The size of the gradient against the number of layers that it came back."""
    back = np.arange(p.depth)
    for name, rows, law, (x, y) in zip(NETS, data["gradients"], data["laws"], PLACES, strict=True):
        (dots,) = ax.plot(back, np.exp(rows.mean(axis=0)), "o", markersize=8)
        ax.plot(back, np.exp(rows[:10].T), color=dots.get_color(), linewidth=0.7, alpha=0.5)
        line = plotting.theory_line(ax, back, np.exp(law), "theory: mean field")
        ax.text(x, y, {"relu": "ReLU, He"}.get(name, f"{name}, Xavier"), color=dots.get_color(), fontsize=17)
    (mark,) = ax.plot(
        CHAIN, 0.25**CHAIN, "*", color=plotting.BLACK, markersize=18, label="0.25¹⁰, the most of 10 sigmoids"
    )
    ax.legend(handles=[line, mark], loc="lower left")
    ax.set(yscale="log", xlabel="layers back from the last", ylabel="size of the gradient, 1 at the last layer")
    ax.set(ylim=(1e-20, 1e2), title="A sigmoid passes on a quarter at most")


def draw_products(ax: Axes, data: Data, p: Params) -> None:
    """Length and volume against the number of factors."""
    k = np.arange(p.factors + 1)
    for i, name, color in ((0, "length", plotting.PURPLE), (2, "volume", plotting.SKY)):
        rate = float(np.sum(LYAPUNOV[: i + 1]))
        ax.plot(k, np.exp(data["volumes"][..., i]), color=color, linewidth=0.7, alpha=0.5)
        ax.plot(k, np.exp(data["volume_means"][:, i]), "o", color=color, markersize=8)
        line = plotting.theory_line(ax, k, np.exp(rate * k), "theory: Lyapunov exponents")
        text = f"{name}\n{rate:+.3f}\na factor".replace("-", "−")
        ax.text(p.factors + 0.5, math.exp(rate * p.factors), text, color=color, va="center")
    ax.legend(handles=[line], loc="upper left")
    ax.set(
        yscale="log", xlabel=f"factors, Gaussian {SIDE}x{SIDE} matrices", ylabel="length of a vector, volume of three"
    )
    ax.set(xlim=(0, p.factors + 5), ylim=(1e-5, 1e7), title="A product explodes, and collapses")


def plot(data: Data, p: Params) -> Figure:
    """Networks at the left, products of matrices at the right."""
    sheet, (left, right) = plotting.figure(1, 2)
    draw_networks(left, data, p)
    draw_products(right, data, p)
    return sheet


experiment = Experiment(
    title="Sigmoids lose three quarters of a gradient a layer; a product of matrices grows by its Lyapunov exponent",
    source="Additional Techniques; Training DNNs; Important Techniques; the notebook: vanishing gradients",
    question="How do gradients shrink or grow from layer to layer, and products of matrices from factor to factor?",
    params={"width": 128, "depth": 30, "nets": 100, "chains": 100_000, "factors": 21, "products": 8000},
    quick={"nets": 40, "chains": 10_000, "products": 5000},
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
