"""Directions in which slices of networks can be compared."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from optlab.layout import Layout, Segment, checked
from optlab.random import derive_seed, normal
from optlab.refusals import vector

Array = NDArray[Any]


def filter_normalized(network: Any, theta: Array, seed: int, *, vectors: bool = False) -> Array:
    """A Gaussian direction d with ``d_j ← d_j |w_j| / |d_j|`` for each filter j: Li et al.'s filter normalization.

    A filter is a row of a weight matrix (out, in): the weights into one unit. Scaling a unit of a ReLU network up and
    its successor's weights down leaves f as it was, and with these directions its slices too. Biases and the scales and
    shifts of normalization stay where they are (d = 0, the authors' "biasbn"), unless ``vectors``.

    Args:
        network: A network, a landscape, or a layout: whatever says what the segments of theta are.
        theta: The parameters ``(dim,)``, whose norms are taken.
        seed: Of the draw, which does not depend on theta.
        vectors: Give each bias, scale and shift a direction of its own norm, too, as one filter.

    Returns:
        d, ``(dim,)`` float64.

    Raises:
        TypeError: network has no layout, theta is no float array, or seed no whole number.
        ValueError: theta does not fit the layout or is not finite, or seed is out of range.

    Example:
        >>> import numpy as np, optlab as ol
        >>> mlp = ol.nn.MLP([2, 3, 1], dtype="float64")
        >>> theta = mlp.init(seed=0)
        >>> d = ol.curvature.filter_normalized(mlp, theta, seed=1)
        >>> norms = [np.linalg.norm(mlp.views(v)["layers.0.weight"], axis=1) for v in (d, theta)]
        >>> bool(np.allclose(*norms)), mlp.views(d)["layers.0.bias"]
        (True, array([0., 0., 0.]))

    References:
        Li, Xu, Taylor, Studer and Goldstein, "Visualizing the loss landscape of neural nets", 2018.
    """
    layout = _layout(network)
    dim = sum(segment.size for segment in layout)
    vector("theta", theta, dim)
    direction = normal((dim,), derive_seed(seed, "curvature", "direction"))
    for segment in layout:
        _normalize(direction, theta.astype(np.float64), segment, vectors)
    return direction


def _layout(given: Any) -> Layout:
    layout = getattr(given, "layout", given)
    if not isinstance(layout, tuple | list) or not all(isinstance(part, Segment) for part in layout):
        raise TypeError(f"network: got {type(given).__name__}, expected a network, a landscape or a layout")
    return checked(layout, sum(segment.size for segment in layout))


def _normalize(direction: Array, theta: Array, segment: Segment, vectors: bool) -> None:
    """Writes one segment of the direction."""
    filters = segment.shape[0] if segment.kind == "weight" and len(segment.shape) > 1 else 1
    here = slice(segment.offset, segment.offset + segment.size)
    d, w = direction[here].reshape(filters, -1), theta[here].reshape(filters, -1)
    if segment.kind != "weight" and not vectors:
        d[:] = 0
    else:
        d *= np.linalg.norm(w, axis=1, keepdims=True) / np.linalg.norm(d, axis=1, keepdims=True)
