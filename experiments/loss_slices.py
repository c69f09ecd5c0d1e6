"""Slices of a network's loss, with and without batch normalization, and what such pictures leave out.

* A slice along a random direction says something only if the direction is in proportion to the weights. A ReLU network
  whose layer is multiplied by 10 and the next divided by 10 is the same function, but its raw slices are not; with each
  filter's direction as long as the filter's weights (Li et al. 2018) they are the same to rounding.
* In these units the loss rises less steeply around a network with batch normalization. Both learn the same digits from
  the same weights with the same step of gradient descent, until their loss is the same. The slices are those of the
  loss that is trained, whose statistics are the batch's: they follow the weights, and undo much of what a slice does to
  them. With the statistics held at those of the trained network, as it would predict, the network is one without
  normalization, its scales folded into the weights, and about as sharp as the other.
* A picture has two dimensions, a path some thousands. In a plane of random directions a fraction of about 2/dim of the
  path's variation is seen, and all the path looks like a point. In the plane that is fitted to the path almost all of
  it lies; but so would three quarters of a random walk, 1 − (6/π²)(1 + 1/4) = 0.24 outside (Antognini and
  Sohl-Dickstein 2018). The share outside is stated beside each path here, and it counts only if it is far below that.

Whether flatter networks generalize better is no claim: that does not follow from any of these pictures.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import optlab as ol
from optlab import plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, bounded, exact, mean
from optlab.nn import MLP, NetworkLandscape
from optlab.random import derive_seed, normal, permutation

NORMS = (None, "batch")
NAMES = ("without", "with batch norm", "its statistics fixed")
COLORS = (plotting.VERMILLION, plotting.BLUE, plotting.SKY)
AT = np.linspace(-1, 1, 41)
FACTOR = 10.0
WALK_OUTSIDE = 1 - 6 / math.pi**2 * (1 + 1 / 4)
WALK = (100, 2000)  # steps and dimensions of the random walks


@cache
def images() -> ol.data.Data:
    """The digits, read once."""
    return ol.data.digits()


def landscape(p: Params, norm: str | None, seed: int) -> NetworkLandscape:
    """The loss on some of the digits."""
    kept = permutation(len(images().y), derive_seed(seed, "images"))[: p.images]
    mlp = MLP([64, *[p.width] * 3, 10], "relu", norm=norm, dtype="float64")
    return mlp.on(images().X[kept].astype(np.float64), images().y[kept])


def train(p: Params, f: NetworkLandscape, seed: int) -> np.ndarray:
    """Points of the path down to the loss at which training ends; fewer than two where it never gets there."""
    start = f.mlp.init(derive_seed(seed, "start"))
    path = ol.descend(f, ol.SGD(lr=p.lr), start, p.steps, record=p.every, stop=ol.stop.value(p.target))
    arrived = path.stop_reason[0] == "value"
    return path.x[path.step < path.stop_step[0] + p.every, 0] if arrived else path.x[:1, 0]


def folded(f: NetworkLandscape, theta: np.ndarray) -> tuple[NetworkLandscape, np.ndarray]:
    """The network without normalization that a normalized one is while its statistics stay as they are."""
    plain = MLP(f.mlp.widths, "relu", dtype="float64")
    found, stats = np.zeros(plain.dim), f.mlp.statistics(theta, f.X)
    old, new = f.mlp.views(theta), plain.views(found)
    ends = np.cumsum(f.mlp.widths[1:-1])[:-1]
    for k, (center, var) in enumerate(zip(np.split(stats.mean, ends), np.split(stats.var, ends), strict=True)):
        scale = old[f"layers.{k}.norm.weight"] / np.sqrt(var + f.mlp.eps)
        new[f"layers.{k}.weight"][:] = old[f"layers.{k}.weight"] * scale[:, None]
        new[f"layers.{k}.bias"][:] = old[f"layers.{k}.norm.bias"] - scale * center
    for name in ("weight", "bias"):
        new[f"layers.{len(ends) + 1}.{name}"][:] = old[f"layers.{len(ends) + 1}.{name}"]
    return plain.on(f.X, f.y), found


def slices(p: Params, f: NetworkLandscape, theta: np.ndarray, seed: int) -> tuple[np.ndarray, float]:
    """What the loss rises by along filter-normalized directions, (directions, points), and its mean curvature."""
    found, curved = [], []
    for k in range(p.directions):
        d = ol.curvature.filter_normalized(f, theta, derive_seed(seed, "direction", k))
        found.append(ol.curvature.slice_1d(f, theta, d, AT).value - f.value(theta))
        curved.append(d @ ol.curvature.hvp(f, theta, d))
    return np.array(found), float(np.mean(curved))


def outside(p: Params, f: NetworkLandscape, xs: np.ndarray, seed: int) -> tuple[float, float]:
    """The share of the path outside its own plane, and outside a plane of two random directions."""
    d1, d2 = (ol.curvature.filter_normalized(f, xs[-1], derive_seed(seed, "axis", k)) for k in range(2))
    own, drawn = ol.curvature.plane_of_path(xs), ol.curvature.Plane(xs[-1].copy(), np.array([d1, d2]))
    return tuple(ol.curvature.project_path(f, plane, xs).outside for plane in (own, drawn))


def rescaled(f: NetworkLandscape, theta: np.ndarray) -> np.ndarray:
    """The same function with a layer multiplied and the next divided."""
    other = theta.copy()
    views = f.mlp.views(other)
    views["layers.1.weight"] *= FACTOR
    views["layers.1.bias"] *= FACTOR
    views["layers.2.weight"] /= FACTOR
    return other


def same_function(p: Params, f: NetworkLandscape, theta: np.ndarray, seed: int) -> np.ndarray:
    """Slices of two copies of one network, (raw or filter-normalized, copies, points), along one draw each."""
    raw, found = normal((f.dim,), derive_seed(seed, "raw")), []
    for filters in (False, True):
        for x in (theta, rescaled(f, theta)):
            along = raw * np.linalg.norm(theta) / np.linalg.norm(raw)
            d = ol.curvature.filter_normalized(f, x, derive_seed(seed, "same")) if filters else along
            found.append(ol.curvature.slice_1d(f, x, d, AT).value)
    return np.array(found).reshape(2, 2, -1)


def walk(seed: int) -> float:
    """The share of a random walk outside the plane that is fitted to it."""
    xs = np.cumsum(normal(WALK, seed), axis=0)
    f = ol.landscapes.Quadratic(np.ones(WALK[1]))
    return ol.curvature.project_path(f, ol.curvature.plane_of_path(xs, "mean"), xs).outside


def picture(p: Params, f: NetworkLandscape, xs: np.ndarray) -> dict[str, np.ndarray]:
    """The plane of a path, with the loss over it."""
    plane = ol.curvature.plane_of_path(xs)
    seen = ol.curvature.project_path(f, plane, xs).coordinates
    a, b = (np.linspace(*frame(seen[:, k]), p.grid) for k in range(2))
    found = ol.curvature.slice_2d(f, plane.origin, *plane.axes, a, b, path=xs)
    return {"a": a, "b": b, "map": found.value.astype(np.float32), "path": seen}


def frame(along: np.ndarray) -> tuple[float, float]:
    """The ends of an axis around a path."""
    margin = 0.35 * float(np.ptp(along))
    return float(along.min()) - margin, float(along.max()) + margin


def one_seed(p: Params, seed: int) -> dict[str, np.ndarray]:
    """All numbers of one seed, with an axis for the networks."""
    landscapes = [landscape(p, norm, seed) for norm in NORMS]
    paths = [train(p, f, seed) for f in landscapes]
    if min(map(len, paths)) < 3:
        raise RuntimeError(f"a network did not reach the loss {p.target:g} in {p.steps} steps")
    pairs = list(zip(landscapes, paths, strict=True))
    ends = [(f, xs[-1]) for f, xs in pairs]
    ends.append(folded(*ends[-1]))
    cuts = [slices(p, f, theta, seed) for f, theta in ends]
    return {
        "rises": np.array([rise for rise, _ in cuts]),
        "curvature": np.array([curved for _, curved in cuts]),
        "loss": np.array([f.value(theta) for f, theta in ends]),
        "outside": np.array([outside(p, f, xs, seed) for f, xs in pairs]),
        "same": same_function(p, *(pairs[0][0], pairs[0][1][-1]), seed),
        "walk": walk(derive_seed(seed, "walk")),
    }


def compute(p: Params, seed: int, progress: Progress) -> dict[str, np.ndarray]:
    """Every seed's slices; the planes of the first."""
    found = []
    for k in range(p.seeds):
        progress(0.8 * k / p.seeds, f"network {k}")
        found.append(one_seed(p, derive_seed(seed, "run", k)))
    data = {name: np.array([each[name] for each in found]) for name in found[0]}
    for name, norm in zip(("plain", "batch"), NORMS, strict=True):
        f = landscape(p, norm, derive_seed(seed, "run", 0))
        shown = picture(p, f, train(p, f, derive_seed(seed, "run", 0)))
        data |= {f"{name}_{key}": values for key, values in shown.items()}
    return data


