"""A landscape: a function of one flat parameter vector that knows its own truth where there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from optlab import remedies
from optlab.backends.gpu.device import device, on_gpu
from optlab.backends.gpu.landscape import Surface, check_point, evaluated
from optlab.backends.gpu.place import elsewhere
from optlab.blocks import blocks
from optlab.checks import integer
from optlab.errors import did_you_mean
from optlab.kernels.select import cpu
from optlab.layout import flat
from optlab.random import normal

Array = NDArray[Any]

ALIASES = {"loss": "value", "fun": "value", "forward": "value", "jac": "grad", "backward": "grad"}
"""Names of other libraries, and ours."""


def points(given: ArrayLike | None, dim: int, name: str) -> NDArray[np.float64] | None:
    """Declared points as a read-only (count, dim) array, or None.

    Raises:
        ValueError: the points do not have dim coordinates.
    """
    if given is None:
        return None
    array = np.array(given, np.float64, ndmin=2)
    if array.ndim != 2 or array.shape[1] != dim:
        raise ValueError(f"{name}: got shape {np.shape(given)}, expected (count, {dim})")
    array.flags.writeable = False
    return array


class Landscape:
    """The common face of every landscape.

    Points are float32 or float64 arrays of shape ``(dim,)`` or ``(runs, dim)``; values come back with the runs axis of
    the points, in the points' dtype. Those of CuPy are evaluated on the GPU, to the same bits, where the landscape is
    one of the C++ list.

    Attributes:
        dim: The number of coordinates.
        minima: Global minima, ``(count, dim)``, or None where they are not known in closed form.
        saddles: Strict saddles, ``(count, dim)``, or None.
        minimum: The global minimum value, or None.
        start: The customary starting point ``(dim,)``.
        bounds: The customary box ``(2, dim)``.
        n_samples: The number of terms of a finite sum, else None.
        layout: The segments of x.
        averages: How many numbers are averaged over the batches of a run, as the statistics of batch normalization.
        stochastic: Whether each step draws what :meth:`sample` would freeze, as dropout does.
        exact_hvp: Whether :meth:`hvp` is computed, and not a difference of gradients or missing.
    """

    n_samples: int | None = None
    averages: int = 0
    stochastic: bool = False
    exact_hvp: bool = True
    minimum: float | None = None

    def __init__(
        self,
        dim: int,
        *,
        minima: ArrayLike | None = None,
        saddles: ArrayLike | None = None,
        start: ArrayLike | None = None,
        bounds: ArrayLike | None = None,
        minimum: float | None = None,
    ) -> None:
        self.dim = integer("dim", dim, 1, 2**33)
        self.minima = points(minima, dim, "minima")
        self.saddles = points(saddles, dim, "saddles")
        self.start = np.zeros(dim) if start is None else np.array(start, np.float64).reshape(dim)
        self.bounds = points([np.full(dim, -1.0), np.full(dim, 1.0)] if bounds is None else bounds, dim, "bounds")
        self.minimum = minimum
        self.layout = flat(self.dim)

    def __call__(self, *given: Any, **named: Any) -> NoReturn:
        """Refuses: the name of a method says what is wanted.

        Raises:
            TypeError: always.
        """
        raise TypeError("landscape: got a call f(x), expected f.value(x), f.grad(x) or another method")

    if not TYPE_CHECKING:  # type checkers know the attributes

        def __getattr__(self, name: str) -> Any:
            public = [each for each in dir(self) if not each.startswith("_")]
            hint = "" if name.startswith("_") else did_you_mean(ALIASES.get(name, name), public)
            raise AttributeError(f"{type(self).__name__} has no attribute '{name}'{hint}")

    def value(self, x: Array, batch: Array | None = None) -> Any:
        """f(x): a number for ``(dim,)``, an array ``(runs,)`` for ``(runs, dim)``."""
        raise NotImplementedError

    def grad(self, x: Array, batch: Array | None = None, out: Array | None = None) -> Array:
        """The gradient, of the shape of x, written to ``out`` when given."""
        raise NotImplementedError

    def hvp(self, x: Array, v: Array, batch: Array | None = None) -> Array:
        """The Hessian at x times v, of the shape of x."""
        raise NotImplementedError

    def value_and_grad(self, x: Array, batch: Array | None = None) -> tuple[Any, Array]:
        """``(value, grad)`` at the same point."""
        return self.value(x, batch), self.grad(x, batch)

    def hessian(self, x: Array, batch: Array | None = None) -> Array:
        """The Hessian at each point: ``(dim, dim)`` for ``(dim,)``, ``(runs, dim, dim)`` for ``(runs, dim)``.

        Column by column from :meth:`hvp`, as many columns of all runs in one call as fit into a block, and made
        symmetric: ``(H + Hᵀ) / 2``. A run has the bits that it has alone, where :meth:`hvp` gives it those.

        Args:
            x: The points, float32 or float64, whose dtype the Hessians have; CuPy arrays where :meth:`hvp` takes them.
            batch: The samples of a finite sum, the same for all runs.

        Raises:
            TypeError: x is of another type.
            ValueError: x has other coordinates, or batch is given where there is no sum.

        Example:
            >>> import numpy as np, optlab as ol
            >>> ol.landscapes.StrictSaddle(2).hessian(np.array([[0.0, 0.0], [1.0, 0.0]])).shape
            (2, 2, 2)
        """
        check_point(x, "x")
        xp = device().xp if on_gpu(x) else np
        rows, axes = x.reshape(-1, x.shape[-1]), xp.arange(self.dim)
        columns = xp.empty((len(rows) * self.dim, self.dim), x.dtype)
        for block in blocks(len(columns), self.dim):
            column = xp.arange(block.start, block.stop)
            unit = (column[:, None] % self.dim == axes).astype(x.dtype)
            columns[block] = self.hvp(rows[column // self.dim], unit, batch)
        found: Array = columns.reshape(*x.shape, self.dim)
        return (found + found.swapaxes(-1, -2)) / 2

    def sample(self, seed: int, step: int, run: int = 0, batch_size: int | None = None) -> Landscape:
        """This landscape with its randomness frozen; one without randomness is its own sample."""
        return self

    def precise(self) -> Landscape:
        """The same function for float64 points: itself, where it takes them."""
        return self

    def complex_value(self, z: Array) -> Array | None:
        """F at complex points ``(runs, dim)``, from which :func:`optlab.check_gradient` takes slopes; None without."""
        return None

    def require(self, dtype: np.dtype[Any], name: str) -> None:
        """Refuses a number type that the landscape has no numbers for; most take both.

        Raises:
            TypeError: it has none, named as the argument of that type.
        """

    def surface(self, dtype: np.dtype[Any]) -> Surface:
        """The landscape on the GPU for a number type.

        Raises:
            TypeError: it has no kernel there.
        """
        raise TypeError(
            f"landscape: {type(self).__name__} has no kernel for the GPU, expected a listed one; NumPy arrays, outside "
            'of optlab.device("gpu"), the CPU takes it'
        )


class CompiledLandscape(Landscape):
    """A landscape of the C++ list: ``kind`` names the entry, ``coefficients`` are its float64 arrays.

    One with another compiled function (``_build``) has no ``kind``.
    """

    kind: str | None = None

    def __init__(self, dim: int, coefficients: list[Array], rotation: Array | None = None, **truth: Any) -> None:
        super().__init__(dim, **truth)
        self.coefficients = coefficients
        self.rotation = rotation
        self._handles: dict[Any, Any] = {}
        self._surfaces: dict[Any, Surface] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_handles": {}, "_surfaces": {}}

    def _build(self, kernels: Any) -> Any:
        return kernels.listed(self.kind, self.dim, self.coefficients, self.rotation)

    def handle(self, dtype: np.dtype[Any]) -> Any:
        """The compiled landscape for a number type, built once."""
        if dtype not in self._handles:
            self._handles[dtype] = self._build(cpu.Landscape32 if dtype == np.float32 else cpu.Landscape64)
        return self._handles[dtype]

    def surface(self, dtype: np.dtype[Any]) -> Surface:
        """See :meth:`Landscape.surface`; built once for each device."""
        if self.kind is None:
            return super().surface(dtype)
        if (key := (device(), dtype)) not in self._surfaces:
            room = self.handle(dtype).room
            self._surfaces[key] = Surface(self.kind, self.dim, room, self.coefficients, self.rotation, dtype)
        return self._surfaces[key]

    def value(self, x: Array, batch: Array | None = None) -> Any:
        """See :meth:`Landscape.value`."""
        if elsewhere(x):
            return _single(x, evaluated(self.surface, x, batch, value=True)["value"])
        return self._value(x, batch, None)

    def _value(self, x: Array, batch: Array | None, grad: Array | None) -> Any:
        remedies.check_point(x, "x")
        value = np.empty(x.shape[0] if x.ndim == 2 else 1, x.dtype)
        self.handle(x.dtype).evaluate(x, value=value, grad=grad, batch=batch)
        return value if x.ndim == 2 else value[0]

    def grad(self, x: Array, batch: Array | None = None, out: Array | None = None) -> Array:
        """See :meth:`Landscape.grad`."""
        if elsewhere(x):
            found: Array = evaluated(self.surface, x, batch, grad=True, out=out)["grad"]
            return found
        remedies.check_point(x, "x")
        grad = np.empty_like(x) if out is None else out
        self.handle(x.dtype).evaluate(x, grad=grad, batch=batch)
        return grad

    def value_and_grad(self, x: Array, batch: Array | None = None) -> tuple[Any, Array]:
        """See :meth:`Landscape.value_and_grad`; one pass over the data."""
        if elsewhere(x):
            made = evaluated(self.surface, x, batch, value=True, grad=True)
            return _single(x, made["value"]), made["grad"]
        remedies.check_point(x, "x")
        grad = np.empty_like(x)
        return self._value(x, batch, grad), grad

    def hvp(self, x: Array, v: Array, batch: Array | None = None) -> Array:
        """See :meth:`Landscape.hvp`; exact, by dual numbers through the gradient."""
        if elsewhere(x):
            found: Array = evaluated(self.surface, x, batch, v=v)["hvp"]
            return found
        remedies.check_point(x, "x")
        out = np.empty_like(x)
        self.handle(x.dtype).evaluate(x, hvp=out, v=v, batch=batch)
        return out


def _single(x: Array, value: Array) -> Any:
    if x.ndim == 2:
        return value
    return value.reshape(()) if on_gpu(value) else value[0]


def random_rotation(dim: int, seed: int) -> NDArray[np.float64]:
    """A random orthogonal matrix, uniform over the orthogonal group: the same bits on every machine.

    Example:
        >>> import numpy as np
        >>> q = random_rotation(3, seed=0)
        >>> bool(np.allclose(q @ q.T, np.eye(3), atol=1e-15))
        True
    """
    dim, seed = integer("dim", dim, 1, 2**16), integer("seed", seed, 0, 2**64 - 1)
    q = normal((dim, dim), seed, stream=cpu.streams["INIT"])
    cpu.orthonormalize_rows(q)
    return q


def rotation_matrix(given: ArrayLike | int | None, dim: int) -> NDArray[np.float64] | None:
    """None, the random rotation of a seed, or a given orthogonal matrix.

    Raises:
        ValueError: the matrix is not (dim, dim) or not orthogonal to 1e-10.
    """
    if given is None:
        return None
    if isinstance(given, int | np.integer):
        return random_rotation(dim, int(given))
    q = np.ascontiguousarray(given, np.float64)
    if q.shape != (dim, dim):
        raise ValueError(f"rotation: got shape {q.shape}, expected ({dim}, {dim})")
    if not np.allclose(q @ q.T, np.eye(dim), atol=1e-10):
        raise ValueError("rotation: got a matrix that is not orthogonal, expected Q Q^T = I to 1e-10")
    return q


def rotated(given: Array, rotation: Array | None) -> Array:
    """Rows z as points x = Q z of the rotated landscape."""
    return given if rotation is None else given @ rotation.T
