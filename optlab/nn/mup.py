"""μP, the maximal update parametrization: initial sizes and learning rates that keep the best ones across widths."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from optlab import optim
from optlab.checks import integer
from optlab.layout import Layout, Segment
from optlab.nn.init import DefazioBottou, Initializer, Zeros
from optlab.nn.init.initializer import ByFans
from optlab.nn.init.plain import Normal
from optlab.optim import Optimizer
from optlab.optim.rule import scaling, values_of

if TYPE_CHECKING:
    from optlab.nn.mlp import MLP


class Growth(NamedTuple):
    """How many times as wide as in the base network a segment's layer is: its inputs, and its units."""

    inputs: float
    units: float


def checked_base(widths: tuple[int, ...], given: Sequence[int] | None) -> tuple[int, ...]:
    """The widths of the base network.

    Raises:
        TypeError: they are no sequence of whole numbers.
        ValueError: there are not as many as widths, or inputs or outputs differ: only hidden layers grow.
    """
    if given is None:
        raise ValueError("base_widths: got None, expected the widths of the base network for parametrization='mup'")
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise TypeError(f"base_widths: got {given!r}, expected {len(widths)} whole numbers: inputs, ..., outputs")
    base = tuple(integer("base_widths", width, 1, 2**24) for width in given)
    if len(base) != len(widths) or (base[0], base[-1]) != (widths[0], widths[-1]):
        raise ValueError(
            f"base_widths: got {list(base)}, expected {len(widths)} widths with {widths[0]} inputs and {widths[-1]} "
            "outputs, as widths has"
        )
    return base


def checked_init(given: Initializer) -> Initializer:
    """The initializer of the weights, if multiplying its numbers does what μP means.

    Raises:
        ValueError: its numbers depend on each other, on both fans, or have a mean.
    """
    # Defazio and Bottou's choice balances neighbouring layers, which another size of one of them would undo.
    known = isinstance(given, ByFans | Normal | Zeros) and not isinstance(given, DefazioBottou)
    if not known or (isinstance(given, Normal) and given.mean):
        raise ValueError(
            f"init: got {given!r} with parametrization='mup', expected independent numbers of mean 0, as of "
            "'kaiming_normal', 'xavier_uniform', 'torch_default' or Normal(std)"
        )
    return given


def base_layout(mlp: MLP) -> Layout:
    """The layout with the fans of the base network, by which an initializer draws."""
    base = cast("tuple[int, ...]", mlp.base_widths)
    return tuple(replace(s, fan_in=base[layer(s)], fan_out=base[layer(s) + 1]) for s in mlp.layout)


def shrink(mlp: MLP, theta: NDArray[Any]) -> None:
    """Divides weights, drawn with the base network's size, by √(growth of the inputs), of the last layer by all of it.

    The variance of hidden weights then falls as 1/n, that of the readout's as 1/n².
    """
    last = len(mlp.widths) - 2
    for segment in mlp.layout:
        if segment.kind == "weight":
            power = 1.0 if layer(segment) == last else 0.5
            theta[..., segment.offset : segment.offset + segment.size] *= growth(mlp, segment).inputs ** -power


def layer(segment: Segment) -> int:
    """The number of the layer that a segment belongs to."""
    return int(segment.name.split(".")[1])


def growth(mlp: MLP, segment: Segment) -> Growth:
    """By how much the segment's layer is wider than in the base network; one input feeds a bias, a scale, a shift."""
    base, k = cast("tuple[int, ...]", mlp.base_widths), layer(segment)
    inputs, units = (width / small for width, small in zip(mlp.widths[k : k + 2], base[k : k + 2], strict=True))
    return Growth(inputs if segment.kind == "weight" else 1.0, units)


def per_layer(mlp: MLP, opt: Optimizer) -> Optimizer:
    """The optimizer with a learning rate for each segment; see :meth:`optlab.nn.MLP.per_layer`."""
    if scaling(type(opt)) is None:
        names = ", ".join(name for name in optim.__all__ if scaling(getattr(optim, name)))
        raise ValueError(f"optimizer: got {type(opt).__name__}, expected one that μP has learning rates for: {names}")
    return replace(opt, groups={s.name: dict(_settings(opt, s, growth(mlp, s))) for s in mlp.layout})


def _settings(opt: Optimizer, segment: Segment, grown: Growth) -> Iterator[tuple[str, Any]]:
    """What one segment's group says, the optimizer's own group for it included."""
    values = {**values_of(opt), **_own(opt, segment)}
    adam = scaling(type(opt)) == "invariant"
    factor = 1 / grown.inputs if adam else grown.units / grown.inputs
    decay = values.get("weight_decay", 0.0)
    if adam and np.any(np.asarray(decay) != 0) and not opt.decoupled_weight_decay:
        raise ValueError(
            f"weight_decay: got {decay!r} inside the gradient of {type(opt).__name__}, which is not the same at every "
            "width; expected decoupled_weight_decay=True"
        )
    yield from _own(opt, segment).items()
    yield "lr", _times(values["lr"], factor)
    if "weight_decay" in values:
        # A step takes lr · weight_decay of a weight, which must not change with the width.
        yield "weight_decay", _times(decay, 1 / factor)
    if "eps" in values:
        # Gradients by the weights and biases of a unit fall as 1/n, so what is added to their size must.
        yield "eps", _times(values["eps"], 1 / grown.units)


def _own(opt: Optimizer, segment: Segment) -> Mapping[str, Any]:
    groups = cast("tuple[tuple[str, tuple[tuple[str, Any], ...]], ...]", opt.groups)
    return dict(next((given for pattern, given in groups if fnmatch.fnmatchcase(segment.name, pattern)), ()))


def _times(value: Any, factor: float) -> Any:
    """A hyperparameter, one or one per run, times a number."""
    return tuple(number * factor for number in value) if isinstance(value, tuple) else value * factor
