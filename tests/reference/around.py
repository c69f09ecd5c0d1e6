"""What stands around every rule, from the docstring of ``Optimizer``: named stages in their order.

A stage changes the parts of one point, its segments, in place. A mutant is the same table with one stage exchanged.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

import optlab as ol
from reference.optimizers import LAYERWISE, RULES, Given, Rule, State
from reference.rounding import Rounded, absolute, maximum, minimum, norm


@dataclass
class Part:
    """One segment of a point; the first stage finds its hyperparameters."""

    x: Rounded
    g: Rounded
    state: State
    opt: ol.Optimizer
    segment: str
    lr: float
    h: Given = field(default_factory=dict)


Stage = Callable[[list[Part], int], None]
Stages = dict[str, Stage]


def each(change: Callable[[Part], None]) -> Stage:
    """A stage that takes the segments one by one."""

    def stage(parts: list[Part], t: int) -> None:
        for part in parts:
            change(part)

    return stage


def joined(arrays: list[Rounded]) -> Rounded:
    """One vector."""
    return Rounded(np.concatenate([a.value for a in arrays]), np.concatenate([a.error for a in arrays]), arrays[0].eps)


def hyperparameters(p: Part) -> None:
    """Those of the optimizer or the first matching group; ``lr`` stands in for the optimizer's."""
    h = {each.name: getattr(p.opt, each.name) for each in fields(p.opt)} | {"name": type(p.opt).__name__}
    matching = (given for pattern, given in p.opt.groups if fnmatch.fnmatchcase(p.segment, pattern))
    group = dict(next(matching, ()))
    ratio = group.pop("lr", p.opt.lr) / p.opt.lr
    if "betas" in h:
        h["betas"] = tuple(group.pop(f"beta{k}", h["betas"][k - 1]) for k in (1, 2))
    p.h = h | group | {"lr": p.lr * ratio}


def sign(p: Part) -> None:
    """Uphill with ``maximize``."""
    p.g = -p.g if p.h["maximize"] else p.g


def clip_norm(parts: list[Part], t: int) -> None:
    """g · min(1, clip_norm / (|g| + 1e-6)), the norm of the whole gradient."""
    if (bound := parts[0].h["clip_norm"]) is not None:
        factor = minimum(bound / (norm(joined([p.g for p in parts])) + 1e-6), 1.0)
        for p in parts:
            p.g = p.g * factor


def clip_value(p: Part) -> None:
    """Every element inside [−clip_value, clip_value]."""
    if (bound := p.h["clip_value"]) is not None:
        p.g = maximum(minimum(p.g, bound), -bound)


def coupled(p: Part) -> None:
    """g + weight_decay x, where the rule does not see to the decay itself."""
    if not p.h["decoupled_weight_decay"] and p.h["name"] not in LAYERWISE:
        p.g = p.g + p.h["weight_decay"] * p.x


def decoupled(p: Part) -> None:
    """(1 − lr weight_decay) x."""
    if p.h["decoupled_weight_decay"]:
        p.x = p.x * (1 - p.h["lr"] * p.h["weight_decay"])


def of_rule(rule: Rule) -> Stage:
    """The rule itself, in each segment."""

    def stage(parts: list[Part], t: int) -> None:
        for p in parts:
            p.x, p.state = rule(p.x, p.g, p.state, t, p.h)

    return stage


def l1(p: Part) -> None:
    """sign(x) · max(|x| − lr l1, 0), which moves no further than x does."""
    if p.h["l1"]:
        size = maximum(absolute(p.x) - p.h["lr"] * p.h["l1"], 0.0)
        p.x = Rounded(np.sign(p.x.value) * size.value, size.error, size.eps)


def max_norm(parts: list[Part], t: int) -> None:
    """x · min(1, max_norm / |x|), the norm of the whole point."""
    if (bound := parts[0].h["max_norm"]) is None:
        return
    size = norm(joined([p.x for p in parts]))
    if size.value + size.error > bound:
        for p in parts:
            p.x = p.x * minimum(bound / size, 1.0)


def stages_of(name: str) -> Stages:
    """The right twin of an optimizer."""
    return {
        "hyperparameters": each(hyperparameters),
        "sign": each(sign),
        "clip_norm": clip_norm,
        "clip_value": each(clip_value),
        "coupled": each(coupled),
        "decoupled": each(decoupled),
        "rule": of_rule(RULES[name]),
        "l1": each(l1),
        "max_norm": max_norm,
    }


def twin_step(
    stages: Stages, opt: ol.Optimizer, x: Rounded, g: Rounded, state: State, t: int, lr: Any, layout: Any
) -> tuple[Rounded, State]:
    """One step of a point, from the formulas."""
    parts = []
    for segment in layout:
        at = slice(segment.offset, segment.offset + segment.size)
        own = {name: array[at] for name, array in state.items()}
        parts.append(Part(x[at], g[at], own, opt, segment.name, lr))
    for stage in stages.values():
        stage(parts, t)
    return joined([p.x for p in parts]), {name: joined([p.state[name] for p in parts]) for name in parts[0].state}
