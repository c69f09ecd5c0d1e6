"""What one element of an update costs at least: the numbers behind a share of the memory's speed and a roofline."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """Arithmetic and memory traffic of one element.

    ``operations`` counts each sum, product, quotient and root as one, and neither absolute values nor maxima; what
    depends on the step alone is computed once and not counted. ``read_only`` and ``read_write`` count streams of
    float32 numbers: the gradient is read; the point and the state are read and written back.
    """

    operations: int
    read_only: int
    read_write: float

    @property
    def bytes(self) -> float:
        """Memory traffic where nothing stays in a cache."""
        return 4 * (self.read_only + 2 * self.read_write)


RULES = {
    "SGD": Rule(2, 1, 1),
    "SGD momentum": Rule(4, 1, 2),
    "Adagrad": Rule(7, 1, 2),
    "RMSprop": Rule(9, 1, 2),
    "Adamax": Rule(8, 1, 3),
    "AdamW": Rule(14, 1, 3),
    "NAdam": Rule(15, 1, 3),
    "Adadelta": Rule(15, 1, 3),
    # Two bytes of state, and a float32 scale now and then; what packs and unpacks them is not counted.
    "AdamW8bit": Rule(14, 1, 1.5),
    # The norms have to be known before the step, and so memory is read twice: x and g for them, then g again.
    "LARS": Rule(10, 3, 2),
    # x and g are read while the averages are rewritten; then x is, while the averages are read again.
    "LAMB": Rule(20, 4, 3),
}
"""THE table of costs."""
