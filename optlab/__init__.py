"""optlab: a sandbox for numerical optimization.

Landscapes, optimizers, and whole studies of many runs in one compiled call, the same to the bit for every number of
threads and every instruction set.
"""

from __future__ import annotations

import importlib
from types import ModuleType

from optlab import curvature, data, landscapes, line_search, methods, nn, ops, random, schedules, stop
from optlab.backends import device
from optlab.derivatives import GradientCheck, check_gradient
from optlab.descend import descend
from optlab.kernels.select import __version__, bits_version
from optlab.landscape import Landscape
from optlab.layout import Segment
from optlab.minimize import minimize
from optlab.optim import (
    LAMB,
    LARS,
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    AdamW8bit,
    AveragedMomentum,
    HeavyBall,
    NAdam,
    Optimizer,
    RMSprop,
    SparseAdam,
)
from optlab.perturbation import Perturbation
from optlab.threads import threads
from optlab.trajectory import Trajectory, log_spaced

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
    "GradientCheck",
    "HeavyBall",
    "Landscape",
    "NAdam",
    "Optimizer",
    "Perturbation",
    "RMSprop",
    "Segment",
    "SparseAdam",
    "Trajectory",
    "__version__",
    "bits_version",
    "check_gradient",
    "curvature",
    "data",
    "descend",
    "device",
    "landscapes",
    "line_search",
    "log_spaced",
    "methods",
    "minimize",
    "nn",
    "ops",
    "random",
    "schedules",
    "stop",
    "threads",
]

_LATER = ("bench", "experiment", "gallery", "plotting", "search")
"""Modules that load others which take long; they come when they are first wanted."""


def __getattr__(name: str) -> ModuleType:
    if name in _LATER:
        return importlib.import_module(f"optlab.{name}")
    raise AttributeError(f"module 'optlab' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *_LATER])
