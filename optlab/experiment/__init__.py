"""Experiments and their claims.

A study is one file: an `Experiment` whose claims are made by `exact`, `bounded`, `mean`, `slope`, `fraction`, `median`
and `ratio_of_medians`. Importing this package loads neither matplotlib nor SciPy.
"""

from __future__ import annotations

from optlab.experiment.claim import Claim
from optlab.experiment.experiment import Data, Experiment, Progress
from optlab.experiment.params import Params
from optlab.experiment.statistics import bounded, exact, fraction, mean, median, ratio_of_medians, slope

__all__ = [
    "Claim",
    "Data",
    "Experiment",
    "Params",
    "Progress",
    "bounded",
    "exact",
    "fraction",
    "mean",
    "median",
    "ratio_of_medians",
    "slope",
]
