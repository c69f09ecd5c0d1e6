"""Imports run one way, downwards; and importing the package stays light."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import optlab

PACKAGE = Path(optlab.__file__).parent

# From top to bottom. A module may import what stands below it, and, within one layer, what does not import it back;
# a folder is one module here. The modules of a layer in SIBLINGS never import each other.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("__main__",),
    ("cli",),
    ("gallery",),
    ("search",),
    ("experiment",),
    ("bench",),
    ("plotting",),
    ("curvature", "data"),
    ("nn",),
    ("descend", "minimize"),
    ("study",),
    ("methods",),
    ("line_search",),
    ("optim", "landscapes"),
    ("ops",),
    ("derivatives",),
    ("landscape", "random", "schedules", "trajectory", "progress"),
    ("backends",),
    ("layout", "stop", "perturbation"),
    ("files", "threads", "checks", "errors", "blocks", "refusals", "remedies", "typing"),
    ("kernels",),
)
SIBLINGS = {"optim", "landscapes"}
RANK = {name: depth for depth, names in enumerate(LAYERS) for name in names}
FACE = "__init__"  # the package itself: it may import everything, and nothing imports it


def unit(module: str) -> str:
    """The first name below the package: ``optlab.optim.sgd`` -> ``optim``."""
    return module.split(".")[1] if "." in module else FACE


def imported(tree: ast.AST, package: str, known: set[str]) -> Iterator[str]:
    """The full names of the package's modules that a file imports, at the top or inside a function."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package.split(".")[: len(package.split(".")) - node.level + 1]) if node.level else ""
            source = ".".join(part for part in (base, node.module) if part)
            # `from optlab import random` names a module, `from optlab.stop import near` a function
            yield from (
                f"{source}.{alias.name}" if f"{source}.{alias.name}" in known else source for alias in node.names
            )


def module_name(path: Path, root: Path) -> str:
    parts = path.relative_to(root.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == FACE else parts)


def edges(root: Path) -> set[tuple[str, str]]:
    """Pairs (importing unit, imported unit) of a package's folder."""
    files = {module_name(path, root): path for path in root.rglob("*.py")}
    known = set(files) | {f"{root.name}.{path.name}" for path in root.iterdir() if path.is_dir()}
    found = set()
    for name, path in files.items():
        package = name if path.stem == FACE else name.rpartition(".")[0]
        for target in imported(ast.parse(path.read_text(encoding="utf-8")), package, known):
            if target.split(".")[0] == root.name and unit(name) != unit(target):
                found.add((unit(name), unit(target)))
    return {edge for edge in found if edge[0] != FACE}


def violations(root: Path) -> list[str]:
    found, pairs = [], edges(root)
    for upper, lower in sorted(pairs):
        if lower == FACE:
            found.append(f"{upper} imports the package itself instead of a module")
        elif upper not in RANK or lower not in RANK:
            found.append(f"{upper} imports {lower}: give {upper if upper not in RANK else lower} its place in LAYERS")
        elif RANK[upper] > RANK[lower]:
            found.append(f"{upper} imports {lower}, which stands above it")
        elif upper in SIBLINGS and lower in SIBLINGS:
            found.append(f"{upper} imports its sibling {lower}")
        elif RANK[upper] == RANK[lower] and (lower, upper) in pairs and upper < lower:
            found.append(f"{upper} and {lower} import each other")
    return found


def test_imports_run_downwards() -> None:
    assert violations(PACKAGE) == []


def test_every_module_has_its_place() -> None:
    units = {path.stem for path in PACKAGE.glob("*.py")} | {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert units - {FACE, "_experiments"} <= set(RANK)


WRONG = {  # file and text -> what is said
    "upward": ("kernels/extra.py", "from optlab.random import normal", "kernels imports random, which stands above it"),
    "upward_module": ("stop.py", "from optlab import descend", "stop imports descend, which stands above it"),
    "inside_a_function": ("checks.py", "def f():\n    import optlab.cli", "checks imports cli, which stands above it"),
    "relative": (
        "landscapes/extra.py",
        "from ..descend import descend",
        "landscapes imports descend, which stands above it",
    ),
    "siblings": ("optim/extra.py", "from optlab.landscapes import Beale", "optim imports its sibling landscapes"),
    "each_other": ("threads.py", "import optlab.checks", "checks and threads import each other"),
    "the_package": ("trajectory.py", "import optlab", "trajectory imports the package itself instead of a module"),
    "unknown": (
        "stop.py",
        "from optlab.novelty import thing",
        "stop imports novelty: give novelty its place in LAYERS",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_imports_are_found(name: str, tmp_path: Path) -> None:
    file, text, said = WRONG[name]
    root = tmp_path / "optlab"
    for path in (
        "kernels/__init__.py",
        "optim/__init__.py",
        "landscapes/__init__.py",
        "descend.py",
        "random.py",
        "cli.py",
        "novelty.py",
    ):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("import numpy\n")
    (root / "checks.py").write_text("from optlab import threads\n")
    (root / file).write_text(text)
    assert said in violations(root)


HEAVY = ("matplotlib", "scipy", "typer", "rich", "torch", "jax", "sklearn", "optuna", "pybind11", "pandas", "cupy")
HEAVY += ("optlab.backends.gpu",)


@pytest.mark.parametrize(
    "work", ("", "; ol.descend(ol.landscapes.Beale(), ol.SGD(lr=1e-4), numpy.ones(2), 9, noise=1e-3)")
)
def test_the_import_is_light(work: str, python: Any) -> None:
    done = python(f"import sys, numpy, optlab as ol{work}; print([name for name in {HEAVY} if name in sys.modules])")
    assert done.stdout.strip() == "[]", done.stderr
