"""Searching for good parameters: a coarse-to-fine grid, at random, or by a model of what came before.

A search over any function, or over an experiment's parameters (:class:`Objective`), is kept in a SQLite file as it
goes, so that one that was interrupted goes on. Importing this package does not load Optuna.
"""

from optlab.search.compare import compare
from optlab.search.grid import grid_point
from optlab.search.objective import Objective
from optlab.search.samplers import SAMPLERS
from optlab.search.search import Search, Trial, TrialError, search
from optlab.search.space import Choice, Point, Space, Span, parsed
from optlab.search.tune import Tuned, tune

__all__ = [
    "SAMPLERS",
    "Choice",
    "Objective",
    "Point",
    "Search",
    "Space",
    "Span",
    "Trial",
    "TrialError",
    "Tuned",
    "compare",
    "grid_point",
    "parsed",
    "search",
    "tune",
]
