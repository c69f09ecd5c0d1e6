"""Augmentations against their twins, the bits that they promise, the labels that they keep, and every refusal."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields
from typing import Any

import numpy as np
import pytest
from reference import augment as twins
from reference.compare import assert_same_bits, assert_within, digest, eps
from reference.refusals import refused

import optlab as ol
from optlab.data import augment as a
from optlab.random import derive_seed, normal, uniform

DATA = ol.random.Stream.DATA
CLASSES = 4

# name -> (augmentation, numbers drawn for an image, its twin)
PRESERVING: dict[str, tuple[a.Augmentation, int, Callable[..., Any]]] = {
    "shift": (a.Shift(2, 1, fill=0.5), 2, lambda x, u: twins.shift(x, u, 2, 1, 0.5)),
    "shift_far": (a.Shift(9, 40), 2, lambda x, u: twins.shift(x, u, 9, 40)),
    "crop": (a.Crop(3, 2, padding=2, fill=-1.0), 2, lambda x, u: twins.crop(x, u, 3, 2, 2, -1.0)),
    "flip": (a.Flip(), 1, lambda x, u: twins.flip(x, u, "horizontal", 0.5)),
    "flip_vertical": (a.Flip("vertical", 0.7), 1, lambda x, u: twins.flip(x, u, "vertical", 0.7)),
    "rotate": (a.Rotate(20.0, fill=0.25), 1, lambda x, u: twins.rotate(x, u, -20, 20, 0.25)),
    "rotate_far": (a.Rotate((100.0, 300.0)), 1, lambda x, u: twins.rotate(x, u, 100, 300)),
    "color": (a.Color(0.5, 0.75), 3, lambda x, u: twins.color(x, u, 0.5, 0.75, 0.0)),
    "blur": (a.Blur((0.1, 2.0)), 1, lambda x, u: twins.blur(x, u, 0.1, 2.0)),
    "blur_fixed": (a.Blur(0.8), 1, lambda x, u: twins.blur(x, u, 0.8, 0.8)),
    "occlude": (a.Occlude(3, fill=0.5), 2, lambda x, u: twins.occlude(x, u, 3, 0.5)),
}
MIXING: dict[str, tuple[a.Augmentation, Callable[..., Any]]] = {
    "mixup": (a.MixUp(CLASSES, 0.4), lambda x, other, u: twins.mixup(x, other, u, 0.4)),
    "cutmix": (a.CutMix(CLASSES), lambda x, other, u: twins.cutmix(x, other, u, 1.0)),
}
CHAIN = a.Chain((a.Shift(1, 1), a.Noise(0.1), a.Noise(0.1), a.MixUp(CLASSES)))
ALL: dict[str, a.Augmentation] = {
    **{name: case[0] for name, case in PRESERVING.items()},
    **{name: case[0] for name, case in MIXING.items()},
    "noise": a.Noise(0.3),
    "chain": CHAIN,
}
SHAPES = ((1, 8, 8), (7, 5, 9), (8, 1, 1), (17, 8, 8, 3), (3, 33, 15), (2, 2, 31, 1))
ADDRESS = {"seed": 2**63 + 5, "step": 2**40 + 3, "run": 7}


def drawn(shape: tuple[int, ...], dtype: str = "float64", seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).random(shape).astype(dtype)


def classes(n: int) -> np.ndarray:
    return np.arange(n) % CLASSES


def own(draw: Any, kind: str, i: int, count: int, dtype: Any = np.float64) -> Any:
    """Image i's draws, by the address that the documentation gives."""
    key = derive_seed(ADDRESS["seed"], "augment", kind, ADDRESS["run"])
    return draw(count, key, stream=DATA, step=ADDRESS["step"], first_run=i, dtype=dtype)


