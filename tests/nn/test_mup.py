"""μP: the paper's table, the standard parametrization at the base widths, the form with multipliers, exponents."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from cases.optimizers import OPTIMIZERS, make
from reference.compare import assert_same_bits, assert_within, eps

import optlab as ol
from optlab.nn import MLP, coordinate_check, init, mup

BASE, WIDE = [6, 8, 16, 3], [6, 32, 32, 3]  # the layers grow by 4 and by 2
RATES = {"linear": 0.3, "invariant": 0.01}
KNOWN = {name: make(name, {"lr": RATES[case.scaling]}) for name, case in OPTIMIZERS.items() if case.scaling}
KNOWN |= {"momentum": ol.SGD(0.3, momentum=0.5, weight_decay=0.1), "decay": ol.AdamW(0.01, weight_decay=0.1)}
REFUSED = [name for name, case in OPTIMIZERS.items() if not case.scaling]


def pair(widths: list[int], **options: Any) -> tuple[MLP, MLP]:
    """The standard network, and that in μP from BASE."""
    return MLP(widths, **options), MLP(widths, parametrization="mup", base_widths=BASE, **options)


def data(dim: int = 6) -> tuple[np.ndarray, np.ndarray]:
    found = ol.data.gaussian_mixture(40, classes=3, dim=dim, seed=1, dtype="float64")
    return found.X, found.y


# ---------------------------------------------------------------- the table of the paper


def lrs(opt: ol.Optimizer, name: str = "lr") -> dict[str, Any]:
    return {pattern: dict(given)[name] for pattern, given in opt.groups}


def test_learning_rates_of_sgd_are_the_papers() -> None:
    found = lrs(pair(WIDE, norm="batch", norm_position="after")[1].per_layer(ol.SGD(1.0)))
    bias = {f"layers.{k}.{kind}": rate for k, rate in ((0, 4.0), (1, 2.0)) for kind in ("norm.weight", "norm.bias")}
    biases = {"layers.0.bias": 4.0, "layers.1.bias": 2.0, "layers.2.bias": 1.0}
    # units over inputs: the middle layer grows by 4 on one side and by 2 on the other
    assert found == bias | biases | {"layers.0.weight": 4.0, "layers.1.weight": 0.5, "layers.2.weight": 0.5}


def test_learning_rates_of_adam_are_the_papers() -> None:
    opt = pair(WIDE)[1].per_layer(ol.AdamW(1.0, eps=1e-8, weight_decay=0.5))
    rates = {"layers.0.weight": 1.0, "layers.1.weight": 0.25, "layers.2.weight": 0.5}
    assert lrs(opt) == rates | {f"layers.{k}.bias": 1.0 for k in range(3)}
    assert {name: lrs(opt, "weight_decay")[name] * rate for name, rate in rates.items()} == dict.fromkeys(rates, 0.5)
    assert [lrs(opt, "eps")[f"layers.{k}.weight"] for k in range(3)] == [1e-8 / 4, 1e-8 / 2, 1e-8]


def test_own_groups_and_rates_per_run_are_scaled() -> None:
    own = ol.SGD(np.array([1.0, 2.0]), weight_decay=0.1, groups={"*.bias": {"weight_decay": 0}, "*": {"momentum": 0}})
    found = {pattern: dict(given) for pattern, given in pair(WIDE)[1].per_layer(own).groups}
    assert found["layers.0.bias"] == {"lr": (4.0, 8.0), "weight_decay": 0.0}
    assert found["layers.2.weight"] == {"lr": (0.5, 1.0), "weight_decay": 0.2, "momentum": 0.0}


@pytest.mark.parametrize("drawn", ["kaiming_normal", "torch_default", "xavier_uniform", init.Normal(0.02)])
def test_first_weights_are_those_of_the_base_network_made_smaller(drawn: Any) -> None:
    mlp = pair(WIDE, init=drawn, bias_init="torch_default", dtype="float64")[1]
    found, method = mlp.views(mlp.init(seed=3)), init.resolve(drawn)
    for k, factor in enumerate((1.0, 0.5, 0.5)):  # 4^(-1/2) in the middle, 2^-1 at the end
        fans = (BASE[k], BASE[k + 1])
        alone = method.draw((WIDE[k + 1], WIDE[k]), 3, step=2 * k, fans=fans, dtype="float64")
        assert_same_bits(found[f"layers.{k}.weight"], factor * alone)
        bias = init.TorchDefault().draw((WIDE[k + 1],), 3, step=2 * k + 1, fans=fans, dtype="float64")
        assert_same_bits(found[f"layers.{k}.bias"], bias)


def test_hidden_variance_falls_as_the_width_and_that_of_the_readout_as_its_square() -> None:
    standard, other = pair(WIDE, dtype="float64")
    theirs, ours = standard.views(standard.init(0)), other.views(other.init(0))
    for k, factor in enumerate((1.0, 1.0, 2**-0.5)):  # Kaiming's variance 2/n, at the end times n₀/n
        weight = factor * theirs[f"layers.{k}.weight"]
        # two square roots, a quotient and a product, each rounded once
        assert_within(ours[f"layers.{k}.weight"], weight, 4 * eps(np.float64) * np.abs(weight))


# ---------------------------------------------------------------- at the base widths


@pytest.mark.parametrize("name", KNOWN)
def test_at_the_base_widths_it_is_the_standard_parametrization(name: str) -> None:
    X, y = data()
    ends = []
    for mlp in pair(BASE, norm="layer"):
        opt = mlp.per_layer(KNOWN[name])
        path = ol.descend(mlp.on(X.astype(np.float32), y), opt, mlp.init(0, 3), 20, batch_size=8, seed=2)
        ends.append(path.last)
    assert_same_bits(*ends)
    assert np.isfinite(ends[0]).all()


@pytest.mark.parametrize("name", REFUSED)
def test_others_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=rf"^optimizer: got {name}, expected one that μP"):
        pair(WIDE)[1].per_layer(make(name, {"lr": 0.1}))


# ---------------------------------------------------------------- the form with multipliers, in NumPy


class Multiplied:
    """tanh network without biases whose readout is divided by m: rates lr·m, lr, lr·m of SGD, lr, lr/m, lr of Adam."""

    def __init__(self, weights: list[np.ndarray], m: float) -> None:
        self.w, self.m = weights, m
        self.first = [np.zeros_like(w) for w in weights]
        self.second = [np.zeros_like(w) for w in weights]

    def step(self, X: np.ndarray, y: np.ndarray, lr: float, t: int, adam: bool) -> None:
        a = np.tanh(X @ self.w[0].T)
        b = np.tanh(a @ self.w[1].T)
        dy = 2 * (b @ self.w[2].T / self.m - y) / y.size / self.m
        db = dy @ self.w[2] * (1 - b**2)
        da = db @ self.w[1] * (1 - a**2)
        for k, g in enumerate((da.T @ X, db.T @ a, dy.T @ b)):
            if adam:
                self.first[k] = 0.9 * self.first[k] + 0.1 * g
                self.second[k] = 0.999 * self.second[k] + 0.001 * g**2
                size = np.sqrt(self.second[k] / (1 - 0.999**t))
                self.w[k] -= lr * (1, 1 / self.m, 1)[k] * self.first[k] / (1 - 0.9**t) / size
            else:
                self.w[k] -= lr * (self.m, 1, self.m)[k] * g


@pytest.mark.parametrize("adam", [False, True])
def test_it_equals_the_form_with_multipliers(adam: bool) -> None:
    n, base, steps = 24, 8, 10
    X = ol.random.normal((16, 5), seed=0)
    y = ol.random.normal((16, 2), seed=1)
    mlp = MLP([5, n, n, 2], "tanh", bias=False, dtype="float64", parametrization="mup", base_widths=[5, base, base, 2])
    theta = mlp.init(seed=4)
    m = n / base
    w = [view.copy() for view in mlp.views(theta).values()]
    twin = Multiplied([w[0], w[1], w[2] * m], m)  # the readout's variance 1/n₀ · 1/m, before it is divided by m
    opt, lr = (ol.Adam(0.01, eps=0.0), 0.01) if adam else (ol.SGD(0.2), 0.2)
    path = ol.descend(mlp.on(X, y, "mse"), mlp.per_layer(opt), theta, steps)
    for t in range(1, steps + 1):
        twin.step(X, y, lr, t, adam)
    twin.w[2] /= m
    for found, expected in zip(mlp.views(path.last[0]).values(), twin.w, strict=True):
        # Sums of n terms in another order, over the steps; Adam divides rounding by gradients that may be small.
        scale = eps(np.float64) * n * steps * (1e3 if adam else 1.0)
        assert_within(found, expected, scale * np.abs(expected).max())


# ---------------------------------------------------------------- the coordinate check


def family(kind: str, **options: Any) -> list[MLP]:
    dim, widths = 16, (32, 64, 128, 256)
    extra = {"parametrization": "mup", "base_widths": [dim, 32, 32, 3]} if kind == "mup" else {}
    return [MLP([dim, n, n, 3], **extra, **options) for n in widths]


def test_changes_are_those_of_the_outputs_of_each_map() -> None:
    X, y = data(16)
    nets = family("mup", dtype="float64")[:2]
    found = coordinate_check(nets, ol.Adam(0.01), X, y, steps=3, runs=2, seed=5)
    for mlp, change in zip(nets, found.change, strict=True):
        first = mlp.init(5, 2)
        last = ol.descend(mlp.on(X, y), mlp.per_layer(ol.Adam(0.01)), first, 3).last
        for run in range(2):
            pairs = zip(maps(mlp, first[run], X), maps(mlp, last[run], X), strict=True)
            expected = [np.abs(a - b).mean() for a, b in pairs]
            # sums of up to 64 terms of size 1 in another order
            assert_within(change[:, run], np.array(expected), 64 * 8 * eps(np.float64))
    assert_within(found.slopes, np.log2(found.change[1] / found.change[0]), 64 * eps(np.float64))


def maps(mlp: MLP, theta: np.ndarray, X: np.ndarray) -> list[np.ndarray]:
    v, h, found = mlp.views(theta), X, []
    for k in range(3):
        found.append(h @ v[f"layers.{k}.weight"].T + v[f"layers.{k}.bias"])
        h = np.maximum(found[-1], 0)
    return found


def test_the_last_map_of_a_network_is_its_output_whatever_the_normalization() -> None:
    X, y = data(16)
    for options in ({"norm": "batch"}, {"norm": "layer", "norm_position": "after"}, {"norm": "group", "groups": 4}):
        nets = family("standard", dtype="float64", **options)[:2]
        found = coordinate_check(nets, ol.SGD(0.1), X, y, runs=1)
        for mlp, change in zip(nets, found.change, strict=True):
            first = mlp.init(0)
            last = ol.descend(mlp.on(X, y), ol.SGD(0.1), first, 4).last[0]
            seen = [mlp.predict(t, X, mlp.statistics(t, X) if mlp.norm_columns else None) for t in (first, last)]
            assert change[-1, 0] == np.abs(seen[1] - seen[0]).mean()


@pytest.mark.parametrize("opt", [ol.Adam(2**-6), ol.SGD(0.25)], ids=["adam", "sgd"])
def test_a_unit_moves_as_far_at_every_width(opt: ol.Optimizer) -> None:
    slopes = coordinate_check(family("mup", dtype="float64"), opt, *data(16), runs=8).slopes.mean(axis=1)
    assert np.abs(slopes).max() < 0.25  # finite widths: 1/√32 is 0.18


@pytest.mark.parametrize(("opt", "exponent"), [(ol.Adam(1e-4), 1.0), (ol.SGD(1e-4), 0.5)], ids=["adam", "sgd"])
def test_a_first_small_step_moves_hidden_units_farther_in_wider_standard_networks(
    opt: ol.Optimizer, exponent: float
) -> None:
    # n inputs change their weights in step: by lr each with Adam, by lr times a slope of 1/√n with SGD.
    slopes = coordinate_check(family("standard", dtype="float64"), opt, *data(16), steps=1, runs=8).slopes
    assert abs(slopes[1].mean() - exponent) < 0.25  # as above


# ---------------------------------------------------------------- refusals, copies


def test_it_survives_pickling() -> None:
    mlp = pickle.loads(pickle.dumps(pair(WIDE)[1]))
    assert_same_bits(mlp.init(0), pair(WIDE)[1].init(0))


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"parametrization": "muP"}, ValueError, "parametrization: got 'muP', expected one of 'standard', 'mup'"),
        ({"parametrization": "mup"}, ValueError, "base_widths: got None, expected the widths of the base network"),
        ({"base_widths": BASE}, ValueError, "base_widths: got .* with parametrization='standard'"),
        ({"base_widths": [6, 8, 3]}, ValueError, "base_widths: got .*, expected 4 widths with 6 inputs and 3 outputs"),
        ({"base_widths": [6, 8, 8, 4]}, ValueError, "base_widths: got .*, expected 4 widths with 6 inputs"),
        ({"base_widths": [6, 0, 8, 3]}, ValueError, "base_widths: got 0, expected a whole number from 1"),
        ({"base_widths": 8}, TypeError, "base_widths: got 8, expected 4 whole numbers"),
        ({"init": "orthogonal", "base_widths": BASE}, ValueError, "init: got Orthogonal.*, expected independent"),
        ({"init": "defazio_bottou", "base_widths": BASE}, ValueError, "init: got DefazioBottou.*"),
        ({"init": init.Normal(1, 1), "base_widths": BASE}, ValueError, "init: got Normal.*, expected .* of mean 0"),
    ],
)
def test_wrong_networks_are_refused(options: dict[str, Any], error: type[Exception], said: str) -> None:
    kind = {} if said.startswith("base_widths: got .* with") else {"parametrization": "mup"}
    with pytest.raises(error, match=f"^{said}"):
        MLP(WIDE, **{**kind, **options})


def test_weight_decay_in_an_adaptive_rule_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^weight_decay: got 0.1 inside the gradient of Adam, .*decoupled_weight"):
        pair(WIDE)[1].per_layer(ol.Adam(0.1, weight_decay=0.1))


def test_wrong_checks_are_refused() -> None:
    X, y = data(16)
    nets = family("standard", dtype="float64")
    for wrong, said in (
        (nets[:1], "at least two, of different width"),
        ([nets[0], nets[0]], "at least two, of different width"),
        ([nets[0], MLP([16, 64, 3])], "the same number of layers"),
        ([MLP([16, 3]), MLP([16, 4])], "the same number of layers"),
    ):
        with pytest.raises(ValueError, match=f"^networks: expected {said}"):
            coordinate_check(wrong, ol.SGD(0.1), X, y)
    with pytest.raises(ValueError, match=r"^steps: got 0"):
        coordinate_check(nets, ol.SGD(0.1), X, y, steps=0)


def test_layers_are_told_apart_by_their_names() -> None:
    assert [mup.layer(s) for s in pair(WIDE)[1].layout] == [0, 0, 1, 1, 2, 2]
