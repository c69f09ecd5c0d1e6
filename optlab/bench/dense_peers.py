"""The peers of the dense passes, each as its own users would write it well."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from optlab.bench.passes import Array, Results
from optlab.threads import current as current_threads


def tensors(*arrays: Array) -> list[Any]:
    """Arrays as tensors on the same memory, and PyTorch on as many threads as ours."""
    import torch

    torch.set_num_threads(current_threads())
    return [torch.from_numpy(array) for array in arrays]


def jax_arrays(*arrays: Array) -> list[Any]:
    """Arrays as JAX holds them."""
    import jax.numpy as jnp

    return [jnp.asarray(array) for array in arrays]


def ready(results: Any) -> Any:
    """The results, once they are there."""
    import jax

    wait: Any = jax.block_until_ready  # untyped there, and unknown to mypy where JAX is not installed
    return wait(results)


def torch_linear(x: Array, weight: Array, bias: Array, dy: Array) -> Results:
    """Autograd."""
    import torch

    *leaves, upper = tensors(x, weight, bias, dy)
    leaves = [leaf.clone().requires_grad_() for leaf in leaves]

    def run() -> list[Any]:
        y = torch.relu(torch.nn.functional.linear(*leaves))
        return [y.detach(), *torch.autograd.grad(y, leaves, upper)]

    return run


def jax_linear(x: Array, weight: Array, bias: Array, dy: Array) -> Results:
    """One jitted program of the forward pass and its vector-Jacobian product."""
    import jax

    def both(x: Any, weight: Any, bias: Any, dy: Any) -> Any:
        y, pull = jax.vjp(lambda x, w, b: jax.nn.relu(x @ w.T + b), x, weight, bias)
        return [y, *pull(dy)]

    fused, held = jax.jit(both), jax_arrays(x, weight, bias, dy)
    return lambda: ready(fused(*held))


def numpy_linear(x: Array, weight: Array, bias: Array, dy: Array) -> Results:
    """Its BLAS, in place around it."""
    y, dz, dx, dweight = np.empty_like(dy), np.empty_like(dy), np.empty_like(x), np.empty_like(weight)

    def run() -> list[Array]:
        np.matmul(x, weight.T, out=y)
        np.add(y, bias, out=y)
        np.maximum(y, 0, out=y)
        np.multiply(dy, y > 0, out=dz)
        return [y, np.matmul(dz, weight, out=dx), np.matmul(dz.T, x, out=dweight), dz.sum(axis=0)]

    return run


def torch_layer_norm(x: Array, gamma: Array, beta: Array, dy: Array) -> Results:
    """Autograd."""
    import torch

    *leaves, upper = tensors(x, gamma, beta, dy)
    leaves = [leaf.clone().requires_grad_() for leaf in leaves]

    def run() -> list[Any]:
        y = torch.nn.functional.layer_norm(leaves[0], gamma.shape, leaves[1], leaves[2])
        return [y.detach(), *torch.autograd.grad(y, leaves, upper)]

    return run


def torch_layer_norm_kernels(x: Array, gamma: Array, beta: Array, dy: Array) -> Results:
    """Its kernels without autograd, into given tensors."""
    import torch

    held, upper = tensors(x, gamma, beta), tensors(dy)[0]
    y, mean, rstd = (torch.empty_like(a) for a in (held[0], held[0][:, :1], held[0][:, :1]))
    out, wanted, aten = [torch.empty_like(a) for a in held], [True] * 3, torch.ops.aten
    shape = list(gamma.shape)

    def run() -> list[Any]:
        aten.native_layer_norm.out(held[0], shape, held[1], held[2], 1e-5, out0=y, out1=mean, out2=rstd)
        given = dict(zip(("out0", "out1", "out2"), out, strict=True))
        aten.native_layer_norm_backward.out(upper, held[0], shape, mean, rstd, held[1], held[2], wanted, **given)
        return [y, *out]

    return run


def jax_layer_norm(x: Array, gamma: Array, beta: Array, dy: Array) -> Results:
    """One jitted program."""
    import jax

    def norm(x: Any, gamma: Any, beta: Any) -> Any:
        centred = x - x.mean(-1, keepdims=True)
        return centred * jax.lax.rsqrt((centred * centred).mean(-1, keepdims=True) + 1e-5) * gamma + beta

    def both(x: Any, gamma: Any, beta: Any, dy: Any) -> Any:
        y, pull = jax.vjp(norm, x, gamma, beta)
        return [y, *pull(dy)]

    fused, held = jax.jit(both), jax_arrays(x, gamma, beta, dy)
    return lambda: ready(fused(*held))


def torch_cross_entropy(logits: Array, labels: Array) -> Results:
    """Autograd."""
    import torch

    leaf, target = tensors(logits, labels)
    leaf = leaf.clone().requires_grad_()

    def run() -> list[Any]:
        loss = torch.nn.functional.cross_entropy(leaf, target)
        return [loss.detach(), *torch.autograd.grad(loss, leaf)]

    return run


def jax_cross_entropy(logits: Array, labels: Array) -> Results:
    """One jitted program."""
    import jax
    import jax.numpy as jnp

    def mean(logits: Any, labels: Any) -> Any:
        return -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], 1).mean()

    fused, held = jax.jit(jax.value_and_grad(mean)), jax_arrays(logits, labels)
    return lambda: ready(fused(*held))


def torch_dropout(x: Array, p: float) -> Results:
    """The functional form."""
    import torch

    (held,) = tensors(x)
    return lambda: [torch.nn.functional.dropout(held, p, training=True)]


def jax_dropout(x: Array, p: float) -> Results:
    """Jitted, a new key for each call."""
    import jax

    (held,) = jax_arrays(x)
    drop = jax.jit(lambda key, x: jax.numpy.where(jax.random.bernoulli(key, 1 - p, x.shape), x / (1 - p), 0.0))
    keys: Any = iter(jax.random.split(jax.random.key(0), 4096))
    return lambda: ready([drop(next(keys), held)])


def torch_activation(x: Array, name: str) -> Results:
    """Into a given tensor where it can."""
    import torch

    (held,) = tensors(x)
    out = torch.empty_like(held)
    given: dict[str, Any] = {"relu": lambda: torch.clamp_min(held, 0, out=out)}
    given |= {each: partial(getattr(torch.ops.aten, each).out, held, out=out) for each in ("leaky_relu", "elu")}
    given |= {each: partial(getattr(torch, each), held, out=out) for each in ("tanh", "sigmoid")}
    run = given[name]
    return lambda: [run()]


def numpy_activation(x: Array, name: str) -> Results:
    """In place; the sigmoid by way of tanh, which NumPy computes in vectors."""
    out = np.empty_like(x)

    def sigmoid() -> Array:
        np.multiply(x, np.float32(0.5), out=out)
        np.tanh(out, out=out)
        np.multiply(out, np.float32(0.5), out=out)
        return np.add(out, np.float32(0.5), out=out)

    def leaky_relu() -> Array:
        np.multiply(x, np.float32(0.01), out=out)
        return np.maximum(x, out, out=out)

    def elu() -> Array:
        np.minimum(x, 0, out=out)
        np.expm1(out, out=out)
        return np.maximum(x, out, out=out)

    relu, tanh = partial(np.maximum, x, 0, out=out), partial(np.tanh, x, out=out)
    run: Any = {"relu": relu, "leaky_relu": leaky_relu, "elu": elu, "tanh": tanh, "sigmoid": sigmoid}[name]
    return lambda: [run()]


LINEAR = {"PyTorch": torch_linear, "JAX": jax_linear, "NumPy": numpy_linear}
LAYER_NORM = {"PyTorch": torch_layer_norm, "PyTorch kernels": torch_layer_norm_kernels, "JAX": jax_layer_norm}
CROSS_ENTROPY = {"PyTorch": torch_cross_entropy, "JAX": jax_cross_entropy}
DROPOUT = {"PyTorch": torch_dropout, "JAX": jax_dropout}
ACTIVATION = {"PyTorch": torch_activation, "NumPy": numpy_activation}
