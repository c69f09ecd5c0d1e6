"""Finding experiments: every file in the folder of experiments, or any file by its path."""

from __future__ import annotations

import ast
import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from optlab.errors import ExperimentError, UsageError, describe, did_you_mean, one_line
from optlab.experiment.experiment import Experiment
from optlab.experiment.provenance import PACKAGE


def folder() -> Path:
    """Return the folder of experiments: the one inside an installed package, else the one beside it in a checkout."""
    packaged = PACKAGE / "_experiments"
    return packaged if packaged.is_dir() else PACKAGE.parent / "experiments"


def paths() -> dict[str, Path]:
    """Return every experiment's file by name, sorted; files with a leading underscore are helpers."""
    return {path.stem: path for path in sorted(folder().glob("*.py")) if not path.stem.startswith("_")}


def find(name: str) -> Path:
    """Return the file of the experiment `name`, which may also be the path of a file.

    Raises:
        UsageError: if there is no such experiment or file.
    """
    if name.endswith(".py") or os.sep in name:
        path = Path(name)
        if not path.is_file():
            there = [str(other) for other in path.parent.glob("*.py")] if path.parent.is_dir() else []
            raise UsageError(f"there is no file '{name}'{did_you_mean(name, there)}")
        return path.resolve()
    known = paths()
    if name not in known:
        own = [f"{name}.py"] if Path(f"{name}.py").is_file() else []
        hint = f"; did you mean '{own[0]}'?" if own else did_you_mean(name, known)
        raise UsageError(f"unknown experiment '{name}'{hint or '; `optlab list` shows all'}")
    return known[name]


def load(path: Path) -> Experiment:
    """Return the experiment that the file at `path` holds, by the name of the file.

    Raises:
        ExperimentError: if the file cannot be run, holds no `experiment`, or gives it another name than its own.
    """
    module = _module(path)
    experiment = getattr(module, "experiment", None)
    if not isinstance(experiment, Experiment):
        raise ExperimentError(f"'{path}' holds no experiment; it needs a module-level `experiment = Experiment(...)`")
    if experiment.name not in ("", path.stem):
        given = f"name='{experiment.name}'"
        raise ExperimentError(f"'{path}': an experiment has the name of its file, '{path.stem}'; leave {given} out")
    try:
        named = replace(experiment, name=path.stem)
    except ValueError as error:
        raise ExperimentError(f"cannot load '{path}': {one_line(error)}; rename the file") from error
    vars(module)["experiment"] = named  # so that the file's own functions see it, too
    return named


def _module(path: Path) -> ModuleType:
    """Run the file at `path` as a module."""
    spec = importlib.util.spec_from_file_location(f"optlab_experiment_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ExperimentError(f"cannot load '{path}': not a Python file")
    module = importlib.util.module_from_spec(spec)
    # Registered while it runs, because dataclasses look their module up by name.
    sys.modules[spec.name] = module
    try:
        with _siblings_importable(path.parent):
            spec.loader.exec_module(module)
    # A file that calls sys.exit at its top level is as broken as one that raises.
    except (Exception, SystemExit) as error:
        raise ExperimentError(f"cannot load '{path}': {describe(error)}") from error
    return module


def sources(path: Path) -> list[Path]:
    """Return the file at `path` and the files beside it that it imports, directly or through each other."""
    found: list[Path] = []
    waiting = [path]
    while waiting:
        current = waiting.pop()
        if current not in found and current.is_file():
            found.append(current)
            waiting += [path.parent / f"{name}.py" for name in _imported(current)]
    return sorted(found)


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


@contextmanager
def _siblings_importable(place: Path) -> Iterator[None]:
    # As when Python runs the file itself. Afterwards the siblings are forgotten: two folders may each have a helper of
    # the same name.
    before = set(sys.modules)
    sys.path.insert(0, str(place))
    try:
        yield
    finally:
        sys.path.remove(str(place))
        for name in set(sys.modules) - before:
            origin = getattr(sys.modules[name], "__file__", None)
            if origin and Path(origin).parent == place:
                del sys.modules[name]
