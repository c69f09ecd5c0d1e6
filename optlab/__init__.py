"""optlab: a sandbox for numerical optimization.

Landscapes, optimizers, and whole studies of many runs in one compiled call, the same to the bit for every number of
threads and every instruction set.
"""

from optlab import landscapes, random, stop
from optlab.descend import descend
from optlab.kernels.select import __version__, bits_version
from optlab.landscape import Landscape
from optlab.optim import SGD, HeavyBall, Optimizer
from optlab.perturbation import Perturbation
from optlab.threads import threads
from optlab.trajectory import Trajectory, log_spaced

__all__ = [
    "SGD",
    "HeavyBall",
    "Landscape",
    "Optimizer",
    "Perturbation",
    "Trajectory",
    "__version__",
    "bits_version",
    "descend",
    "landscapes",
    "log_spaced",
    "random",
    "stop",
    "threads",
]
