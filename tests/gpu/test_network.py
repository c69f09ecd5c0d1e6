"""Networks on the GPU against those of the CPU: values, gradients, Hessian products, and whole trainings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import optlab as ol
from optlab.backends.gpu.device import Device, download, upload

WIDTHS = [5, 9, 6, 3]
ROWS = 33
# Products are summed in another order than on the CPU: each sum of up to 64 terms differs by some ulps of its size;
# three layers forward and back multiply what is lost, and normalization over two units by the inverse of their spread.
TOLERANCE = {np.dtype(real): 1000 * np.finfo(real).eps for real in (np.float32, np.float64)}

NETWORKS: dict[str, dict[str, Any]] = {
    "plain": {"activation": "tanh"},
    "relu": {"activation": "relu", "bias": False},
    "batch": {"activation": "relu", "norm": "batch"},
    "batch_after": {"activation": "sigmoid", "norm": "batch", "norm_position": "after"},
    "layer": {"activation": "elu", "norm": "layer"},
    "group": {"activation": "tanh", "norm": "group", "groups": 3, "bias": True},
    "dropout": {"activation": "tanh", "dropout": 0.4},
    "batch_dropout": {"activation": "tanh", "norm": "batch", "dropout": 0.3},
    "after_dropout": {"activation": "tanh", "norm": "layer", "norm_position": "after", "dropout": 0.3},
}
LOSSES = ["cross_entropy", "mse", "l1", "huber", "binary_cross_entropy", "kl_divergence"]


def data(loss: str, dtype: Any, rows: int = ROWS) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    X = rng.standard_normal((rows, WIDTHS[0])).astype(dtype)
    if loss == "cross_entropy":
        return X, rng.integers(0, WIDTHS[-1], rows)
    targets = rng.random((rows, WIDTHS[-1])).astype(dtype)
    return X, targets / targets.sum(axis=1, keepdims=True, dtype=dtype)


def pair(name: str, dtype: Any, loss: str = "cross_entropy", rows: int = ROWS, **options: Any) -> tuple[Any, Any, Any]:
    """The landscape here and there, and a point; masks are frozen."""
    mlp = ol.nn.MLP(WIDTHS, dtype=np.dtype(dtype).name, **NETWORKS[name])
    X, y = data(loss, dtype, rows)
    here, there = mlp.on(X, y, loss, **options), mlp.on(upload(X), upload(y), loss, **options)
    if mlp.dropout:
        here, there = here.sample(seed=7, step=3, run=2), there.sample(seed=7, step=3, run=2)
    theta = mlp.init(seed=4)
    return here, there, theta + 0.1 * np.random.default_rng(2).standard_normal(theta.shape).astype(dtype)


def assert_close(got: Any, expected: Any, factor: float = 1.0) -> None:
    got, expected = np.asarray(download(got) if hasattr(got, "get") else got), np.asarray(expected)
    scale = max(1.0, float(np.abs(expected).max()))
    assert np.abs(got - expected).max() <= factor * TOLERANCE[expected.dtype] * scale


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", NETWORKS)
def test_value_gradient_and_product(device: Device, name: str, dtype: Any) -> None:
    here, there, theta = pair(name, dtype)
    value, grad = here.value_and_grad(theta)
    got_value, got_grad = there.value_and_grad(upload(theta))
    assert_close(got_value, value)
    assert_close(got_grad, grad)
    v = np.random.default_rng(3).standard_normal(theta.shape).astype(dtype)
    assert_close(there.hvp(upload(theta), upload(v)), here.hvp(theta, v), factor=8)


@pytest.mark.parametrize("loss", LOSSES)
def test_losses_and_penalties(device: Device, loss: str) -> None:
    smoothing = {"label_smoothing": 0.1} if loss in ("cross_entropy", "binary_cross_entropy") else {}
    here, there, theta = pair("plain", np.float64, loss, weight_decay=0.3, l1=0.02, **smoothing)
    assert_close(there.value(upload(theta)), here.value(theta))
    assert_close(there.grad(upload(theta)), here.grad(theta))
    assert_close(there.hvp(upload(theta), upload(theta)), here.hvp(theta, theta), factor=8)


def test_many_points_and_batches(device: Device) -> None:
    here, there, theta = pair("batch", np.float64)
    points = np.stack([theta, 1.1 * theta, 0.9 * theta])
    index = np.array([3, 3, 1, 32, 0, 7, 9])
    assert_close(there.value(upload(points), batch=upload(index)), here.value(points, batch=index))
    assert_close(there.grad(upload(points), batch=upload(index)), here.grad(points, batch=index))
    with pytest.raises(ValueError, match="batch: expected at least one number from 0 to 32"):
        there.value(upload(theta), batch=upload(np.array([33])))


@pytest.mark.parametrize("name", ["plain", "dropout"])
def test_parts_of_many_rows(device: Device, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("optlab.backends.gpu.network.ROWS_AT_ONCE", 10)
    here, there, theta = pair(name, np.float64)
    assert_close(there.value(upload(theta)), here.value(theta))
    assert_close(there.grad(upload(theta)), here.grad(theta))
    assert_close(there.hvp(upload(theta), upload(theta)), here.hvp(theta, theta), factor=8)


def test_outputs_and_statistics(device: Device) -> None:
    here, _, theta = pair("batch", np.float64)
    X, there = here.X, here.mlp
    stats, got = there.statistics(theta, X), there.statistics(upload(theta), upload(X))
    assert_close(got.mean, stats.mean)
    assert_close(got.var, stats.var)
    assert_close(there.predict(upload(theta), upload(X), got), there.predict(theta, X, stats))


TRAININGS: dict[str, dict[str, Any]] = {
    "whole": {},
    "replacement": {"batch_size": 8},
    "shuffle": {"batch_size": 8, "sampling": "shuffle"},
    "order": {"batch_size": 7, "sampling": "order", "noise": 1e-6},
    "recorded": {"batch_size": 8, "record": 3},
    "scheduled": {"batch_size": 8, "schedule": lambda t: 1 / (1 + t), "first_step": 5, "first_run": 3},
}


@pytest.mark.parametrize("how", TRAININGS)
@pytest.mark.parametrize("name", ["plain", "batch_dropout"])
def test_training(device: Device, name: str, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("optlab.backends.gpu.training.TABLE", 200)  # so that tables are written more than once
    mlp = ol.nn.MLP(WIDTHS, dtype="float64", **NETWORKS[name])
    X, y = data("cross_entropy", np.float64)
    start, opt = mlp.init(seed=0, runs=2), ol.AdamW(lr=0.02, groups={"*.bias": {"weight_decay": 0.0}})
    here = ol.descend(mlp.on(X, y), opt, start, steps=10, seed=9, **TRAININGS[how])
    there = ol.descend(mlp.on(upload(X), upload(y)), opt, upload(start), steps=10, seed=9, **TRAININGS[how])
    for got, expected in ((there.last, here.last), (there.value, here.value), (there.grad_norm, here.grad_norm)):
        assert_close(got, expected, factor=1e3)  # Adam divides by small averages
    assert_close(there.x, here.x, factor=1e3)
    for state_name, expected in here.state.items():
        if state_name not in ("step", "format"):
            assert_close(there.state[state_name], expected, factor=1e3)
    assert there.state["step"] == here.state["step"] == 10


@pytest.mark.parametrize("opt", [ol.SGD(lr=0.1, momentum=0.9, clip_norm=0.5), ol.LAMB(lr=0.01), ol.AdamW8bit(lr=0.01),
                                 ol.SGD(lr=[0.1, 0.2])], ids=["clipped", "layerwise", "bytes", "swept"])  # fmt: skip
def test_training_with_other_optimizers(device: Device, opt: ol.Optimizer) -> None:
    mlp = ol.nn.MLP(WIDTHS, activation="tanh")
    X, y = data("cross_entropy", np.float32)
    start = mlp.init(seed=0, runs=2)
    here = ol.descend(mlp.on(X, y), opt, start, steps=6, batch_size=8)
    there = ol.descend(mlp.on(upload(X), upload(y)), opt, upload(start), steps=6, batch_size=8)
    # a rounding of a byte may fall on the other side
    assert_close(there.last, here.last, factor=2e3 if isinstance(opt, ol.AdamW8bit) else 20)


def test_a_training_goes_on_where_it_ended(device: Device) -> None:
    mlp = ol.nn.MLP(WIDTHS, activation="tanh", norm="batch", dropout=0.2)
    X, y = data("cross_entropy", np.float32)
    f, opt, start = mlp.on(upload(X), upload(y)), ol.Adam(lr=0.01), upload(mlp.init(seed=0))
    whole = ol.descend(f, opt, start, steps=9, batch_size=8, seed=3)
    half = ol.descend(f, opt, start, steps=4, batch_size=8, seed=3)
    rest = ol.descend(f, opt, half.last, steps=5, batch_size=8, seed=3, state=half.state, first_step=4)
    np.testing.assert_array_equal(download(rest.last), download(whole.last))
    np.testing.assert_array_equal(download(rest.state["averages"]), download(whole.state["averages"]))


@pytest.mark.parametrize("products", ["tf32", "bf16"])
def test_coarser_products_stay_near(device: Device, products: str) -> None:
    here, there, theta = pair("plain", np.float32, products=products)
    _, exact, _ = pair("plain", np.float32)
    bits = {"tf32": 10, "bf16": 7}[products]
    found, wanted = download(there.grad(upload(theta))), download(exact.grad(upload(theta)))
    error = np.abs(found - wanted).max() / np.abs(wanted).max()
    # Factors are rounded by half of 2^-bits at most; four layers forward and back.
    assert 0 < error < 8 * 2.0**-bits
    with pytest.raises(ValueError, match=r"products: got .* on the CPU"):
        here.value(theta)


def test_guests_are_computed_on_the_gpu(device: Device) -> None:
    here, _, theta = pair("plain", np.float64)
    with ol.device("gpu"):
        value, path = here.value(theta), ol.descend(here, ol.SGD(lr=0.1), theta, steps=3, batch_size=5)
    assert type(path.last) is np.ndarray
    assert_close(value, here.value(theta))
    assert_close(path.last, ol.descend(here, ol.SGD(lr=0.1), theta, steps=3, batch_size=5).last)


def test_refusals(device: Device) -> None:
    here, there, theta = pair("plain", np.float32)
    with pytest.raises(TypeError, match="X: got a NumPy array beside arrays of the GPU"):
        here.value(upload(theta))
    with pytest.raises(TypeError, match="x: got dtype float64"):
        there.value(upload(theta.astype(np.float64)))
    with pytest.raises(ValueError, match="stop: got one for a network on the GPU"):
        ol.descend(there, ol.SGD(lr=0.1), upload(theta), steps=1, stop=ol.stop.value(0.1))
    with pytest.raises(ValueError, match="jacobian"):
        pair("plain", np.float32, jacobian=0.1)
    with pytest.raises(ValueError, match="products: got 'fp8'"):
        pair("plain", np.float32, products="fp8")
    with pytest.raises(ValueError, match="label"):
        here.mlp.on(upload(here.X), upload(np.full(ROWS, 3)))
