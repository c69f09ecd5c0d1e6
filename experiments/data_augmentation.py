"""More data from the data there are: changed images that still show the same thing (lectures A and B, the notebook).

A network learns digits from five images of each class, plain or with a change drawn anew for each of many copies
(`optlab.data.augment`). Every way of training gets the same steps and the same three learning rates, of which the best
on other sets than those shown is taken; no strength is tuned.

* A change of an image helps where it makes images that could have been in the data: rotations by some degrees and a
  little noise here. scikit-learn's digits fill their 8 x 8 pixels and lie in the middle, so a shift by a pixel, which
  helps elsewhere, makes images that no test set holds. What it teaches is shown by shifted test images; each change
  teaches what it makes. The gain is large with few images and small with many.
* A change must keep the label. A nine upside down is a six. Training on upside-down copies with their labels kept
  spoils sixes and nines; the same copies with the two labels exchanged do not, so it is the label that does it.
* MixUp makes the network less sure of itself; CutMix weighs the labels by the area that each image has. That they lower
  the error, as they do where large networks learn from many images, is not so here: trained to the end, both raise it.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import optlab as ol
from optlab import ops, plotting
from optlab.data.augment import Augmentation, Blur, Chain, Color, CutMix, Flip, MixUp, Noise, Occlude, Rotate, Shift
from optlab.experiment import Claim, Data, Experiment, Params, Progress, exact, mean
from optlab.nn import MLP
from optlab.random import derive_seed

SIDE, CLASSES = 8, 10
OWN: dict[str, Augmentation] = {
    "shift": Shift(1, 1),
    "rotation": Rotate(15.0),
    "noise": Noise(0.2),
    "occlusion": Occlude(3),
}
"""Those that test images are changed by, too."""
BOTH = Chain((OWN["rotation"], OWN["noise"]))
OTHERS: dict[str, Augmentation] = {
    "rotation + noise": BOTH,
    "blur": Blur((0.0, 0.7)),
    "colour": Color(brightness=0.5, contrast=0.5),
    "flip": Flip(),
    "MixUp": MixUp(CLASSES, 0.4),
    "CutMix": CutMix(CLASSES),
}
UPSIDE = ("upside down", "same, 6 ↔ 9")
"""With the labels kept, and with those of sixes and nines exchanged."""
WAYS = ("plain", *OWN, *OTHERS, *UPSIDE)
LARGE = ("plain", "rotation + noise")
"""The ways that are tried on the large set, too."""
LESS = -0.001
"""A difference of errors that is more than none."""
RATES = (3e-3, 5e-3, 8e-3)


def images(X: np.ndarray) -> np.ndarray:
    """Rows of 64 numbers as images."""
    return X.reshape(-1, SIDE, SIDE)


def turned(X: np.ndarray) -> np.ndarray:
    """Every image upside down."""
    return Rotate((180.0, 180.0)).apply(images(X)).reshape(X.shape)


def exchanged(y: np.ndarray) -> np.ndarray:
    """Sixes as nines and nines as sixes."""
    return np.where(y == 6, 9, np.where(y == 9, 6, y))


def prepared(way: str, X: np.ndarray, y: np.ndarray, copies: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """What a network is trained on."""
    if way == "plain":
        return X, y
    if way in UPSIDE:
        return np.concatenate([X, turned(X)]), np.concatenate([y, y if way == UPSIDE[0] else exchanged(y)])
    changed, labels = {**OWN, **OTHERS}[way].copies(images(X), y, copies, seed)
    return changed.reshape(-1, SIDE * SIDE), labels


def trained(p: Params, data: tuple[np.ndarray, np.ndarray], rates: np.ndarray, seed: int) -> tuple[MLP, np.ndarray]:
    """A network for each learning rate, (rates, dim)."""
    mlp = MLP([SIDE * SIDE, p.width, CLASSES])
    start = np.tile(mlp.init(derive_seed(seed, "start")), (len(rates), 1))
    options = {"schedule": ol.schedules.Cosine(p.steps), "batch_size": p.batch, "sampling": "shuffle", "seed": seed}
    return mlp, ol.descend(mlp.on(*data), ol.Adam(lr=rates), start, p.steps, record=[], **options).last


def parts(p: Params, seed: int) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """A small training set, a large one, and a test set, disjoint."""
    return ol.data.split(*ol.data.digits(), (p.small, p.large, p.test), derive_seed(seed, "split"), stratify=True)


def best_rates(p: Params, seed: int) -> dict[str, float]:
    """The learning rate of least mean test error for each way, on sets of their own."""
    errors = np.empty((len(WAYS), p.tuning, len(RATES)))
    for k in range(p.tuning):
        own = derive_seed(seed, "tuning", k)
        small, _, (X, y) = parts(p, own)
        for error, way in zip(errors, WAYS, strict=True):
            mlp, theta = trained(p, prepared(way, *small, p.copies, own), np.array(RATES), own)
            error[k] = [np.mean(mlp.predict(row, X).argmax(axis=1) != y) for row in theta]
    best = errors.mean(axis=1).argmin(axis=1)
    return {way: RATES[k] for way, k in zip(WAYS, best, strict=True)}


def one_set(p: Params, rates: dict[str, float], seed: int) -> dict[str, np.ndarray]:
    """Every way on one set."""
    small, large, (X, y) = parts(p, seed)
    tests = [X, *(altered(each, X, seed) for each in OWN.values())]
    pair = (y == 6) | (y == 9)
    found: dict[str, list] = {"errors": [], "pairs": [], "sure": [], "large": []}
    for way in WAYS:
        mlp, (theta,) = trained(p, prepared(way, *small, p.copies, seed), np.array([rates[way]]), seed)
        wrong = [mlp.predict(theta, given).argmax(axis=1) != y for given in tests]
        found["errors"].append([each.mean() for each in wrong])
        found["pairs"].append(wrong[0][pair].mean())
        found["sure"].append(ops.softmax_forward(mlp.predict(theta, X)).max(axis=1).mean())
    readers = {}
    for way in LARGE:
        data = prepared(way, *large, max(1, p.copies * p.small // p.large), seed)
        mlp, (readers[way],) = trained(p, data, np.array([rates[way]]), seed)
        found["large"].append(np.mean(mlp.predict(readers[way], X).argmax(axis=1) != y))
    kept = mlp.predict(readers[LARGE[1]], altered(BOTH, X, seed)).argmax(axis=1) == y
    other = mlp.predict(readers[LARGE[0]], turned(X[pair])).argmax(axis=1) == exchanged(y[pair])
    return {**{name: np.array(values) for name, values in found.items()}, "read": np.array([kept.mean(), other.mean()])}


def altered(how: Augmentation, X: np.ndarray, seed: int) -> np.ndarray:
    """Test images, changed once."""
    return how.apply(images(X), seed=derive_seed(seed, "test")).reshape(X.shape)


def weights(p: Params, seed: int) -> dict[str, np.ndarray]:
    """The mean of the larger weight that MixUp gives a label; how many labels of CutMix are not the share of pixels."""
    y = np.arange(p.mixed) % 2
    flat = np.broadcast_to(y.astype(np.float64)[:, None, None], (p.mixed, SIDE, SIDE)).copy()
    _, targets = MixUp(2).apply(flat, y, seed)
    larger = targets.max(axis=1)
    mixed, areas = CutMix(2).apply(flat, y, seed)
    return {"larger": larger[larger < 1].mean(), "areas": np.sum(areas[:, 1] != mixed.mean(axis=(1, 2)))}


def gallery() -> np.ndarray:
    """A nine, and what becomes of it, (pictures, 8, 8): of copies that differ from it one at the middle distance."""
    X, y = ol.data.digits()
    pair = np.stack([X[y == 9][0], X[y == 0][0]])
    pictures = [pair[0]]
    for way in (*OWN, *OTHERS):
        copies = prepared(way, pair, np.array([9, 0]), 20, seed=0)[0][::2]
        distance = np.abs(copies - pair[0]).sum(axis=1)
        seen = np.flatnonzero(distance)
        pictures.append(copies[seen[np.argsort(distance[seen])[len(seen) // 2]]])
    return images(np.stack([*pictures, turned(pair[:1])[0]]))


def compute(p: Params, seed: int, progress: Progress) -> dict[str, np.ndarray]:
    """Learning rates first, then set by set."""
    with ol.threads(1):  # a step is too short to share
        progress(0.0, "learning rates")
        rates, found = best_rates(p, seed), []
        for k in range(p.sets):
            progress(0.2 + 0.8 * k / p.sets, f"set {k}")
            own = derive_seed(seed, "set", k)
            found.append({**one_set(p, rates, own), **weights(p, own)})
    flips = Flip(p=1.0).apply(np.arange(1.0, 17.0).reshape(1, 4, 4))[0]
    return {
        **{name: np.array([each[name] for each in found]) for name in found[0]},
        "rates": np.array(list(rates.values())),
        "flipped": flips,
        "gallery": gallery(),
    }


def claims(data: Data, p: Params) -> list[Claim]:
    """Labels, gains, mixtures."""
    return [*label_claims(data, p), *gain_claims(data, p), *mixture_claims(data, p)]


def label_claims(data: Data, p: Params) -> list[Claim]:
    """What keeps the label and what does not."""
    printed = np.arange(1.0, 17.0).reshape(4, 4)[:, ::-1]
    pairs = data["pairs"][:, WAYS.index(UPSIDE[0])] - data["pairs"][:, WAYS.index(UPSIDE[1])]
    said = {
        "flip": "A flip of the 4 x 4 image 1 ... 16 reverses each row: pixels that differ.",
        "kept": f"Rotated by up to 15 degrees and noisy, new digits are read as what they are, from {p.large} such.",
        "nine_six": "Upside down, a nine is read as a six and a six as a nine.",
        "broken": "Upside-down copies with their labels spoil sixes and nines: added error over exchanged labels.",
    }
    return [
        exact("flip", said["flip"], np.sum(data["flipped"] != printed), 0),
        mean("kept", said["kept"], data["read"][:, 0], None, (0.8, 1.0)),
        mean("nine_six", said["nine_six"], data["read"][:, 1], None, (0.5, 1.0)),
        mean("broken", said["broken"], pairs, None, (0.02, None)),
    ]


def gains(data: Data) -> np.ndarray:
    """Test error on plain images less that of the plain way, (sets, ways)."""
    errors = data["errors"][..., 0]
    return errors - errors[:, :1]


def gain_claims(data: Data, p: Params) -> list[Claim]:
    """Where changed images help."""
    gain = gains(data)
    both, flip = gain[:, WAYS.index(LARGE[1])], gain[:, WAYS.index("flip")]
    own = [data["errors"][:, k, k] - data["errors"][:, 0, k] for k in range(1, len(OWN) + 1)]
    said = {
        "small": f"Rotation and noise lower the test error with {p.small} images: the mean difference to plain ones.",
        "large": f"They gain less with {p.large}: the mean difference of the differences.",
        "flip": "Digits are not their mirror images: flips raise the test error; the mean difference.",
        "own": "Test images with the same change are read better: {}, the mean difference of the errors.",
    }
    return [
        mean("small_data", said["small"], both, None, (None, LESS)),
        mean("large_data", said["large"], both - (data["large"][:, 1] - data["large"][:, 0]), None, (None, LESS)),
        mean("mirrored", said["flip"], flip, None, (0.01, None)),
        *(mean(name, said["own"].format(name), each, None, (None, LESS)) for name, each in zip(OWN, own, strict=True)),
    ]


def mixture_claims(data: Data, p: Params) -> list[Claim]:
    """Soft labels."""
    way = WAYS.index("MixUp")
    sure, worse = data["sure"][:, way] - data["sure"][:, 0], gains(data)[:, way] - gains(data)[:, WAYS.index(LARGE[1])]
    said = {
        "mixup": "MixUp with uniform weights: the larger weight of two labels has the mean 3/4.",
        "cutmix": "CutMix weighs labels by the pixels of each image: labels that differ from that.",
        "less": f"MixUp does not help {p.small} images as rotation and noise do: the mean difference of errors.",
        "unsure": "MixUp makes the network less sure: the mean difference of its largest probability.",
    }
    return [
        mean("mixup_weight", said["mixup"], data["larger"], 0.75, (0.74, 0.76)),
        exact("cutmix_area", said["cutmix"], data["areas"].sum(), 0),
        mean("mixup_less", said["less"], worse, None, (0.0, None)),
        mean("mixup_unsure", said["unsure"], sure, None, (None, -0.03)),
    ]


def draw_gains(ax: Axes, data: Data, p: Params) -> None:
    """The change of the test error of each way, with 99.9 % intervals."""
    from scipy.stats import t

    gain = 100 * gains(data)[:, 1:]
    order = np.argsort(-gain.mean(axis=0))
    middle = gain.mean(axis=0)[order]
    half = t.isf(0.0005, len(gain) - 1) * gain.std(axis=0, ddof=1)[order] / np.sqrt(len(gain))
    colors = [
        plotting.VERMILLION if low > 0 else plotting.GREEN if low + 2 * h < 0 else "#999999"
        for low, h in zip(middle - half, half, strict=True)
    ]
    ax.barh(range(len(order)), middle, xerr=half, color=colors, height=0.7, error_kw={"linewidth": 2})
    ax.axvline(0, color=plotting.BLACK, linewidth=1.5)
    ax.set_yticks(range(len(order)), [WAYS[1 + k] for k in order])
    ax.grid(axis="y", visible=False)
    plain = 100 * data["errors"][:, 0, 0].mean()
    ax.set(xlabel=f"test error, points over plain ({plain:.1f} %)")
    ax.set_title(f"Which copies help {p.small} images, and which hurt")


def draw_table(ax: Axes, data: Data, p: Params) -> None:
    """Errors by what was trained on and what is tested on."""
    names = ("plain", *OWN)
    error = 100 * data["errors"][:, : len(names)].mean(axis=0)
    relative = np.log(error / error[0])
    ax.imshow(relative, cmap="RdBu_r", vmin=-1.6, vmax=1.6, aspect="auto")
    for (row, column), value in np.ndenumerate(error):
        white = abs(relative[row, column]) > 1
        weight = "bold" if row == column else "normal"
        ax.text(column, row, f"{value:.0f}", ha="center", va="center", weight=weight, color="w" if white else "k")
    ax.set_xticks(range(len(names)), names, fontsize=14)
    ax.set_yticks(range(len(names)), names, fontsize=14)
    ax.grid(visible=False)
    ax.set(xlabel="test images (errors in %)", ylabel="trained on", title="A change teaches what it makes")


def draw_gallery(ax: Axes, data: Data, p: Params) -> None:
    """Pictures of a nine in three rows."""
    names = ("a nine", *OWN, *OTHERS, "upside down")
    for k, (picture, name) in enumerate(zip(data["gallery"], names, strict=True)):
        row, column = divmod(k, 4)
        left, top = 2.2 * column, 1.6 * row
        ax.imshow(1 - picture, cmap="gray", vmin=0, vmax=1, extent=(left, left + 1, top + 1, top))
        ax.text(left + 0.5, top + 1.07, name.replace("tation +", "t. +"), ha="center", va="top", fontsize=14)
    ax.set(xlim=(-0.7, 8.3), ylim=(4.7, -0.1), title="A nine, and what may be made of it")
    ax.set_axis_off()


def plot(data: Data, p: Params) -> Figure:
    """Gains at the left; pictures and the table at the right."""
    sheet, ((left, above), (spare, below)) = plotting.figure(2, 2, width_ratios=(1, 1.2))
    left.set_subplotspec(left.get_gridspec()[:, 0])
    spare.remove()
    draw_gains(left, data, p)
    draw_gallery(above, data, p)
    draw_table(below, data, p)
    return sheet


experiment = Experiment(
    title="Changed images help a small data set if they could have been in it, and still show what their label says",
    source="Additional Techniques; Training DNNs; the notebook: data augmentation; MixUp, CutMix",
    question="When does training on changed copies of few images lower the test error, and when does it raise it?",
    params={
        "sets": 32,
        "tuning": 4,
        "small": 50,
        "large": 800,
        "test": 900,
        "width": 64,
        "steps": 2000,
        "batch": 32,
        "copies": 100,
        "mixed": 4000,
    },
    quick={"sets": 16, "tuning": 2, "steps": 500, "copies": 40, "width": 32, "mixed": 2000},
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
