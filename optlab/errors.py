"""The errors that the command line turns into one line and an exit code."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class OptlabError(Exception):
    """Something went wrong that the message explains in one line: cause first, then the remedy."""

    exit_code = 1


class UsageError(OptlabError):
    """The request itself is wrong: an unknown name, a value of the wrong type, options that exclude each other."""

    exit_code = 2


class ExperimentError(OptlabError):
    """An experiment's own file is broken, or its code raised."""


class MissingPackageError(OptlabError, ImportError):
    """An optional package is not installed."""


class MissingDataError(OptlabError):
    """Data are neither on this machine nor to be had."""


class ConvergenceError(OptlabError):
    """An iteration did not reach the accuracy asked for."""


class InterruptError(OptlabError):
    """The user pressed Ctrl-C; 130 is the shell's 128 + SIGINT."""

    exit_code = 130


def one_line(text: object) -> str:
    """Return `text` with every run of white space, line ends included, as one blank."""
    return " ".join(str(text).split())


def describe(error: BaseException) -> str:
    """Return the type and the message of `error` in one line; the type alone where there is no message."""
    message = one_line(error)
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def did_you_mean(name: str, choices: Iterable[str]) -> str:
    """Return `"; did you mean 'x'?"` for the choice most like `name`, else an empty string.

    >>> did_you_mean("sadle", ["saddle", "basins"])
    "; did you mean 'saddle'?"
    >>> did_you_mean("zzz", ["saddle", "basins"])
    ''
    """
    close = difflib.get_close_matches(name, list(choices), n=1)
    return f"; did you mean '{close[0]}'?" if close else ""
