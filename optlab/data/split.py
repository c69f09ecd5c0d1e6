"""Parts of a data set that have no sample in common."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optlab.checks import integer, real
from optlab.data.checks import Array, features, labels
from optlab.data.draws import orders


def split(
    X: Array, y: Array, parts: Sequence[float], seed: int = 0, *, stratify: bool = False
) -> tuple[tuple[Array, Array], ...]:
    """Random parts of the samples, such as for training, validation and test.

    Args:
        X: (n, features).
        y: (n, …), the labels; whole numbers from 0 when stratified.
        parts: The parts' sizes: fractions of n, floats that sum to at most 1; or counts, whole numbers that sum to at
            most n. What is left over is in no part.
        seed: The key, 0 to 2**64 - 1.
        stratify: Whether each part takes its share of every class, to within one sample of the share of what the
            parts before it have left.

    Returns:
        A pair (X, y) of copies for each part, in random order.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: lengths differ, X is empty or not finite, or the parts are empty or sum to too much.

    Example:
        >>> import numpy as np
        >>> X, y = np.arange(10.0)[:, None], np.arange(10) % 2
        >>> (train_X, train_y), (test_X, test_y) = split(X, y, (0.6, 0.4), seed=1, stratify=True)
        >>> np.bincount(train_y), np.bincount(test_y)
        (array([3, 3]), array([2, 2]))
    """
    rows = len(features("X", X))
    if not isinstance(y, np.ndarray):
        raise TypeError(f"y: got {type(y).__name__}, expected an array")
    if y.ndim == 0 or len(y) != rows:
        raise ValueError(f"y: got shape {y.shape}, expected ({rows}, …), a label for each row of X")
    sizes = _sizes(parts, rows)
    order = orders(1, rows, seed, "split")[0]
    whole = np.arange(rows)
    chosen = _stratified(labels("y", y)[order], sizes) if stratify else np.split(whole, np.cumsum(sizes))[:-1]
    return tuple((X[order[places]], y[order[places]]) for places in chosen)


def _sizes(parts: Sequence[float], rows: int) -> list[int]:
    """How many samples each part has; fractions end at rounded places, so that those of sum 1 use every sample."""
    if not isinstance(parts, (tuple, list)) or not parts:
        raise ValueError(f"parts: got {parts!r}, expected a tuple of fractions or of counts")
    if all(isinstance(part, Integral) for part in parts):
        sizes = [integer("parts", part, 1, rows) for part in parts]
    else:
        shares = [real("parts", part, 0.0, 1.0, open_low=True) for part in parts]
        # Sums such as 0.7 + 0.2 + 0.1 may exceed 1 by rounding.
        ends = [math.fsum(shares[: k + 1]) for k in range(len(shares))]
        if ends[-1] > 1 + len(shares) * np.finfo(np.float64).eps:
            raise ValueError(f"parts: got {parts!r}, which sum to {ends[-1]:g}, expected fractions of sum 1 or less")
        sizes = np.diff([0, *(min(round(end * rows), rows) for end in ends)]).tolist()
    if sum(sizes) > rows or 0 in sizes:
        raise ValueError(f"parts: got {parts!r} of {rows} samples, expected one sample or more each and {rows} at most")
    return sizes


def _stratified(y: NDArray[np.int64], sizes: list[int]) -> list[NDArray[Any]]:
    """The places of each part: from every class the next ones."""
    places = np.argsort(y, kind="stable")
    counts = np.bincount(y)
    first, chosen = np.cumsum(counts) - counts, []
    for size in sizes:
        taken = _shares(counts, size)
        part = [places[start : start + count] for start, count in zip(first, taken, strict=True)]
        chosen.append(np.sort(np.concatenate(part)))
        first, counts = first + taken, counts - taken
    return chosen


def _shares(counts: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """``size`` samples, shared among classes by their counts: whole numbers by the method of the largest remainders."""
    total = int(counts.sum())
    whole, rest = np.divmod(counts * size, total)
    whole[np.argsort(-rest, kind="stable")[: size - int(whole.sum())]] += 1
    return whole
