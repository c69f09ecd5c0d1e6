"""What the optimizers share: hyperparameters only, checked once; state is the caller's."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar, Literal, cast

import numpy as np
from numpy.typing import NDArray

import optlab.threads  # noqa: F401 - tells the kernels where to ask for the number of threads
from optlab.backends.current import on_gpu
from optlab.backends.gpu import device as gpu
from optlab.backends.gpu import gate
from optlab.backends.gpu.updates import Updater
from optlab.checks import integer, real
from optlab.kernels.select import cpu
from optlab.layout import Layout, Segment, checked, flat
from optlab.optim import state_format
from optlab.optim.keywords import Named
from optlab.optim.plan import Group, groups_of, plan
from optlab.refusals import one_of
from optlab.remedies import remedy

PerRun = float | Sequence[float] | NDArray[Any]
"""A hyperparameter: one number, or one per run, so that a sweep is one call."""

Range = tuple[float, float, bool]
"""Low, high, and whether high itself is left out."""
POSITIVE: Range = (0.0, math.inf, False)
FRACTION: Range = (0.0, 1.0, True)

State = dict[str, NDArray[Any]]
Point = NDArray[Any] | Sequence[NDArray[Any]]
"""One array, or a list of arrays that take their step together; of NumPy, or of CuPy."""


class Like:
    """What a state is made for: points of this shape, with this one's dtype, on its device."""

    def __init__(self, shape: tuple[int, ...], array: Any) -> None:
        self.shape, self.dtype = shape, array.dtype
        self.zeros: Callable[..., NDArray[Any]] = gpu.zeros if on_gpu(array) else np.zeros


def _first(x: Point) -> Any:
    return x[0] if isinstance(x, list | tuple) and x else x


def per_run(name: str, given: PerRun, low: float, high: float = math.inf, *, open_high: bool = False) -> Any:
    """A checked hyperparameter: a float, or a tuple of one float per run.

    Raises:
        TypeError: it is neither.
        ValueError: a number is out of range, or there is none.
    """
    if np.ndim(given) == 0:
        return real(name, given, low, high, open_high=open_high)
    numbers = np.array(given, dtype=object) if isinstance(given, Sequence) else np.asarray(given)
    if numbers.ndim != 1 or numbers.size == 0:
        raise ValueError(f"{name}: got shape {numbers.shape}, expected one number or (runs,)")
    return tuple(real(name, number, low, high, open_high=open_high) for number in numbers.tolist())


