"""What people see: tables that also read well in a file, and a progress bar on a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console, Group
from rich.padding import Padding
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from optlab.experiment.claim import Claim
from optlab.experiment.experiment import Experiment
from optlab.experiment.job import Outcome
from optlab.experiment.sources import by_lecture, parse
from optlab.experiment.wording import numbers
from optlab.search.tune import Tuned

_COLOURS = {"holds": "green", "fails": "bold red", "inconclusive": "yellow"}
_STATEMENT = 140


def show_outcome(outcome: Outcome, place: str) -> None:
    """Print the claims of an experiment under a heading; `place` says where its files are, if anywhere."""
    if outcome.record is None:
        return
    state = f"computed in {outcome.record['seconds']:.1f} s" if outcome.fresh else "up to date"
    console = Console(highlight=False)
    console.print(Text(f"{outcome.name}: {outcome.record['title']}", style="bold"))
    console.print(claims_table(outcome.claims))
    console.print(Text(f"{state}{place}\n", style="dim"))


def claims_table(claims: Sequence[Claim]) -> Table:
    """Return a table of claims that fits into 80 columns: a line of numbers, and the statement below it."""
    rows = [(claim.name, *numbers(claim), claim.verdict) for claim in claims]
    heading = ("claim", "measured", "interval", "accept", "verdict")
    widths = [max(map(len, column)) for column in zip(heading, *rows, strict=True)]
    table = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False)
    table.add_column(Text(_aligned(heading, widths)))
    for claim, cells in zip(claims, rows, strict=True):
        line = Text(_aligned(cells, widths), overflow="fold")
        line.stylize("bold", 0, len(claim.name))
        line.highlight_words([claim.verdict], style=_COLOURS[claim.verdict])
        statement = textwrap.shorten(claim.statement, _STATEMENT, placeholder=" ...")
        table.add_row(Group(line, Padding(Text(statement, style="dim"), (0, 0, 0, 2))))
    return table


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def show_experiments(experiments: Iterable[Experiment]) -> None:
    """Print for each lecture its experiments by topic, and the names of those that stand with another lecture."""
    console = Console(highlight=False)
    for lecture, (home, others) in by_lecture(experiments).items():
        console.print(Text(f"\n{lecture}", style="bold underline"))
        for experiment in home:
            console.print(_heading(experiment), _indented(console, experiment.title, 6), sep="\n", soft_wrap=True)
        if others:
            names = ", ".join(experiment.name for experiment in others)
            console.print(Text(_indented(console, f"see also {names}", 2), style="dim"), soft_wrap=True)


def _heading(experiment: Experiment) -> Text:
    topic = parse(experiment.source).topic
    told = topic.lower() in ("", experiment.name.replace("_", " "))
    return Text.assemble("  ", (experiment.name, "bold"), ("" if told else f"  {topic}", "dim"))


def _indented(console: Console, text: str, indent: int) -> str:
    # Not by Rich, which fills lines up with blanks.
    blanks = " " * indent
    return textwrap.fill(text, console.width, initial_indent=blanks, subsequent_indent=blanks)


def show_tuned(found: Sequence[Tuned], measure: str, place: Path) -> None:
    """Print the best point of each search, the best search first; its trials are in the file `place`."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for column in ("sampler", "trials", "known before", f"best {measure}", "on another seed", "parameters"):
        table.add_column(column)
    for each in found:
        best, search = each.search.best, each.search
        point = " ".join(
            f"{key}={value:.5g}" if type(value) is float else f"{key}={value}" for key, value in best.point.items()
        )
        cells = (str(len(search.trials)), str(search.resumed), f"{best.value:.5g}", f"{each.again:.5g}", point)
        table.add_row(Text(search.sampler, style="bold"), *map(Text, cells))
    console = Console(highlight=False)
    console.print(table)
    failed = sum(bool(trial.error) for each in found for trial in each.search.trials)
    note = f"{failed} trials failed and count as the worst; " if failed else ""
    console.print(Text(f"{note}all trials are in '{place}'", style="dim"))


def show_facts(facts: Mapping[str, Any]) -> None:
    """Print one fact a line."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for name, value in facts.items():
        text = ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
        table.add_row(Text(name.replace("_", " "), style="bold"), Text(text))
    Console(highlight=False).print(table)


class Bar:
    """A progress bar on the standard error stream, shown only on a terminal; call it with a fraction and a text."""

    def __init__(self) -> None:
        """Prepare the bar; entering the context shows it."""
        console = Console(stderr=True)
        description = TextColumn("{task.description}", markup=False)
        columns = (description, BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
        self._bar = Progress(*columns, console=console, transient=True) if console.is_terminal else None
        self._task = self._bar.add_task("", total=1.0) if self._bar else None

    def __enter__(self) -> Bar:
        """Show the bar."""
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the bar."""
        if self._bar:
            self._bar.stop()

    def __call__(self, fraction: float, text: str = "") -> None:
        """Show `fraction` of the work as done and `text` as the current part."""
        if self._bar and self._task is not None:
            self._bar.update(self._task, completed=min(1.0, max(0.0, fraction)), description=text)

    def aside(self, show: Callable[[], None]) -> None:
        """Call `show`, which prints, while the bar is out of the way."""
        self.__exit__()
        show()
        self.__enter__()
