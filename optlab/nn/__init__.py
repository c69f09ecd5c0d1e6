"""Networks as functions of one flat parameter vector, and how their parameters begin (:mod:`optlab.nn.init`)."""

from optlab.nn import init
from optlab.nn.coordinates import CoordinateCheck, coordinate_check
from optlab.nn.evaluate import Evaluation, evaluate
from optlab.nn.landscape import NetworkLandscape
from optlab.nn.mlp import MLP, NormStatistics
from optlab.nn.train import History, train

__all__ = [
    "MLP",
    "CoordinateCheck",
    "Evaluation",
    "History",
    "NetworkLandscape",
    "NormStatistics",
    "coordinate_check",
    "evaluate",
    "init",
    "train",
]
