"""Every error as one line on the standard error stream, and the exit code that goes with it."""

from __future__ import annotations

import sys

import typer

from optlab.errors import InterruptError, OptlabError, UsageError, describe, one_line


def complain(error: BaseException) -> int:
    """Print one line about `error` and return its exit code."""
    text, code = _verdict(error)
    print(f"optlab: error: {text}", file=sys.stderr)
    return code


def _verdict(error: BaseException) -> tuple[str, int]:
    if isinstance(error, OptlabError):
        return one_line(error), error.exit_code
    if isinstance(error, (KeyboardInterrupt, typer.Abort)):
        return "interrupted", InterruptError.exit_code
    # Typer's own usage errors are known by their methods, because their class has moved between its versions.
    message = getattr(error, "format_message", None)
    if callable(message):
        return one_line(message()), UsageError.exit_code
    return f"unexpected {describe(error)}; --debug shows where", OptlabError.exit_code