def claims(data: Data, p: Params) -> list[Claim]:
    """Units, sharpness, and what is outside of a picture."""
    (raw, scaled), edges = np.moveaxis(data["same"], 1, 0), [0, -1]
    rise = np.log10(data["rises"][..., edges].mean(axis=(2, 3)))
    curved = np.log10(data["curvature"])
    own, drawn = np.moveaxis(data["outside"], 2, 0)
    said = {
        "same": "Filter-normalized slices of one function in two scalings are the same: the largest difference.",
        "raw": "Raw ones are not: the smallest of the largest differences of a pair.",
        "loss": f"Both networks end at the loss {p.target:g}: the largest deviation, of 1.",
        "folded": "Statistics held and folded into the weights give the same loss: the largest difference.",
        "rise": "One unit away the loss rises more without batch norm: log10 of the ratio, the mean.",
        "fixed": "With the statistics fixed it rises more than with the batch's: log10 of the ratio, the mean.",
        "as_sharp": "With the statistics fixed it rises about as much as without: log10 of the ratio, the mean.",
        "curvature": "The loss is also more curved there: log10 of the ratio of dᵀHd, the mean.",
        "own_plain": "Little of a path is outside the plane fitted to it: the share, without batch norm; mean.",
        "own_batch": "The same with batch norm.",
        "walk": "Of a random walk 1 − (6/π²)(1 + 1/4) is outside: the mean share.",
        "drawn": "Next to nothing is inside a plane of random directions, about 2/dim: the share outside, the mean.",
    }
    asked = {name: (name, text) for name, text in said.items()}
    dim = 64 * p.width + 2 * p.width**2 + 13 * p.width + 10
    return [
        bounded(*asked["same"], np.abs(scaled[:, 0] - scaled[:, 1]).max(), (0, 1e-10), 0),
        bounded(*asked["raw"], np.abs(raw[:, 0] - raw[:, 1]).max(axis=1).min(), (0.1, None)),
        # A step from above the target changes the loss by a few percent of it.
        exact(*asked["loss"], np.abs(data["loss"] / p.target - 1).max(), 0, 0.15),
        bounded(*asked["folded"], np.abs(data["loss"][:, 2] - data["loss"][:, 1]).max(), (0, 1e-10), 0),
        mean(*asked["rise"], rise[:, 0] - rise[:, 1], None, (0.2, None)),
        mean(*asked["fixed"], rise[:, 2] - rise[:, 1], None, (0.2, None)),
        mean(*asked["as_sharp"], rise[:, 2] - rise[:, 0], 0.0, (-0.4, 0.4)),
        mean(*asked["curvature"], curved[:, 0] - curved[:, 1], None, (0.0, None)),
        mean(*asked["own_plain"], own[:, 0], None, (None, WALK_OUTSIDE / 2)),
        mean(*asked["own_batch"], own[:, 1], None, (None, WALK_OUTSIDE / 2)),
        mean(*asked["walk"], data["walk"], WALK_OUTSIDE, (0.9 * WALK_OUTSIDE, 1.1 * WALK_OUTSIDE)),
        mean(*asked["drawn"], drawn.mean(axis=1), 1 - 2 / dim, (0.98, None)),
    ]


