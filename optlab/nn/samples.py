"""Inputs and targets as a network takes them, and what to do with those that it does not."""

from __future__ import annotations

import numbers
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from optlab.nn.adopt import adopt
from optlab.remedies import conversion

if TYPE_CHECKING:
    from optlab.nn.mlp import MLP

Array = NDArray[Any]

CLASSES = "int64"


def require_dtype(mlp: MLP, name: str, given: Any, dtype: np.dtype[Any]) -> None:
    """Refuses the numbers of an array that have another type than those of the network.

    Raises:
        TypeError: they have.
    """
    if dtype == mlp.dtype:
        return
    other = f" (or MLP(dtype='{dtype}'))" if name == "X" and dtype in (np.float32, np.float64) else ""
    remedy = conversion(name, given, mlp.dtype.name)
    raise TypeError(f"{name}: got dtype {dtype}, expected {mlp.dtype}, the network's{remedy}{other}")


def inputs(mlp: MLP, given: Any) -> Array:
    """The inputs themselves, or a view of another library's.

    Raises:
        TypeError: they are no array, or of another dtype than the network.
        ValueError: they are not (n, inputs).
    """
    X = adopt("X", given, mlp.dtype.name)
    require_dtype(mlp, "X", given, X.dtype)
    if X.ndim != 2 or X.shape[1] != mlp.widths[0]:
        hint = _rows_of(X.shape, mlp.widths[0])
        raise ValueError(f"X: got shape {tuple(X.shape)}, expected (n, {mlp.widths[0]}){hint}")
    return X


def _rows_of(shape: tuple[int, ...], width: int) -> str:
    if len(shape) > 2 and np.prod(shape[1:]) == width:
        return "; X.reshape(len(X), -1) makes a row of each sample"
    if len(shape) == 1 and width in (1, shape[0]):
        return (
            f"; X.reshape({'-1, 1' if width == 1 else '1, -1'}) makes {'rows of one input' if width == 1 else 'a row'}"
        )
    return ""


def targets(mlp: MLP, given: Any, loss: str) -> Array:
    """The targets themselves, or a view of another library's; with an axis of outputs unless they are classes.

    Raises:
        TypeError: they are no array, or of another dtype than the loss takes.
        ValueError: their shape does not go with the loss.
    """
    outputs, entropy = mlp.widths[-1], loss == "cross_entropy"
    y = adopt("y", given, CLASSES if entropy and _countable(given) else mlp.dtype.name)
    if entropy and y.ndim == 2 and y.shape[1] == 1 < outputs:
        both = f"classes (n,) or a distribution for each sample (n, {outputs})"
        raise ValueError(f"y: got shape {tuple(y.shape)}, expected {both}; y.ravel() makes classes of a column")
    if entropy and y.ndim == 1:
        _require_classes(given, y)
        return y
    if y.ndim == 1 and outputs != 1:
        raise ValueError(f"y: got shape {tuple(y.shape)}, expected (n, {outputs}) for the loss {loss!r}")
    require_dtype(mlp, "y", given, y.dtype)
    return y.reshape(-1, 1) if y.ndim == 1 else y


def _countable(given: Any) -> bool:
    """Whether what is no array of ours may hold a whole number for each sample."""
    if isinstance(given, list | tuple):
        return all(isinstance(label, numbers.Integral) for label in given)
    return getattr(given, "ndim", 1) == 1


def _require_classes(given: Any, y: Array) -> None:
    if y.dtype == np.int64:
        return
    if y.dtype.kind in "USO":
        remedy = "; np.unique(y, return_inverse=True)[1] numbers them"
    elif y.dtype.kind == "f" and not bool((y % 1 == 0).all()):
        remedy = "; loss='mse' takes targets that are no classes"
    else:
        remedy = conversion("y", given, CLASSES)
    raise TypeError(f"y: got dtype {y.dtype}, expected int64, the classes that 'cross_entropy' takes{remedy}")
