"""A landscape: a function of one flat parameter vector that knows its own truth where there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from optlab.backends import Backend, of
from optlab.backends.base import Evaluator, Evaluators
from optlab.backends.current import array_module, on_gpu
from optlab.blocks import blocks
from optlab.checks import integer
from optlab.errors import did_you_mean
from optlab.kernels.select import cpu
from optlab.layout import flat
from optlab.random import normal
from optlab.typing import Array, DType

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
    the points, in the points' dtype. Those of CuPy are evaluated on the GPU: of the C++ list and of least squares to
    the same bits, of networks within rounding, of Python functions by these.

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
        of(x).check_point(x, "x")
        xp = array_module(x)
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

    def require(self, dtype: DType, name: str) -> None:
        """Refuses a number type that the landscape has no numbers for; most take both.

        Raises:
            TypeError: it has none, named as the argument of that type.
        """

    def evaluator(self, backend: Backend, dtype: DType) -> Evaluator | None:
        """What a backend computes the landscape by in a number type; None where that is done by its own methods."""
        return None


class CompiledLandscape(Landscape):
    """A landscape of the C++ list: ``kind`` names the entry, ``coefficients`` are its float64 arrays.

    One with another compiled function (``_build``) has no ``kind``.
    """

    kind: str | None = None

    def __init__(self, dim: int, coefficients: list[Array], rotation: Array | None = None, **truth: Any) -> None:
        super().__init__(dim, **truth)
        self.coefficients = coefficients
        self.rotation = rotation
        self._evaluators: dict[tuple[object, DType], Evaluator] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_evaluators": {}}

    def _build(self, evaluators: Evaluators) -> Evaluator:
        assert self.kind is not None
        return evaluators.listed(self.kind, self.dim, self.coefficients, self.rotation)

    def evaluator(self, backend: Backend, dtype: DType) -> Evaluator:
        """See :meth:`Landscape.evaluator`; made once for each device and number type."""
        if (key := (backend.device, dtype)) not in self._evaluators:
            self._evaluators[key] = self._build(backend.evaluators(dtype))
        return self._evaluators[key]

    def _evaluate(self, x: Array, batch: Array | None, v: Array | None = None, **results: Array) -> None:
        """Fills the results, which :meth:`value`, :meth:`grad` and :meth:`hvp` have made for x."""
        backend = of(x)
        if batch is not None:
            if self.n_samples is None:
                raise ValueError("batch: got indices, but this landscape is not a finite sum")
            batch = backend.checked(batch, "batch")
        if v is not None:
            backend.check_point(v, "v")
            v = backend.checked(v, "v")
        self.evaluator(backend, x.dtype).evaluate(backend.checked(x, "x"), v=v, batch=batch, **results)

    def value(self, x: Array, batch: Array | None = None) -> Any:
        """See :meth:`Landscape.value`."""
        backend = of(x)
        backend.check_point(x, "x")
        value = backend.empty(_runs(x), x.dtype)
        self._evaluate(x, batch, value=value)
        return single(x, backend.returned(value))

    def grad(self, x: Array, batch: Array | None = None, out: Array | None = None) -> Array:
        """See :meth:`Landscape.grad`."""
        backend = of(x)
        backend.check_point(x, "x")
        grad = backend.result(x, out)
        self._evaluate(x, batch, grad=grad)
        return backend.returned(grad, out)

    def value_and_grad(self, x: Array, batch: Array | None = None) -> tuple[Any, Array]:
        """See :meth:`Landscape.value_and_grad`; one pass over the data."""
        backend = of(x)
        backend.check_point(x, "x")
        value, grad = backend.empty(_runs(x), x.dtype), backend.result(x, None)
        self._evaluate(x, batch, value=value, grad=grad)
        return single(x, backend.returned(value)), backend.returned(grad)

    def hvp(self, x: Array, v: Array, batch: Array | None = None) -> Array:
        """See :meth:`Landscape.hvp`; exact, by dual numbers through the gradient."""
        backend = of(x)
        backend.check_point(x, "x")
        product = backend.result(x, None)
        self._evaluate(x, batch, v, hvp=product)
        return backend.returned(product)


def _runs(x: Array) -> int:
    return x.shape[0] if x.ndim == 2 else 1


def single(x: Array, value: Array) -> Any:
    """The values of points as the caller gets them: of one point, a number."""
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
