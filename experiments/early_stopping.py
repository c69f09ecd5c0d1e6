"""Stopping early is a regularization (lectures on regularization).

* A network on noisy labels learns the noise after the law. Training stops when the loss on data held out has not
  improved for 3 epochs, and goes back to the weights of least validation loss.
* On a quadratic the steps can be counted in units of a ridge. Gradient descent from 0 on |Ax − b|²/(2n) shrinks the
  least-squares solution by 1 − (1 − ηs)ᵗ in the direction of eigenvalue s of A'A/n, a ridge λ by s/(s + λ): both let
  pass what is far above 1/(ηt) = λ and stop what is far below. The λ whose solution is nearest to step t's is a fixed
  multiple of 1/(ηt) then, whatever t is (Ali, Kolter and Tibshirani 2019).
* A small stochastic gradient is no sign that it is time to stop: where the full gradient is 0, that of a batch of B
  samples drawn with replacement has mean square (1/B) mean |∇f_i|².
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import optlab as ol
from optlab import plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, bounded, mean, slope
from optlab.nn import MLP, NetworkLandscape, evaluate, train
from optlab.random import derive_seed

INPUTS = 10
PARTS = ("training", "validation", "test")
FLIPPED = 0.15
"""The share of wrong labels."""


def noisy(mlp: MLP, n: int, seed: int) -> NetworkLandscape:
    """A landscape of n samples: the sign of the first two coordinates' product, some labels flipped."""
    X = ol.random.normal((n, INPUTS), seed, dtype="float32")
    flipped = ol.random.uniform((1, n), seed, step=1)[0] < FLIPPED
    return mlp.on(X, ((X[:, 0] * X[:, 1] > 0) ^ flipped).astype(np.int64))


def networks(p: Params, seed: int, progress: Progress) -> dict[str, np.ndarray]:
    """Each data set with its own network: the curves without stopping, and what stopping restores."""
    mlp = MLP([INPUTS, p.width, 2])
    curves, stopped, restored, losses = [], [], [], []
    for k in range(p.sets):
        progress(0.8 * k / p.sets, "networks")
        own = derive_seed(seed, "data", k)
        f, held, test = (noisy(mlp, n, derive_seed(own, name)) for name, n in zip(PARTS, p.samples, strict=True))
        options = {"batch_size": p.batch, "validation": held, "seed": own}
        whole = train(f, ol.Adam(lr=p.lr), p.epochs, **options)
        short = train(f, ol.Adam(lr=p.lr), p.epochs, patience=p.patience, **options)
        curves.append(np.stack([whole.curves["train_loss"][:, 0], whole.curves["validation_loss"][:, 0]]))
        stopped.append((short.best_epoch[0], short.stopped_epoch[0]))
        restored.append(evaluate(held, short.theta[0]).loss)
        losses.append((evaluate(test, short.theta[0]).loss, evaluate(test, whole.last[0]).loss))
    return {
        "curves": np.array(curves),
        "stopped": np.array(stopped),
        "restored": np.array(restored),
        "test": np.array(losses),
    }


def problem(p: Params, seed: int) -> ol.landscapes.LeastSquares:
    """A regression whose columns have sizes over a decade and a half, with noise."""
    n, dim = 4 * p.dim, p.dim
    A = ol.random.normal((n, dim), seed) * np.geomspace(1, 0.03, dim)
    return ol.landscapes.LeastSquares(A, A.sum(axis=1) + ol.random.normal(n, seed, step=1))


def nearest_ridge(f: ol.landscapes.LeastSquares, x: np.ndarray, guess: float) -> float:
    """The λ whose solution is nearest to x, on a fine grid around a guess."""
    H, c = f.A.T @ f.A / len(f.b), f.A.T @ f.b / len(f.b)
    s, Q = np.linalg.eigh(H)
    grid = guess * np.geomspace(0.02, 50, 2001)
    solutions = (Q.T @ c) / (s + grid[:, None])
    return float(grid[np.argmin(np.square(solutions - Q.T @ x).sum(axis=1))])


def ridges(p: Params, seed: int) -> np.ndarray:
    """λ nearest to the steps t, shape (problems, times)."""
    found = np.empty((p.problems, len(p.times)))
    for k in range(p.problems):
        f = problem(p, derive_seed(seed, "ridge", k))
        path = ol.descend(f, ol.SGD(lr=p.rate), np.zeros(f.dim), max(p.times), record=list(p.times))
        found[k] = [nearest_ridge(f, x, 1 / (p.rate * t)) for x, t in zip(path.x[:, 0], p.times, strict=True)]
    return found


def slopes_at_rest(p: Params, seed: int) -> dict[str, np.ndarray]:
    """At the minimum: mean squares of batch gradients over that of single samples (problems, sizes), and the whole."""
    found, rest = np.empty((p.problems, len(p.sizes))), np.empty(p.problems)
    for k in range(p.problems):
        own = derive_seed(seed, "batches", k)
        f = problem(p, own)
        x = f.minima[0]
        each = np.mean([np.square(f.grad(x, batch=np.array([i]))).sum() for i in range(len(f.b))])
        rest[k] = np.square(f.grad(x)).sum() / each
        for j, size in enumerate(p.sizes):
            index = ol.random.integers((p.draws, size), len(f.b), own, step=j)
            found[k, j] = np.mean([np.square(f.grad(x, batch=batch)).sum() for batch in index]) / each
    return {"batches": found, "rest": rest}


