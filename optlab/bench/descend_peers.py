"""The peers of the descent benchmark, each as its own users would write it well.

All compute x ← x − lr·x·(h + q·x²) + s·ξ with products instead of powers, in float32, in place where the library can.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optlab.threads import current as current_threads

Array = NDArray[np.float32]
Peer = Callable[[Array, float], Array]


def load(case: Any) -> tuple[dict[str, Peer], dict[str, str]]:
    """The peers that are installed, and why the others are missing."""
    makers = {"NumPy": ("numpy", numpy_peer), "PyTorch": ("torch", torch_peer), "JAX": ("jax", jax_peer)}
    found = {name: maker(case) for name, (module, maker) in makers.items() if importlib.util.find_spec(module)}
    return found, {name: "not installed" for name in makers if name not in found}


def coefficients(case: Any) -> tuple[Array, Array]:
    """The h and q of the gradient x (h + q x²), for each coordinate."""
    h = np.concatenate([[-1.0], np.linspace(0.5, 2.0, case.dim - 1)]).astype(np.float32)
    return h, (np.arange(case.dim) == 0).astype(np.float32)


def numpy_peer(case: Any) -> Peer:
    """In place, with the fastest bit generator, and the cubic term in its own column only."""
    h, _ = coefficients(case)
    lr = np.float32(case.lr)

    def peer(x0: Array, noise: float) -> Array:
        rng = np.random.Generator(np.random.SFC64(0))
        x, g, xi, s = x0.copy(), np.empty_like(x0), np.empty_like(x0), np.float32(np.sqrt(noise))
        for _ in range(case.steps):
            np.multiply(x, h, out=g)
            y = x[:, 0]
            g[:, 0] += y * y * y
            g *= lr
            x -= g
            if noise:
                rng.standard_normal(out=xi, dtype=np.float32)
                xi *= s
                x += xi
        return x

    return peer


def torch_peer(case: Any) -> Peer:
    """Eager and in place; compiling it made it no faster, since drawing the noise takes most of the time."""
    import torch

    h = torch.from_numpy(coefficients(case)[0])

    def peer(x0: Array, noise: float) -> Array:
        torch.set_num_threads(current_threads())
        generator, x = torch.Generator().manual_seed(0), torch.from_numpy(x0.copy())
        xi, s = torch.empty_like(x), float(np.sqrt(noise))
        with torch.no_grad():
            for _ in range(case.steps):
                g, y = x * h, x[:, 0]
                g[:, 0].addcmul_(y * y, y)
                x.add_(g, alpha=-case.lr)
                if noise:
                    x.add_(xi.normal_(generator=generator), alpha=s)
        return np.asarray(x.numpy())

    return peer


def jax_peer(case: Any) -> Peer:
    """One jitted scan over the steps, vmapped over the runs; threefry, which is its fastest generator on a CPU."""
    import jax
    import jax.numpy as jnp

    h, q = (jnp.asarray(c) for c in coefficients(case))

    def one(key: Any, x0: Any, s: Any) -> Any:
        def step(x: Any, t: Any) -> Any:
            xi = jax.random.normal(jax.random.fold_in(key, t), (case.dim,))
            return x - case.lr * (x * (h + x * x * q)) + s * xi, None

        return jax.lax.scan(step, x0, jnp.arange(case.steps))[0]

    compiled = jax.jit(jax.vmap(one, in_axes=(0, 0, None)))
    keys = jax.random.split(jax.random.key(0), case.runs)
    return lambda x0, noise: np.asarray(compiled(keys, x0, np.float32(np.sqrt(noise))))
