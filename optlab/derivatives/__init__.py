"""Whether the derivatives that a landscape states are those of its function."""

from optlab.derivatives.check import check_gradient
from optlab.derivatives.report import GradientCheck, Part

__all__ = ["GradientCheck", "Part", "check_gradient"]
