"""The record: every field of the contract, as JSON that anything can read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from optlab import files
from optlab.experiment import record
from optlab.experiment.job import Job, execute


def test_the_record_holds_every_field_of_the_contract(toy: Any, tmp_path: Path) -> None:
    changes = (('data["x"].size, p.size)', "float('nan'), p.size), bounded('up', 'is up', 1.0, (0, None))"),)
    outcome = execute(Job(toy("toy", *changes), seed=7, quick=True, settings=("scale=2",), out=tmp_path))
    assert outcome.error == ""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    written = json.loads(outcome.contents["toy.json"], parse_constant=refuse)
    assert written == outcome.record
    assert set(written) == {
        *("schema", "name", "title", "source", "question", "params", "seed", "quick", "claims"),
        *("data", "files", "seconds", "fingerprint", "provenance"),
    }
    assert (written["schema"], written["seed"], written["quick"]) == (1, 7, True)
    assert written["params"] == {"size": 3, "scale": 2.0}
    assert written["data"] == {"file": "toy.npz", "sha256": files.sha256(outcome.contents["toy.npz"])}
    assert written["files"] == {
        name: files.sha256(outcome.contents[name]) for name in ("toy.png", "toy.svg", "toy.npz")
    }
    assert written["claims"][0]["measured"] == "nan"
    assert written["claims"][1]["accept"] == [0.0, "inf"]
    assert [claim.verdict for claim in record.claims_of(written)] == ["fails", "holds"]
    assert list(outcome.contents) == ["toy.png", "toy.svg", "toy.npz", "toy.json"]
    assert set(written["provenance"]) == {
        *("optlab", "bits_version", "git", "isa", "threads", "cpu", "compiler", "flags"),
        *("python", "numpy", "matplotlib", "platform", "date"),
    }
    assert written["provenance"]["numpy"] == np.__version__
