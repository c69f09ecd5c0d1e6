"""PyTorch's optimizers as oracles: one step from our own point and state."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import numpy as np

import optlab as ol
from reference.compare import eps
from reference.optimizers import warm_momentum
from reference.stepping import Array, Step

Given = dict[str, Any]
IN_TORCH = ("SGD", "Adagrad", "Adadelta", "RMSprop", "Adam", "AdamW", "Adamax", "NAdam")


@contextlib.contextmanager
def default_dtype(torch: Any, dtype: Any) -> Iterator[None]:
    """NAdam keeps its momentum product in the default type, float32 unless told otherwise."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64 if np.dtype(dtype) == np.float64 else torch.float32)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def torch_step(torch: Any, opt: ol.Optimizer, step: Step) -> dict[str, Array]:
    """x and the states after PyTorch's step from the same x and state."""
    point = torch.from_numpy(step.x.copy()).requires_grad_()
    point.grad = torch.from_numpy(step.grad.copy())
    if opt.clip_norm is not None:
        torch.nn.utils.clip_grad_norm_([point], opt.clip_norm, foreach=False)
    if opt.clip_value is not None:
        torch.nn.utils.clip_grad_value_([point], opt.clip_value, foreach=False)
    peer = getattr(torch.optim, type(opt).__name__)([point], **accepted(torch, opt, step), foreach=False)
    if step.t > 1 or "sum" in step.state:
        peer.state[point] = torch_state(torch, opt, step)
    peer.step()
    after = peer.state[point]
    return {"x": point.detach().numpy()} | {name: after[name].numpy() for name in step.state}


def accepted(torch: Any, opt: ol.Optimizer, step: Step) -> Given:
    """The hyperparameters that PyTorch's optimizer knows by the same names."""
    known = getattr(torch.optim, type(opt).__name__).__init__.__code__.co_varnames
    return {each.name: getattr(opt, each.name) for each in fields(opt) if each.name in known} | {"lr": step.lr}


def torch_state(torch: Any, opt: ol.Optimizer, step: Step) -> Given:
    """Our state under PyTorch's names, which are ours, with what PyTorch carries along besides."""
    state = {name: torch.from_numpy(array.copy()) for name, array in step.state.items()}
    state["step"] = torch.tensor(float(step.t - 1))
    if isinstance(opt, ol.NAdam):
        mu = [warm_momentum(i, opt.betas[0], opt.momentum_decay) for i in range(1, step.t)]
        state["mu_product"] = torch.tensor(np.prod(mu))
    return state


def textbook_error(opt: ol.Optimizer, step: Step, dtype: Any = np.float64) -> Array:
    """What a peer may lose in 1 − βᵗ, taken as a difference of numbers near 1 of this type: an eps of 1 in each."""
    lost = sum(2 * eps(dtype) / (1 - beta**step.t) for beta in getattr(opt, "betas", ()))
    moved = np.abs(step.after["x"].astype(np.float64) - step.x)
    return lost * (moved + step.lr * opt.weight_decay * np.abs(step.x))


def draw(name: str, rng: np.random.Generator) -> ol.Optimizer:
    """A seeded point of the grid of hyperparameters and options, all of which PyTorch has too."""
    given: Given = {"lr": float(10 ** rng.uniform(-3, 0)), "maximize": bool(rng.random() < 0.3)}
    if rng.random() < 0.6:
        given["weight_decay"] = float(rng.random())
    if name in ("Adam", "NAdam") and rng.random() < 0.3:
        given["decoupled_weight_decay"] = True
    for option in ("clip_norm", "clip_value"):
        if rng.random() < 0.3:
            given[option] = float(rng.uniform(0.1, 2.0))
    return getattr(ol, name)(**given, **OWN[name](rng))


def _betas(rng: np.random.Generator) -> Given:
    """β₁ is 0 or from 1/2 on: PyTorch averages by g + (m − g) (1 − (1 − β)), which loses the digits of a small β."""
    beta1 = float(rng.choice([0.0, rng.uniform(0.5, 0.99), rng.uniform(0.5, 0.99)]))
    return {"betas": (beta1, float(1 - 10 ** rng.uniform(-3, -0.1))), **_eps(rng)}


def _eps(rng: np.random.Generator) -> Given:
    return {"eps": float(10 ** rng.uniform(-8, -1))}


def _chance(rng: np.random.Generator, name: str) -> Given:
    return {name: bool(rng.random() < 0.5)}


def _sgd(rng: np.random.Generator) -> Given:
    kind = rng.integers(4)
    given: Given = {} if kind == 0 else {"momentum": float(rng.uniform(0.1, 0.99))}
    return given | ({"nesterov": True} if kind == 1 else {"dampening": float(rng.random())} if kind == 2 else {})


OWN = {
    "SGD": _sgd,
    "Adagrad": lambda rng: {
        "lr_decay": float(rng.choice([0, rng.random()])),
        "initial_accumulator_value": float(rng.choice([0, rng.random()])),
        **_eps(rng),
    },
    "Adadelta": lambda rng: {"rho": float(rng.uniform(0, 0.99)), **_eps(rng)},
    "RMSprop": lambda rng: {
        "alpha": float(rng.uniform(0.1, 0.99)),
        "momentum": float(rng.choice([0, rng.random()])),
        **_chance(rng, "centered"),
        **_eps(rng),
    },
    "Adam": lambda rng: _betas(rng) | _chance(rng, "amsgrad"),
    "AdamW": lambda rng: _betas(rng) | _chance(rng, "amsgrad"),
    "Adamax": _betas,
    "NAdam": lambda rng: _betas(rng) | {"momentum_decay": float(rng.choice([0, 4e-3, rng.random()]))},
}
