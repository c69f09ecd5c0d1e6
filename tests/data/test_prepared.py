"""Standardize, PCA, Whiten and split, against their definitions in float64."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from reference.compare import assert_same_bits

from optlab.data import PCA, Standardize, Whiten, split

EPS = {name: float(np.finfo(name).eps) for name in ("float32", "float64")}
SHAPES = ((2, 1), (3, 2), (17, 5), (1000, 8), (8, 31), (1, 3))
METHODS: dict[str, Callable[[Any], Any]] = {
    "standardize": Standardize.fit,
    "pca": PCA.fit,
    "whiten": lambda X: Whiten.fit(X, eps=1e-3),
    "whiten_zca": lambda X: Whiten.fit(X, eps=1e-3, kind="zca"),
}


def drawn(n: int, features: int, dtype: str = "float64", seed: int = 0) -> np.ndarray:
    """Features of different scale, far from 0, that depend on each other."""
    rng = np.random.default_rng([seed, n, features])
    X = rng.normal(size=(n, features)) @ rng.normal(size=(features, features))
    return (X * np.geomspace(1, 100, features) + 50 * rng.normal(size=features)).astype(dtype)


def covariance(X: np.ndarray) -> np.ndarray:
    deviation = X.astype(np.float64) - X.astype(np.float64).mean(axis=0)
    return deviation.T @ deviation / len(X)


@pytest.mark.parametrize("dtype", EPS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", METHODS)
def test_there_and_back(name: str, shape: tuple[int, int], dtype: str) -> None:
    """The dtype stays, X and the fit stay as they were, the order of memory does not matter, and invert undoes."""
    X = drawn(*shape, dtype)
    before, fitted = X.copy(), METHODS[name](X)
    Z = fitted.apply(X)
    assert Z.dtype == dtype and Z.flags.c_contiguous
    assert_same_bits(Z, METHODS[name](X).apply(X))
    assert_same_bits(X, before)
    assert np.allclose(METHODS[name](np.asfortranarray(X)).apply(np.asfortranarray(X)), Z, rtol=1e-5, atol=1e-6)
    back = fitted.invert(Z)
    # Z is rounded once to its dtype; a component's rounding is multiplied by its scale, at most X's largest deviation,
    # and features sum as many of them as there are. The mean's size adds float64 rounding, and one rounding of X.
    scale = np.abs(X).max() * math.sqrt(shape[1])
    assert back.dtype == dtype and np.abs(back - X).max() <= 8 * EPS[dtype] * scale * math.sqrt(max(shape))


@pytest.mark.parametrize("dtype", EPS)
@pytest.mark.parametrize("shape", ((17, 5), (1000, 8), (5000, 2)))
def test_standardize(shape: tuple[int, int], dtype: str) -> None:
    X = drawn(*shape, dtype)
    exact = X.astype(np.longdouble)
    mean, std = exact.mean(0), np.sqrt(((exact - exact.mean(0)) ** 2).mean(0))
    fitted = Standardize.fit(X)
    # Sums of n float64 numbers of the size of the range: n eps of it at most, and 4 roundings.
    spread = np.ptp(exact, axis=0)
    bound = (shape[0] + 4) * EPS["float64"] * (spread + np.abs(mean))
    assert (np.abs(fitted.mean - mean) <= bound).all() and (np.abs(fitted.std - std) <= bound).all()
    assert np.abs(fitted.apply(X) - (exact - mean) / std).max() <= 8 * EPS[dtype] * (1 + np.abs(mean / std).max())


def test_constant_features_become_zero() -> None:
    """Also where the mean of equal numbers is not that number, in float64: 0.1 three times, and a huge mean."""
    for value in (0.1, 1e8 + 0.3, -7.0):
        X = np.column_stack([np.full(3, value), [1.0, 2.0, 4.0]])
        fitted = Standardize.fit(X)
        assert fitted.std[0] == 1 and (fitted.apply(X)[:, 0] == 0).all()


def test_a_large_mean_costs_no_digits() -> None:
    """Deviations that float64 holds exactly, 1e-6 beside a mean of 1: those of the plain numbers, to few eps."""
    small = np.array([[1.0], [2.0], [4.0], [9.0]]) * 2.0**-20
    assert abs(Standardize.fit(1 + small).std / Standardize.fit(small).std - 1) < 4 * EPS["float64"]


@pytest.mark.parametrize("shape", ((17, 5), (1000, 8), (8, 31)))
def test_pca(shape: tuple[int, int]) -> None:
    X = drawn(*shape)
    fitted, count = PCA.fit(X), min(shape)
    V, sizes = fitted.components, np.linalg.eigvalsh(covariance(X))[::-1][:count]
    bound = 10 * max(shape) * EPS["float64"]
    assert np.abs(V @ V.T - np.eye(count)).max() <= bound
    assert np.abs(fitted.variances - np.maximum(sizes, 0)).max() <= bound * sizes[0]
    assert np.abs(covariance(fitted.apply(X)) - np.diag(fitted.variances)).max() <= bound * sizes[0]
    assert (np.take_along_axis(V, np.abs(V).argmax(1)[:, None], 1) > 0).all()
    for k in range(1, count):
        few = PCA.fit(X, k)
        assert_same_bits(few.components, V[:k].copy())
        lost = np.mean(np.sum((few.invert(few.apply(X)) - X) ** 2, axis=1))
        # Eckart and Young: what is lost is the variance along the axes that were left out.
        assert abs(lost - fitted.variances[k:].sum()) <= bound * sizes[0]


@pytest.mark.parametrize("n", (17, 1000))
def test_whitening_gives_the_identity(n: int) -> None:
    X = drawn(n, 6)
    Z = Whiten.fit(X).apply(X)
    # An error of eps |X| in X is divided by the least standard deviation.
    bound = 10 * n * EPS["float64"] * np.abs(X).max() / math.sqrt(np.linalg.eigvalsh(covariance(X))[0])
    assert np.abs(covariance(Z) - np.eye(6)).max() < bound < 1e-8


def test_whitening_with_eps() -> None:
    X = drawn(500, 4)
    fitted = Whiten.fit(X, components=3, eps=7.0)
    values = np.linalg.eigvalsh(covariance(X))[::-1][:3]
    assert np.allclose(covariance(fitted.apply(X)), np.diag(values / (values + 7)), rtol=0, atol=1e-10)
    # Other samples go the same way.
    other = drawn(20, 4, seed=1)
    expected = (other - X.mean(0)) @ fitted.axes.components.T / np.sqrt(fitted.axes.variances + 7)
    assert np.abs(fitted.apply(other) - expected).max() < 1e-11


def test_zca_is_the_inverse_root_of_the_covariance() -> None:
    X = drawn(500, 4)
    values, axes = np.linalg.eigh(covariance(X))
    for eps in (0.0, 7.0):
        root = axes @ np.diag(1 / np.sqrt(values + eps)) @ axes.T
        found = Whiten.fit(X, eps=eps, kind="zca").apply(X)
        # sums of four terms, over standard deviations from 0.5 on, of samples up to 500
        assert np.abs(found - (X - X.mean(0)) @ root).max() < 1e-10
    assert Whiten.fit(X, components=2, kind="zca").apply(X).shape == (500, 4)


@pytest.mark.parametrize("dtype", EPS)
@pytest.mark.parametrize("n", (3, 40, 2000))
def test_whitening_finds_what_does_not_vary(n: int, dtype: str) -> None:
    """A feature that is the sum of two others, up to its rounding, is found, whatever the mean."""
    for seed in range(20):
        rng = np.random.default_rng([seed, n])
        two = (rng.normal(size=(n, 2)) + 100 * rng.normal(size=2)).astype(dtype)
        X = np.column_stack([two, two.sum(axis=1)])
        with pytest.raises(ValueError, match=r"X: got samples that vary along 2 axes, not 3; expected eps > 0 or comp"):
            Whiten.fit(X)
        assert Whiten.fit(X, components=2).apply(X).shape == (n, 2)
        assert np.isfinite(Whiten.fit(X, eps=1e-6).apply(X)).all()
        if n > 3:
            independent = X + rng.normal(size=X.shape).astype(dtype) * 1e-2
            assert Whiten.fit(independent).apply(X).shape == (n, 3)


@pytest.mark.parametrize("stratify", (False, True))
@pytest.mark.parametrize("parts", ((0.7, 0.2, 0.1), (0.5,), (1 / 3, 1 / 3, 1 / 3), (60, 20, 21), (1, 1), (101,)))
def test_split(parts: tuple[float, ...], stratify: bool) -> None:
    """Parts have the asked sizes, nothing in common, their labels, and all samples where they sum to all."""
    n = 101
    X, y = np.arange(n, dtype=np.float32)[:, None], np.arange(n) % 4
    found = split(X, y, parts, seed=3, stratify=stratify)
    for part, (part_X, part_y) in zip(parts, found, strict=True):
        assert abs(len(part_X) - (part if isinstance(part, int) else part * n)) <= 1
        assert part_X.dtype == np.float32 and (part_X[:, 0] % 4 == part_y).all()
    everything = np.concatenate([part[0][:, 0] for part in found])
    assert len(np.unique(everything)) == len(everything)
    assert len(everything) == n or sum(parts) < (1 if isinstance(parts[0], float) else n) - 1e-9
    again, other = (split(X, y, parts, seed=seed, stratify=stratify) for seed in (3, 4))
    assert all((a[0] == b[0]).all() for a, b in zip(found, again, strict=True))
    assert not all((a[0] == b[0]).all() for a, b in zip(found, other, strict=True))


@pytest.mark.parametrize("parts", ((0.6, 0.4), (30, 300, 3), (0.1,) * 10, (997,)))
def test_stratified_parts_have_their_share_of_every_class(parts: tuple[float, ...]) -> None:
    y = np.repeat([0, 1, 2, 4], [700, 250, 46, 1])
    X = np.random.default_rng(0).normal(size=(997, 2))
    left = np.bincount(y)
    for _, labels in split(X, y, parts, seed=1, stratify=True):
        counts = np.bincount(labels, minlength=5)
        assert (np.abs(counts - left * len(labels) / left.sum()) < 1).all()
        left = left - counts


def test_split_is_even() -> None:
    """Each sample is in a part with the part's probability: over 4000 seeds, to 5 standard deviations."""
    X, y = np.arange(10.0)[:, None], np.arange(10) % 2
    for stratify in (False, True):
        hits = np.zeros(10)
        for seed in range(4000):
            hits[split(X, y, (3,), seed, stratify=stratify)[0][0][:, 0].astype(int)] += 1
        # Three of ten, by classes two of the first and one of the second: ties go to the first class.
        rates = np.where(y == 0, 0.4, 0.2) if stratify else np.full(10, 0.3)
        assert (np.abs(hits / 4000 - rates) < 5 * np.sqrt(rates * (1 - rates) / 4000)).all()


