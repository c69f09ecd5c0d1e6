"""Learning-rate schedules: factors on the learning rate as pure functions of the step.

Some come to an end. From there on they stay at their last factor (``after="hold"``, the default), or go the same way
back to step 0 and forth again, over and over (``after="repeat"``). The table says at which step each schedule ends, at
which factor it stays, after how many steps it repeats itself, and with which option PyTorch's is equal past its end.

===============  ==============  =====================  ===============  ===========================  ==================
schedule         end             "hold" stays at        "repeat" period  in PyTorch                   equal past the end
===============  ==============  =====================  ===============  ===========================  ==================
Chain            its parts'      -                      -                SequentialLR                 as its parts
Constant         none            -                      -                -                            -
Cosine           total           floor                  2 * total        CosineAnnealingLR            after="repeat"
CosineRestarts   none            -                      -                CosineAnnealingWarmRestarts  always
Cyclic           none            -                      -                CyclicLR                     always
Exponential      none            -                      -                ExponentialLR                always
Inverse          none            -                      -                -                            -
Linear           total           end                    2 * total        LinearLR                     after="hold"
Multiplicative   none            -                      -                MultiplicativeLR             always
OneCycle         total - 1       1 / (div * final_div)  2 * (total - 1)  OneCycleLR                   never
OneOverK         none            -                      -                -                            -
Polynomial       total           0 ** power             2 * total        PolynomialLR                 after="hold"
Product          its parts'      -                      -                ChainedScheduler             as its parts
ReduceOnPlateau  none            -                      -                ReduceLROnPlateau            always
Schedule         -               -                      -                LRScheduler                  -
Staircase        milestones[-1]  its last level         -                MultiStepLR                  always
Step             none            -                      -                StepLR                       always
Warmup           its parts'      -                      -                SequentialLR                 as its parts
===============  ==============  =====================  ===============  ===========================  ==================

A schedule whose end is "none" follows its formula for ever. A Staircase can only stay: its last level has no length to
repeat. Chain, Product and Warmup leave the option to their parts. Schedule is the base of all the others but
ReduceOnPlateau, which answers to measured values instead of steps. OneCycleLR fails past its end: it gives one learning
rate more, which may be negative, and then an error. ChainedScheduler is a product only while all of its parts multiply
the rate of the step before, as CosineAnnealingLR does up to its end and with eta_min=0, and as OneCycleLR, CyclicLR and
CosineAnnealingWarmRestarts never do.
"""

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