@pytest.mark.parametrize("dtype", ("float32", "float64"))
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", PRESERVING)
def test_twins(name: str, shape: tuple[int, ...], dtype: str) -> None:
    augmentation, count, twin = PRESERVING[name]
    images = drawn(shape, dtype)
    got = augmentation.apply(images, **ADDRESS)
    wide = images.astype(np.float64).reshape(*shape[:3], -1)
    expected = np.array([twin(x, own(uniform, type(augmentation).__name__, i, count)) for i, x in enumerate(wide)])
    assert got.dtype == dtype and got.flags.c_contiguous and got.ndim == len(shape)
    # Numbers below 2. One rounding to the dtype; in float64 places of size 33 off by an eps or two, sums of 17 x 17
    # terms in two passes, and means of 33 x 15: 200 roundings of a number below 2 are more than all of them.
    assert_within(got.reshape(expected.shape), expected, 2 * eps(dtype) + 400 * eps("float64"))


@pytest.mark.parametrize("dtype", ("float32", "float64"))
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("soft", (False, True))
@pytest.mark.parametrize("name", MIXING)
def test_mixing_twins(name: str, soft: bool, shape: tuple[int, ...], dtype: str) -> None:
    augmentation, twin = MIXING[name]
    images, n = drawn(shape, dtype), shape[0]
    y = np.eye(CLASSES, dtype=dtype)[classes(n)]
    got, targets = augmentation.apply(images, y if soft else classes(n), **ADDRESS)
    wide = images.astype(np.float64).reshape(*shape[:3], -1)
    for i in range(n):
        u = own(uniform, type(augmentation).__name__, i, 4)
        j = int(u[0] * n)
        image, weight = twin(wide[i], wide[j], u)
        # The inverse of the Beta distribution is good to some 1e-13 in either library; then three roundings of
        # numbers below 1 in the dtype.
        assert_within(got[i].ravel(), image.ravel(), 4 * eps(dtype) + 1e-11)
        assert_within(targets[i], weight * y[i] + (1 - weight) * y[j], 4 * eps(dtype) + 1e-11)
    assert got.dtype == targets.dtype == dtype and targets.shape == (n, CLASSES)


def test_noise() -> None:
    for dtype in ("float32", "float64"):
        images = drawn((9, 5, 7, 3), dtype)
        got = a.Noise(0.25).apply(images, **ADDRESS)
        z = np.array([own(normal, "Noise", i, 105, dtype) for i in range(9)]).reshape(images.shape)
        assert_same_bits(got, images + images.dtype.type(0.25) * z)


@pytest.mark.parametrize("name", ALL)
def test_bits(name: str) -> None:
    """Equal on repeat and for one thread; another seed, step or run is another change; images stay as they are."""
    images, labels = drawn((40, 8, 8), "float32"), classes(40)
    before = digest(images, labels)
    got = ALL[name].apply(images, labels, **ADDRESS)
    with ol.threads(1):
        again = ALL[name].apply(images, labels, **ADDRESS)
    assert digest(*got) == digest(*again)
    assert digest(images, labels) == before and not np.shares_memory(got[0], images)
    for other in ("seed", "step", "run") if name != "blur_fixed" else ():
        changed = ALL[name].apply(images, labels, **{**ADDRESS, other: 1})
        assert digest(*changed) != digest(*got), other


@pytest.mark.parametrize("name", [name for name in ALL if name not in (*MIXING, "chain")])
def test_an_image_alone(name: str) -> None:
    """By its number, in any order and company."""
    images = drawn((40, 7, 8), "float32")
    whole = ALL[name].apply(images, **ADDRESS)
    for index in ([5], [3, 4, 5], [39, 0, 7, 8, 7]):
        assert_same_bits(ALL[name].apply(images[index], index=np.array(index), **ADDRESS), whole[index])


@pytest.mark.parametrize("name", MIXING)
def test_a_mixture_depends_on_its_two_images_alone(name: str) -> None:
    images, labels = drawn((30, 8, 8)), classes(30)
    whole = MIXING[name][0].apply(images, labels, **ADDRESS)
    for i in range(30):
        j = int(own(uniform, type(MIXING[name][0]).__name__, i, 4)[0] * 30)
        other = drawn((30, 8, 8), seed=1)
        other[[i, j]] = images[[i, j]]
        got = MIXING[name][0].apply(other, labels, **ADDRESS)
        assert_same_bits(got[0][i], whole[0][i])
        assert_same_bits(got[1][i], whole[1][i])


