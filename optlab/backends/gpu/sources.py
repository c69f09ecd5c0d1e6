"""Where the text of the GPU kernels stands, and what one instantiation of it is called."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path

PACKAGE = Path(__file__).parents[2]


@dataclass(frozen=True)
class Kernel:
    r"""One kernel: a file of ``cpp/cuda``, and a C++ expression that names an instantiation of what it defines.

    Example:
        >>> Kernel("updates.cu", "optlab::update<optlab::rules::adam, float>").text()
        '#include "cuda/updates.cu"\n'
    """

    file: str
    name: str

    def text(self) -> str:
        """What is compiled; the name is instantiated beside it."""
        return f'#include "cuda/{self.file}"\n'


def folder() -> Path:
    """The folder of ``cuda`` and ``include``: a wheel carries it, a checkout has it beside the package."""
    packaged = PACKAGE / "_cpp"
    return packaged if packaged.is_dir() else PACKAGE.parent / "cpp"


def include_options() -> tuple[str, ...]:
    """The options that tell a compiler where the headers are."""
    return f"-I{folder()}", f"-I{folder() / 'include'}"


@functools.cache
def digest() -> str:
    """The SHA-256 of every text that a kernel may include."""
    found = hashlib.sha256()
    for path in sorted([*(folder() / "cuda").glob("*"), *(folder() / "include").rglob("*.hpp")]):
        found.update(f"{path.relative_to(folder())}\0".encode())
        found.update(path.read_bytes())
    return found.hexdigest()
