"""Three ways to keep a velocity make one path under a constant learning rate, and three under a schedule."""

from __future__ import annotations

import numpy as np
import pytest
from reference.around import stages_of, twin_step
from reference.rounding import Rounded, exact
from reference.stepping import FACTORS, Array, data, of_arrays, stepped

import optlab as ol
from optlab.layout import flat

LR, MU = 0.1, 0.9
PAIRS = {
    "heavy_ball": ol.HeavyBall(lr=LR, momentum=MU),
    "averaged": ol.AveragedMomentum(lr=LR / (1 - MU), momentum=MU),
}
ONES = [1.0] * len(FACTORS)


def twin_path(opt: ol.Optimizer, x: Array, grads: list[Array]) -> list[Rounded]:
    """Where the twin goes at constant learning rate, with the errors it may make."""
    path, state = [exact(x, x.dtype)], of_arrays(opt, opt.init(x))
    for t, grad in enumerate(grads, start=1):
        step = stages_of(type(opt).__name__), opt, path[-1], exact(grad, x.dtype), state, t, opt.lr, flat(x.size)
        point, state = twin_step(*step)
        path.append(point)
    return path


@pytest.mark.parametrize("name", PAIRS)
def test_constant_lr_makes_the_path_of_sgd_and_a_schedule_does_not(name: str) -> None:
    x, grads = data(33, np.float64)
    opt, momentum = PAIRS[name], ol.SGD(lr=LR, momentum=MU)
    ours, its = stepped(opt, x, grads, ONES), stepped(momentum, x, grads, ONES)
    for a, b, wide, narrow in zip(ours, its, twin_path(opt, x, grads), twin_path(momentum, x, grads), strict=True):
        assert (np.abs(a - b) <= wide.error + narrow.error).all()  # each as far from the one exact path
    if name == "heavy_ball":
        assert np.abs(stepped(opt, x, grads)[-1] - stepped(momentum, x, grads)[-1]).max() > 1e-3
