"""Networks as functions of one flat parameter vector: for now, how their parameters begin (:mod:`optlab.nn.init`)."""

from optlab.nn import init

__all__ = ["init"]
