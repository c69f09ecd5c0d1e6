"""A network on a data set: a landscape of its parameters."""

from __future__ import annotations

import copy
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from optlab import random
from optlab.backends import Backend, home_of
from optlab.backends.base import Evaluator
from optlab.backends.specs import PRODUCTS, LossSpec
from optlab.checks import integer, real
from optlab.landscape import CompiledLandscape
from optlab.nn.samples import inputs, require_dtype, targets
from optlab.remedies import check_point
from optlab.typing import DType

if TYPE_CHECKING:
    from optlab.nn.mlp import MLP

Array = NDArray[Any]

LOSSES = ("cross_entropy", "mse", "l1", "huber", "binary_cross_entropy", "kl_divergence")
SMOOTHED = ("cross_entropy", "binary_cross_entropy")


class NetworkLandscape(CompiledLandscape):
    """f(θ) = mean loss over the samples + weight_decay/2 |θ|² + l1 |θ|₁, with exact gradients and Hessian products.

    Batch normalization takes its statistics from all samples that are evaluated together, and is differentiated through
    them. Without a step to draw for, nothing is dropped and no noise is added: ``value`` and ``grad`` are those of the
    whole network. Each step of :func:`optlab.descend` draws its own, and :meth:`sample` holds one step's fast.

    The data, NumPy arrays or those of PyTorch or JAX on the CPU, or CuPy arrays for points on the GPU, are neither
    copied nor converted: they must stay as they are while the landscape is in use.

    Args:
        mlp: The network.
        X: Inputs ``(n, widths[0])`` of the network's dtype, finite, in C order.
        y: For "cross_entropy" classes ``(n,)``, int64, or a distribution for each sample ``(n, outputs)``; else
            targets ``(n, outputs)``, or ``(n,)`` where there is one output.
        loss: "cross_entropy" (softmax, mean over samples); "mse", "l1", "huber", "binary_cross_entropy" (of logits),
            mean over samples and outputs; "kl_divergence" (of log-probabilities), mean over samples.
        label_smoothing: s in [0, 1] of the two cross entropies.
        weight_decay: λ >= 0 of λ/2 |θ|², biases and scales included.
        l1: The factor of |θ|₁, >= 0; its slope at 0 is taken as 0.
        jacobian: μ >= 0 of μ/2 times the mean over samples of |∂y/∂x|², all outputs by all inputs; without
            normalization only, which would tie samples together.
        delta: Where Huber's loss turns linear, > 0.
        products: On the GPU, how float32 matrices are multiplied: "float32", "tf32" (10 bits of the factors' fractions)
            or "bf16" (7 bits); sums and parameters are float32 in all of them.

    Raises:
        TypeError: an array has a wrong dtype, or an option a wrong type.
        ValueError: lengths differ, a number is not finite, a label names no output, or an option is out of range.

    Example:
        >>> import numpy as np, optlab as ol
        >>> mlp = ol.nn.MLP([2, 8, 2], activation="tanh", dtype="float64")
        >>> X = np.array([[0.0, 1.0], [1.0, 0.0]])
        >>> f = mlp.on(X, np.array([0, 1]))
        >>> path = ol.descend(f, ol.SGD(lr=0.5), mlp.init(seed=0), steps=100)
        >>> bool(path.value[-1] < 0.1 * path.value[0])
        True
    """

    def __init__(
        self,
        mlp: MLP,
        X: Array,
        y: Array,
        loss: str = "cross_entropy",
        *,
        label_smoothing: float = 0.0,
        weight_decay: float = 0.0,
        l1: float = 0.0,
        jacobian: float = 0.0,
        delta: float = 1.0,
        products: str = "float32",
        frozen: tuple[int, int, int] | None = None,
    ) -> None:
        super().__init__(mlp.dim, [])
        if loss not in LOSSES:
            raise ValueError(f"loss: got {loss!r}, expected one of {', '.join(LOSSES)}")
        if jacobian and mlp.norm is not None:
            raise ValueError(
                f"jacobian: got {jacobian} with norm={mlp.norm!r}, expected a network without normalization"
            )
        self.mlp, self.layout, self.frozen = mlp, mlp.layout, frozen
        if label_smoothing and loss not in SMOOTHED:
            raise ValueError(f"label_smoothing: got {label_smoothing} with the loss {loss!r}, expected 0")
        self.options = LossSpec(
            loss=loss,
            delta=real("delta", delta, 0.0, open_low=True),
            label_smoothing=real("label_smoothing", label_smoothing, 0.0, 1.0),
            weight_decay=real("weight_decay", weight_decay, 0.0),
            l1=real("l1", l1, 0.0),
            jacobian=real("jacobian", jacobian, 0.0),
            products=self._products(products),
        )
        self.X, self.y = inputs(mlp, X), targets(mlp, y, loss)
        self.n_samples = _rows(self.X, self.y)
        self.averages = 2 * mlp.norm_columns
        self.exact_hvp = not jacobian
        self.stochastic = bool(mlp.dropout or mlp.norm_noise) and frozen is None
        self.network = self._network()
        self.start = mlp.init(0).astype(np.float64)

    def _network(self) -> Any:
        """That of the device on which the data are."""
        return self.mlp._network(
            home_of(self.X), self.X, self.y, self.frozen, replace(self.options, products="float32")
        )

    def _products(self, given: str) -> str:
        if given not in PRODUCTS or (given != "float32" and self.mlp.dtype != np.float32):
            raise ValueError(f"products: got {given!r}, expected one of {', '.join(PRODUCTS)}, in float32 networks")
        return given

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "network": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.network = self._network()

    def require(self, dtype: np.dtype[Any], name: str) -> None:
        """See :meth:`Landscape.require`."""
        require_dtype(self.mlp, name, np.empty(0, dtype), dtype)

    def evaluator(self, backend: Backend, dtype: DType) -> Evaluator:
        """See :meth:`Landscape.evaluator`; data in NumPy arrays are copied once to a device that copies back.

        Raises:
            TypeError: the points are not of the network's dtype, or data and points are not in one place.
            ValueError: products of fewer digits are asked for on the CPU.
        """
        self.require(dtype, "x")
        if (key := (backend.device, dtype)) not in self._evaluators:
            X, y = (backend.checked(array, name) for array, name in ((self.X, "X"), (self.y, "y")))
            self._evaluators[key] = self.mlp._network(backend, X, y, self.frozen, self.options).landscape()
        return self._evaluators[key]

    def hvp(self, x: Array, v: Array, batch: Array | None = None) -> Array:
        """The Hessian at x times v, exact: the derivative of the gradient in the direction v.

        Raises:
            ValueError: dropout or noise makes the landscape random; :meth:`sample` gives one that is not.
        """
        if self.stochastic:
            raise ValueError(
                "hvp: got a landscape with dropout or noise, expected a sample of it: f.sample(seed, step, run)"
            )
        if self.options.jacobian:
            raise ValueError("hvp: got a Jacobian penalty, expected none: its curvature is not implemented")
        return super().hvp(x, v, batch)

    def sample(self, seed: int, step: int, run: int = 0, batch_size: int | None = None) -> NetworkLandscape:
        """The landscape that :func:`optlab.descend` sees at one step of one run.

        Args:
            seed: As descend takes it.
            step: The number of the step.
            run: The number of the run.
            batch_size: How many samples are drawn, with replacement; None: all, each once.

        Returns:
            The landscape of that batch, with that step's dropout masks. A mask belongs to a place in what is evaluated
            together, not to a sample: ``batch=`` of such a landscape drops other units than the whole does.
        """
        X, y = self.X, self.y
        if batch_size is not None:
            size = integer("batch_size", batch_size, 1, 2**31)
            index = random.integers(size, len(X), seed, step=step, first_run=run)
            index = home_of(X).upload(index)
            X, y = X[index], y[index]
        frozen = (
            integer("seed", seed, 0, 2**64 - 1),
            integer("step", step, 0, 2**48 - 1),
            integer("run", run, 0, 2**32 - 1),
        )
        return NetworkLandscape(self.mlp, X, y, frozen=frozen, **asdict(self.options))

    def precise(self) -> NetworkLandscape:
        """See :meth:`Landscape.precise`; with noise behind normalization itself, since float64 would draw another."""
        if self.mlp.dtype == np.float64 or self.mlp.norm_noise:
            return self
        mlp = copy.copy(self.mlp)
        mlp.dtype = np.dtype(np.float64)
        X, y = (array.astype(np.float64) if array.dtype == np.float32 else array for array in (self.X, self.y))
        return NetworkLandscape(mlp, X, y, frozen=self.frozen, **asdict(replace(self.options, products="float32")))

    def outputs(self, theta: Array, layer: int = -1) -> Array:
        """What a layer puts out for all samples, ``(n, its width)``: the logits by default, or hidden units.

        Unlike :meth:`MLP.predict`, a sample of a landscape shows the masks and the noise of its step here.

        Raises:
            TypeError: layer is no whole number.
            ValueError: there is no such layer, or theta does not fit.

        Example:
            >>> import numpy as np, optlab as ol
            >>> mlp = ol.nn.MLP([1, 1000, 1], dropout=0.5)
            >>> f, theta = mlp.on(np.ones((1, 1), np.float32), np.ones(1, np.float32), "mse"), mlp.init(seed=0)
            >>> whole, dropped = (np.sum(g.outputs(theta, 0) > 0) for g in (f, f.sample(seed=0, step=0)))
            >>> bool(abs(dropped / whole - 0.5) < 0.1)
            True
        """
        layers = len(self.mlp.widths) - 1
        number = integer("layer", layer, -layers, layers - 1) % layers
        self.mlp._check(theta)
        y = np.empty((len(self.X), self.mlp.widths[number + 1]), self.mlp.dtype)
        self.network.layer_outputs(y, theta, number)
        return y

    def norms(self, theta: Array) -> dict[str, Array]:
        """Frobenius norms of each layer's "outputs" and of the gradient by them, "slopes", over all samples."""
        check_point(theta, "theta")
        found = {name: np.empty(len(self.mlp.widths) - 1, self.mlp.dtype) for name in ("outputs", "slopes")}
        self.network.norms(found["outputs"], found["slopes"], theta)
        return found


def _rows(X: Array, y: Array) -> int:
    if y.ndim == 0 or len(X) != len(y):
        raise ValueError(f"X, y: got shapes {X.shape} and {y.shape}, expected (n, inputs) and n targets")
    for name, array in (("X", X), ("y", y)):
        if array.dtype.kind == "f" and not bool(np.isfinite(array).all()):
            raise ValueError(f"{name}: got a number that is NaN or infinite, expected finite numbers")
    return len(X)
