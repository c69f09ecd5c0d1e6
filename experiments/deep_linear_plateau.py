"""Depth turns the saddle at the origin into a plateau: deep linear networks (lecture I; Kawaguchi 2016).

f(W₁ … W_H) = ½ |W_H ⋯ W₁ − M|² is a network without activations, fitted to a matrix M of singular values s₁ > s₂ > …

* Every local minimum is global, whatever the depth; with a hidden layer of r units the least value is
  ½ Σ_{i>r} sᵢ² (Eckart and Young).
* At the origin the first term that is not 0 is of order H. For H = 2 that is a Hessian with eigenvalues ±sᵢ: a strict
  saddle. For H ≥ 3 the Hessian vanishes there.
* The same holds on the way. Gradient descent from small weights learns one singular value after the other and comes
  close to the saddles whose product is the first r of them. There the least eigenvalue is −s_{r+1} for H = 2, and 0 for
  H ≥ 3. Who has learnt sⱼ before the larger sᵢ does find a falling direction: sⱼ^{(H−2)/H} (sⱼ − sᵢ) < 0.
* From balanced scalars w = ε, flow takes t = ∫ dw / (η w^{H−1} (s − w^H)) steps. So a plateau grows as log 1/ε for
  H = 2 and as ε^{−(H−2)} for H ≥ 3. From weights ε z with random z it does, too: near 0 the flow of a term of order H
  has the same path at every scale, at a speed ∝ ε^{H−2}. Twice as small, what the plateau adds grows by 2^{H−2}.

Ours are nn.MLP with the identity as activation on the unit vectors as samples; its mean of squares over samples and
outputs is 2 f / d², which the step size makes good. Larger weights have no plateau: it is the small start that is slow,
and usual initializations avoid it. Steps are too long where deep weights are large, so starts here are small.
"""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.integrate import quad

import optlab as ol
from optlab import plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, bounded, exact, fraction, median
from optlab.nn import MLP, NetworkLandscape
from optlab.random import derive_seed, normal

DEPTHS = (2, 3, 4)
SCALAR_STARTS = {2: (0.2, 0.1, 0.05, 0.02), 3: (0.2, 0.1, 0.05, 0.02), 4: (0.2, 0.1, 0.05, 0.02), 5: (0.2, 0.1, 0.05)}
TINY = (1e-3, 1e-4, 1e-5, 1e-6)
"""Starts of two layers, whose plateau grows with the logarithm alone."""

SCALAR_RATE, RATE = 0.02, 0.05
MOST = 300_000
RECORDS, STAIR_STEPS = 400, 100_000


def network(depth: int, s: tuple[float, ...], hidden: int = 0) -> NetworkLandscape:
    """The landscape, 2 f / d², for M = diag(s)."""
    d = len(s)
    widths = [d, *[hidden or d] * (depth - 1), d]
    mlp = MLP(widths, "identity", bias=False, init="zeros", dtype="float64")
    return mlp.on(np.eye(d), np.diag(s), "mse")


def unit(f: NetworkLandscape) -> float:
    """What makes f of its value."""
    return f.X.shape[1] ** 2 / 2


def sgd(f: NetworkLandscape, rate: float) -> ol.SGD:
    """Gradient descent on f itself."""
    return ol.SGD(lr=rate * unit(f))


def start(f: NetworkLandscape, runs: int, seed: int) -> np.ndarray:
    """Normal weights of variance 1 / inputs."""
    z = normal((runs, f.dim), seed)
    for layer in f.layout:
        z[:, layer.offset : layer.offset + layer.size] /= math.sqrt(layer.fan_in)
    return z


def time_to(f: NetworkLandscape, rate: float, x0: np.ndarray, level: float, most: int) -> np.ndarray:
    """When each run's f is first below a level; NaN for never."""
    path = ol.descend(f, sgd(f, rate), x0, most, stop=ol.stop.value(level / unit(f)), record=[])
    return np.where(path.stop_reason == "value", path.stop_step, np.nan)


