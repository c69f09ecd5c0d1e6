"""Training by epochs, with validation, early stopping and checkpoints; every step in compiled code."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optlab import files
from optlab.checks import integer
from optlab.nn import checkpoint as checkpoints
from optlab.nn.landscape import NetworkLandscape
from optlab.nn.mlp import NormStatistics
from optlab.nn.training import Training, normalization
from optlab.optim import Optimizer
from optlab.progress import Progress, reporter
from optlab.trajectory import MAX_STEP

Array = NDArray[Any]
Schedule = Callable[[NDArray[np.int64]], Any]


@dataclass
class History:
    """What :func:`train` returns.

    Row e of each curve is measured after epoch e + 1, in the network as it is used: nothing dropped, normalized by the
    running averages.

    Attributes:
        curves: By name ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy"), each
            ``(epochs, runs)``; those that were not asked for are missing.
        theta: The parameters ``(runs, dim)``: those of least validation loss where there is validation, else the last.
        averages: The averages of batch normalization that belong to theta, ``(runs, 2 columns)``, else None.
        best_epoch: The epoch after which theta was taken, ``(runs,)``.
        stopped_epoch: The epochs that each run took before its validation loss had not improved for ``patience``
            epochs, ``(runs,)``; all of them where that never came.
        last: The parameters after the last epoch.
        state: The optimizer's state there.
        epochs: How many epochs were taken.
        interrupted: Whether Ctrl-C ended the training; all is as after the last whole epoch.
    """

    curves: dict[str, Array]
    theta: Array
    averages: Array | None
    best_epoch: NDArray[np.int64]
    stopped_epoch: NDArray[np.int64]
    last: Array
    state: dict[str, Array]
    epochs: int
    interrupted: bool = False
    f: NetworkLandscape | None = field(default=None, repr=False)

    def stats(self, run: int = 0) -> NormStatistics | None:
        """What :meth:`optlab.nn.MLP.predict` normalizes by with ``theta[run]``.

        None without batch normalization, or before the first epoch.
        """
        return normalization(self.f, self.averages, run) if self.f is not None else None


def train(
    f: NetworkLandscape,
    optimizer: Optimizer,
    epochs: int,
    *,
    batch_size: int | None = None,
    theta: Array | None = None,
    validation: NetworkLandscape | None = None,
    patience: int | None = None,
    measure_training: bool = True,
    schedule: Schedule | None = None,
    sampling: str = "shuffle",
    seed: int = 0,
    checkpoint: str | os.PathLike[str] | None = None,
    threads: int | None = None,
    progress: bool | Progress = False,
) -> History:
    """Trains a network, or many at once, epoch by epoch.

    Epoch e ends with step ⌈(e + 1) n / batch_size⌉: batches all have the same size and follow each other through the
    epochs. The steps are those of :func:`optlab.descend` with the same seed, to the bit. With data in CuPy arrays
    all is computed on the GPU.

    Args:
        f: The network on its training data.
        optimizer: The rule.
        epochs: How many, >= 0.
        batch_size: Samples per step, at most as many as there are; None: 32, or all where there are fewer.
        theta: Where to begin, ``(dim,)`` or ``(runs, dim)``, on the device of the data; by default
            ``f.mlp.init(seed)``. Copied.
        validation: The same network on other data; its loss, without penalties, is what stopping and the choice of
            theta go by.
        patience: Stop after so many epochs without a smaller validation loss (all runs must have come to that).
        measure_training: Whether the training data are evaluated after each epoch, too: one forward pass over them.
        schedule: A factor on the learning rate as a function of an int64 array of steps.
        sampling: "shuffle", "replacement" or "order", as in descend.
        seed: Of batches and masks, and of the default theta.
        checkpoint: A file that is written after each epoch. If it is there already, the training goes on from it, and
            ends as if it had never been interrupted; it must be of the same training (of a schedule, only whether there
            is one can be told). One of more epochs than are asked for is returned as it is. Its arrays are NumPy's,
            wherever the data are.
        threads: Overrides :func:`optlab.threads` for this call.
        progress: True for a bar on stderr, or a function of (fraction done, text).

    Returns:
        The curves, in NumPy arrays, and the parameters, on the device of the data. A run whose parameters are no longer
        finite stays where it is, its curves are NaN from there on, and the others go on.

    Raises:
        TypeError: an argument is of the wrong type, or theta or validation data are on another device than the data.
        ValueError: an argument is out of range, or the checkpoint is of another training.

    Example:
        >>> import numpy as np, optlab as ol
        >>> X = ol.random.normal((200, 2), seed=0, dtype="float32")
        >>> f = ol.nn.MLP([2, 16, 2]).on(X, (X[:, 0] > X[:, 1]).astype(np.int64))
        >>> history = ol.nn.train(f, ol.Adam(lr=1e-2), epochs=20)
        >>> bool(history.curves["train_accuracy"][-1, 0] > 0.95)
        True
    """
    for name, given in (("f", f), ("validation", validation)):
        if not isinstance(given, NetworkLandscape) and (name == "f" or given is not None):
            raise TypeError(f"{name}: got {type(given).__name__}, expected a network on data, mlp.on(X, y)")
    if validation is not None and validation.mlp.described() != f.mlp.described():
        raise ValueError(f"validation: got data of {validation.mlp!r}, expected those of the same network, {f.mlp!r}")
    if patience is not None and validation is None:
        raise ValueError(f"patience: got {patience} without validation, expected a validation landscape with it")
    training = Training(f, validation, theta, seed, batch_size, optimizer, patience, measure_training)
    training.options = {"batch_size": training.batch_size, "schedule": schedule, "sampling": sampling}
    training.options |= {"seed": training.seed, "threads": threads}
    total = integer("epochs", epochs, 0, MAX_STEP // max(1, training.steps_of(1)))
    described = {}
    if checkpoint is not None:
        files.require_writable(Path(checkpoint).parent)
        described = training.described()
        training.restore(checkpoints.load(checkpoint, described))
    with reporter(progress, "train") as report:
        while training.epoch < total and not training.done and training.take_epoch():
            if checkpoint is not None:
                checkpoints.save(checkpoint, training.arrays(), described)
            report(training.epoch / max(total, 1), training.text())
    return _history(training)


def _history(t: Training) -> History:
    return History(
        curves={name: np.array(rows).reshape(-1, t.runs) for name, rows in t.curves.items()},
        theta=t.best,
        averages=t.best_averages,
        best_epoch=t.best_epoch,
        stopped_epoch=np.where(t.stopped < 0, t.epoch, t.stopped),
        last=t.last,
        state=t.state or {},
        epochs=t.epoch,
        interrupted=t.interrupted,
        f=t.f,
    )
