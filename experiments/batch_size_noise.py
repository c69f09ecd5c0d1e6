"""Small batches are noisy: what that does to the loss curve, and what decay does to it (lectures A and C).

A compares batches of 64 and 1024 on MNIST, 100 epochs, with and without a learning rate that decays, and prints
train/validation/test accuracies of 98.50/97.65/97.18 and 98.45/97.67/97.08 %. Here the digits of scikit-learn, with
batches of 16 and 256, in the same ratio. Each batch size has the learning rate that is best on the validation set with
starts and batches of its own, which are not those shown.

The loss of a batch of B samples drawn with replacement has the variance σ²/B, σ² being that of the loss of one sample.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import optlab as ol
from optlab import plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, exact, mean, slope
from optlab.nn import MLP
from optlab.random import derive_seed, integers

Array = np.ndarray
BATCHES = (16, 256)
RATES = 2.0 ** np.arange(-6, 2)
SIZES = 4 ** np.arange(1, 6)
DECAYS = ("constant", "decay")
COLORS = (plotting.VERMILLION, plotting.BLUE)
SHARES = (0.6, 0.2, 0.2)


class Task:
    """The digits in three parts, and the network on them."""

    def __init__(self, seed: int) -> None:
        train, held, self.test = ol.data.split(
            *ol.data.digits(), SHARES, seed=derive_seed(seed, "split"), stratify=True
        )
        self.f = MLP([64, 32, 10]).on(*train)
        self.held = self.f.mlp.on(*held)

    def train(self, batch: int, lr: Array, decay: str, p: Params, seed: int) -> ol.nn.History:
        """Runs with the learning rates lr, one each, over p.epochs."""
        steps = p.epochs * self.f.n_samples // batch
        return ol.nn.train(
            self.f,
            ol.SGD(lr),
            p.epochs,
            batch_size=batch,
            theta=self.f.mlp.init(derive_seed(seed, "start"), runs=len(lr)),
            validation=self.held,
            schedule=ol.schedules.Cosine(steps) if decay == "decay" else None,
            seed=derive_seed(seed, "batches", batch),
        )

    def accuracy(self, theta: Array) -> float:
        """The share of the test set that is right."""
        X, y = self.test
        return float(np.mean(self.f.mlp.predict(theta, X).argmax(axis=1) == y))


def tuned(task: Task, batch: int, decay: str, p: Params, seed: int) -> int:
    """The place of the learning rate with the best validation accuracy in the last quarter of the epochs."""
    history = task.train(batch, np.repeat(RATES, p.tuning), decay, p, seed)
    late = history.curves["validation_accuracy"][-(p.epochs // 4) :].mean(axis=0)
    return int(np.argmax(late.reshape(len(RATES), -1).mean(axis=1)))


def spread(task: Task, theta: Array, p: Params, seed: int) -> tuple[Array, float]:
    """The variance of the loss of batches at one point, for each size, and of single samples."""
    found = []
    for size in SIZES.tolist():
        index = integers((p.draws, size), task.f.n_samples, derive_seed(seed, size))
        found.append(np.var([task.f.value(theta, batch=batch) for batch in index], ddof=1))
    single = [task.f.value(theta, batch=np.array([k])) for k in range(task.f.n_samples)]
    return np.array(found), float(np.var(single))


def compute(p: Params, seed: int, progress: Progress) -> dict[str, Array]:
    """Tune, train, and draw batches at the starts and ends."""
    task, curves, right, chosen = Task(seed), [], [], []
    for batch in BATCHES:
        for decay in DECAYS:
            progress(len(chosen) / 4, f"batch {batch}, {decay}")
            chosen.append(tuned(task, batch, decay, p, derive_seed(seed, "tuning")))
            lr = np.full(p.runs, RATES[chosen[-1]])
            history = task.train(batch, lr, decay, p, derive_seed(seed, "shown"))
            curves.append(history.curves["train_loss"])
            right.append([task.accuracy(theta) for theta in history.last])
    points = task.f.mlp.init(derive_seed(seed, "points"), runs=p.points)
    spreads = [spread(task, theta, p, derive_seed(seed, "draws", k)) for k, theta in enumerate(points)]
    shape = (len(BATCHES), len(DECAYS))
    return {
        "curves": np.array(curves).reshape(*shape, p.epochs, p.runs),
        "right": np.array(right).reshape(*shape, p.runs),
        "chosen": np.array(chosen).reshape(shape),
        "variances": np.array([each for each, _ in spreads]),
        "single": np.array([single for _, single in spreads]),
    }


def wobble(data: Data, p: Params) -> Array:
    """log10 of the size of changes of the loss from epoch to epoch over the last quarter, trend taken out."""
    late = np.log(data["curves"][:, :, -(p.epochs // 4) :])
    return np.log10(np.std(np.diff(late, axis=2), axis=2))


def claims(data: Data, p: Params) -> list[Claim]:
    """The variance of a batch's loss, the oscillation, and the accuracies."""
    rough, right = wobble(data, p), 100 * data["right"]
    ratio = data["variances"] * SIZES / data["single"][:, None]
    edge = np.sum((data["chosen"] == 0) | (data["chosen"] == len(RATES) - 1))
    said = {
        "budget": f"Each batch size and schedule tries the same {len(RATES)} rates: those chosen at an end of it.",
        "power": "The variance of a batch's loss falls as 1/B, B = 4 to 1024: the power.",
        "variance": "It is that of single samples over B: the mean ratio.",
        "decay": f"Decay removes the oscillation of batch {BATCHES[0]}: log10 of what is left of it.",
        "same": f"With decay, batches of {BATCHES[0]} and {BATCHES[1]} test alike: the difference in %, the mean.",
        "alike": "Without decay they do, too: the difference in %, the mean.",
    }
    return [
        exact("budget", said["budget"], edge, 0),
        slope("power", said["power"], np.log(SIZES), np.log(data["variances"]), -1.0, (-1.15, -0.85)),
        mean("variance", said["variance"], ratio.mean(axis=1), 1.0, (0.8, 1.2)),
        mean("decay", said["decay"], rough[0, 1] - rough[0, 0], None, (None, -0.3)),
        mean("same", said["same"], right[0, 1] - right[1, 1], 0.0, (-3.0, 3.0)),
        mean("alike", said["alike"], right[0, 0] - right[1, 0], 0.0, (-3.0, 3.0)),
    ]


