"""A network that begins with what another has learned (lecture I: pre-trained initialization).

The first layers of a network that was trained on the digits 0 to 4 are where another begins to learn 5 to 9 from few
images; its last layer, which names classes, begins anew. Each way has the same steps and the same three learning
rates, of which the best on other sets than those shown is taken for each number of images.

* Where every digit stands somewhere on a larger canvas, both tasks ask for the same: that the place does not matter.
  From few images that cannot be learned, from other digits it can, and it is kept. The gain fades with more images.
* Layers that stay as they are, so that only the last one learns, are the best start of few images and a poor end of
  many.
* It is what was learned that helps and not the size of the weights: pre-training on images whose pixels were shuffled,
  the same for all, gains nothing. The old last layer, kept, is worse than a new one: it knows other classes.
* On scikit-learn's digits as they are, in the middle of their frame, nothing is shared that few images would not
  tell: there the same pre-training does not help, and rather harms.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

import optlab as ol
from optlab import plotting
from optlab.data.augment import Crop
from optlab.experiment import Claim, Data, Experiment, Params, Progress, mean
from optlab.nn import MLP
from optlab.random import derive_seed, permutation

SIDE, CLASSES = 8, 5
POOL, TEST = 400, 400
"""Images of the second task to learn from, at most, and to test on."""
WAYS = ("from scratch", "pre-trained", "frozen", "shuffled pixels", "old last layer")
CENTRED = WAYS[:2]
"""The ways that are tried on digits in the middle of their frame, too."""
RATES = (3e-3, 1e-2, 2e-2)
LAST = "layers.2."


def placed(X: np.ndarray, y: np.ndarray, side: int, copies: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Copies of images of 8 x 8, each anywhere on a canvas of side x side pixels."""
    images, labels = Crop(side, side, padding=side - SIDE).copies(X.reshape(-1, SIDE, SIDE), y, copies, seed)
    return images.reshape(-1, side * side), labels


