"""An experiment: a question with parameters, a computation, a figure and claims."""

from __future__ import annotations

import re
import runpy
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from optlab.errors import UsageError
from optlab.experiment.claim import Claim
from optlab.experiment.params import Params

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Data = Mapping[str, NDArray[Any]]
"""What `compute` found: named arrays, read-only in `plot` and `claims`."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


class Progress(Protocol):
    """Tells whoever waits how far a computation is."""

    def __call__(self, fraction: float, text: str = "") -> None:
        """Report that `fraction` (0 to 1) of the work is done; `text` names the current part."""


@dataclass(frozen=True)
class Experiment:
    """A question that a machine can answer, one to a file.

    A file `NAME.py` with a module-level `experiment = Experiment(...)` is all there is to register, and `NAME` is the
    experiment's name.

    Attributes:
        title: the finding, as a lecturer would say it.
        source: lecture and topic.
        question: what the figure answers.
        params: default values by name: int, float, bool, str or tuples of numbers.
        quick: the values that `--quick` replaces; every claim must still be meaningful with them.
        compute: `compute(p, seed, progress)` returns named arrays; all randomness comes from `seed`.
        plot: `plot(data, p)` returns a figure, made with `optlab.plotting.figure`.
        claims: `claims(data, p)` returns the claims. Neither sees more than `data` and `p`, so that both can be
            done again from the saved numbers.
        animate: None, or `animate(data, p)` yields the frames of an animation: figures, or one that changes.
        name: left out in a file, which gives it; elsewhere, as in a notebook, empty where it is not said.

    Raises:
        ValueError: if the name cannot be a file's name, a text is empty, a parameter has an unknown type, or `quick`
            does not fit `params`.
    """

    title: str
    source: str
    question: str
    params: Mapping[str, Any]
    quick: Mapping[str, Any]
    compute: Callable[[Params, int, Progress], Mapping[str, ArrayLike]]
    plot: Callable[[Data, Params], Figure]
    claims: Callable[[Data, Params], Sequence[Claim]]
    animate: Callable[[Data, Params], Iterable[Figure]] | None = None
    name: str = ""

    def __post_init__(self) -> None:
        """Check the declaration, so that a mistake shows when the file is loaded and not after minutes of work."""
        if self.name and not _NAME.fullmatch(self.name):
            raise ValueError(f"name must consist of letters, digits, '_' and '-', given '{self.name}'")
        for field in ("title", "source", "question"):
            if not getattr(self, field).strip():
                raise ValueError(f"{field} must not be empty")
        self.parameters(quick=True)

    def parameters(self, *, quick: bool = False, settings: Iterable[str] = ()) -> Params:
        """Return the parameters of a run: the defaults, then `quick`, then each `key=value` of `settings`.

        Raises:
            UsageError: if a setting names an unknown key or its value has the wrong type.
        """
        chosen = Params(self.params)
        if quick:
            chosen = chosen.replaced(self.quick)
        return chosen.overridden(settings)

    def main(self, argv: Sequence[str] | None = None) -> NoReturn:
        """Do what `optlab run NAME` does, for the last line of the experiment's own file.

        `if __name__ == "__main__": experiment.main()`. The arguments are those after `optlab run NAME`.

        Raises:
            SystemExit: with the exit code of the command.
            UsageError: if neither a file that runs nor `name` says which experiment this is.
        """
        script = getattr(sys.modules["__main__"], "__file__", None) or self.name
        if not script:
            raise UsageError("this experiment has no name and no file; write it to NAME.py and `optlab run NAME.py`")
        sys.argv = ["optlab", "run", script, *(sys.argv[1:] if argv is None else argv)]
        # The command line is started as the program it is, because no module imports from a layer above its own.
        runpy.run_module("optlab", run_name="__main__")
        raise SystemExit(0)


def as_data(arrays: Mapping[str, ArrayLike]) -> dict[str, NDArray[Any]]:
    """Return what `compute` returned as read-only arrays in C order, sorted by name.

    This is exactly what the saved file gives back, so a figure made during a run equals one made from the file.

    Raises:
        TypeError: if it is no mapping of names to arrays of numbers, booleans or text.
    """
    if not isinstance(arrays, Mapping) or not all(isinstance(key, str) for key in arrays):
        raise TypeError(f"compute must return a dict from names to arrays, given {type(arrays).__name__}")
    return {key: _frozen(key, arrays[key]) for key in sorted(arrays)}


def _frozen(key: str, values: ArrayLike) -> NDArray[Any]:
    array = np.array(values, order="C")
    if array.dtype.kind not in "biufcUS":
        raise TypeError(f"compute returned '{key}' of dtype {array.dtype}; arrays of numbers can be saved")
    array.flags.writeable = False
    return array
