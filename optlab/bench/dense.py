"""Dense passes and what stands between them, forward and backward, against PyTorch, JAX and NumPy."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from optlab import ops
from optlab.bench import dense_peers as peers
from optlab.bench.passes import Array, Pass, seeded
from optlab.bench.rows import Row
from optlab.kernels.select import cpu
from optlab.threads import current as current_threads

EPS = float(np.finfo(np.float32).eps)


def run(quick: bool) -> list[Row]:
    """The rows of ``optlab bench dense``."""
    return [row for make in PASSES for row in make(quick).rows(5 if quick else 31)]


def stream(reads: int, elements: int) -> float:
    """The most bytes per second of a loop that reads so many arrays and writes one."""
    best: float = cpu.stream_bandwidth(reads, elements, current_threads(), max(11, min(200, 10**8 // elements)))
    return best


def linear(quick: bool) -> Pass:
    """``relu(x W' + b)`` and its three gradients."""
    batch, wide = (64, 512) if quick else (256, 2048)
    x, weight, bias = seeded(batch, wide, seed=1), seeded(wide, wide, seed=2) / 64, seeded(wide, seed=3)
    dy = seeded(batch, wide, seed=4)
    y, dx, dweight, dbias = np.empty_like(dy), np.empty_like(x), np.empty_like(weight), np.empty_like(bias)

    def ours() -> list[Array]:
        ops.linear_forward(x, weight, bias, "relu", out=y)
        ops.linear_backward(dy, x, weight, y, "relu", out=(dx, dweight, dbias))
        return [y, dx, dweight, dbias]

    z = x.astype(float) @ weight.astype(float).T + bias
    # A pre-activation that rounding may move across 0 turns a gradient on or off: no peer is judged there.
    dz = np.where(z > 0, dy, 0.0)
    unsure = np.abs(z) < wide * EPS * (np.abs(x) @ np.abs(weight).T)
    spill = np.where(unsure, np.abs(dy), 0.0)
    size = np.abs(dz)
    return Pass(
        kernel="linear + bias + relu, both ways",
        case=f"{batch} x {wide} x {wide}",
        ours=ours,
        makers={name: partial(maker, x, weight, bias, dy) for name, maker in peers.LINEAR.items()},
        exact=[np.maximum(z, 0), dz @ weight.astype(float), dz.T @ x.astype(float), dz.sum(axis=0)],
        bounds=[
            wide * EPS * (np.abs(x) @ np.abs(weight).T + np.abs(bias)),
            wide * EPS * (size @ np.abs(weight)) + spill @ np.abs(weight),
            batch * EPS * (size.T @ np.abs(x)) + spill.T @ np.abs(x) + 1e-30,
            batch * EPS * size.sum(axis=0) + spill.sum(axis=0) + 1e-30,
        ],
        products=6.0 * batch * wide * wide,
        calls=20 if quick else 1,
    )


def layer_norm(quick: bool) -> Pass:
    """Layer normalization and its gradients, into given arrays."""
    rows, wide = (512, 256) if quick else (8192, 1024)
    x, dy = seeded(rows, wide, seed=1), seeded(rows, wide, seed=2)
    gamma, beta = 1 + seeded(wide, seed=3) / 8, seeded(wide, seed=4)
    forward = tuple(np.empty_like(a) for a in (x, x[:, 0], x[:, 0]))
    backward = tuple(np.empty_like(a) for a in (x, gamma, gamma))

    def ours() -> list[Array]:
        y, mean, rstd = ops.layer_norm_forward(x, gamma, beta, out=forward)
        return [y, *ops.layer_norm_backward(dy, x, gamma, mean, rstd, out=backward)]

    wider = x.astype(float)
    centred = wider - wider.mean(axis=1, keepdims=True)
    rstd = 1 / np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-5)
    hat, g = centred * rstd, dy * gamma.astype(float)
    dx = rstd * (g - g.mean(axis=1, keepdims=True) - hat * (g * hat).mean(axis=1, keepdims=True))
    # Elements are a few roundings of numbers up to about 8; the sums over rows grow like their length's root.
    each, summed = 512 * EPS, 64 * EPS * rows**0.5 * 8
    return Pass(
        kernel="layer norm, both ways",
        case=f"{rows:,} x {wide:,}",
        ours=ours,
        makers={name: partial(maker, x, gamma, beta, dy) for name, maker in peers.LAYER_NORM.items()},
        exact=[hat * gamma + beta, dx, (dy * hat).sum(axis=0), dy.astype(float).sum(axis=0)],
        bounds=[each, each, summed, summed],
        work=20.0 * x.size,
        rate=stream(1, x.size),
    )


