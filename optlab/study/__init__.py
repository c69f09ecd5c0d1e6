"""The studies behind :func:`optlab.descend`: their arguments, checked, the arrays that they fill, and their loop."""

from optlab.study.loop import run
from optlab.study.setup import Arguments, check_probes, prepare
from optlab.study.study import Study

__all__ = ["Arguments", "Study", "check_probes", "prepare", "run"]
