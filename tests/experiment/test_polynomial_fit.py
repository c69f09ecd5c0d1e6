"""The gradients of experiments/polynomial_fit.py against PyTorch's and JAX's, which no record depends on."""

from __future__ import annotations

import runpy
from typing import Any

import numpy as np
import pytest

from optlab.experiment import registry

ROW = runpy.run_path(str(registry.folder() / "polynomial_fit.py"), run_name="polynomial_fit")
X = np.linspace(-np.pi, np.pi, 2000)
Y = np.sin(X)
PLACES = np.random.default_rng(0).normal(size=(20, 4))


def pytorch(model: Any, w: np.ndarray) -> np.ndarray:
    torch = pytest.importorskip("torch")
    leaf = torch.tensor(w, requires_grad=True)
    ROW["loss"](model, leaf, torch.tensor(X), torch.tensor(Y)).backward()
    return leaf.grad.numpy()


def jax(model: Any, w: np.ndarray) -> np.ndarray:
    library = pytest.importorskip("jax")
    with library.enable_x64(True):
        return np.asarray(library.grad(lambda v: ROW["loss"](model, v, X, Y))(library.numpy.array(w)))


@pytest.mark.parametrize("library", (pytorch, jax))
@pytest.mark.parametrize("name", ("cubic", "legendre"))
def test_the_ways_agree(name: str, library: Any) -> None:
    for w in PLACES:
        hand, scale = ROW["by_hand"](ROW[name], w, X, Y)
        theirs = library(ROW[name], w)
        # Both sum in orders of their own, of which none is worse than the plain one: 2000 roundings at most.
        for ours in (hand, ROW["by_dual_numbers"](ROW[name], w, X, Y)):
            assert np.max(np.abs(ours - theirs) / scale) < len(X) * np.finfo(np.float64).eps
