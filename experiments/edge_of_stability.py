"""Full-batch gradient descent drives the sharpness, the Hessian's largest eigenvalue S, to 2/η and keeps it there.

A small network with tanh learns random labels by least squares, on all samples at every step. Along the flow, at steps
so small that they follow its path, S rises without being asked (progressive sharpening). At a fixed step η the same
path is followed until S reaches 2/η, beyond which a step along the sharpest direction overshoots by more than it
corrects. Then training does not diverge: the loss rises every few steps and still falls in the long run, while S stays
at 2/η. With momentum β the quadratic's threshold is (2 + 2β)/η, and S goes there (Cohen et al. 2021).

The construction is theirs for random labels, smaller: 50 samples, three hidden layers of 16 units, PyTorch's start, and
the mean squared error over samples and outputs, which is their loss times 2 over the number of outputs. Each seed has
data and a start of its own; the steps are the same for all of them. Two limits, which are no claims. In networks much
smaller than these the first overshoot at a large step may throw the run into a place so flat that S never comes back
to 2/η. With β = 0.9 and the same thresholds runs move ten times as fast, and arrive or diverge before S has risen: only
β = 0.5 is shown. Noise from batches would hold S below 2/η as well.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

import optlab as ol
from optlab import plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, exact, mean
from optlab.nn import MLP, NetworkLandscape
from optlab.random import derive_seed, integers, normal

SAMPLES, INPUTS, OUTPUTS = 50, 8, 4
MOMENTUM = 0.5
SIDES = np.linspace(-1, 1, 41)
COLORS = (plotting.BLUE, plotting.GREEN, plotting.PURPLE)


def landscape(p: Params, seed: int) -> tuple[NetworkLandscape, np.ndarray]:
    """The loss on random labels, and where training starts."""
    mlp = MLP([INPUTS, *[p.width] * 3, OUTPUTS], "tanh", init="torch_default", dtype="float64")
    X = normal((SAMPLES, INPUTS), derive_seed(seed, "inputs"))
    labels = integers(SAMPLES, OUTPUTS, derive_seed(seed, "labels"))
    return mlp.on(X, np.eye(OUTPUTS)[labels], "mse"), mlp.init(derive_seed(seed, "start"))


def settings(p: Params) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Steps η, momenta and ceilings (2 + 2β)/η of all runs: those without momentum first."""
    lr = 2 / np.array([*p.edges, *p.lifted], float)
    momentum = np.array([0.0] * len(p.edges) + [MOMENTUM] * len(p.lifted))
    return lr, momentum, (2 + 2 * momentum) / lr


def sharpness(f: NetworkLandscape, x: np.ndarray) -> np.ndarray:
    """The largest eigenvalue of the Hessian, within 1e-3."""
    return ol.curvature.sharpness(f, np.ascontiguousarray(x), tol=1e-3).value


