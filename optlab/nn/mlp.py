"""A multilayer perceptron as a function of one flat parameter vector."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from optlab.backends import Backend, home_of
from optlab.backends.specs import Frozen, LayerSpec, LossSpec, NetworkSpec
from optlab.checks import integer, real
from optlab.layout import Layout, Segment
from optlab.nn import mup, samples
from optlab.nn.init import Initializer, fill, resolve
from optlab.nn.landscape import NetworkLandscape
from optlab.optim import Optimizer

if TYPE_CHECKING:
    import torch

Array = NDArray[Any]
NORMS = (None, "batch", "layer", "group")


class NormStatistics(NamedTuple):
    """Mean and variance of every column that batch normalization normalizes, layer after layer."""

    mean: Array
    var: Array


class MLP:
    """y = W_L h_{L−1} + b_L with h_l = dropout(f(norm(W_l h_{l−1} + b_l))), h_0 = x.

    The parameters are one flat vector, so that a network on data is a landscape like any other (:meth:`on`). Its
    segments are named as PyTorch would name them: ``layers.0.weight`` (out, in), ``layers.0.bias``,
    ``layers.0.norm.weight``, ``layers.0.norm.bias``.

    Args:
        widths: Inputs, hidden units of each layer, outputs; at least two whole numbers >= 1.
        activation: A name that :func:`optlab.ops.activation_forward` takes.
        norm: None, "batch", "layer" or "group", with scale and shift, in every hidden layer.
        norm_position: "before" or "after" the activation.
        dropout: The probability with which a hidden unit's output is dropped at each step of training, in [0, 1); kept
            ones are divided by 1 − p.
        bias: Whether linear maps have one; None: where no normalization follows, which would take it away again.
        init: The initializer of the weights, or its name (:mod:`optlab.nn.init`).
        dtype: "float32" or "float64".
        bias_init: The initializer of the biases.
        parameter: The activation's parameter, where it has one (slope of leaky ReLU, α of ELU).
        eps: What normalization adds to the variance.
        groups: How many groups of consecutive units group normalization makes of a layer.
        momentum: The share of a new batch in the running averages of batch normalization (PyTorch's convention).
        parametrization: "standard", or "mup", with which the best learning rate is the same at every width: weights
            begin as in the network of ``base_widths``, divided by √(n/n₀), in the last layer by n/n₀, for n/n₀ times as
            many inputs; :meth:`per_layer` has the learning rates.
        base_widths: For "mup": the widths at which it is the standard parametrization; inputs and outputs are the same.
        norm_noise: (shift, scale, spread) of noise behind every normalization, y ← s y + m at each step of training:
            s = s_unit + spread ξ and m = m_unit + spread u for each sample, ξ normal, u uniform on [−1, 1), with
            s_unit uniform on [1, scale) and m_unit on [−shift, shift) for each unit (Santurkar et al. 2018, who take
            (0.5, 1.25, 0.1)). Drawn from the stream NORM_NOISE.

    Raises:
        TypeError: an argument is of the wrong type.
        ValueError: an argument is out of range, a name is unknown, or "mup" cannot scale what ``init`` draws.

    Example:
        >>> mlp = MLP([784, 512, 512, 10])
        >>> mlp.dim
        669706
        >>> theta = mlp.init(seed=0)
        >>> mlp.views(theta)["layers.1.weight"].shape
        (512, 512)

    References:
        "mup": Yang, Hu et al., "Tensor programs V: tuning large neural networks via zero-shot hyperparameter transfer",
        2021, table 3, in the form without multipliers.
    """

    def __init__(
        self,
        widths: Sequence[int],
        activation: str = "relu",
        norm: str | None = None,
        norm_position: str = "before",
        dropout: float = 0.0,
        bias: bool | None = None,
        init: str | Initializer = "kaiming_normal",
        dtype: str = "float32",
        *,
        bias_init: str | Initializer = "zeros",
        parameter: float | None = None,
        eps: float = 1e-5,
        momentum: float = 0.1,
        groups: int | None = None,
        parametrization: str = "standard",
        base_widths: Sequence[int] | None = None,
        norm_noise: tuple[float, float, float] | None = None,
    ) -> None:
        if isinstance(widths, str) or not isinstance(widths, Sequence) or len(widths) < 2:
            raise ValueError(f"widths: got {widths!r}, expected at least two whole numbers: inputs, ..., outputs")
        self.widths = tuple(integer("widths", width, 1, 2**24) for width in widths)
        self.activation = activation
        self.norm = _one_of("norm", norm, NORMS)
        self.norm_position = _one_of("norm_position", norm_position, ("before", "after"))
        self.dropout = real("dropout", dropout, 0.0, 1.0, open_high=True)
        if bias not in (None, True, False):
            raise TypeError(f"bias: got {bias!r}, expected None, True or False")
        self.bias = bias
        self.weight_init, self.bias_init = resolve(init), resolve(bias_init)
        self.dtype = np.dtype(_one_of("dtype", dtype, ("float32", "float64")))
        self.parameter = parameter
        self.eps = real("eps", eps, 0.0)
        self.momentum = real("momentum", momentum, 0.0, 1.0)
        self.groups = self._checked_groups(groups)
        self.parametrization = _one_of("parametrization", parametrization, ("standard", "mup"))
        self.base_widths = self._checked_base(base_widths)
        self.norm_noise = self._checked_noise(norm_noise)
        self.layout: Layout = tuple(self._segments())
        self.dim = integer("widths", sum(segment.size for segment in self.layout), 1, 2**31)
        self.norm_columns = sum(self.widths[1:-1]) if norm == "batch" else 0
        self._network(home_of(None), None, None, None, LossSpec())  # the activation and its parameter are checked there

    def _checked_groups(self, groups: int | None) -> int | None:
        if self.norm != "group" and groups is not None:
            raise ValueError(f"groups: got {groups} with norm={self.norm!r}, expected None, or norm='group'")
        if self.norm != "group":
            return None
        if groups is None:
            raise ValueError("groups: got None, expected how many groups each hidden layer has, for norm='group'")
        groups = integer("groups", groups, 1, 2**24)
        for width in self.widths[1:-1]:
            if width % groups:
                raise ValueError(f"groups: got {groups}, expected a divisor of the {width} units of a hidden layer")
        return groups

    def _checked_base(self, given: Sequence[int] | None) -> tuple[int, ...] | None:
        if self.parametrization == "mup":
            mup.checked_init(self.weight_init)
            return mup.checked_base(self.widths, given)
        if given is not None:
            raise ValueError(f"base_widths: got {given} with parametrization='standard', expected None, or 'mup'")
        return None

    def _checked_noise(self, given: tuple[float, float, float] | None) -> tuple[float, float, float] | None:
        if given is None:
            return None
        if self.norm is None:
            raise ValueError(f"norm_noise: got {given} without normalization, expected a norm, behind which it stands")
        if not isinstance(given, tuple) or len(given) != 3:
            raise TypeError(f"norm_noise: got {given!r}, expected (shift, scale, spread)")
        shift, scale, spread = given
        return (
            real("norm_noise: shift", shift, 0.0),
            real("norm_noise: scale", scale, 1.0),
            real("norm_noise: spread", spread, 0.0),
        )

    def _segments(self) -> Iterator[Segment]:
        offset = 0

        def segment(name: str, shape: tuple[int, ...], kind: str, fans: tuple[int, int]) -> Segment:
            nonlocal offset
            made = Segment(name, offset, shape, kind, *fans)
            offset += made.size
            return made

        for k, (inputs, outputs) in enumerate(zip(self.widths, self.widths[1:], strict=False)):
            name, fans, hidden = f"layers.{k}", (inputs, outputs), k < len(self.widths) - 2
            yield segment(f"{name}.weight", (outputs, inputs), "weight", fans)
            before = hidden and self.norm is not None and self.norm_position == "before"
            if self.bias or (self.bias is None and not before):
                yield segment(f"{name}.bias", (outputs,), "bias", fans)
            if hidden and self.norm is not None:
                yield segment(f"{name}.norm.weight", (outputs,), "scale", fans)
                yield segment(f"{name}.norm.bias", (outputs,), "shift", fans)

    def init(self, seed: int, runs: int | None = None, first_run: int = 0) -> Array:
        """The first parameters: ``(dim,)``, or ``(runs, dim)`` with a network in each row.

        Example:
            >>> import numpy as np
            >>> mlp = MLP([2, 3, 1])
            >>> bool((mlp.init(seed=0, runs=2)[1] == mlp.init(seed=0, first_run=1)).all())
            True
        """
        count = 1 if runs is None else integer("runs", runs, 1, 2**32 - 1)
        theta = np.empty((count, self.dim), self.dtype)
        layout = self.layout if self.base_widths is None else mup.base_layout(self)
        fill(theta, layout, weight=self.weight_init, bias=self.bias_init, seed=seed, first_run=first_run)
        if self.base_widths is not None:
            mup.shrink(self, theta)
        return theta[0] if runs is None else theta

    def per_layer(self, optimizer: Optimizer) -> Optimizer:
        """The optimizer with the learning rates that the parametrization has for each layer.

        The standard one leaves it as it is. With "mup", for a layer with a times the inputs and b times the units of
        the base network's (a = 1 for biases, scales and shifts)::

            SGD, HeavyBall, AveragedMomentum    lr · b / a
            Adam and its kin                    lr / a,     eps / b

        and a weight decay so that lr · weight_decay is the same at every width. The authors' package leaves eps as it
        is; divided by b it stays what it is beside gradients, which fall as 1/b. Groups that the optimizer has for
        segments are kept and scaled. Clipping by norm, l1, max_norm and noise are left as they are.

        Raises:
            ValueError: μP has no learning rates for this optimizer, or its weight decay enters an adaptive rule.

        Example:
            >>> import optlab as ol
            >>> mlp = MLP([2, 64, 64, 3], parametrization="mup", base_widths=[2, 16, 16, 3])
            >>> [dict(given)["lr"] for name, given in mlp.per_layer(ol.SGD(lr=1.0)).groups if "weight" in name]
            [4.0, 1.0, 0.25]
        """
        return optimizer if self.base_widths is None else mup.per_layer(self, optimizer)

    def views(self, theta: Array) -> dict[str, Array]:
        """The segments of theta by name, as views that write through; with a runs axis where theta has one.

        Raises:
            TypeError: theta is no array, or not of the network's dtype.
            ValueError: the last axis of theta is not ``dim`` long.
        """
        self._check(theta)
        return {
            s.name: theta[..., s.offset : s.offset + s.size].reshape(*theta.shape[:-1], *s.shape) for s in self.layout
        }

    def on(self, X: Array, y: Array, loss: str = "cross_entropy", **options: Any) -> NetworkLandscape:
        """The loss on a data set as a landscape of theta; see :class:`optlab.nn.NetworkLandscape` for the options."""
        return NetworkLandscape(self, X, y, loss, **options)

    def __call__(self, *given: Any, **named: Any) -> NoReturn:
        """Refuses: the parameters are no part of the network.

        Raises:
            TypeError: always.
        """
        raise TypeError("mlp: got a call mlp(X), expected mlp.predict(theta, X); mlp.init(seed=0) makes a theta")

    def predict(self, theta: Array, X: Array, stats: NormStatistics | None = None, out: Array | None = None) -> Array:
        """The network's outputs (logits) for rows of X, without dropout: ``(n, outputs)``.

        Args:
            theta: ``(dim,)``.
            X: ``(n, inputs)``.
            stats: What batch normalization normalizes by: :meth:`statistics` of some data, or :meth:`averages` of
                training.
            out: Where the outputs go, instead of a new array.

        Raises:
            ValueError: the network has batch normalization and stats are missing, or a shape does not fit.
        """
        self._check(theta)
        if self.norm_columns and stats is None:
            raise ValueError(
                "stats: got None, expected statistics(theta, X) or averages(state) for batch normalization"
            )
        X = samples.inputs(self, X)
        home = home_of(theta)
        y = home.empty((len(X), self.widths[-1]), self.dtype) if out is None else out
        mean, var = stats if stats is not None and self.norm_columns else (None, None)
        self._network(home, None, None, None, LossSpec()).outputs(y, theta, X, mean, var)
        return y

    def statistics(self, theta: Array, X: Array) -> NormStatistics:
        """Mean and (biased) variance over all rows of X in front of each batch normalization.

        So ``predict(theta, X, statistics(theta, X))`` normalizes as training on all of X at once does.

        Raises:
            ValueError: X has fewer than two rows, or the network has no batch normalization.
        """
        self._check(theta)
        if not self.norm_columns:
            raise ValueError(f"statistics: this network has norm={self.norm!r}, expected 'batch'")
        X = samples.inputs(self, X)
        if len(X) < 2:
            raise ValueError(f"X: got shape {np.shape(X)}, expected at least two rows of {self.widths[0]}")
        home = home_of(theta)
        mean, var = home.empty(self.norm_columns, self.dtype), home.empty(self.norm_columns, self.dtype)
        self._network(home, None, None, None, LossSpec()).statistics(mean, var, theta, X)
        var *= self.dtype.type((len(X) - 1) / len(X))
        return NormStatistics(mean, var)

    def averages(self, state: Mapping[str, Array], run: int = 0) -> NormStatistics:
        """The running averages of one run of a trajectory: exponential ones, the variance unbiased as in PyTorch.

        Raises:
            KeyError: the state holds no averages.
        """
        row = state["averages"][run]
        return NormStatistics(row[: self.norm_columns].copy(), row[self.norm_columns :].copy())

    def to_torch(self, theta: Array, stats: NormStatistics | None = None) -> torch.nn.Sequential:
        """The same network as a new PyTorch module, in training mode as PyTorch makes them; ``.eval()`` predicts.

        Args:
            theta: The parameters ``(dim,)``, copied.
            stats: The running averages of batch normalization; None: means 0 and variances 1, as before any step.

        Raises:
            ImportError: PyTorch is not installed.
            ValueError: theta or stats do not fit the network.
        """
        from optlab.nn.torch import to_torch

        return to_torch(self, theta, stats)

    @staticmethod
    def from_torch(module: torch.nn.Sequential) -> tuple[MLP, Array, NormStatistics | None]:
        """The network, its parameters and its running averages, if any, of a PyTorch module; all copied.

        Args:
            module: A Sequential, which may hold others, of Linear layers, each but the last followed by an activation
                and, the same for all, BatchNorm1d, LayerNorm or GroupNorm before or after it, and Dropout.

        Raises:
            ImportError: PyTorch is not installed.
            ValueError: an MLP cannot express the module.
        """
        from optlab.nn.torch import from_torch

        return from_torch(module)

    def _check(self, theta: Array) -> None:
        home_of(theta).check_point(theta, "theta")
        samples.require_dtype(self, "theta", theta, theta.dtype)
        if theta.shape[-1] != self.dim:
            raise ValueError(f"theta: got {theta.dtype}{theta.shape}, expected {self.dtype} (..., {self.dim})")

    def _network(self, backend: Backend, X: Array | None, y: Array | None, frozen: Frozen, loss: LossSpec) -> Any:
        """The network on data, as a backend computes it."""
        return backend.network(self._spec(), loss, self.dtype, X, y, frozen)

    def _spec(self) -> NetworkSpec:
        return NetworkSpec(
            dim=self.dim,
            layers=tuple(self._layers()),
            activation=self.activation,
            parameter=self.parameter,
            dropout=self.dropout,
            eps=self.eps,
            momentum=self.momentum,
            norm_noise=self.norm_noise,
        )

    def _layers(self) -> Iterator[LayerSpec]:
        offsets = {segment.name: segment.offset for segment in self.layout}
        hidden = 0
        for k, (inputs, outputs) in enumerate(zip(self.widths, self.widths[1:], strict=False)):
            last = k == len(self.widths) - 2
            norm = "" if last or self.norm is None else "batch" if self.norm == "batch" else "group"
            weight, bias, gamma, beta = (
                offsets.get(f"layers.{k}.{name}", -1) for name in ("weight", "bias", "norm.weight", "norm.bias")
            )
            yield LayerSpec(
                inputs=inputs,
                outputs=outputs,
                weight=weight,
                bias=bias,
                gamma=gamma,
                beta=beta,
                norm=norm,
                groups=self.groups or 1,
                norm_after=self.norm_position == "after",
                averages=hidden,
                dropped_before=hidden,
                last=last,
            )
            hidden += outputs

    def described(self) -> dict[str, Any]:
        """All that two networks must have in common to compute the same of the same parameters."""
        names = (
            "activation",
            "parameter",
            "norm",
            "norm_position",
            "groups",
            "dropout",
            "eps",
            "momentum",
            "norm_noise",
        )
        same = {name: getattr(self, name) for name in names}
        return {"segments": [[s.name, *s.shape] for s in self.layout], "dtype": str(self.dtype), **same}

    def __repr__(self) -> str:
        return f"MLP({list(self.widths)}, activation={self.activation!r}, norm={self.norm!r}, dropout={self.dropout})"


def _one_of(name: str, given: Any, choices: tuple[Any, ...]) -> Any:
    if given not in choices:
        raise ValueError(f"{name}: got {given!r}, expected one of {', '.join(map(repr, choices))}")
    return given