class Task:
    """Both tasks on a canvas, and the networks that were trained on the first."""

    def __init__(self, p: Params, side: int, ways: tuple[str, ...], seed: int) -> None:
        X, y = ol.data.digits()
        first, own = y < CLASSES, derive_seed(seed, "task", side)
        self.p, self.side, self.seed, self.ways = p, side, own, ways
        self.mlp = MLP([side * side, p.width, p.width, CLASSES])
        self.fresh = self.mlp.init(derive_seed(own, "start"))
        source, labels = placed(X[first], y[first], side, p.copies, derive_seed(own, "first"))
        self.learned = {"pre-trained": self.pretrained(source, labels)}
        if "shuffled pixels" in ways:
            order = permutation(side * side, derive_seed(own, "order"))
            self.learned["shuffled pixels"] = self.pretrained(np.ascontiguousarray(source[:, order]), labels)
        parts = ol.data.split(X[~first], y[~first] - CLASSES, (POOL, TEST), derive_seed(own, "split"), stratify=True)
        self.pool, self.test = parts[0], placed(*parts[1], side, 3, derive_seed(own, "test"))

    def pretrained(self, X: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Weights that know the first task."""
        start = self.mlp.init(derive_seed(self.seed, "first"))
        return self.descend(X, y, start[None], ol.Adam(lr=RATES[1]), self.p.pretraining, self.p.large_batch)[0]

    def descend(
        self, X: np.ndarray, y: np.ndarray, start: np.ndarray, optimizer: ol.Optimizer, steps: int, batch: int
    ) -> np.ndarray:
        """The last weights of each start."""
        schedule, size = ol.schedules.Cosine(steps), min(batch, len(X))
        options = {"schedule": schedule, "batch_size": size, "sampling": "shuffle", "seed": self.seed, "record": []}
        return ol.descend(self.mlp.on(X, y), optimizer, start, steps, **options).last

    def start(self, way: str) -> np.ndarray:
        """Where a way begins: the first layers learned or not, the last one new unless it is the old one."""
        theta = self.fresh.copy()
        if way != "from scratch":
            learned = self.mlp.views(self.learned.get(way, self.learned["pre-trained"]))
            for name, values in self.mlp.views(theta).items():
                if way == "old last layer" or not name.startswith(LAST):
                    values[...] = learned[name]
        return theta

    def errors(self, way: str, n: int, rates: np.ndarray) -> np.ndarray:
        """Test errors after learning from n images, for each learning rate."""
        (X, y), *_ = ol.data.split(*self.pool, (min(n, POOL),), derive_seed(self.seed, "few", n), stratify=True)
        X, y = placed(X, y, self.side, max(1, n // POOL), derive_seed(self.seed, "second", n))
        groups = {"layers.[01].*": {"lr": 0.0}} if way == "frozen" else {}
        start = np.tile(self.start(way), (len(rates), 1))
        last = self.descend(X, y, start, ol.Adam(lr=rates, groups=groups), self.p.steps, self.p.batch)
        return np.array([np.mean(self.mlp.predict(row, self.test[0]).argmax(axis=1) != self.test[1]) for row in last])


def tasks(p: Params, seed: int) -> tuple[Task, Task]:
    """Digits anywhere, and in the middle."""
    return Task(p, p.side, WAYS, seed), Task(p, SIDE, CENTRED, seed)


def tuned(p: Params, seed: int, progress: Progress) -> list[np.ndarray]:
    """The learning rates of least mean error on sets of their own, (ways, numbers of images) for each task."""
    found = []
    for k in range(p.tuning):
        progress(0.3 * k / p.tuning, "learning rates")
        both = tasks(p, derive_seed(seed, "tuning", k))
        found.append([[[task.errors(way, n, np.array(RATES)) for n in p.few] for way in task.ways] for task in both])
    return [np.array(RATES)[np.mean([each[k] for each in found], axis=0).argmin(axis=-1)] for k in range(2)]


def compute(p: Params, seed: int, progress: Progress) -> dict[str, np.ndarray]:
    """Test errors (sets, ways, numbers of images) of both tasks."""
    with ol.threads(1):  # a step is too short to share
        rates, found = tuned(p, seed, progress), []
        for k in range(p.sets):
            progress(0.3 + 0.7 * k / p.sets, f"set {k}")
            both = tasks(p, derive_seed(seed, "set", k))
            found.append([measured(task, p, rate) for task, rate in zip(both, rates, strict=True)])
    anywhere, centred = (np.array([each[k] for each in found]) for k in range(2))
    return {"errors": anywhere, "centred": centred, "rates": rates[0], "pictures": pictures(p)}


def measured(task: Task, p: Params, rates: np.ndarray) -> list[list[float]]:
    """The error of each way for each number of images."""
    return [
        [float(task.errors(way, n, np.array([rate]))[0]) for n, rate in zip(p.few, row, strict=True)]
        for way, row in zip(task.ways, rates, strict=True)
    ]


def pictures(p: Params) -> np.ndarray:
    """One digit of each class on its canvas, (10, side, side)."""
    X, y = ol.data.digits()
    first = np.array([np.flatnonzero(y == digit)[0] for digit in range(2 * CLASSES)])
    return placed(X[first], y[first], p.side, 1, 3)[0].reshape(-1, p.side, p.side)


def over(data: Data, way: str, other: str = "from scratch") -> np.ndarray:
    """The error of a way less that of another, (sets, numbers of images)."""
    return data["errors"][:, WAYS.index(way)] - data["errors"][:, WAYS.index(other)]


def claims(data: Data, p: Params) -> list[Claim]:
    """Gains and their limits, at the numbers of images that are named."""
    few, some, many = (p.few.index(n) for n in (p.fewest, p.some, p.few[-1]))
    gain, stiff, centred = over(data, "pre-trained"), over(data, "frozen"), centred_gain(data)
    shuffled, kept = over(data, "shuffled pixels"), over(data, "old last layer", "pre-trained")
    most = p.few[-1]
    said = {
        "gain": f"Pre-training lowers the test error with {p.some} images: the mean difference to scratch.",
        "fades": f"It gains less with {most}: the mean difference of the gains.",
        "few": f"With {p.fewest} images learned layers may stay as they are: the mean difference to scratch.",
        "many": f"With {most} they must go on learning: the mean difference of frozen ones to scratch.",
        "shuffled": f"Pre-training on shuffled pixels gains nothing ({p.some} images): the mean difference to scratch.",
        "learned": "It is what was learned that helps: pre-training less that on shuffled pixels, the mean difference.",
        "head": f"The old last layer, kept, is worse than a new one ({p.some} images): the mean difference.",
        "centred": f"Digits in the middle of their frame gain nothing ({p.some} images): the mean difference.",
    }
    return [
        mean("gain", said["gain"], gain[:, some], None, (None, -0.01)),
        mean("fades", said["fades"], gain[:, some] - gain[:, many], None, (None, -0.005)),
        mean("frozen_few", said["few"], stiff[:, few], None, (None, -0.02)),
        mean("frozen_many", said["many"], stiff[:, many], None, (0.05, None)),
        mean("shuffled", said["shuffled"], shuffled[:, some], None, (-0.04, None)),
        mean("learned", said["learned"], (gain - shuffled)[:, some], None, (None, -0.01)),
        mean("head", said["head"], kept[:, some], None, (0.005, None)),
        mean("centred", said["centred"], centred[:, some], None, (-0.015, None)),
    ]


def centred_gain(data: Data) -> np.ndarray:
    """The same of pre-training on digits in the middle."""
    found: np.ndarray = data["centred"][:, 1] - data["centred"][:, 0]
    return found


def draw_errors(ax: Axes, data: Data, p: Params) -> None:
    """Test error against the number of images."""
    named = (("from scratch", plotting.BLACK), ("shuffled pixels", plotting.ORANGE), ("frozen", plotting.GREEN))
    for way, color in (*named, ("pre-trained", plotting.BLUE)):
        style = "--" if way == "shuffled pixels" else "-"
        error = 100 * data["errors"][:, WAYS.index(way)].mean(axis=0)
        ax.plot(p.few, error, style, color=color, marker="o", label=way.replace("frozen", "pre-trained, frozen"))
    ax.set(xscale="log", xlabel="images of the second task", ylabel="test error in %", ylim=(0, None))
    ax.set_xticks(p.few, [str(n) for n in p.few])
    ax.minorticks_off()
    ax.set_title("Few images: begin with what was learned")
    ax.legend(loc="lower left")


def draw_pictures(ax: Axes, data: Data, p: Params) -> None:
    """Both tasks."""
    for k, picture in enumerate(data["pictures"]):
        row, column = divmod(k, CLASSES)
        left, top = 1.1 * column, 1.15 * row
        ax.imshow(1 - picture, cmap="gray", vmin=0, vmax=1, extent=(left, left + 1, top + 1, top))
        ax.add_patch(Rectangle((left, top), 1, 1, fill=False, edgecolor="#999999"))
    for row, text in enumerate(("first many\nof these,", "then few\nof these")):
        ax.text(-0.15, 1.15 * row + 0.5, text, ha="right", va="center")
    ax.set(xlim=(-1.9, 5.5), ylim=(2.2, -0.05), title="In both tasks the place means nothing")
    ax.set_axis_off()


def draw_gains(ax: Axes, data: Data, p: Params) -> None:
    """What pre-training changes, with 99.9 % intervals."""
    from scipy.stats import t

    cases = (
        (over(data, "pre-trained"), plotting.BLUE, "digits anywhere on a canvas", 0.96, -10.5),
        (centred_gain(data), plotting.VERMILLION, "digits in the middle", 1.04, 2.2),
    )
    for values, color, label, aside, height in cases:
        half = t.isf(0.0005, len(values) - 1) * values.std(axis=0, ddof=1) / np.sqrt(len(values))
        place = aside * np.array(p.few)
        ax.errorbar(place, 100 * values.mean(axis=0), 100 * half, color=color, marker="o", capsize=5)
        ax.text(1.25 * p.some, height, label, color=color)
    ax.axhline(0, color=plotting.BLACK, linewidth=1.5)
    ax.set(xscale="log", xlabel="images of the second task", ylabel="points over scratch")
    ax.set_xticks(p.few, [str(n) for n in p.few])
    ax.minorticks_off()
    ax.set_title("What pre-training changes")


def plot(data: Data, p: Params) -> Figure:
    """Errors at the left; the tasks and the gains at the right."""
    sheet, ((left, above), (spare, below)) = plotting.figure(2, 2, height_ratios=(1, 1.3))
    left.set_subplotspec(left.get_gridspec()[:, 0])
    spare.remove()
    draw_errors(left, data, p)
    draw_pictures(above, data, p)
    draw_gains(below, data, p)
    return sheet


experiment = Experiment(
    title="With few images it pays to begin with what was learned elsewhere, if both tasks share it",
    source="Important Techniques in Neural Network Training: initialization from a pre-trained network",
    question="When does a network learn better from the layers of another one than from scratch?",
    params={
        "sets": 24,
        "tuning": 4,
        "few": (20, 50, 100, 400, 1600),
        "fewest": 20,
        "some": 100,
        "side": 12,
        "width": 64,
        "pretraining": 2000,
        "large_batch": 64,
        "steps": 300,
        "batch": 32,
        "copies": 20,
    },
    quick={"sets": 14, "tuning": 1, "few": (20, 100, 1600), "pretraining": 600, "steps": 150, "copies": 5},
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
