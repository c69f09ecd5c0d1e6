"""The state of a training, from epoch to epoch."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optlab.backends import home_of
from optlab.backends.current import array_module, on_gpu, on_host
from optlab.checks import integer
from optlab.descend import descend, lost_runs
from optlab.nn.evaluate import Evaluation, evaluate
from optlab.nn.landscape import NetworkLandscape
from optlab.nn.mlp import NormStatistics
from optlab.optim import Optimizer
from optlab.optim.rule import described

Array = NDArray[Any]
CURVES = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy")
KEPT = ("last", "best", "best_loss", "best_epoch", "since", "stopped")
"""What a checkpoint holds of a training beside the curves and the optimizer's state."""
BY_HOST = ("step", "format")
"""What of the optimizer's state stands in NumPy arrays wherever the data are."""


class Training:
    """What a training consists of between two epochs; see :func:`optlab.nn.train` for the arguments.

    Parameters, averages and the optimizer's state are where the data are; all that is measured or counted is NumPy's.
    """

    def __init__(
        self,
        f: NetworkLandscape,
        validation: NetworkLandscape | None,
        theta: Array | None,
        seed: int,
        batch_size: int | None,
        optimizer: Optimizer,
        patience: int | None,
        measure_training: bool,
    ) -> None:
        self.f, self.validation, self.optimizer = f, validation, optimizer
        self.home, self.xp = home_of(f.X), array_module(f.X)
        self.seed = integer("seed", seed, 0, 2**64 - 1)
        self.batch_size = min(32, len(f.X)) if batch_size is None else integer("batch_size", batch_size, 1, len(f.X))
        start = self.home.upload(f.mlp.init(self.seed)) if theta is None else theta
        f.mlp.views(start)  # which checks it
        self._require_home("theta", start)
        if validation is not None:
            self._require_home("validation", validation.X)
        self.last = self.xp.array(start, ndmin=2)
        if self.last.ndim != 2:
            raise ValueError(f"theta: got shape {self.last.shape}, expected (dim,) or (runs, dim)")
        self.start = self.last.copy()
        self.runs, self.epoch, self.interrupted, self.told = len(self.last), 0, False, False
        self.measured = {"train": f} if measure_training else {}
        self.measured |= {} if validation is None else {"validation": validation}
        self.curves: dict[str, list[Array]] = {name: [] for name in CURVES if name.split("_")[0] in self.measured}
        self.state: dict[str, Array] | None = None
        self.best, self.best_averages = self.last.copy(), self._averages()
        self.best_loss, self.best_epoch = np.full(self.runs, np.inf), np.zeros(self.runs, np.int64)
        self.patience = None if patience is None else integer("patience", patience, 1, 2**31)
        self.since, self.stopped = np.zeros(self.runs, np.int64), np.full(self.runs, -1, np.int64)
        self.options: dict[str, Any] = {}

    def _require_home(self, name: str, array: Array) -> None:
        if on_gpu(array) != on_gpu(self.f.X):
            got, wanted = ("CuPy", "NumPy") if on_gpu(array) else ("NumPy", "CuPy")
            raise TypeError(f"{name}: got {got} arrays, expected {wanted} arrays, as the training data are")

    def described(self) -> dict[str, Any]:
        """What a checkpoint must have in common with the training that goes on from it."""
        data = {"training": self.f} | ({} if self.validation is None else {"validation": self.validation})
        return {
            "network": self.f.mlp.described(),
            "losses": {name: [asdict(f.options), f.frozen] for name, f in data.items()},
            "samples": {name: [_digest(f.X), _digest(f.y)] for name, f in data.items()},
            "optimizer": described(self.optimizer),
            "start": _digest(self.start),
            "seed": self.seed,
            "batch_size": self.batch_size,
            "sampling": self.options["sampling"],
            "scheduled": self.options["schedule"] is not None,
            "patience": self.patience,
            "curves": sorted(self.curves),
        }

    def steps_of(self, epochs: int) -> int:
        """How many steps so many epochs take."""
        return -(-epochs * len(self.f.X) // self.batch_size)

    def take_epoch(self) -> bool:
        """Whether it was taken whole; else all is as it was before."""
        before = {name: getattr(self, name) for name in ("state", "epoch", "best_averages", *KEPT)}
        curves = {name: list(rows) for name, rows in self.curves.items()}
        try:
            if self._descend():
                self._measure()
                return True
        except KeyboardInterrupt:
            self.curves = curves
            for name, value in before.items():
                setattr(self, name, value)
        self.interrupted = True
        return False

    def _descend(self) -> bool:
        first, end = self.steps_of(self.epoch), self.steps_of(self.epoch + 1)
        options = {**self.options, "state": self.state, "first_step": first, "record": [], "record_x": False}
        options["nonfinite"] = "stop"
        finite = on_host(self.xp.isfinite(self.last).all(axis=1))
        begin = self._chosen(finite, self.last, self.start)  # what has diverged may do anything, unseen
        path = descend(self.f, self.optimizer, begin, end - first, **options)
        if path.interrupted:
            return False
        self._tell(finite & (path.stop_reason == "nonfinite"), path.stop_step)
        self.last, self.state = self._chosen(finite, path.last, self.last), path.state
        self.epoch += 1
        return True

    def _chosen(self, runs: NDArray[np.bool_], rows: Array, others: Array) -> Array:
        """The rows of these runs, and those of the others."""
        chosen: Array = self.xp.where(self.home.upload(runs)[:, None], rows, others)
        return chosen

    def _tell(self, lost: NDArray[np.bool_], steps: NDArray[np.int64]) -> None:
        """Warns of the first runs that are no longer finite, once."""
        if lost.any() and not self.told:
            self.told = True
            text = lost_runs(lost, steps)
            warnings.warn(f"train: {text}, in epoch {self.epoch + 1}", RuntimeWarning, stacklevel=5)

    def _measure(self) -> None:
        for name, landscape in self.measured.items():
            stats = [normalization(self.f, self._averages(), run) for run in range(self.runs)]
            self._note(name, [evaluate(landscape, x, of) for x, of in zip(self.last, stats, strict=True)])
        self._keep_best()

    def _note(self, name: str, found: list[Evaluation]) -> None:
        self.curves[f"{name}_loss"].append(np.array([e.loss for e in found]))
        self.curves[f"{name}_accuracy"].append(np.array([e.accuracy for e in found]))

    def _keep_best(self) -> None:
        """What counts is the validation loss; without validation, the last is the best."""
        averages = self._averages()
        running = self.stopped < 0
        better = np.ones(self.runs, bool)
        if self.validation is not None:
            loss = self.curves["validation_loss"][-1]
            better = running & (loss < self.best_loss)
            self.best_loss = np.where(better, loss, self.best_loss)
        self.since = np.where(better, 0, self.since + 1)
        self.best_epoch = np.where(better, self.epoch, self.best_epoch)
        self.best = self._chosen(better, self.last, self.best)
        if averages is not None:
            kept = averages if self.best_averages is None else self.best_averages
            self.best_averages = self._chosen(better, averages, kept)
        if self.patience is not None:
            self.stopped = np.where(running & (self.since >= self.patience), self.epoch, self.stopped)

    def _averages(self) -> Array | None:
        return None if self.state is None else self.state.get("averages")

    @property
    def done(self) -> bool:
        """Whether every run has come to the end of its patience."""
        return bool((self.stopped >= 0).all())

    def arrays(self) -> dict[str, Array]:
        """As a checkpoint holds them, in NumPy arrays."""
        assert self.state is not None
        kept = {f"state.{name}": array for name, array in self.state.items()}
        kept |= {f"curve.{name}": np.array(rows) for name, rows in self.curves.items()}
        kept |= {name: getattr(self, name) for name in KEPT}
        if self.best_averages is not None:
            kept["best_averages"] = self.best_averages
        return {name: on_host(array) for name, array in kept.items()} | {"epoch": np.array(self.epoch)}

    def restore(self, arrays: dict[str, Array] | None) -> None:
        """From a checkpoint, or not at all."""
        if arrays is None:
            return
        upload = self.home.upload
        state = {name[6:]: array for name, array in arrays.items() if name.startswith("state.")}
        self.state = {name: array if name in BY_HOST else upload(array) for name, array in state.items()}
        self.curves = {name: list(arrays[f"curve.{name}"]) for name in self.curves}
        for name in KEPT:
            setattr(self, name, upload(arrays[name]) if name in ("last", "best") else arrays[name])
        self.epoch = int(arrays["epoch"])
        self.best_averages = upload(arrays["best_averages"]) if "best_averages" in arrays else None

    def text(self) -> str:
        """For the progress bar."""
        latest = [f"{name.replace('_', ' ')} {np.mean(rows[-1]):.4g}" for name, rows in self.curves.items()]
        return ", ".join([f"epoch {self.epoch}", *latest])


def normalization(f: NetworkLandscape, averages: Array | None, run: int) -> NormStatistics | None:
    """What one run's network is normalized by as it is used."""
    return None if averages is None else f.mlp.averages({"averages": averages}, run)


def _digest(given: Array) -> str:
    array = on_host(given)
    told = hashlib.sha256(f"{array.dtype} {array.shape}".encode())
    told.update(np.ascontiguousarray(array).data)
    return told.hexdigest()