def test_split_keeps_rows_of_labels() -> None:
    X, y = np.arange(8.0)[:, None], np.arange(16.0).reshape(8, 2)
    for part_X, part_y in split(X, y, (0.5, 0.5)):
        assert (part_y[:, 0] == 2 * part_X[:, 0]).all()


X, Y = drawn(6, 3), np.arange(6) % 2
BAD: dict[str, tuple[Any, type[Exception], str]] = {
    "nan": (np.where(np.eye(6, 3) > 0, np.nan, X), ValueError, "got 3 numbers that are not finite"),
    "infinite": (np.full((2, 3), np.inf), ValueError, "got 6 numbers that are not finite"),
    "empty": (X[:0], ValueError, r"got shape \(0, 3\), expected \(n, .*\), not empty"),
    "no_features": (X[:, :0], ValueError, r"got shape \(6, 0\)"),
    "vector": (X[0], ValueError, r"got shape \(3,\)"),
    "list": (X.tolist(), TypeError, "got list, expected a float32 or float64 array"),
    "integers": (np.ones((2, 3), int), TypeError, "got int64"),
    "half": (X.astype(np.float16), TypeError, "got float16"),
}


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("name", METHODS)
def test_bad_samples(name: str, bad: str) -> None:
    given, kind, said = BAD[bad]
    fitted = METHODS[name](X)
    for call, argument in ((METHODS[name], "X"), (fitted.apply, "X"), (fitted.invert, "Z")):
        with pytest.raises(kind, match=f"^{argument}: {said}") as caught:
            call(given)
        assert "\n" not in str(caught.value)
    if kind is not TypeError or bad == "list":
        with pytest.raises(kind, match=f"^X: {said}"):
            split(given, Y, (0.5, 0.5))


