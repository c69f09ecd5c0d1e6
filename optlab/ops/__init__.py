"""The kernels under every network, on plain arrays: products, normalization, dense passes and losses.

Each comes forward, backward and as a derivative in a direction. Every function is pure, takes float32 or float64 arrays
in C order, writes into ``out=`` where it has one and gives the same bits for every number of threads.
"""

from optlab.ops.activation import (
    activation_backward,
    activation_backward_tangent,
    activation_forward,
    activation_forward_tangent,
    activations,
)
from optlab.ops.batch_norm import (
    batch_norm_backward,
    batch_norm_backward_tangent,
    batch_norm_eval_backward,
    batch_norm_eval_backward_tangent,
    batch_norm_eval_forward,
    batch_norm_eval_forward_tangent,
    batch_norm_forward,
    batch_norm_forward_tangent,
)
from optlab.ops.cross_entropy import (
    softmax_cross_entropy,
    softmax_cross_entropy_tangent,
)
from optlab.ops.dropout import (
    dropout_backward,
    dropout_backward_tangent,
    dropout_forward,
    dropout_forward_tangent,
)
from optlab.ops.group_norm import (
    group_norm_backward,
    group_norm_backward_tangent,
    group_norm_forward,
    group_norm_forward_tangent,
)
from optlab.ops.instance_norm import (
    instance_norm_backward,
    instance_norm_backward_tangent,
    instance_norm_forward,
    instance_norm_forward_tangent,
)
from optlab.ops.layer_norm import (
    layer_norm_backward,
    layer_norm_backward_tangent,
    layer_norm_forward,
    layer_norm_forward_tangent,
)
from optlab.ops.linear import (
    Dropout,
    linear_backward,
    linear_backward_tangent,
    linear_forward,
    linear_forward_tangent,
)
from optlab.ops.linear_batch_norm import linear_batch_norm_forward
from optlab.ops.losses import (
    binary_cross_entropy,
    binary_cross_entropy_tangent,
    huber,
    huber_tangent,
    kl_divergence,
    kl_divergence_tangent,
    l1,
    l1_tangent,
    mse,
    mse_tangent,
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
from optlab.ops.softmax import (
    log_softmax_backward,
    log_softmax_backward_tangent,
    log_softmax_forward,
    log_softmax_forward_tangent,
    softmax_backward,
    softmax_backward_tangent,
    softmax_forward,
    softmax_forward_tangent,
)
from optlab.ops.wasserstein import wasserstein, wasserstein_tangent
from optlab.ops.weight_norm import (
    weight_norm_backward,
    weight_norm_backward_tangent,
    weight_norm_forward,
    weight_norm_forward_tangent,
)

__all__ = [
    "Dropout",
    "activation_backward",
    "activation_backward_tangent",
    "activation_forward",
    "activation_forward_tangent",
    "activations",
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
    "dropout_backward",
    "dropout_backward_tangent",
    "dropout_forward",
    "dropout_forward_tangent",
    "group_norm_backward",
    "group_norm_backward_tangent",
    "group_norm_forward",
    "group_norm_forward_tangent",
    "huber",
    "huber_tangent",
    "instance_norm_backward",
    "instance_norm_backward_tangent",
    "instance_norm_forward",
    "instance_norm_forward_tangent",
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
    "linear_batch_norm_forward",
    "linear_forward",
    "linear_forward_tangent",
    "log_softmax_backward",
    "log_softmax_backward_tangent",
    "log_softmax_forward",
    "log_softmax_forward_tangent",
    "matmul",
    "maxout_backward",
    "maxout_backward_tangent",
    "maxout_forward",
    "maxout_forward_tangent",
    "mse",
    "mse_tangent",
    "softmax_backward",
    "softmax_backward_tangent",
    "softmax_cross_entropy",
    "softmax_cross_entropy_tangent",
    "softmax_forward",
    "softmax_forward_tangent",
    "wasserstein",
    "wasserstein_tangent",
    "weight_norm_backward",
    "weight_norm_backward_tangent",
    "weight_norm_forward",
    "weight_norm_forward_tangent",
]
