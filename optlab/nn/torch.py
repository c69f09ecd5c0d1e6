"""The same network as a PyTorch module, and back, to the bit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from optlab.nn.mlp import MLP, NormStatistics

if TYPE_CHECKING:
    import torch

Array = NDArray[Any]

ACTIVATIONS = {  # PyTorch's class -> our name, and what PyTorch calls the parameter
    "ReLU": ("relu", ""),
    "LeakyReLU": ("leaky_relu", "negative_slope"),
    "ELU": ("elu", "alpha"),
    "Tanh": ("tanh", ""),
    "Sigmoid": ("sigmoid", ""),
    "Identity": ("identity", ""),
}
NORMS = {"BatchNorm1d": "batch", "LayerNorm": "layer", "GroupNorm": "group"}
AVERAGES = ("running_mean", "running_var")
ORDERS: tuple[list[str], ...] = ([], ["activation"], ["norm"], ["norm", "activation"], ["activation", "norm"])
ACCEPTED = (
    "expected a Sequential of Linear layers in float32 or float64, each but the last followed by the same: one of "
    f"{', '.join(ACTIVATIONS)}; before or after it {', '.join(NORMS)}, with scale, shift and (batch) averages, or "
    "nothing; then Dropout or nothing"
)


def to_torch(mlp: MLP, theta: Array, stats: NormStatistics | None = None) -> torch.nn.Sequential:
    """See :meth:`optlab.nn.MLP.to_torch`."""
    if mlp.norm_noise is not None:
        raise ValueError(
            f"to_torch: got a network with norm_noise={mlp.norm_noise}, expected none: PyTorch has no such layer"
        )
    torch = _library()
    mlp._check(theta)
    if theta.ndim != 1:
        raise ValueError(f"theta: got shape {theta.shape}, expected one network ({mlp.dim},)")
    dtype, biased = getattr(torch, mlp.dtype.name), {segment.name for segment in mlp.layout}
    linears = [
        # without an initialization, which would move the caller's random numbers on
        torch.nn.utils.skip_init(torch.nn.Linear, *shape, bias=f"layers.{k}.bias" in biased, dtype=dtype)
        for k, shape in enumerate(zip(mlp.widths, mlp.widths[1:], strict=False))
    ]
    norms = [_norm(torch, mlp, width, dtype) for width in mlp.widths[1:-1] if mlp.norm]
    parts = []
    for k, linear in enumerate(linears):
        parts += [linear, *(_after(torch, mlp, norms[k : k + 1]) if k < len(linears) - 1 else [])]
    with torch.no_grad():
        for name, parameter in _parameters(linears, norms):
            parameter.copy_(torch.tensor(mlp.views(theta)[name]))
        if stats is not None and mlp.norm_columns:
            _set_averages(torch, mlp, norms, stats)
    return torch.nn.Sequential(*parts)  # type: ignore[no-any-return]


def from_torch(module: torch.nn.Sequential) -> tuple[MLP, Array, NormStatistics | None]:
    """See :meth:`optlab.nn.MLP.from_torch`."""
    linears, groups = _layers(_library(), module)
    mlp = _network(module, linears, groups)
    norms = [part for group in groups for part in group if type(part).__name__ in NORMS]
    if sum(parameter.numel() for parameter in module.parameters()) != mlp.dim:
        _refuse("layers that share parameters")
    theta = np.empty(mlp.dim, mlp.dtype)
    for name, parameter in _parameters(linears, norms):
        mlp.views(theta)[name][...] = _array(parameter)
    if not mlp.norm_columns:
        return mlp, theta, None
    mean, var = (np.concatenate([_array(getattr(norm, name)) for norm in norms]) for name in AVERAGES)
    return mlp, theta, NormStatistics(mean, var)


def _library() -> Any:
    try:
        import torch
    except ImportError as error:
        raise ImportError("torch: PyTorch is not installed, expected it (pip install torch)") from error
    return torch


def _refuse(given: str) -> NoReturn:
    raise ValueError(f"module: got {' '.join(given.split())}, {ACCEPTED}")


def _array(tensor: Any) -> Array:
    array: Array = tensor.detach().cpu().numpy()
    return array


def _parameters(linears: list[Any], norms: list[Any]) -> Iterator[tuple[str, Any]]:
    """PyTorch's parameters under our names."""
    for infix, parts in (("", linears), ("norm.", norms)):
        for k, part in enumerate(parts):
            yield from ((f"layers.{k}.{infix}{name}", parameter) for name, parameter in part.named_parameters())


def _norm(torch: Any, mlp: MLP, width: int, dtype: Any) -> Any:
    if mlp.norm == "layer":
        return torch.nn.LayerNorm(width, eps=mlp.eps, dtype=dtype)
    if mlp.norm == "group":
        return torch.nn.GroupNorm(mlp.groups, width, eps=mlp.eps, dtype=dtype)
    return torch.nn.BatchNorm1d(width, eps=mlp.eps, momentum=mlp.momentum, dtype=dtype)


def _after(torch: Any, mlp: MLP, norm: list[Any]) -> list[Any]:
    """What follows a hidden linear map."""
    kind, option = next((kind, option) for kind, (name, option) in ACTIVATIONS.items() if name == mlp.activation)
    activation = getattr(torch.nn, kind)(**({} if mlp.parameter is None else {option: float(mlp.parameter)}))
    dropout = [torch.nn.Dropout(mlp.dropout)] if mlp.dropout else []
    return [*norm, activation, *dropout] if mlp.norm_position == "before" else [activation, *norm, *dropout]


