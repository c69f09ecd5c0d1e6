"""Networks as landscapes: against their formulas, complex steps, step-by-step loops; layouts, statistics, refusals."""

from __future__ import annotations

import itertools
import pickle
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from reference import network as twin

import optlab as ol
from optlab.nn import MLP

STREAM = 6
SHAPES = [
    ("tanh", None, "before"),
    *itertools.product(("elu", "sigmoid"), ("batch", "layer", "group"), ("before", "after")),
]
LOSSES = ("cross_entropy", "mse", "huber", "binary_cross_entropy", "kl_divergence", "l1")
CASES = [
    (*shape, LOSSES[k % len(LOSSES)], (None, True, False)[k % 3], rows)
    for k, (shape, rows) in enumerate(itertools.product(SHAPES, (1, 2, 3, 65)))
    if not (shape[1] == "batch" and rows == 1)
]


def problem(case: Any, dtype: str = "float64", dropout: float = 0.0) -> tuple[Any, Any]:
    """A landscape and a point of it that is nothing special."""
    activation, norm, position, loss, bias, rows = case
    mlp = MLP(
        [5, 9, 6, 3], activation, norm, position, dropout, bias, dtype=dtype, groups=3 if norm == "group" else None
    )
    rng = np.random.default_rng(rows)
    X = rng.normal(1, 2, (rows, 5)).astype(dtype)
    y = rng.integers(0, 3, rows) if loss == "cross_entropy" else rng.random((rows, 3)).astype(dtype)
    smoothing = 0.1 if "cross_entropy" in loss else 0.0
    f = mlp.on(X, y, loss, label_smoothing=smoothing, weight_decay=0.03, l1=0.02, delta=0.7)
    theta = mlp.init(seed=2) + 0.1 * rng.standard_normal(mlp.dim).astype(dtype)
    return f, theta


