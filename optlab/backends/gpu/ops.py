"""The kernels behind :mod:`optlab.ops` on the GPU, by the names and with the arguments of those of the CPU."""

from __future__ import annotations

from typing import Any, NoReturn

from optlab.backends.gpu.batch_norm import (
    batch_norm_backward,
    batch_norm_backward_tangent,
    batch_norm_eval_backward,
    batch_norm_eval_backward_tangent,
    batch_norm_eval_forward,
    batch_norm_eval_forward_tangent,
    batch_norm_forward,
    batch_norm_forward_tangent,
)
from optlab.backends.gpu.dense import (
    activation_backward,
    activation_backward_tangent,
    activation_forward,
    activation_forward_tangent,
    dropout,
)
from optlab.backends.gpu.layer_norm import (
    group_norm_backward,
    group_norm_backward_tangent,
    group_norm_forward,
    group_norm_forward_tangent,
    layer_norm_backward,
    layer_norm_backward_tangent,
    layer_norm_forward,
    layer_norm_forward_tangent,
)
from optlab.backends.gpu.linear import (
    linear_backward,
    linear_backward_tangent,
    linear_forward,
    linear_forward_tangent,
)
from optlab.backends.gpu.losses import (
    elementwise,
    elementwise_tangent,
    softmax_cross_entropy,
    softmax_cross_entropy_tangent,
)
from optlab.backends.gpu.products import (
    matmul,
)
from optlab.kernels.select import cpu

__all__ = [
    "activation_backward",
    "activation_backward_tangent",
    "activation_forward",
    "activation_forward_tangent",
    "batch_norm_backward",
    "batch_norm_backward_tangent",
    "batch_norm_eval_backward",
    "batch_norm_eval_backward_tangent",
    "batch_norm_eval_forward",
    "batch_norm_eval_forward_tangent",
    "batch_norm_forward",
    "batch_norm_forward_tangent",
    "binary_cross_entropy",
    "binary_cross_entropy_tangent",
    "dropout",
    "group_norm_backward",
    "group_norm_backward_tangent",
    "group_norm_forward",
    "group_norm_forward_tangent",
    "huber",
    "huber_tangent",
    "kl_divergence",
    "kl_divergence_tangent",
    "l1",
    "l1_tangent",
    "layer_norm_backward",
    "layer_norm_backward_tangent",
    "layer_norm_forward",
    "layer_norm_forward_tangent",
    "linear_backward",
    "linear_backward_tangent",
    "linear_forward",
    "linear_forward_tangent",
    "matmul",
    "mse",
    "mse_tangent",
    "softmax_cross_entropy",
    "softmax_cross_entropy_tangent",
]

binary_cross_entropy, binary_cross_entropy_tangent = (
    elementwise("binary_cross_entropy"),
    elementwise_tangent("binary_cross_entropy"),
)
huber, huber_tangent = elementwise("huber"), elementwise_tangent("huber")
kl_divergence, kl_divergence_tangent = elementwise("kl_divergence"), elementwise_tangent("kl_divergence")
l1, l1_tangent = elementwise("l1"), elementwise_tangent("l1")
mse, mse_tangent = elementwise("mse"), elementwise_tangent("mse")


def __getattr__(name: str) -> Any:
    if not hasattr(cpu, name):
        raise AttributeError(name)

    def refuse(*_: Any) -> NoReturn:
        raise TypeError(f"{name}: got arrays of the GPU, for which there is no kernel; NumPy arrays (.get()) have one")

    return refuse
