"""By how much a weight must be larger for what its activation takes away."""

from __future__ import annotations

import math

from optlab.checks import real
from optlab.errors import did_you_mean

GAINS = {
    "linear": 1.0,
    "sigmoid": 1.0,
    "tanh": 5 / 3,
    "relu": math.sqrt(2.0),
    "leaky_relu": math.nan,  # depends on the slope
    "selu": 0.75,
}
"""PyTorch's numbers: √2 follows from E relu(z)² = E z²/2; 5/3 and 3/4 are customary."""


def gain(nonlinearity: str, parameter: float | None = None) -> float:
    """The gain of an activation, as ``torch.nn.init.calculate_gain`` has it.

    Args:
        nonlinearity: "linear", "sigmoid", "tanh", "relu", "leaky_relu" or "selu".
        parameter: The slope a of leaky_relu, 0.01 if None, whose gain is √(2 / (1 + a²)); no other has one.

    Raises:
        TypeError: parameter is not a number.
        ValueError: the name is unknown, or parameter is not finite.

    Example:
        >>> gain("relu"), gain("leaky_relu", 1.0)
        (1.4142135623730951, 1.0)
    """
    if nonlinearity not in GAINS:
        hint = did_you_mean(str(nonlinearity), GAINS) or f"; expected one of {', '.join(GAINS)}"
        raise ValueError(f"nonlinearity: got {nonlinearity!r}{hint}")
    slope = 0.01 if parameter is None else real("parameter", parameter)
    return math.sqrt(2 / (1 + slope * slope)) if nonlinearity == "leaky_relu" else GAINS[nonlinearity]
