"""How well a network does on data that it is not trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from numpy.typing import NDArray

from optlab import ops
from optlab.backends.current import array_module

if TYPE_CHECKING:
    from optlab.nn.landscape import NetworkLandscape
    from optlab.nn.mlp import NormStatistics

Array = NDArray[Any]


class Evaluation(NamedTuple):
    """What :func:`evaluate` finds.

    Attributes:
        loss: The mean loss, without penalties.
        accuracy: The share of samples whose largest output is their class (outputs that are NaN are none); NaN
            where targets are no classes.
    """

    loss: float
    accuracy: float


def evaluate(f: NetworkLandscape, theta: Array, stats: NormStatistics | None = None) -> Evaluation:
    """The network on the landscape's data as it would be used: nothing dropped, normalized by given statistics.

    Args:
        f: The data with their loss.
        theta: ``(dim,)``.
        stats: See :meth:`optlab.nn.MLP.predict`.

    Raises:
        ValueError: the network has batch normalization and stats are missing.

    Example:
        >>> import numpy as np, optlab as ol
        >>> mlp = ol.nn.MLP([1, 2], init="zeros", dtype="float64")
        >>> f = mlp.on(np.ones((4, 1)), np.array([0, 0, 0, 1]))
        >>> evaluate(f, mlp.init(seed=0)).accuracy
        0.75
    """
    y, options = f.mlp.predict(theta, f.X, stats), f.options
    name, smoothing = options.loss, options.label_smoothing
    if name == "cross_entropy":
        loss, _ = ops.softmax_cross_entropy(y, f.y, label_smoothing=smoothing, gradient=False)
    elif name == "kl_divergence":
        loss = ops.kl_divergence(y, f.y, reduction="sum", gradient=False)[0] / len(y)
    elif name == "huber":
        loss, _ = ops.huber(y, f.y, delta=options.delta, gradient=False)
    elif name == "binary_cross_entropy":
        loss, _ = ops.binary_cross_entropy(y, f.y, label_smoothing=smoothing, gradient=False)
    else:
        loss, _ = getattr(ops, name)(y, f.y, gradient=False)
    return Evaluation(float(loss), _accuracy(y, f.y))


def _accuracy(y: Array, targets: Array) -> float:
    if targets.ndim == 1:
        return float(((y.argmax(axis=1) == targets) & ~array_module(y).isnan(y).any(axis=1)).mean())
    return float("nan")
