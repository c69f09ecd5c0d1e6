"""What an optimizer has beside what a user calls: its update rule, its state, and the hooks that it may override."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

from numpy.typing import NDArray

from optlab.kernels.select import cpu
from optlab.optim.hyperparameters import POSITIVE, Range, per_run
from optlab.optim.point import Like, State
from optlab.optim.state_format import Format
from optlab.typing import Array

if TYPE_CHECKING:
    from optlab.optim.optimizer import Optimizer


class Rule:
    """The hooks of an optimizer. Each must name its :meth:`_rule` and the ranges of its numbers; the others may stay.

    Attributes:
        _ranges: The numeric hyperparameters of the rule, by the names that it has for them.
        _quantized: Whether the two averages of the rule are kept in bytes.
        _scaling: How a step answers to a gradient that is multiplied by a number: in proportion ("linear"), not at all
            ("invariant"), or in no such way (None). μP goes by it.
    """

    _ranges: ClassVar[Mapping[str, Range]]
    _quantized: ClassVar[bool] = False
    _scaling: ClassVar[Literal["linear", "invariant"] | None] = None
    _updater: Any
    """What takes the steps of NumPy arrays."""

    def _rule(self) -> str:
        """The name of the update rule in the C++ list."""
        raise NotImplementedError

    def _check(self) -> None:
        """Checks what concerns several hyperparameters at once."""

    def _value(self, name: str) -> Any:
        """The hyperparameter that the rule has this name for."""
        return getattr(self, name)

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def _store(self, checked: Mapping[str, Any]) -> None:
        """Keeps hyperparameters, by the names that the rule has for them, in their canonical form."""
        for name, value in checked.items():
            self._set(name, value)

    def _replaced(self, values: Mapping[str, Any]) -> Optimizer:
        """The optimizer with other numbers, by the names that the rule has for them, and without groups."""
        return replace(cast("Optimizer", self), groups=(), **values)

    def _kind(self) -> str:
        """What a saved state says it belongs to."""
        return self._rule()

    def _empty_state(self, like: Like, described: Format) -> State:
        """Zeroed arrays for a point like this one."""
        return {name: like.zeros(like.shape, like.dtype) for name in cpu.rule_states(self._rule())}

    def _unpacked(self, state: Mapping[str, Array]) -> dict[str, NDArray[Any]]:
        """The arrays of a state as a study works on them, ``(runs, dim)`` each: the state's own."""
        return {name: state[name] for name in cpu.rule_states(self._rule())}

    def _pack(self, arrays: Mapping[str, Array], state: State) -> None:
        """Puts what a study left in the arrays of :meth:`_unpacked` back into the state."""


def rule_of(opt: Rule) -> str:
    """The name of the optimizer's update rule in the C++ list."""
    return opt._rule()


def scaling(kind: type[Rule]) -> Literal["linear", "invariant"] | None:
    """How steps of such optimizers answer to a gradient that is multiplied by a number; see :class:`Rule`."""
    return kind._scaling


def state_names(opt: Rule) -> list[str]:
    """The names of the state arrays, each of the shape of x."""
    return list(cpu.rule_states(opt._rule()))


def values_of(opt: Rule) -> dict[str, Any]:
    """The numeric hyperparameters by the names that the rule has for them."""
    return {name: opt._value(name) for name in (*opt._ranges, "l1")}


def checked(opt: Rule, name: str, given: Any) -> Any:
    """A numeric hyperparameter inside its range, as a float or one per run."""
    low, high, open_high = opt._ranges.get(name, POSITIVE)
    return per_run(name, given, low, high, open_high=open_high)


def unpacked(opt: Rule, state: Mapping[str, Array]) -> dict[str, NDArray[Any]]:
    """The arrays of a state as a study works on them, ``(runs, dim)`` each."""
    return opt._unpacked(state)


def pack(opt: Rule, arrays: Mapping[str, Array], state: State) -> None:
    """Puts what a study left in the arrays of :func:`unpacked` back into the state."""
    opt._pack(arrays, state)


def described(opt: Optimizer) -> str:
    """All hyperparameters as text, which says whether a saved training was one with this optimizer."""
    shown = (f"{each.name}={getattr(opt, each.name)!r}" for each in fields(opt) if each.repr)
    return f"{type(opt).__qualname__}({', '.join(shown)})"
