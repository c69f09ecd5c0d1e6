"""PyTorch as the other form of a network, to the bit, and as oracle for what the network computes and how it trains."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from reference.compare import assert_same_bits, assert_within, eps
from reference.peers import default_dtype
from reference.refusals import refused

import optlab as ol
from optlab.nn import MLP, NormStatistics

torch = pytest.importorskip("torch")
nn, functional = torch.nn, torch.nn.functional

ACTIVATIONS = {"relu": None, "leaky_relu": 0.2, "elu": 0.7, "tanh": None, "sigmoid": None, "identity": None}
NORMS = ((None, "before"), *itertools.product(("batch", "layer", "group"), ("before", "after")))
# Each of six passes (three layers, forth and back) sums up to 40 products, and its normalization may cancel a factor of
# 40 before it divides: 6 * 40 * 40 roundings. A derivative of this once more.
PASSES = 10_000 * eps(np.float64)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """The networks are small: PyTorch's threads would wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with ol.threads(1):
        yield
    torch.set_num_threads(before)


def network(rng: np.random.Generator, hidden: int, dtype: str = "float64", **given: Any) -> MLP:
    """A network with random widths, and random options where none are given."""
    activation = str(rng.choice(list(ACTIVATIONS)))
    norm, position = NORMS[rng.integers(len(NORMS))]
    options: dict[str, Any] = {"activation": activation, "norm": norm, "norm_position": position, "dtype": dtype}
    options |= {"bias": [None, True, False][rng.integers(3)], "dropout": float(rng.choice([0.0, 0.3]))}
    options |= {"eps": float(10 ** rng.uniform(-5, -2)), "momentum": float(rng.uniform(0.05, 1)), **given}
    options.setdefault("parameter", ACTIVATIONS[options["activation"]])
    widths = [int(width) for width in rng.integers(2, 20, hidden + 2)]
    if options["norm"] == "group":
        options["groups"], widths[1:-1] = 2, [2 * width for width in widths[1:-1]]
    return MLP(widths, **options)


def parameters(rng: np.random.Generator, mlp: MLP) -> Any:
    """All parameters random: none is what a layer begins with."""
    return (mlp.init(int(rng.integers(1000))) + 0.3 * rng.normal(size=mlp.dim)).astype(mlp.dtype)


def statistics(rng: np.random.Generator, mlp: MLP) -> NormStatistics | None:
    mean, var = rng.normal(size=mlp.norm_columns), rng.uniform(0.5, 2, mlp.norm_columns)
    return NormStatistics(mean.astype(mlp.dtype), var.astype(mlp.dtype)) if mlp.norm_columns else None


@pytest.mark.parametrize("dtype", ("float32", "float64"))
@pytest.mark.parametrize("hidden", (0, 1, 3))
def test_there_and_back(hidden: int, dtype: str) -> None:
    for seed in range(60):
        rng = np.random.default_rng((hidden, seed))
        mlp = network(rng, hidden, dtype)
        theta, stats = parameters(rng, mlp), statistics(rng, mlp)
        theta[0], theta.flags.writeable = -0.0, False
        before = torch.get_rng_state()
        module = mlp.to_torch(theta, stats)
        assert torch.equal(torch.get_rng_state(), before) and module.training
        back, theta_back, stats_back = MLP.from_torch(module)
        assert (back.widths, back.layout, back.dtype) == (mlp.widths, mlp.layout, mlp.dtype)
        if hidden:
            names = ("activation", "norm", "groups", "dropout", "parameter")
            names += ("eps", "norm_position") * (mlp.norm is not None) + ("momentum",) * (mlp.norm == "batch")
            assert [getattr(back, name) for name in names] == [getattr(mlp, name) for name in names]
        assert_same_bits(theta_back, theta)
        assert (stats_back is None) == (stats is None)
        for ours, theirs in zip(stats or (), stats_back or (), strict=True):
            assert_same_bits(theirs, ours)
        with torch.no_grad():  # nothing is shared
            for tensor in module.parameters():
                tensor.zero_()
        assert theta.any() and theta_back.any()


def test_without_statistics_averages_begin_as_in_training() -> None:
    mlp = MLP([2, 3, 4, 1], norm="batch")
    stats = MLP.from_torch(mlp.to_torch(mlp.init(0)))[2]
    assert stats is not None and (stats.mean == 0).all() and (stats.var == 1).all() and len(stats.var) == 7


