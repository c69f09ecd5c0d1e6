"""The claims of a figure as a table, and how many hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from optlab.experiment.claim import Claim
from optlab.experiment.wording import number, numbers
from optlab.gallery.markup import Html, fill, joined, typeset
from optlab.gallery.strip import strip

MARKS = {"holds": "✓", "inconclusive": "?", "fails": "✗"}
"""The mark of each verdict: none is told by its colour alone."""

_BADGE = '<span class="badge $verdict"><span aria-hidden="true">$mark</span> $text</span>'
_TABLE = """<table class="claims">
<caption class="unseen">Claims of $name</caption>
<thead><tr><th scope="col">verdict</th><th scope="col">claim</th><td></td><th scope="col">measured</th>\
<th scope="col">interval</th><th scope="col">accepted</th></tr></thead>
<tbody>
$rows
</tbody>
</table>"""
_ROW = """<tr class="$verdict"><td class="verdict">$badge</td>\
<th scope="row">$statement <small><code>$name</code> · $method</small></th>\
<td class="drawn">$strip</td><td data-label="measured">$measured$expected</td>\
<td data-label="interval">$interval$level</td><td data-label="accepted">$accept</td></tr>"""


def badge(verdict: str, text: str | None = None) -> Html:
    """Return a verdict with its mark; `text` stands in place of the verdict's own name."""
    return fill(_BADGE, verdict=verdict, mark=MARKS[verdict], text=text or verdict)


def tally(claims: Sequence[Claim]) -> Html:
    """Return how many claims hold, are inconclusive and fail; the latter two only where there are any."""
    counts: Counter[str] = Counter(claim.verdict for claim in claims)
    if counts["holds"] == len(claims):
        return badge("holds", f"all {len(claims)} claims hold" if len(claims) > 1 else "its claim holds")
    words = {"holds": "hold", "inconclusive": "inconclusive", "fails": "fail"}
    return Html(" ".join(badge(key, f"{counts[key]} {word}") for key, word in words.items() if counts[key]))


def table(name: str, claims: Sequence[Claim]) -> Html:
    """Return the table of the claims of the figure `name`."""
    return fill(_TABLE, name=name, rows=joined(_row(claim) for claim in claims))


def _row(claim: Claim) -> Html:
    measured, interval, accept = (typeset(text) for text in numbers(claim))
    return fill(
        _ROW,
        verdict=claim.verdict,
        badge=badge(claim.verdict),
        name=claim.name,
        statement=typeset(claim.statement),
        strip=strip(claim),
        method=typeset(claim.method),
        measured=measured,
        expected=_under("" if claim.expected is None else f"predicted {number(claim.expected)}"),
        interval=interval,
        level=_under("" if claim.low == claim.high else f"level {100 * claim.level:g}\xa0%"),
        accept=accept,
    )


def _under(text: str) -> Html:
    return fill(" <small>$text</small>", text=typeset(text)) if text else Html("")
