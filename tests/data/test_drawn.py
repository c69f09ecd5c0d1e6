"""Sets that are drawn: statistics against the declared formulas, bits on repeat, and every refusal.

A mean of n independent numbers of standard deviation s is off by more than 5 s/sqrt(n) once in 1.7 million times; the
seeds are fixed, so a test that passes passes for ever. LIMIT is that 5.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from reference.compare import assert_same_bits

import optlab as ol
from optlab.data import Data

LIMIT, N = 5.0, 20_000
MEANS = [[0.0, 4.0, -2.0], [3.0, -1.0, 0.5]]

DRAWN: dict[str, Callable[..., Data]] = {
    "spirals": lambda n=N, seed=1, **k: ol.data.spirals(n, 3, 0.1, seed, **k),
    "gaussian_mixture": lambda n=N, seed=1, **k: ol.data.gaussian_mixture(n, None, seed, classes=5, dim=4, **k),
    "given_means": lambda n=N, seed=1, **k: ol.data.gaussian_mixture(n, MEANS, seed, spread=0.5, **k),
    "teacher": lambda n=N, seed=1, **k: ol.data.teacher([8, 64, 2], n, 0.3, seed, **k),
}
RANDOMIZED: dict[str, Callable[..., Data]] = {
    kind: lambda n=N, seed=1, kind=kind, **k: ol.data.random_labels(n, 0.5, seed, inputs=kind, **k)
    for kind in ("true", "shuffled", "random", "gaussian")
}
ALL = DRAWN | RANDOMIZED


@pytest.mark.parametrize("name", ALL)
def test_form(name: str) -> None:
    for dtype in ("float32", "float64"):
        data = ALL[name](50, dtype=dtype)
        X, y = data
        assert X is data.X and y is data.y and len(data) == 50
        assert X.dtype == dtype and X.flags.c_contiguous and X.shape[0] == len(y) == 50
        if data.classes:
            assert y.dtype == np.int64 and y.min() >= 0 and y.max() < data.classes
        else:
            assert y.dtype == dtype and y.flags.c_contiguous and y.ndim == 2


@pytest.mark.parametrize("name", ALL)
def test_bits(name: str) -> None:
    """Equal on repeat and for any number of threads; float32 is float64 rounded; another seed is another set."""
    once, narrow = ALL[name](dtype="float64"), ALL[name](dtype="float32")
    with ol.threads(1):
        again = ALL[name](dtype="float64")
    for first, second, rounded in zip(once, again, narrow, strict=True):
        assert_same_bits(first, second)
        assert_same_bits(first.astype(rounded.dtype), rounded)
    assert not (once.X == ALL[name](seed=2, dtype="float64").X).all()


@pytest.mark.parametrize("name", DRAWN)
def test_a_sample_does_not_depend_on_how_many_there_are(name: str) -> None:
    many, few = DRAWN[name](300, dtype="float64"), DRAWN[name](7, dtype="float64")
    assert_same_bits(many.X[:7].copy(), few.X)
    # The order of a product's terms may depend on the shape: 8 + 64 terms of size about 1, each rounded once.
    assert np.abs(many.y[:7] - few.y).max() <= 100 * np.finfo(np.float64).eps * max(1, np.abs(few.y).max())


def near(samples: Any, expected: float, std: float) -> bool:
    """Whether the mean of independent samples of that standard deviation is as expected."""
    return abs(np.mean(samples) - expected) <= LIMIT * std / math.sqrt(np.size(samples))


def test_spirals_lie_on_their_arms() -> None:
    """Without noise the angle follows from radius and class, and the square of the radius is uniform."""
    X, y = ol.data.spirals(N, 3, 0.0, seed=4, turns=1.5, dtype="float64")
    radius = np.hypot(*X.T)
    angle = np.arctan2(X[:, 1], X[:, 0]) / (2 * np.pi) - (1.5 * radius + y / 3)
    # Angle and radius are each within a few eps; the angle's grows by 1.5 turns.
    assert np.abs(angle - np.round(angle)).max() < 20 * np.finfo(np.float64).eps
    assert near(radius**2, 0.5, math.sqrt(1 / 12)) and near(radius**4, 1 / 3, math.sqrt(1 / 5 - 1 / 9))
    assert (y == np.arange(N) % 3).all()


def test_spirals_noise() -> None:
    clean, noisy = (ol.data.spirals(N, 2, noise, seed=4, dtype="float64") for noise in (0.0, 0.25))
    added = (noisy.X - clean.X) / 0.25
    # Variances of z, z² and z_1 z_2 are 1, 2 and 1.
    assert near(added, 0, 1) and near(added**2, 1, math.sqrt(2)) and near(added[:, 0] * added[:, 1], 0, 1)


@pytest.mark.parametrize("name", ("gaussian_mixture", "given_means"))
def test_mixture(name: str) -> None:
    X, y = DRAWN[name](dtype="float64")
    classes, spread = (5, 1.0) if name == "gaussian_mixture" else (2, 0.5)
    for label in range(classes):
        cloud = X[y == label]
        assert near(y == label, 1 / classes, math.sqrt(classes - 1) / classes)
        centre = np.array(MEANS[label]) if name == "given_means" else cloud.mean(axis=0)
        for column in (cloud - centre).T / spread:
            assert near(column, 0, 1) and near(column**2, 1, math.sqrt(2))
        correlation = np.corrcoef(cloud.T) - np.eye(X.shape[1])
        assert np.abs(correlation).max() < LIMIT / math.sqrt(len(cloud))


def test_drawn_means_have_the_declared_separation() -> None:
    X, y = ol.data.gaussian_mixture(N, seed=3, classes=400, dim=10, separation=7.0, spread=0.0, dtype="float64")
    means = X[np.unique(y, return_index=True)[1]] / 7
    assert len(means) == 400 and near(means, 0, 1) and near(means**2, 1, math.sqrt(2))


def test_corrupted_labels() -> None:
    y = np.arange(N) % 7
    for share in (0.0, 0.2, 0.6, 1.0):
        wrong = ol.data.corrupt(y, share, seed=5) != y
        rate = share * 6 / 7
        assert near(wrong, rate, math.sqrt(rate * (1 - rate)))
    little, much = (ol.data.corrupt(y, share, seed=5) for share in (0.2, 0.6))
    assert (much[little != y] == little[little != y]).all()
    new = ol.data.corrupt(y, 1.0, seed=5)
    table = np.histogram2d(y, new, bins=7)[0] / N
    assert np.abs(table - 1 / 49).max() < LIMIT * math.sqrt(1 / 49 / N)
    assert (y == np.arange(N) % 7).all()


def test_randomizations_keep_the_rest() -> None:
    true, noisy = (ol.data.random_labels(N, share, 3, dtype="float64") for share in (0.0, 0.5))
    assert_same_bits(true.X, noisy.X)
    assert near(true.y == noisy.y, 0.55, math.sqrt(0.55 * 0.45))
    kinds = {kind: ol.data.random_labels(N, 0.0, 3, inputs=kind, dtype="float64") for kind in RANDOMIZED}
    for data in kinds.values():
        assert (data.y == true.y).all()
    X = true.X
    order = [int(np.flatnonzero(kinds["shuffled"].X[0] == value)[0]) for value in X[0]]
    assert order != list(range(32))
    assert_same_bits(np.take(kinds["shuffled"].X, order, axis=1), X)
    assert_same_bits(np.sort(kinds["random"].X, axis=1), np.sort(X, axis=1))
    moved = kinds["random"].X != X
    # Of 32 places a random order keeps one on average, with variance 1.
    assert near(np.sum(~moved, axis=1), 1, 1)
    assert near(kinds["gaussian"].X, 0, 1) and near(kinds["gaussian"].X ** 2, 1, math.sqrt(2))


def test_structure_that_can_be_learned() -> None:
    """The nearest neighbour knows the true label and is at chance with random ones."""
    shares = {}
    for corruption in (0.0, 1.0):
        X, y = ol.data.random_labels(3000, corruption, 2, dtype="float64")
        X, rest = X[:1000], X[1000:]
        nearest = np.argmin((X**2).sum(1) - 2 * rest @ X.T, axis=1)
        shares[corruption] = float(np.mean(y[:1000][nearest] == y[1000:]))
    assert shares[0.0] > 0.9
    # Neighbours share a cloud and each label serves about two: 2000 trials count as 1000 at least.
    assert abs(shares[1.0] - 0.1) < LIMIT * math.sqrt(0.09 / 1000)


def test_lifted_features_equal_their_formula() -> None:
    """In plain float64, from the draws of the addresses."""
    seed, n = 6, 500

    def z(rows: int, columns: int, part: str) -> np.ndarray:
        key = ol.random.derive_seed(seed, "lifted", part)
        return ol.random.normal((rows, columns), key, stream=ol.random.Stream["DATA"])

    X, y = ol.data.random_labels(n, 0.0, seed, features=20, classes=7, separation=0.8, dtype="float64")
    cloud = ol.random.integers((n, 1), 30, ol.random.derive_seed(seed, "lifted", "cloud"), stream=5)[:, 0]
    inner = 1.2 * z(30, 8, "centres")[cloud] + 0.5 * z(n, 8, "within")
    bent = np.tanh(inner @ z(8, 20, "lift") / np.sqrt(8)) + 0.1 * z(n, 20, "noise")
    # Eight terms and a mean of n, each rounded; standardizing divides by about 1.
    assert np.abs((bent - bent.mean(0)) / bent.std(0) - X).max() < n * np.finfo(np.float64).eps
    assert (y == cloud % 7).all()


def test_lifted_features_are_standardized() -> None:
    X, y = ol.data.random_labels(N, 0.0, 1, dtype="float64")
    assert np.abs(X.mean(0)).max() < 1e-12 and np.abs(X.std(0) - 1).max() < 1e-12
    # Thirty clouds, three for each class.
    assert all(near(y == label, 0.1, 0.3) for label in range(10))


def test_teacher_equals_its_formula() -> None:
    """The network in plain float64, from the weights of the initializer's addresses."""
    widths, seed = (8, 64, 32, 2), 9
    X, y = ol.data.teacher(widths, 100, 0.0, seed, activation="tanh", init="xavier_normal", dtype="float64")
    key, h, method = ol.random.derive_seed(seed, "teacher", "weights"), X, ol.nn.init.resolve("xavier_normal")
    for k in range(3):
        h = h @ method.draw((widths[k + 1], widths[k]), key, step=k, dtype="float64").T
        h = np.tanh(h) if k < 2 else h
    # Sums of at most 64 terms of size about 1, three times over, and tanh to 3 ulp.
    assert np.abs(h - y).max() < 3 * 64 * np.finfo(np.float64).eps * np.abs(h).max()


