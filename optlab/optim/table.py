"""From an optimizer and a layout to the table of numbers that the compiled step reads."""

from __future__ import annotations

import fnmatch
import math
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from optlab.backends.specs import StepPlan
from optlab.kernels.select import cpu
from optlab.layout import Layout, Segment
from optlab.optim.rule import checked, rule_of, values_of
from optlab.optim.state_format import Format

if TYPE_CHECKING:
    from optlab.optim.optimizer import Optimizer

NONFINITE = ("propagate", "raise", "skip")
"""What a gradient that is NaN or infinite may do, by the numbers that compiled code has for it."""

Group = tuple[str, tuple[tuple[str, Any], ...]]
"""A pattern of segment names and the hyperparameters that differ there."""


def groups_of(opt: Optimizer) -> tuple[Group, ...]:
    """The groups in their canonical, hashable form.

    Raises:
        TypeError: it is not a dict of dicts.
        ValueError: a name is not one of the optimizer's numeric hyperparameters, or a number is out of range.
    """
    try:
        wanted = {pattern: dict(given) for pattern, given in dict(opt.groups).items()}  # also the canonical form
        if not all(isinstance(pattern, str) for pattern in wanted):
            raise TypeError
    except (TypeError, ValueError):
        raise TypeError(f"groups: got {opt.groups!r}, expected a dict from patterns to dicts of numbers") from None
    return tuple((pattern, _checked_group(opt, pattern, given)) for pattern, given in wanted.items())


def _checked_group(opt: Optimizer, pattern: str, given: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
    names = values_of(opt)
    for name in given:
        if name not in names:
            raise ValueError(f"groups: got {name!r} for {pattern!r}, expected one of {', '.join(sorted(names))}")
    if "lr" in given and np.min(names["lr"]) == 0:
        raise ValueError(f"groups: got lr for {pattern!r}, expected an optimizer whose own lr is above 0")
    group = {name: checked(opt, name, value) for name, value in given.items()}
    if rule_of(opt._replaced(group)) != rule_of(opt):  # one rule serves all segments
        raise ValueError(f"groups: got momentum for {pattern!r}, expected an optimizer with momentum")
    return tuple(group.items())


def study_plan(opt: Optimizer, layout: Layout) -> StepPlan:
    """What a study of many runs needs to know.

    Raises:
        ValueError: a pattern of ``groups`` matches no segment.
    """
    return step_plan(opt, Format(opt._kind(), runs_axis=True, list=False, layout=layout))


def step_plan(opt: Optimizer, layout: Format) -> StepPlan:
    """What the compiled step needs to know, for states of this layout.

    Raises:
        ValueError: a pattern of ``groups`` matches no segment.
    """
    groups = cast("tuple[Group, ...]", opt.groups)
    for pattern, _ in groups:
        if not any(fnmatch.fnmatchcase(segment.name, pattern) for segment in layout.layout):
            names = ", ".join(segment.name for segment in layout.layout[:5])
            raise ValueError(f"groups: {pattern!r} matches no segment of the layout ({names}{' …'[: len(names)]})")
    table = _table(opt, layout)
    return StepPlan(
        rule=rule_of(opt),
        flags=_flags(opt, table),
        quantized=opt._quantized,
        nonfinite=NONFINITE.index(opt.nonfinite),
        clip_norm=math.inf if opt.clip_norm is None else opt.clip_norm,
        max_norm=math.inf if opt.max_norm is None else opt.max_norm,
        sizes=tuple(segment.size for segment in layout.layout),
        parameters=table,
        runs_axis=layout.runs_axis,
        list=layout.list,
        noise=opt.noise,
        seed=opt.seed,
    )


def _names(opt: Optimizer) -> list[str]:
    return [*cpu.around_parameters, *cpu.rule_parameters(rule_of(opt))]


def _table(opt: Optimizer, layout: Format) -> NDArray[np.float64]:
    """(segments, 1 or runs, hyperparameters)."""
    groups = [_group(opt, segment) for segment in layout.layout]
    rows = {number: [np.atleast_1d(value) for value in _row(opt, number)] for number in dict.fromkeys(groups)}
    runs = max(len(column) for row in rows.values() for column in row)
    tables = {number: np.empty((runs, len(row))) for number, row in rows.items()}
    for number, row in rows.items():
        for index, (name, column) in enumerate(zip(_names(opt), row, strict=True)):
            if len(column) not in (1, runs):
                raise ValueError(f"{name}: got {len(column)} numbers, expected one or {runs}, as other hyperparameters")
            tables[number][:, index] = column
    return np.stack([tables[number] for number in groups])


def _group(opt: Optimizer, segment: Segment) -> int | None:
    """The number of the first group whose pattern the segment's name matches."""
    groups = cast("tuple[Group, ...]", opt.groups)
    return next((k for k, (pattern, _) in enumerate(groups) if fnmatch.fnmatchcase(segment.name, pattern)), None)


def _row(opt: Optimizer, number: int | None) -> list[Any]:
    """The hyperparameters of a group, around the rule and its own, in the order of the C++ list."""
    base = values_of(opt)
    group = {} if number is None else dict(cast("tuple[Group, ...]", opt.groups)[number][1])
    values = base | group
    own = cpu.rule_parameters(rule_of(opt))
    decay = 0.0 if "weight_decay" in own else values.get("weight_decay", 0.0)  # a rule may see to the decay itself
    around = {
        # A factor, since a schedule or an override replaces the optimizer's learning rate, not the group's.
        "lr_ratio": np.divide(values["lr"], base["lr"]) if "lr" in group else 1.0,
        "weight_decay": 0.0 if opt.decoupled_weight_decay else decay,
        "decoupled_weight_decay": decay if opt.decoupled_weight_decay else 0.0,
        "l1": values["l1"],
        "clip_value": math.inf if opt.clip_value is None else opt.clip_value,
    }
    values["lr"] = base["lr"]
    # A rule's switch is a number to it, but no hyperparameter to sweep or to group.
    rules = [values[name] if name in values else float(getattr(opt, name)) for name in own]
    return [around[name] for name in cpu.around_parameters] + rules


def _flags(opt: Optimizer, table: NDArray[np.float64]) -> int:
    """Options of the element loop: what no segment wants is left out of it."""
    column = {name: table[..., index] for index, name in enumerate(_names(opt))}
    flags: int = cpu.MAXIMIZE if getattr(opt, "maximize", False) else 0
    flags |= cpu.WEIGHT_DECAY if column["weight_decay"].any() else 0
    guard = column["l1"].any() or np.isfinite(column["clip_value"]).any()
    flags |= cpu.GUARD if guard else 0
    return flags | (cpu.RARE if cpu.rule_divides(rule_of(opt)) and not column["eps"].all() else 0)
