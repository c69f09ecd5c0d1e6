"""Files of downloaded data: written whole or not at all, and read only if they are what was written."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def digest(X: Array, y: Array) -> str:
    """The SHA-256 of two arrays: shapes, dtypes and numbers."""
    found = hashlib.sha256()
    for array in (X, y):
        found.update(f"{array.dtype.str}{array.shape}".encode())
        found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()


def save(path: Path, X: Array, y: Array) -> None:
    """Write both arrays and their digest; whoever looks meanwhile, or after an interruption, finds no half file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as target:
            np.savez_compressed(target, X=X, y=y, sha256=digest(X, y))
            target.flush()
            os.fsync(target.fileno())
        os.replace(part, path)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise


def load(path: Path) -> tuple[Array, Array]:
    """The two arrays of a file.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is damaged, or not one of ours.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as saved:
            X, y, expected = saved["X"], saved["y"], str(saved["sha256"])
    except FileNotFoundError:
        raise
    # A damaged file makes zipfile, zlib and NumPy raise nearly anything; all of it says that this is not what we wrote.
    except Exception as error:
        raise ValueError("it is damaged or no file of optlab's") from error
    if digest(X, y) != expected:
        raise ValueError("its numbers are not those that were written")
    return X, y
