"""Same seed, same bits: again, and for every number of threads."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from reference.compare import digest
from reference.spectra import network

import optlab as ol
from optlab.kernels.select import available

c = ol.curvature
CALLS: dict[str, Callable[[Any, Any], Any]] = {
    "eigenvalues": lambda f, x: c.eigenvalues(f, x, 3, "both", vectors=True, seed=2),
    "trace": lambda f, x: c.trace(f, x, 20, seed=2),
    "diagonal": lambda f, x: c.diagonal(f, x, 20, distribution="normal", seed=2),
    "density": lambda f, x: c.density(f, x, probes=3, steps=30, seed=2),
    "sharpness": lambda f, x: c.sharpness(f, np.stack([x, 2 * x]), seed=2),
    "classify": lambda f, x: c.classify(f, x, dense_up_to=0, seed=2),
    "slice": lambda f, x: (
        c.slice_2d(f, x, c.filter_normalized(f, x, 1), c.filter_normalized(f, x, 2), path=np.stack([x, 2 * x])).path
    ),
}


def bits(found: Any) -> str:
    return digest(*(np.asarray(v) for v in dataclasses.asdict(found).values() if not isinstance(v, str | None)))


@pytest.mark.parametrize("dtype", ("float32", "float64"))
@pytest.mark.parametrize("name", CALLS)
def test_again_and_with_other_threads(name: str, dtype: str) -> None:
    f, x = network("batch", dtype)
    found = set()
    for threads in (1, 1, 2, 3):
        with ol.threads(threads):
            found.add(bits(CALLS[name](f, x)))
    assert len(found) == 1


BLAS = """
import numpy as np, optlab as ol
from reference.compare import digest
f, x = ol.landscapes.Rastrigin(30_000), np.linspace(-1.0, 1.0, 30_000)
d = ol.curvature.density(f, x, probes=2, steps=12)
t = ol.curvature.trace(f, x, 4)
print(digest(d.nodes, d.weights, d.density, t.value, t.standard_error))
"""


def test_the_threads_of_numpys_own_library_do_not_show(python: Callable[..., Any]) -> None:
    # vectors long enough for a threaded dot product; BLAS's would split its sum by threads
    found = {python(BLAS, OPENBLAS_NUM_THREADS=threads, OMP_NUM_THREADS=threads).stdout for threads in ("1", "2")}
    assert len(found) == 1 and len(found.pop()) == 65


def test_instruction_sets_with_fused_products_agree(python: Callable[..., Any]) -> None:
    found = {isa: python(BLAS, OPTLAB_ISA=isa).stdout for isa in available()}
    assert len({bits for isa, bits in found.items() if isa in ("v3", "v4")} - {""}) <= 1 and all(found.values())
