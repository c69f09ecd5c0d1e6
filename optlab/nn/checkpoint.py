"""A training that can be killed at any moment: its files are whole, and what they hold continues to the bit."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optlab import files

Array = NDArray[Any]
VERSION = 1
"""Grows when the arrays of a checkpoint change their meaning."""


def save(path: str | os.PathLike[str], arrays: Mapping[str, Array], described: Mapping[str, Any]) -> None:
    """Write the arrays and the description of what they belong to; the file is the old one or the new one, whole."""
    target = Path(path)
    text = json.dumps({"optlab checkpoint": VERSION, **described}, sort_keys=True)
    files.write_all(target.parent, {target.name: files.npz({**arrays, "described": np.array(text)})})


def load(path: str | os.PathLike[str], described: Mapping[str, Any]) -> dict[str, Array] | None:
    """The arrays of a checkpoint of the same training, or None where there is no file.

    Raises:
        ValueError: the file is no checkpoint, of another version, or of another training.
    """
    if not Path(path).exists():
        return None
    try:
        with np.load(io.BytesIO(Path(path).read_bytes()), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        found = json.loads(str(arrays.pop("described")))
        version = found.pop("optlab checkpoint")
    except (OSError, EOFError, ValueError, TypeError, KeyError, AttributeError, zipfile.BadZipFile):
        raise ValueError(f"checkpoint: {str(path)!r} is not a checkpoint of optlab, expected one or no file") from None
    if version != VERSION:
        raise ValueError(f"checkpoint: {str(path)!r} is of version {version}, expected version {VERSION}")
    wanted = json.loads(json.dumps(dict(described)))
    for name in sorted({*found, *wanted}):
        if found.get(name) != wanted.get(name):
            raise ValueError(
                f"checkpoint: {str(path)!r} was saved with {name} {found.get(name)!r}, expected {wanted.get(name)!r}"
            )
    return arrays
