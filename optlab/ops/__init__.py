"""The kernels under every network, on plain arrays: products, normalization, dense passes and losses.

Each comes forward, backward and as a derivative in a direction. Every function is pure, takes float32 or float64 arrays
in C order, writes into ``out=`` where it is given and gives the same bits for every number of threads.
"""

from optlab.ops.activation import (
    activation_backward,
    activation_backward_tangent,
    activation_forward,
    activation_forward_tangent,
    activations,
)
from optlab.ops.dropout import (
    dropout_backward,
    dropout_backward_tangent,
    dropout_forward,
    dropout_forward_tangent,
)
from optlab.ops.linear import (
    Dropout,
    linear_backward,
    linear_backward_tangent,
    linear_forward,
    linear_forward_tangent,
)
from optlab.ops.matmul import (
    matmul,
)
from optlab.ops.maxout import (
    maxout_backward,
    maxout_backward_tangent,
    maxout_forward,
    maxout_forward_tangent,
)

__all__ = [
    "Dropout",
    "activation_backward",
    "activation_backward_tangent",
    "activation_forward",
    "activation_forward_tangent",
    "activations",
    "dropout_backward",
    "dropout_backward_tangent",
    "dropout_forward",
    "dropout_forward_tangent",
    "linear_backward",
    "linear_backward_tangent",
    "linear_forward",
    "linear_forward_tangent",
    "matmul",
    "maxout_backward",
    "maxout_backward_tangent",
    "maxout_forward",
    "maxout_forward_tangent",
]
