"""What follows a product: bias, activation and dropout, on the GPU.

The functions named as in :mod:`optlab.ops` are those of that module; the others are the parts of a linear layer, which
allocate nothing where ``out``/``scratch`` are given, so that a CUDA graph can capture them: there, a
:class:`Follow` with ``graph`` draws the mask of the step that is taken.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from optlab import checks
from optlab.backends.gpu import columns
from optlab.backends.gpu.call import Call
from optlab.backends.gpu.device import device, kernel
from optlab.kernels.select import cpu

Array = Any
DROPOUT: int = cpu.streams["DROPOUT"]
FILE = "dense.cu"
UNIT = 4
"""Elements of a thread: a block of the mask."""

PARAMETERS = {"leaky_relu": ("negative_slope", 0.01, 0.0, False), "elu": ("alpha", 1.0, 0.0, True)}
"""Of the activations that have one: its name, default and least value, and whether that is left out."""


class Follow(NamedTuple):
    """Activation and dropout, checked.

    ``base`` is the number of the array's first element among all that are drawn at the address; inside of a captured
    graph, ``graph`` says on the device which step is taken (``StepCounter`` of ``cuda/grid.cuh``).
    """

    activation: str = "identity"
    parameter: float = 0.0
    p: float = 0.0
    seed: int = 0
    stream: int = DROPOUT
    step: int = 0
    run: int = 0
    base: int = 0
    graph: Array | None = None

    @property
    def identity(self) -> bool:
        """Whether nothing follows."""
        return self.activation == "identity" and self.p == 0

    def arguments(self, dtype: Any) -> list[Any]:
        """Of a kernel."""
        real = np.dtype(dtype).type
        threshold = math.ceil(self.p * 2**24) if self.p > 0 else -1
        numbers = [real(self.parameter), real(1 / (1 - self.p)), real(1 - self.p)]
        return [*numbers, threshold, self.run, self.stream, np.uint64(self.seed), self.base, self.step, self.graph]

    def kernel(self, name: str, real: str) -> Any:
        """The instantiation for this activation."""
        return kernel(FILE, f"optlab::{name}<optlab::activations::{self.activation}, {real}>")


def follow(activation: Any, parameter: Any = None, dropout: Any = None, elements: int = 0, name: str = "y") -> Follow:
    """The options as the functions of :mod:`optlab.ops` take them.

    Raises:
        TypeError: an option has the wrong type.
        ValueError: one is out of range.
    """
    if not isinstance(activation, str):
        raise TypeError(f"activation: got {activation!r}, expected a name")
    if activation not in cpu.activations:
        raise ValueError(f"activation: got '{activation}', expected one of {', '.join(cpu.activations)}")
    number = _parameter(activation, parameter)
    if dropout is None:
        return Follow(activation, number)
    if not isinstance(dropout, tuple) or len(dropout) != 5:
        raise TypeError(f"dropout: got {dropout!r}, expected None or ops.Dropout(p, seed, ...)")
    p, seed, stream, step, run = dropout
    if elements > 2**34:
        raise ValueError(f"{name}: got {elements} elements, expected at most 2**34")
    return Follow(
        activation,
        number,
        checks.real("p", p, 0, 1, open_high=True),
        checks.integer("seed", seed, 0, 2**64 - 1),
        checks.integer("stream", stream, 0, 2**16 - 1),
        checks.integer("step", step, 0, 2**48 - 1),
        checks.integer("run", run, 0, 2**32 - 1),
    )


def _parameter(activation: str, given: Any) -> float:
    named = PARAMETERS.get(activation)
    if given is None:
        return named[1] if named else 0.0
    if named is None:
        raise ValueError(f"parameter: got {given!r}, expected None, since {activation} has no parameter")
    return checks.real("parameter", given, named[2], open_low=named[3])


def grid(elements: int) -> tuple[int]:
    """Blocks for so many elements; more than a card holds at once would only be more to start."""
    return (min(columns.ceil_div(elements, columns.THREADS * UNIT), device().processors() * 32),)


def launch_flat(name: str, of: Follow, real: str, blocks: int, arguments: list[Any], dtype: Any) -> None:
    """Launches a kernel over a flat array of so many elements."""
    device().launch(of.kernel(name, real), grid(blocks), (columns.THREADS,), [*arguments, *of.arguments(dtype)])


def forward(z: Array, bias: Array | None, of: Follow, y: Array) -> None:
    """``y = m f(z + b)``, all gated; y may be z."""
    a = [y, z, bias, z.size, z.shape[-1]]
    launch_flat("dense_forward", of, cpp(z), z.size, a, z.dtype)


def slope(dot: Array, bias_dot: Array | None, y: Array, of: Follow, out: Array) -> None:
    """``out = m f'(z) (dot + b_dot)``, all gated; out may be dot."""
    launch_flat("dense_slope", of, cpp(y), y.size, [out, dot, bias_dot, y, y.size, y.shape[-1]], y.dtype)


