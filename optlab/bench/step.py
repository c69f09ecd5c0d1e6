"""One optimizer step: its cost when called from Python, and its share of the memory's speed on large arrays."""

from __future__ import annotations

import importlib.util
import math
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from optlab.bench.rows import Contest, Row, Run
from optlab.optim import SGD
from optlab.threads import current as current_threads

LR, MOMENTUM = 1e-3, 0.9
BYTES = 20
"""Memory traffic per float32 number: x and velocity are read and written, the gradient is read."""


def run(quick: bool) -> list[Row]:
    """The rows of ``optlab bench step``."""
    small = contest(1000, inner=200)
    large = contest(1_000_000 if quick else 10_000_000, inner=1)
    return [row for one in (small, large) for row in one.rows(5 if quick else 21)]


def contest(n: int, inner: int) -> Contest:
    """SGD with momentum on n numbers; ``inner`` calls are timed together and reported as one."""
    x0, g = (np.random.default_rng(seed).standard_normal(n, np.float32) for seed in (0, 1))
    ours, _ = our_step(x0, g)
    peers, missing, agrees = {}, {}, {}
    for name, module, maker in (("NumPy", "numpy", numpy_step), ("PyTorch", "torch", torch_step)):
        if importlib.util.find_spec(module):
            peers[name], _ = maker(x0, g)
            agrees[name] = _agreement(our_step, maker, x0, g)
        else:
            missing[name] = "not installed"
    case = f"SGD momentum, {n:,} numbers" + (f", {inner} calls" if inner > 1 else "")
    runs = {name: _repeated(step, inner) for name, step in {"ours": ours, **peers}.items()}
    first = runs.pop("ours")
    least = n * BYTES / bandwidth(n) if inner == 1 else None
    limit = "memory" if inner == 1 else None
    return Contest("step", case, "float32", current_threads(), first, runs, missing, agrees, limit, least)


def _repeated(step: Run, times: int) -> Run:
    def repeated() -> None:
        for _ in range(times):
            step()

    return repeated


def our_step(x0: Any, g: Any) -> tuple[Run, Any]:
    """Our step and the point it moves."""
    optimizer, x = SGD(lr=LR, momentum=MOMENTUM), x0.copy()
    state = optimizer.init(x)
    return lambda: optimizer.step(x, g, state), x


def numpy_step(x0: Any, g: Any) -> tuple[Run, Any]:
    """In place, without temporaries."""
    x, v, work = x0.copy(), np.zeros_like(x0), np.empty_like(x0)

    def step() -> None:
        np.multiply(v, np.float32(MOMENTUM), out=v)
        np.add(v, g, out=v)
        np.multiply(v, np.float32(LR), out=work)
        np.subtract(x, work, out=x)

    return step, x


def torch_step(x0: Any, g: Any) -> tuple[Run, Any]:
    """PyTorch's own fused CPU kernel."""
    import torch

    torch.set_num_threads(current_threads())
    x = torch.nn.Parameter(torch.from_numpy(x0.copy()))
    x.grad = torch.from_numpy(g)
    optimizer = torch.optim.SGD([x], lr=LR, momentum=MOMENTUM, fused=True)
    return optimizer.step, x.detach().numpy()


def _agreement(ours: Any, theirs: Any, x0: Any, g: Any) -> str:
    (a, x), (b, y) = ours(x0, g), theirs(x0, g)
    for _ in range(3):
        a()
        b()
    # Three steps of three roundings each, of numbers no larger than the largest coordinate.
    bound = 9 * np.finfo(np.float32).eps * np.abs(x0).max()
    return "yes" if np.abs(x - y).max() <= bound else f"NO: {np.abs(x - y).max():.1e}"


def bandwidth(n: int) -> float:
    """The most bytes per second that NumPy's a += b moves, over arrays of n float32 split over the threads.

    In place, as the update is, so that no line is read only to be overwritten; the best of many runs, being a limit.
    """
    count = current_threads()
    a, b = (np.ones((count, n // count), np.float32) for _ in range(2))
    best = math.inf
    with ThreadPoolExecutor(count) as pool:
        for _ in range(25):
            began = time.perf_counter()
            list(pool.map(lambda part: np.add(a[part], b[part], out=a[part]), range(count)))
            best = min(best, time.perf_counter() - began)
    return 3 * a.nbytes / best
