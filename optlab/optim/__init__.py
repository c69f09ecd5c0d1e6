"""The optimizers, one file each."""

from optlab.optim.adadelta import Adadelta
from optlab.optim.adagrad import Adagrad
from optlab.optim.adam import Adam
from optlab.optim.adamax import Adamax
from optlab.optim.adamw import AdamW
from optlab.optim.adamw8bit import AdamW8bit
from optlab.optim.averaged_momentum import AveragedMomentum
from optlab.optim.heavy_ball import HeavyBall
from optlab.optim.lamb import LAMB
from optlab.optim.lars import LARS
from optlab.optim.nadam import NAdam
from optlab.optim.optimizer import Optimizer
from optlab.optim.rmsprop import RMSprop
from optlab.optim.sgd import SGD
from optlab.optim.sparse_adam import SparseAdam

__all__ = [
    "LAMB",
    "LARS",
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "AdamW8bit",
    "Adamax",
    "AveragedMomentum",
    "HeavyBall",
    "NAdam",
    "Optimizer",
    "RMSprop",
    "SparseAdam",
]
