"""Errors that come out of an experiment, in one line that names the parameters the user has set."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from optlab.errors import ConvergenceError, OptlabError, UsageError, describe, one_line
from optlab.experiment.params import Params

_TELLING = (ArithmeticError, ConvergenceError, LookupError, MemoryError, TypeError, UnboundLocalError, ValueError)
"""What a value that code was not made for ends in; a missing name or package, say, is a mistake of the code itself."""


@contextmanager
def blamed(path: Path, p: Params, usual: Params) -> Iterator[None]:
    """Say which parameters were set, if what the experiment in the file at `path` does with them ends in an error.

    Where `p` is as `usual`, the error goes on as it is: then it is the experiment's own.

    Raises:
        UsageError: with the parameters that differ, and the type and the text of the error that came.
    """
    try:
        yield
    except _TELLING as error:
        if dict(p) == dict(usual):
            raise
        values = ", ".join(f"{key}={p.told(key)} (default {usual.told(key)})" for key in p if p[key] != usual[key])
        raise UsageError(f"experiment '{path.stem}' cannot take {values}: {_at(error, path)}") from error


def explained(error: Exception, path: Path) -> str:
    """Return in one line what went wrong in the experiment in the file at `path`."""
    return one_line(error) if isinstance(error, OptlabError) else f"experiment '{path.stem}' failed: {_at(error, path)}"


def _at(error: Exception, path: Path) -> str:
    """The type and the text of an error, and the last line of the file that it passed through."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f"{describe(error)} ({path.name}, line {lines[-1]})" if lines else describe(error)
