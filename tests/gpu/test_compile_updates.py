"""Every kernel of the optimizers compiles for every kind of GPU and stays in registers."""

from __future__ import annotations

import pytest
from gpu.compiling import ARCHS, assert_in_registers

from optlab.backends.gpu.sources import Kernel
from optlab.kernels.select import cpu

pytestmark = pytest.mark.slow

REALS = ("float", "double")


def update_kernels(real: str) -> list[Kernel]:
    """Every rule, with and without noise."""
    return [
        Kernel("updates.cu", f"optlab::update<optlab::rules::{rule}, {real}, {noisy}>")
        for rule in cpu.rules
        for noisy in ("false", "true")
    ]


def other_kernels() -> list[Kernel]:
    names = [("quantized.cu", f"update_quantized<{noisy}>") for noisy in ("false", "true")]
    for real in REALS:
        names += [("update_norms.cu", f"squares<{real}, {of_gradient}>") for of_gradient in ("true", "false")]
        names += [("update_norms.cu", f"{name}<{real}>") for name in ("clip", "project", "scale")]
        names += [
            ("update_norms.cu", f"{name}<optlab::rules::{rule}, {real}>")
            for rule in cpu.rules
            if cpu.rule_layerwise(rule)
            for name in ("measure", "adapt")
        ]
        names.append(("updates.cu", f"update_rows<optlab::rules::sparse_adam, {real}>"))
    return [Kernel(file, f"optlab::{name}") for file, name in names]


@pytest.mark.parametrize("arch", ARCHS)
@pytest.mark.parametrize("real", REALS)
def test_every_rule(real: str, arch: str) -> None:
    for kernel in update_kernels(real):
        assert_in_registers(kernel, arch)


@pytest.mark.parametrize("arch", ARCHS)
def test_norms_bytes_and_rows(arch: str) -> None:
    for kernel in other_kernels():
        assert_in_registers(kernel, arch)
