"""Each tutorial runs from top to bottom, is stored without results, and is named in the README."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import optlab

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")

ROOT = Path(optlab.__file__).parent.parent
TUTORIALS = sorted((ROOT / "tutorials").glob("*.ipynb"))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not TUTORIALS, reason="no tutorials beside the package: this is not a checkout"),
]


@pytest.fixture(params=TUTORIALS, ids=lambda path: path.stem)
def notebook(request: pytest.FixtureRequest) -> Any:
    return nbformat.read(request.param, as_version=4)


def test_it_runs(notebook: Any, tmp_path: Path) -> None:
    client = nbclient.NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert [output for output in outputs if output.get("name") == "stderr"] == []


def test_it_is_stored_without_results(notebook: Any) -> None:
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [(cell.outputs, cell.execution_count) for cell in code] == [([], None)] * len(code)


def test_the_readme_names_each() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in TUTORIALS if f"(tutorials/{path.name})" not in readme] == []