@pytest.mark.parametrize("name", ALL)
def test_labels(name: str) -> None:
    """They stay unless images are mixed, and images are changed alike with and without them."""
    images, labels = drawn((12, 8, 8)), classes(12)
    _, kept = ALL[name].apply(images, labels, **ADDRESS)
    if name in MIXING or name == "chain":
        # Two weights, whose sum is rounded once or twice.
        assert (kept >= 0).all() and np.abs(kept.sum(axis=1) - 1).max() <= 2 * eps("float64")
        assert ((kept > 0).sum(axis=1) <= 2).all()
    else:
        assert_same_bits(kept, labels)
        assert_same_bits(ALL[name].apply(images, **ADDRESS), ALL[name].apply(images, labels, **ADDRESS)[0])


@pytest.mark.parametrize("name", ALL)
def test_frozen_and_picklable(name: str) -> None:
    augmentation, images = ALL[name], drawn((3, 8, 8))
    copy = pickle.loads(pickle.dumps(augmentation))
    assert copy == augmentation
    assert digest(*copy.apply(images, classes(3))) == digest(*augmentation.apply(images, classes(3)))
    with pytest.raises(FrozenInstanceError):
        setattr(augmentation, fields(augmentation)[0].name, 1)  # type: ignore[arg-type]


def test_memory_order_does_not_matter() -> None:
    images = drawn((6, 8, 7, 3))
    for name, augmentation in ALL.items():
        strided = np.asfortranarray(images)
        same = digest(*augmentation.apply(strided, classes(6))) == digest(*augmentation.apply(images, classes(6)))
        assert same, name


def test_a_flip_as_printed() -> None:
    image = np.arange(1.0, 17.0).reshape(1, 4, 4)
    mirrored = [[4, 3, 2, 1], [8, 7, 6, 5], [12, 11, 10, 9], [16, 15, 14, 13]]
    assert (a.Flip(p=1.0).apply(image)[0] == mirrored).all()
    assert (a.Flip("vertical", p=1.0).apply(image)[0] == image[0, ::-1]).all()
    assert (a.Flip(p=0.0).apply(image) == image).all()


@pytest.mark.parametrize("extent", (1, 2, 7, 8))
def test_quarter_turns_are_exact(extent: int) -> None:
    image = drawn((3, extent, extent, 2))
    for quarter in range(-3, 4):
        turned = a.Rotate((90.0 * quarter,) * 2).apply(image)
        assert (turned == np.rot90(image, quarter, axes=(1, 2))).all()


def test_a_crop_of_the_same_size_is_a_shift() -> None:
    """In law: every offset from −4 to 4 is met, each as often to 5 standard deviations."""
    image = np.zeros((40_000, 9, 9), np.float32)
    image[:, 4, 4] = 1
    for augmentation in (a.Crop(9, 9, padding=4), a.Shift(4, 4)):
        counts = augmentation.apply(image, seed=3).sum(axis=0)
        assert np.abs(counts - 40_000 / 81).max() < 5 * np.sqrt(40_000 / 81)


def test_nothing_to_do() -> None:
    image = drawn((5, 6, 7), "float32")
    idle = (a.Shift(0, 0), a.Crop(6, 7), a.Flip(p=0), a.Rotate(0.0), a.Noise(0.0), a.Color(), a.Blur(0.0))
    for augmentation in idle:
        # A rotation by 0 adds pixels times 0; the factor 1 takes the mean off and adds it again, in float64.
        assert (augmentation.apply(image) == image).all(), augmentation


def test_shares_have_their_distribution() -> None:
    """λ has the mean 1/2 and the variance 1/(4 (2α + 1)) of Beta(α, α), to 5 standard errors."""
    labels = np.arange(40_000) % 2
    for alpha in (0.2, 1.0, 4.0):
        _, targets = a.MixUp(2, alpha).apply(np.zeros((40_000, 1, 1)), labels, seed=1)
        share = targets[np.arange(40_000), labels]
        share = share[share < 1]  # half of the images have a partner of the other class
        variance = 1 / (4 * (2 * alpha + 1))
        assert abs(len(share) - 20_000) < 5 * 100
        assert abs(share.mean() - 0.5) < 5 * np.sqrt(variance / len(share))
        # Of numbers on [0, 1], (λ − 1/2)² lies below 1/4 and has a variance below that of 0 and 1/4 by halves.
        assert abs(share.var() - variance) < 5 * 0.125 / np.sqrt(len(share))


