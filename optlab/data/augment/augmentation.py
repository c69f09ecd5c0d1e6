"""What all augmentations share: their call, and what comes in and out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import overload

import numpy as np
from numpy.typing import ArrayLike

from optlab.checks import integer
from optlab.data.augment.image_draws import Array, ImageDraws
from optlab.data.checks import images as checked_images


class Augmentation(ABC):
    """A random change of images: a frozen, picklable dataclass of what may happen.

    The same call gives the same bits for every number of threads. Image i depends on seed, step, run, its number and
    itself alone; where images are mixed, on the one that it is mixed with, too.
    """

    @overload
    def apply(
        self,
        images: Array,
        labels: None = None,
        seed: int = 0,
        *,
        step: int = 0,
        run: int = 0,
        index: ArrayLike | None = None,
    ) -> Array: ...

    @overload
    def apply(
        self,
        images: Array,
        labels: Array,
        seed: int = 0,
        *,
        step: int = 0,
        run: int = 0,
        index: ArrayLike | None = None,
    ) -> tuple[Array, Array]: ...

    def apply(
        self,
        images: Array,
        labels: Array | None = None,
        seed: int = 0,
        *,
        step: int = 0,
        run: int = 0,
        index: ArrayLike | None = None,
    ) -> Array | tuple[Array, Array]:
        """Changed images; with labels, a pair of them and the labels that they have now.

        Args:
            images: (n, height, width) or (n, height, width, channels), float32 or float64, finite; left as they are.
            labels: (n, …); they come back as they are unless images are mixed.
            seed: The key, 0 to 2**64 - 1.
            step: Tells one change of an image from the next: the epoch, or the step of training.
            run: The number of the run, where many are trained.
            index: The images' numbers (n,), by default 0, 1, 2 …; those of a batch make it the same as in the whole.

        Raises:
            TypeError: an array is no float32 or float64 array, or an argument is of the wrong type.
            ValueError: a shape does not fit, a number is not finite, or an argument is out of range.
        """
        pixels = np.ascontiguousarray(checked_images("images", images))  # sums go by the order of memory
        if labels is not None and (not isinstance(labels, np.ndarray) or labels.shape[:1] != images.shape[:1]):
            found = getattr(labels, "shape", type(labels).__name__)
            raise ValueError(f"labels: got {found}, expected an array ({len(images)}, …), a label for each image")
        draws = ImageDraws.at(type(self).__name__, seed, step, run, index, len(images))
        changed, relabelled = self.change(pixels, labels, draws)
        changed = np.ascontiguousarray(changed)
        result: Array = changed if images.ndim == 4 else changed[..., 0]
        return result if relabelled is None else (result, relabelled)

    @abstractmethod
    def change(self, images: Array, labels: Array | None, draws: ImageDraws) -> tuple[Array, Array | None]:
        """Changed images (n, height, width, channels) of the same dtype, and their labels; the old ones stay."""

    def copies(self, images: Array, labels: Array, count: int, seed: int = 0, *, run: int = 0) -> tuple[Array, Array]:
        """A larger data set: ``count`` changed copies of all images one after the other, and their labels.

        Copy k is ``apply(images, labels, seed, step=k, run=run)``. With as many copies as a study takes epochs, each
        of its epochs sees images that it never saw before, and the study stays one compiled call.

        Raises:
            TypeError: as :meth:`apply`.
            ValueError: as :meth:`apply`, or count is out of range.

        Example:
            >>> import numpy as np, optlab as ol
            >>> images, labels = np.zeros((10, 8, 8)), np.arange(10)
            >>> X, y = ol.data.augment.Noise(0.1).copies(images, labels, 3)
            >>> X.shape, y.shape, bool((X[:10] == X[10:20]).any())
            ((30, 8, 8), (30,), False)
        """
        made = [self.apply(images, labels, seed, step=k, run=run) for k in range(integer("count", count, 1, 2**31))]
        changed, relabelled = zip(*made, strict=True)
        return np.concatenate(changed), np.concatenate(relabelled)


class Preserving(Augmentation):
    """One that leaves the labels, and each image to itself."""

    def change(self, images: Array, labels: Array | None, draws: ImageDraws) -> tuple[Array, Array | None]:
        """See :meth:`Augmentation.change`."""
        return self.changed(images, draws).astype(images.dtype, copy=False), labels

    @abstractmethod
    def changed(self, images: Array, draws: ImageDraws) -> Array:
        """The images, changed, of any dtype."""