def train(p: Params, seed: int) -> dict[str, np.ndarray]:
    """All runs of one seed, (records, runs), and the flow, (records,)."""
    f, start = landscape(p, seed)
    lr, momentum, ceiling = settings(p)
    x0 = np.tile(start, (len(lr), 1))
    path = ol.descend(f, ol.SGD(lr=lr, momentum=momentum), x0, p.steps, record=1)
    flow = ol.descend(f, ol.SGD(lr=2 / p.flow_edge), start, p.flow_steps, record=1)
    sharp = sharpness(f, path.x[:: p.every])
    calm = p.every * (np.maximum(first(sharp > ceiling), 1) - 1)  # the last step that was seen below the ceiling
    up, after = np.diff(path.value, axis=0) > 0, np.arange(p.steps)[:, None] >= calm
    return {
        "sharp": sharp.T,
        "flow": sharpness(f, flow.x[:: p.flow_steps // p.flow_points])[:, 0],
        "crossed": (sharp > ceiling).any(axis=0),
        "rises_before": np.sum(up & ~after, axis=0),
        "rises_after": np.sum(up & after, axis=0) / np.maximum(after.sum(axis=0), 1),
        "rises_flow": np.sum(np.diff(flow.value[:, 0]) > 0),
        "loss": np.log10([np.take_along_axis(path.value, calm[None], 0)[0], path.value[-1]]),
        "curves": path.value.T.astype(np.float32),
    }


def first(reached: np.ndarray) -> np.ndarray:
    """The first record that is True, or their number."""
    return np.where(reached.any(axis=0), reached.argmax(axis=0), len(reached))


def frames(p: Params, edge: int) -> np.ndarray:
    """The steps that are shown: a third of the frames on the way to the edge, then every third step, side by side."""
    before = p.frames // 3
    after = edge + 3 * np.arange(p.frames - before)
    steps = np.append(np.linspace(0, edge, before, endpoint=False).astype(int), after)
    return np.minimum(steps, p.steps)


def valleys(p: Params, seed: int, edge: int) -> dict[str, np.ndarray]:
    """The loss along the sharpest direction, above its floor, and two successive steps; S reaches 2/η at edge."""
    f, start = landscape(p, seed)
    lr = 2 / p.edges[0]
    xs = ol.descend(f, ol.SGD(lr=lr), start, p.steps, record=1).x[:, 0]
    found, places, last = [], [], None
    for k in frames(p, edge):
        top = ol.curvature.eigenvalues(f, xs[k], 1, vectors=True, tol=1e-4)
        u = top.vectors[0] if last is None or top.vectors[0] @ last > 0 else -top.vectors[0]
        slope = f.grad(xs[k]) @ u
        floor = -slope / max(top.values[0], 1e-9)
        line = ol.curvature.slice_1d(f, xs[k], u, floor + p.reach * SIDES).value
        found.append(line - line[len(SIDES) // 2])
        places.append((k, -floor, -floor - lr * slope, top.values[0]))
        last = u
    return {"valleys": np.array(found, np.float32), "places": np.array(places)}


def compute(p: Params, seed: int, progress: Progress) -> dict[str, np.ndarray]:
    """Every seed's runs; the first one's curves and valleys are shown."""
    found = []
    for k in range(p.seeds):
        progress(0.9 * k / p.seeds, f"data set {k}")
        found.append(train(p, derive_seed(seed, "run", k)))
    data = {name: np.array([each[name] for each in found]) for name in found[0] if name != "curves"}
    edge = p.every * int(first(found[0]["sharp"][0] > p.edges[0]))
    return {**data, "curves": found[0]["curves"], **valleys(p, derive_seed(seed, "run", 0), edge)}


def claims(data: Data, p: Params) -> list[Claim]:
    """Where the sharpness goes, and what the loss does meanwhile."""
    plain = slice(0, len(p.edges))
    part = data["sharp"][..., data["sharp"].shape[-1] // 2 :] / settings(p)[2][:, None]
    found = []
    for k, edge in enumerate(p.edges):
        said = f"S hovers at 2/η = {edge:g}: its median over the last half of the steps, in 2/η; the mean over seeds."
        found.append(mean(f"hovers_{edge:g}", said, np.median(part[:, k], axis=1), 1.0, (0.97, 1.05)))
    for k, edge in enumerate(p.lifted, len(p.edges)):
        said = (
            f"Momentum {MOMENTUM} lifts it to (2 + 2β)/η = {(1 + MOMENTUM) * edge:g}: the median, in that unit; mean."
        )
        found.append(mean(f"lifted_{edge:g}", said, np.median(part[:, k], axis=1), 1.0, (0.9, 1.1)))
    wide = np.quantile(np.abs(part[:, plain] - 1), 0.9, axis=2).mean(axis=1)
    growth = np.diff(data["loss"], axis=1)[:, 0, plain].mean(axis=1)
    said = {
        "within": "Over the last half S is within 10 % of 2/η: the 90 % quantile of |Sη/2 − 1|, the mean.",
        "crossed": "Runs reach their ceiling: the mean over data sets of the share that does.",
        "before": "Until then the loss falls at every step without momentum: how many steps rise, in all runs.",
        "after": "From then on it rises often: the mean share of the steps that rise.",
        "falls": "It falls all the same in the long run: log10 of the last loss over that at the edge, the mean.",
        "same_path": "Until the edge steps follow one path: S at time ηk over the flow's, the farthest from 1; mean.",
        "flow_higher": f"Small steps would go on to higher S: the flow's largest over {p.edges[-1]:g}, the mean.",
        "flow_calm": f"With 2/η = {p.flow_edge:g}, which it never reaches, the loss never rises: how many steps do.",
    }
    asked = {name: (name, text) for name, text in said.items()}
    reached = np.where(data["flow"].max(axis=1) < p.flow_edge, data["rises_flow"], p.flow_steps)
    return [
        *found,
        mean(*asked["within"], wide, None, (None, 0.1)),
        mean(*asked["crossed"], data["crossed"].mean(axis=1), 1.0, (0.9, None)),
        exact(*asked["before"], data["rises_before"][:, plain].sum(), 0),
        mean(*asked["after"], data["rises_after"][:, plain].mean(axis=1), None, (0.1, None)),
        mean(*asked["falls"], growth, None, (None, -1.0)),
        mean(*asked["same_path"], [apart(data, p, k) for k in range(p.seeds)], 1.0, (0.9, 1.1)),
        mean(*asked["flow_higher"], data["flow"].max(axis=1) / p.edges[-1], None, (1.1, None)),
        exact(*asked["flow_calm"], reached.sum(), 0),
    ]


def apart(data: Data, p: Params, seed: int) -> float:
    """The ratio of S, at the largest step before its edge, to the flow's at the same time; the one farthest from 1."""
    time = np.arange(p.flow_points + 1) * (p.flow_steps // p.flow_points) * 2 / p.flow_edge
    sharp = data["sharp"][seed, 0]
    calm = max(int(first((sharp > p.edges[0])[:, None])[0]) - 1, 1)
    ratio = sharp[:calm] / np.interp(np.arange(calm) * p.every * 2 / p.edges[0], time, data["flow"][seed])
    return float(ratio[np.argmax(np.abs(np.log(ratio)))])


def draw_sharpness(ax: Axes, data: Data, p: Params) -> None:
    """S of the first seed against the step, for each η, and of the flow."""
    steps = p.every * np.arange(data["sharp"].shape[-1])
    for edge, sharp, color in zip(p.edges, data["sharp"][0], COLORS, strict=False):
        ax.plot(steps, sharp, color=color)
        line = plotting.theory_line(ax, [0, p.steps], [edge, edge], "2/η")
        ax.text(0.99 * p.steps, edge - 0.1, f"η = 2/{edge:g}", color=color, ha="right", va="top")
    highest = data["sharp"][0, : len(p.edges)].max()
    ax.set(xlim=(0, p.steps), ylim=(0, 1.12 * highest), xlabel="step", ylabel="sharpness S (largest eigenvalue)")
    ax.set_title("Sharpness climbs to 2/η and stays there")
    ax.legend(handles=[line], loc="upper left")


def draw_loss(ax: Axes, data: Data, p: Params) -> None:
    """The losses of the same runs."""
    for edge, curve, color in zip(p.edges, data["curves"], COLORS, strict=False):
        ax.semilogy(curve, color=color, linewidth=1.6, label=f"η = 2/{edge:g}")
    ax.set(xlim=(0, p.steps), xlabel="step", ylabel="loss", title="The loss jumps up, and falls all the same")


def draw_ceilings(ax: Axes, data: Data, p: Params) -> None:
    """The last half's median of Sη, for every seed and run: 2 without momentum, 2 + 2β with it."""
    lr, momentum, ceiling = settings(p)
    half = np.median(data["sharp"][..., data["sharp"].shape[-1] // 2 :], axis=2)
    spread = np.linspace(-0.12, 0.12, p.seeds)
    for k, (color, sharp) in enumerate(zip([*COLORS[: len(p.edges)], *COLORS], half.T, strict=False)):
        ax.plot(k + spread, sharp * lr[k], "o", color=color, alpha=0.6, markersize=7)
        line = plotting.theory_line(ax, [k - 0.35, k + 0.35], [ceiling[k] * lr[k]] * 2, "theory: 2 + 2β")
    names = [f"η = 2/{2 / rate:.0f}\nβ = {beta:g}" for rate, beta in zip(lr, momentum, strict=True)]
    ax.set_xticks(range(len(lr)), names)
    ax.set(ylim=(1.5, 3.5), ylabel="median of Sη", xlim=(-0.6, len(lr) - 0.4))
    ax.set_title(f"{p.seeds} data sets: the ceiling of the last half")
    ax.legend(handles=[line], loc="upper left")
    ax.grid(axis="x", visible=False)


def plot(data: Data, p: Params) -> Figure:
    """Sharpness at the left; loss and ceilings at the right."""
    sheet, ((left, right), (spare, below)) = plotting.figure(2, 2)
    left.set_subplotspec(left.get_gridspec()[:, 0])
    spare.remove()
    draw_sharpness(left, data, p)
    draw_loss(right, data, p)
    draw_ceilings(below, data, p)
    return sheet


def stage(data: Data, p: Params, valley: Axes, sharp: Axes) -> tuple[Line2D, Line2D, Line2D, Line2D]:
    """The axes of the animation, and the lines that move."""
    side, edge, last = p.reach * SIDES, p.edges[0], data["places"][-1, 0]
    plotting.theory_line(valley, side, edge / 2 * side**2, "curvature 2/η")
    (wall,) = valley.plot([], [], color=plotting.BLUE, label="loss")
    (hop,) = valley.plot([], [], "-o", color=plotting.VERMILLION, markersize=13, label="a step and the next")
    valley.set(xlim=(-p.reach, p.reach), ylim=(-0.04 * edge * p.reach**2, edge * p.reach**2))
    valley.set(xlabel="distance along the sharpest direction", ylabel="loss above the valley's floor")
    valley.set_xticks(np.array([-0.8, -0.4, 0, 0.4, 0.8]) * p.reach)
    valley.legend(loc="upper center")
    plotting.theory_line(sharp, [0, last], [edge, edge], "2/η")
    (trail,) = sharp.plot([], [], color=plotting.BLUE)
    (head,) = sharp.plot([], [], "o", color=plotting.BLUE, markersize=13)
    sharp.set(xlim=(0, last), ylim=(0, 1.1 * data["places"][:, 3].max()), xlabel="step", ylabel="sharpness S")
    sharp.legend(loc="upper left")
    return wall, hop, trail, head


def animate(data: Data, p: Params) -> Iterator[Figure]:
    """The valley narrows until the step cannot stand in it; then the run hops from wall to wall."""
    sheet, axes = plotting.figure(1, 2, size=(12.8, 5.6))
    wall, hop, trail, head = stage(data, p, *axes)
    places, side = data["places"], p.reach * SIDES
    for k, (valley, (step, here, there, _)) in enumerate(zip(data["valleys"], places, strict=True)):
        wall.set_data(side, valley)
        hop.set_data([here, there], np.interp([here, there], side, valley))
        trail.set_data(places[: k + 1, 0], places[: k + 1, 3])
        head.set_data(places[k : k + 1, 0], places[k : k + 1, 3])
        sheet.suptitle(f"step {step:.0f}, η = 2/{p.edges[0]:g}", fontsize=20)
        yield sheet


experiment = Experiment(
    title="Gradient descent sharpens the loss until its step no longer stands there, and trains on at that edge",
    source="Theory of training: curvature along the path (Cohen et al. 2021)",
    question="Which curvature does gradient descent with step η seek, and does it need to stay below 2/η?",
    params={
        "width": 16,
        "seeds": 16,
        "steps": 1500,
        "every": 30,
        "edges": (3.0, 5.0, 7.0),
        "lifted": (3.0, 5.0),
        "flow_edge": 30.0,
        "flow_steps": 6000,
        "flow_points": 40,
        "reach": 0.25,
        "frames": 90,
    },
    quick={
        "seeds": 8,
        "steps": 1200,
        "every": 40,
        "edges": (3.0,),
        "lifted": (3.0,),
        "flow_edge": 20.0,
        "flow_steps": 2000,
        "flow_points": 10,
        "frames": 8,
    },
    compute=compute,
    plot=plot,
    claims=claims,
    animate=animate,
)

if __name__ == "__main__":
    experiment.main()
