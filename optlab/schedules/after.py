"""What follows the end of a schedule."""

from __future__ import annotations

import numpy as np

from optlab.schedules.arithmetic import Factors, Steps
from optlab.schedules.schedule import Schedule, one_of


class Ending(Schedule):
    """Base of the schedules with an end: a subclass has the fields ``total`` and ``after``, and gives :meth:`_path`.

    With ``after="hold"`` the factor of step t is that of step ``min(t, end)``. With ``after="repeat"`` it is that of
    ``min(m, 2 end − m)``, where ``m = t mod 2 end``: back to the factor of step 0 and forth again, over and over.
    """

    total: int
    after: str

    def __post_init__(self) -> None:
        self._set(after=one_of("after", self.after, ("hold", "repeat")))

    @property
    def _end(self) -> int:
        """The last step of the path."""
        return self.total

    def _factors(self, t: Steps) -> Factors:
        if self.after == "hold":
            return self._path(np.minimum(t, self._end))
        place = t % (2 * self._end)
        return self._path(np.minimum(place, 2 * self._end - place))

    def _path(self, t: Steps) -> Factors:
        """The factors at steps from 0 to the end."""
        raise NotImplementedError
