"""What all tests share: reproducible examples, fresh interpreters, and ``tests/reference`` on the import path."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from optlab.kernels import isa, select

TESTS = Path(__file__).parent
sys.path.insert(0, str(TESTS))

# derandomize: the same examples in every run; deadline: a shared machine may pause; database: nothing left behind
settings.register_profile("optlab", derandomize=True, deadline=None, database=None, max_examples=300)
settings.load_profile("optlab")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Which instruction sets the tests of equal bits did not see, since a green run would hide it."""
    if unseen := [name for name in isa.ALL if name not in select.available()]:
        why = {name: "this machine does not run it" if name in select.built() else "not built" for name in unseen}
        said = ", ".join(f"{name} ({reason})" for name, reason in why.items())
        terminalreporter.write_line(f"bits were not compared with those of {said}")


Python = Callable[..., "subprocess.CompletedProcess[str]"]


def run_python(code: str, *, timeout: float = 60, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs code in a fresh interpreter whose warnings are errors; its folder is tests/, so ``reference`` is found."""
    clean = {name: value for name, value in os.environ.items() if name != "OPTLAB_ISA"}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=TESTS,
        env={**clean, **environment},
        capture_output=True,
        text=True,
        timeout=timeout,
    )


@pytest.fixture(scope="session")
def python() -> Python:
    """See :func:`run_python`."""
    return run_python


@pytest.fixture(scope="session")
def fingerprints() -> Callable[..., dict[str, str]]:
    """A function that gives the hashes of reference/fingerprints.py as a fresh interpreter computes them."""

    def compute(prelude: str = "", **environment: str) -> dict[str, str]:
        done = run_python(f"{prelude}\nfrom reference import fingerprints; fingerprints.main()", **environment)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return compute


@pytest.fixture(scope="session")
def expected_fingerprints(fingerprints: Callable[..., dict[str, str]]) -> dict[str, str]:
    """The hashes for the best instruction set, one thread."""
    return fingerprints("import optlab; optlab.threads(1).__enter__()")
