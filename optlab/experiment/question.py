"""What a claim says before anything is measured, and how a measurement answers it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from optlab.experiment.claim import Accept, Claim, check_level
from optlab.experiment.intervals import Interval

Measure = Callable[[], tuple[float, Interval]]
"""Returns the measured number and its interval."""


@dataclass(frozen=True)
class Question:
    """The fields of a claim that do not depend on samples."""

    name: str
    statement: str
    expected: float | None
    accept: Accept
    level: float

    def answer(self, what: str, sizes: Sequence[int], spoiled: int, measure: Measure) -> Claim:
        """Return the claim about what `measure` finds in samples of the given sizes.

        `measure` is called only when no sample is `spoiled` (not finite) and none is empty; otherwise the claim fails.

        Raises:
            ValueError: for what `Claim` refuses.
        """
        check_level(self.name, self.level)
        method = f"{what} over {' and '.join(map(str, sizes))} samples"
        measured, (low, high) = math.nan, (math.nan, math.nan)
        if spoiled:
            method += f", {spoiled} of them not finite"
        elif min(sizes) > 0:
            measured, (low, high) = measure()
            method += ", too few for the level" if math.isinf(low) and math.isinf(high) else ""
        return Claim(
            self.name,
            self.statement,
            measured,
            self.expected,
            low,
            high,
            self.accept,
            self.level,
            method,
            min(sizes),
        )
