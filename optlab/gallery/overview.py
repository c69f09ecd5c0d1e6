"""What is there: figures in small, by lecture."""

from __future__ import annotations

import io
from collections.abc import Sequence

from PIL import Image

from optlab.gallery.claims import badge
from optlab.gallery.exhibits import Exhibit
from optlab.gallery.markup import Html, embedded, fill, joined

_WIDTH = 480

_LECTURE = """<section aria-labelledby="$id.in">
<h3 id="$id.in">$heading</h3>
<ul class="cards">
$cards
</ul>
$others
</section>"""
_CARD = """<li data-figure="$name"><a href="#$name">\
<img src="$picture" alt="" width="$width" height="$height" decoding="async">\
<span class="eyebrow">$topic</span> <span class="title">$title</span></a> $badge</li>"""
_PLAIN = '<section><h3>$title</h3><p class="others">$links</p></section>'
_LINK = '<a href="#$name" data-figure="$name">$words</a>'
_OTHERS = '<p class="others">Elsewhere on this page: $links</p>'


def lecture(identifier: str, title: str, home: Sequence[Exhibit], others: Sequence[Exhibit]) -> Html:
    """Return the cards of a lecture's figures, and links to those that are shown with another lecture."""
    links = joined(fill(_LINK, name=one.name, words=one.name.replace("_", " ")) for one in others)
    return fill(
        _LECTURE,
        id=identifier,
        heading=fill('<a href="#$id">$title</a>', id=identifier, title=title) if home else title,
        cards=joined(map(_card, home)),
        others=fill(_OTHERS, links=links) if others else Html(""),
    )


def plain(title: str, links: Sequence[tuple[str, str]]) -> Html:
    """Return a section of the contents that has links only, each given by its identifier and its text."""
    return fill(
        _PLAIN, title=title, links=joined(fill('<a href="#$id">$text</a>', id=one, text=text) for one, text in links)
    )


def _card(exhibit: Exhibit) -> Html:
    width, height, picture = _small(exhibit.contents["png"])
    return fill(
        _CARD,
        name=exhibit.name,
        title=exhibit.record["title"],
        topic=exhibit.topic,
        picture=embedded("image/webp", picture),
        width=width,
        height=height,
        badge=badge(exhibit.verdict),
    )


def _small(picture: bytes) -> tuple[int, int, bytes]:
    target = io.BytesIO()
    with Image.open(io.BytesIO(picture)) as image:
        height = round(_WIDTH * image.height / image.width)
        shown = image.convert("RGB").resize((_WIDTH, height), Image.Resampling.LANCZOS)
    shown.save(target, "WEBP", quality=80)
    return _WIDTH, height, target.getvalue()
