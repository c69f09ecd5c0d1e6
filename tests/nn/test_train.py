"""Training by epochs: the steps of descend, early stopping, checkpoints that survive a kill, refusals."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reference import network as twin

import optlab as ol
from optlab.nn import MLP, NetworkLandscape, evaluate, train


def data(n: int = 70, seed: int = 0, **options: Any) -> NetworkLandscape:
    """Two noisy half-planes, which a network can learn by heart."""
    X = ol.random.normal((n, 3), seed, dtype="float32")
    y = (X[:, 0] + 0.7 * ol.random.normal(n, seed, step=1, dtype="float32") > 0).astype(np.int64)
    return MLP([3, 16, 2], **options).on(X, y)


OPTIONS: dict[str, Any] = {"batch_size": 16, "seed": 3}


@pytest.mark.parametrize("options", [{}, {"norm": "batch", "dropout": 0.2}])
def test_training_is_descend(options: Any) -> None:
    f = data(**options)
    history = train(f, ol.Adam(lr=0.01), 5, **OPTIONS)
    steps = -(-5 * 70 // 16)
    path = ol.descend(f, ol.Adam(lr=0.01), f.mlp.init(3), steps, batch_size=16, sampling="shuffle", seed=3)
    assert (history.last == path.last).all() and (history.theta == path.last).all()
    assert all((history.state[name] == path.state[name]).all() for name in path.state)
    assert history.epochs == 5 and history.stopped_epoch == 5
    found = evaluate(f, history.theta[0], history.stats())
    assert history.curves["train_loss"][-1, 0] == found.loss
    assert history.curves["train_accuracy"][-1, 0] == found.accuracy


def test_runs_are_trained_as_if_alone() -> None:
    f, held = data(norm="batch"), data(seed=1, norm="batch")
    theta = f.mlp.init(5, runs=3)
    options = {**OPTIONS, "validation": held}
    together = train(f, ol.SGD(lr=0.3), 4, theta=theta, **options)
    alone = train(f, ol.SGD(lr=0.3), 4, theta=theta[0], **options)
    assert (together.theta[0] == alone.theta[0]).all()
    assert (together.curves["validation_loss"][:, 0] == alone.curves["validation_loss"][:, 0]).all()


def test_early_stopping_keeps_the_best() -> None:
    f, held = data(), data(seed=1)
    theta = f.mlp.init(5, runs=4)
    history = train(f, ol.Adam(lr=0.03), 200, theta=theta, validation=held, patience=3, **OPTIONS)
    losses = history.curves["validation_loss"]
    assert history.epochs < 200 and (history.stopped_epoch == history.best_epoch + 3).all()
    for run in range(4):
        best, end = history.best_epoch[run], history.stopped_epoch[run]
        assert losses[:end, run].argmin() == best - 1
        assert evaluate(held, history.theta[run]).loss == losses[best - 1, run]
        shorter = train(f, ol.Adam(lr=0.03), int(best), theta=theta, **OPTIONS)
        assert (shorter.last[run] == history.theta[run]).all()


@pytest.mark.parametrize("loss", ["cross_entropy", "mse", "l1", "huber", "binary_cross_entropy", "kl_divergence"])
def test_evaluation_is_the_loss_without_penalties(loss: str) -> None:
    rng = np.random.default_rng(0)
    mlp = MLP([3, 5, 2], "tanh", dtype="float64")
    y = rng.integers(0, 2, 9) if loss == "cross_entropy" else rng.random((9, 2))
    f = mlp.on(rng.normal(size=(9, 3)), y, loss, weight_decay=1.0, delta=0.3)
    theta = mlp.init(0)
    found = evaluate(f, theta)
    assert found.loss == pytest.approx(twin.loss(f, theta) - theta @ theta / 2, rel=1e-11)
    hits = np.mean(twin.outputs(mlp, theta, f.X).argmax(1) == y) if loss == "cross_entropy" else np.nan
    np.testing.assert_equal(found.accuracy, hits)


KILLED = """
import sys, os
sys.path.insert(0, sys.argv[2])
from nn.test_train import whole
from optlab import files
from optlab.nn import checkpoint
real, calls = checkpoint.save, []
def save(*given):
    calls.append(given)
    if len(calls) == 3:
        os.kill(os.getpid(), 9)  # after the epoch, before its checkpoint
    real(*given)