@dataclass(frozen=True)
class Optimizer(metaclass=Named):
    """Base of all optimizers: a frozen, picklable dataclass of hyperparameters.

    A subclass names its update rule (:meth:`rule`) and the ranges of its numbers (``RANGES``). What stands around every
    rule is the same for all, in one pass over memory and in this order::

        g ← ±∇f                          uphill with ``maximize``
        g ← g · min(1, clip_norm / (‖g‖ + 1e-6))        the norm of a run's whole gradient
        g ← g inside [−clip_value, clip_value]
        g ← g + weight_decay · x                        coupled, or
        x ← (1 − lr · weight_decay) x                   with ``decoupled_weight_decay``
        the rule
        x ← sign(x) · max(|x| − lr · l1, 0)             the proximal step of l1 ‖x‖₁
        x ← x + √noise · ξ                              addressed by (seed, stream NOISE, step, run)
        x ← x · min(1, max_norm / ‖x‖)                  the projection on the ball of radius max_norm

    Norms are right for all finite numbers, also where squares overflow or underflow in the type of x. The second
    moments of adaptive rules are kept in that type: in float32 they hold gradients from about 1e-19 to 1e19. A larger
    one makes them infinite, and with it every later step 0, unless ``clip_norm`` or ``clip_value`` act before; a
    smaller one leaves them 0, so that the step is infinite where eps is 0.

    Args:
        decoupled_weight_decay: Whether weight decay shrinks x instead of entering the gradient.
        clip_value: Bound on each element of the gradient, > 0.
        clip_norm: Bound on the norm of each run's gradient, > 0.
        l1: >= 0; weights below lr · l1 become exactly zero. Not scaled by an adaptive rule's preconditioner.
        max_norm: Bound on the norm of each run's x, > 0.
        nonfinite: What a gradient that is NaN or infinite does. "propagate": it goes through the rule into x and state.
            "raise": a FloatingPointError names array, index and step, and x and state are as before. "skip": the run
            keeps its x and state, and ``state["skipped"]`` counts the step; the rule goes by the steps that were taken.
            The last two read the gradient once more, and "skip" takes each run's step by itself.
        noise: ε >= 0, the variance per element of the noise after each step. :func:`optlab.descend` has its own.
        seed: Of that noise.
        groups: Hyperparameters of some segments, as ``{"*.bias": {"weight_decay": 0}}``: patterns of segment names, the
            first that matches counts.
    """

    decoupled_weight_decay: bool = field(default=False, kw_only=True)
    clip_value: float | None = field(default=None, kw_only=True)
    clip_norm: float | None = field(default=None, kw_only=True)
    l1: PerRun = field(default=0.0, kw_only=True)
    max_norm: float | None = field(default=None, kw_only=True)
    nonfinite: Literal["propagate", "raise", "skip"] = field(default="propagate", kw_only=True)
    noise: float = field(default=0.0, kw_only=True)
    seed: int = field(default=0, kw_only=True)
    groups: Mapping[str, Mapping[str, float]] | tuple[Group, ...] = field(default=(), kw_only=True)

    NONFINITE: ClassVar = ("propagate", "raise", "skip")
    quantized: ClassVar[bool] = False
    """Whether the two averages of the rule are kept in bytes."""
    RANGES: ClassVar[Mapping[str, Range]]
    """The numeric hyperparameters of the rule, by the names that it has for them."""

    updater: Any = field(init=False, repr=False, compare=False, kw_only=True)

    def __post_init__(self) -> None:
        for each in fields(self):
            if isinstance(each.default, bool) and not isinstance(getattr(self, each.name), bool | np.bool_):
                raise TypeError(f"{each.name}: got {getattr(self, each.name)!r}, expected True or False")
        self.store({name: self.checked(name, value) for name, value in self.values().items()})
        for name in ("clip_value", "clip_norm", "max_norm"):
            if (bound := getattr(self, name)) is not None:
                self._set(name, real(name, bound, 0.0, open_low=True))
        self._set("noise", real("noise", self.noise, 0.0))
        self._set("seed", integer("seed", self.seed, 0, 2**64 - 1))
        one_of("nonfinite", self.nonfinite, self.NONFINITE)
        self.check()
        self._set("groups", groups_of(self))
        self._set("updater", cpu.Updater(self.rule()))

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def __getstate__(self) -> dict[str, Any]:
        return {each.name: getattr(self, each.name) for each in fields(self) if each.init}

    def __setstate__(self, given: dict[str, Any]) -> None:
        self.__dict__.update(given)
        self.__post_init__()

    def values(self) -> dict[str, Any]:
        """The numeric hyperparameters by the names that the rule has for them."""
        return {name: getattr(self, name) for name in (*self.RANGES, "l1")}

    def store(self, checked: Mapping[str, Any]) -> None:
        """Keeps the hyperparameters of :meth:`values` in their canonical form."""
        for name, value in checked.items():
            self._set(name, value)

    def replaced(self, values: Mapping[str, Any]) -> Optimizer:
        """The optimizer with other numbers, by the names that the rule has for them, and without groups."""
        return replace(self, groups=(), **values)

    def checked(self, name: str, given: Any) -> Any:
        """A numeric hyperparameter inside its range, as a float or one per run."""
        low, high, open_high = self.RANGES.get(name, POSITIVE)
        return per_run(name, given, low, high, open_high=open_high)

    def check(self) -> None:
        """Checks what concerns several hyperparameters at once."""

    def rule(self) -> str:
        """The name of the update rule in the C++ list."""
        raise NotImplementedError

    def state_names(self) -> list[str]:
        """The names of the state arrays, each of the shape of x."""
        return list(cpu.rule_states(self.rule()))

    def kind(self) -> str:
        """What a saved state says it belongs to."""
        return self.rule()

    def empty_state(self, like: Like, described: state_format.Format) -> State:
        """Zeroed arrays for a point like this one."""
        return {name: like.zeros(like.shape, like.dtype) for name in self.state_names()}

    def unpacked(self, state: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """The arrays of a state as a study works on them, ``(runs, dim)`` each: the state's own."""
        return {name: state[name] for name in self.state_names()}

    def pack(self, arrays: Mapping[str, NDArray[Any]], state: State) -> None:
        """Puts what a study left in the arrays of :meth:`unpacked` back into the state."""

    def plan(self, runs_axis: bool, many: bool, layout: Layout) -> dict[str, Any]:
        """What the compiled step reads, for states of this layout."""
        return plan(self, state_format.Format(self.kind(), runs_axis, many, layout))

    def plan_of(self, text: NDArray[Any]) -> dict[str, Any]:
        """The same, for states of this format; the compiled step asks when it meets a new one."""
        return plan(self, state_format.read(text, self.kind()))

    def init(self, x: Point, layout: Sequence[Segment] | None = None, runs_axis: bool = False) -> State:
        """A fresh state for points of the shape and dtype of x.

        Args:
            x: A float32 or float64 array of any shape, or a list of such arrays, whose state arrays are flat.
            layout: The segments of x; by default one for each array.
            runs_axis: Whether x is (runs, dim), each run a point of its own. Implied by hyperparameters per run.

        Returns:
            Plain arrays: those of the rule, on the device of x; on the host the 0-d int64 ``step``, and ``format``, a
            text that says which optimizer and layout they belong to. ``np.savez(file, **state)`` saves them.

        Raises:
            TypeError: x is not of float32 or float64 arrays.
            ValueError: x is empty or strided, the layout does not fit it, or a pattern of ``groups`` matches nothing.
        """
        runs_axis = runs_axis or self._per_run()
        if isinstance(x, list | tuple):
            segments = _layout_of_list(x, layout, runs_axis)
            like = Like((sum(array.size for array in x),), x[0])
        else:
            array = cast("NDArray[Any]", x)
            segments, like = _layout_of_array(array, layout, runs_axis), Like(array.shape, array)
        described = state_format.Format(self.kind(), runs_axis, isinstance(x, list | tuple), segments)
        rows = plan(self, described)["parameters"].shape[1]  # raises what does not fit
        if rows not in (1, like.shape[0] if len(like.shape) == 2 else 1):
            raise ValueError(f"x: got shape {like.shape}, expected {rows} runs, the length of a hyperparameter")
        state = self.empty_state(like, described)
        state["step"] = np.zeros((), np.int64)
        if self.nonfinite == "skip":
            state["skipped"] = np.zeros(like.shape[:1] if runs_axis and len(like.shape) == 2 else (), np.int64)
        state["format"] = np.array(described.text())
        return state

    def _per_run(self) -> bool:
        """Whether a hyperparameter, of a group too, is one number per run."""
        groups = cast("tuple[Group, ...]", self.groups)
        numbers = [*self.values().values(), *(value for _, given in groups for _, value in given)]
        return any(isinstance(value, tuple) for value in numbers)

    def step(self, x: Point, grad: Point, state: State, *, lr: PerRun | None = None) -> None:
        """Updates x and state in place with one fused pass over memory.

        Args:
            x: float32 or float64, as :meth:`init` was given: an array, or a list of arrays. CuPy arrays take their
                step on the GPU, in one launch where the step wants no norm.
            grad: Of the shapes and dtype of x.
            state: What :meth:`init` returned for x.
            lr: Stands in for the optimizer's learning rate in this step, as a schedule wants.

        Raises:
            TypeError: an array is not of the dtype of x, or no array.
            ValueError: shapes differ, memory is strided, read-only or overlapping, lr is negative, the state belongs to
                another optimizer, layout or version, or ``nonfinite`` is not "propagate" for CuPy arrays.
            FloatingPointError: a gradient is not finite, and ``nonfinite`` is "raise".
        """
        updater = self.gpu_updater if on_gpu(_first(x)) else self.updater
        updater.step(self, x, grad, state, rates(lr))

    @functools.cached_property
    def gpu_updater(self) -> Updater:
        """What takes the steps of CuPy arrays; made when it is first wanted, and not pickled."""
        return Updater(self.state_names())


def rates(lr: PerRun | None) -> list[float] | None:
    """The learning rates of one step as the kernels take them: none, one, or one per run."""
    # A schedule gives a plain number at every step, which therefore takes the short way.
    if lr is None or (type(lr) is float and 0.0 <= lr < math.inf):
        return lr if lr is None else [lr]
    given: list[float] = np.atleast_1d(per_run("lr", lr, 0.0)).tolist()
    return given


def check_array(x: Any, name: str) -> None:
    """Refuses what is no array of floats in one piece of memory, on either device."""
    try:
        (gate.check_point if on_gpu(x) else cpu.check_array)(x, name)
    except TypeError as error:
        raise TypeError(f"{error}{remedy(name, x)}") from None


def _layout_of_array(x: Any, layout: Sequence[Segment] | None, runs_axis: bool) -> Layout:
    check_array(x, "x")
    if runs_axis and x.ndim not in (1, 2):
        raise ValueError(f"x: got {x.ndim} dimensions, expected (dim,) or (runs, dim)")
    dim = x.shape[-1] if runs_axis else x.size
    return flat(dim) if layout is None else checked(layout, dim)


def _layout_of_list(x: Sequence[NDArray[Any]], layout: Sequence[Segment] | None, runs_axis: bool) -> Layout:
    if not x:
        raise ValueError("x: got an empty list, expected at least one array")
    if layout is not None or runs_axis:
        raise ValueError("x: got a list with a layout or a runs axis, expected one array for these")
    if not any(hasattr(array, "dtype") for array in x):
        raise TypeError(f"x: got a list without arrays, expected an array or a list of arrays{remedy('x', x)}")
    offset, segments = 0, []
    for index, array in enumerate(x):
        check_array(array, f"x[{index}]")
        if array.dtype != x[0].dtype:
            raise TypeError(f"x[{index}]: got dtype {array.dtype}, expected {x[0].dtype}, as x[0] has")
        segments.append(Segment(str(index), offset, array.shape))
        offset += array.size
    return tuple(segments)
