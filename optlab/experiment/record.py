"""The record of a run: NAME.json, which says what was asked, what was found, and from what.

`schema` is 1. Numbers that JSON has no form for are the strings "nan", "inf" and "-inf", which `float` reads back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from optlab.errors import OptlabError, describe
from optlab.experiment.claim import Claim
from optlab.experiment.experiment import Experiment
from optlab.experiment.params import Params
from optlab.experiment.provenance import provenance
from optlab.files import sha256

SCHEMA = 1

_KINDS: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("name", "title", "source", "question", "fingerprint"), str),
    **dict.fromkeys(("schema", "seed"), int),
    **dict.fromkeys(("params", "data", "files", "provenance"), dict),
    **{"quick": bool, "claims": list, "seconds": (int, float)},
}
"""The fields of a record whose files were written, and what each is."""


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


def read(folder: Path, name: str) -> dict[str, Any]:
    """Return the record NAME.json of `folder`, after making sure that its files are the ones it describes.

    Raises:
        OptlabError: if the record is missing or damaged, or if a file is missing or was changed.
    """
    path = folder / f"{name}.json"
    try:
        record: dict[str, Any] = json.loads(path.read_bytes())
        _check(record, name)
    except OSError as error:
        raise OptlabError(f"cannot read the record '{path}': {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise OptlabError(f"the record '{path}' is damaged: {describe(error)}") from error
    for file, value in record["files"].items():
        _check_file(folder / file, value)
    return record


def current(folder: Path, name: str, fingerprint: str) -> dict[str, Any] | None:
    """Return the record in `folder` if it has this fingerprint and is whole with its files, else None."""
    try:
        record = read(folder, name)
    except OptlabError:
        return None
    return record if record["fingerprint"] == fingerprint else None


def claims_of(record: Mapping[str, Any]) -> list[Claim]:
    """Return the claims of a record.

    Raises:
        ValueError: if one of them is none.
    """
    return [Claim.from_json(values) for values in record["claims"]]


def _check(record: Mapping[str, Any], name: str) -> None:
    for key, kind in _KINDS.items():
        if not isinstance(record[key], kind):
            raise ValueError(f"'{key}' is {record[key]!r:.40}")
    if record["schema"] != SCHEMA or record["name"] != name:
        raise ValueError(f"it must have schema {SCHEMA} and the name '{name}'")
    # Whether there is an animation, too, follows from the experiment's source.
    if set(record["files"]) - {f"{name}.gif"} != {f"{name}.{ending}" for ending in ("png", "svg", "npz")}:
        raise ValueError("its files must be a figure (png, svg), the data (npz) and at most an animation (gif)")
    if not claims_of(record):
        raise ValueError("it has no claims")


def _check_file(path: Path, value: str) -> None:
    try:
        found = sha256(path.read_bytes())
    except OSError as error:
        raise OptlabError(f"cannot read '{path}': {error.strerror}") from error
    if found != value:
        raise OptlabError(f"'{path}' is not the file that its record describes")
