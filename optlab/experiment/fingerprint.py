"""The fingerprint of a run: equal fingerprints mean equal numbers and an equal figure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from optlab.experiment import provenance, registry
from optlab.experiment.params import Params


def fingerprint(path: Path, p: Params, seed: int, quick: bool, device: str = "cpu") -> str:
    """Return a hash of everything that decides the figure of the experiment in the file at `path`.

    That is the experiment's source with the files beside it that it imports, the package's own source, the compiled
    kernels, the parameters, the seed, and the libraries that compute and draw. The number of threads does not belong to
    it, because results do not depend on that; a device other than the CPU does, so that asking for it computes there.
    """
    facts = {
        "experiment": _digest(registry.sources(path), path.parent),
        "package": _digest(_package_files(), provenance.PACKAGE),
        "kernels": provenance.kernels()["digest"],
        "params": dict(p),
        "seed": seed,
        "quick": quick,
        "numpy": provenance.version("numpy"),
        "matplotlib": provenance.version("matplotlib"),
    }
    if device != "cpu":
        facts["device"] = device
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _package_files() -> Iterator[Path]:
    # An installed package carries the experiments inside itself; each of them counts for its own figure only.
    for path in sorted(provenance.PACKAGE.rglob("*.py")):
        if "_experiments" not in path.relative_to(provenance.PACKAGE).parts:
            yield path


def _digest(files: Iterator[Path] | list[Path], root: Path) -> str:
    lines = [f"{path.relative_to(root)} {hashlib.sha256(path.read_bytes()).hexdigest()}\n" for path in files]
    return hashlib.sha256("".join(lines).encode()).hexdigest()
