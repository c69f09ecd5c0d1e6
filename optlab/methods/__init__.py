"""Methods of :func:`optlab.minimize`, as values."""

from optlab.methods.bfgs import BFGS
from optlab.methods.conjugate_gradient import ConjugateGradient
from optlab.methods.gradient_descent import GradientDescent
from optlab.methods.lbfgs import LBFGS
from optlab.methods.method import Method, Rule
from optlab.methods.newton import Newton

__all__ = ["BFGS", "LBFGS", "ConjugateGradient", "GradientDescent", "Method", "Newton", "Rule"]
