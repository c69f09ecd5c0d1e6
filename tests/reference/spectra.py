"""Landscapes of a known spectrum: given ones, and networks with their Hessian from differences of gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

import optlab as ol

SPECTRA: dict[str, np.ndarray] = {
    "spread": np.linspace(-1.0, 3.0, 120),
    "repeated": np.repeat([-1.0, 2.0, 9.0], 40),
    "pairs": np.repeat(np.arange(150.0), 2),
    "clustered": np.concatenate([np.linspace(0, 1, 110), 10 - 1e-5 * np.arange(5), 10 + 1e-3 * np.arange(5)]),
    "outliers": np.concatenate([np.zeros(110), np.arange(1.0, 11.0)]),
    "negative": -np.geomspace(1.0, 50.0, 100),
    "identity": np.ones(100),
    "one_apart": np.append(np.ones(99), 5.0),
    "zero": np.zeros(100),
    "wide": np.geomspace(1e-4, 1e4, 90),
    "tiny": 1e-200 * np.linspace(1.0, 2.0, 80),
    "huge": 1e200 * np.linspace(-2.0, 2.0, 80),
    "few": np.array([3.0, -1.0, 2.0, 2.0]),
    "one": np.array([-4.0]),
}


def orthogonal(dim: int) -> np.ndarray:
    """A seeded orthogonal matrix, not from the library."""
    return np.linalg.qr(np.random.default_rng(dim).normal(size=(dim, dim)))[0]


def quadratic(name: str, rotated: bool = True) -> Any:
    """½ xᵀ Q diag(h) Qᵀ x."""
    h = SPECTRA[name]
    return ol.landscapes.Quadratic(h, rotation=orthogonal(h.size) if rotated else None)


NETWORKS: dict[str, dict[str, Any]] = {
    "plain": {"activation": "tanh"},
    "batch": {"activation": "tanh", "norm": "batch"},
    "layer": {"activation": "tanh", "norm": "layer"},
}


def network(name: str, dtype: str = "float64", **more: Any) -> tuple[Any, np.ndarray]:
    """A network on 30 samples of three classes, batch normalization in training mode, and a point."""
    rng = np.random.default_rng(11)
    mlp = ol.nn.MLP([2, 7, 6, 3], dtype=dtype, **NETWORKS[name], **more)
    f = mlp.on(rng.normal(size=(30, 2)).astype(dtype), rng.integers(0, 3, 30), weight_decay=1e-3)
    return f, mlp.init(seed=3)


def dense(f: Any, x: np.ndarray) -> np.ndarray:
    """The Hessian from central differences of the gradient, extrapolated once (Richardson): error of the order h⁴."""

    def differences(h: float) -> np.ndarray:
        axes = np.eye(f.dim)
        return np.array([(f.grad(x + h * axis) - f.grad(x - h * axis)) / (2 * h) for axis in axes])

    matrix = (4 * differences(5e-4) - differences(1e-3)) / 3
    return (matrix + matrix.T) / 2