def _set_averages(torch: Any, mlp: MLP, norms: list[Any], stats: NormStatistics) -> None:
    ends = np.cumsum(mlp.widths[1:-1])[:-1]
    for name, columns in zip(AVERAGES, stats, strict=True):
        if not isinstance(columns, np.ndarray) or (columns.dtype, columns.shape) != (mlp.dtype, (mlp.norm_columns,)):
            given = f"{columns.dtype}{columns.shape}" if isinstance(columns, np.ndarray) else repr(columns)
            raise ValueError(f"stats: got {given}, expected mean and var, each {mlp.dtype} ({mlp.norm_columns},)")
        for norm, part in zip(norms, np.split(columns, ends), strict=True):
            getattr(norm, name).copy_(torch.tensor(part))


def _layers(torch: Any, module: Any) -> tuple[list[Any], list[list[Any]]]:
    """The linear maps, and what follows each of them."""
    if type(module) is not torch.nn.Sequential:
        _refuse(f"{type(module).__name__}")
    linears: list[Any] = []
    groups: list[list[Any]] = []
    for name, part in _leaves(torch, module):
        if type(part) is torch.nn.Linear:
            linears.append(part)
            groups.append([])
        elif groups and type(part) is getattr(torch.nn, type(part).__name__, None):  # no class of one's own
            groups[-1].append(part)
        else:
            _refuse(f"{part} as {name!r}")
        if part._forward_hooks or part._forward_pre_hooks:
            _refuse(f"{part} as {name!r} with hooks, which may change what it computes")
    if not linears or groups[-1]:
        _refuse(f"{groups[-1][-1]} at the end" if linears else f"{module} without a Linear layer")
    return linears, groups


def _leaves(torch: Any, module: Any) -> Iterator[tuple[str, Any]]:
    """The modules in order; one that stands in several places comes several times, unlike in named_children."""
    if module._forward_hooks or module._forward_pre_hooks:
        _refuse(f"{type(module).__name__} with hooks, which may change what it computes")
    for name, part in module._modules.items():
        if type(part) is torch.nn.Sequential:
            yield from ((f"{name}.{inner}", leaf) for inner, leaf in _leaves(torch, part))
        else:
            yield name, part


def _network(module: Any, linears: list[Any], groups: list[list[Any]]) -> MLP:
    """The MLP of these layers, if there is one."""
    widths = [linears[0].in_features, *(linear.out_features for linear in linears)]
    for linear, width in zip(linears, widths, strict=False):
        if linear.in_features != width:
            _refuse(f"{linear} after {width} units")
    found = [_options(group, width) for group, width in zip(groups[:-1], widths[1:], strict=False)]
    for k, options in enumerate(found):
        if options != found[0]:
            _refuse(f"{groups[k]} in one layer and {groups[0]} in another")
    tensors = [*module.parameters(), *module.buffers()]
    dtypes = sorted({str(t.dtype).removeprefix("torch.") for t in tensors if t.is_floating_point()})
    if len(dtypes) != 1:
        _refuse(" and ".join(dtypes))
    options = found[0] if found else {}
    biases = [linear.bias is not None for linear in linears]
    bare = "norm" in options and options["norm_position"] == "before"
    usual = biases == [not bare] * len(found) + [True]
    if not usual and len(set(biases)) > 1:
        _refuse("a bias in some Linear layers and none in others")
    try:
        return MLP(widths, bias=None if usual else biases[0], dtype=dtypes[0], **options)
    except (TypeError, ValueError) as error:
        _refuse(f"what an MLP does not take ({error})")


def _options(parts: list[Any], width: int) -> dict[str, Any]:
    """What the MLP takes so that a hidden linear map is followed by these."""
    kinds = [type(part).__name__ for part in parts]
    dropped = kinds[-1:] == ["Dropout"]
    roles = ["norm" if kind in NORMS else "activation" if kind in ACTIVATIONS else kind for kind in kinds]
    if roles[: len(roles) - dropped] not in ORDERS:
        _refuse(f"{parts} in one layer")
    options: dict[str, Any] = {"activation": "identity", "dropout": parts[-1].p if dropped else 0.0}
    for role, kind, part in zip(roles, kinds, parts, strict=True):
        if role == "activation":
            name, option = ACTIVATIONS[kind]
            options |= {"activation": name, "parameter": getattr(part, option) if option else None}
        elif role == "norm":
            _check_norm(part, width)
            options |= {"norm": NORMS[kind], "eps": part.eps}
            options |= {"norm_position": "after" if roles[0] == "activation" else "before"}
            options |= {"momentum": part.momentum} if kind == "BatchNorm1d" else {}
            options |= {"groups": part.num_groups} if kind == "GroupNorm" else {}
    return options


def _check_norm(norm: Any, width: int) -> None:
    """It normalizes the layer's units and has all its arrays."""
    size = getattr(norm, "normalized_shape", None) or (getattr(norm, "num_channels", 0) or norm.num_features,)
    arrays = (norm.weight, norm.bias, *(getattr(norm, name, 0) for name in AVERAGES))
    if tuple(size) != (width,) or any(array is None for array in arrays):
        _refuse(f"{norm} after {width} units")
