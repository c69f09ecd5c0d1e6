"""What a folder of figures holds: records that are whole, with their files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from optlab.errors import OptlabError, UsageError
from optlab.experiment import record
from optlab.experiment.claim import Claim
from optlab.experiment.sources import parse

_BENCHMARK = "bench_"
_RUN = "optlab run --all --out"
_VERDICTS = ("fails", "inconclusive", "holds")  # the worst first


@dataclass(frozen=True)
class Exhibit:
    """A figure with its record.

    Attributes:
        record: the record as `optlab.experiment.record` describes it.
        contents: the bytes of its files by ending: png, npz, json, and gif where there is one.
    """

    record: dict[str, Any]
    contents: dict[str, bytes]

    @property
    def name(self) -> str:
        """The experiment's name."""
        return str(self.record["name"])

    @property
    def source(self) -> str:
        """Lecture and topic in the record's words."""
        return str(self.record["source"])

    @property
    def topic(self) -> str:
        """The topic; the experiment's name where the source has none."""
        return parse(self.source).topic or self.name.replace("_", " ")

    @cached_property
    def claims(self) -> list[Claim]:
        """The claims."""
        return record.claims_of(self.record)

    @property
    def verdict(self) -> str:
        """The worst verdict of its claims."""
        return min((claim.verdict for claim in self.claims), key=_VERDICTS.index)


@dataclass(frozen=True)
class Benchmark:
    """A picture of benchmarks with its rows."""

    name: str
    rows: list[dict[str, Any]]
    kernels: dict[str, Any]
    contents: dict[str, bytes]


def exhibits(folder: Path) -> list[Exhibit]:
    """Return the figures of `folder`, sorted by name.

    Raises:
        UsageError: if there are none.
        OptlabError: if a record is missing or damaged, or a file is not the one that its record describes.
    """
    found = [_exhibit(folder, path.stem) for path in _records(folder) if not path.stem.startswith(_BENCHMARK)]
    if not found:
        raise UsageError(f"there are no records in '{folder}'; `{_RUN} '{folder}'` makes them")
    return found


def benchmarks(folder: Path) -> list[Benchmark]:
    """Return the pictures of benchmarks in `folder`, sorted by name.

    Raises:
        OptlabError: if the rows or the picture cannot be read.
    """
    return [_benchmark(folder, path.stem) for path in _records(folder) if path.stem.startswith(_BENCHMARK)]


def _records(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise UsageError(f"there is no folder '{folder}'; `{_RUN} '{folder}'` makes it")
    for path in sorted(folder.glob("*.npz")):
        if not path.with_suffix(".json").is_file():
            raise OptlabError(f"'{path}' has no record beside it; {_remedy(folder, path.stem)}")
    return sorted(folder.glob("*.json"))


def _exhibit(folder: Path, name: str) -> Exhibit:
    try:
        found = record.read(folder, name)
    except OptlabError as error:
        raise OptlabError(f"{error}; {_remedy(folder, name)}") from error
    endings = [file.rpartition(".")[2] for file in found["files"] if not file.endswith(".svg")]
    return Exhibit(found, {ending: (folder / f"{name}.{ending}").read_bytes() for ending in (*endings, "json")})


def _benchmark(folder: Path, name: str) -> Benchmark:
    contents = {ending: (folder / f"{name}.{ending}") for ending in ("png", "json")}
    try:
        read = {ending: path.read_bytes() for ending, path in contents.items()}
        found = json.loads(read["json"])
        return Benchmark(name.removeprefix(_BENCHMARK), found["rows"], found["kernels"], read)
    except (OSError, ValueError, KeyError, TypeError) as error:
        remedy = f"`optlab bench --figure '{folder}'` makes it anew"
        raise OptlabError(f"the benchmark '{folder / name}.json' or its picture is damaged; {remedy}") from error


def _remedy(folder: Path, name: str) -> str:
    return f"`optlab run {name} --out '{folder}'` makes it anew"
