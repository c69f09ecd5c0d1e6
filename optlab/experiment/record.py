"""The record of a run: NAME.json, which says what was asked, what was found, and from what.

`schema` is 1. Numbers that JSON has no form for are the strings "nan", "inf" and "-inf", which `float` reads back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from optlab.experiment.claim import Claim
from optlab.experiment.experiment import Experiment
from optlab.experiment.params import Params
from optlab.experiment.provenance import provenance
from optlab.files import sha256

SCHEMA = 1


def build(
    experiment: Experiment,
    p: Params,
    *,
    seed: int,
    quick: bool,
    claims: Sequence[Claim],
    contents: Mapping[str, bytes],
    seconds: float,
    fingerprint: str,
    device: str = "cpu",
) -> dict[str, Any]:
    """Return the record of a run as plain JSON values.

    Args:
        experiment: what was asked.
        p: its parameters after every override.
        seed: the master seed.
        quick: whether the quick parameters were used.
        claims: what was found.
        contents: the files of the run by name; the one that ends in .npz is the data. Empty when nothing is written.
        seconds: the time taken by computing, checking and drawing.
        fingerprint: what decides whether the run is still up to date.
        device: where descents and landscapes were computed.
    """
    hashes = {name: sha256(content) for name, content in contents.items()}
    data = [{"file": name, "sha256": value} for name, value in hashes.items() if name.endswith(".npz")]
    return {
        "schema": SCHEMA,
        "name": experiment.name,
        "title": experiment.title,
        "source": experiment.source,
        "question": experiment.question,
        "params": {key: list(value) if isinstance(value, tuple) else value for key, value in p.items()},
        "seed": seed,
        "quick": quick,
        "claims": [claim.to_json() for claim in claims],
        "data": data[0] if data else None,
        "files": hashes,
        "seconds": round(seconds, 3),
        "fingerprint": fingerprint,
        "provenance": provenance(device),
    }


def encode(record: Mapping[str, Any]) -> bytes:
    """Return a record as the bytes of its file."""
    return (json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def current(folder: Path, name: str, fingerprint: str) -> dict[str, Any] | None:
    """Return the record in `folder` if it has this fingerprint and its files are the ones it describes, else None.

    A record that is missing or damaged, or whose figure or data is missing or was changed, is not current.
    """
    try:
        record: dict[str, Any] = json.loads((folder / f"{name}.json").read_bytes())
        wanted = {f"{name}.{ending}" for ending in ("png", "svg", "npz")}
        # Whether there is an animation, too, follows from the source, and that is a part of the fingerprint.
        listed = set(record["files"]) - {f"{name}.gif"}
        if record["schema"] != SCHEMA or record["fingerprint"] != fingerprint or listed != wanted:
            return None
        whole = all(sha256((folder / file).read_bytes()) == value for file, value in record["files"].items())
        claims_of(record)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return record if whole else None


def claims_of(record: Mapping[str, Any]) -> list[Claim]:
    """Return the claims of a record.

    Raises:
        ValueError: if one of them is none.
    """
    return [Claim.from_json(values) for values in record["claims"]]
