"""Compiles kernels for every kind of GPU, without one, and reads what the compiler says of registers and spills."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

from optlab.backends.gpu import compiler
from optlab.backends.gpu.sources import Kernel

ARCHS = ("sm_75", "sm_80", "sm_90", "sm_100")


@dataclass(frozen=True)
class Report:
    """Of one kernel on one kind of GPU; bytes of local memory are those of the stack."""

    registers: int
    local: int
    spilled: int
    warnings: tuple[str, ...]


def report(kernel: Kernel, arch: str) -> Report:
    try:
        log = compiler.compile_kernel(kernel, arch, ("--ptxas-options=-v",)).log
    except ImportError as error:
        pytest.skip(f"NVRTC cannot be loaded: {error}")
    frames = re.findall(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", log)
    stack, stores, loads = (max(int(numbers[k]) for numbers in frames) for k in range(3))
    registers = max(map(int, re.findall(r"Used (\d+) registers", log)))
    return Report(registers, stack, stores + loads, tuple(re.findall(r".*warning.*", log)))


def assert_in_registers(kernel: Kernel, arch: str) -> None:
    """No local memory, no spill, and nothing that the compiler warns of."""
    said = report(kernel, arch)
    assert said.local == said.spilled == 0, f"{kernel.name} on {arch}: {said}"
    assert said.warnings == (), f"{kernel.name} on {arch}: {said.warnings}"
