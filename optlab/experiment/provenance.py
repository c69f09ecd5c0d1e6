"""Where numbers come from: the package, its compiled kernels, the machine and the libraries."""

from __future__ import annotations

import datetime
import importlib
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

_CUPY = ("cupy", "cupy-cuda12x", "cupy-cuda13x", "cupy-cuda11x")
"""CuPy is distributed under a name for each version of CUDA."""

PACKAGE = Path(__file__).resolve().parent.parent


def provenance(device: str = "cpu") -> dict[str, Any]:
    """Return the facts that stand in every record, and the GPU where that was the device."""
    facts = kernels()
    named = {"gpu": gpu_name()} if device == "gpu" else {}
    return {
        "optlab": facts["version"],
        "bits_version": facts["bits_version"],
        "git": git_state(PACKAGE.parent),
        "isa": facts["isa"],
        "threads": facts["threads"],
        "cpu": cpu_model(),
        **named,
        "compiler": facts["compiler"],
        "flags": facts["flags"],
        "python": platform.python_version(),
        "numpy": version("numpy"),
        "matplotlib": version("matplotlib"),
        "platform": platform.platform(),
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
    }


def info() -> dict[str, Any]:
    """Return the facts that `optlab info` shows."""
    facts = kernels()
    return {
        "version": facts["version"],
        "bits_version": facts["bits_version"],
        "isa": facts["isa"],
        "available_isas": facts["available"],
        "threads": facts["threads"],
        "cpu": cpu_model(),
        "gpu": gpu_name() or "none",
        "compiler": facts["compiler"],
        "flags": facts["flags"],
        "python": platform.python_version(),
        **{name: version(name) or "not installed" for name in ("numpy", "scipy", "matplotlib")},
        "cupy": next(filter(None, map(version, _CUPY)), "not installed"),
    }


def kernels() -> dict[str, Any]:
    """Return what the compiled kernels say about themselves."""
    from optlab.kernels import select

    return dict(select.info())


def version(distribution: str) -> str | None:
    """Return the installed version of a distribution without importing it, or None."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def cores() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cpu_model() -> str:
    """Return the name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def gpu_name() -> str | None:
    """Return the name of the GPU that CuPy would use, or None without CuPy or a GPU."""
    try:
        runtime = importlib.import_module("cupy").cuda.runtime
        return str(runtime.getDeviceProperties(runtime.getDevice())["name"].decode())
    # CuPy raises its own types, which cannot be named here without importing it: no driver, no device, a wrong version.
    except Exception:
        return None


def git_state(checkout: Path) -> dict[str, Any] | None:
    """Return the commit and whether the files differ from it, or None where `checkout` is no git checkout of its own.

    Changes in `figures/` do not count: a run writes there, and the second figure of a run is not less reproducible than
    the first.
    """
    if not (checkout / ".git").exists():
        return None
    commit = _git(checkout, "rev-parse", "HEAD")
    changes = _git(checkout, "status", "--porcelain", "--", ".", ":(exclude)figures")
    if commit is None or changes is None:
        return None
    return {"commit": commit, "dirty": bool(changes)}


def _git(checkout: Path, *arguments: str) -> str | None:
    command = ["git", "-C", str(checkout), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
