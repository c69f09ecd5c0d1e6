"""The coordinate check: how far training moves a unit, by the width of the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optlab.checks import integer
from optlab.descend import descend
from optlab.nn.mlp import MLP
from optlab.optim import Optimizer

Array = NDArray[Any]


@dataclass(frozen=True)
class CoordinateCheck:
    """What :func:`coordinate_check` found.

    Attributes:
        widths: (networks,) float64: units of the first hidden layer.
        change: (networks, layers, runs) float64: the mean |z_l(after) − z_l(before)| over samples and units.
        slopes: (layers, runs) float64: the exponent s of change ~ widthˢ, by least squares of the logarithms.
    """

    widths: Array
    change: Array

    @property
    def slopes(self) -> Array:
        """See the class."""
        x = np.log2(self.widths) - np.log2(self.widths).mean()
        return np.tensordot(x / (x @ x), np.log2(self.change), axes=(0, 0))


def coordinate_check(
    networks: Sequence[MLP],
    optimizer: Optimizer,
    X: Array,
    y: Array,
    *,
    loss: str = "cross_entropy",
    steps: int = 4,
    runs: int = 3,
    seed: int = 0,
) -> CoordinateCheck:
    """Measures how far a few steps move what each linear map puts out, in networks that differ in width.

    Where a parametrization is right for every width, the change of each unit does not depend on it: slope 0, and the
    best learning rate stays. A slope above 0 is a layer that blows up, one below 0 a layer that stops to learn. The
    check says nothing about training to the end.

    Args:
        networks: At least two, of different width and the same depth.
        optimizer: Each network trains with ``network.per_layer(optimizer)``, on all samples at each step.
        X: Inputs ``(n, inputs)``; the outputs of every map are compared on them.
        y: Targets, as :meth:`MLP.on` takes them.
        loss: As there.
        steps: How many, >= 1.
        runs: Networks of each width, each with first parameters of its own, >= 1.
        seed: Of the first parameters and of dropout.

    Raises:
        TypeError: an argument is of the wrong type.
        ValueError: there are fewer than two networks, two of the same width, or depths differ.

    Example:
        >>> import numpy as np, optlab as ol
        >>> X, y = ol.data.gaussian_mixture(64, classes=2, dim=8, seed=0)
        >>> wide = lambda n: MLP([8, n, n, 2], parametrization="mup", base_widths=[8, 16, 16, 2])
        >>> check = coordinate_check([wide(n) for n in (16, 64, 256)], ol.Adam(lr=0.01), X, y)
        >>> bool((abs(check.slopes.mean(axis=1)) < 0.5).all())
        True

    References:
        Yang, Hu et al., "Tensor programs V", 2021, appendix D.1.
    """
    steps, runs = integer("steps", steps, 1, 2**31), integer("runs", runs, 1, 2**31)
    if len({(mlp.widths[1], len(mlp.widths)) for mlp in networks}) < len(networks) or len(networks) < 2:
        raise ValueError("networks: expected at least two, of different width")
    if len({len(mlp.widths) for mlp in networks}) > 1 or len(networks[0].widths) < 3:
        raise ValueError("networks: expected the same number of layers in each, one of them hidden at least")
    change = []
    for mlp in networks:
        before = mlp.init(seed, runs)
        path = descend(mlp.on(X, y, loss), mlp.per_layer(optimizer), before, steps, seed=seed, record=[])
        moved = [_maps(mlp, b, X, a) for a, b in zip(before, path.last, strict=True)]
        change.append(np.transpose(moved))
    return CoordinateCheck(np.array([float(mlp.widths[1]) for mlp in networks]), np.array(change))


def _maps(mlp: MLP, theta: Array, X: Array, first: Array) -> list[float]:
    """The mean change of each linear map's outputs."""
    parts = [_cut(mlp, k) for k in range(len(mlp.widths) - 1)]
    return [float(np.abs(_outputs(part, mlp, theta, X) - _outputs(part, mlp, first, X)).mean()) for part in parts]


def _cut(mlp: MLP, k: int) -> MLP:
    """The network that puts out what the linear map of layer k does."""
    same = ("activation", "norm", "norm_position", "parameter", "eps", "groups")
    return MLP(mlp.widths[: k + 2], bias=mlp.bias, dtype=mlp.dtype.name, **{name: getattr(mlp, name) for name in same})


def _outputs(part: MLP, mlp: MLP, theta: Array, X: Array) -> Array:
    own = np.zeros(part.dim, part.dtype)  # the last map has a bias here that normalization leaves out there
    whole = mlp.views(theta)
    for name, view in part.views(own).items():
        view[...] = whole.get(name, 0.0)
    return part.predict(own, X, part.statistics(own, X) if part.norm_columns else None)
