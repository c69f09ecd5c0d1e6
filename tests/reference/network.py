"""A network from its formulas in float64, or in complex numbers for derivatives by a complex step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reference import activations, losses

Array = NDArray[Any]
Noise = list[tuple[Array, Array]] | None
DROPOUT = 6


def normalized(
    z: Array, norm: str, eps: float, given: tuple[Array, Array] | None = None, groups: int | None = None
) -> Array:
    """(z - mean) / sqrt(var + eps) over the batch, or over the features of each sample or of each of its groups."""
    if groups is not None:
        parts = np.split(z, groups, axis=1)
        return np.concatenate([normalized(part, "layer", eps) for part in parts], axis=1)
    axis = 0 if norm == "batch" else 1
    mean, var = given or (
        z.mean(axis, keepdims=True),
        np.square(z - z.mean(axis, keepdims=True)).mean(axis, keepdims=True),
    )
    return (z - mean) / np.sqrt(var + eps)


def hidden(
    mlp: Any, theta: Array, X: Array, masks: list[Array] | None, stats: Any = None, noise: Noise = None
) -> Iterator[tuple[Array, Array]]:
    """(what is normalized, the output) of each layer; masks hold 0 and 1 / (1 - p), noise (s, m) of s z + m."""
    parts = {s.name: theta[s.offset : s.offset + s.size].reshape(s.shape) for s in mlp.layout}
    h, depth, column = X.astype(theta.dtype if np.iscomplexobj(theta) else np.float64), len(mlp.widths) - 1, 0
    parameter = mlp.parameter if mlp.parameter is not None else activations.DEFAULTS.get(mlp.activation, 0.0)
    for k in range(depth):
        z = h @ parts[f"layers.{k}.weight"].T + parts.get(f"layers.{k}.bias", 0.0)
        if k == depth - 1:
            yield z, z
            return
        steps = ["norm", "active"] if mlp.norm_position == "before" else ["active", "norm"]
        inner = z
        for step in steps:
            if step == "active":
                z = activations.VALUE[mlp.activation](z, parameter)
            elif mlp.norm:
                inner, wide = z, z.shape[1]
                given = None if stats is None else (stats[0][column : column + wide], stats[1][column : column + wide])
                column += wide
                z = normalized(z, mlp.norm, mlp.eps, given, mlp.groups)
                z = z * parts[f"layers.{k}.norm.weight"] + parts[f"layers.{k}.norm.bias"]
                z = z * noise[k][0] + noise[k][1] if noise else z
        h = z * masks[k] if masks else z
        yield inner, h


def outputs(
    mlp: Any, theta: Array, X: Array, masks: list[Array] | None = None, stats: Any = None, noise: Noise = None
) -> Array:
    """Logits."""
    return list(hidden(mlp, theta, X, masks, stats, noise))[-1][1]


def drawn_masks(mlp: Any, rows: int, draw: Any) -> list[Array]:
    """Of one step: draw(n) gives the first n uniform numbers at its address."""
    wide = mlp.widths[1:-1]
    kept = draw(rows * sum(wide)) >= np.float32(mlp.dropout)
    ends = np.cumsum([0, *(rows * w for w in wide)])
    cut = [kept[a:b].reshape(rows, w) for a, b, w in zip(ends, ends[1:], wide, strict=False)]
    return [part / (1 - mlp.dropout) for part in cut]


def drawn_noise(mlp: Any, rows: int, uniform: Any, normal: Any) -> list[tuple[Array, Array]]:
    """Of one step: uniform(n) and normal(n) give the first n numbers at its address.

    A layer has rows of its units' length rounded up to 64: uniform ones for m and s of the units, then two for each
    sample, uniform ones for m and normal ones for s.
    """
    (shift, scale, spread), first, found = mlp.norm_noise, 0, []
    for width in mlp.widths[1:-1]:
        wide = -(-width // 64) * 64
        last = first + wide * (2 + 2 * rows)
        u, z = (draw(last)[first:].reshape(-1, wide)[:, :width] for draw in (uniform, normal))
        m = (2 * u[0] - 1) * shift + (2 * u[2::2] - 1) * spread
        found.append((1 + u[1] * (scale - 1) + z[3::2] * spread, m))
        first = last
    return found


def loss(f: Any, theta: Array, masks: list[Array] | None = None, noise: Noise = None) -> Any:
    """The value of a landscape of a network."""
    y, o = outputs(f.mlp, theta, f.X, masks, None, noise), f.options
    if o.loss == "cross_entropy":
        value = losses.cross_entropy(y, losses.smoothed(f.y, y.shape[1], o.label_smoothing)).mean()
    else:
        terms = losses.LOSSES[o.loss].value(y, f.y, o.delta if o.loss == "huber" else o.label_smoothing)
        value = terms.sum() / (len(y) if o.loss == "kl_divergence" else terms.size)
    return value + o.weight_decay / 2 * (theta * theta).sum() + o.l1 * losses.absolute(theta).sum()


def gradient(f: Any, theta: Array, masks: list[Array] | None = None, noise: Noise = None) -> Array:
    """By a complex step along every coordinate."""
    eye = np.eye(len(theta))
    return np.array([np.imag(loss(f, theta + 1j * losses.STEP * e, masks, noise)) / losses.STEP for e in eye])


def curvature(f: Any, theta: Array, v: Array, masks: list[Array] | None = None, noise: Noise = None) -> Array:
    """The Hessian times v by central differences of exact gradients: wrong by h^2 / 6 third derivatives and eps / h."""
    h = 1e-5 / np.abs(v).max()
    return (gradient(f, theta + h * v, masks, noise) - gradient(f, theta - h * v, masks, noise)) / (2 * h)