def draw_curves(ax: Axes, data: Data, batch: int, p: Params) -> None:
    """The loss of single runs with and without decay."""
    epochs = np.arange(1, p.epochs + 1)
    for decay, color in enumerate(COLORS):
        lr = RATES[data["chosen"][batch, decay]]
        label = f"{DECAYS[decay]}, lr {lr:g}: {100 * data['right'][batch, decay].mean():.1f} %"
        lines = ax.semilogy(epochs, data["curves"][batch, decay, :, :5], color=color, linewidth=1.8)
        lines[0].set_label(label)
    ax.set(xlabel="epoch", title=f"batch {BATCHES[batch]}, and test accuracy")
    ax.legend(loc="upper right", handlelength=1.2)


def draw_variance(ax: Axes, data: Data) -> None:
    """The variance of a batch's loss against its size."""
    ax.loglog(SIZES, data["variances"].mean(axis=0), "o", color=plotting.GREEN, markersize=11)
    line = plotting.theory_line(ax, SIZES, data["single"].mean() / SIZES, "theory: σ²/B")
    ax.set_xticks(SIZES, [str(size) for size in SIZES])
    ax.minorticks_off()
    ax.set(xlabel="batch size B", ylabel="variance of its loss", title="Noise falls as 1/B")
    ax.legend(handles=[line], loc="upper right")


def plot(data: Data, p: Params) -> Figure:
    """Curves of the small and of the large batch, and the variance."""
    sheet, (left, middle, right) = plotting.figure(1, 3, width_ratios=(1.2, 1.2, 1))
    draw_curves(left, data, 0, p)
    draw_curves(middle, data, 1, p)
    low = min(left.get_ylim()[0], middle.get_ylim()[0])
    for ax in (left, middle):
        ax.set_ylim(low, 8)
    left.set_ylabel("training loss")
    draw_variance(right, data)
    return sheet


experiment = Experiment(
    title="Small batches make the loss oscillate; decay calms it, and large and small batches test alike",
    source="Additional Techniques; Training neural networks 2: batch size",
    question="What does the noise of small batches do, and does it cost accuracy?",
    params={"epochs": 60, "runs": 24, "tuning": 3, "draws": 400, "points": 24},
    quick={"runs": 10, "tuning": 3, "draws": 150, "points": 8},
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
