"""What is wrong with the arguments of an optimizer that Python would refuse in its own words."""

from __future__ import annotations

import inspect
from dataclasses import MISSING, fields
from typing import Any, TypeVar

from optlab.errors import did_you_mean

Made = TypeVar("Made")

ALIASES = {
    "learning_rate": "lr",
    "step_size": "lr",
    "eta": "lr",
    "beta1": "betas",
    "beta2": "betas",
    "epsilon": "eps",
    "decay": "weight_decay",
    "l2": "weight_decay",
    "clip": "clip_norm",
}
"""Names of other libraries and of papers, and ours."""


class Named(type):
    """The class of the optimizers' classes: a wrong or missing argument is one line with a remedy."""

    def __call__(cls: type[Made], *given: Any, **named: Any) -> Made:
        """Makes an optimizer.

        Raises:
            TypeError: an argument has no such name, comes twice, or is missing.
        """
        # Ours alone: a subclass may have an __init__ of its own.
        own = [each for each in fields(cls) if each.init]  # type: ignore[arg-type]
        places = [each.name for each in own if not each.kw_only]
        _check_names(cls.__name__, list(dict.fromkeys([*places, *(each.name for each in own)])), named)
        _check_twice(cls.__name__, places[: len(given)], named)
        for each in own:
            needed = each.default is MISSING and each.default_factory is MISSING
            if needed and each.name not in (*places[: len(given)], *named):
                raise TypeError(f"{each.name}: got none, expected it, as in {cls.__name__}({each.name}=0.1)")
        made: Made = type.__call__(cls, *given, **named)
        return made

    @property
    def __signature__(cls) -> inspect.Signature:
        """That of the dataclass, which help and editors show."""
        whole = inspect.signature(cls.__init__)  # type: ignore[misc]
        return whole.replace(parameters=list(whole.parameters.values())[1:], return_annotation=inspect.Signature.empty)


def _check_names(kind: str, known: list[str], named: dict[str, Any]) -> None:
    for name in named:
        if name not in known:
            alias = ALIASES.get(name)
            hint = f"; did you mean '{alias}'?" if alias in known else did_you_mean(name, known)
            raise TypeError(f"{kind}: unknown keyword '{name}'{hint or '; there are: ' + ', '.join(known)}")


def _check_twice(kind: str, places: list[str], named: dict[str, Any]) -> None:
    for name in places:
        if name in named:
            raise TypeError(
                f"{name}: got it by place and by keyword, expected once; {kind} takes numbers only, and arrays go to "
                "init(x) and step(x, grad, state)"
            )