def flow_time(depth: int, e: float) -> float:
    """Of a scalar network from weights e to half of s = 1, in steps."""
    end = 0.5 ** (1 / depth)
    return (
        float(
            quad(lambda u: 1 / (math.exp(u * (depth - 2)) * (1 - math.exp(u * depth))), math.log(e), math.log(end))[0]
        )
        / SCALAR_RATE
    )


def scalar_times(depth: int) -> np.ndarray:
    """From all starts at once."""
    f = network(depth, (1.0,))
    return time_to(f, SCALAR_RATE, np.outer(SCALAR_STARTS[depth], np.ones(depth)), 0.125, MOST)


def saddle(f: NetworkLandscape, kept: np.ndarray, depth: int) -> np.ndarray:
    """Balanced diagonal layers whose product is diag(kept)."""
    return np.tile(np.diag(kept ** (1 / depth)).ravel(), depth)


def least(f: NetworkLandscape, x: np.ndarray) -> float:
    """The least eigenvalue of f's Hessian."""
    return float(np.linalg.eigvalsh(f.hessian(x) * unit(f))[0])


def saddles(p: Params) -> dict[str, np.ndarray]:
    """Least eigenvalues where the first r are learnt, and where the second is and not the first; the order at 0."""
    s, path, skipped, origin = np.array(p.singular), [], [], []
    for depth in DEPTHS:
        f = network(depth, p.singular)
        path.append([least(f, saddle(f, s * (np.arange(len(s)) < r), depth)) for r in range(len(s))])
        skipped.append(least(f, saddle(f, s * (np.arange(len(s)) == 1), depth)))
        origin.append(np.abs(f.hessian(np.zeros(f.dim))).max() * unit(f))
    return {"path": np.array(path), "skipped": np.array(skipped), "origin": np.array(origin)}


def orders(p: Params, seed: int) -> np.ndarray:
    """The power of the distance with which f changes beside the origin, in random directions (depths, directions)."""
    found = []
    for depth in DEPTHS:
        f = network(depth, p.singular)
        z = start(f, 20, seed)
        change = [np.abs(f.value(e * z) - f.value(np.zeros(f.dim))) for e in (4e-3, 2e-3)]
        found.append(np.log2(change[0] / change[1]))
    return np.array(found)


def plateaus(p: Params, depth: int, seed: int) -> np.ndarray:
    """Times until half of the first singular value is learnt, (starts, runs), from the same directions."""
    f, s = network(depth, p.singular), np.array(p.singular)
    level, z = 0.5 * (s @ s) - 0.375 * s[0] ** 2, start(f, p.runs, seed)
    return np.array([time_to(f, RATE, e * z, level, MOST) for e in (TINY if depth == 2 else p.starts)])


def ends(p: Params, depth: int, hidden: int, seed: int) -> tuple[np.ndarray, float]:
    """What is left of f where runs from usual weights come to rest, and the least eigenvalue at some of them."""
    f = network(depth, p.singular, hidden)
    x0 = p.usual * start(f, p.many, seed)
    path = ol.descend(f, sgd(f, RATE), x0, 30_000, stop=ol.stop.grad_norm(1e-9), record=[])
    best = 0.5 * np.sum(np.square(p.singular[hidden:]))
    return f.value(path.last) * unit(f) - best, min(least(f, x) for x in path.last[:10])


def stairs(p: Params, seed: int) -> np.ndarray:
    """The losses f of one run for each depth from 1, at steps spaced by logarithm."""
    found = []
    for depth in (1, *DEPTHS):
        f = network(depth, p.singular)
        path = ol.descend(f, sgd(f, RATE), p.shown * start(f, 1, seed), STAIR_STEPS, record=ol.log_spaced(RECORDS))
        found.append(path.value[:, 0] * unit(f))
    return np.array(found)


