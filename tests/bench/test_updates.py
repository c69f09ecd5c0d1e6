"""The updates benchmark: what its rows say, that a wrong kernel is found out, and the picture; never its speed."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.text import Text

from optlab import bench, optim, plotting
from optlab.bench import rows as rows_module
from optlab.bench import updates, updates_figure, updates_peers
from optlab.bench.rows import Contest, Row
from optlab.bench.updates import Case
from optlab.bench.updates_agreement import STEPS, agreement
from optlab.bench.updates_rules import RULES
from optlab.errors import UsageError
from optlab.optim.rule import state_names

FIELDS = {
    *("kernel", "case", "dtype", "threads", "seconds", "peer", "peer_seconds", "ratio", "limit", "limit_share"),
    "agrees",
}
SMALL = [replace(case, size=3000, calls=2, processes=1) for case in updates.CASES if hasattr(optim, case.kind)]
MOMENTUM = Case("SGD momentum", 3000, (("NumPy",),), {"lr": 1e-3, "momentum": 0.9})


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_module, "SETTLE", 0.0)


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No peer but NumPy."""
    modules = {name: "a_library_that_nobody_has" for name in updates_peers.MODULES}
    monkeypatch.setattr(updates_peers, "MODULES", {**modules, "NumPy": "numpy"})


