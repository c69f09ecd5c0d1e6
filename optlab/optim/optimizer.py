"""What the optimizers share: hyperparameters only, checked once; state is the caller's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from optlab.backends import home_of
from optlab.backends.base import Updater
from optlab.backends.specs import StepPlan
from optlab.checks import integer, real
from optlab.kernels.select import cpu
from optlab.layout import Segment
from optlab.optim import state_format
from optlab.optim.hyperparameters import PerRun, rates
from optlab.optim.keywords import Named
from optlab.optim.point import Point, State, first_of, segments_of
from optlab.optim.rule import Rule, checked, rule_of, values_of
from optlab.optim.table import NONFINITE, Group, groups_of, step_plan
from optlab.refusals import one_of


@dataclass(frozen=True)
class Optimizer(Rule, metaclass=Named):
    """Base of all optimizers: a frozen, picklable dataclass of hyperparameters.

    A subclass names its update rule and the ranges of its numbers (:class:`optlab.optim.rule.Rule`). What stands around
    every rule is the same for all, in one pass over memory and in this order::

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

    def __post_init__(self) -> None:
        for each in fields(self):
            if isinstance(each.default, bool) and not isinstance(getattr(self, each.name), bool | np.bool_):
                raise TypeError(f"{each.name}: got {getattr(self, each.name)!r}, expected True or False")
        self._store({name: checked(self, name, value) for name, value in values_of(self).items()})
        for name in ("clip_value", "clip_norm", "max_norm"):
            if (bound := getattr(self, name)) is not None:
                self._set(name, real(name, bound, 0.0, open_low=True))
        self._set("noise", real("noise", self.noise, 0.0))
        self._set("seed", integer("seed", self.seed, 0, 2**64 - 1))
        one_of("nonfinite", self.nonfinite, NONFINITE)
        self._check()
        self._set("groups", groups_of(self))
        self._set("_updater", cpu.Updater(self._rule()))

    def __getstate__(self) -> dict[str, Any]:
        return {each.name: getattr(self, each.name) for each in fields(self) if each.init}

    def __setstate__(self, given: dict[str, Any]) -> None:
        self.__dict__.update(given)
        self.__post_init__()

    def __init_subclass__(cls) -> None:
        # Before the decorator of dataclasses, which would else write a __repr__ of its own.
        cls.__repr__ = cls.__repr__  # type: ignore[method-assign]

    def __repr__(self) -> str:
        """What differs from the defaults."""
        shown = (each for each in fields(self) if each.default is MISSING or getattr(self, each.name) != each.default)
        return f"{type(self).__qualname__}({', '.join(f'{each.name}={getattr(self, each.name)!r}' for each in shown)})"

    def _plan_of(self, text: NDArray[Any]) -> StepPlan:
        """What the compiled step reads, for states of this format; it asks when it meets a new one."""
        return step_plan(self, state_format.read(text, self._kind()))

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
        segments, like = segments_of(x, layout, runs_axis)
        described = state_format.Format(self._kind(), runs_axis, isinstance(x, list | tuple), segments)
        rows = step_plan(self, described).parameters.shape[1]  # raises what does not fit
        if rows not in (1, like.shape[0] if len(like.shape) == 2 else 1):
            raise ValueError(f"x: got shape {like.shape}, expected {rows} runs, the length of a hyperparameter")
        state = self._empty_state(like, described)
        state["step"] = np.zeros((), np.int64)
        if self.nonfinite == "skip":
            state["skipped"] = np.zeros(like.shape[:1] if runs_axis and len(like.shape) == 2 else (), np.int64)
        state["format"] = np.array(described.text())
        return state

    def _per_run(self) -> bool:
        """Whether a hyperparameter, of a group too, is one number per run."""
        groups = cast("tuple[Group, ...]", self.groups)
        numbers = [*values_of(self).values(), *(value for _, given in groups for _, value in given)]
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
        updater = self._updater if type(x) is np.ndarray else self._updater_for(first_of(x))
        updater.step(self, x, grad, state, rates(lr))

    def _updater_for(self, x: Any) -> Updater:
        """What takes the steps of arrays like this one; those of CuPy's are made when first wanted, and not pickled."""
        home = home_of(x)
        if home is home_of(None):
            return cast("Updater", self._updater)
        made: dict[Any, Updater] = self.__dict__.setdefault("_updaters", {})
        if home not in made:
            made[home] = home.updater(rule_of(self))
        return made[home]