def draw(seed: int, step: int, run: int = 0) -> Any:
    return lambda n: ol.random.uniform((1, n), seed, stream=STREAM, step=step, first_run=run, dtype=np.float32)[0]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_value_and_gradient_are_those_of_the_formulas(case: Any) -> None:
    f, theta = problem(case)
    value, grad = f.value_and_grad(theta)
    np.testing.assert_allclose(value, twin.loss(f, theta), rtol=1e-13)
    assert f.value(theta) == value and (f.grad(theta) == grad).all()
    # Normalizing two rows divides by their small differences; the longest chain of roundings is some hundreds.
    np.testing.assert_allclose(grad, twin.gradient(f, theta), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("case", CASES[::3], ids=str)
def test_hessian_products_are_exact_and_symmetric(case: Any) -> None:
    f, theta = problem(case)
    v, w = np.random.default_rng(3).normal(size=(2, f.dim))
    product = f.hvp(theta, v)
    scale = np.abs(product).max()
    assert np.abs(product - twin.curvature(f, theta, v)).max() <= 1e-6 * scale
    assert abs(w @ product - v @ f.hvp(theta, w)) <= 1e-11 * np.linalg.norm(w) * np.linalg.norm(product)


@pytest.mark.parametrize("case", CASES[3::7], ids=str)
def test_float32_is_float64_rounded(case: Any) -> None:
    f, theta = problem(case, "float32")
    g, _ = problem(case)
    found = [f.value(theta), f.grad(theta), f.hvp(theta, f.grad(theta))]
    right = [twin.loss(g, theta.astype(float)), g.grad(theta.astype(float))]
    right.append(g.hvp(theta.astype(float), found[1].astype(float)))
    for ours, exact in zip(found, right, strict=True):
        # Three layers of sums of up to 65 terms, then normalization, which may multiply errors by the spread of rows.
        assert np.abs(ours - exact).max() <= 2e-4 * np.abs(exact).max()


@pytest.mark.parametrize("norm", [None, "batch", "layer"])
@pytest.mark.parametrize("position", ["before", "after"])
def test_dropout_draws_the_masks_of_its_address(norm: str | None, position: str) -> None:
    f, theta = problem(("tanh", norm, position, "cross_entropy", None, 9), dropout=0.4)
    frozen = f.sample(seed=5, step=7, run=3)
    masks = twin.drawn_masks(f.mlp, 9, draw(5, 7, 3))
    np.testing.assert_allclose(frozen.value(theta), twin.loss(f, theta, masks), rtol=1e-13)
    np.testing.assert_allclose(frozen.grad(theta), twin.gradient(f, theta, masks), rtol=1e-9, atol=1e-12)
    v = np.random.default_rng(1).normal(size=f.dim)
    wanted = twin.curvature(f, theta, v, masks)
    assert np.abs(frozen.hvp(theta, v) - wanted).max() <= 1e-6 * np.abs(wanted).max()
    assert f.value(theta) == pytest.approx(twin.loss(f, theta), rel=1e-13)  # without a step nothing is dropped


@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("norm", ["batch", "layer", "group"])
@pytest.mark.parametrize("position", ["before", "after"])
def test_noise_behind_normalization_is_that_of_its_address(norm: str, position: str, dropout: float) -> None:
    groups = 3 if norm == "group" else None
    shape, noise = [5, 9, 66, 3], (0.5, 1.25, 0.1)
    mlp = MLP(shape, "tanh", norm, position, dropout, dtype="float64", groups=groups, norm_noise=noise)
    rng = np.random.default_rng(0)
    f = mlp.on(rng.normal(1, 2, (9, 5)), rng.integers(0, 3, 9))
    theta, v = mlp.init(seed=2) + 0.1 * rng.standard_normal(mlp.dim), rng.normal(size=mlp.dim)
    frozen, at = f.sample(seed=5, step=7, run=3), {"seed": 5, "stream": 7, "step": 7, "first_run": 3}
    drawn = twin.drawn_noise(
        mlp, 9, lambda n: ol.random.uniform((1, n), **at)[0], lambda n: ol.random.normal((1, n), **at)[0]
    )
    masks = twin.drawn_masks(mlp, 9, draw(5, 7, 3)) if dropout else None
    np.testing.assert_allclose(frozen.value(theta), twin.loss(f, theta, masks, drawn), rtol=1e-13)
    np.testing.assert_allclose(frozen.grad(theta), twin.gradient(f, theta, masks, drawn), rtol=1e-9, atol=1e-12)
    for g, given in ((f, (None, None)), (frozen, (masks, drawn))):
        for k, (_, h) in enumerate(twin.hidden(mlp, theta, f.X, given[0], None, given[1])):
            np.testing.assert_allclose(g.outputs(theta, k), h, rtol=1e-9, atol=1e-12)
    wanted = twin.curvature(f, theta, v, masks, drawn)
    assert np.abs(frozen.hvp(theta, v) - wanted).max() <= 1e-6 * np.abs(wanted).max()
    assert f.stochastic and not frozen.stochastic
    assert f.value(theta) == pytest.approx(twin.loss(f, theta), rel=1e-13)  # without a step there is none


def test_noise_of_many_rows_and_of_a_study() -> None:
    rng = np.random.default_rng(0)
    mlp = MLP([3, 4, 2], "tanh", "layer", dtype="float64", norm_noise=(0.3, 1.5, 0.2))
    f = mlp.on(rng.normal(size=(9000, 3)), rng.integers(0, 2, 9000))  # done in parts
    theta = mlp.init(runs=2, seed=0)
    at = {"seed": 1, "stream": 7, "step": 2, "first_run": 1}
    drawn = twin.drawn_noise(
        mlp, 9000, lambda n: ol.random.uniform((1, n), **at)[0], lambda n: ol.random.normal((1, n), **at)[0]
    )
    frozen = f.sample(seed=1, step=2, run=1)
    np.testing.assert_allclose(frozen.value(theta[1]), twin.loss(f, theta[1], noise=drawn), rtol=1e-12)
    np.testing.assert_allclose(frozen.outputs(theta[1]), twin.outputs(mlp, theta[1], f.X, None, None, drawn), rtol=1e-9)
    path = ol.descend(f, ol.SGD(lr=0.5), theta, 1, seed=1, first_step=2)
    assert (path.last[1] == theta[1] - 0.5 * frozen.grad(theta[1])).all()


@pytest.mark.parametrize("activation", ["tanh", "elu"])
@pytest.mark.parametrize("rows", [1, 9, 4100])
def test_jacobian_penalty(activation: str, rows: int) -> None:
    rng = np.random.default_rng(0)
    mlp = MLP([3, 4, 3, 2], activation, dropout=0.2, dtype="float64")
    X, y = rng.normal(size=(rows, 3)), rng.random((rows, 2))
    f, plain = (mlp.on(X, y, "mse", jacobian=mu).sample(seed=1, step=2) for mu in (0.7, 0.0))
    theta, masks = mlp.init(seed=3), twin.drawn_masks(mlp, rows, draw(1, 2))

    def penalty(point: Any) -> Any:
        # A complex step along each input of all samples at once: samples do not see each other.
        h = 1e-20
        moved = [twin.outputs(mlp, point.astype(complex), X + 1j * h * e, masks).imag / h for e in np.eye(3)]
        return 0.7 / 2 * np.sum(np.square(moved)) / rows

    value, grad = f.value_and_grad(theta)
    assert value == pytest.approx(plain.value(theta) + penalty(theta), rel=1e-12)
    assert f.value(theta) == value
    v = rng.normal(size=f.dim)
    h = 1e-6
    slope = (penalty(theta + h * v) - penalty(theta - h * v)) / (2 * h)  # wrong by h^2 and by eps / h
    assert (grad - plain.grad(theta)) @ v == pytest.approx(slope, rel=1e-6)


def test_many_rows_are_done_in_parts() -> None:
    rng = np.random.default_rng(0)
    mlp = MLP([3, 4, 2], "tanh", dropout=0.25, dtype="float64")
    f = mlp.on(rng.normal(size=(9000, 3)), rng.integers(0, 2, 9000))
    theta = mlp.init(seed=0)
    masks = twin.drawn_masks(mlp, 9000, draw(1, 2))
    frozen = f.sample(seed=1, step=2)
    np.testing.assert_allclose(frozen.value(theta), twin.loss(f, theta, masks), rtol=1e-12)
    np.testing.assert_allclose(frozen.grad(theta), twin.gradient(f, theta, masks), rtol=1e-9, atol=1e-12)


def test_a_batch_is_the_landscape_of_its_rows() -> None:
    for loss in ("cross_entropy", "mse"):
        f, theta = problem(("tanh", "batch", "before", loss, None, 65))
        index = np.array([3, 64, 3, 0, 17])
        part = f.mlp.on(f.X[index], f.y[index], **asdict(f.options))
        assert (f.grad(theta, batch=index) == part.grad(theta)).all()
        assert f.value(theta, batch=index) == part.value(theta)
        assert (f.hvp(theta, theta, batch=index) == part.hvp(theta, theta)).all()


@pytest.mark.parametrize("sampling", ["replacement", "shuffle", "order"])
@pytest.mark.parametrize("norm", [None, "batch"])
def test_descend_is_the_loop_of_steps_bit_for_bit(sampling: str, norm: str | None) -> None:
    f, _ = problem(("relu", norm, "before", "cross_entropy", None, 65), "float32", dropout=0.3)
    x0 = f.mlp.init(seed=1, runs=2)
    path = ol.descend(f, ol.Adam(lr=1e-2), x0, 6, batch_size=8, sampling=sampling, seed=4, first_run=5)
    for run, x in enumerate(x0.copy()):
        opt = ol.Adam(lr=1e-2)
        state = opt.init(x)
        for t in range(6):
            frozen = f.sample(4, t, 5 + run)
            batch = batch_of(sampling, 4, t, 5 + run)
            frozen = ol.nn.NetworkLandscape(f.mlp, f.X[batch], f.y[batch], frozen=(4, t, 5 + run), **asdict(f.options))
            opt.step(x, frozen.grad(x), state)
        assert (path.last[run] == x).all()


def batch_of(sampling: str, seed: int, t: int, run: int, size: int = 8, samples: int = 65) -> Any:
    if sampling == "replacement":
        return ol.random.integers(size, samples, seed, step=t, first_run=run)
    places = np.arange(t * size, (t + 1) * size)
    if sampling == "order":
        return places % samples
    return np.array(
        [ol.random.permutation(samples, seed, step=p // samples, first_run=run)[p % samples] for p in places]
    )


def test_runs_equal_one_run_at_a_time() -> None:
    f, _ = problem(("relu", "batch", "after", "mse", None, 65), "float32", dropout=0.2)
    x0 = f.mlp.init(seed=1, runs=3)
    together = ol.descend(f, ol.SGD(lr=0.1, momentum=0.9), x0, 5, batch_size=16, seed=1)
    for run in range(3):
        alone = ol.descend(f, ol.SGD(lr=0.1, momentum=0.9), x0[run], 5, batch_size=16, seed=1, first_run=run)
        assert (alone.last[0] == together.last[run]).all()
        assert (alone.state["averages"][0] == together.state["averages"][run]).all()


def test_running_averages_and_predictions() -> None:
    f, theta = problem(("tanh", "batch", "before", "cross_entropy", None, 65))
    mlp, momentum = f.mlp, f.mlp.momentum
    path = ol.descend(f, ol.SGD(lr=0.0), theta, 3, batch_size=20, seed=2)
    mean, var = np.zeros(mlp.norm_columns), np.ones(mlp.norm_columns)
    for t in range(3):
        rows = f.X[ol.random.integers(20, 65, 2, step=t)]
        inner = np.concatenate([z for z, _ in list(twin.hidden(mlp, theta, rows, None))[:-1]], axis=1)
        mean = (1 - momentum) * mean + momentum * inner.mean(0)
        var = (1 - momentum) * var + momentum * inner.var(0, ddof=1)
    averages = mlp.averages(path.state)
    np.testing.assert_allclose(averages.mean, mean, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(averages.var, var, rtol=1e-12)
    np.testing.assert_allclose(
        mlp.predict(theta, f.X, averages), twin.outputs(mlp, theta, f.X, stats=averages), rtol=1e-11
    )
    own = mlp.statistics(theta, f.X)
    np.testing.assert_allclose(mlp.predict(theta, f.X, own), twin.outputs(mlp, theta, f.X), rtol=1e-11, atol=1e-13)


def test_averages_belong_to_the_steps_taken() -> None:
    f, theta = problem(("tanh", "batch", "before", "cross_entropy", None, 65))
    options = {"batch_size": 20, "seed": 2}
    plain = ol.descend(f, ol.SGD(lr=0.0), theta, 1, **options).state["averages"]
    stopped = ol.descend(f, ol.SGD(lr=0.0), theta, 1, stop=ol.stop.value(1e9), **options)
    assert stopped.stop_step == 0
    assert (stopped.state["averages"] == np.repeat([0.0, 1.0], f.mlp.norm_columns)).all()
    jump = ol.Perturbation(radius=1e-300, grad_norm=1e9, wait=10)
    assert (ol.descend(f, ol.SGD(lr=0.0), theta, 1, perturbation=jump, **options).state["averages"] == plain).all()


def test_nothing_need_be_recorded() -> None:
    f, theta = problem(("tanh", None, "before", "mse", None, 9))
    bare = ol.descend(f, ol.SGD(lr=0.1), theta, 3, record=[])
    assert bare.value.shape == (0, 1) and (bare.last == ol.descend(f, ol.SGD(lr=0.1), theta, 3).last).all()


def test_continued_training_is_one_training() -> None:
    f, _ = problem(("relu", "batch", "before", "cross_entropy", None, 65), "float32", dropout=0.2)
    x0, options = f.mlp.init(seed=3), {"batch_size": 10, "sampling": "shuffle", "seed": 6}
    whole = ol.descend(f, ol.AdamW(lr=1e-2), x0, 9, **options)
    first = ol.descend(f, ol.AdamW(lr=1e-2), x0, 4, **options)
    second = ol.descend(f, ol.AdamW(lr=1e-2), first.last, 5, state=first.state, first_step=4, **options)
    assert (whole.last == second.last).all()
    assert all((whole.state[name] == second.state[name]).all() for name in whole.state)


def test_norms_of_layers() -> None:
    f, theta = problem(("tanh", None, "before", "mse", None, 9))
    found = f.norms(theta)
    wanted = [np.linalg.norm(h) for _, h in twin.hidden(f.mlp, theta, f.X, None)]
    np.testing.assert_allclose(found["outputs"], wanted, rtol=1e-13)
    slope = 2 * (twin.outputs(f.mlp, theta, f.X) - f.y) / f.y.size
    np.testing.assert_allclose(found["slopes"][-1], np.linalg.norm(slope), rtol=1e-12)


def test_layout_names_shapes_and_views() -> None:
    mlp = MLP([4, 3, 2], norm="batch")
    shapes = {"layers.0.weight": (3, 4), "layers.0.norm.weight": (3,), "layers.0.norm.bias": (3,)}
    shapes |= {"layers.1.weight": (2, 3), "layers.1.bias": (2,)}
    assert {s.name: s.shape for s in mlp.layout} == shapes
    theta = mlp.init(seed=0, runs=2)
    views = mlp.views(theta)
    assert views["layers.0.weight"].shape == (2, 3, 4) and (views["layers.0.norm.weight"] == 1).all()
    views["layers.1.bias"][1] = 7
    assert (theta[1, -2:] == 7).all()
    assert "layers.0.bias" in {s.name for s in MLP([4, 3, 2], norm="batch", norm_position="after").layout}
    assert MLP([784, 512, 512, 10]).dim == 669_706 and MLP([50, 100, 100, 10]).dim == 16_210


def test_landscapes_pickle() -> None:
    f, theta = problem(("tanh", "batch", "before", "cross_entropy", None, 9))
    again = pickle.loads(pickle.dumps(f))
    assert (again.grad(theta) == f.grad(theta)).all()


GOOD_X, GOOD_Y = np.zeros((4, 3), np.float32), np.zeros(4, np.int64)
REFUSED = {
    "widths: got 0": lambda: MLP([3, 0, 2]),
    "widths: got": lambda: MLP([3]),
    "activation: got 'rellu'": lambda: MLP([3, 2], "rellu"),
    "norm: got 'bach'": lambda: MLP([3, 2], norm="bach"),
    "groups: got 2 with norm='layer'": lambda: MLP([3, 4, 2], norm="layer", groups=2),
    "groups: got None": lambda: MLP([3, 4, 2], norm="group"),
    "groups: got 3, expected a divisor of the 4": lambda: MLP([3, 6, 4, 2], norm="group", groups=3),
    "groups: got 0": lambda: MLP([3, 2], norm="group", groups=0),
    "groups: got 'x'": lambda: MLP([3, 2], norm="group", groups="x"),  # type: ignore[arg-type]
    "dropout: got 1.0": lambda: MLP([3, 2], dropout=1.0),
    "norm_noise: got (1.0, 2.0, 0.1) without": lambda: MLP([3, 2], norm_noise=(1.0, 2.0, 0.1)),
    "norm_noise: got 0.1, expected (shift": lambda: MLP([3, 2], norm="batch", norm_noise=0.1),  # type: ignore[arg-type]
    "norm_noise: scale: got 0.5": lambda: MLP([3, 2], norm="batch", norm_noise=(1.0, 0.5, 0.1)),
    "layer: got 2, expected a whole number from -2 to 1": lambda: (
        MLP([3, 2, 2]).on(GOOD_X, GOOD_Y).outputs(np.zeros(14, np.float32), 2)
    ),
    "to_torch: got a network with norm_noise": lambda: MLP([3, 2], norm="layer", norm_noise=(0.0, 1.0, 0.1)).to_torch(
        np.zeros(8, np.float32)
    ),
    "X, y: got shapes": lambda: MLP([3, 2]).on(GOOD_X, GOOD_Y[:3]),
    "X: got dtype float64": lambda: MLP([3, 2]).on(GOOD_X.astype(float), GOOD_Y),
    "X: got shape": lambda: MLP([5, 2]).on(GOOD_X, GOOD_Y),
    "X: got a number that is NaN": lambda: MLP([3, 2]).on(GOOD_X * np.nan, GOOD_Y),
    "y: got 2 in row 0": lambda: MLP([3, 2]).on(GOOD_X, GOOD_Y + 2),
    "loss: got 'hinge'": lambda: MLP([3, 2]).on(GOOD_X, GOOD_Y, "hinge"),
    "label_smoothing: got 0.1": lambda: MLP([3, 1]).on(GOOD_X, GOOD_X[:, 0], "mse", label_smoothing=0.1),
    "x: got dtype float64, expected float32": lambda: MLP([3, 2]).on(GOOD_X, GOOD_Y).value(np.zeros(8)),
    "x: got 7 coordinates": lambda: MLP([3, 2]).on(GOOD_X, GOOD_Y).value(np.zeros(7, np.float32)),
    "batch: got sample 4": lambda: MLP([3, 2]).on(GOOD_X, GOOD_Y).grad(np.zeros(8, np.float32), batch=np.array([4])),
    "jacobian: got 1.0 with norm": lambda: MLP([3, 2], norm="layer").on(GOOD_X, GOOD_Y, jacobian=1.0),
    "hvp: got a Jacobian penalty": lambda: (
        MLP([3, 2]).on(GOOD_X, GOOD_Y, jacobian=1.0).hvp(np.zeros(8, np.float32), np.zeros(8, np.float32))
    ),
    "hvp: got a landscape with dropout": lambda: (
        MLP([3, 2, 2], dropout=0.5).on(GOOD_X, GOOD_Y).hvp(np.zeros(14, np.float32), np.zeros(14, np.float32))
    ),
    "stats: got None": lambda: MLP([3, 2, 2], norm="batch").predict(np.zeros(16, np.float32), GOOD_X),
    "theta: got float32": lambda: MLP([3, 2]).predict(np.zeros(9, np.float32), GOOD_X),
}


@pytest.mark.parametrize("message", REFUSED)
def test_refusals(message: str) -> None:
    with pytest.raises((TypeError, ValueError, IndexError)) as caught:
        REFUSED[message]()
    assert str(caught.value).startswith(message), caught.value
    assert "\n" not in str(caught.value)