REFUSED: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    **{
        f"columns_{name}": (
            lambda fit=fit: fit(X).apply(X[:, :2]),
            ValueError,
            r"X: got shape \(6, 2\), expected \(n, 3",
        )
        for name, fit in METHODS.items()
    },
    "components_many": (lambda: PCA.fit(X, 4), ValueError, "components: got 4, expected a whole number from 1 to 3"),
    "components_none": (lambda: PCA.fit(X, 0), ValueError, "components: got 0"),
    "components_type": (lambda: Whiten.fit(X, 1.0), TypeError, "components: got 1.0"),
    "kind": (lambda: Whiten.fit(X, kind="cholesky"), ValueError, "kind: got 'cholesky', expected 'pca' or 'zca'"),
    "eps": (lambda: Whiten.fit(X, eps=-1.0), ValueError, "eps: got -1.0"),
    "constant": (lambda: Whiten.fit(np.ones((4, 2))), ValueError, "vary along 0 axes, not 2; expected eps > 0$"),
    "lengths": (lambda: split(X, Y[:5], (0.5,)), ValueError, r"y: got shape \(5,\), expected \(6, …\)"),
    "y_list": (lambda: split(X, Y.tolist(), (0.5,)), TypeError, "y: got list"),
    "y_scalar": (lambda: split(X, np.array(1), (0.5,)), ValueError, r"y: got shape \(\)"),
    "parts_none": (lambda: split(X, Y, ()), ValueError, r"parts: got \(\)"),
    "parts_number": (lambda: split(X, Y, 0.5), ValueError, "parts: got 0.5, expected a tuple"),
    "parts_much": (lambda: split(X, Y, (0.7, 0.4)), ValueError, "which sum to 1.1"),
    "parts_many": (lambda: split(X, Y, (4, 3)), ValueError, r"parts: got \(4, 3\) of 6 samples"),
    "parts_zero": (lambda: split(X, Y, (0, 3)), ValueError, "parts: got 0"),
    "parts_small": (lambda: split(X, Y, (0.01, 0.5)), ValueError, "one sample or more each"),
    "parts_nan": (lambda: split(X, Y, (math.nan,)), ValueError, "parts: got nan"),
    "parts_bool": (lambda: split(X, Y, (True,)), TypeError, "parts: got True"),
    "parts_mixed": (lambda: split(X, Y, (0.5, 3)), ValueError, "parts: got 3.0, expected"),
    "stratify_floats": (lambda: split(X, Y / 1.0, (0.5,), stratify=True), TypeError, "y: got float64"),
    "stratify_negative": (lambda: split(X, Y - 1, (0.5,), stratify=True), ValueError, "y: got the label -1"),
    "seed": (lambda: split(X, Y, (0.5,), seed=-1), ValueError, "seed: got -1"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name: str) -> None:
    call, kind, said = REFUSED[name]
    with pytest.raises(kind, match=said) as caught:
        call()
    assert "\n" not in str(caught.value)
