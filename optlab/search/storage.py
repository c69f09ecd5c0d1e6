"""Where a search is kept: a SQLite file that survives a kill at any moment."""

from __future__ import annotations

import fcntl
import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from optlab.errors import OptlabError, one_line
from optlab.search.samplers import package


@contextmanager
def stored(path: Path | None, name: str, maximize: bool) -> Iterator[Any]:
    """The study of this name in the file, in which every trial is whole; None: none is kept.

    Raises:
        OptlabError: another process searches there, or the file cannot be used.
    """
    if path is None:
        yield None
        return
    optuna, sql = (package(each, "a search", "optlab[experiments]") for each in ("optuna", "sqlalchemy"))
    with _alone(path):
        failures = (sql.exc.DatabaseError, optuna.exceptions.StorageInternalError)
        try:
            # A file of another version of Optuna is a RuntimeError, which an objective may raise as well.
            yield _study(path, name, maximize, (*failures, RuntimeError))
        except failures as error:
            raise _refusal(path, error) from None


def _study(path: Path, name: str, maximize: bool, failures: tuple[type[Exception], ...]) -> Any:
    optuna = package("optuna", "a search", "optlab[experiments]")
    try:
        storage = optuna.storages.RDBStorage(f"sqlite:///{path}")
        direction = "maximize" if maximize else "minimize"
        return optuna.create_study(storage=storage, study_name=name, direction=direction, load_if_exists=True)
    except failures as error:
        raise _refusal(path, error) from None


def title(name: str, sampler: str, facts: Mapping[str, Any]) -> str:
    """A study's name: equal names mean that every trial would come out the same."""
    text = json.dumps(facts, sort_keys=True, default=str)
    return f"{name} {sampler} {hashlib.sha256(text.encode()).hexdigest()[:16]}"


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    # A lock of the system ends with its process, however that ends. It lies beside the file, for closing the file
    # itself would take away SQLite's own locks.
    lock = path.with_name(f".{path.name}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        held = lock.open("w")
    except OSError as error:
        raise _refusal(path, error.strerror or "it cannot be written") from error
    with held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OptlabError(f"another search uses '{path}'; wait for it, or choose another --storage") from None
        yield


def _refusal(path: Path, why: BaseException | str) -> OptlabError:
    """What was said at the bottom: Optuna wraps what SQLAlchemy wraps around SQLite's error."""
    cause = getattr(why, "__cause__", None) or why
    reason = one_line(getattr(cause, "orig", None) or cause)
    return OptlabError(f"cannot keep a search in '{path}': {reason}; choose another --storage")
