"""Networks as functions of one flat parameter vector, and how their parameters begin (:mod:`optlab.nn.init`)."""

from optlab.nn import init
from optlab.nn.landscape import NetworkLandscape
from optlab.nn.mlp import MLP, NormStatistics

__all__ = ["MLP", "NetworkLandscape", "NormStatistics", "init"]
