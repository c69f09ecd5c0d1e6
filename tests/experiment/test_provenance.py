"""The commit, the machine and the libraries."""

from __future__ import annotations

import subprocess
from pathlib import Path

from optlab.experiment import provenance


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


def test_git_state_is_the_checkouts_own(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    (checkout / "figures").mkdir(parents=True)
    (checkout / "optlab").mkdir()
    (checkout / "optlab" / "a.py").write_text("x = 1\n")
    (checkout / "figures" / "a.png").write_text("old")
    assert provenance.git_state(checkout) is None
    git(checkout, "init", "-q")
    assert provenance.git_state(checkout) is None
    git(checkout, "add", ".")
    git(checkout, "commit", "-q", "-m", "first")
    state = provenance.git_state(checkout)
    assert state is not None
    assert len(state["commit"]) == 40
    assert not state["dirty"]
    (checkout / "figures" / "a.png").write_text("new")
    assert provenance.git_state(checkout) == state
    (checkout / "optlab" / "a.py").write_text("x = 2\n")
    assert provenance.git_state(checkout) == {**state, "dirty": True}
    # Installed somewhere inside a checkout of something else, the package must not borrow its commit.
    assert provenance.git_state(checkout / "optlab") is None


def test_machine_facts_are_there() -> None:
    assert provenance.cpu_model()
    assert provenance.cores() >= 1
    assert provenance.version("no-such-distribution") is None
    assert {"version", "isa", "available_isas", "cpu", "gpu", "scipy", "cupy"} <= set(provenance.info())
