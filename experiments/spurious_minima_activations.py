"""Bad local minima for every activation, on three samples (lecture I; Yun, Sra and Jadbabaie 2019).

The network u₁ h(w₁·x) + u₂ h(w₂·x) fits y = 0, 0, 1 at x = (1, 0), (0, 1), (½, ½): the mean of squares f can be 0. Take
w₁ = (v₁, v₁), w₂ = (v₂, v₂) and u₁ h(v₁) + u₂ h(v₂) = ⅓. Then every output is ⅓, as that of the best linear map, and
f = 2/9. With the residuals r = ⅓, ⅓, −⅔ both Σ r and Σ r x vanish, and so does the gradient, for any h.

With aⱼ = uⱼ h′(vⱼ) the Hessian has the eigenvalue 2 (h(v₁)² + h(v₂)² + (a₁² + a₂²)/2), on which all outputs move alike,
three of 0, along which they keep theirs, and those of ⅔ (a aᵀ + diag(uⱼ h″(vⱼ))/3) where the two weights of a unit move
apart. If the last are positive the point is a local minimum (their theorem; the flat directions keep f to all orders).
For relu and its like h″ = 0, one of them is 0 as well: there the network is a linear one in all of a neighbourhood, and
no linear one has less than 2/9. With the sign of u₁ turned the same point is a saddle for smooth h: the control.

`adversaries` are runs of gradient descent that start beside the point: if it is a minimum none gets below 2/9.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import optlab as ol
from optlab import plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, bounded, exact, fraction
from optlab.nn import MLP, NetworkLandscape
from optlab.random import derive_seed, normal

X, Y = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]]), np.array([[0.0], [0.0], [1.0]])
LEVEL = 2 / 9


class Point(NamedTuple):
    """v, with h, h′, h″ there, of both units, and u₁."""

    v: np.ndarray
    h: np.ndarray
    slope: np.ndarray
    bend: np.ndarray
    u1: float

    def u(self) -> np.ndarray:
        """Both outgoing weights."""
        return np.array([self.u1, (1 / 3 - self.u1 * self.h[0]) / self.h[1]])

    def weights(self) -> np.ndarray:
        """As the network has them."""
        return np.concatenate([np.repeat(self.v, 2), self.u()])

    def spectrum(self) -> np.ndarray:
        """The Hessian's eigenvalues."""
        a = self.u() * self.slope
        apart = np.linalg.eigvalsh(2 / 3 * (np.outer(a, a) + np.diag(self.u() * self.bend) / 3))
        return np.sort([0, 0, 0, *apart, 2 * (np.square(self.h).sum() + a @ a / 2)])


def sigmoid_point(v: np.ndarray, u1: float) -> Point:
    """h′ = h (1 − h), h″ = h′ (1 − 2h)."""
    h = 1 / (1 + np.exp(-v))
    return Point(v, h, h * (1 - h), h * (1 - h) * (1 - 2 * h), u1)


def tanh_point(v: np.ndarray, u1: float) -> Point:
    """h′ = 1 − h², h″ = −2 h h′."""
    h = np.tanh(v)
    return Point(v, h, 1 - h**2, -2 * h * (1 - h**2), u1)


def elu_point(v: np.ndarray, u1: float) -> Point:
    """eᵛ − 1 below 0, v above."""
    power = np.exp(np.minimum(v, 0))
    return Point(v, np.where(v < 0, power - 1, v), power, np.where(v < 0, power, 0), u1)


def smooth(sign: float) -> dict[str, Point]:
    """With u₁ times the sign."""
    return {
        "sigmoid": sigmoid_point(np.array([-1.0, -0.5]), 0.4 * sign),
        "tanh": tanh_point(np.array([-1.0, 0.1]), 0.5 * sign),
        "elu": elu_point(np.array([-1.0, 1.0]), sign),
    }