def test_copies() -> None:
    """Copy k is step k; labels follow."""
    images, labels = drawn((6, 8, 8), "float32"), classes(6)
    for augmentation in (a.Rotate(10.0), a.MixUp(CLASSES)):
        X, y = augmentation.copies(images, labels, 3, seed=4, run=2)
        for k in range(3):
            one = augmentation.apply(images, labels, 4, step=k, run=2)
            assert_same_bits(X[6 * k : 6 * k + 6], one[0])
            assert_same_bits(y[6 * k : 6 * k + 6], one[1])


def test_mixtures_train_a_network() -> None:
    """Targets are what the cross entropy takes, of the network's dtype."""
    X, y = a.CutMix(CLASSES).copies(drawn((8, 4, 4), "float32"), classes(8), 4)
    f = ol.nn.MLP([16, 8, CLASSES]).on(X.reshape(-1, 16), y)
    assert np.isfinite(ol.descend(f, ol.SGD(lr=0.1), f.mlp.init(0), 10, batch_size=4).value).all()


def test_parts_of_a_chain_draw_for_themselves() -> None:
    """The same noise twice is not one noise doubled; a chain's parts are not what they are alone."""
    zeros = np.zeros((200, 8, 8))
    twice = a.Chain((a.Noise(1.0), a.Noise(1.0))).apply(zeros, seed=1)
    # 12 800 squares: their mean is off by more than 5 sqrt(2/12 800) = 6 % once in a million times.
    assert abs(twice.var() / 2 - 1) < 0.06
    assert a.Chain((CHAIN, a.Shift(1, 1))).apply(zeros, classes(200))[1].shape == (200, CLASSES)


