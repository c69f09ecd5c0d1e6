"""Images that OpenML hands out: fetched once, then read from our own file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optlab.data import cache, scikit
from optlab.data.dataset import Data
from optlab.errors import MissingDataError, describe
from optlab.files import cache_folder

Array = NDArray[Any]


@dataclass(frozen=True)
class Source:
    """A set of images: its number at OpenML, and what a whole copy holds."""

    name: str
    number: int
    features: int
    counts: tuple[int, ...]
    """How many images each class has."""


MNIST = Source("mnist", 554, 784, (6903, 7877, 6990, 7141, 6824, 6313, 6876, 7293, 6825, 6958))
CIFAR10 = Source("cifar10", 40927, 3072, (6000,) * 10)


def mnist() -> Data:
    """70,000 images of handwritten digits, 28 x 28 pixels, scaled to [0, 1] by 1/255; the last 10,000 are the test set.

    The first call needs scikit-learn and a network and takes minutes; it writes ``mnist.npz`` into ``$OPTLAB_CACHE``,
    by default ``~/.cache/optlab``, from where later calls read. The file may be copied to another machine.

    Returns:
        X (70000, 784) float32; y (70000,) int64; 10 classes.

    Raises:
        MissingDataError: there is no file, or a damaged one, and OpenML cannot be reached or sends something else.
        MissingPackageError: there is no file, and scikit-learn is not installed.

    References:
        LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition", 1998.
    """
    return _images(MNIST)


def cifar10() -> Data:
    """60,000 colour images of 10 classes, 3 x 32 x 32 numbers, scaled to [0, 1] by 1/255.

    A row holds the red plane, then the green, then the blue one. As :func:`mnist` otherwise; the file is
    ``cifar10.npz``.

    Returns:
        X (60000, 3072) float32; y (60000,) int64; 10 classes.

    Raises:
        MissingDataError: as :func:`mnist`.
        MissingPackageError: as :func:`mnist`.

    References:
        Krizhevsky, "Learning multiple layers of features from tiny images", 2009.
    """
    return _images(CIFAR10)


def _images(source: Source) -> Data:
    path = cache_folder() / f"{source.name}.npz"
    try:
        X, y = cache.load(path)
        _check(source, X, y)
    except FileNotFoundError:
        X, y = _fetched(source, path, f"there is no {path}")
    except ValueError as error:
        X, y = _fetched(source, path, f"{path} cannot be used, {error}")
    return Data(np.divide(X, 255, dtype=np.float32), y.astype(np.int64), len(source.counts))


def _fetched(source: Source, path: Path, why: str) -> tuple[Array, Array]:
    """The images from OpenML, which are also saved; ``why`` says what was wrong with the file."""
    fetch = scikit.datasets(f"{source.name}: {why}, and what fetches it").fetch_openml
    try:
        # No cache: scikit-learn's would hold a second copy. Its other parser would need pandas.
        found = fetch(data_id=source.number, as_frame=False, cache=False, parser="liac-arff", return_X_y=True)
        X, y = (np.asarray(part).astype(np.float64).astype(np.uint8) for part in found)
        _check(source, X, y)
    # Without a network, behind a proxy or with half an answer urllib, ssl, the parser or our check object: one remedy.
    except Exception as error:
        remedy = "connect, or copy the file from a machine that has it (OPTLAB_CACHE names its folder)"
        cause = f"{source.name}: {why}, and OpenML does not help ({describe(error)})"
        raise MissingDataError(f"{cause}; {remedy}") from error
    cache.save(path, X, y)
    return X, y


def _check(source: Source, X: Array, y: Array) -> None:
    """Refuse what is not all of the images.

    Raises:
        ValueError: a shape, a dtype or the number of images of a class is another.
    """
    expected = (sum(source.counts), source.features)
    if X.shape != expected or y.shape != expected[:1] or X.dtype != np.uint8 or y.dtype != np.uint8:
        raise ValueError(f"got {X.dtype} images of shape {X.shape}, expected uint8 of {expected}")
    counts = tuple(np.bincount(y, minlength=len(source.counts)).tolist())
    if counts != source.counts:
        raise ValueError(f"got {counts} images of the classes, expected {source.counts}")
