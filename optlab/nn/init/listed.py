"""The list of initializers."""

from __future__ import annotations

from optlab.errors import did_you_mean
from optlab.nn.init.constants import Constant, Given, Zeros
from optlab.nn.init.defazio_bottou import DefazioBottou
from optlab.nn.init.initializer import Initializer
from optlab.nn.init.kaiming import KaimingNormal, KaimingUniform
from optlab.nn.init.orthogonal import Orthogonal
from optlab.nn.init.plain import Normal, Uniform
from optlab.nn.init.torch_default import TorchDefault
from optlab.nn.init.xavier import XavierNormal, XavierUniform

INITIALIZERS: dict[str, type[Initializer]] = {
    "zeros": Zeros,
    "constant": Constant,
    "normal": Normal,
    "uniform": Uniform,
    "xavier_uniform": XavierUniform,
    "xavier_normal": XavierNormal,
    "kaiming_uniform": KaimingUniform,
    "kaiming_normal": KaimingNormal,
    "torch_default": TorchDefault,
    "orthogonal": Orthogonal,
    "defazio_bottou": DefazioBottou,
    "given": Given,
}
"""Name -> class; a name stands for its class with the default arguments."""


def resolve(given: str | Initializer) -> Initializer:
    """The initializer of a name, or the given one.

    Raises:
        TypeError: it is neither a name nor an initializer.
        ValueError: the name is unknown, or its class cannot do without arguments.

    Example:
        >>> resolve("kaiming_normal")
        KaimingNormal(a=0.0, mode='fan_in', nonlinearity='leaky_relu')
        >>> resolve("kaiming_norm")
        Traceback (most recent call last):
        ValueError: init: got 'kaiming_norm'; did you mean 'kaiming_normal'?
    """
    if isinstance(given, Initializer):
        return given
    if not isinstance(given, str):
        raise TypeError(f"init: got {given!r}, expected an initializer or one of {', '.join(INITIALIZERS)}")
    if given not in INITIALIZERS:
        hint = did_you_mean(given, INITIALIZERS) or f", expected one of {', '.join(INITIALIZERS)}"
        raise ValueError(f"init: got {given!r}{hint}")
    try:
        return INITIALIZERS[given]()
    except TypeError:
        name = INITIALIZERS[given].__name__
        raise ValueError(f"init: got {given!r}, which needs arguments; expected an instance, {name}(…)") from None
