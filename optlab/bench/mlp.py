"""A step of training (batch, forward, loss, backward, AdamW) against PyTorch and JAX, and Hessian-vector products."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from optlab.bench import mlp_peers as peers
from optlab.bench.mlp_peers import DECAY, LR
from optlab.bench.passes import Array, Pass, Results, seeded
from optlab.bench.rows import Row
from optlab.descend import descend
from optlab.nn import MLP, NetworkLandscape
from optlab.optim import AdamW

SAMPLES = 1024


@dataclass(frozen=True)
class Case:
    """A network, how many samples a step sees, how many steps make one call, and how many calls one run.

    A run of a millisecond would measure how long a processor takes to wake.
    """

    widths: tuple[int, ...]
    batch: int
    steps: int
    norm: str | None = None
    runs: int = 1
    calls: int = 1

    def __str__(self) -> str:
        norm = ", batch norm" if self.norm else ""
        many = f", {self.runs} seeds" if self.runs > 1 else ""
        return f"{'-'.join(map(str, self.widths))}, batch {self.batch}{norm}{many}"

    def landscape(self, dtype: str = "float32") -> NetworkLandscape:
        """The network on random data."""
        X = seeded(SAMPLES, self.widths[0], seed=1).astype(dtype)
        y = np.random.default_rng(2).integers(0, self.widths[-1], SAMPLES)
        return MLP(list(self.widths), norm=self.norm, dtype=dtype).on(X, y)

    def operations(self, products: int, of_first: int) -> float:
        """Multiplications and additions of so many products a layer; the first has fewer, for its inputs are data."""
        first, *others = (a * b for a, b in itertools.pairwise(self.widths))
        return 2.0 * self.batch * (of_first * first + products * sum(others))

    def start(self) -> Array:
        """The first parameters, with an axis of runs."""
        return MLP(list(self.widths), norm=self.norm).init(0, runs=self.runs)


CASES = (
    Case((2, 16, 16, 2), 32, 500, calls=8),
    Case((2, 16, 16, 2), 32, 128, runs=256),
    Case((784, 512, 512, 10), 64, 64),
    Case((784, 512, 512, 10), 64, 64, norm="batch"),
    Case((784, 2048, 2048, 2048, 10), 256, 24),
)
"""THE list of cases."""
HVP = Case((784, 512, 512, 10), 256, 1)


def run(quick: bool) -> list[Row]:
    """The rows of ``optlab bench mlp``."""
    return [row for case in (CASES[:3] if quick else CASES) for row in training(case).rows(3 if quick else 9)]


def run_hvp(quick: bool) -> list[Row]:
    """The rows of ``optlab bench hvp``."""
    return curvature(Case((784, 64, 10), 256, 1) if quick else HVP).rows(5 if quick else 31)


def training(case: Case) -> Pass:
    """Some steps of one case; the rows give the time of one."""
    f, start = case.landscape(), case.start()
    exact = case.landscape("float64")

    def losses(found: Sequence[Any]) -> list[Array]:
        # Parameters may differ by a step where a gradient is about 0; what they mean may not.
        return [exact.value(np.asarray(found[0], np.float64).reshape(start.shape))]

    right = losses([_descend(exact, start.astype(float), case)])
    return Pass(
        kernel="training step",
        case=str(case),
        ours=lambda: [_descend(f, start, case)],
        makers={name: partial(make, f, start, case) for name, make in _peers(case).items()},
        exact=right,
        bounds=[np.abs(right[0]) * 2e-3],
        products=case.operations(3, 2) * case.runs,
        calls=case.calls,
        seen=losses,
        steps=case.steps,
    )


def _descend(f: NetworkLandscape, start: Array, case: Case) -> Array:
    optimizer = AdamW(lr=LR, weight_decay=DECAY)
    options = {"batch_size": case.batch, "sampling": "order", "record": [], "record_x": False}
    return descend(f, optimizer, start, case.steps, **options).last  # type: ignore[arg-type]


def _peers(case: Case) -> dict[str, Callable[[NetworkLandscape, Array, Any], Results]]:
    if case.runs > 1:
        return {"JAX vmap": peers.jax_training}
    found = {"PyTorch": peers.torch_training, "JAX": peers.jax_training}
    if case.widths[1] < 64:
        return found | {"JAX by step": peers.jax_by_step}
    return found | ({"PyTorch compiled": peers.compiled_training} if case.widths[1] <= 512 else {})


def curvature(case: Case) -> Pass:
    """A Hessian-vector product on one batch."""
    whole = case.landscape()
    f = whole.mlp.on(whole.X[: case.batch].copy(), whole.y[: case.batch].copy())
    exact = MLP(list(case.widths), dtype="float64").on(f.X.astype(float), f.y)
    theta, v = case.start()[0], seeded(f.dim, seed=3)
    right = exact.hvp(theta.astype(float), v.astype(float))
    makers: dict[str, Callable[[], Results]] = {
        "PyTorch": partial(peers.torch_hvp, f, theta, v),
        "JAX": partial(peers.jax_hvp, f, theta, v),
    }
    return Pass(
        kernel="Hessian-vector product",
        case=str(case),
        ours=lambda: [f.hvp(theta, v)],
        makers=makers,
        exact=[right],
        bounds=[2e-4 * np.abs(right).max()],
        products=case.operations(8, 3),
        beside={"optlab's gradient": lambda: f.grad(theta)},
    )
