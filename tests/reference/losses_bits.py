"""Hashes of softmax and the losses, hard numbers among their arguments."""

from __future__ import annotations

from typing import Any

import numpy as np

from optlab import ops
from reference.compare import digest

SHAPES = ((3, 1), (65, 10), (9, 33), (300, 100), (5, 3001))
"""Rows that fill no register exactly, and more than one thread takes alone."""


def arrays(shape: tuple[int, int], dtype: Any) -> dict[str, Any]:
    """Seeded inputs; the first row has what is hard."""
    rng = np.random.default_rng(3)
    x, v, dy = (rng.normal(scale=4, size=shape).astype(dtype) for _ in range(3))
    x[0, : min(3, shape[1] - 1)] = (-np.inf, 1e4, -1e4)[: min(3, shape[1] - 1)]
    return {
        "x": x,
        "v": v,
        "dy": dy,
        "t": rng.random(shape).astype(dtype),
        "labels": rng.integers(0, shape[1], shape[0]),
    }


def results(shape: tuple[int, int], dtype: Any) -> list[Any]:
    """Of every function and option."""
    a = arrays(shape, dtype)
    y, log_y = ops.softmax_forward(a["x"]), ops.log_softmax_forward(a["x"])
    made = [y, log_y, ops.softmax_backward(a["dy"], y), ops.log_softmax_backward(a["dy"], log_y)]
    made += [ops.log_softmax_forward_tangent(a["v"], log_y), ops.softmax_backward_tangent(a["v"], a["x"], a["dy"], y)]
    made += [ops.log_softmax_backward_tangent(a["v"], a["t"], a["dy"], log_y)]
    for labels in (a["labels"], a["t"]):
        for options in ({}, {"label_smoothing": 0.1}, {"reduction": "none"}):
            made += ops.softmax_cross_entropy(a["x"], labels, **options)
            made += ops.softmax_cross_entropy_tangent(a["v"], a["x"], labels, **options)
    for name in ("mse", "l1", "huber", "binary_cross_entropy", "kl_divergence"):
        for reduction in ("mean", "none"):
            made += getattr(ops, name)(a["v"], a["t"], reduction=reduction)
            made += getattr(ops, f"{name}_tangent")(a["dy"], a["v"], a["t"], reduction=reduction)
    return made


def of_losses(dtype: Any) -> str:
    """The hash of them all."""
    return digest(*[array for shape in SHAPES for array in results(shape, dtype)])
