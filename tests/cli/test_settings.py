"""Parameters that an experiment cannot take: one line that names them, and the exit code of wrong use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Shell = Callable[..., tuple[int, str, str]]
Write = Callable[..., Path]

CANNOT_TAKE = [
    ("size=1e3", "size=1000 (default 3)", "OverflowError: cannot convert Infinity to integer ratio"),
    ("size=0", "size=0 (default 3)", "ZeroDivisionError: division by zero"),
    ("size=-1", "size=-1 (default 3)", "IndexError: list index out of range"),
    ("size=4", "size=4 (default 3)", "LinAlgError: Singular matrix"),
    ("size=5", "size=5 (default 3)", "MemoryError"),
    ("size=6", "size=6 (default 3)", "FloatingPointError: underflow"),
    ("size=7", "size=7 (default 3)", "TypeError: x0: got NoneType"),
    ("law=broken", "law=broken (default plain)", "ValueError: this law is broken"),
]
FRAGILE = (
    "progress(0.5)",
    """progress(0.5)
    if p.size == 1000: float("inf").as_integer_ratio()
    if p.size == 0: 1 / p.size
    if p.size < 0: [][p.size]
    if p.size == 4: np.linalg.inv(np.zeros((2, 2)))
    if p.size == 5: raise MemoryError
    if p.size == 6: raise FloatingPointError("underflow")
    if p.size == 7: raise TypeError("x0: got NoneType")""",
)


@pytest.mark.parametrize(("setting", "told", "error"), CANNOT_TAKE)
def test_a_parameter_that_an_experiment_cannot_take_is_named(
    shell: Shell, mine: Write, setting: str, told: str, error: str
) -> None:
    mine("mine", FRAGILE)
    for command in ("run", "check"):
        code, out, err = shell(command, "mine.py", "--set", setting)
        assert (code, out) == (2, "")
        assert err.startswith(f"optlab: error: experiment 'mine' cannot take {told}: {error} (mine.py, line ")
        assert err.count("\n") == 1


def test_all_parameters_that_were_changed_are_named_with_the_values_they_had(shell: Shell, mine: Write) -> None:
    mine("mine", FRAGILE, ('"hits": 40', f'"hits": 40, "sizes": {tuple(range(40))}, "open": True'))
    changes = ["hits=41", "law=plain", "size=4", "open=false", "sizes=1,2"]
    code, _, err = shell("check", "mine.py", "--quick", *(part for change in changes for part in ("--set", change)))
    long = "0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,1…"
    told = (
        f"size=4 (default 3), hits=41 (default 40), sizes=1,2 (default {long}), open=false (default true), law=plain "
    )
    assert err.startswith(f"optlab: error: experiment 'mine' cannot take {told}(default short): LinAlgError")
    assert code == 2


@pytest.mark.parametrize("place", ["def plot(data, p):\n", "def claims(data, p):\n"])
def test_a_figure_and_claims_may_not_take_a_parameter_either(shell: Shell, mine: Write, place: str) -> None:
    mine("mine", (place, f"{place}    [3, 4][p.size - 3]\n"))
    assert shell("run", "mine.py", "--set", "size=4")[0] != 2
    code, _, err = shell("run", "mine.py", "--set", "size=5")
    assert (code, err.split(" (mine.py")[0]) == (
        2,
        "optlab: error: experiment 'mine' cannot take size=5 (default 3): IndexError: list index out of range",
    )


@pytest.mark.parametrize("workers", ["1", "2"])
def test_what_cannot_be_taken_counts_more_than_a_claim_that_fails(shell: Shell, mine: Write, workers: str) -> None:
    mine("mine", FRAGILE)
    code, out, err = shell("run", "saddle", "mine.py", "--set", "size=4", "-j", workers)
    assert (code, "fails" in out, err.count("\n")) == (2, True, 1)
    assert "'mine' cannot take size=4 (default 3): LinAlgError: Singular matrix (mine.py, line " in err


def test_an_experiments_own_mistake_is_not_put_down_to_parameters(shell: Shell, mine: Write) -> None:
    mine("mine", ("progress(0.5)", "np.linalg.inv(np.zeros((2, 2)))"))
    failed = "optlab: error: experiment 'mine' failed: LinAlgError: Singular matrix (mine.py, line 7)\n"
    for options in ([], ["--quick"], ["--set", "size=3"]):
        assert shell("check", "mine.py", *options) == (1, "", failed)
    mine("mine", ("progress(0.5)", "progres(0.5)"))
    code, _, err = shell("check", "mine.py", "--set", "size=4")
    assert code == 1
    assert err.startswith("optlab: error: experiment 'mine' failed: NameError: name 'progres' is not defined")


def test_debug_shows_where_a_parameter_was_not_taken(shell: Shell, mine: Write) -> None:
    mine("mine", FRAGILE)
    code, _, err = shell("check", "mine.py", "--set", "size=0", "--debug")
    assert code == 2
    assert "if p.size == 0: 1 / p.size" in err
    assert err.splitlines()[-1].startswith("optlab: error: experiment 'mine' cannot take size=0 (default 3): ZeroDiv")