@pytest.mark.parametrize("hidden", (0, 1, 3))
def test_predictions(hidden: int) -> None:
    for seed in range(60):
        rng = np.random.default_rng((hidden, seed, 1))
        mlp = network(rng, hidden)
        theta, stats = parameters(rng, mlp), statistics(rng, mlp)
        X, module = rng.normal(size=(int(rng.integers(4, 40)), mlp.widths[0])), mlp.to_torch(theta, stats)
        theirs = module.eval()(torch.from_numpy(X)).detach().numpy()
        assert_within(mlp.predict(theta, X, stats), theirs, PASSES * np.abs(theirs).max())
        for part in module.modules():
            part.train(not isinstance(part, nn.Dropout))
        theirs = module(torch.from_numpy(X)).detach().numpy()
        own = mlp.statistics(theta, X) if mlp.norm_columns else None
        assert_within(mlp.predict(theta, X, own), theirs, PASSES * np.abs(theirs).max())


Targets = Callable[[np.random.Generator, int, int], Any]
Loss = Callable[[Any, Any], Any]


def classes(rng: np.random.Generator, rows: int, outputs: int) -> Any:
    return rng.integers(0, outputs, rows)


def numbers(rng: np.random.Generator, rows: int, outputs: int) -> Any:
    return rng.normal(size=(rows, outputs))


def shares(rng: np.random.Generator, rows: int, outputs: int) -> Any:
    return rng.dirichlet(np.ones(outputs), rows)


LOSSES: dict[str, tuple[str, dict[str, Any], Targets, Loss]] = {
    "cross_entropy": ("cross_entropy", {}, classes, functional.cross_entropy),
    "smoothed": (
        "cross_entropy",
        {"label_smoothing": 0.2},
        classes,
        lambda y, t: functional.cross_entropy(y, t, label_smoothing=0.2),
    ),
    "distributions": ("cross_entropy", {}, shares, functional.cross_entropy),
    "mse": ("mse", {}, numbers, functional.mse_loss),
    "l1": ("l1", {}, numbers, functional.l1_loss),
    "huber": ("huber", {"delta": 0.5}, numbers, lambda y, t: functional.huber_loss(y, t, delta=0.5)),
    "binary": ("binary_cross_entropy", {}, shares, functional.binary_cross_entropy_with_logits),
    "divergence": ("kl_divergence", {}, shares, lambda y, t: functional.kl_div(y, t, reduction="batchmean")),
}
DECAY, LASSO = 0.03, 0.02


def torch_derivatives(mlp: MLP, module: Any, loss: Loss, X: Any, y: Any, v: Any) -> Iterator[Any]:
    """Value, gradient and Hessian-vector product, in our order of the parameters."""
    parts = dict(module.named_parameters())
    linear = [name for name, part in module.named_children() if isinstance(part, nn.Linear)]
    norms = [
        name for name, part in module.named_children() if isinstance(part, nn.BatchNorm1d | nn.LayerNorm | nn.GroupNorm)
    ]
    places = {f"layers.{k}": name for k, name in enumerate(linear)}
    places |= {f"layers.{k}.norm": name for k, name in enumerate(norms)}
    leaves = []
    for segment in mlp.layout:
        place, _, name = segment.name.rpartition(".")
        leaves.append(parts[f"{places[place]}.{name}"])
    value = loss(module(torch.from_numpy(X)), torch.from_numpy(y))
    for leaf in leaves:
        value = value + DECAY / 2 * (leaf * leaf).sum() + LASSO * leaf.abs().sum()
    slopes = torch.autograd.grad(value, leaves, create_graph=True)
    flat = torch.cat([slope.reshape(-1) for slope in slopes])
    bends = torch.autograd.grad((flat * torch.from_numpy(v)).sum(), leaves)
    yield from (value.detach().numpy(), flat.detach().numpy(), torch.cat([b.reshape(-1) for b in bends]).numpy())


@pytest.mark.parametrize(("norm", "position"), NORMS)
@pytest.mark.parametrize("case", LOSSES)
def test_derivatives(case: str, norm: str | None, position: str) -> None:
    name, options, targets, loss = LOSSES[case]
    for seed, (activation, bias) in enumerate(itertools.product(ACTIVATIONS, (None, True, False))):
        rng = np.random.default_rng((seed, 2))
        settings = {"activation": activation, "norm": norm, "norm_position": position, "bias": bias, "dropout": 0.0}
        mlp = network(rng, 1 + seed % 2, **settings)
        rows = int(rng.integers(4, 40))
        X, y, theta = rng.normal(size=(rows, mlp.widths[0])), targets(rng, rows, mlp.widths[-1]), parameters(rng, mlp)
        f, v = mlp.on(X, y, name, weight_decay=DECAY, l1=LASSO, **options), rng.normal(size=mlp.dim)
        ours = (f.value(theta), f.grad(theta), f.hvp(theta, v))
        for found, expected in zip(ours, torch_derivatives(mlp, mlp.to_torch(theta), loss, X, y, v), strict=True):
            assert_within(found, expected, PASSES * np.abs(expected).max())


