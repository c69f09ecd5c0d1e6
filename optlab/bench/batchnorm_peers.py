"""The peers of the batch normalization benchmark, each as its own users would write it well."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optlab.threads import current as current_threads

Array = NDArray[np.float32]
Arrays = tuple[Array, Array, Array, Array]
Peer = Callable[[], tuple[Array, ...]]
EPS = 1e-5


def load(arrays: Arrays, running: bool) -> tuple[dict[str, Peer], dict[str, str]]:
    """The peers that are installed, and why the others are missing; each returns (y, dx, dgamma, dbeta)."""
    found, missing = {}, {}
    for name, (module, maker) in MAKERS.items():
        if importlib.util.find_spec(module) is None:
            missing[name] = "not installed"
        else:
            found[name] = maker(arrays, running)
    return found, missing


def _torch_arrays(arrays: Arrays, running: bool) -> tuple[Any, ...]:
    """x, dy, gamma, beta and the running averages, in memory of PyTorch's own."""
    import torch

    x, dy, gamma, beta = (torch.from_numpy(array).clone() for array in arrays)
    averages = (torch.zeros_like(gamma), torch.ones_like(gamma)) if running else (None, None)
    return x, dy, gamma, beta, *averages


def _numpy(results: tuple[Any, ...]) -> tuple[Array, ...]:
    return tuple(np.asarray(result.detach()) for result in results)


def torch_autograd(arrays: Arrays, running: bool) -> Peer:
    """The function with gradients by autograd."""
    import torch

    x, dy, gamma, beta, mean, var = _torch_arrays(arrays, running)
    parameters = [array.requires_grad_() for array in (x, gamma, beta)]

    def peer() -> tuple[Array, ...]:
        torch.set_num_threads(current_threads())
        y = torch.nn.functional.batch_norm(x, mean, var, gamma, beta, training=True, eps=EPS)
        return _numpy((y, *torch.autograd.grad(y, parameters, dy)))

    return peer


def torch_kernels(arrays: Arrays, running: bool) -> Peer:
    """The two kernels called directly, without autograd."""
    import torch

    x, dy, gamma, beta, mean, var = _torch_arrays(arrays, running)
    backward = torch.ops.aten.native_batch_norm_backward

    def peer() -> tuple[Array, ...]:
        torch.set_num_threads(current_threads())
        y, centre, rstd = torch.native_batch_norm(x, gamma, beta, mean, var, True, 0.1, EPS)
        return _numpy((y, *backward(dy, x, gamma, mean, var, centre, rstd, True, EPS, [True, True, True])))

    return peer


def jax_peer(arrays: Arrays, running: bool) -> Peer:
    """One jitted program of forward and backward pass."""
    import jax
    import jax.numpy as jnp

    x, dy, gamma, beta = (jnp.asarray(array) for array in arrays)
    averages = (jnp.zeros_like(gamma), jnp.ones_like(gamma)) if running else ()

    def forward(x: Any, gamma: Any, beta: Any) -> Any:
        mean, var = jnp.mean(x, 0), jnp.var(x, 0)
        return (x - mean) * jax.lax.rsqrt(var + EPS) * gamma + beta, (mean, var)

    def step(x: Any, dy: Any, gamma: Any, beta: Any, averages: Any) -> Any:
        y, pull, moments = jax.vjp(forward, x, gamma, beta, has_aux=True)
        unbiased = len(x) / (len(x) - 1)
        kept = [0.9 * old + 0.1 * new for old, new in zip(averages, (moments[0], moments[1] * unbiased), strict=False)]
        return (y, *pull(dy)), kept

    compiled = jax.jit(step)

    def peer() -> tuple[Array, ...]:
        results, kept = compiled(x, dy, gamma, beta, averages)
        for result in (*results, *kept):
            result.block_until_ready()
        return tuple(np.asarray(result) for result in results)

    return peer


MAKERS: dict[str, tuple[str, Callable[[Arrays, bool], Peer]]] = {
    "PyTorch autograd": ("torch", torch_autograd),
    "PyTorch kernels": ("torch", torch_kernels),
    "JAX": ("jax", jax_peer),
}
"""THE list of peers: the module each needs, and what makes it."""
