"""The whole page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from optlab.experiment.sources import by_lecture, parse
from optlab.gallery import overview
from optlab.gallery.article import article
from optlab.gallery.bench import benchmark
from optlab.gallery.exhibits import Benchmark, Exhibit
from optlab.gallery.markup import Html, fill, fill_file, joined, size, text_of

_SECTION = """<section class="lecture" id="$id" aria-labelledby="$id.title">
<h2 id="$id.title">$title</h2>
$articles
</section>"""
_COUNT = '<div class="$kind"><dt>$word</dt><dd>$count</dd></div>'
_WORDS = {"holds": "claims hold", "inconclusive": "inconclusive", "fails": "fail"}
_OPTION = '<option value="$id">$title</option>'


def page(exhibits: Sequence[Exhibit], benchmarks: Sequence[Benchmark]) -> str:
    """Return the page about `exhibits`, with the `benchmarks` at its end; equal ones give the same text."""
    groups = by_lecture(exhibits)
    # A dot: no experiment's name holds one, and those are identifiers, too.
    identifiers = {title: f"lecture.{number}" for number, title in enumerate(groups, start=1)}
    cards = [overview.lecture(identifiers[title], title, *group) for title, group in groups.items()]
    sections = [_lecture(identifiers, title, home) for title, (home, _) in groups.items() if home]
    if benchmarks:
        cards.append(overview.plain("Benchmarks", [(f"bench.{shown.name}", shown.name) for shown in benchmarks]))
        sections.append(_section("bench.all", "Benchmarks", joined(map(benchmark, benchmarks))))
    body = joined(sections)
    return fill_file(
        "page.html",
        style=text_of("style.css"),
        script=text_of("script.js"),
        counts=_counts(exhibits),
        options=joined(fill(_OPTION, id=identifier, title=title) for title, identifier in identifiers.items()),
        overview=joined(cards),
        sections=body,
        size=size(len(body) + sum(map(len, cards))),
    )


def _counts(exhibits: Sequence[Exhibit]) -> Html:
    verdicts: Counter[str] = Counter(claim.verdict for exhibit in exhibits for claim in exhibit.claims)
    counts = [("all", "figures", len(exhibits))]
    counts += [(key, word, verdicts[key]) for key, word in _WORDS.items()]
    return joined(fill(_COUNT, kind=kind if count else "none", word=word, count=count) for kind, word, count in counts)


def _lecture(identifiers: dict[str, str], title: str, home: Sequence[Exhibit]) -> Html:
    articles = (
        article(exhibit, [identifiers[lecture] for lecture in parse(exhibit.source).lectures]) for exhibit in home
    )
    return _section(identifiers[title], title, joined(articles))


def _section(identifier: str, title: str, articles: Html) -> Html:
    return fill(_SECTION, id=identifier, title=title, articles=articles)
