"""Comparing searches, which must have had the same budget."""

from __future__ import annotations

from collections.abc import Sequence

from optlab.search.search import Search


def compare(searches: Sequence[Search]) -> list[Search]:
    """The searches, from the best to the worst, if they can be compared.

    Raises:
        ValueError: they differ in the number of trials, in the space, or in what is better.
    """
    if not searches:
        raise ValueError("searches: got none, expected at least one")
    first = searches[0]
    for other in searches[1:]:
        if len(other.trials) != len(first.trials):
            raise ValueError(
                f"searches: got {len(first.trials)} trials of {first.sampler} and {len(other.trials)} of "
                f"{other.sampler}, expected equal budgets"
            )
        if (dict(other.space), other.maximize) != (dict(first.space), first.maximize):
            raise ValueError(f"searches: {first.sampler} and {other.sampler} looked for different things")
    return sorted(searches, key=lambda found: found.best.value, reverse=first.maximize)