def cpp(array: Array) -> str:
    """The C++ name of a gated array's dtype."""
    return "float" if array.dtype == np.float32 else "double"


def scratch_numbers(rows: int, features: int, dtype: Any) -> int:
    """How many numbers of room :func:`backward` and :func:`backward_tangent` need; 0 where rows are few."""
    return columns.plan(rows, features, np.dtype(dtype).itemsize).numbers(1, 1)


def backward(dz: Array, dbias: Array, dy: Array, y: Array, of: Follow, scratch: Array) -> None:
    """``dz = m f'(z) dy`` and the sums of its columns, all gated."""
    _summed("dense_backward", [dz, dbias, dy, y], y, of, scratch, 2)


def backward_tangent(
    dz_dot: Array,
    dz: Array,
    dbias_dot: Array,
    dy_dot: Array,
    y_dot: Array,
    dy: Array,
    y: Array,
    of: Follow,
    scratch: Array,
) -> None:
    """``dz_dot = m (f'(z) dy_dot + f''(z) z_dot dy)`` with the sums of its columns, and dz, all gated."""
    _summed("dense_backward_tangent", [dz_dot, dz, dbias_dot, dy_dot, y_dot, dy, y], y, of, scratch, 4)


def _summed(name: str, arrays: list[Array], y: Array, of: Follow, scratch: Array, reads: int) -> None:
    size = int(y.dtype.itemsize)
    columns.launch(
        of.kernel(name, cpp(y)),
        [*arrays, *of.arguments(y.dtype)],
        columns.plan(int(y.shape[0]), int(y.shape[1]), size),
        scratch,
        quantities=1,
        itemsize=size,
        reads=reads,
        applies=False,
    )


class Flat(Call):
    """The arrays of an element-wise call, all of the shape of the first."""

    def __init__(self, out: Any, name: str, *given: tuple[Array, str]) -> None:
        super().__init__(out, (name,), given[0])
        shape = tuple(given[0][0].shape)
        if not shape:
            raise ValueError(f"{given[0][1]}: got a 0-dimensional array, expected at least one axis")
        self.arrays = [self.take(array, array_name, shape) for array, array_name in given]
        self.result = self.out(shape)
        self.check()

    def run(self, name: str, of: Follow, arguments: list[Any]) -> Array:
        """Launches a kernel and returns the result."""
        launch_flat(name, of, self.real, self.result.size, arguments, self.dtype)
        return self.result


def activation_forward(x: Array, activation: str, parameter: float | None = None, out: Array | None = None) -> Array:
    """See :func:`optlab.ops.activation_forward`."""
    of, a = follow(activation, parameter), Flat(out, "y", (x, "x"))
    return a.run("dense_forward", of, [a.result, *a.arrays, None, a.result.size, 1])


def activation_backward(
    dy: Array, y: Array, activation: str, parameter: float | None = None, out: Array | None = None
) -> Array:
    """See :func:`optlab.ops.activation_backward`."""
    of, a = follow(activation, parameter), Flat(out, "dx", (dy, "dy"), (y, "y"))
    return a.run("dense_slope", of, [a.result, a.arrays[0], None, a.arrays[1], a.result.size, 1])


def activation_forward_tangent(
    x_dot: Array, y: Array, activation: str, parameter: float | None = None, out: Array | None = None
) -> Array:
    """See :func:`optlab.ops.activation_forward_tangent`."""
    of, a = follow(activation, parameter), Flat(out, "y_dot", (x_dot, "x_dot"), (y, "y"))
    return a.run("dense_slope", of, [a.result, a.arrays[0], None, a.arrays[1], a.result.size, 1])


def activation_backward_tangent(
    dy_dot: Array,
    y_dot: Array,
    dy: Array,
    y: Array,
    activation: str,
    parameter: float | None = None,
    out: Array | None = None,
) -> Array:
    """See :func:`optlab.ops.activation_backward_tangent`."""
    of = follow(activation, parameter)
    a = Flat(out, "dx_dot", (dy_dot, "dy_dot"), (y_dot, "y_dot"), (dy, "dy"), (y, "y"))
    return a.run("dense_bend", of, [a.result, *a.arrays, a.result.size])


def dropout(
    x: Array, name: str, p: float, seed: int, stream: int, step: int, run: int, out: Array | None = None
) -> Array:
    """See :func:`optlab.ops.dropout_forward`; `name` is that of x."""
    a = Flat(out, {"x": "y", "dy": "dx", "x_dot": "y_dot", "dy_dot": "dx_dot"}[name], (x, name))
    of = follow("identity", None, (p, seed, stream, step, run), a.result.size, name)
    return a.run("dense_forward", of, [a.result, *a.arrays, None, a.result.size, 1])
