"""Learning-rate schedules: factors on the learning rate as pure functions of the step."""

from optlab.schedules.compose import Chain, Warmup
from optlab.schedules.cycles import CosineRestarts, Cyclic
from optlab.schedules.decay import Exponential, Inverse, Multiplicative, OneOverK, Staircase, Step
from optlab.schedules.ends import Cosine, Linear, OneCycle, Polynomial
from optlab.schedules.plateau import ReduceOnPlateau
from optlab.schedules.schedule import Constant, Product, Schedule

__all__ = [
    "Chain",
    "Constant",
    "Cosine",
    "CosineRestarts",
    "Cyclic",
    "Exponential",
    "Inverse",
    "Linear",
    "Multiplicative",
    "OneCycle",
    "OneOverK",
    "Polynomial",
    "Product",
    "ReduceOnPlateau",
    "Schedule",
    "Staircase",
    "Step",
    "Warmup",
]
