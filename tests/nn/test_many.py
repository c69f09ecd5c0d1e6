"""Many small networks at once, whose runs share registers: the bits of one network at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import optlab as ol
from optlab.nn import MLP

RUNS = 19  # more than one register holds, the last one not full
CASES = [
    # widths, activation, loss, bias, dropout, samples (more than one chunk or block), batch size
    ([3, 5, 4], "relu", "cross_entropy", None, 0.3, 50, 7),
    ([2, 16, 16, 2], "tanh", "smoothed", None, 0.0, 1200, 32),
    ([3, 7, 4], "elu", "shares", None, 0.0, 40, None),
    ([6, 530, 1], "sigmoid", "mse", None, 0.1, 1100, 600),
    ([7, 1], "relu", "huber", False, 0.0, 4500, None),
    ([4, 3, 40], "leaky_relu", "cross_entropy", False, 0.0, 70, None),
    ([1, 9, 3], "tanh", "kl_divergence", None, 0.0, 4500, 65),
    ([5, 4, 2], "sigmoid", "binary_cross_entropy", None, 0.5, 33, None),
    ([13, 8, 7, 6, 2], "elu", "l1", None, 0.2, 65, 64),
    ([2, 3, 1], "tanh", "mse", None, 0.5, 4200, None),
]


def problem(case: Any, dtype: str) -> ol.nn.NetworkLandscape:
    widths, activation, loss, bias, dropout, n, _ = case
    rng = np.random.default_rng(n)
    X = rng.standard_normal((n, widths[0])).astype(dtype)
    y = (
        rng.integers(0, widths[-1], n)
        if loss in ("cross_entropy", "smoothed")
        else rng.dirichlet(np.ones(widths[-1]), n)
    )
    y = y if y.ndim == 1 else y.astype(dtype)
    mlp = MLP(widths, activation, bias=bias, dropout=dropout, dtype=dtype)
    smoothing = 0.1 if loss == "smoothed" else 0.0
    loss = "cross_entropy" if loss in ("smoothed", "shares") else loss
    return mlp.on(X, y, loss, label_smoothing=smoothing, weight_decay=0.01, l1=0.001)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_runs_in_lanes_are_runs_alone(case: Any, dtype: str) -> None:
    f = problem(case, dtype)
    options: Any = {"batch_size": case[-1], "seed": 3, "record": 2}
    options |= {"sampling": "shuffle"} if case[-1] else {}
    start = f.mlp.init(0, runs=RUNS)
    together = ol.descend(f, ol.Adam(lr=0.01), start, 5, **options)
    for run in (0, 7, RUNS - 1):
        alone = ol.descend(f, ol.Adam(lr=0.01), start[run], 5, first_run=run, **options)
        assert (together.last[run] == alone.last[0]).all()
        assert (together.value[:, run] == alone.value[:, 0]).all()
        assert (together.grad_norm[:, run] == alone.grad_norm[:, 0]).all()


@pytest.mark.parametrize(
    ("optimizer", "options"),
    [
        (ol.AdamW(lr=np.linspace(1e-3, 1e-2, RUNS), weight_decay=0.1), {}),
        (ol.AdamW(lr=1e-2, groups={"*.bias": {"weight_decay": 0.3, "lr": 1e-3}}), {"noise": 1e-6}),
        (ol.AdamW8bit(lr=1e-2), {}),
        (ol.LAMB(lr=1e-2), {"gradient_noise": 1e-2}),
        (ol.SGD(lr=0.1, momentum=0.9, clip_norm=0.1, max_norm=2.0, l1=1e-4), {"stop": ol.stop.value(0.9)}),
        (ol.SGD(lr=0.1), {"perturbation": ol.Perturbation(radius=0.1, grad_norm=10.0, wait=2)}),
    ],
    ids=lambda given: type(given).__name__,
)
def test_every_way_of_stepping_is_the_same_in_lanes(optimizer: Any, options: Any) -> None:
    f, first = problem(CASES[1], "float32"), 2**32 - RUNS
    start = f.mlp.init(0, runs=RUNS)
    together = ol.descend(f, optimizer, start, 8, batch_size=32, seed=1, first_run=first, **options)
    for run in (0, RUNS - 1):
        own = replace(optimizer, lr=float(np.broadcast_to(optimizer.lr, RUNS)[run]))
        alone = ol.descend(f, own, start[run], 8, batch_size=32, seed=1, first_run=first + run, **options)
        assert (together.last[run] == alone.last[0]).all()


@pytest.mark.parametrize("runs", [1, RUNS])
def test_a_probe_may_do_with_its_points_what_it_will(runs: int) -> None:
    f = problem(CASES[0], "float64")

    def spoil(x: Any) -> Any:
        x -= x.mean(axis=-1, keepdims=True)
        return x[..., 0]

    start = f.mlp.init(0, runs=runs)
    probe = ol.landscapes.Custom(f.dim, value=spoil, grad=lambda x: x)
    seen = ol.descend(f, ol.SGD(lr=0.1), start, 4, record=1, probes={"p": probe})
    unseen = ol.descend(f, ol.SGD(lr=0.1), start, 4, record=1)
    assert (seen.last == unseen.last).all() and (seen.value == unseen.value).all()
    assert len(np.unique(seen.probes["p"][:, 0])) == 5


@pytest.mark.parametrize("batch", [None, np.array([3, 1, 4, 1, 5])])
def test_points_in_lanes_are_points_alone(batch: Any) -> None:
    f = problem(CASES[1], "float64")
    theta = f.mlp.init(1, runs=RUNS)
    v = np.random.default_rng(2).standard_normal(theta.shape)
    value, grad = f.value_and_grad(theta, batch=batch)
    product = f.hvp(theta, v, batch=batch)
    for run in (0, RUNS - 1):
        assert value[run] == f.value(theta[run], batch=batch)
        assert (grad[run] == f.grad(theta[run], batch=batch)).all()
        assert (product[run] == f.hvp(theta[run], v[run], batch=batch)).all()


def test_frozen_masks_are_the_same_in_every_lane() -> None:
    f = problem(CASES[0], "float32").sample(4, 2, run=3)
    theta = f.mlp.init(1, runs=RUNS)
    assert (f.grad(theta)[RUNS - 1] == f.grad(theta[RUNS - 1])).all()


def test_a_run_that_diverges_leaves_the_others_alone() -> None:
    f = problem(CASES[0], "float32")
    start = f.mlp.init(0, runs=RUNS)
    start[4] = 1e38
    path = ol.descend(f, ol.SGD(lr=0.1), start, 20, stop=ol.stop.nonfinite())
    alone = ol.descend(f, ol.SGD(lr=0.1), start[5], 20, first_run=5)
    assert path.stop_reason[4] == "nonfinite" and (path.last[5] == alone.last[0]).all()
