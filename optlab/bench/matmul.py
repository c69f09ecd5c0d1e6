"""The matrix products of a dense layer, forward and both backward, against NumPy, PyTorch and JAX."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optlab import ops
from optlab.bench.passes import Pass, Results, seeded
from optlab.bench.rows import Row
from optlab.threads import current as current_threads

Array = NDArray[Any]

FORMS = {"y = x W'": (False, True), "dx = dy W": (False, False), "dW = dy' x": (True, False)}
"""Which operand is read transposed."""

SHAPES = ((64, 784, 512), (64, 512, 512), (256, 2048, 2048), (2048, 2048, 2048))
"""THE list of layers: batch, inputs, outputs."""


def run(quick: bool) -> list[Row]:
    """The rows of ``optlab bench matmul``."""
    shapes = SHAPES[:2] if quick else SHAPES
    return [row for layer in shapes for form in FORMS for row in product(layer, form).rows(5 if quick else 31)]


def product(layer: tuple[int, int, int], form: str) -> Pass:
    """One product of one layer."""
    batch, inputs, outputs = layer
    m, k, n = {
        "y = x W'": (batch, inputs, outputs),
        "dx = dy W": (batch, outputs, inputs),
        "dW = dy' x": (outputs, batch, inputs),
    }[form]
    turn_a, turn_b = FORMS[form]
    a = seeded(k, m, seed=1).T if turn_a else seeded(m, k, seed=1)
    b = seeded(n, k, seed=2).T if turn_b else seeded(k, n, seed=2)
    operations = 2.0 * m * k * n
    makers = {name: partial(maker, a, b) for name, maker in PEERS.items()}
    return Pass(
        kernel="matmul",
        case=f"{form}, {m} x {k} x {n}",
        ours=ours(a, b),
        makers=makers,
        exact=[a.astype(np.float64) @ b.astype(np.float64)],
        bounds=[k * np.finfo(np.float32).eps * (np.abs(a) @ np.abs(b))],  # of any order of summation
        products=operations,
        calls=max(1, int(2e9 / operations)),
    )


def ours(a: Array, b: Array) -> Results:
    """Our product into a given array."""
    out = np.empty((a.shape[0], b.shape[1]), a.dtype)
    return lambda: [ops.matmul(a, b, out=out)]


def numpy_peer(a: Array, b: Array) -> Results:
    """Its BLAS, with as many threads as that takes."""
    out = np.empty((a.shape[0], b.shape[1]), a.dtype)
    return lambda: [np.matmul(a, b, out=out)]


def torch_peer(a: Array, b: Array) -> Results:
    """Its BLAS with as many threads as ours, into a given tensor."""
    import torch

    torch.set_num_threads(current_threads())
    left, right = torch.from_numpy(a), torch.from_numpy(b)
    out = torch.empty(a.shape[0], b.shape[1])
    return lambda: [torch.mm(left, right, out=out)]


def jax_peer(a: Array, b: Array) -> Results:
    """Jitted, on all cores; it takes transposed operands as arguments of the product."""
    import jax

    turned = [not array.flags.c_contiguous for array in (a, b)]
    held = [array.T if t else array for array, t in zip((a, b), turned, strict=True)]
    left, right = map(jax.numpy.asarray, held)
    multiply = jax.jit(lambda x, y: (x.T if turned[0] else x) @ (y.T if turned[1] else y))
    return lambda: [multiply(left, right).block_until_ready()]


PEERS = {"NumPy": numpy_peer, "PyTorch": torch_peer, "JAX": jax_peer}
