"""The peers of the descent benchmark on a GPU, each as its own users would write it well.

All compute x ← x − lr·x·(h + q·x²) + s·ξ in float32, from NumPy's points to NumPy's.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from optlab.backends.gpu.device import device
from optlab.bench.descend_peers import Peer, coefficients

Array = NDArray[np.float32]


def load(case: Any) -> tuple[dict[str, Peer], dict[str, str]]:
    """The peers that can use this GPU, and why the others cannot."""
    found: dict[str, Peer] = {}
    missing: dict[str, str] = {}
    for name, maker in (("CuPy", cupy_peer), ("PyTorch, CUDA graph", torch_peer)):
        try:
            found[name] = maker(case)
        except (ImportError, RuntimeError) as error:
            missing[name] = str(error)
    return found, missing


def cupy_peer(case: Any) -> Peer:
    """One fused element-wise kernel for the update, and one call for the noise of a step."""
    cp = device().xp
    if not hasattr(cp, "ElementwiseKernel"):
        raise RuntimeError("no CuPy device")
    h, q = (cp.asarray(c) for c in coefficients(case))
    update = cp.ElementwiseKernel(
        "float32 h, float32 q, float32 xi, float32 lr, float32 s",
        "float32 x",
        "x = x - lr * x * (h + q * x * x) + s * xi",
        "optlab_bench_update",
    )

    def peer(x0: Array, noise: float) -> Array:
        generator, x = cp.random.Generator(cp.random.Philox4x3210(0)), cp.asarray(x0)
        xi, s = cp.zeros_like(x), np.float32(np.sqrt(noise))
        for _ in range(case.steps):
            if noise:
                generator.standard_normal(out=xi, dtype=cp.float32)
            update(h, q, xi, np.float32(case.lr), s, x)
        return np.asarray(x.get())

    return peer


def torch_peer(case: Any) -> Peer:
    """A compiled step, its noise inside, captured once in a CUDA graph and replayed."""
    import torch

    if not torch.cuda.is_available():
        raise RuntimeError("PyTorch without CUDA")
    h, q = (torch.from_numpy(c).cuda() for c in coefficients(case))

    @torch.compile(mode="max-autotune-no-cudagraphs")
    def step(x: Any, s: Any) -> Any:
        return x - case.lr * x * (h + q * x * x) + s * torch.randn_like(x)

    def peer(x0: Array, noise: float) -> Array:
        x, s = torch.from_numpy(x0).cuda(), torch.tensor(float(np.sqrt(noise)), device="cuda")
        graph = graphs.get(x.shape)
        if graph is None:
            graph = graphs[x.shape] = _captured(torch, step, x, s)
        return np.asarray(graph(x, s, case.steps).cpu().numpy())

    graphs: dict[Any, Any] = {}
    return peer


def _captured(torch: Any, step: Any, like: Any, like_s: Any) -> Any:
    """A function that takes many steps from x by replaying one."""
    x, s = like.clone(), like_s.clone()
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream), torch.no_grad():  # compiles, as a capture cannot
        for _ in range(3):
            x.copy_(step(x, s))
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph), torch.no_grad():
        x.copy_(step(x, s))

    def take(start: Any, sigma: Any, steps: int) -> Any:
        x.copy_(start)
        s.copy_(sigma)
        for _ in range(steps):
            graph.replay()
        return x

    return take
