"""Wasserstein's distance of histograms over a line: how far their mass lies apart."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from optlab.kernels.select import cpu
from optlab.ops.losses import l1

Array = NDArray[Any]
REDUCTIONS = ("mean", "sum", "none")


def wasserstein(
    prediction: Array, target: Array, *, reduction: str = "mean", gradient: bool = True
) -> tuple[Array, Any]:
    """The distance W₁ of each row of predicted shares from the target's, in bins, and its subgradient.

    ::

        loss = Σ_{k<bins} |D_k|,     D_k = Σ_{j<=k} (p_j − t_j)     the mass that must cross the border behind bin k
        dprediction_j = Σ_{j<=k<bins} sign(D_k),                    0 for the last bin

    It is the least sum of mass times way that makes one histogram of the other where both have the same mass, as
    outputs of softmax do (not checked). What the last bin lacks is not counted, so that its slope is 0.

    Args:
        prediction: p (rows, bins), two bins or more, float32 or float64.
        target: t, shaped likewise.
        reduction: "mean" over rows, "sum", or "none" for one loss per row; the gradient then is that of the sum.
        gradient: Whether the gradient is wanted; without it, dprediction is None.

    Returns:
        (loss, dprediction): () or (rows,), and (rows, bins).

    Raises:
        TypeError: an array has a wrong type.
        ValueError: an array has a wrong shape or layout, or the reduction is unknown.

    Example:
        >>> import numpy as np
        >>> loss, dprediction = wasserstein(np.array([[1.0, 0.0, 0.0]]), np.array([[0.0, 0.0, 1.0]]))
        >>> print(loss, dprediction)
        2.0 [[2. 1. 0.]]

    References:
        Vallender, "Calculation of the Wasserstein distance between probability distributions on the line", 1974.
    """
    terms, signs = l1(*_crossing(prediction, target, reduction), reduction="none", gradient=gradient)
    # Running sums add in one order on every machine.
    loss, weight = terms.cumsum(axis=1)[:, -1], 1 / len(terms) if reduction == "mean" else 1
    if reduction != "none":
        loss = loss.cumsum()[-1] * loss.dtype.type(weight)
    return loss, _from_behind(signs * signs.dtype.type(weight)) if gradient else None


def wasserstein_tangent(
    prediction_dot: Array, prediction: Array, target: Array, *, reduction: str = "mean"
) -> tuple[Array, Array]:
    """The derivatives of :func:`wasserstein` in the direction prediction_dot.

    ::

        loss_dot = Σ_j dprediction_j ṗ_j,     dprediction_dot = 0

    Args:
        prediction_dot: Shaped like the prediction.
        prediction: p (rows, bins), two bins or more, float32 or float64.
        target: t, shaped likewise.
        reduction: "mean" over rows, "sum" or "none".

    Returns:
        (loss_dot, dprediction_dot): () or (rows,), and (rows, bins).

    Raises:
        TypeError: an array has a wrong type.
        ValueError: an array has a wrong shape or layout, or the reduction is unknown.

    Example:
        >>> import numpy as np
        >>> p, t = np.array([[1.0, 0.0, 0.0]]), np.array([[0.0, 0.0, 1.0]])
        >>> loss_dot, dprediction_dot = wasserstein_tangent(np.array([[-1.0, 1.0, 0.0]]), p, t)
        >>> print(loss_dot, dprediction_dot)
        -1.0 [[0. 0. 0.]]
    """
    _, slope = wasserstein(prediction, target, reduction=reduction)
    _same("prediction_dot", prediction_dot, prediction)
    rows = (slope * prediction_dot).cumsum(axis=1)[:, -1]
    return rows if reduction == "none" else rows.cumsum()[-1], np.zeros_like(prediction)


def _crossing(prediction: Array, target: Array, reduction: str) -> tuple[Array, Array]:
    """What crosses each border, and zeros to compare it with."""
    cpu.check_array(prediction, "prediction")
    if prediction.ndim != 2 or prediction.shape[1] < 2:
        raise ValueError(f"prediction: got shape {prediction.shape}, expected (rows, bins) with two bins or more")
    _same("target", target, prediction)
    if reduction not in REDUCTIONS:
        raise ValueError(f"reduction: got {reduction!r}, expected one of {', '.join(map(repr, REDUCTIONS))}")
    crossing = np.ascontiguousarray((prediction - target).cumsum(axis=1)[:, :-1])
    return crossing, np.zeros_like(crossing)


def _same(name: str, given: Array, like: Array) -> None:
    cpu.check_array(given, name)
    if given.dtype != like.dtype:
        raise TypeError(f"{name}: got dtype {given.dtype}, expected {like.dtype}, that of prediction")
    if given.shape != like.shape:
        raise ValueError(f"{name}: got shape {given.shape}, expected {like.shape}, that of prediction")


def _from_behind(signs: Array) -> Array:
    """Σ_{k>=j} of each row, and 0 behind the last."""
    slope = np.zeros((len(signs), signs.shape[1] + 1), signs.dtype)
    slope[:, :-1] = signs[:, ::-1].cumsum(axis=1)[:, ::-1]
    return slope