LINEAR = Point(np.ones(2), np.ones(2), np.ones(2), np.zeros(2), 1 / 6)
MINIMA = smooth(1.0) | {"relu": LINEAR, "leaky_relu": LINEAR}
SADDLES = smooth(-1.0)


def network(activation: str) -> NetworkLandscape:
    """On the three samples."""
    return MLP([2, 2, 1], activation, bias=False, init="zeros", dtype="float64").on(X, Y, "mse")


def around(x: np.ndarray, radius: float, runs: int, seed: int) -> np.ndarray:
    """Points at a distance from x, in random directions."""
    z = normal((runs, x.size), seed)
    return np.asarray(x + radius * z / np.linalg.norm(z, axis=1, keepdims=True))


def adversaries(f: NetworkLandscape, point: Point, start: np.ndarray, steps: int) -> np.ndarray:
    """The losses to which gradient descent gets, with a step of half what the point allows."""
    rate = 1 / np.abs(point.spectrum()).max()
    return np.asarray(f.value(ol.descend(f, ol.SGD(lr=rate), start, steps, record=[]).last))


def nearby(p: Params, activation: str, point: Point, seed: int) -> np.ndarray:
    """The least loss less 2/9, at random points and after descents, for each radius (radii, 2)."""
    f, found = network(activation), []
    for radius in p.radii:
        tried = around(point.weights(), radius, p.tried, derive_seed(seed, "beside", activation, radius))
        fallen = adversaries(f, point, tried[: p.runs], p.steps)
        found.append([f.value(tried).min(), fallen.min()])
    return np.array(found) - LEVEL


def study(p: Params, activation: str, point: Point, seed: int) -> dict[str, np.ndarray]:
    """Of one minimum: derivatives, neighbours, and where runs from usual starts end."""
    f, x = network(activation), point.weights()
    start = 2 * normal((p.runs, f.dim), derive_seed(seed, "elsewhere", activation))
    last = ol.descend(f, ol.Adam(lr=0.01), start, p.long, record=[]).last
    losses = f.value(last)
    fits = last[losses <= max(1e-9, losses.min())]
    goal = fits[np.argmin(np.linalg.norm(fits - x, axis=1))]
    way = np.linspace(0, 1, 201)[:, None]
    found = {
        "value": np.array(f.value(x) - LEVEL),
        "grad": f.grad(x),
        "spectrum": np.linalg.eigvalsh(f.hessian(x)),
        "nearby": nearby(p, activation, point, seed),
        "losses": losses,
        "way": f.value(x + way * (goal - x)),
    }
    return {f"{name}_{activation}": array for name, array in found.items()}


def compute(p: Params, seed: int, progress: Progress) -> dict[str, np.ndarray]:
    """Every activation, and the controls."""
    found: dict[str, np.ndarray] = {}
    for index, (activation, point) in enumerate(MINIMA.items()):
        progress(index / len(MINIMA), activation)
        found |= study(p, activation, point, seed)
    for activation, point in SADDLES.items():
        start = around(point.weights(), p.radii[0], p.runs, derive_seed(seed, "saddle", activation))
        found[f"saddle_{activation}"] = adversaries(network(activation), point, start, p.long)
    return found


def claims(data: Data, p: Params) -> list[Claim]:
    """For each activation, and of the control."""
    found = []
    for activation, point in MINIMA.items():
        found += minimum_claims(data, activation, point)
    left = np.concatenate([data[f"saddle_{activation}"] for activation in SADDLES])
    said = "With the sign of u₁ turned the point is a saddle: the share of runs beside it that fall below 2/9."
    return [*found, fraction("control", said, int(np.sum(left < LEVEL - 1e-3)), left.size, 1.0, (0.98, 1.0))]


