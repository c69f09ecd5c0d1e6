"""Data sets, real and drawn, and what is done to them before training; one idea a file.

A data set is a :class:`Data` of features ``X`` (n, features) and labels ``y`` (n, …), and unpacks to the two. What is
drawn comes from :mod:`optlab.random` alone: sample i of a set is a function of the seed and of i.
"""

from optlab.data import augment
from optlab.data.dataset import Data
from optlab.data.digits import digits
from optlab.data.labels import corrupt
from optlab.data.lifted import random_labels
from optlab.data.mixture import gaussian_mixture
from optlab.data.openml import cifar10, mnist
from optlab.data.pca import PCA
from optlab.data.spirals import spirals
from optlab.data.split import split
from optlab.data.standardize import Standardize
from optlab.data.teacher import teacher
from optlab.data.whiten import Whiten

__all__ = [
    "PCA",
    "Data",
    "Standardize",
    "Whiten",
    "augment",
    "cifar10",
    "corrupt",
    "digits",
    "gaussian_mixture",
    "mnist",
    "random_labels",
    "spirals",
    "split",
    "teacher",
]