def draw_rises(ax: Axes, data: Data, p: Params) -> None:
    """The rises of all seeds, and their mean."""
    for k, (name, color) in enumerate(zip(NAMES, COLORS, strict=True)):
        each = data["rises"][:, k].mean(axis=1)
        ax.plot(AT, each.T, color=color, alpha=0.25, linewidth=1.2)
        ax.plot(AT, each.mean(axis=0), color=color, linewidth=4, label=name)
    ax.set(xlabel="t, in units of each filter's weights", ylabel="loss above the end's", ylim=(0, None))
    ax.set_title("Batch statistics flatten the loss")
    ax.legend(loc="upper center")
    ax.set_ylim(0, 1.15 * data["rises"].mean(axis=2).max())


def draw_same(ax: Axes, data: Data) -> None:
    """One function in two scalings."""
    raw, scaled = data["same"][0]
    ax.plot(AT, raw.T, color=plotting.PURPLE)
    ax.plot(AT, scaled[0], color=plotting.GREEN, linewidth=6, alpha=0.6)
    ax.plot(AT, scaled[1], color=plotting.BLACK, linestyle=":")
    ax.text(0.0, 2 * raw.max(), "raw directions: two slices", color=plotting.PURPLE, ha="center", va="bottom")
    ax.text(0.0, 0.35 * scaled.min(), "by filter: one slice, twice", color=plotting.GREEN, ha="center", va="top")
    ax.set(xlabel="t", ylabel="loss", yscale="log", title="One function in two scalings")
    ax.set_ylim(0.1 * scaled.min(), 10 * raw.max())


