"""Whether two libraries take the same steps: what rounding can explain, and no more."""

from __future__ import annotations

import math

import numpy as np

from optlab.bench.updates_peers import Array
from optlab.bench.updates_rules import RULES

STEPS = 3
"""How many steps are compared, all with the same gradient."""


def agreement(rule: str, x0: Array, ours: Array, theirs: Array) -> str:
    """Whether the points that two libraries reach from x0 differ by no more than the roundings on the way.

    Each operation is wrong by half an eps, in either library. With one gradient only terms of equal sign meet, so a
    step carries at most the errors of the operations of all steps. x is rounded twice a step.
    """
    if rule.endswith("8bit"):
        return _agreement_of_bytes(x0, ours, theirs)
    moved, difference = float(np.abs(ours - x0).max()), float(np.abs(ours - theirs).max())
    roundings = RULES[rule].operations
    if rule in ("LAMB", "LARS"):
        # A sum of n squares gathers n roundings of random sign: six standard deviations are never seen.
        roundings += 6 * math.isqrt(x0.size)
    bound = STEPS * float(np.finfo(np.float32).eps) * (2 * float(np.abs(x0).max()) + roundings * moved)
    return "yes" if difference <= bound else f"NO: {difference:.1e}"


def _agreement_of_bytes(x0: Array, ours: Array, theirs: Array) -> str:
    """By the size of the difference over that of the whole change.

    A byte with three bits of mantissa keeps a number to within an eighth of it, dithered, so with a standard deviation
    of a sixteenth at most; of the root of the second average, half of it. The first step knows no rounded average.
    """
    deviation = float(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs - x0))
    same = deviation <= math.sqrt((STEPS - 1) * (1 / 16**2 + 1 / 32**2))
    return f"{'yes' if same else 'NO'}: change differs by {deviation:.1%}"
