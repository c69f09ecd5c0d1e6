"""Progress of long work: a function of (fraction done, text), or a bar on stderr."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

Progress = Callable[..., None]


@contextlib.contextmanager
def reporter(progress: bool | Progress, title: str) -> Iterator[Progress]:
    """The function to report to: the given one, a bar on stderr for True, or none."""
    if callable(progress):
        yield progress
    elif progress:
        with _bar(title) as report:
            yield report
    else:
        yield lambda fraction, text="": None


@contextlib.contextmanager
def _bar(title: str) -> Iterator[Progress]:
    import rich.console  # here, because importing optlab must stay light
    import rich.progress

    with rich.progress.Progress(console=rich.console.Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=1.0)
        yield lambda fraction, text="": bar.update(task, completed=fraction, description=text or title)