def minimum_claims(data: Data, activation: str, point: Point) -> list[Claim]:
    """Stationary, without falling directions, with nothing lower nearby, and lower loss elsewhere."""
    # Numbers up to the largest curvature, a dozen roundings each; in eigenvalues, of a matrix of this size.
    rounding = 20 * np.finfo(float).eps * max(1.0, point.spectrum()[-1])
    still = max(np.abs(data[f"grad_{activation}"]).max(), abs(float(data[f"value_{activation}"])))
    spectrum = data[f"spectrum_{activation}"]
    error = np.abs(spectrum - point.spectrum()).max()
    return [
        exact(f"still_{activation}", f"{activation}: the loss is 2/9, the gradient 0: the error.", still, 0, rounding),
        exact(
            f"spectrum_{activation}", f"{activation}: the Hessian's eigenvalues are as predicted.", error, 0, rounding
        ),
        bounded(
            f"least_{activation}", f"{activation}: no eigenvalue is negative.", spectrum[0], (-rounding, None), 0.0
        ),
        bounded(
            f"nearby_{activation}",
            f"{activation}: neither random points beside it nor descents from them get below 2/9: by how much.",
            data[f"nearby_{activation}"].min(),
            (-rounding, None),
            0.0,
        ),
        bounded(
            f"elsewhere_{activation}",
            f"{activation}: elsewhere the network fits exactly: the least loss of random starts.",
            data[f"losses_{activation}"].min(),
            (None, 1e-9),
            0.0,
        ),
    ]


def draw_ways(ax: Axes, data: Data) -> None:
    """Losses on the straight way from the bad minimum to an exact fit."""
    for activation in MINIMA:
        values = data[f"way_{activation}"]
        ax.plot(np.linspace(0, 1, values.size), values, label=activation.replace("_", " "))
    plotting.theory_line(ax, [0, 1], [LEVEL, LEVEL], "2/9: best linear map")
    ax.set(
        title="Beside it the loss rises, far away it is 0",
        xlabel="from the bad minimum to the nearest exact fit",
        ylabel="loss",
    )
    ax.set(yscale="log", ylim=(0.01, 100))
    ax.legend(loc="upper right")


def draw_ends(ax: Axes, data: Data) -> None:
    """Shares of random starts that end at 0, at 2/9 and elsewhere."""
    kinds = {"0": plotting.BLUE, "2/9": plotting.VERMILLION, "other": plotting.ORANGE}
    losses = [data[f"losses_{activation}"] for activation in MINIMA]
    shares = np.array([[np.mean(each < 1e-4), np.mean(np.abs(each - LEVEL) < 1e-3)] for each in losses])
    shares = np.column_stack([shares, 1 - shares.sum(axis=1)])
    below = np.zeros(len(losses))
    for share, (kind, color) in zip(shares.T, kinds.items(), strict=True):
        ax.bar(range(len(losses)), share, bottom=below, color=color, label=kind, width=0.7)
        below = below + share
    ax.set_xticks(range(len(losses)), [name.replace("_", "\n") for name in MINIMA])
    ax.set(title="Random starts end at 2/9, too", ylabel="share of runs, by the loss at the end", ylim=(0, 1.25))
    ax.set_yticks([0, 0.25, 0.5, 0.75, 1])
    ax.legend(loc="upper center", ncols=3)


def plot(data: Data, p: Params) -> Figure:
    """Ways at the left, ends at the right."""
    sheet, (left, right) = plotting.figure(1, 2)
    draw_ways(left, data)
    draw_ends(right, data)
    return sheet


experiment = Experiment(
    title="Three samples and two units are enough for a bad local minimum, whatever the activation",
    source="Important Techniques in Neural Network Training: spurious minima; Yun, Sra and Jadbabaie 2019",
    question="Do networks with other activations than ReLU have bad local minima?",
    params={"radii": (1e-2, 1e-3, 1e-4), "tried": 100_000, "runs": 5000, "steps": 3000, "long": 5000},
    quick={"tried": 5000, "runs": 400, "steps": 1500, "long": 3000},
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
