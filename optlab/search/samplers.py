"""The methods of a search, by name, and the packages that they need."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from optlab.errors import MissingPackageError, did_you_mean

SAMPLERS = ("grid", "random", "tpe", "gp")
"""Coarse-to-fine grid, random, and Bayesian: tree-structured Parzen estimators, Gaussian processes."""
FIRST = 5
"""Random trials before a Bayesian method begins."""


def checked(name: str) -> str:
    """The name of a method whose packages are installed.

    Raises:
        ValueError: there is no such method.
        MissingPackageError: a package is missing.
    """
    if name not in SAMPLERS:
        raise ValueError(f"sampler: got {name!r}{did_you_mean(name, SAMPLERS)}, expected one of {', '.join(SAMPLERS)}")
    package("optuna", "a search", "optlab[experiments]")
    if name == "gp":
        package("torch", "the sampler 'gp'", "torch")
    return name


def package(name: str, what: str, install: str) -> Any:
    """An optional package.

    Raises:
        MissingPackageError: it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError:
        raise MissingPackageError(f"{what} needs {name}, which is not installed: pip install '{install}'") from None


def make(name: str, seed: int) -> Any:
    """Optuna's sampler for one trial; the grid is none of Optuna's, and draws nothing."""
    optuna = package("optuna", "a search", "optlab[experiments]")
    small = seed % 2**32  # what its generators take
    if name == "tpe":
        return optuna.samplers.TPESampler(seed=small, multivariate=True, n_startup_trials=FIRST)
    if name == "gp":
        return optuna.samplers.GPSampler(seed=small, deterministic_objective=True, n_startup_trials=FIRST)
    return optuna.samplers.RandomSampler(seed=small)


@contextmanager
def quiet() -> Iterator[None]:
    """Without Optuna's notes: on each trial, that a method may change, that a model takes a finite worst value."""
    optuna = package("optuna", "a search", "optlab[experiments]")
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            warnings.filterwarnings("ignore", "Clip non-finite values", UserWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)