checkpoint.save = save
whole(sys.argv[1])
"""


def whole(checkpoint: Any = None) -> Any:
    f = data(norm="batch", dropout=0.2)
    options = {**OPTIONS, "validation": data(seed=1, norm="batch", dropout=0.2), "patience": 20}
    return train(f, ol.AdamW(lr=0.01), 7, checkpoint=checkpoint, schedule=lambda t: 1 / (1 + t / 9), **options)


def test_a_killed_training_goes_on_to_the_bit(tmp_path: Path) -> None:
    file = tmp_path / "run.npz"
    tests = Path(__file__).resolve().parents[1]
    done = subprocess.run([sys.executable, "-c", KILLED, file, tests], check=False, cwd=tmp_path)
    assert done.returncode == -9 and file.exists()
    resumed, straight = whole(file), whole()
    for name in ("theta", "last", "averages", "best_epoch", "stopped_epoch"):
        assert (getattr(resumed, name) == getattr(straight, name)).all(), name
    assert all((resumed.curves[name] == curve).all() for name, curve in straight.curves.items())
    assert all((resumed.state[name] == array).all() for name, array in straight.state.items())
    again = whole(file)  # nothing is left to do
    assert (again.last == straight.last).all() and again.epochs == 7


def test_an_interrupt_leaves_the_last_whole_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    from optlab.nn import training

    real, calls = training.descend, []

    def interrupted(*given: Any, **options: Any) -> Any:
        calls.append(given)
        path = real(*given, **options)
        path.interrupted = len(calls) == 3
        return path

    monkeypatch.setattr(training, "descend", interrupted)
    f = data()
    history = train(f, ol.SGD(lr=0.1), 9, **OPTIONS)
    monkeypatch.undo()
    assert history.interrupted and history.epochs == 2
    assert (history.last == train(f, ol.SGD(lr=0.1), 2, **OPTIONS).last).all()


def test_checkpoints_of_other_trainings_are_refused(tmp_path: Path) -> None:
    file, f = tmp_path / "run.npz", data()
    train(f, ol.SGD(lr=0.1), 1, checkpoint=file, **OPTIONS)
    held = {"validation": f}
    others: list[tuple[Any, Any, dict[str, Any]]] = [
        (data(activation="tanh"), ol.SGD(lr=0.1), {}),
        (data(eps=1e-3), ol.SGD(lr=0.1), {}),
        (f, ol.SGD(lr=0.1), held),
        (f, ol.SGD(lr=0.2), {}),
        (data(seed=9), ol.SGD(lr=0.1), {}),
        (f, ol.SGD(lr=0.1), {"seed": 4}),
        (f, ol.SGD(lr=0.1), {"sampling": "order"}),
    ]
    before = file.read_bytes()
    for landscape, optimizer, changed in others:
        with pytest.raises(ValueError, match=r"^checkpoint: .* was saved with .*, expected"):
            train(landscape, optimizer, 2, checkpoint=file, **{**OPTIONS, **changed})
    assert file.read_bytes() == before
    for content in (b"", b"PK nonsense", before[: len(before) // 2]):
        file.write_bytes(content)
        with pytest.raises(ValueError, match=r"^checkpoint: .* is not a checkpoint of optlab"):
            train(f, ol.SGD(lr=0.1), 2, checkpoint=file, **OPTIONS)


REFUSED = {
    "validation: got data of": lambda: train(
        data(), ol.SGD(lr=1.0), 1, validation=MLP([3, 16, 2], "tanh").on(data().X, data().y)
    ),
    "batch_size: got 1 with": lambda: train(data(norm="batch"), ol.SGD(lr=1.0), 1, batch_size=1),
    "f: got Cosine": lambda: train(ol.landscapes.Cosine(), ol.SGD(lr=1.0), 1),  # type: ignore[arg-type]
    "batch_size: got 71": lambda: train(data(), ol.SGD(lr=1.0), 1, batch_size=71),
    "patience: got 3 without": lambda: train(data(), ol.SGD(lr=1.0), 1, patience=3),
    "epochs: got -1": lambda: train(data(), ol.SGD(lr=1.0), -1),
    "theta: got float32(3,)": lambda: train(data(), ol.SGD(lr=1.0), 1, theta=np.zeros(3, np.float32)),
}


@pytest.mark.parametrize("message", REFUSED)
def test_refusals(message: str) -> None:
    with pytest.raises((TypeError, ValueError)) as caught:
        REFUSED[message]()
    assert str(caught.value).startswith(message), caught.value


def test_a_run_that_diverges_does_not_stop_the_others() -> None:
    mlp = MLP([3, 8, 1], "identity")
    f = mlp.on(data().X, data().X[:, :1].copy(), "mse")
    theta, rates = mlp.init(0, runs=2), np.array([1e-2, 1e3])
    with pytest.warns(RuntimeWarning, match="^train: run 1 had become NaN or infinite by step"):
        both = train(f, ol.SGD(lr=rates), 8, theta=theta, **OPTIONS)
    alone = train(f, ol.SGD(lr=1e-2), 8, theta=theta[0], **OPTIONS)
    assert (both.last[0] == alone.last[0]).all() and both.epochs == 8
    assert not np.isfinite(both.last[1]).all() and not np.isfinite(both.curves["train_loss"][-1, 1])


def test_an_interrupt_while_measuring_takes_the_epoch_back(monkeypatch: pytest.MonkeyPatch) -> None:
    from optlab.nn import training

    real, calls = training.evaluate, []

    def interrupted(*given: Any) -> Any:
        calls.append(given)
        if len(calls) == 6:  # in the third epoch, after the training data
            raise KeyboardInterrupt
        return real(*given)

    f = data(norm="batch")
    options = {**OPTIONS, "validation": data(seed=1, norm="batch")}
    monkeypatch.setattr(training, "evaluate", interrupted)
    history = train(f, ol.SGD(lr=0.1), 9, **options)
    monkeypatch.undo()
    straight = train(f, ol.SGD(lr=0.1), 2, **options)
    assert history.interrupted and history.epochs == 2
    for name in ("theta", "last", "averages", "best_epoch"):
        assert (getattr(history, name) == getattr(straight, name)).all(), name
    assert all((history.curves[name] == curve).all() for name, curve in straight.curves.items())


def test_accuracy_counts_no_nan() -> None:
    f = data()
    assert evaluate(f, np.full(f.dim, np.nan, np.float32)).accuracy == 0
