"""Element-wise losses: value and gradient in one pass, and the derivatives of both in a direction.

Each is one rule in ``cpp/include/optlab/losses``. In common: ``prediction`` and ``target`` are arrays of one shape;
``reduction`` is "mean" over all elements, "sum" or "none" (the gradient then is that of the sum); ``gradient=False``
leaves the gradient out; ``out`` is a pair of arrays that are written instead of new ones.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from optlab.backends import kernels

Array = NDArray[Any]
Out = tuple[Array | None, Array | None] | None


def mse(
    prediction: Array,
    target: Array,
    *,
    reduction: str = "mean",
    gradient: bool = True,
    out: Out = None,
) -> tuple[Array, Any]:
    """Squared error.

    ::

        loss = (p − t)²,     dprediction = 2 (p − t)

    Args:
        prediction: p, any shape, float32 or float64.
        target: t, shaped likewise.
        reduction: "mean", "sum" or "none".
        gradient: Whether the gradient is wanted; without it, dprediction is None.
        out: Where (loss, dprediction) go.

    Returns:
        (loss, dprediction): () or the shape of the prediction, and that shape.

    Raises:
        TypeError: an array has a wrong type.
        ValueError: an array has a wrong shape or layout, arrays overlap, or an option is out of range.

    Example:
        >>> import numpy as np
        >>> loss, dprediction = mse(np.array([3.0, 1.0]), np.array([1.0, 1.0]))
        >>> print(loss, dprediction)
        2.0 [2. 0.]
    """
    return kernels(prediction).mse(prediction, target, 0.0, reduction, gradient, out)  # type: ignore[no-any-return]


def mse_tangent(
    prediction_dot: Array,
    prediction: Array,
    target: Array,
    *,
    reduction: str = "mean",
    out: Out = None,
) -> tuple[Array, Array]:
    """The derivatives of :func:`mse` in the direction prediction_dot.

    ::

        loss_dot = 2 (p − t) ṗ,     dprediction_dot = 2 ṗ

    Args:
        prediction_dot: Shaped like the prediction.
        prediction: p, any shape, float32 or float64.
        target: t, shaped likewise.
        reduction: "mean", "sum" or "none".
        out: Where (loss_dot, dprediction_dot) go.

    Returns:
        (loss_dot, dprediction_dot): () or the shape of the prediction, and that shape.

    Raises:
        TypeError: an array has a wrong type.
        ValueError: an array has a wrong shape or layout, arrays overlap, or an option is out of range.

    Example:
        >>> import numpy as np
        >>> loss_dot, dprediction_dot = mse_tangent(np.array([1.0, 1.0]), np.array([3.0, 1.0]), np.array([1.0, 1.0]))
        >>> print(loss_dot, dprediction_dot)
        2.0 [1. 1.]
    """
    return kernels(prediction).mse_tangent(  # type: ignore[no-any-return]
        prediction_dot, prediction, target, 0.0, reduction, out
    )


def l1(
    prediction: Array,
    target: Array,
    *,
    reduction: str = "mean",
    gradient: bool = True,
    out: Out = None,
) -> tuple[Array, Any]:
    """Absolute error, with the subgradient 0 at 0.

    ::

        loss = |p − t|,     dprediction = sign(p − t)

    Args:
        prediction: p, any shape, float32 or float64.
        target: t, shaped likewise.
        reduction: "mean", "sum" or "none".
        gradient: Whether the gradient is wanted; without it, dprediction is None.
        out: Where (loss, dprediction) go.

    Returns:
        (loss, dprediction): () or the shape of the prediction, and that shape.

    Raises:
        TypeError: an array has a wrong type.
        ValueError: an array has a wrong shape or layout, arrays overlap, or an option is out of range.

    Example:
        >>> import numpy as np
        >>> loss, dprediction = l1(np.array([3.0, 1.0]), np.array([1.0, 1.0]))
        >>> print(loss, dprediction)
        1.0 [0.5 0. ]
    """
    return kernels(prediction).l1(prediction, target, 0.0, reduction, gradient, out)  # type: ignore[no-any-return]


def l1_tangent(
    prediction_dot: Array,
    prediction: Array,
    target: Array,
    *,
    reduction: str = "mean",
    out: Out = None,
) -> tuple[Array, Array]:
    """The derivatives of :func:`l1` in the direction prediction_dot.

    ::

        loss_dot = sign(p − t) ṗ,     dprediction_dot = 0

    Args:
        prediction_dot: Shaped like the prediction.
        prediction: p, any shape, float32 or float64.
        target: t, shaped likewise.
        reduction: "mean", "sum" or "none".
        out: Where (loss_dot, dprediction_dot) go.

    Returns:
        (loss_dot, dprediction_dot): () or the shape of the prediction, and that shape.

    Raises:
        TypeError: an array has a wrong type.
        ValueError: an array has a wrong shape or layout, arrays overlap, or an option is out of range.

    Example:
        >>> import numpy as np
        >>> loss_dot, dprediction_dot = l1_tangent(np.array([1.0, 1.0]), np.array([3.0, 1.0]), np.array([1.0, 1.0]))
        >>> print(loss_dot, dprediction_dot)
        0.5 [0. 0.]
    """
    return kernels(prediction).l1_tangent(  # type: ignore[no-any-return]
        prediction_dot, prediction, target, 0.0, reduction, out
    )


def huber(
    prediction: Array,
    target: Array,
    *,
    delta: float = 1.0,
    reduction: str = "mean",
    gradient: bool = True,
    out: Out = None,
) -> tuple[Array, Any]:
    """Huber's loss: squared near the target, absolute beyond; PyTorch's ``huber_loss``.

    ::

        loss = d² / 2                 where |d| < δ, d = p − t
        loss = δ (|d| − δ / 2)        beyond
        dprediction = d, clipped to [−δ, δ]

    Args:
        prediction: p, any shape, float32 or float64.
        target: t, shaped likewise.
        delta: δ, > 0.
        reduction: "mean", "sum" or "none".
        gradient: Whether the gradient is wanted; without it, dprediction is None.
        out: Where (loss, dprediction) go.

    Returns:
        (loss, dprediction): () or the shape of the prediction, and that shape.

    Raises:
        TypeError: an array or an option has a wrong type.
        ValueError: an array has a wrong shape or layout, arrays overlap, or an option is out of range.

    Example:
        >>> import numpy as np
        >>> loss, dprediction = huber(np.array([3.0, 1.5]), np.array([1.0, 1.0]), reduction="sum")
        >>> print(loss, dprediction)
        1.625 [1.  0.5]

    References:
        Huber, "Robust estimation of a location parameter", 1964.
    """
    return kernels(prediction).huber(prediction, target, delta, reduction, gradient, out)  # type: ignore[no-any-return]


def huber_tangent(
    prediction_dot: Array,
    prediction: Array,
    target: Array,
    *,
    delta: float = 1.0,
    reduction: str = "mean",
    out: Out = None,
) -> tuple[Array, Array]:
    """The derivatives of :func:`huber` in the direction prediction_dot.

    ::

        loss_dot = clip(d, −δ, δ) ṗ,     dprediction_dot = ṗ where |d| < δ, else 0

    Args:
        prediction_dot: Shaped like the prediction.
        prediction: p, any shape, float32 or float64.
        target: t, shaped likewise.
        delta: δ, > 0.
        reduction: "mean", "sum" or "none".
        out: Where (loss_dot, dprediction_dot) go.

    Returns:
        (loss_dot, dprediction_dot): () or the shape of the prediction, and that shape.

    Raises:
        TypeError: an array or an option has a wrong type.
        ValueError: an array has a wrong shape or layout, arrays overlap, or an option is out of range.

    Example:
        >>> import numpy as np
        >>> loss_dot, dprediction_dot = huber_tangent(
        ...     np.array([1.0, 1.0]), np.array([3.0, 1.5]), np.array([1.0, 1.0]), reduction="sum"
        ... )
        >>> print(loss_dot, dprediction_dot)
        1.5 [0. 1.]
    """
    return kernels(prediction).huber_tangent(  # type: ignore[no-any-return]
        prediction_dot, prediction, target, delta, reduction, out
    )


def binary_cross_entropy(
    prediction: Array,
    target: Array,
    *,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
    gradient: bool = True,
    out: Out = None,
) -> tuple[Array, Any]:
    """Binary cross entropy of logits; PyTorch's ``binary_cross_entropy_with_logits``.

    ::

        loss = −q log σ(p) − (1 − q) log σ(−p)        q = (1 − s) t + s / 2 for the label smoothing s
             = |p| (q or 1 − q) + log(1 + exp(−|p|))   the weight of the side that p speaks against
        dprediction = σ(p) − q

    The second form has no negative term: nothing overflows, and the small loss and slope of a certain, right answer
    keep their digits.

    Args:
        prediction: The logits p, any shape, float32 or float64.
        target: The probability t of the class 1, in [0, 1] (not checked).
        label_smoothing: s, in [0, 1].
        reduction: "mean", "sum" or "none".
        gradient: Whether the gradient is wanted; without it, dprediction is None.
        out: Where (loss, dprediction) go.

    Returns:
        (loss, dprediction): () or the shape of the prediction, and that shape.

    Raises:
        TypeError: an array or an option has a wrong type.
        ValueError: an array has a wrong shape or layout, arrays overlap, or an option is out of range.

    Example:
        >>> import numpy as np
        >>> loss, dprediction = binary_cross_entropy(np.array([1e4, 0.0]), np.array([1.0, 1.0]), reduction="none")
        >>> print(loss.round(4), dprediction)
        [0.     0.6931] [ 0.  -0.5]
    """
    return kernels(prediction).binary_cross_entropy(prediction, target, label_smoothing, reduction, gradient, out)  # type: ignore[no-any-return]


def binary_cross_entropy_tangent(
    prediction_dot: Array,
    prediction: Array,
    target: Array,
    *,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
    out: Out = None,
) -> tuple[Array, Array]:
    """The derivatives of :func:`binary_cross_entropy` in the direction prediction_dot.

    ::

        loss_dot = (σ(p) − q) ṗ,     dprediction_dot = σ(p) σ(−p) ṗ

    Args:
        prediction_dot: Shaped like the prediction.
        prediction: The logits p, any shape, float32 or float64.
        target: The probability t of the class 1, in [0, 1] (not checked).
        label_smoothing: s, in [0, 1].
        reduction: "mean", "sum" or "none".
        out: Where (loss_dot, dprediction_dot) go.

    Returns:
        (loss_dot, dprediction_dot): () or the shape of the prediction, and that shape.

    Raises:
        TypeError: an array or an option has a wrong type.
        ValueError: an array has a wrong shape or layout, arrays overlap, or an option is out of range.

    Example:
        >>> import numpy as np
        >>> loss_dot, dprediction_dot = binary_cross_entropy_tangent(np.array([1.0]), np.array([0.0]), np.array([1.0]))
        >>> print(loss_dot, dprediction_dot)
        -0.5 [0.25]
    """
    return kernels(prediction).binary_cross_entropy_tangent(  # type: ignore[no-any-return]
        prediction_dot, prediction, target, label_smoothing, reduction, out
    )


def kl_divergence(
    prediction: Array,
    target: Array,
    *,
    reduction: str = "mean",
    gradient: bool = True,
    out: Out = None,
) -> tuple[Array, Any]:
    """Kullback-Leibler divergence of log-probabilities from target probabilities; PyTorch's ``kl_div``.

    ::

        loss = t (log t − p),     0 where t = 0
        dprediction = −t

    Args:
        prediction: The log-probabilities p, any shape, float32 or float64.
        target: The probabilities t, >= 0; below 0 the loss is NaN.
        reduction: "mean" over all elements, "batchmean" over the first axis (the divergence itself), "sum" or "none".
        gradient: Whether the gradient is wanted; without it, dprediction is None.
        out: Where (loss, dprediction) go.

    Returns:
        (loss, dprediction): () or the shape of the prediction, and that shape.

    Raises:
        TypeError: an array has a wrong type.
        ValueError: an array has a wrong shape or layout, arrays overlap, or an option is out of range.

    Example:
        >>> import numpy as np
        >>> loss, dprediction = kl_divergence(np.log([[0.5, 0.5]]), np.array([[1.0, 0.0]]), reduction="batchmean")
        >>> print(loss.round(4), dprediction)
        0.6931 [[-1.  0.]]

    References:
        Kullback and Leibler, "On information and sufficiency", 1951.
    """
    return kernels(prediction).kl_divergence(prediction, target, 0.0, reduction, gradient, out)  # type: ignore[no-any-return]


def kl_divergence_tangent(
    prediction_dot: Array,
    prediction: Array,
    target: Array,
    *,
    reduction: str = "mean",
    out: Out = None,
) -> tuple[Array, Array]:
    """The derivatives of :func:`kl_divergence` in the direction prediction_dot.

    ::

        loss_dot = −t ṗ,     dprediction_dot = 0

    Args:
        prediction_dot: Shaped like the prediction.
        prediction: The log-probabilities p, any shape, float32 or float64.
        target: The probabilities t, >= 0; below 0 the loss is NaN.
        reduction: "mean" over all elements, "batchmean" over the first axis (the divergence itself), "sum" or "none".
        out: Where (loss_dot, dprediction_dot) go.

    Returns:
        (loss_dot, dprediction_dot): () or the shape of the prediction, and that shape.

    Raises:
        TypeError: an array has a wrong type.
        ValueError: an array has a wrong shape or layout, arrays overlap, or an option is out of range.

    Example:
        >>> import numpy as np
        >>> loss_dot, dprediction_dot = kl_divergence_tangent(
        ...     np.array([[1.0, 2.0]]), np.log([[0.5, 0.5]]), np.array([[1.0, 0.0]]), reduction="sum"
        ... )
        >>> print(loss_dot, dprediction_dot)
        -1.0 [[0. 0.]]
    """
    return kernels(prediction).kl_divergence_tangent(  # type: ignore[no-any-return]
        prediction_dot, prediction, target, 0.0, reduction, out
    )
