"""Wrong twins, each an edit of one line of a right one. A comparison that lets one pass would let a wrong kernel pass.

``python -m reference.mutants`` in tests/ lists every mutant with what killed it.
"""

from __future__ import annotations

import inspect
from types import ModuleType
from typing import Any

import numpy as np
from cases.optimizers import OPTIMIZERS

from reference import around, optimizers
from reference.battery import killer
from reference.mutants_around import AROUND_MUTANTS
from reference.mutants_rules import RULE_MUTANTS
from reference.optimizers import LAYERWISE, RULES

COUNTING = tuple(name for name, case in OPTIMIZERS.items() if case.late is not None)
AHEAD = {"step_count_ahead": COUNTING, "step_count_behind": tuple(name for name in COUNTING if name != "SGD")}
DECAYING = {"coupled", "decoupled", "clipped_after_decay", "decoupled_after_the_rule"}
"""Tables and mutants that leave the rules alone that see to the decay themselves."""

Mutants = dict[tuple[str, str], around.Stages]


def edited(module: ModuleType, function: str, edit: tuple[str, str]) -> dict[str, Any]:
    """The names of a module in which one function is written otherwise."""
    old, new = edit
    whole, part = inspect.getsource(module), inspect.getsource(getattr(module, function))
    assert part.count(old) == 1, f"{old!r} stands {part.count(old)} times in {function}"
    names: dict[str, Any] = {"__name__": module.__name__}
    exec(compile(whole.replace(part, part.replace(old, new)), f"<{function}>", "exec"), names)
    return names


def of_rules() -> Mutants:
    """(optimizer, mutant) -> its stages, for mistakes in a rule."""
    made = {}
    for function, (kinds, mutants) in RULE_MUTANTS.items():
        for mutant, edit in mutants.items():
            rules = edited(optimizers, function, edit)["RULES"]
            for kind in kinds:
                made[kind, mutant] = around.stages_of(kind) | {"rule": around.of_rule(rules[kind])}
    return made


def of_surroundings() -> Mutants:
    """The same for mistakes in what stands around every rule."""
    made = {}
    for function, mutants in AROUND_MUTANTS.items():
        for mutant, edit in mutants.items():
            names = edited(around, function, edit)
            for kind in RULES:
                if kind not in AHEAD.get(mutant, RULES) or (kind in LAYERWISE and {function, mutant} & DECAYING):
                    continue  # nothing differs
                made[kind, mutant] = names["stages_of"](kind)
    return made


MUTANTS = of_rules() | of_surroundings()


def main() -> None:
    """Prints the list as a table."""
    print("| optimizer | mutant | killed by |\n|---|---|---|")
    for (kind, mutant), stages in MUTANTS.items():
        print(f"| {kind} | {mutant} | {killer(kind, stages, np.float32)} |")


if __name__ == "__main__":
    main()
