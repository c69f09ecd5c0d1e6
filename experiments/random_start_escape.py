"""Gradient descent from random starts avoids strict saddles (lecture I: gradient descent avoids saddles almost surely).

Starts are uniform on the box [−1, 1]ᵈ. On the quadratic saddle a step multiplies the distance y along the falling
directions by a = 1 + ηγ, so |y_t| < 1 if and only if |y₀| < a⁻ᵗ. With m falling directions, the share of the runs that
are still within 1 is therefore v_m a⁻ᵐᵗ, where v_m = (√π/2)ᵐ / Γ(1 + m/2) is the unit ball's share of the box: each
step divides it by aᵐ, and only the stable manifold y = 0, a set of measure 0, is never left.

On the bounded saddle the step y ← y (1 + η(γ − y²)) keeps the sign of y: the run ends at the minimum on its side.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

import optlab as ol
from optlab import plotting
from optlab.experiment import Claim, Data, Experiment, Params, Progress, exact, fraction, slope
from optlab.random import derive_seed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MANIFOLD, FALLING = 0, (1, 2, 3)


def starts(runs: int, dim: int, seed: int) -> np.ndarray:
    """Uniform points of the box."""
    return 2 * ol.random.uniform((runs, dim), seed) - 1


def still_inside(p: Params, falling: int, seed: int) -> np.ndarray:
    """How many runs of each block are within 1 of the stable manifold after each step, shape (blocks, steps)."""
    f = ol.landscapes.StrictSaddle(falling + 2, falling, bounded=False)
    leaves = ol.stop.leaves_ball(1.0, np.zeros(f.dim), range(falling))
    study = ol.descend(f, ol.SGD(lr=p.lr), starts(p.blocks * p.block, f.dim, seed), p.steps, stop=leaves, record_x=False)
    left = study.stop_step.reshape(p.blocks, p.block)
    return np.stack([np.count_nonzero(left > step, axis=1) for step in range(p.steps)], axis=1)
