"""The kernels of studies and landscapes compile for every kind of GPU, without a word from the compiler.

All landscapes times all rules times all options would take hours: each landscape and each rule is compiled in at least
one pair, in either number type, and all options together once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cases.landscapes import compiled
from cases.optimizers import by_rule
from gpu.compiling import ARCHS, report
from gpu.emulated import EmulatedDevice
from gpu.studies import least_squares, saddle

import optlab as ol
from optlab.backends import home_of
from optlab.backends.gpu.descend import Does, study_kernel
from optlab.backends.gpu.device import upload, using
from optlab.backends.gpu.landscape import GRADIENT, PRODUCT, VALUE, DeviceLandscape
from optlab.backends.gpu.outside import begin_kernel, end_kernel
from optlab.backends.gpu.sources import Kernel

pytestmark = pytest.mark.slow

LANDSCAPES, RULES = compiled(), by_rule()
DTYPES = (np.dtype(np.float32), np.dtype(np.float64))
PAIRS = [(list(LANDSCAPES)[k % len(LANDSCAPES)], rule, DTYPES[k % 2]) for k, rule in enumerate(RULES)]
SMALL = {"teacher_student": ol.landscapes.TeacherStudent(2)}  # five units take the compiler ten seconds
EVERYTHING = sum(int(each) for each in Does if each not in (Does.BYTES, Does.BATCHES))


def surface(f: ol.Landscape, dtype: Any) -> DeviceLandscape:
    with using(EmulatedDevice()):
        made = f.evaluator(home_of(upload(np.zeros(1))), dtype)
    assert isinstance(made, DeviceLandscape)
    return made


def evaluation(of: DeviceLandscape) -> Kernel:
    return Kernel("evaluate.cu", f"optlab::evaluate<{of.name}, {VALUE | GRADIENT | PRODUCT}>")


@pytest.mark.parametrize("arch", ARCHS)
@pytest.mark.parametrize(("landscape", "rule", "dtype"), PAIRS)
def test_every_landscape_and_every_rule(landscape: str, rule: str, dtype: Any, arch: str) -> None:
    own = surface(SMALL.get(landscape, LANDSCAPES[landscape]), dtype)
    assert report(study_kernel(own, rule, Does.NOISE, 0), arch).warnings == ()
    assert report(evaluation(own), arch).warnings == ()


@pytest.mark.parametrize("dtype", DTYPES)
def test_all_options_together(dtype: Any) -> None:
    assert report(study_kernel(surface(saddle(7, rotation=1), dtype), "lamb", EVERYTHING, 7), "sm_90").warnings == ()


@pytest.mark.parametrize("dtype", DTYPES)
def test_batches_with_all_options(dtype: Any) -> None:
    own = surface(least_squares(), dtype)
    assert report(study_kernel(own, "lamb", EVERYTHING | Does.BATCHES, 7), "sm_90").warnings == ()


@pytest.mark.parametrize("arch", ARCHS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_finite_sums_do_not_spill(dtype: Any, arch: str) -> None:
    own = surface(least_squares(16), dtype)
    for does in (Does.NOISE, Does.NOISE | Does.BATCHES):
        assert report(study_kernel(own, "sgd", does, 0), arch).spilled == 0
    assert report(evaluation(own), arch).spilled == 0


@pytest.mark.parametrize("arch", ARCHS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_steps_of_landscapes_in_python_do_not_spill(dtype: Any, arch: str) -> None:
    for does in (Does.NOISE, EVERYTHING):
        for made in (begin_kernel(dtype, 7, does), end_kernel(dtype, 7, "lamb", does, 7)):
            said = report(made, arch)
            assert said.spilled == 0 and said.warnings == ()


def test_averages_in_bytes() -> None:
    does = Does.BYTES | Does.SEGMENTS | Does.NOISE
    assert report(study_kernel(surface(saddle(300), DTYPES[0]), "adam", does, 0), "sm_90").warnings == ()


@pytest.mark.parametrize("arch", ARCHS)
@pytest.mark.parametrize(("rule", "most"), (("sgd", 96), ("adam", 128)))
def test_small_points_stand_in_registers(rule: str, most: int, arch: str) -> None:
    """16 numbers, their gradient and states; in local memory are only the strips of a sum, for the records."""
    said = report(study_kernel(surface(saddle(16), DTYPES[0]), rule, Does.NOISE, 0), arch)
    assert said.registers <= most and said.spilled == 0 and said.local <= 96
