"""The state of a study: fresh, or that of a trajectory that goes on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from optlab.backends import Backend
from optlab.backends.current import on_gpu
from optlab.backends.specs import StudySetup
from optlab.landscape import Landscape
from optlab.optim import Optimizer
from optlab.typing import Array

_JUMPED = ("perturbed_value", "perturbed_norm")
"""What a state keeps, beside point and step, of where the last jump of each run began."""


def fresh(f: Landscape, optimizer: Optimizer, x: Array, setup: StudySetup, backend: Backend) -> dict[str, Array]:
    """The state of runs that begin at x: that of the rule, of jumps, and of averages over batches."""
    state: dict[str, Array] = optimizer.init(x, f.layout, runs_axis=True)
    if (jumps := setup.perturbation) is not None:
        state["perturbed_x"] = backend.xp.zeros_like(x)
        state |= {name: backend.upload(np.zeros(setup.runs, x.dtype)) for name in _JUMPED}
        state["perturbed_step"] = backend.upload(np.full(setup.runs, setup.first_step - jumps.wait - 1, np.int64))
    if f.averages:  # means begin at 0, variances at 1
        begin = np.repeat([0.0, 1.0], f.averages // 2)
        state["averages"] = backend.upload(np.tile(begin.astype(x.dtype), (setup.runs, 1)))
    return state


def restored(given: Mapping[str, Array], state: dict[str, Array], backend: Backend) -> dict[str, Array]:
    """A fresh state, filled with what was given.

    Raises:
        TypeError: that is no mapping.
        ValueError: it is the state of something else, or an array does not fit.
    """
    if not isinstance(given, Mapping):
        raise TypeError(f"state: got {type(given).__name__}, expected the state of a trajectory")
    if set(given) != set(state):
        raise ValueError(f"state: got entries {sorted(map(str, given))}, expected {sorted(state)}")
    for name, array in state.items():
        if name == "format":
            if str(given[name]) != str(array):
                old = str(given[name])[:80]
                raise ValueError(f"state: got the state of {old}, expected that of {str(array)[:80]}")
            continue
        here = on_gpu(array)
        one = backend.checked(given[name], f"state: {name!r}") if here else np.asarray(given[name])
        if one.shape != array.shape or one.dtype != array.dtype:
            raise ValueError(f"state: {name!r} is {one.dtype}{one.shape}, expected {array.dtype}{array.shape}")
        array[...] = one
    if "skipped" in state and not ((state["skipped"] >= 0) & (state["skipped"] <= state["step"])).all():
        raise ValueError(f"state: 'skipped' is {state['skipped']}, expected 0 to 'step', which is {state['step']}")
    return state