# What each optimizer is given besides the learning rate.
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "SGD": {"lr": 0.02, "momentum": 0.9, "weight_decay": 1e-3},
    "Nesterov": {"lr": 0.02, "momentum": 0.9, "nesterov": True},
    "Adagrad": {"lr": 0.05},
    "Adadelta": {"lr": 1.0},
    "RMSprop": {"lr": 0.01, "centered": True, "momentum": 0.5},
    "Adam": {"lr": 0.01},
    "AdamW": {"lr": 0.01, "weight_decay": 0.1, "amsgrad": True},
    "Adamax": {"lr": 0.01},
    "NAdam": {"lr": 0.01},
}
STEPS, BATCH, ROWS = 200, 16, 90
NUDGE = 2.0**-30


def torch_training(mlp: MLP, theta: Any, name: str, X: Any, y: Any) -> tuple[Any, Any]:
    """Parameters and averages after training in a loop."""
    module = mlp.to_torch(theta)
    kind = {"Nesterov": "SGD"}.get(name, name)
    optimizer = getattr(torch.optim, kind)(module.parameters(), foreach=False, **OPTIMIZERS[name])
    for step in range(STEPS):
        batch = np.arange(step * BATCH, (step + 1) * BATCH) % ROWS
        optimizer.zero_grad()
        functional.cross_entropy(module(torch.from_numpy(X[batch])), torch.from_numpy(y[batch])).backward()
        optimizer.step()
    return MLP.from_torch(module)[1:]


@pytest.mark.parametrize(("norm", "position"), NORMS)
@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.slow
def test_training(name: str, norm: str | None, position: str) -> None:
    rng = np.random.default_rng(3)
    groups = 2 if norm == "group" else None
    mlp = MLP([6, 12, 12, 4], "tanh", norm, position, dtype="float64", groups=groups)
    X, y = rng.normal(size=(ROWS, 6)), rng.integers(0, 4, ROWS)
    theta = mlp.init(0) + 0.1 * rng.normal(size=mlp.dim)
    # Run 0 is the one to compare; the others begin a little beside it, and show how far training carries a difference.
    starts = theta * (1 + NUDGE * rng.uniform(-1, 1, (9, mlp.dim)))
    starts[0] = theta
    optimizer = getattr(ol, {"Nesterov": "SGD"}.get(name, name))(**OPTIMIZERS[name])
    path = ol.descend(mlp.on(X, y), optimizer, starts, STEPS, batch_size=BATCH, sampling="order", record=[0, STEPS])
    assert path.value[-1, 0] < 0.8 * path.value[0, 0]
    with default_dtype(torch, np.float64):
        theirs, averages = torch_training(mlp, theta, name, X, y)
    carried = np.abs(path.last[1:] - path.last[0]).max() / (NUDGE * np.abs(theta).max())
    # Each step rounds θ, by half an eps in each library, and takes lr times a gradient that is off by some 10 eps; all
    # of it is carried on to the end.
    bound = STEPS * 2 * eps(np.float64) * max(carried, 1.0)
    assert_within(path.last[0], theirs, bound * np.abs(theta).max())
    for ours, expected in zip(mlp.averages(path.state) if averages else (), averages or (), strict=True):
        assert_within(ours, expected, bound * np.abs(expected).max())


def small(*after: Any, bias: bool = True, dtype: Any = None) -> Any:
    return nn.Sequential(nn.Linear(3, 4, bias=bias, dtype=dtype), *after, nn.Linear(4, 2, dtype=dtype))


def test_what_else_is_accepted() -> None:
    relu, X = nn.ReLU(inplace=True), np.random.default_rng(0).normal(size=(9, 3)).astype(np.float32)
    modules = {
        "nested": nn.Sequential(nn.Sequential(nn.Linear(3, 4), nn.ReLU()), nn.Sequential(nn.Linear(4, 2))),
        "activation used twice": nn.Sequential(nn.Linear(3, 4), relu, nn.Linear(4, 4), relu, nn.Linear(4, 2)),
        "no activation": small(),
        "norm alone": small(nn.LayerNorm(4)),
        "no dropout": small(nn.ReLU(), nn.Dropout(0.0)),
    }
    for module in modules.values():
        mlp, theta, _ = MLP.from_torch(module)
        theirs = module(torch.from_numpy(X)).detach().numpy()
        assert_within(mlp.predict(theta, X), theirs, 100 * eps(np.float32) * np.abs(theirs).max())


