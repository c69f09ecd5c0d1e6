"""How the parameters of a network begin.

An initializer is a small frozen dataclass with one method, ``draw(shape, seed)``. Weights are (fan_out, fan_in), as
PyTorch stores them. Every number is a pure function of (seed, step, run, element) in the stream INIT, where ``step`` is
the number of the segment and ``run`` the network's; so one layer of one network can be drawn again alone, and neither
threads nor instruction set change a bit.
"""

from optlab.nn.init.constants import Constant, Given, Zeros
from optlab.nn.init.defazio_bottou import DefazioBottou
from optlab.nn.init.fans import Fans, fans
from optlab.nn.init.filling import fill
from optlab.nn.init.gains import gain
from optlab.nn.init.initializer import Initializer
from optlab.nn.init.kaiming import KaimingNormal, KaimingUniform
from optlab.nn.init.listed import INITIALIZERS, resolve
from optlab.nn.init.orthogonal import Orthogonal
from optlab.nn.init.plain import Normal, Uniform
from optlab.nn.init.torch_default import TorchDefault
from optlab.nn.init.xavier import XavierNormal, XavierUniform

__all__ = [
    "INITIALIZERS",
    "Constant",
    "DefazioBottou",
    "Fans",
    "Given",
    "Initializer",
    "KaimingNormal",
    "KaimingUniform",
    "Normal",
    "Orthogonal",
    "TorchDefault",
    "Uniform",
    "XavierNormal",
    "XavierUniform",
    "Zeros",
    "fans",
    "fill",
    "gain",
    "resolve",
]
