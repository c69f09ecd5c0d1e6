"""One figure in full: question, picture, claims, and how to make it again."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image

from optlab.gallery import claims
from optlab.gallery.command import command
from optlab.gallery.exhibits import Exhibit
from optlab.gallery.markup import Html, embedded, fill, fill_file, joined, size, typeset

_PARAMETER = "<div><dt>$key</dt><dd>$value</dd></div>"
_DOWNLOAD = '<a href="$address" download="$file">$what <small>($size)</small></a>'


def article(exhibit: Exhibit, lectures: Sequence[str]) -> Html:
    """Return the article about `exhibit`, which belongs to the `lectures` of these identifiers."""
    record, still = exhibit.record, exhibit.contents["png"]
    width, height = pixels(still)
    return fill_file(
        "article.html",
        name=exhibit.name,
        verdict=exhibit.verdict,
        lectures=" ".join(lectures),
        topic=exhibit.topic,
        title=record["title"],
        question=record["question"],
        still=embedded("image/png", still),
        width=width,
        height=height,
        animation=_animation(exhibit),
        tally=claims.tally(exhibit.claims),
        claims=claims.table(exhibit.name, exhibit.claims),
        command=command(record),
        facts=_facts(record),
        parameters=joined(fill(_PARAMETER, key=key, value=_value(value)) for key, value in record["params"].items()),
        source=record["source"],
        downloads=joined((download(exhibit.name, "json", "record", exhibit.contents["json"]), _data(exhibit))),
    )


def download(name: str, ending: str, what: str, content: bytes) -> Html:
    """Return a link that saves `content` as the file NAME.ENDING."""
    kind = {"json": "application/json", "npz": "application/zip"}[ending]
    return fill(_DOWNLOAD, address=embedded(kind, content), file=f"{name}.{ending}", what=what, size=size(len(content)))


def pixels(picture: bytes) -> tuple[int, int]:
    """Return width and height of a picture."""
    with Image.open(io.BytesIO(picture)) as image:
        return image.size


def _data(exhibit: Exhibit) -> Html:
    return download(exhibit.name, "npz", "data", exhibit.contents["npz"])


def _animation(exhibit: Exhibit) -> Html:
    moving = exhibit.contents.get("gif")
    if moving is None:
        return Html("")
    width, height = pixels(moving)
    return fill_file(
        "animation.html",
        title=exhibit.record["title"],
        moving=embedded("image/gif", moving),
        size=size(len(moving)),
        width=width,
        height=height,
    )


def _facts(record: Mapping[str, Any]) -> str:
    made = record["provenance"]
    commit = made.get("git") or {}
    facts = {
        "computed in": f"{record['seconds']:.1f} s",
        "seed": record["seed"],
        "optlab": made.get("optlab"),
        "commit": str(commit.get("commit", ""))[:10] + (" and changes" if commit.get("dirty") else ""),
        "processor": made.get("cpu"),
    }
    return ", ".join(f"{key} {value}" for key, value in facts.items() if value not in (None, ""))


def _value(value: Any) -> Html:
    return typeset(", ".join(map(str, value)) if isinstance(value, list) else str(value))