def test_rows_hold_the_fields_of_the_contract(alone: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(updates, "CASES", SMALL)
    rows = [row.to_json() for row in updates.run(quick=True)]
    assert all(set(row) == FIELDS for row in rows)
    assert {row["kernel"] for row in rows} == {"machine", *(case.rule for case in SMALL)}
    assert all(row["seconds"] > 0 and row["limit_share"] > 0 and row["dtype"] == "float32" for row in rows)
    met = [row for row in rows if row["peer"] == "NumPy"]
    assert [(row["kernel"], row["agrees"]) for row in met] == [("SGD momentum", "yes")]
    assert all(row["ratio"] == pytest.approx(row["peer_seconds"] / row["seconds"]) for row in met)


def test_a_peer_that_is_not_installed_is_a_row_that_says_so(alone: None) -> None:
    case = Case("AdamW", 100, (("PyTorch foreach", "PyTorch loop"), ("optax",)))
    rows = updates.measured(case, 1)
    assert [(row.peer, row.peer_seconds, row.ratio, row.agrees) for row in rows] == [
        ("PyTorch foreach", None, None, "not installed"),
        ("optax", None, None, "not installed"),
    ]


def test_a_peer_that_fails_is_a_row_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> updates_peers.Stepper:
        raise RuntimeError

    monkeypatch.setitem(updates_peers.MAKERS, "NumPy", broken)
    (row,) = updates.measured(MOMENTUM, 1)
    assert (row.peer_seconds, row.agrees) == (None, "failed: RuntimeError")


@pytest.mark.parametrize("case", SMALL, ids=lambda case: f"{case.rule}, {case}")
def test_installed_peers_agree(case: Case) -> None:
    peers = [name for name in itertools.chain(*case.peers) if "compiled" not in name]
    for name in peers:
        pytest.importorskip(updates_peers.MODULES[name.split()[0]])
    found = updates.contest(replace(case, peers=(tuple(peers),)))
    assert set(found.agrees) == set(peers)
    assert all(agrees.startswith("yes") for agrees in found.agrees.values()), found.agrees


WRONG_STEPS: dict[str, Callable[[Case], Any]] = {
    "no_momentum": lambda case: optim.SGD(lr=1e-3),
    "momentum_halved": lambda case: optim.SGD(lr=1e-3, momentum=0.45),
    "nesterov": lambda case: optim.SGD(**case.options, nesterov=True),
    "lr_doubled": lambda case: optim.SGD(lr=2e-3, momentum=0.9),
    "uphill": lambda case: optim.SGD(**case.options, maximize=True),
    "averaged": lambda case: optim.AveragedMomentum(**case.options),
    "no_op": lambda case: optim.SGD(lr=0.0, momentum=0.9),
}


@pytest.mark.parametrize("name", WRONG_STEPS)
def test_a_wrong_kernel_disagrees(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert updates.contest(MOMENTUM).agrees == {"NumPy": "yes"}
    wrong = WRONG_STEPS[name](MOMENTUM)
    monkeypatch.setattr(optim, "SGD", lambda **_: wrong)
    (row,) = updates.measured(MOMENTUM, 1)
    assert row.agrees.startswith("NO: ")


def adamw(x: Any, g: Any, *, corrected: bool = True, decay: float = 1e-2, coupled: bool = False) -> Any:
    """AdamW's path from the paper in float64, or a wrong one."""
    m, v = np.zeros(x.shape), np.zeros(x.shape)
    for t in range(1, STEPS + 1):
        effective = g + coupled * decay * x
        m, v = 0.9 * m + 0.1 * effective, 0.999 * v + 0.001 * effective**2
        first, second = (1 - 0.9**t, 1 - 0.999**t) if corrected else (1.0, 1.0)
        x = x * (1 - (not coupled) * 1e-3 * decay) - 1e-3 * (m / first) / (np.sqrt(v / second) + 1e-8)
    return x


@pytest.mark.parametrize(
    ("wrong", "answer"),
    [({}, "yes"), *(({key: value}, "NO") for key, value in (("corrected", False), ("decay", 0.0), ("coupled", True)))],
)
def test_the_bound_tells_adamw_from_its_relatives(wrong: dict[str, Any], answer: str) -> None:
    case = Case("AdamW", 3000, (), {"lr": 1e-3, "weight_decay": 1e-2})
    x, g = (np.random.default_rng(seed).standard_normal(case.size, np.float32) for seed in (5, 6))
    ours = updates.our_step(case, [x], [g])
    ours.repeated(STEPS)()
    theirs = adamw(x.astype(np.float64), g.astype(np.float64), **wrong).astype(np.float32)
    assert agreement(case.rule, x, ours.point(), theirs).split(":")[0] == answer


def test_what_is_not_finite_disagrees() -> None:
    x = np.ones(10, np.float32)
    assert agreement(MOMENTUM.rule, x, x + 1, np.full_like(x, np.nan)).startswith("NO")
    assert agreement(MOMENTUM.rule, x, np.full_like(x, np.nan), x + 1).startswith("NO")


@pytest.mark.parametrize(
    ("off", "answer"), [(0.03, "yes: change differs by 3.0%"), (0.5, "NO: change differs by 50.0%")]
)
def test_bytes_agree_by_the_size_of_the_change(off: float, answer: str) -> None:
    x, change = np.zeros(1000, np.float32), np.full(1000, 1e-3, np.float32)
    assert agreement("AdamW8bit", x, x + (1 + off) * change, x + change) == answer


def test_many_calls_are_reported_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_module, "interleave", lambda runs, repeats: {"ours": 10.0, "other": 20.0})
    contest = Contest(
        *("rule", "case", "float32", 2, print, {"other": print}, {"third": "not installed"}, {"other": "yes"}),
        limit="limit",
        least_seconds=0.5,
        calls=10,
    )
    common = ("rule", "case", "float32", 2, 1.0)
    assert contest.rows(1) == [
        Row(*common, "other", 2.0, 2.0, "limit", 0.5, "yes"),
        Row(*common, "third", None, None, "limit", 0.5, "not installed"),
    ]


def test_of_each_group_the_fastest_is_kept_and_of_processes_the_middle() -> None:
    def row(peer: str, seconds: float | None) -> Row:
        return Row("rule", "case", "float32", 2, 1.0, peer, seconds, seconds, None, None, "yes")

    rows = [row("a", 3.0), row("b", 2.0), row("c", None)]
    assert updates.fastest(rows).peer == "b"
    assert updates.fastest([row("a", None), row("b", None)]).peer == "a"
    assert [each.ratio for each in updates.middle([[row("a", 3.0)], [row("a", 1.0)], [row("a", 2.0)]])] == [2.0]


def test_a_case_can_run_in_processes_of_its_own() -> None:
    (row,) = updates.measured(replace(MOMENTUM, processes=2), 1)
    assert (row.peer, row.agrees) == ("NumPy", "yes")


def test_costs_are_those_of_the_states() -> None:
    for case in SMALL:
        if not case.kind.endswith("8bit"):
            states = state_names(getattr(optim, case.kind)(**case.options))
            assert RULES[case.rule].read_write == 1 + len(states)


def records(*, peers: bool = True) -> list[dict[str, Any]]:
    """Rows as a record has them."""
    rows = [
        Row("machine", "10^9 operations", "float32", 2, 1e9 / 3e11, "none", None, None, "vector peak", 1.0, "no peer"),
        Row("machine", "10^9 bytes", "float32", 2, 1e9 / 5e10, "none", None, None, "update bandwidth", 1.0, "no peer"),
    ]
    for case in updates.CASES:
        seconds = case.elements * RULES[case.rule].bytes / 4.5e10
        for number, (peer, *_) in enumerate(case.peers):
            theirs = (seconds * (2 + number), 2.0 + number) if peers else (None, None)
            rows.append(
                Row(
                    case.rule, str(case), "float32", 2, seconds, peer, *theirs, "50.0 GB/s", 0.9, "yes" if peers else ""
                )
            )
    return list(json.loads(json.dumps([row.to_json() for row in rows])))


@pytest.mark.parametrize("peers", [True, False])
def test_the_picture_needs_only_the_rows(peers: bool) -> None:
    sheet = updates_figure.plot(records(peers=peers))
    content = plotting.png(sheet)
    assert len(content) < 300_000
    assert plotting.png(updates_figure.plot(records(peers=peers))) == content
    texts = [text for text in sheet.findobj(Text) if text.get_text()]
    assert min(text.get_fontsize() for text in texts) >= 14
    shown = {text.get_text() for text in texts}
    assert {*RULES, "Memory: 90% to 90% of its limit", "memory 50 GB/s", "optlab"} <= shown
    assert ("PyTorch fused" in shown) is peers


def test_each_rule_is_drawn_at_its_largest_size() -> None:
    drawn = updates_figure.largest([row for row in records() if row["kernel"] in RULES])
    assert set(drawn) == set(RULES)
    assert {row["case"] for row in drawn["AdamW"]} == {"50,000,000 parameters"}
    assert {row["case"] for row in drawn["SGD momentum"]} == {"10,000,000 parameters"}
    assert updates_figure.elements({"case": "100 x 1,000 parameters"}) == 100_000


def test_files_are_written_when_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [Row(**record) for record in records()]
    monkeypatch.setitem(bench.BENCHMARKS, "updates", lambda quick: rows)
    assert bench.run(["updates"], True, tmp_path / "rows.json", tmp_path / "deep" / "er") == records()
    written = tmp_path / "deep" / "er"
    assert {path.name for path in written.iterdir()} == {f"bench_updates.{end}" for end in ("png", "svg", "json")}
    record = json.loads((written / "bench_updates.json").read_text(encoding="utf-8"))
    assert record == json.loads((tmp_path / "rows.json").read_text(encoding="utf-8"))
    assert plotting.png(updates_figure.plot(record["rows"])) == (written / "bench_updates.png").read_bytes()


def test_wrong_use_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean 'updates'"):
        bench.run(["update"], True)
    with pytest.raises(UsageError, match="no picture of descend"):
        bench.run(["descend"], True, None, tmp_path)
