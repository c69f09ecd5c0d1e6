"""What a study returns, and which steps it records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optlab.checks import integer

Array = NDArray[Any]
MAX_STEP = 2**48 - 1


@dataclass(frozen=True)
class LogSpaced:
    """See :func:`log_spaced`."""

    count: int

    def steps(self, first: int, last: int) -> list[int]:
        """The steps between first and last."""
        span = max(last - first, 1)
        spaced = np.unique(np.round(np.geomspace(1, span, self.count)).astype(np.int64))
        return sorted({first, last, *(first + int(step) for step in spaced if step <= last - first)})


def log_spaced(count: int) -> LogSpaced:
    """For ``descend(record=…)``: the first step, the last, and about ``count`` between, evenly spaced in log(step)."""
    return LogSpaced(integer("count", count, 1, 2**31))


Record = int | Sequence[int] | LogSpaced | None


def record_steps(record: Record, first: int, last: int) -> list[int]:
    """The steps that a study from first to last records.

    Raises:
        TypeError: record is of no known form.
        ValueError: a step lies outside the study.
    """
    if record is None:
        return sorted({first, last})
    if isinstance(record, LogSpaced):
        return record.steps(first, last)
    if isinstance(record, int | np.integer):
        return sorted({*range(first, last + 1, integer("record", record, 1, MAX_STEP)), last})
    if isinstance(record, str) or np.ndim(record) != 1:
        raise TypeError(f"record: got {record!r}, expected None, a whole number, a list of steps or log_spaced(n)")
    return sorted({integer("record", step, first, last) for step in record})


@dataclass
class Trajectory:
    """The recorded paths of a study of many runs.

    Arrays of floats, and of the state, are of the device of the starting points; ``step``, ``stop_step``,
    ``stop_reason`` and the state's ``step`` and ``format`` are always NumPy's.

    Attributes:
        step: The steps recorded, ``(records,)`` int64.
        value: f(x) there, on the full objective, ``(records, runs)``.
        grad_norm: |∇f(x)| there, likewise.
        x: The points, ``(records, runs, dim)``, or None with ``record_x=False``.
        last: The final points, ``(runs, dim)``.
        state: The optimizer's final state with a runs axis, and what else a continuation needs.
        stop_step: The step at which each run stopped, ``(runs,)``.
        stop_reason: Why: "steps" (it ran to the end), the name of a stopping rule, "nonfinite", "no_decrease" or
            "interrupted". The record of the step at which a run stopped holds x there; only after it "no_decrease" goes
            back in time.
        last_step: The step of ``last``; a continuation passes it as ``first_step``.
        probes: The values of other landscapes at the records, by name, each ``(records, runs)``.
        interrupted: Whether Ctrl-C ended the study early; the records up to then are whole.
    """

    step: NDArray[np.int64]
    value: Array
    grad_norm: Array
    x: Array | None
    last: Array
    state: dict[str, Array]
    stop_step: NDArray[np.int64]
    stop_reason: NDArray[np.str_]
    last_step: int
    probes: dict[str, Array] = field(default_factory=dict)
    interrupted: bool = False

    def __str__(self) -> str:
        """How many runs, how far, and why they stopped."""
        runs, dim = self.last.shape
        text = f"{runs} run{'s'[: runs > 1]} in {dim} coordinate{'s'[: dim > 1]} to step {self.last_step}"
        text += f", recorded at {len(self.step)} steps. Stopped by "
        return text + ", ".join(map(self._why, np.unique(self.stop_reason))) + "."

    def _why(self, reason: str) -> str:
        """How many runs stopped for a reason, and from when on."""
        steps = self.stop_step[self.stop_reason == reason]
        since = "" if reason in ("steps", "interrupted") else f", from step {steps.min()} on"
        return f"{reason}: {len(steps)}{since}"