def compute(p: Params, seed: int, progress: Progress) -> dict[str, np.ndarray]:
    """Saddles, times, ends."""
    with ol.threads(1):  # a step is too short to share
        found = saddles(p) | {"orders": orders(p, derive_seed(seed, "orders"))}
        found["stairs"] = stairs(p, derive_seed(seed, "one"))
        for depth in SCALAR_STARTS:
            found[f"scalar_{depth}"] = scalar_times(depth)
        for k, depth in enumerate(DEPTHS):
            progress(0.2 + 0.2 * k, f"{depth} layers")
            found[f"times_{depth}"] = plateaus(p, depth, derive_seed(seed, "start", depth))
        progress(0.8, "ends")
        pairs = [(depth, hidden) for depth in DEPTHS for hidden in (2, 3)]
        rest = [ends(p, *pair, derive_seed(seed, "end", *pair)) for pair in pairs]
    return found | {"ends": np.array([left for left, _ in rest]), "curved": np.array([low for _, low in rest])}


def claims(data: Data, p: Params) -> list[Claim]:
    """Saddles, plateaus, minima."""
    return [*saddle_claims(data, p), *time_claims(data, p), *end_claims(data)]


def saddle_claims(data: Data, p: Params) -> list[Claim]:
    """Eigenvalues against their formulas, to rounding."""
    s, rounding = np.array(p.singular), 1e-12
    skipped = [s[1] ** ((depth - 2) / depth) * (s[1] - s[0]) for depth in DEPTHS[1:]]
    said = {
        "strict": "Two layers: the least eigenvalue where r values are learnt is -s_{r+1}: the largest error.",
        "origin": "Three layers and four: the Hessian at the origin vanishes: its largest entry.",
        "flat": "They have no falling direction at any saddle that gradient descent passes: the least eigenvalue.",
        "skipped": "Where a larger value was skipped, they have: the largest error of the predicted eigenvalue.",
        "order": "Beside the origin f changes with the power H of the distance: the largest error of the power.",
    }
    powers = np.abs(data["orders"] - np.array(DEPTHS)[:, None]).max()
    return [
        exact("strict", said["strict"], np.abs(data["path"][0] + s).max(), 0, rounding),
        exact("origin", said["origin"], data["origin"][1:].max(), 0),
        exact("flat", said["flat"], data["path"][1:].min(), 0, rounding),
        exact("skipped", said["skipped"], np.abs(data["skipped"][1:] - skipped).max(), 0, rounding),
        exact("order", said["order"], powers, 0, 0.02),
    ]


def time_claims(data: Data, p: Params) -> list[Claim]:
    """How plateaus grow as the start shrinks."""
    found = []
    for depth, starts in SCALAR_STARTS.items():
        ratio = data[f"scalar_{depth}"] / [flow_time(depth, e) for e in starts]
        # A step is a finite one of the flow: the two differ by the order of the step size.
        said = f"{depth} scalar layers leave the plateau when the flow does: the ratio of times farthest from 1."
        found.append(bounded(f"scalar_{depth}", said, ratio[np.argmax(np.abs(ratio - 1))], (0.96, 1.04), 1.0))
    for depth in DEPTHS:
        times = data[f"times_{depth}"]
        if depth == 2:
            rates = (times[-1] - times[0]) * math.log1p(RATE * p.singular[0]) / math.log(TINY[0] / TINY[-1])
            said = "Two layers, random starts: the plateau grows by 1/log(1 + η s) a factor e; the median ratio to it."
            found.append(median("random_2", said, rates, 1.0, (0.95, 1.05)))
            continue
        power = np.log2((times[2] - times[1]) / (times[1] - times[0]))
        said = f"{depth} layers, random starts: half the start adds 2^{depth - 2} times the steps; the median power."
        found.append(median(f"random_{depth}", said, power, depth - 2.0, (depth - 2.05, depth - 1.95)))
    return found


def end_claims(data: Data) -> list[Claim]:
    """Where runs come to rest."""
    left = data["ends"]
    done = int(np.sum(np.abs(left) < 1e-8))
    said = "Runs from usual weights end at the global minimum, with and without a narrow layer: the share."
    low = "Where they end no direction falls: the least eigenvalue."
    return [
        fraction("global", said, done, left.size, 1.0, (0.98, 1.0)),
        bounded("minima", low, data["curved"].min(), (-1e-6, None), 0.0),
    ]


