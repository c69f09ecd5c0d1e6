"""The optimizers, one file each."""

from optlab.optim.heavy_ball import HeavyBall
from optlab.optim.optimizer import Optimizer
from optlab.optim.sgd import SGD

__all__ = ["SGD", "HeavyBall", "Optimizer"]