def compute(p: Params, seed: int, progress: Progress) -> dict[str, np.ndarray]:
    """All three."""
    return {**networks(p, seed, progress), "ridge": ridges(p, seed), **slopes_at_rest(p, seed)}


def claims(data: Data, p: Params) -> list[Claim]:
    """Networks, ridge, noise."""
    best, end = data["stopped"].T
    least = [curve[1, :stop].min() for curve, stop in zip(data["curves"], end, strict=True)]
    gap = float(np.abs(data["restored"] - least).max())
    early, late = data["test"].T
    product = np.exp(np.log(data["ridge"] * np.array(p.times) * p.rate).mean(axis=1))
    said = {
        "restored": "The weights restored have the least validation loss met; the largest gap.",
        "patience": f"Training stops {p.patience} epochs after its best; the mean wait.",
        "test_loss": "Stopping early lowers the loss on test data; the mean ratio to training on.",
        "time": "It stops long before the end; the mean share of the epochs.",
        "ridge_slope": f"The ridge nearest to step t <= {p.times[-1]} falls as 1/(ηt); the slope of log λ over log t.",
        "ridge_level": "It is a multiple of 1/(ηt); the multiple's geometric mean over t.",
        "noise": "The mean square of a batch's gradient at the minimum falls as 1/B; the slope.",
        "single": "With B = 1 it is that of single samples; the mean ratio.",
        "rest": "The full gradient is 0 there; the largest mean square over that of single samples.",
    }
    asked = {name: (name, text) for name, text in said.items()}
    times, sizes, wait = np.log(p.times), np.log(p.sizes), float(p.patience)
    return [
        bounded(*asked["restored"], gap, (0, 0), 0),
        mean(*asked["patience"], end - best, wait, (wait - 0.5, wait + 0.5)),
        mean(*asked["test_loss"], early / late, None, (None, 0.8)),
        mean(*asked["time"], end / p.epochs, None, (0, 0.5)),
        slope(*asked["ridge_slope"], times, np.log(data["ridge"]), -1.0, (-1.15, -0.85)),
        mean(*asked["ridge_level"], product, None, (0.5, 1.5)),
        slope(*asked["noise"], sizes, np.log(data["batches"]), -1.0, (-1.1, -0.9)),
        mean(*asked["single"], data["batches"][:, 0], 1.0, (0.9, 1.1)),
        bounded(*asked["rest"], float(data["rest"].max()), (0, 1e-20)),
    ]


def draw_networks(ax: Axes, data: Data, p: Params) -> None:
    """Both curves of one data set, and where it stops."""
    epochs, (best, end) = np.arange(1, p.epochs + 1), data["stopped"][0]
    learned, held = data["curves"][0]
    ax.plot(epochs, learned, color=plotting.COLORS[0], label="training data")
    ax.plot(epochs, held, color=plotting.COLORS[1], label="validation data")
    ax.plot(best, held[best - 1], "o", color=plotting.COLORS[1], markersize=13, label=f"restored: epoch {best}")
    ax.axvline(end, color=plotting.BLACK, linestyle=":", label=f"stops after {p.patience} worse epochs")
    ax.set(xlabel="epoch", ylabel="cross entropy", ylim=(0, None))
    ax.set_title("A network learns the noise last")
    ax.legend(loc="upper right", bbox_to_anchor=(1.0, 0.56))


def draw_ridge(ax: Axes, data: Data, p: Params) -> None:
    """λ against t."""
    t = np.array(p.times)
    ax.plot(t, data["ridge"].T, "o", color=plotting.COLORS[2], alpha=0.3, markersize=7)
    line = plotting.theory_line(ax, t, 1 / (p.rate * t), "theory: multiples of 1/(ηt)")
    ax.set(xscale="log", yscale="log", xlabel="step t of gradient descent", ylabel="nearest ridge λ")
    ax.set_title("Early steps are a ridge")
    ax.legend(handles=[line], loc="upper right")


def draw_noise(ax: Axes, data: Data, p: Params) -> None:
    """The batch gradient at the minimum."""
    size = np.array(p.sizes)
    ax.plot(size, data["batches"].T, "o", color=plotting.COLORS[3], alpha=0.3, markersize=7)
    line = plotting.theory_line(ax, size, 1 / size, "theory: 1/B")
    ax.set(xscale="log", yscale="log", xlabel="batch size B", ylabel="|g_B|² / |g₁|², means")
    ax.set_title("At the minimum, batches still pull")
    ax.legend(handles=[line], loc="upper right")


def plot(data: Data, p: Params) -> Figure:
    """The network at the left, the quadratic at the right."""
    sheet, ((left, right), (spare, below)) = plotting.figure(2, 2)
    left.set_subplotspec(left.get_gridspec()[:, 0])
    spare.remove()
    draw_networks(left, data, p)
    draw_ridge(right, data, p)
    draw_noise(below, data, p)
    return sheet


experiment = Experiment(
    title="Training that stops early fits the law and not the noise, as a ridge does",
    source="Additional Techniques; Training DNNs; Training neural networks 2; the notebook: early stopping",
    question="What does stopping early restore, what is it equal to, and why is a small gradient no sign to stop?",
    params={
        "sets": 40,
        "samples": (300, 1000, 4000),
        "width": 64,
        "lr": 0.01,
        "batch": 32,
        "epochs": 100,
        "patience": 3,
        "problems": 20,
        "dim": 30,
        "rate": 0.5,
        "times": (3, 10, 30, 100, 300),
        "sizes": (1, 4, 16, 64),
        "draws": 2000,
    },
    quick={"sets": 12, "problems": 12},
    compute=compute,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    experiment.main()
