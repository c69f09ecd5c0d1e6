"""The landscapes, one file each."""

from optlab.landscapes.beale import Beale
from optlab.landscapes.cosine import Cosine
from optlab.landscapes.custom import Custom
from optlab.landscapes.least_squares import LeastSquares
from optlab.landscapes.long_valley import LongValley
from optlab.landscapes.matrix_completion import MatrixCompletion
from optlab.landscapes.matrix_factorization import MatrixFactorization
from optlab.landscapes.matrix_sensing import MatrixSensing
from optlab.landscapes.octopus import Octopus
from optlab.landscapes.orthogonal_tensor import OrthogonalTensor
from optlab.landscapes.quadratic import HyperbolicParaboloid, Quadratic
from optlab.landscapes.quadratic_network import QuadraticNetwork
from optlab.landscapes.rastrigin import Rastrigin
from optlab.landscapes.recurrent_unit import RecurrentUnit
from optlab.landscapes.rosenbrock import Rosenbrock
from optlab.landscapes.sinusoid import Sinusoid
from optlab.landscapes.strict_saddle import StrictSaddle
from optlab.landscapes.teacher_student import TeacherStudent
from optlab.landscapes.walled_quadratic import WalledQuadratic

__all__ = [
    "Beale",
    "Cosine",
    "Custom",
    "HyperbolicParaboloid",
    "LeastSquares",
    "LongValley",
    "MatrixCompletion",
    "MatrixFactorization",
    "MatrixSensing",
    "Octopus",
    "OrthogonalTensor",
    "Quadratic",
    "QuadraticNetwork",
    "Rastrigin",
    "RecurrentUnit",
    "Rosenbrock",
    "Sinusoid",
    "StrictSaddle",
    "TeacherStudent",
    "WalledQuadratic",
]
