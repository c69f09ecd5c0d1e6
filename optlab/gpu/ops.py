"""The kernels behind :mod:`optlab.ops` on the GPU, by the names and with the arguments of those of the CPU."""

from __future__ import annotations

from typing import Any, NoReturn

from optlab.gpu.batch_norm import (
    batch_norm_backward,
    batch_norm_backward_tangent,
    batch_norm_eval_backward,
    batch_norm_eval_backward_tangent,
    batch_norm_eval_forward,
    batch_norm_eval_forward_tangent,
    batch_norm_forward,
    batch_norm_forward_tangent,
)
from optlab.gpu.layer_norm import (
    group_norm_backward,
    group_norm_backward_tangent,
    group_norm_forward,
    group_norm_forward_tangent,
    layer_norm_backward,
    layer_norm_backward_tangent,
    layer_norm_forward,
    layer_norm_forward_tangent,
)

__all__ = [
    "batch_norm_backward",
    "batch_norm_backward_tangent",
    "batch_norm_eval_backward",
    "batch_norm_eval_backward_tangent",
    "batch_norm_eval_forward",
    "batch_norm_eval_forward_tangent",
    "batch_norm_forward",
    "batch_norm_forward_tangent",
    "group_norm_backward",
    "group_norm_backward_tangent",
    "group_norm_forward",
    "group_norm_forward_tangent",
    "layer_norm_backward",
    "layer_norm_backward_tangent",
    "layer_norm_forward",
    "layer_norm_forward_tangent",
]


def __getattr__(name: str) -> Any:
    def refuse(*_: Any) -> NoReturn:
        raise TypeError(f"{name}: got arrays of the GPU, for which there is no kernel; NumPy arrays (.get()) have one")

    if name.startswith("_"):
        raise AttributeError(name)
    return refuse