def hooked() -> Any:
    module = small(nn.ReLU())
    module[0].register_forward_hook(lambda *_: None)
    return module


def tied() -> Any:
    square = nn.Linear(4, 4)
    return nn.Sequential(square, nn.ReLU(), square)


class Own(nn.Linear):
    pass


REFUSED = {
    "linear": (lambda: nn.Linear(3, 4), "got Linear, expected a Sequential"),
    "no_module": (lambda: 3, "got int, expected"),
    "empty": (nn.Sequential, r"got Sequential\(\) without a Linear"),
    "convolution": (lambda: nn.Sequential(nn.Conv1d(3, 4, 1)), r"got Conv1d\(3, 4.* as '0', expected"),
    "activation": (lambda: small(nn.Softplus()), "got .Softplus.* in one layer"),
    "two_activations": (lambda: small(nn.ReLU(), nn.Tanh()), r"got \[ReLU\(\), Tanh\(\)\] in one layer"),
    "dropout_first": (lambda: small(nn.Dropout(0.1), nn.ReLU()), "got .Dropout.* in one layer"),
    "at_the_end": (lambda: nn.Sequential(nn.Linear(3, 4), nn.ReLU()), r"got ReLU\(\) at the end"),
    "in_front": (lambda: nn.Sequential(nn.ReLU(), nn.Linear(3, 4)), r"got ReLU\(\) as '0'"),
    "own": (lambda: nn.Sequential(Own(3, 4)), "got Own.* as '0'"),
    "hook": (hooked, "with hooks"),
    "tied": (tied, "got layers that share"),
    "alike": (
        lambda: nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2)),
        r"got \[Tanh\(\)\] in one layer and \[ReLU\(\)\] in another",
    ),
    "biases": (lambda: small(nn.ReLU(), bias=False), "got a bias in some"),
    "widths": (lambda: nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(5, 2)), "got Linear.* after 4 units"),
    "half": (lambda: small(nn.ReLU(), dtype=torch.float16), "got what an MLP does not take .dtype: got 'float16'"),
    "mixed": (lambda: small(nn.BatchNorm1d(4), dtype=torch.float64), "got float32 and float64"),
    "alpha": (lambda: small(nn.ELU(-1.0)), "does not take .parameter: got -1"),
    "all_dropped": (lambda: small(nn.Dropout(1.0)), "does not take .dropout: got 1"),
    "cumulative": (lambda: small(nn.BatchNorm1d(4, momentum=None)), "does not take .momentum: got None"),
    "no_averages": (lambda: small(nn.BatchNorm1d(4, track_running_stats=False)), "got BatchNorm1d.* after 4 units"),
    "no_scale": (lambda: small(nn.BatchNorm1d(4, affine=False)), "got BatchNorm1d.* after 4 units"),
    "no_shift": (lambda: small(nn.LayerNorm(4, bias=False)), "got LayerNorm.* after 4 units"),
    "features": (lambda: small(nn.BatchNorm1d(5)), r"got BatchNorm1d\(5.* after 4 units"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name: str) -> None:
    module, said = REFUSED[name]
    refused(lambda: MLP.from_torch(module()), ValueError, "^module: ", said, "expected a Sequential of Linear")


def test_refusals_of_parameters() -> None:
    mlp = MLP([2, 3, 1], norm="batch")
    theta, stats = mlp.init(0), NormStatistics(np.zeros(3, np.float32), np.ones(3, np.float32))
    refused(lambda: mlp.to_torch(theta[:-1].copy()), ValueError, "^theta: got float32")
    refused(lambda: mlp.to_torch(theta[None].copy()), ValueError, r"^theta: got shape \(1, 16\)")
    refused(lambda: mlp.to_torch(theta, stats._replace(var=stats.var[:2])), ValueError, r"^stats: got float32\(2,\)")
    refused(lambda: mlp.to_torch(theta, stats._replace(var=stats.var + 0.0j)), ValueError, "^stats: got complex64")


def test_without_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    mlp = MLP([2, 1])
    refused(lambda: mlp.to_torch(mlp.init(0)), ImportError, "PyTorch is not installed")
    refused(lambda: MLP.from_torch(None), ImportError, "PyTorch is not installed")
