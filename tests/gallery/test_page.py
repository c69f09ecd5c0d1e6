"""What stands on the page: every figure with its claims, its files, and the way to make it again."""

from __future__ import annotations

import base64
import json
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from optlab import cli, gallery
from optlab.experiment import registry


class Reader(HTMLParser):
    """The start tags of a page with their attributes, and its text without styles and scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text, self.within = "", ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {key: value or "" for key, value in attrs}))
        self.within = tag

    def handle_data(self, data: str) -> None:
        self.text += "" if self.within in ("style", "script") else data

    def all(self, attribute: str) -> list[str]:
        return [attributes[attribute] for _, attributes in self.tags if attribute in attributes]


def built(figures: Path) -> str:
    out = figures.parent / "page.html"
    gallery.write(figures, out)
    return out.read_text(encoding="utf-8")


def content(address: str) -> bytes:
    return base64.b64decode(address.partition("base64,")[2], validate=True)


def test_the_page_shows_each_figure_with_its_claims(figures: Path) -> None:
    page = built(figures)
    reader = Reader(page)
    for part in ("A hill", "Is 1 < 2 & 3 > 2?", "the height at rate 10−9", "≥ 1.5", "predicted 2", "its claim holds"):
        assert part in reader.text
    for part in (
        "1 inconclusive",
        "2 fail",
        "more than half",
        "Clopper-Pearson interval over 40 samples",
        "level 99.9\xa0%",
    ):
        assert part in reader.text
    counts = re.findall(r"<div class=\"\w+\"><dt>([a-z ]+)</dt><dd>(\d+)</dd>", page)
    assert counts == [("figures", "2"), ("claims hold", "2"), ("inconclusive", "1"), ("fail", "2")]
    assert re.findall(r"<div><dt>(\w+)</dt><dd>(.*?)</dd>", page) == [
        *[("height", "2.0"), ("steps", "1, 20"), ("rate", "10<sup>−9</sup>")] * 2
    ]


def test_what_is_markup_in_a_record_is_text_on_the_page(figures: Path) -> None:
    page = built(figures)
    assert "<script>alert" not in page
    assert "<b>deep" not in page
    assert "<b>deep</b>" in Reader(page).text
    assert page.count("<script>") == 1


def test_files_are_embedded_whole(figures: Path) -> None:
    reader = Reader(built(figures))
    saved = {attributes["download"]: attributes["href"] for _, attributes in reader.tags if "download" in attributes}
    assert set(saved) == {"hill.json", "hill.npz", "valley.json", "valley.npz"}
    for name, address in saved.items():
        assert content(address) == (figures / name).read_bytes()
    shown = {content(address) for address in reader.all("src")}
    assert {(figures / name).read_bytes() for name in ("hill.png", "hill.gif", "valley.png")} < shown


def test_nothing_outside_is_asked_for(figures: Path) -> None:
    reader = Reader(built(figures))
    assert all(address.startswith("data:") for address in reader.all("src"))
    assert all(address.startswith(("data:", "#")) for address in reader.all("href"))
    assert "default-src 'none'" in "".join(reader.all("content"))


def test_links_lead_to_one_place_each(figures: Path) -> None:
    reader = Reader(built(figures))
    identifiers = Counter(reader.all("id"))
    assert set(identifiers.values()) == {1}
    inside = {address[1:] for address in reader.all("href") if address.startswith("#")}
    assert inside <= set(identifiers)
    assert {"hill", "valley"} <= inside


def test_a_figure_stands_with_its_first_lecture_and_is_named_with_the_others(figures: Path) -> None:
    page = built(figures)
    parts = re.split(r'<section class="lecture" id="([\w.]+)".*?>', page)
    places = {
        identifier: re.findall(r'<article id="(\w+)"', text)
        for identifier, text in zip(parts[1::2], parts[2::2], strict=True)
    }
    assert places == {"lecture.1": ["hill"], "lecture.3": ["valley"]}
    titles = dict(re.findall(r'<option value="(lecture.\d)">(.*?)</option>', page))
    assert titles == {
        "lecture.1": "Additional Techniques for Training Neural Networks",
        "lecture.2": "Regularization and Optimization (notebook)",
        "lecture.3": "Other sources",
    }
    assert 'data-lectures="lecture.1 lecture.2"' in page
    assert page.count('data-figure="hill"') == 2


def test_the_same_records_give_the_same_bytes(figures: Path, python: Any) -> None:
    page = built(figures)
    out = figures.parent / "again.html"
    call = f"import pathlib; from optlab import gallery; gallery.write(*map(pathlib.Path, {(str(figures), str(out))}))"
    done = python(call, PYTHONHASHSEED="17", TZ="Asia/Tokyo")
    assert done.returncode == 0, done.stderr
    assert out.read_text(encoding="utf-8") == page


def test_a_figure_of_a_users_own_is_made_from_its_file(figures: Path) -> None:
    assert "hill" not in registry.paths()
    assert "optlab run hill.py" in built(figures)


def test_benchmarks_stand_apart(figures: Path) -> None:
    rows = [
        {
            "kernel": "AdamW",
            "case": "1 parameter",
            "dtype": "float32",
            "seconds": 2.2e-06,
            "peer": "none",
            "ratio": None,
        }
        | {"limit_share": 0.5, "agrees": "no peer", "threads": 1, "peer_seconds": None, "limit": "45 GB/s"}
    ]
    kernels = {"threads": 2, "isa": "v4", "compiler": "GNU"}
    (figures / "bench_updates.json").write_text(json.dumps({"schema": 1, "kernels": kernels, "rows": rows}))
    (figures / "bench_updates.png").write_bytes((figures / "hill.png").read_bytes())
    page = built(figures)
    text = Reader(page).text
    assert '<article id="bench.updates">' in page
    assert "2 threads, v4, GNU" in text
    assert "AdamW1 parameter, float322.2 × 10−6 snone–50%no peer" in text.replace("\xa0", " ")
    assert ">figures</dt><dd>2</dd>" in page


def test_the_gallery_of_this_project_is_whole(tmp_path: Path) -> None:
    figures = Path(cli.__file__).parent.parent / "figures"
    if not figures.is_dir():
        pytest.skip("no figures beside the package: this is not a checkout")
    gallery.write(figures, tmp_path / "page.html")
