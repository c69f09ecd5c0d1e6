"""optax as oracle for the layerwise optimizers: one step from our own point and state, segment by segment."""

from __future__ import annotations

from typing import Any

import numpy as np

import optlab as ol
from optlab.layout import Layout
from reference.stepping import Array, Step

IN_OPTAX = ("LARS", "LAMB")


def leaves(array: Array, layout: Layout) -> dict[str, Array]:
    """A flat vector as optax wants it: one array for each segment."""
    return {s.name: array[s.offset : s.offset + s.size].reshape(s.shape) for s in layout}


def together(tree: Any, layout: Layout) -> Array:
    return np.concatenate([np.asarray(tree[segment.name]).ravel() for segment in layout])


def optax_step(optax: Any, opt: ol.Optimizer, step: Step, layout: Layout) -> dict[str, Array]:
    """x and the states after optax's step from the same x and state."""
    x, grad = leaves(step.x, layout), leaves(-step.grad if opt.maximize else step.grad, layout)
    made = lars if isinstance(opt, ol.LARS) else lamb
    peer, state, read = made(optax, opt, step, layout, x)
    updates, state = peer.update(grad, state, x)
    return {"x": together(optax.apply_updates(x, updates), layout), **read(state)}


def lars(optax: Any, opt: ol.LARS, step: Step, layout: Layout, x: Any) -> tuple[Any, Any, Any]:
    """optax keeps the velocity with the sign of the update."""
    peer = optax.lars(
        step.lr, weight_decay=0.0, trust_coefficient=opt.trust_coefficient, eps=opt.eps, momentum=opt.momentum
    )
    *others, last = peer.init(x)
    state = (*others, last._replace(trace=leaves(-step.state["momentum_buffer"], layout)))
    return peer, state, lambda after: {"momentum_buffer": -together(after[-1].trace, layout)}


def lamb(optax: Any, opt: ol.LAMB, step: Step, layout: Layout, x: Any) -> tuple[Any, Any, Any]:
    """Adam's averages come first in optax's chain."""
    peer = optax.lamb(step.lr, *opt.betas, eps=opt.eps, weight_decay=opt.weight_decay)
    first, *others = peer.init(x)
    mu, nu = (leaves(step.state[name], layout) for name in ("exp_avg", "exp_avg_sq"))
    state = (first._replace(count=first.count + (step.t - 1), mu=mu, nu=nu), *others)
    read = lambda after: {"exp_avg": together(after[0].mu, layout), "exp_avg_sq": together(after[0].nu, layout)}  # noqa: E731
    return peer, state, read