IMAGES, LABELS = drawn((4, 5, 6)), classes(4)
SHIFT, MIXUP = a.Shift(1, 1), a.MixUp(CLASSES)
REFUSED: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "list": (lambda: SHIFT.apply([[1.0]]), TypeError, "^images: got list, expected a float32 or float64 array"),
    "integers": (lambda: SHIFT.apply(np.ones((1, 2, 2), int)), TypeError, "^images: got int64"),
    "flat": (
        lambda: SHIFT.apply(IMAGES[0]),
        ValueError,
        r"^images: got shape \(5, 6\), expected \(n, height, width\) or",
    ),
    "deep": (lambda: SHIFT.apply(IMAGES[None, None]), ValueError, r"^images: got shape \(1, 1, 4, 5, 6\)"),
    "empty": (lambda: SHIFT.apply(IMAGES[:0]), ValueError, r"^images: got shape \(0, 5, 6\), expected .*, not empty"),
    "nan": (lambda: SHIFT.apply(IMAGES * np.nan), ValueError, "^images: got 120 numbers that are not finite"),
    "labels_length": (lambda: SHIFT.apply(IMAGES, LABELS[:3]), ValueError, r"^labels: got \(3,\), expected .*\(4, …\)"),
    "labels_list": (lambda: SHIFT.apply(IMAGES, [0] * 4), ValueError, r"^labels: got list, expected an array"),
    "seed": (lambda: SHIFT.apply(IMAGES, seed=-1), ValueError, "^seed: got -1"),
    "step": (lambda: SHIFT.apply(IMAGES, step=2**48), ValueError, "^step: got 281474976710656"),
    "run": (lambda: SHIFT.apply(IMAGES, run=0.5), TypeError, "^run: got 0.5, expected a whole number"),
    "index_type": (lambda: SHIFT.apply(IMAGES, index=np.ones(4)), TypeError, "^index: got float64, expected whole"),
    "index_length": (
        lambda: SHIFT.apply(IMAGES, index=[1, 2]),
        ValueError,
        r"^index: got shape \(2,\), expected \(4,\)",
    ),
    "index_range": (lambda: SHIFT.apply(IMAGES, index=[0, 1, -2, 3]), ValueError, "^index: got -2 to 3, expected num"),
    "copies": (lambda: SHIFT.copies(IMAGES, LABELS, 0), ValueError, "^count: got 0, expected a whole number from 1"),
    "no_labels": (lambda: MIXUP.apply(IMAGES), ValueError, "^labels: got None, expected the classes: MixUp mixes them"),
    "chain_no_labels": (lambda: CHAIN.apply(IMAGES), ValueError, "^labels: got None"),
    "label_large": (
        lambda: MIXUP.apply(IMAGES, LABELS + 3),
        ValueError,
        "^labels: got the label 6, expected .* below 4",
    ),
    "label_negative": (lambda: MIXUP.apply(IMAGES, LABELS - 1), ValueError, "^labels: got the label -1"),
    "label_float": (lambda: MIXUP.apply(IMAGES, LABELS / 1), TypeError, "^labels: got float64, expected .* whole"),
    "label_dtype": (
        lambda: MIXUP.apply(IMAGES, np.eye(4, dtype=np.float32)),
        ValueError,
        r"^labels: got float32\(4, 4\), expected classes \(n,\) or float64 \(n, 4\)",
    ),
    "label_columns": (lambda: MIXUP.apply(IMAGES, np.eye(4)[:, :3]), ValueError, r"^labels: got float64\(4, 3\)"),
    "crop_large": (lambda: a.Crop(6, 9, 1).apply(IMAGES), ValueError, r"^images: got \(7, 8\) pixels .* \(6, 9\) or m"),
    "saturation": (lambda: a.Color(saturation=0.1).apply(IMAGES), ValueError, "^images: got 1 channels, expected 3"),
    "rows": (lambda: a.Shift(-1, 0), ValueError, "^rows: got -1"),
    "columns": (lambda: a.Shift(0, 1.5), TypeError, "^columns: got 1.5"),
    "fill": (lambda: a.Shift(0, 0, np.nan), ValueError, "^fill: got nan"),
    "height": (lambda: a.Crop(0, 1), ValueError, "^height: got 0"),
    "width": (lambda: a.Crop(1, "1"), TypeError, "^width: got '1'"),
    "padding": (lambda: a.Crop(1, 1, -1), ValueError, "^padding: got -1"),
    "direction": (lambda: a.Flip("up"), ValueError, "^direction: got 'up', expected one of 'horizontal', 'vertical'"),
    "p": (lambda: a.Flip(p=1.5), ValueError, "^p: got 1.5"),
    "degrees": (lambda: a.Rotate(-1), ValueError, "^degrees: got -1.0, expected a finite number >= 0"),
    "degrees_order": (lambda: a.Rotate((2, 1)), ValueError, r"^degrees: got \(2, 1\), expected \(low, high\)"),
    "degrees_type": (lambda: a.Rotate("90"), TypeError, "^degrees: got '90'"),
    "std": (lambda: a.Noise(-0.1), ValueError, "^std: got -0.1"),
    "brightness": (lambda: a.Color(brightness=2), ValueError, "^brightness: got 2.0"),
    "contrast": (lambda: a.Color(contrast=True), TypeError, "^contrast: got True"),
    "sigma": (lambda: a.Blur((-1, 1)), ValueError, "^sigma: got -1.0"),
    "size": (lambda: a.Occlude(0), ValueError, "^size: got 0"),
    "classes": (lambda: a.MixUp(0), ValueError, "^classes: got 0"),
    "alpha": (lambda: a.CutMix(3, 0), ValueError, "^alpha: got 0.0, expected a finite number > 0"),
    "parts": (lambda: a.Chain((SHIFT, "flip")), TypeError, "^parts: got .* expected a tuple of augmentations"),
    "no_parts": (lambda: a.Chain(()), ValueError, r"^parts: got \(\), expected at least one"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name: str) -> None:
    refused(*REFUSED[name])
