"""Which x86-64 levels this processor runs. Also a script: the build asks it for the best one."""

from __future__ import annotations

import platform

_LEVELS = {
    "v2": {"cx16", "lahf_lm", "popcnt", "sse4_1", "sse4_2", "ssse3"},
    "v3": {"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "xsave"},
    "v4": {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"},
}

ALL = tuple(_LEVELS)
"""The names of the instruction sets, the best last."""


def _flags() -> set[str]:
    """The flags of the first processor; the kernel leaves out what the system does not save on a switch."""
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as lines:
            for line in lines:
                if line.startswith("flags"):
                    return set(line.partition(":")[2].split())
    except OSError:
        pass
    return set()


def runnable() -> tuple[str, ...]:
    """The names of the instruction sets that this machine runs, the best first."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return ("base",)
    flags, names = _flags(), []
    for name, needed in _LEVELS.items():
        if not needed <= flags:
            break
        names.append(name)
    return tuple(reversed(names))


if __name__ == "__main__":
    print(runnable()[0])
