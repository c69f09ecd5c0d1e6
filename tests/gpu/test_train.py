"""``nn.train`` on data in GPU arrays: epochs, validation, early stopping, checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reference.compare import assert_same_bits

import optlab as ol
from optlab.backends.gpu.device import Device, download, on_gpu, upload
from optlab.nn import checkpoint as checkpoints


def networks(there: bool, **options: Any) -> tuple[ol.nn.NetworkLandscape, ol.nn.NetworkLandscape]:
    """On training and on validation data, on the GPU or not."""
    mlp = ol.nn.MLP([2, 8, 3], activation="tanh", dtype="float64", **options)
    X, y = ol.data.spirals(60, classes=3, noise=0.05, seed=0)
    X = X.astype(np.float64)
    place = upload if there else np.asarray
    return mlp.on(place(X[:40]), place(y[:40])), mlp.on(place(X[40:]), place(y[40:]))


def trained(there: bool, epochs: int = 4, network: Any = None, **options: Any) -> ol.nn.History:
    f, held = networks(there, **(network or {}))
    return ol.nn.train(f, ol.Adam(lr=0.05), epochs, batch_size=8, validation=held, seed=3, **options)


def on_host(array: Any) -> Any:
    return download(array) if on_gpu(array) else array


def assert_same_history(found: ol.nn.History, wanted: ol.nn.History) -> None:
    for name, rows in wanted.curves.items():
        assert type(found.curves[name]) is np.ndarray
        assert_same_bits(found.curves[name], rows)
    for name in ("theta", "last", "averages", "best_epoch", "stopped_epoch"):
        got, expected = getattr(found, name), getattr(wanted, name)
        assert (got is None) == (expected is None)
        if expected is not None:
            assert_same_bits(on_host(got), on_host(expected))


@pytest.mark.parametrize("network", ({}, {"norm": "batch"}))
def test_a_training_there_is_that_of_numpy_arrays(device: Device, network: Any) -> None:
    here, there = trained(False, network=network), trained(True, network=network)
    for name in ("theta", "last", "averages"):
        got, expected = getattr(there, name), getattr(here, name)
        assert (got is None) == (expected is None)
        if got is not None:
            assert on_gpu(got)
            np.testing.assert_allclose(download(got), expected, rtol=1e-9, atol=1e-12)  # sums in another order
    for name, rows in here.curves.items():
        assert type(there.curves[name]) is np.ndarray and there.curves[name].dtype == rows.dtype
        np.testing.assert_allclose(there.curves[name], rows, rtol=1e-9)
    assert there.best_epoch.tolist() == here.best_epoch.tolist()
    assert all(on_gpu(array) for name, array in there.state.items() if name not in ("step", "format"))
    stats = there.stats()
    assert (stats is not None and on_gpu(stats.mean)) == bool(network)


def test_its_steps_are_those_of_descend(device: Device) -> None:
    f, _ = networks(True)
    history = trained(True)
    start = upload(f.mlp.init(3))
    path = ol.descend(f, ol.Adam(lr=0.05), start, 20, batch_size=8, sampling="shuffle", seed=3, record=[])
    assert_same_bits(download(history.last), download(path.last))


def test_early_stopping(device: Device) -> None:
    f, held = networks(True)
    theta = upload(np.stack([f.mlp.init(0), f.mlp.init(1)]))
    history = ol.nn.train(f, ol.SGD(lr=3.0), 30, batch_size=8, validation=held, theta=theta, patience=2)
    losses = history.curves["validation_loss"]
    assert history.epochs < 30 and history.best_epoch.tolist() == (losses.argmin(axis=0) + 1).tolist()
    for run in range(2):
        assert float(ol.nn.evaluate(held, history.theta[run]).loss) == losses[history.best_epoch[run] - 1, run]


@pytest.mark.parametrize("network", ({}, {"norm": "batch"}))
def test_a_checkpoint_holds_numpy_arrays_and_goes_on(device: Device, tmp_path: Path, network: Any) -> None:
    path = tmp_path / "training.npz"
    whole = trained(True, network=network)
    trained(True, 2, checkpoint=path, network=network)
    with np.load(path) as archive:
        assert {"last", "best", "state.exp_avg", "state.step"} <= set(archive.files)
    rest = trained(True, 4, checkpoint=path, network=network)
    assert on_gpu(rest.theta) and on_gpu(rest.state["exp_avg"])
    assert_same_history(rest, whole)
    assert_same_history(trained(True, 4, checkpoint=path, network=network), whole)  # all of it from the file
    assert trained(False, 4, checkpoint=path, network=network).epochs == 4  # which belongs to no device


def test_a_kill_while_saving_leaves_the_file(device: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, save, saved = tmp_path / "training.npz", checkpoints.save, 0

    def once(*given: Any) -> None:
        nonlocal saved
        saved += 1
        if saved == 3:
            raise RuntimeError("killed")
        save(*given)

    monkeypatch.setattr(checkpoints, "save", once)
    with pytest.raises(RuntimeError, match="killed"):
        trained(True, checkpoint=path)
    assert_same_history(trained(True, checkpoint=path), trained(True))


def test_a_run_that_diverges_does_not_stop_the_others(device: Device) -> None:
    mlp, (data, _) = ol.nn.MLP([2, 8, 1], "identity", dtype="float64"), networks(True)
    f = mlp.on(data.X, data.X[:, :1].copy(), "mse")
    theta, rates = upload(mlp.init(0, runs=2)), np.array([1e-2, 1e30])
    with np.errstate(all="ignore"), pytest.warns(RuntimeWarning, match="^train: run 1 had become NaN or infinite by"):
        both = ol.nn.train(f, ol.SGD(lr=rates), 3, theta=theta, batch_size=4)
    alone = ol.nn.train(f, ol.SGD(lr=1e-2), 3, theta=theta[0], batch_size=4)
    assert_same_bits(download(both.last[0]), download(alone.last[0]))
    assert not np.isfinite(download(both.last[1])).all() and not np.isfinite(both.curves["train_loss"][-1, 1])


def test_arrays_of_two_devices_are_refused(device: Device) -> None:
    (here, held), (there, held_there) = networks(False), networks(True)
    theta = here.mlp.init(0)
    for f, options, said in (
        (there, {"theta": theta}, "theta: got NumPy arrays, expected CuPy arrays, as"),
        (here, {"theta": upload(theta)}, "theta: got CuPy arrays, expected NumPy arrays, as"),
        (there, {"validation": held}, "validation: got NumPy arrays"),
        (here, {"validation": held_there}, "validation: got CuPy arrays"),
    ):
        with pytest.raises(TypeError, match=f"^{said}"):
            ol.nn.train(f, ol.SGD(lr=0.1), 1, **options)
