"""Arrays of PyTorch and JAX are read in place, or refused in one line."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from optlab.nn import MLP

X = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
Y = np.array([0, 1, 1, 0, 1, 0])


def test_tensors_are_read_in_place() -> None:
    torch: Any = pytest.importorskip("torch")
    tensor = torch.from_numpy(X.copy())
    mlp = MLP([3, 4, 2])
    f, theta = mlp.on(tensor, torch.from_numpy(Y)), mlp.init(0)
    assert f.X.ctypes.data == tensor.data_ptr()
    assert (f.grad(theta) == mlp.on(X, Y).grad(theta)).all()
    assert (mlp.predict(theta, tensor) == mlp.predict(theta, X)).all()
    with pytest.raises(TypeError, match=r"^X: got a Tensor that cannot be read in place"):
        mlp.on(tensor.requires_grad_(), Y)
    with pytest.raises(ValueError, match=r"^X: .*expected C-contiguous"):
        mlp.on(torch.zeros(3, 6).T, Y)
    with pytest.raises(TypeError, match=r"^X: got dtype float64"):
        mlp.on(torch.zeros(6, 3, dtype=torch.float64), Y)
    with pytest.raises(TypeError, match=r"^X: got a Tensor"):
        mlp.on(torch.zeros(6, 3, device="meta"), Y)


def test_arrays_of_jax_are_read_in_place() -> None:
    jnp: Any = pytest.importorskip("jax.numpy")
    mlp = MLP([3, 4, 2])
    f, theta = mlp.on(jnp.asarray(X), Y), mlp.init(0)
    assert (f.grad(theta) == mlp.on(X, Y).grad(theta)).all()


@pytest.mark.parametrize("given", [None, [[0.0, 1.0, 2.0]], "X"])
def test_what_is_no_array_is_refused(given: Any) -> None:
    with pytest.raises(TypeError, match=r"^X: got .*, expected a NumPy array, or a PyTorch or JAX array on the CPU"):
        MLP([3, 2]).on(given, Y)
