"""Matrix products of the card in every mode, and what follows them, against PyTorch there."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from optlab.backends.gpu import dense, products
from optlab.backends.gpu.device import empty, upload
from optlab.bench import card
from optlab.bench.passes import Array, seeded
from optlab.bench.rows import Contest, Row

EPS = float(np.finfo(np.float32).eps)
LAYERS = ((256, 2048, 2048), (4096, 2048, 2048), (8192, 8192, 8192))
"""THE list of products: batch, inputs, outputs."""

DIGITS = {"float32": 0.0, "tf32": 2.0**-10, "bf16": 2.0**-7}
"""What the factors of a mode are off by at most, relative to them, both together."""

FOLLOWED = ((65536, 1024), (4096, 2048))
LARGE = 8192
"""The extents of the product whose rate is the limit of the others."""


def run(quick: bool) -> list[Row]:
    """The rows of ``optlab bench dense --device gpu``."""
    shapes = FOLLOWED[1:] if quick else FOLLOWED
    return [row for shape in shapes for row in followed(*shape).rows(5 if quick else 21)]


def run_products(quick: bool) -> list[Row]:
    """The rows of ``optlab bench matmul --device gpu``."""
    layers, large = (LAYERS[:1], 2048) if quick else (LAYERS, LARGE)
    cases = [product(*layer, mode, large) for mode in DIGITS for layer in layers]
    return [row for case in cases for row in case.rows(5 if quick else 21)]


def given(a: Array, mode: str) -> Any:
    """A factor on the card, rounded where the mode wants it."""
    there = upload(a)
    if mode != "bf16":
        return there
    room = empty(a.shape, np.uint16)
    products.rounded(there, room)
    return room


def product(batch: int, inputs: int, outputs: int, mode: str, large: int) -> Contest:
    """The product ``x W'`` of one layer in one mode."""
    x, weight = seeded(batch, inputs, seed=1), seeded(outputs, inputs, seed=2)
    left, right, out = given(x, mode), given(weight, mode), empty((batch, outputs), np.float32)
    ours = partial(products.product, out, left, right, turn_b=True, mode=mode)
    exact = x.astype(np.float64) @ weight.T
    bound = (DIGITS[mode] + inputs * EPS) * (np.abs(x) @ np.abs(weight).T)

    def judge(theirs: Sequence[Any]) -> str:
        for who, found in (("ours", card.on_host([out])[0]), ("theirs", theirs[0])):
            if not (np.abs(found - exact) <= bound).all():
                return f"NO: {who}"
        return "yes"

    operations = 2.0 * batch * inputs * outputs
    return card.contest(
        "matmul",
        f"x W', {batch} x {inputs} x {outputs}, {mode}",
        mode,
        ours,
        {"PyTorch": lambda: torch_product(x, weight, mode)},
        judge,
        calls=max(1, min(200, int(1e12 / operations))),
        least=operations / rate(mode, large),
    )


def rate(mode: str, extent: int) -> float:
    """Operations per second of a large product, the best of five."""
    a, b = (given(seeded(extent, extent, seed=seed), mode) for seed in (1, 2))
    out = empty((extent, extent), np.float32)
    taken = []
    for _ in range(6):
        began = time.perf_counter()
        products.product(out, a, b, mode=mode)
        card.wait()
        taken.append(time.perf_counter() - began)
    return 2.0 * extent**3 / min(taken[1:])


def torch_product(x: Array, weight: Array, mode: str) -> tuple[Callable[[], None], Callable[[], Sequence[Any]]]:
    """PyTorch's product in the same precision; of bfloat16 its result is bfloat16, too."""
    torch = card.torch()
    a, b = (torch.from_numpy(array).cuda() for array in (x, weight))
    if mode == "bf16":
        a, b = a.bfloat16(), b.bfloat16()
    out = torch.empty(len(x), len(weight), dtype=a.dtype, device="cuda")

    def step() -> None:
        torch.backends.cuda.matmul.allow_tf32 = mode == "tf32"
        torch.mm(a, b.T, out=out)

    return step, lambda: [np.asarray(out.float().cpu())]


def followed(rows: int, columns: int) -> Contest:
    """Bias and relu forward, and the gradient behind them with that of the bias."""
    z, dy, bias = seeded(rows, columns, seed=1), seeded(rows, columns, seed=2), seeded(columns, seed=3)
    here = [upload(array) for array in (z, dy, bias)]
    y, dz, dbias = empty(z.shape, z.dtype), empty(z.shape, z.dtype), empty(bias.shape, z.dtype)
    room, of = empty(dense.scratch_numbers(rows, columns, z.dtype), z.dtype), dense.Follow("relu")

    def ours() -> None:
        dense.forward(here[0], here[2], of, y)
        dense.backward(dz, dbias, here[1], y, of, room)

    def judge(theirs: Sequence[Any]) -> str:
        right = np.maximum(z + bias, 0)
        slope = np.where(right > 0, dy, np.float32(0))
        sums, size = slope.sum(0, dtype=np.float64), np.abs(slope).sum(0, dtype=np.float64)
        for who, found in (("ours", card.on_host([y, dz, dbias])), ("theirs", theirs)):
            if not (np.array_equal(found[0], right) and np.array_equal(found[1], slope)):
                return f"NO: an element of {who}"
            if not (np.abs(found[2] - sums) <= rows * EPS * size).all():
                return f"NO: the bias of {who}"
        return "yes"

    return card.contest(
        "bias + relu, both ways",
        f"{rows} x {columns}",
        "float32",
        ours,
        {"PyTorch": lambda: torch_followed(z, dy, bias)},
        judge,
        calls=50,
        moved=20.0 * z.size,
    )


def torch_followed(z: Array, dy: Array, bias: Array) -> tuple[Callable[[], None], Callable[[], Sequence[Any]]]:
    """The kernels that autograd would call."""
    torch = card.torch()
    at, slope, shift = (torch.from_numpy(array).cuda() for array in (z, dy, bias))
    found: list[Any] = []

    def step() -> None:
        y = torch.relu(at + shift)
        dz = torch.ops.aten.threshold_backward(slope, y, 0)
        found[:] = [y, dz, dz.sum(0)]

    return step, lambda: [np.asarray(each.cpu()) for each in found]
