"""Training steps and Hessian-vector products on the card, against PyTorch with CUDA graphs, in the same precision."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from optlab.backends.gpu.device import download, upload
from optlab.backends.gpu.products import MODES
from optlab.bench import card
from optlab.bench.dense_gpu import LARGE, rate
from optlab.bench.mlp import Case
from optlab.bench.mlp_peers import DECAY, LR
from optlab.bench.rows import Contest, Row
from optlab.descend import descend
from optlab.nn import MLP, NetworkLandscape
from optlab.optim import AdamW

Array = Any
WIDE = (784, 2048, 2048, 2048, 10)
CASES = (
    *((Case(WIDE, batch, 512), mode) for batch in (256, 4096) for mode in MODES[:3]),
    (Case(WIDE, 256, 512, norm="batch"), "float32"),
)
"""THE list of cases on the card: a network and the mode of its products."""
HVP = Case(WIDE, 256, 1)
SAMPLES = 8192


def run(quick: bool) -> list[Row]:
    """The rows of ``optlab bench mlp --device gpu``."""
    cases = CASES[:1] if quick else CASES
    return [row for case, mode in cases for row in training(case, mode).rows(3 if quick else 9)]


def run_hvp(quick: bool) -> list[Row]:
    """The rows of ``optlab bench hvp --device gpu``."""
    return curvature(HVP).rows(3 if quick else 21)


def data(case: Case) -> tuple[Array, Array]:
    """As many samples as the largest batch wants."""
    rng = np.random.default_rng(1)
    X = rng.standard_normal((max(SAMPLES, case.batch), case.widths[0]), np.float32)
    return X, rng.integers(0, case.widths[-1], len(X))


def training(case: Case, mode: str = "float32") -> Contest:
    """So many steps in one call of ``descend``; the rows give the time of one. Losses afterwards are judged."""
    X, y = data(case)
    mlp = MLP(list(case.widths), norm=case.norm)
    f, theta = mlp.on(upload(X), upload(y), products=mode), mlp.init(0)
    start, reached = upload(theta), list[Any]()

    def steps() -> None:
        options: dict[str, Any] = {"batch_size": case.batch, "sampling": "order", "record": [], "record_x": False}
        reached[:] = [descend(f, AdamW(lr=LR, weight_decay=DECAY), start, case.steps, **options).last[0]]

    steps()
    before, mine = float(f.value(start)), float(f.value(reached[0]))

    def judged(theirs: Sequence[Array]) -> str:
        # Paths part by rounding, at most by what coarser products do to a hundredth of the way.
        apart = abs(float(f.value(upload(theirs[0]))) - mine) / abs(before - mine)
        return "yes" if apart <= 0.02 else f"NO: losses differ by {apart:.1%} of the way"

    return card.contest(
        f"training step, {mode}",
        str(case),
        "float32",
        steps,
        {"PyTorch compiled": lambda: torch_training(f, theta, case, mode)},
        judged,
        calls=1,
        least=case.operations(3, 2) / rate(mode, LARGE),
        graph=False,  # descend makes and replays its own
        steps=case.steps,
    )


def torch_training(
    f: NetworkLandscape, theta: Array, case: Case, mode: str
) -> tuple[card.Work, Callable[[], Sequence[Any]]]:
    """The whole step compiled, with CUDA graphs, the fused AdamW and the same precision of products."""
    torch = card.torch()
    torch.set_float32_matmul_precision("high" if mode == "tf32" else "highest")
    network = f.mlp.to_torch(theta.copy()).cuda()
    optimizer = torch.optim.AdamW(network.parameters(), lr=LR, weight_decay=DECAY, fused=True, capturable=True)
    X, y = torch.from_numpy(download(f.X)).cuda(), torch.from_numpy(download(f.y)).cuda()
    batches = list(zip(X.split(case.batch), y.split(case.batch), strict=True))
    coarse = torch.autocast("cuda", dtype=torch.bfloat16, enabled=mode == "bf16")
    begin = {name: value.clone() for name, value in network.state_dict().items()}

    @torch.compile(mode="reduce-overhead")  # type: ignore[untyped-decorator]
    def loss_of(inputs: Any, labels: Any) -> Any:
        with coarse:
            return torch.nn.functional.cross_entropy(network(inputs).float(), labels)

    def steps() -> None:
        network.load_state_dict(begin)
        optimizer.state.clear()
        for t in range(case.steps):
            inputs, labels = batches[t % len(batches)]
            optimizer.zero_grad(set_to_none=True)
            loss_of(inputs, labels).backward()
            optimizer.step()

    steps()  # compiles
    return steps, lambda: [torch.nn.utils.parameters_to_vector(network.parameters()).detach().cpu().numpy()]


def curvature(case: Case) -> Contest:
    """A Hessian-vector product over one batch."""
    X, y = (array[: case.batch] for array in data(case))
    mlp = MLP(list(case.widths), activation="tanh")
    f, theta = mlp.on(upload(X), upload(y)), mlp.init(0)
    v = np.random.default_rng(3).standard_normal(mlp.dim, np.float32)
    x, along = upload(theta), upload(v)
    mine = download(f.hvp(x, along))

    def ours() -> None:
        f.hvp(x, along)

    def judged(theirs: Sequence[Array]) -> str:
        apart = float(np.linalg.norm(theirs[0] - mine) / np.linalg.norm(mine))
        return "yes" if apart <= 1e-4 else f"NO: {apart:.1e}"

    return card.contest(
        "hvp",
        str(case),
        "float32",
        ours,
        {"PyTorch": lambda: torch_hvp(f, theta, v)},
        judged,
        calls=20,
        least=case.operations(8, 3) / rate("float32", LARGE),
        graph=False,
    )


def torch_hvp(f: NetworkLandscape, theta: Array, v: Array) -> tuple[card.Work, Callable[[], Sequence[Any]]]:
    """Double backward."""
    torch = card.torch()
    torch.set_float32_matmul_precision("highest")
    network = f.mlp.to_torch(theta.copy()).cuda()
    parameters = list(network.parameters())
    X, y = torch.from_numpy(download(f.X)).cuda(), torch.from_numpy(download(f.y)).cuda()
    pieces = torch.from_numpy(v).cuda().split([p.numel() for p in parameters])
    direction = [piece.view_as(p) for piece, p in zip(pieces, parameters, strict=True)]
    found: list[Any] = []

    def product() -> None:
        loss = torch.nn.functional.cross_entropy(network(X), y)
        grads = torch.autograd.grad(loss, parameters, create_graph=True)
        parts = torch.autograd.grad(grads, parameters, direction)
        found[:] = [torch.cat([part.reshape(-1) for part in parts])]

    return product, lambda: [each.cpu().numpy() for each in found]
