"""Files that are whole at every moment, and arrays that become the same bytes every time."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import platform
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optlab.errors import OptlabError

_EPOCH = (1980, 1, 1, 0, 0, 0)


def cache_folder() -> Path:
    """``$OPTLAB_CACHE``, else ``$XDG_CACHE_HOME/optlab``, else ``~/.cache/optlab``."""
    if own := os.environ.get("OPTLAB_CACHE"):
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "optlab"


def sha256(content: bytes) -> str:
    """Return the SHA-256 of `content` in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def npz(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return `arrays` in NumPy's npz format, the same bytes for equal arrays.

    `np.savez` writes the time of day. This writes a fixed one, in the order of the names, and does not compress,
    because the compressed form differs between versions of zlib.
    """
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(arrays):
            entry = io.BytesIO()
            np.lib.format.write_array(entry, np.asarray(arrays[name]), version=(1, 0), allow_pickle=False)
            header = zipfile.ZipInfo(f"{name}.npy", _EPOCH)
            header.create_system = 3
            header.external_attr = 0o644 << 16
            archive.writestr(header, entry.getvalue())
    return target.getvalue()


def require_writable(folder: Path) -> None:
    """Create `folder` where it is missing and prove that a file can be made in it.

    Raises:
        OptlabError: if it cannot be created or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        reason = error.strerror or error
        raise OptlabError(f"cannot write to the folder '{folder}': {reason}; choose another with --out") from error


def write_all(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write files so that each is at any moment the old one or the new one, whole.

    All are written beside their places and flushed to the disk; only then each is renamed, in the order of `contents`.
    Whoever puts the record last knows that a record is never newer than its files. Any failure removes what was not yet
    renamed, and what a killed process left is removed by the next write of the same files.

    Raises:
        OptlabError: if the disk is full or refuses for another reason.
    """
    waiting = {name: folder / f"{_prefix(name)}{os.getpid()}.tmp" for name in contents}
    try:
        for name, content in contents.items():
            _remove_leftovers(folder, name)
            _write(waiting[name], content)
        for name in contents:
            os.replace(waiting[name], folder / name)
        _sync_folder(folder)
    except OSError as error:
        reason = error.strerror or error
        raise OptlabError(f"cannot write to the folder '{folder}': {reason}; the files in it are whole") from error
    finally:
        for path in waiting.values():
            with contextlib.suppress(OSError):
                path.unlink()


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as target:
        target.write(content)
        target.flush()
        os.fsync(target.fileno())


def _sync_folder(folder: Path) -> None:
    # Without this a power cut could undo the renames. Some file systems do not offer it, and then nothing is lost.
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _prefix(name: str) -> str:
    # The machine's name keeps processes apart that share a folder but not their process numbers.
    return f".{name}.{platform.node().replace('.', '_')}-"


def _remove_leftovers(folder: Path, name: str) -> None:
    for path in folder.iterdir():
        if path.name.startswith(_prefix(name)) and path.suffix == ".tmp":
            number = path.name[len(_prefix(name)) : -len(".tmp")]
            if number.isdigit() and not _alive(int(number)):
                path.unlink(missing_ok=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
