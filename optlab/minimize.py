"""Minimization with line searches and second-order methods."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from optlab.checks import integer, real
from optlab.landscape import Landscape
from optlab.line_search import Counted, Line, Point, dot
from optlab.methods import BFGS, LBFGS, ConjugateGradient, GradientDescent, Method, Newton
from optlab.methods.method import Rule
from optlab.progress import Progress, reporter
from optlab.trajectory import Record, Trajectory, record_steps
from optlab.typing import Array

__all__ = ["minimize"]

NAMES = {"lbfgs": LBFGS, "bfgs": BFGS, "cg": ConjugateGradient, "newton": Newton, "gd": GradientDescent}
FAILURES = 3
"""Searches that fail at one point before a run gives up."""
STALLED = 5
"""Steps without a new lowest value after which rounding is said to be reached."""


def minimize(
    landscape: Landscape,
    x0: Array,
    method: str | Method = "lbfgs",
    *,
    tol: float = 1e-6,
    max_steps: int = 1000,
    batch: Array | None = None,
    record: Record = None,
    record_x: bool = True,
    progress: bool | Progress = False,
) -> Trajectory:
    """Minimizes from one or many starting points, each of which runs as it would alone, to the same bits.

    Args:
        landscape: What to minimize.
        x0: float32 or float64 NumPy points, ``(dim,)`` or ``(runs, dim)``.
        method: A value of :mod:`optlab.methods`, or "lbfgs", "bfgs", "cg", "newton" or "gd" with its defaults.
        tol: A run stops ("gradient") where ``|∇f(x)| <= tol``.
        max_steps: The most steps of a run ("steps").
        batch: The samples of a finite sum, the same at every step.
        record: The steps recorded, as in :func:`optlab.descend`.
        record_x: Whether the points are kept.
        progress: True for a bar on stderr, or a function of (fraction done, text).

    Returns:
        The trajectory. ``stop_reason`` is also "line_search" (three searches found no lower point, as where the
        gradient contradicts the value), "rounding" (the value falls no further), "nonfinite" (at the start) or
        "interrupted". ``state`` counts, per run, ``values``, ``grads``, ``products`` (of the Hessian) and ``skipped``
        (pairs with y·s <= 0).

    Raises:
        TypeError: x0 is not of float32 or float64.
        ValueError: an argument is out of range, or no method has that name.

    Example:
        >>> import numpy as np, optlab as ol
        >>> path = ol.minimize(ol.landscapes.Rosenbrock(2), np.array([-1.2, 1.0]), ol.methods.Newton(), tol=1e-8)
        >>> bool(np.allclose(path.last, 1.0))
        True
    """
    if not isinstance(x0, np.ndarray) or x0.dtype not in (np.float32, np.float64):
        raise TypeError("x0: got something else, expected a NumPy array of float32 or float64")
    starts = np.array(x0, ndmin=2)
    if starts.ndim != 2 or starts.shape[1] != landscape.dim or not len(starts):
        raise ValueError(f"x0: got shape {x0.shape}, expected ({landscape.dim},) or (runs, {landscape.dim})")
    chosen, tol = resolve(method), real("tol", tol, 0.0)
    steps = record_steps(record, 0, integer("max_steps", max_steps, 0, 2**31))
    runs = [Run(Counted(landscape, batch), chosen, x, set(steps)) for x in starts]
    interrupted = False
    with reporter(progress, "minimize") as report:
        try:
            for index, run in enumerate(runs):
                run.go(tol, max_steps)
                report((index + 1) / len(runs))
        except KeyboardInterrupt:
            interrupted = True
    return _trajectory(runs, steps, record_x, interrupted)


def resolve(method: str | Method) -> Method:
    """The method of a name.

    Raises:
        ValueError: there is none.
    """
    if not isinstance(method, str):
        return method
    if method not in NAMES:
        raise ValueError(f"method: got {method!r}, expected one of {', '.join(map(repr, NAMES))}")
    made: Method = NAMES[method]()
    return made


@dataclass
class Run:
    """One run: where it is, what it recorded, and why it stopped."""

    f: Counted
    method: Method
    x: Array
    wanted: set[int]
    reason: str = "interrupted"
    step: int = 0
    records: dict[int, tuple[float, float, Array]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rule: Rule = self.method.rule()
        self.value, self.grad = self.f.value_and_grad(self.x)
        self.best, self.stalled, self.length = self.value, 0, 0.0
        self.keep()

    def keep(self) -> None:
        """Records the point, if its step is wanted."""
        if self.step in self.wanted:
            self.records[self.step] = self.here()

    def here(self) -> tuple[float, float, Array]:
        """Value, gradient norm and point."""
        return self.value, dot(self.grad, self.grad) ** 0.5, self.x

    def go(self, tol: float, max_steps: int) -> None:
        """Steps until there is a reason to stop."""
        if not (np.isfinite(self.value) and np.isfinite(self.grad).all()):
            self.reason = "nonfinite"
            return
        while True:
            if self.here()[1] <= tol:
                reason = "gradient"
            elif self.stalled >= STALLED:
                reason = "rounding"
            elif self.step >= max_steps:
                reason = "steps"
            elif (point := self.search()) is None:
                reason = "line_search"
            else:
                self.move(point)
                continue
            self.reason = reason
            return

    def search(self) -> Point | None:
        """The next point; after a search that fails, the rule forgets and tries steepest descent, ever shorter."""
        for failures in range(FAILURES):
            direction = self.rule.direction(self.f, self.x, self.grad) if not failures else -self.grad
            if not np.isfinite(direction).all() or dot(direction, self.grad) >= 0:
                direction = -self.grad
            first = (1.0 if self.rule.scaled else self.first(direction)) * 0.01**failures
            line = Line(self.f, self.x, direction, self.value, self.grad, first)
            if (found := self.method.search(line, first)) is not None and np.isfinite(found.value):
                return found
            self.rule.forget()
        return None

    def first(self, direction: Array) -> float:
        """A first trial: a step of length 1 at most, or twice as long as the last one was."""
        size = math.sqrt(dot(direction, direction))
        return 2 * self.length / size if self.length else min(1.0, 1.0 / size)

    def move(self, point: Point) -> None:
        """Takes the step."""
        s = point.x - self.x
        self.rule.learn(s, point.grad - self.grad)
        self.length = dot(s, s) ** 0.5
        self.x, self.value, self.grad = point.x, point.value, point.grad
        self.stalled = 0 if self.value < self.best else self.stalled + 1
        self.best = min(self.best, self.value)
        self.step += 1
        self.keep()


def _trajectory(runs: list[Run], wanted: list[int], record_x: bool, interrupted: bool) -> Trajectory:
    last, dtype = max(run.step for run in runs), runs[0].x.dtype
    steps = sorted({*(step for step in wanted if step <= last), last})
    rows = [[run.here() if step >= run.step else run.records[step] for run in runs] for step in steps]
    counts = {name: np.array([getattr(run.f, name) for run in runs]) for name in ("values", "grads", "products")}
    return Trajectory(
        step=np.array(steps, np.int64),
        value=np.array([[each[0] for each in row] for row in rows], dtype),
        grad_norm=np.array([[each[1] for each in row] for row in rows], dtype),
        x=np.array([[each[2] for each in row] for row in rows]) if record_x else None,
        last=np.array([run.x for run in runs]),
        state={**counts, "skipped": np.array([run.rule.skipped for run in runs])},
        stop_step=np.array([run.step for run in runs], np.int64),
        stop_reason=np.array([run.reason for run in runs]),
        last_step=last,
        interrupted=interrupted,
    )
