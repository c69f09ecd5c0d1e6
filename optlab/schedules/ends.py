"""Schedules that come to an end."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from optlab.checks import integer, real
from optlab.schedules.after import Ending
from optlab.schedules.arithmetic import Factors, Steps, between, half_cosine, power
from optlab.schedules.schedule import one_of
from optlab.trajectory import MAX_STEP


@dataclass(frozen=True)
class Linear(Ending):
    """``start + (end − start) · t / total`` with ``t = min(t, total)``: PyTorch's LinearLR.

    PyTorch's defaults climb from 1/3 to 1; these descend to 0.

    Args:
        total: The step at which end is reached, >= 1.
        start: >= 0.
        end: >= 0.
        after: What follows step total: "hold", or "repeat" for the way back and forth, as a triangle wave.

    Raises:
        TypeError: an argument is not a number.
        ValueError: an argument is out of range.

    Example:
        >>> Linear(4)([0, 1, 2, 3, 4, 5])
        array([1.  , 0.75, 0.5 , 0.25, 0.  , 0.  ])
    """

    total: int
    start: float = 1.0
    end: float = 0.0
    after: str = "hold"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set(total=integer("total", self.total, 1, MAX_STEP))
        self._set(start=real("start", self.start, 0.0), end=real("end", self.end, 0.0))

    def _path(self, t: Steps) -> Factors:
        return between(self.start, self.end, t / self.total)


@dataclass(frozen=True)
class Polynomial(Ending):
    """``(1 − t / total) ** power`` with ``t = min(t, total)``: PyTorch's PolynomialLR.

    Args:
        total: The step at which 0 is reached, >= 1.
        power: >= 0.
        after: What follows step total: "hold", or "repeat" for the way back and forth.

    Raises:
        TypeError: an argument is not a number.
        ValueError: an argument is out of range.

    Example:
        >>> Polynomial(4, power=2)([0, 1, 2, 3, 4, 5])
        array([1.    , 0.5625, 0.25  , 0.0625, 0.    , 0.    ])
    """

    total: int
    power: float = 1.0
    after: str = "hold"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set(total=integer("total", self.total, 1, MAX_STEP), power=real("power", self.power, 0.0))

    def _path(self, t: Steps) -> Factors:
        return power((self.total - t) / self.total, self.power)


@dataclass(frozen=True)
class Cosine(Ending):
    """``floor + (1 − floor)(1 + cos(π t / total)) / 2`` with ``t = min(t, total)``.

    PyTorch's CosineAnnealingLR with ``eta_min = floor · lr`` is the same up to step total, where it begins to climb
    again: from there on it is this with ``after="repeat"``.

    Args:
        total: The step at which floor is reached, >= 1.
        floor: In [0, 1].
        after: What follows step total: "hold", or "repeat" for the way back and forth, on the same cosine.

    Raises:
        TypeError: an argument is not a number.
        ValueError: an argument is out of range.

    Example:
        >>> Cosine(4, floor=0.5)([0, 2, 4, 6, 8])
        array([1.  , 0.75, 0.5 , 0.5 , 0.5 ])
        >>> Cosine(4, floor=0.5, after="repeat")([0, 2, 4, 6, 8])
        array([1.  , 0.75, 0.5 , 0.75, 1.  ])

    References:
        Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017, without the restarts.
    """

    total: int
    floor: float = 0.0
    after: str = "hold"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set(total=integer("total", self.total, 1, MAX_STEP), floor=real("floor", self.floor, 0.0, 1.0))

    def _path(self, t: Steps) -> Factors:
        return between(self.floor, 1.0, half_cosine(t, self.total))


@dataclass(frozen=True)
class OneCycle(Ending):
    """Up to the full learning rate and down far below the start, once: PyTorch's OneCycleLR.

    The factors multiply ``max_lr``; the momentum is left alone. They pass through 1/div at step 0, 1 at step
    ``warm · total − 1`` and 1/(div · final_div) at step total − 1, and stay there; PyTorch raises an error. With
    three phases, as in the paper, 1/div is passed again at step ``2 (warm · total − 1)``.

    Args:
        total: The number of steps, >= 2.
        warm: The share of steps spent rising, in [0, 1).
        div: max_lr over the learning rate at the start, >= 1.
        final_div: The learning rate at the start over that at the end, >= 1.
        anneal: "cos" or "linear".
        three_phase: Down as slowly as up, and only then to the end.
        after: What follows step total − 1: "hold", or "repeat" for the way back and forth.

    Raises:
        TypeError: an argument is not a number.
        ValueError: an argument is out of range, or the phases do not follow one another.

    Example:
        >>> OneCycle(9, warm=1 / 3, div=4, final_div=1, anneal="linear")([0, 1, 2, 5, 8, 99])
        array([0.25 , 0.625, 1.   , 0.625, 0.25 , 0.25 ])

    References:
        Smith and Topin, "Super-convergence: very fast training of neural networks using large learning rates", 2018.
    """

    total: int
    warm: float = 0.3
    div: float = 25.0
    final_div: float = 1e4
    anneal: str = "cos"
    three_phase: bool = False
    after: str = "hold"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set(total=integer("total", self.total, 2, MAX_STEP), warm=real("warm", self.warm, 0.0, 1.0))
        self._set(div=real("div", self.div, 1.0), final_div=real("final_div", self.final_div, 1.0))
        self._set(anneal=one_of("anneal", self.anneal, ("cos", "linear")))
        steps = self._corners()[0]
        if not all(step < later for step, later in itertools.pairwise(steps)):
            shown = ", ".join(f"{step:g}" for step in steps)
            raise ValueError(f"warm: got {self.warm:g} of {self.total} steps, corners at {shown}, expected increasing")

    @property
    def _end(self) -> int:
        return self.total - 1

    def _corners(self) -> tuple[list[float], list[float]]:
        """The steps between which the factor is annealed, and its values there."""
        peak, low = self.warm * self.total - 1, 1.0 / self.div
        middle = ([2 * self.warm * self.total - 2], [low]) if self.three_phase else ([], [])
        return [0.0, peak, *middle[0], self.total - 1.0], [low, 1.0, *middle[1], low / self.final_div]

    def _path(self, t: Steps) -> Factors:
        steps, values = map(np.array, self._corners())
        phase = np.searchsorted(steps[1:-1], t, side="left")
        length = steps[phase + 1] - steps[phase]
        share = (t - steps[phase]) / length
        left = half_cosine(share, 1.0) if self.anneal == "cos" else 1.0 - share
        return between(values[phase + 1], values[phase], left)
