"""The peers of the updates benchmark, each as its own users would write it well.

All start from a fresh state and copy the points they are given, into memory that their own library has allocated.
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optlab.bench.rows import Run
from optlab.threads import current as current_threads

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Stepper:
    """A step that can be repeated, the point it has reached, and what it needs before a run of steps."""

    step: Run
    point: Callable[[], Array]
    before: Run = lambda: None

    def repeated(self, times: int) -> Run:
        """So many steps as one run."""
        step = self.step

        def run() -> None:
            self.before()
            for _ in range(times):
                step()

        return run


Maker = Callable[[Any, Sequence[Array], Sequence[Array]], Stepper]


def numpy_momentum(case: Any, xs: Sequence[Array], gs: Sequence[Array]) -> Stepper:
    """SGD with momentum in place, without temporaries."""
    x, g, v, work = xs[0].copy(), gs[0], np.zeros_like(xs[0]), np.empty_like(xs[0])
    lr, momentum = np.float32(case.options["lr"]), np.float32(case.options["momentum"])

    def step() -> None:
        np.multiply(v, momentum, out=v)
        np.add(v, g, out=v)
        np.multiply(v, lr, out=work)
        np.subtract(x, work, out=x)

    return Stepper(step, lambda: x)


def torch_step(
    case: Any,
    xs: Sequence[Array],
    gs: Sequence[Array],
    *,
    threads: int | None = None,
    compiled: bool = False,
    **form: bool,
) -> Stepper:
    """PyTorch's optimizer of the same name and hyperparameters; AdamW8bit meets AdamW."""
    import torch

    count = threads or current_threads()
    torch.set_num_threads(count)
    points = [torch.nn.Parameter(torch.from_numpy(x).clone()) for x in xs]
    for point, g in zip(points, gs, strict=True):
        point.grad = torch.from_numpy(g).clone()
    optimizer = getattr(torch.optim, case.kind.removesuffix("8bit"))(points, **case.options, **form)
    step = _compiled(optimizer.step) if compiled else optimizer.step
    flat = lambda: np.concatenate([point.detach().numpy() for point in points])  # noqa: E731 - it keeps the points
    return Stepper(step, flat, lambda: torch.set_num_threads(count))


def _compiled(step: Run) -> Run:
    import torch

    torch._dynamo.reset()  # all optimizers share one function, for which it keeps no more than eight variants
    logging.getLogger("torch._dynamo").setLevel(logging.ERROR)  # it warns of profiling hooks, which nobody asked for
    compiled: Run = torch.compile(lambda: step())
    return compiled


OPTAX = {
    "LAMB": {"lr": "learning_rate", "weight_decay": "weight_decay"},
    "LARS": {"lr": "learning_rate", "momentum": "momentum", "trust_coefficient": "trust_coefficient"},
}
"""What optax calls the hyperparameters. Without decay both have the same LARS."""


def optax_step(case: Any, xs: Sequence[Array], gs: Sequence[Array]) -> Stepper:
    """The whole step under one jit that may overwrite point and state."""
    import jax
    import jax.numpy as jnp
    import optax

    names = OPTAX[case.kind]
    optimizer = getattr(optax, case.kind.lower())(**{names[name]: value for name, value in case.options.items()})
    g, x = ([jnp.array(part) for part in parts] for parts in (gs, xs))
    held = [x, optimizer.init(x)]

    def update(g: Any, x: Any, state: Any) -> Any:
        moves, state = optimizer.update(g, state, x)
        return optax.apply_updates(x, moves), state

    fused = jax.jit(update, donate_argnums=(1, 2))

    def step() -> None:
        held[:] = fused(g, *held)
        held[0][-1].block_until_ready()  # one program writes everything

    return Stepper(step, lambda: np.concatenate(held[0]))


MAKERS: dict[str, Maker] = {
    "NumPy": numpy_momentum,
    "PyTorch fused": partial(torch_step, fused=True),
    "PyTorch fused, 1 thread": partial(torch_step, fused=True, threads=1),
    "PyTorch foreach": partial(torch_step, foreach=True),
    "PyTorch foreach, 1 thread": partial(torch_step, foreach=True, threads=1),
    "PyTorch loop": partial(torch_step, foreach=False),
    "PyTorch compiled": partial(torch_step, foreach=True, compiled=True),
    "optax": optax_step,
}
"""THE list of peers and of the forms in which they compute."""

MODULES = {"NumPy": "numpy", "PyTorch": "torch", "optax": "optax"}


class Unable(Exception):  # noqa: N818 - it is a reason, not a mistake
    """Why a peer takes no part."""


def make(name: str, case: Any, xs: Sequence[Array], gs: Sequence[Array], steps: int) -> Stepper:
    """A peer that has taken its first steps.

    Raises:
        Unable: it is not installed, or cannot take them.
    """
    if importlib.util.find_spec(MODULES[name.split()[0]]) is None:
        raise Unable("not installed")
    try:
        peer = MAKERS[name](case, xs, gs)
        peer.repeated(steps)()
    except Exception as error:  # such as no compiler that PyTorch could call
        raise Unable(f"failed: {type(error).__name__}") from error
    return peer
