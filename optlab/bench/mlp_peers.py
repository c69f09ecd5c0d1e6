"""The peers of training steps and Hessian-vector products, each as its own users would write it well."""

from __future__ import annotations

from typing import Any

import numpy as np

from optlab.bench.passes import Array, Results
from optlab.nn import NetworkLandscape
from optlab.threads import current as current_threads

LR = 1e-3
DECAY = 1e-2


def torch_network(f: NetworkLandscape, theta: Array) -> Any:
    """Its modules with our parameters, and PyTorch on as many threads as ours."""
    import torch

    torch.set_num_threads(current_threads())
    return f.mlp.to_torch(theta.copy())


def torch_training(f: NetworkLandscape, start: Array, case: Any, compiled: bool = False) -> Results:
    """Eager, with the fused AdamW."""
    import torch

    network = torch_network(f, start[0])
    call = torch.compile(network) if compiled else network
    optimizer = torch.optim.AdamW(network.parameters(), lr=LR, weight_decay=DECAY, fused=True)
    loss: Any = torch.nn.functional.cross_entropy
    inputs: Any = torch.from_numpy(f.X)
    labels: Any = torch.from_numpy(f.y)
    batches = list(zip(inputs.split(case.batch), labels.split(case.batch), strict=True))

    def run() -> list[Any]:
        for t in range(case.steps):
            X, y = batches[t % len(batches)]
            optimizer.zero_grad(set_to_none=True)
            loss(call(X), y).backward()
            optimizer.step()
        return [torch.nn.utils.parameters_to_vector(network.parameters()).detach()]

    return run


def compiled_training(f: NetworkLandscape, start: Array, case: Any) -> Results:
    """The same through torch.compile."""
    return torch_training(f, start, case, compiled=True)


def jax_loss(f: NetworkLandscape) -> Any:
    """(flat parameters, X, y) -> the loss."""
    import jax
    import jax.numpy as jnp

    layout, depth, norm, eps = f.mlp.layout, len(f.mlp.widths) - 1, f.mlp.norm, f.mlp.eps

    def loss(theta: Any, X: Any, y: Any) -> Any:
        part = {s.name: theta[s.offset : s.offset + s.size].reshape(s.shape) for s in layout}
        for k in range(depth):
            X = X @ part[f"layers.{k}.weight"].T + part.get(f"layers.{k}.bias", 0.0)
            if k == depth - 1:
                break
            if norm:
                X = (X - X.mean(0)) * jax.lax.rsqrt(X.var(0) + eps)
                X = X * part[f"layers.{k}.norm.weight"] + part[f"layers.{k}.norm.bias"]
            X = jax.nn.relu(X)
        return -jnp.take_along_axis(jax.nn.log_softmax(X), y[:, None], 1).mean()

    return loss


def jax_step(f: NetworkLandscape, case: Any) -> Any:
    """(parameters and state, t) -> those of the next step."""
    import jax
    import jax.numpy as jnp

    slope = jax.grad(jax_loss(f))
    whole = len(f.X) // case.batch
    X, y = jnp.asarray(f.X).reshape(whole, case.batch, -1), jnp.asarray(f.y).reshape(whole, case.batch)

    def step(carried: Any, t: Any) -> Any:
        theta, m, s = carried
        g = slope(theta, X[t % whole], y[t % whole])
        m, s = 0.9 * m + 0.1 * g, 0.999 * s + 0.001 * g * g
        c1, c2 = 1 - 0.9 ** (t + 1.0), 1 - 0.999 ** (t + 1.0)
        theta = theta * (1 - LR * DECAY) - LR * (m / c1) / (jnp.sqrt(s / c2) + 1e-8)
        return theta, m, s

    return step


def jax_training(f: NetworkLandscape, start: Array, case: Any) -> Results:
    """One jitted scan over the steps; over runs by vmap."""
    import jax
    import jax.numpy as jnp

    step = jax_step(f, case)

    def many(theta: Any) -> Any:
        begin = (theta, jnp.zeros_like(theta), jnp.zeros_like(theta))
        return jax.lax.scan(lambda carried, t: (step(carried, t), None), begin, jnp.arange(case.steps))[0][0]

    train = jax.jit(jax.vmap(many) if case.runs > 1 else many)
    first = jnp.asarray(start if case.runs > 1 else start[0])
    return lambda: [np.asarray(train(first))]


def jax_by_step(f: NetworkLandscape, start: Array, case: Any) -> Results:
    """A jitted step, called from a loop in Python that may look at each."""
    import jax
    import jax.numpy as jnp

    step = jax.jit(jax_step(f, case), donate_argnums=0)

    def run() -> list[Any]:
        theta = jnp.array(start[0])
        carried = (theta, jnp.zeros_like(theta), jnp.zeros_like(theta))
        for t in range(case.steps):
            carried = step(carried, t)
        return [np.asarray(carried[0])]

    return run


def torch_hvp(f: NetworkLandscape, theta: Array, v: Array) -> Results:
    """Double backward."""
    import torch

    network = torch_network(f, theta)
    parameters = list(network.parameters())
    X, y = torch.from_numpy(f.X), torch.from_numpy(f.y)
    whole: Any = torch.from_numpy(v)
    pieces = whole.split([p.numel() for p in parameters])
    direction = [piece.view_as(p) for piece, p in zip(pieces, parameters, strict=True)]

    def run() -> list[Any]:
        loss = torch.nn.functional.cross_entropy(network(X), y)
        grads = torch.autograd.grad(loss, parameters, create_graph=True)
        product = torch.autograd.grad(grads, parameters, direction)
        return [torch.cat([p.reshape(-1) for p in product])]

    return run


def jax_hvp(f: NetworkLandscape, theta: Array, v: Array) -> Results:
    """Forward over reverse, jitted."""
    import jax
    import jax.numpy as jnp

    slope = jax.grad(jax_loss(f))
    product = jax.jit(lambda x, u, X, y: jax.jvp(lambda p: slope(p, X, y), (x,), (u,))[1])
    given = [jnp.asarray(a) for a in (theta, v, f.X, f.y)]
    return lambda: [np.asarray(product(*given))]
