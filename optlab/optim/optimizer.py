"""What the optimizers share: hyperparameters only, checked once; state is the caller's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import optlab.threads  # noqa: F401 - tells the kernels where to ask for the number of threads
from optlab.checks import real
from optlab.kernels.select import cpu

PerRun = float | Sequence[float] | NDArray[Any]
"""A hyperparameter: one number, or one per run, so that a sweep is one call."""

State = dict[str, NDArray[Any]]


def per_run(name: str, given: PerRun, low: float, high: float = float("inf"), *, open_high: bool = False) -> Any:
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
class Optimizer:
    """Base of all optimizers: a frozen, picklable dataclass of hyperparameters.

    A subclass names its update rule (:meth:`rule`) and checks its fields (:meth:`check`); the fields carry the names of
    the rule's parameters in the C++ list.
    """

    def __post_init__(self) -> None:
        self.check()
        object.__setattr__(self, "_updater", cpu.Updater(self.rule(), self.parameters(), self.flags()))

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_updater"}

    def __setstate__(self, fields: dict[str, Any]) -> None:
        self.__dict__.update(fields)
        self.__post_init__()

    def check(self) -> None:
        """Checks the hyperparameters and stores them in their canonical form."""
        raise NotImplementedError

    def rule(self) -> str:
        """The name of the update rule in the C++ list."""
        raise NotImplementedError

    def flags(self) -> int:
        """Options of the element loop."""
        decay = np.any(np.asarray(getattr(self, "weight_decay", 0.0)) != 0)
        return (cpu.MAXIMIZE if getattr(self, "maximize", False) else 0) | (cpu.WEIGHT_DECAY if decay else 0)

    def parameters(self) -> list[list[float]]:
        """The hyperparameters in the order of the rule, each as one number or one per run."""
        return [list(np.atleast_1d(getattr(self, name)).astype(float)) for name in cpu.rule_parameters(self.rule())]

    def state_names(self) -> list[str]:
        """The names of the state arrays, each of the shape of x."""
        return list(cpu.rule_states(self.rule()))

    def init(self, x: NDArray[Any]) -> State:
        """A fresh state for points of the shape and dtype of x: zeroed arrays, and the 0-d int64 ``step``.

        Raises:
            TypeError: x is not a float32 or float64 array.
            ValueError: x is not (dim,) or (runs, dim).
        """
        cpu.check_point(x, "x")
        state: State = {name: np.zeros_like(x) for name in self.state_names()}
        state["step"] = np.zeros((), np.int64)
        return state

    def step(self, x: NDArray[Any], grad: NDArray[Any], state: State, *, lr: PerRun | None = None) -> None:
        """Updates x and state in place with one fused pass over memory.

        Args:
            x: float32 or float64, ``(dim,)`` or ``(runs, dim)``.
            grad: Of the shape and dtype of x.
            state: What :meth:`init` returned for x.
            lr: Stands in for the optimizer's learning rate in this step, as a schedule wants.

        Raises:
            TypeError: an array is not of the dtype of x, or no array.
            ValueError: shapes differ, memory is strided, read-only or overlapping, or lr is negative.
        """
        # A schedule calls this at every step with a plain number, which therefore takes the short way.
        if lr is None:
            rates = None
        elif type(lr) is float and 0.0 <= lr < math.inf:
            rates = [lr]
        else:
            rates = np.atleast_1d(per_run("lr", lr, 0.0)).tolist()
        self._updater.step(x, grad, state, rates)  # type: ignore[attr-defined]
