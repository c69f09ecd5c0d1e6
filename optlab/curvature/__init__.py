"""Curvature of any landscape at a point: products, extreme eigenvalues, trace, spectral density, slices of the value.

Everything is built on ``f.hvp`` and ``f.value``. A landscape that draws at each step, as a network with dropout does,
is refused: ``f.sample(seed, step, run)`` freezes it. Every point x is ``(dim,)`` in the landscape's dtype; products are
taken in that dtype, all that is made of them is float64.
"""

from optlab.curvature.condition import ConditionNumber, condition_number
from optlab.curvature.density import Density, density
from optlab.curvature.directions import filter_normalized
from optlab.curvature.eigenvalues import Eigenvalues, eigenvalues
from optlab.curvature.hutchinson import diagonal, trace
from optlab.curvature.plane import Plane, plane_of_path, plane_through
from optlab.curvature.probes import Estimate
from optlab.curvature.products import NotFiniteError, hessian, hvp
from optlab.curvature.projection import ProjectedPath, project_path
from optlab.curvature.sharpness import Sharpness, sharpness
from optlab.curvature.slices import Slice1D, Slice2D, slice_1d, slice_2d
from optlab.curvature.stationary import StationaryPoint, classify
from optlab.errors import ConvergenceError

__all__ = [
    "ConditionNumber",
    "ConvergenceError",
    "Density",
    "Eigenvalues",
    "Estimate",
    "NotFiniteError",
    "Plane",
    "ProjectedPath",
    "Sharpness",
    "Slice1D",
    "Slice2D",
    "StationaryPoint",
    "classify",
    "condition_number",
    "density",
    "diagonal",
    "eigenvalues",
    "filter_normalized",
    "hessian",
    "hvp",
    "plane_of_path",
    "plane_through",
    "project_path",
    "sharpness",
    "slice_1d",
    "slice_2d",
    "trace",
]
