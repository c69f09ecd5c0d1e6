"""What the schedules share, and the two that others are built from: a constant and a product."""

from __future__ import annotations

import difflib
import itertools
import numbers
from collections.abc import Callable, Iterable
from dataclasses import MISSING, dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from optlab.checks import integer, real
from optlab.schedules.arithmetic import Factors, Steps
from optlab.trajectory import MAX_STEP

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

Function = Callable[[Steps], Any]
"""A schedule, or any function of an int64 array of steps to one factor or one for each."""


class Schedule:
    """Base of all schedules: a frozen, picklable dataclass, called with steps, without state.

    ``a * b`` is a schedule too, and so is ``2.0 * a``. A subclass gives :meth:`_factors` and checks its fields.
    """

    __array_ufunc__ = None  # an array times a schedule is refused instead of becoming an array of schedules

    def __call__(self, steps: ArrayLike) -> Any:
        """The factors at the given steps, float64 of the same shape; one float64 for one step.

        Raises:
            TypeError: steps are not whole numbers.
            ValueError: a step is negative.
        """
        given = np.asarray(steps)
        if given.dtype.kind not in "iu":
            raise TypeError(f"steps: got {given.dtype}, expected whole numbers")
        if given.size and given.min() < 0:
            raise ValueError(f"steps: got {given.min()}, expected whole numbers >= 0")
        return self._factors(given.astype(np.int64).ravel()).reshape(given.shape)[()]

    def __mul__(self, other: Any) -> Product:
        if not callable(other) and not isinstance(other, numbers.Real):
            return NotImplemented
        return Product(self, other if callable(other) else Constant(other))

    def __rmul__(self, other: Any) -> Product:
        if not callable(other) and not isinstance(other, numbers.Real):
            return NotImplemented
        return Product(other if callable(other) else Constant(other), self)

    def plot(self, ax: Axes, steps: int, lr: float = 1.0, **style: Any) -> Line2D:
        """Draws the learning rates of the first steps on matplotlib axes, and labels these.

        Args:
            ax: The axes.
            steps: How many steps, >= 1.
            lr: The learning rate that the factors multiply.
            **style: For ``ax.plot``.

        Returns:
            The line.
        """
        t = np.arange(integer("steps", steps, 1, MAX_STEP))
        ax.set(xlabel="step", ylabel="learning rate")
        return ax.plot(t, real("lr", lr, 0.0) * self(t), **style)[0]

    def _factors(self, t: Steps) -> Factors:
        """The factors at a vector of checked steps."""
        raise NotImplementedError

    def _set(self, **checked: Any) -> None:
        """Stores fields in their canonical form."""
        for name, value in checked.items():
            object.__setattr__(self, name, value)


@dataclass(frozen=True)
class Constant(Schedule):
    """The same factor at every step.

    Args:
        factor: >= 0.

    Raises:
        TypeError: factor is not a number.
        ValueError: it is out of range.

    Example:
        >>> Constant(0.5)([0, 1, 2])
        array([0.5, 0.5, 0.5])
    """

    factor: float = 1.0

    def __post_init__(self) -> None:
        self._set(factor=real("factor", self.factor, 0.0))

    def _factors(self, t: Steps) -> Factors:
        return np.full(t.shape, self.factor)


@dataclass(frozen=True)
class Product(Schedule):
    """The product of two schedules, written ``first * second`` (PyTorch's ChainedScheduler).

    Args:
        first: A schedule, or a function of an int64 array of steps.
        second: Likewise.

    Raises:
        TypeError: one cannot be called.

    Example:
        >>> from optlab.schedules import Linear, Step
        >>> (Linear(4) * Step(2, gamma=0.5))([0, 1, 2, 3])
        array([1.   , 0.75 , 0.25 , 0.125])
    """

    first: Function
    second: Function

    def __post_init__(self) -> None:
        function("first", self.first)
        function("second", self.second)

    def _factors(self, t: Steps) -> Factors:
        return factors_of(self.first, t) * factors_of(self.second, t)


def factors_of(schedule: Function, t: Steps) -> Factors:
    """A schedule's or function's factors, one for each step."""
    return np.broadcast_to(np.asarray(schedule(t), np.float64), t.shape)


def function(name: str, given: Any) -> Function:
    """Something to call with steps.

    Raises:
        TypeError: it cannot be called.
    """
    if callable(given) and not isinstance(given, type):
        return given  # type: ignore[no-any-return]
    told = f"the class {given.__name__}" if isinstance(given, type) else repr(given)
    raise TypeError(f"{name}: got {told}, expected a schedule or a function of an int64 array of steps{_hint(given)}")


def _subclasses(of: type[Schedule]) -> list[type[Schedule]]:
    """Of all generations."""
    return [kind for child in of.__subclasses__() for kind in (child, *_subclasses(child))]


def _hint(given: Any) -> str:
    """How the schedule is made that was given by its name or class."""
    kinds = {kind.__name__.lower(): kind for kind in _subclasses(Schedule)}
    word = given.__name__ if isinstance(given, type) else given
    for name in difflib.get_close_matches(word.lower(), kinds, n=1) if isinstance(word, str) else ():
        needed = [each.name for each in fields(kinds[name]) if each.default is MISSING and each.init]  # type: ignore[arg-type]
        return f"; ol.schedules.{kinds[name].__name__}({', '.join(needed)}) makes one"
    return ""


def one_of(name: str, given: Any, accepted: tuple[str, ...]) -> str:
    """One of the accepted words.

    Raises:
        ValueError: it is another.
    """
    if not isinstance(given, str) or given not in accepted:
        raise ValueError(f"{name}: got {given!r}, expected {' or '.join(map(repr, accepted))}")
    return given


def increasing(name: str, given: Iterable[int]) -> tuple[int, ...]:
    """Steps >= 1, each later than the one before.

    Raises:
        TypeError: they are not whole numbers in a row.
        ValueError: they do not increase, or one is out of range.
    """
    if not isinstance(given, Iterable):
        raise TypeError(f"{name}: got {given!r}, expected a list of steps")
    steps = tuple(integer(name, step, 1, MAX_STEP) for step in given)
    if any(later <= step for step, later in itertools.pairwise(steps)):
        raise ValueError(f"{name}: got {list(steps)}, expected increasing steps")
    return steps