def cross_entropy(quick: bool) -> Pass:
    """Softmax cross entropy and its gradient by the logits."""
    rows, classes = (512, 100) if quick else (4096, 1000)
    logits, labels = 3 * seeded(rows, classes, seed=1), np.random.default_rng(2).integers(0, classes, rows)
    loss, dlogits = np.empty((), np.float32), np.empty_like(logits)
    wider = logits.astype(float)
    p = np.exp(wider - wider.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    chosen = np.arange(rows), labels
    value, gradient = -np.log(p[chosen]).mean(), p.copy()
    gradient[chosen] -= 1
    return Pass(
        kernel="softmax cross entropy, both ways",
        case=f"{rows:,} x {classes:,}",
        ours=lambda: ops.softmax_cross_entropy(logits, labels, out=(loss, dlogits)),
        makers={name: partial(maker, logits, labels) for name, maker in peers.CROSS_ENTROPY.items()},
        exact=[np.array(value), gradient / rows],
        bounds=[64 * EPS * value, 64 * EPS / rows],
        work=8.0 * logits.size,
        rate=stream(1, logits.size),
    )


def dropout(quick: bool) -> Pass:
    """Dropout of half the elements; the masks differ, so only the values that may occur are compared."""
    n, p = (10**6 if quick else 10**7), 0.5
    x, y = 1 + np.abs(seeded(n, seed=1)), np.empty(n, np.float32)

    def told(out: Any) -> list[Any]:
        """Whether every element is 0 or doubled, and by how many standard deviations the kept share is off."""
        kept = np.asarray(out) != 0
        return [float((np.asarray(out)[kept] != 2 * x[kept]).sum()), (kept.mean() - p) / (p * (1 - p) / n) ** 0.5]

    return Pass(
        kernel="dropout",
        case=f"{n:,} elements",
        ours=lambda: [ops.dropout_forward(x, p, 0, out=y)],
        makers={name: partial(maker, x, p) for name, maker in peers.DROPOUT.items()},
        exact=[np.array(0.0), np.array(0.0)],
        bounds=[0.5, 6.0],
        seen=lambda results: told(results[0]),
        work=8.0 * n,
        rate=stream(1, n),
    )


def activation(name: str, quick: bool) -> Pass:
    """One activation of an array, into a given one."""
    x = seeded(10**5 if quick else 10**7, seed=1)
    y, wider = np.empty_like(x), x.astype(float)
    exact: dict[str, Callable[[], Array]] = {
        "relu": lambda: np.maximum(wider, 0),
        "leaky_relu": lambda: np.where(wider > 0, wider, float(np.float32(0.01)) * wider),
        "elu": lambda: np.where(wider > 0, wider, np.expm1(wider)),
        "tanh": lambda: np.tanh(wider),
        "sigmoid": lambda: 1 / (1 + np.exp(-wider)),
    }
    return Pass(
        kernel=name,
        case=f"{x.size:,} elements",
        ours=lambda: [ops.activation_forward(x, name, out=y)],
        makers={peer: partial(maker, x, name) for peer, maker in peers.ACTIVATION.items()},
        exact=[exact[name]()],
        bounds=[4 * EPS],
        work=8.0 * x.size,
        rate=stream(1, x.size),
    )


PASSES: tuple[Callable[[bool], Pass], ...] = (
    linear,
    layer_norm,
    cross_entropy,
    dropout,
    *(partial(activation, name) for name in ("relu", "leaky_relu", "elu", "tanh", "sigmoid")),
)
"""THE list of passes."""
