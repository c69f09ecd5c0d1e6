"""How closely the optimizers agree with their twins, PyTorch and optax, in units in the last place of x.

``python -m reference.agreement`` in tests/ prints a table: the worst of six steps of 1000 elements, each step from the
same x and state. The unit is that of the larger of x before and after, so that crossing zero does no harm; the share is
that of the derived bound, and tells more where l1 has brought x near zero, whose units are small.
Where the gradient nearly cancels against the decay, an adaptive rule magnifies the roundings of both; the twin is in
float64 and does not share them, a peer does. PyTorch's 1 − βᵗ shows in float64 as a hundred units at the first steps.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np
from cases.optimizers import EVERYTHING, OWN, make

import optlab as ol
from optlab.layout import flat
from reference.around import stages_of
from reference.compare import eps
from reference.optax_peers import IN_OPTAX, optax_step
from reference.peers import IN_TORCH, default_dtype, torch_step
from reference.rounding import Rounded
from reference.stepping import Array, Step, data, steps

SIZE = 1000
DTYPES = (np.float32, np.float64)
AROUND: dict[str, dict[str, Any]] = {
    "": {},
    " + decay, maximize, clips": {"weight_decay": 0.3, "maximize": True, "clip_norm": 0.9, "clip_value": 0.1},
    " + everything": EVERYTHING,
}
Peer = Callable[[ol.Optimizer, Step], Array]


def units(step: Step, theirs: Array) -> float:
    """The worst difference."""
    ours = step.after["x"].astype(np.float64)
    size = np.maximum(np.maximum(np.abs(ours), np.abs(step.x)), np.finfo(step.x.dtype).tiny)
    return float((np.abs(ours - theirs) / (eps(step.x.dtype) * 2.0 ** np.floor(np.log2(size)))).max())


def twin(opt: ol.Optimizer, step: Step) -> Array:
    return expected(opt, step).value


def expected(opt: ol.Optimizer, step: Step) -> Rounded:
    return step.expected(opt, stages_of(type(opt).__name__), flat(SIZE))["x"]


def share(opt: ol.Optimizer, dtype: Any) -> str:
    """The worst part of the bound that an error takes."""
    made = steps(opt, *data(SIZE, dtype))
    pairs = [(np.abs(step.after["x"] - expected(opt, step).value), expected(opt, step).error) for step in made]
    return f"{max((error / np.maximum(bound, 5e-324)).max() for error, bound in pairs):.2f}"


def of_torch(opt: ol.Optimizer, step: Step) -> Array:
    import torch

    with default_dtype(torch, step.x.dtype):
        return torch_step(torch, opt, step)["x"]


def of_optax(opt: ol.Optimizer, step: Step) -> Array:
    import jax
    import optax

    with jax.enable_x64(step.x.dtype == np.float64):
        return optax_step(optax, opt, step, flat(SIZE))["x"]


def peer_of(name: str, case: str, around: str) -> tuple[str, Peer | None]:
    """Who else has the method with these options."""
    if name in IN_TORCH and "everything" not in around and case != "uncorrected":
        return "PyTorch", of_torch
    return ("optax", of_optax) if name in IN_OPTAX and not around else ("", None)


def worst(opt: ol.Optimizer, theirs: Peer | None, dtype: Any) -> str:
    """In units, or nothing where there is no such peer."""
    if theirs is not None:
        with contextlib.suppress(ImportError):
            return f"{max(units(step, theirs(opt, step)) for step in steps(opt, *data(SIZE, dtype))):.1f}"
    return ""


def row(name: str, case: str, words: str) -> list[str]:
    """One line of the table."""
    opt, (peer, theirs) = make(name, OWN[name][case], AROUND[words]), peer_of(name, case, words)
    near = twin if "everything" not in words else None
    shares = [share(opt, dtype) for dtype in DTYPES]
    ours, others = ([worst(opt, other, dtype) for dtype in DTYPES] for other in (near, theirs))
    return [name, case + words, *shares, *ours, peer, *others]


def main() -> None:
    """Prints the table."""
    heads = ["method", "options", "of the bound, float32", "float64", "from the twin, float32", "float64"]
    print(
        "| "
        + " | ".join([*heads, "peer", "float32", "float64"])
        + " |\n"
        + "|---|---"
        + "|---:" * 4
        + "|---|---:|---:|"
    )
    for name, cases in OWN.items():
        for case in cases:
            for words in AROUND:
                print("| " + " | ".join(row(name, case, words)) + " |")


if __name__ == "__main__":
    main()
