"""Loads the compiled module for the best instruction set this machine runs.

The same C++ sources are built once per instruction set. ``OPTLAB_ISA=v2|v3|v4`` forces one; the results are the same to
the bit, only slower.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from types import ModuleType
from typing import Any

from optlab.kernels import isa

__version__ = "0.1.0"
bits_version = 2
"""Grows whenever a result changes in any bit; it stands in every record."""


def built() -> tuple[str, ...]:
    """The instruction sets for which this installation holds a module."""
    return tuple(name for name in ("base", "v2", "v3", "v4") if importlib.util.find_spec(f"optlab.kernels._cpu_{name}"))


def available() -> tuple[str, ...]:
    """The instruction sets that this installation holds and this machine runs, the best first."""
    have = built()
    return tuple(name for name in isa.runnable() if name in have)


def _choose() -> str:
    names, forced = available(), os.environ.get("OPTLAB_ISA")
    if not built():
        raise ImportError(
            "optlab: the compiled kernels are missing. This is an unbuilt source tree, or a build for another Python; "
            "`python -m pip install -e .` in the checkout builds them."
        )
    if forced and forced not in names:
        raise ImportError(f"OPTLAB_ISA: got {forced!r}, expected one of {', '.join(names)} on this machine")
    if not names:
        raise ImportError(f"optlab: built for {', '.join(built())}, but this machine runs {', '.join(isa.runnable())}")
    return forced or names[0]


def _load() -> ModuleType:
    return importlib.import_module(f"optlab.kernels._cpu_{_choose()}")


cpu: Any = _load()


def info() -> dict[str, Any]:
    """What a record says of the kernels."""
    return {
        "version": __version__,
        "bits_version": bits_version,
        "isa": cpu.isa,
        "available": list(available()),
        "threads": cpu.threads(),
        "compiler": cpu.compiler,
        "flags": cpu.flags,
        "digest": cpu.digest,
    }