def draw_plane(ax: Axes, data: Data, p: Params, k: int) -> None:
    """The plane of a path, with the path."""
    name = ("plain", "batch")[k]
    height, path = np.log10(data[f"{name}_map"]), data[f"{name}_path"]
    shades = ax.contourf(
        data[f"{name}_a"], data[f"{name}_b"], height, levels=np.arange(-1.75, 1.1, 0.25), extend="both"
    )
    ax.plot(*path.T, color="white", linewidth=5)
    ax.plot(*path.T, "-o", color=COLORS[k], linewidth=2.5, markersize=4)
    ax.plot(*path[-1], "*", color=plotting.YELLOW, markersize=20, markeredgecolor=plotting.BLACK)
    ax.set_title(f"{NAMES[k].capitalize()}: {data['outside'][0, k, 0]:.1%} of the path is outside")
    ax.set(xlabel="first axis of the path", ylabel="second axis")
    ax.figure.colorbar(shades, ax=ax, label="log₁₀ loss", ticks=[-1, 0, 1])
    ax.grid(False)


def plot(data: Data, p: Params) -> Figure:
    """Slices above, planes below."""
    sheet, axes = plotting.figure(2, 2)
    draw_rises(axes[0, 0], data, p)
    draw_same(axes[0, 1], data)
    for k in range(2):
        draw_plane(axes[1, k], data, p, k)
    return sheet


experiment = Experiment(
    title="The loss is sharper without batch normalization, and with it as sharp once its statistics are fixed",
    source="Theory of training: slices of the loss (Li et al. 2018)",
    question="What does a slice of a network's loss show, in which units, and how much of a path does it leave out?",
    params={
        "images": 300,
        "width": 32,
        "lr": 0.1,
        "steps": 2000,
        "every": 5,
        "target": 0.05,
        "directions": 10,
        "seeds": 16,
        "grid": 51,
    },
    quick={"images": 150, "width": 16, "directions": 3, "seeds": 8, "grid": 15},
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
