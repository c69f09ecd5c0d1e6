"""Softmax cross entropy: its value, gradient and Hessian-vector product by the logits."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from optlab.backends import kernels

Array = NDArray[Any]


def softmax_cross_entropy(
    logits: Array,
    labels: Array,
    *,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
    gradient: bool = True,
    out: tuple[Array | None, Array | None] | None = None,
) -> tuple[Array, Any]:
    """The cross entropy of targets and softmax(logits), and its gradient, in one pass over each row.

    ::

        loss    = −Σ q log softmax(x)          summed over the classes of a row
        dlogits = softmax(x) Σ q − q           over rows with reduction="mean"
        q       = (1 − s) t + s / classes      the targets t with label smoothing s, PyTorch's variant

    With class numbers for labels, t is 1 at the label. A target of 0 costs nothing even where the logit is −inf.

    Args:
        logits: (rows, classes), float32 or float64.
        labels: int64 class numbers (rows,), or targets (rows, classes) of the dtype of the logits; these are
            distributions as a rule, but any weights are taken as they stand.
        label_smoothing: s, in [0, 1].
        reduction: "mean" over rows, "sum", or "none" for one loss per row; the gradient then is that of the sum.
        gradient: Whether the gradient is wanted; without it, dlogits is None.
        out: Where (loss, dlogits) go, instead of new arrays.

    Returns:
        (loss, dlogits): () or (rows,), and (rows, classes).

    Raises:
        TypeError: an array or an option has a wrong type.
        ValueError: an array has a wrong shape or layout, arrays overlap, an option is out of range, or a label names no
            class.

    Example:
        >>> import numpy as np
        >>> loss, dlogits = softmax_cross_entropy(np.log([[0.25, 0.75]]), np.array([1]))
        >>> print(loss.round(4), dlogits)
        0.2877 [[ 0.25 -0.25]]

    References:
        Label smoothing: Szegedy, Vanhoucke, Ioffe, Shlens and Wojna, "Rethinking the Inception architecture for
        computer vision", 2016.
    """
    return kernels(logits).softmax_cross_entropy(logits, labels, label_smoothing, reduction, gradient, out)  # type: ignore[no-any-return]


def softmax_cross_entropy_tangent(
    logits_dot: Array,
    logits: Array,
    labels: Array,
    *,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
    out: tuple[Array | None, Array | None] | None = None,
) -> tuple[Array, Array]:
    """The derivatives of :func:`softmax_cross_entropy` in the direction logits_dot.

    ::

        loss_dot    = Σ q (u − ẋ)              with p = softmax(x) and u = Σ p ẋ
        dlogits_dot = p (ẋ − u) Σ q            over rows with reduction="mean": the Hessian times ẋ

    Args:
        logits_dot: (rows, classes).
        logits: (rows, classes), float32 or float64.
        labels: As for :func:`softmax_cross_entropy`; they are held fixed.
        label_smoothing: In [0, 1].
        reduction: "mean", "sum" or "none".
        out: Where (loss_dot, dlogits_dot) go, instead of new arrays.

    Returns:
        (loss_dot, dlogits_dot): () or (rows,), and (rows, classes).

    Raises:
        TypeError: an array or an option has a wrong type.
        ValueError: an array has a wrong shape or layout, arrays overlap, an option is out of range, or a label names no
            class.

    Example:
        >>> import numpy as np
        >>> logits, direction = np.log([[0.25, 0.75]]), np.array([[4.0, 0.0]])
        >>> loss_dot, dlogits_dot = softmax_cross_entropy_tangent(direction, logits, np.array([1]))
        >>> print(loss_dot, dlogits_dot)
        1.0 [[ 0.75 -0.75]]
    """
    return kernels(logits).softmax_cross_entropy_tangent(  # type: ignore[no-any-return]
        logits_dot, logits, labels, label_smoothing, reduction, out
    )