def draw_stairs(ax: Axes, data: Data, p: Params) -> None:
    """One run for each depth, with the values of the saddles."""
    steps = np.array(ol.log_spaced(RECORDS).steps(0, STAIR_STEPS))
    for r in range(len(p.singular)):
        plotting.theory_line(ax, steps[[1, -1]], [np.square(p.singular[r:]).sum() / 2] * 2)
    ax.text(1.3, np.square(p.singular[1:]).sum() / 2 + 0.01, "saddles")
    places = ((1.5, 0.2), (8, 0.55), (120, 0.2), (2300, 0.55))
    for depth, values, color, place in zip((1, *DEPTHS), data["stairs"], plotting.COLORS, places, strict=False):
        ax.plot(steps[1:], values[1:], color=color)
        ax.text(*place, f"H = {depth}", color=color)
    ax.set(xscale="log", xlim=(1, STAIR_STEPS), ylim=(0, None), xlabel="step of gradient descent", ylabel="loss")
    ax.set_title("Each of H layers lengthens the wait")


def draw_scalar(ax: Axes, data: Data) -> None:
    """Times of scalar networks with the flow's."""
    for (depth, starts), color in zip(SCALAR_STARTS.items(), plotting.COLORS[1:], strict=False):
        x = 1 / np.array(starts)
        ax.plot(x, data[f"scalar_{depth}"], "o", color=color, markersize=10)
        line = plotting.theory_line(ax, x, [flow_time(depth, e) for e in starts], "theory: flow")
        ax.text(1.08 * x[-1], data[f"scalar_{depth}"][-1], f"H = {depth}", color=color, va="center")
    start_axis(ax, (5, 10, 20, 50), (4.3, 85), "One number a layer")
    ax.set_ylim(30, 6e5)
    ax.legend(handles=[line], loc="upper left")


def draw_random(ax: Axes, data: Data, p: Params) -> None:
    """Times of matrix networks from random starts with the power law."""
    x = 1 / np.array(p.starts)
    for depth, color in zip(DEPTHS[1:], plotting.COLORS[2:], strict=False):
        times = data[f"times_{depth}"]
        ax.plot(x, times[:, :40], "o", color=color, alpha=0.3, markersize=6)
        middle = np.median(times, axis=1)
        line = plotting.theory_line(ax, x, middle[-1] * (x / x[-1]) ** (depth - 2), "theory: slope H − 2")
        ax.text(1.1 * x[-1], middle[-1], f"H = {depth}", color=color, va="center")
    start_axis(
        ax,
        tuple(round(each) for each in x),
        (x[0] / 1.2, 1.8 * x[-1]),
        f"Matrices {len(p.singular)} × {len(p.singular)}, random starts",
    )
    ax.legend(handles=[line], loc="upper left")


def start_axis(ax: Axes, ticks: tuple[int, ...], ends: tuple[float, float], title: str) -> None:
    """Both logarithmic."""
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="1/ε, smallness of the start",
        ylabel="steps to leave",
        xlim=ends,
        title=title,
    )
    ax.set_xticks(ticks, [str(tick) for tick in ticks])
    ax.tick_params(axis="x", which="minor", bottom=False, labelbottom=False)


def plot(data: Data, p: Params) -> Figure:
    """Stairs at the left, times at the right."""
    sheet, ((left, above), (spare, below)) = plotting.figure(2, 2)
    left.set_subplotspec(left.get_gridspec()[:, 0])
    spare.remove()
    draw_stairs(left, data, p)
    draw_scalar(above, data)
    draw_random(below, data, p)
    return sheet


experiment = Experiment(
    title="Three linear layers have no bad minima, but a plateau where two have a saddle",
    source="Important Techniques in Neural Network Training: deep linear networks; Kawaguchi 2016",
    question="What does depth alone do to a loss: which saddles are strict, and how long does it take to leave?",
    params={
        "singular": (1.0, 0.7, 0.4),
        "runs": 200,
        "many": 500,
        "starts": (0.1, 0.05, 0.025),
        "usual": 0.7,
        "shown": 0.1,
    },
    quick={"runs": 60, "many": 200, "starts": (0.2, 0.1, 0.05)},
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
