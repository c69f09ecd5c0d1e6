"""A gallery of figures with their claims: one static page that needs no network.

It is made from records alone; equal records give the same bytes.
"""

from __future__ import annotations

from pathlib import Path

from optlab import files
from optlab.errors import UsageError
from optlab.gallery.exhibits import benchmarks, exhibits
from optlab.gallery.markup import size
from optlab.gallery.page import page

__all__ = ["write"]


def write(figures: Path, out: Path) -> str:
    """Write the page about the folder `figures` to the file `out` and return what was written, in words.

    Raises:
        UsageError: if there is no record in `figures`, or `out` is a folder.
        OptlabError: if a record is missing or damaged, or `out` cannot be written.
    """
    if out.is_dir():
        raise UsageError(f"--out takes a file, given the folder '{out}'")
    shown = exhibits(figures)
    content = page(shown, benchmarks(figures)).encode()
    files.require_writable(out.parent)
    files.write_all(out.parent, {out.name: content})
    return f"{len(shown)} figure{'s' * (len(shown) != 1)} in '{out}', {size(len(content))}"