def test_teacher_has_the_declared_variance() -> None:
    # The squares of 2000 networks' mean outputs: a sample of their own spread.
    squares = [np.mean(ol.data.teacher([64, 64, 1], 64, 0.0, seed, dtype="float64").y ** 2) for seed in range(2000)]
    assert near(squares, 2.0, float(np.std(squares)))
    clean, noisy = (ol.data.teacher([8, 16, 2], N, noise, 1, dtype="float64").y for noise in (0.0, 0.3))
    added = (noisy - clean) / 0.3
    assert near(added, 0, 1) and near(added**2, 1, math.sqrt(2))
    # The parts of a set draw on their own: noise and inputs do not go together.
    X = ol.data.teacher([8, 16, 2], N, 0.3, 1, dtype="float64").X
    assert all(near(added * X[:, k : k + 2], 0, 1) for k in range(7))


def test_inputs_of_a_teacher_are_standard_normal() -> None:
    X = DRAWN["teacher"](dtype="float64").X
    assert near(X, 0, 1) and near(X**2, 1, math.sqrt(2))


Y = np.arange(10) % 3
REFUSED: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "n": (lambda: ol.data.spirals(0), ValueError, "n: got 0"),
    "n_float": (lambda: ol.data.teacher([1, 1], 2.0), TypeError, "n: got 2.0"),
    "classes": (lambda: ol.data.spirals(5, 0), ValueError, "classes: got 0"),
    "noise": (lambda: ol.data.spirals(5, noise=-1.0), ValueError, "noise: got -1.0"),
    "noise_nan": (lambda: ol.data.teacher([1, 1], 2, math.nan), ValueError, "noise: got nan"),
    "turns": (lambda: ol.data.spirals(5, turns=math.inf), ValueError, "turns: got inf"),
    "dtype": (lambda: ol.data.spirals(5, dtype="float16"), TypeError, "dtype: got float16"),
    "seed": (lambda: ol.data.spirals(5, seed=-1), ValueError, "seed: got -1"),
    "means_shape": (lambda: ol.data.gaussian_mixture(5, [1.0]), ValueError, r"means: got shape \(1,\)"),
    "means_nan": (lambda: ol.data.gaussian_mixture(5, [[math.nan]]), ValueError, "means: got"),
    "spread": (lambda: ol.data.gaussian_mixture(5, spread=-2.0), ValueError, "spread: got -2.0"),
    "dim": (lambda: ol.data.gaussian_mixture(5, dim=0), ValueError, "dim: got 0"),
    "inputs": (lambda: ol.data.random_labels(5, inputs="gausian"), ValueError, "did you mean 'gaussian'"),
    "corruption": (lambda: ol.data.random_labels(5, 1.5), ValueError, "share: got 1.5"),
    "lifted_classes": (lambda: ol.data.random_labels(5, classes=31), ValueError, "classes: got 31"),
    "share": (lambda: ol.data.corrupt(Y, -0.1), ValueError, "share: got -0.1"),
    "y_float": (lambda: ol.data.corrupt(Y / 1.0, 0.1), TypeError, "y: got float64"),
    "y_empty": (lambda: ol.data.corrupt(Y[:0], 0.1), ValueError, "y: got shape"),
    "y_negative": (lambda: ol.data.corrupt(Y - 1, 0.1), ValueError, "y: got the label -1"),
    "y_classes": (lambda: ol.data.corrupt(Y, 0.1, classes=2), ValueError, "classes: got 2 with a label 2"),
    "widths": (lambda: ol.data.teacher([3], 5), ValueError, r"widths: got \[3\]"),
    "widths_zero": (lambda: ol.data.teacher([3, 0], 5), ValueError, "widths: got 0"),
    "activation": (lambda: ol.data.teacher([3, 4, 1], 5, activation="rlu"), ValueError, "activation"),
    "init": (lambda: ol.data.teacher([3, 1], 5, init="kaiming_norm"), ValueError, "did you mean"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name: str) -> None:
    call, kind, said = REFUSED[name]
    with pytest.raises(kind, match=said) as caught:
        call()
    assert "\n" not in str(caught.value)
