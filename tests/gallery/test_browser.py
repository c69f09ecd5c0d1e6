"""The page in a real browser: it needs nothing else, fits a phone, can be read, searched, saved from and printed."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from gallery.browser import CHROMIUM, Browser

from optlab import cli, gallery

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")]

OURS = Path(cli.__file__).parent.parent / "figures"
PHONE, DESK = (360, 780), (1400, 1000)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    browser = Browser(tmp_path_factory.mktemp("browser"))
    yield browser
    browser.close()


@pytest.fixture(scope="module", params=["small", "ours"])
def page(request: pytest.FixtureRequest, made: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of the gallery of two small figures, and of the one of this project."""
    figures = made if request.param == "small" else OURS
    if not figures.is_dir():
        pytest.skip("no figures beside the package: this is not a checkout")
    out = tmp_path_factory.mktemp("page") / "gallery.html"
    gallery.write(figures, out)
    return out.as_uri()


def test_it_loads_without_a_word_and_asks_for_nothing(browser: Browser, page: str) -> None:
    browser.open(page, *DESK)
    browser.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    # A picture that does not decode breaks its promise, and with it this call.
    widths = browser.evaluate(
        "Promise.all([...document.images].map((one) => one.decode().then(() => one.naturalWidth)))"
    )
    assert len(widths) >= 5
    assert min(widths) > 0
    assert browser.logged() == [page]


def test_each_link_leads_somewhere(browser: Browser, page: str) -> None:
    browser.open(page, *DESK)
    lost = """[...document.querySelectorAll("a")].map((one) => one.getAttribute("href")).filter((address) =>
      address.startsWith("#") ? !document.getElementById(address.slice(1)) : !address.startsWith("data:"))"""
    assert browser.evaluate(lost) == []


@pytest.mark.parametrize("size", [PHONE, (800, 600), (961, 700), DESK], ids=str)
def test_nothing_is_wider_than_the_window(browser: Browser, page: str, size: tuple[int, int]) -> None:
    browser.open(page, *size)
    browser.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    # A phone makes its window wider where something sticks out, so that the window is measured, too.
    assert browser.evaluate("[document.documentElement.scrollWidth, innerWidth]") == [size[0], size[0]]


def test_headings_step_down_one_at_a_time(browser: Browser, page: str) -> None:
    browser.open(page, *DESK)
    levels = browser.evaluate("[...document.querySelectorAll('h1, h2, h3, h4')].map((one) => Number(one.tagName[1]))")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert max(after - before for before, after in pairwise(levels)) == 1


@pytest.mark.parametrize("size", [PHONE, DESK], ids=str)
def test_a_screen_reader_finds_names_and_tables(browser: Browser, page: str, size: tuple[int, int]) -> None:
    browser.open(page, *size)
    nodes = browser.call("Accessibility.getFullAXTree")["nodes"]
    roles = [node["role"]["value"] for node in nodes if not node["ignored"]]
    unnamed = [
        node
        for node in nodes
        if not node["ignored"]
        and node["role"]["value"] in {"link", "button", "searchbox", "combobox", "image", "region"}
        and not node.get("name", {}).get("value")
    ]
    assert unnamed == []
    # The layout of a phone must not take the table apart: a row header for each claim.
    claims = browser.evaluate("document.querySelectorAll('.claims tbody tr').length")
    assert roles.count("rowheader") >= claims > 0
    assert {"main", "navigation", "search", "banner", "contentinfo", "table"} <= set(roles)


# The least contrast of text with what lies behind it, after WCAG 2; colours are read back from a canvas, which knows
# every notation.
CONTRAST = """(() => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 });
  const pen = canvas.getContext("2d", { willReadFrequently: true }), seen = new Map();
  const light = (colour) => {
    if (!seen.has(colour)) {
      pen.clearRect(0, 0, 1, 1); pen.fillStyle = colour; pen.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
      const part = (x) => ((x /= 255) <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
      seen.set(colour, a < 255 ? null : 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b));
    }
    return seen.get(colour);
  };
  const behind = (one) => light(getComputedStyle(one).backgroundColor) ?? behind(one.parentElement);
  const found = [...document.querySelectorAll("body *")].filter((one) => one.checkVisibility()
    && [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim())).map((one) => {
      const style = getComputedStyle(one);
      const pair = [light(style.color), behind(one)].sort((a, b) => a - b);
      return [style.opacity < 1 ? 0 : (pair[1] + 0.05) / (pair[0] + 0.05), one.outerHTML.slice(0, 200)];
    });
  return found.sort((a, b) => a[0] - b[0])[0];
})()"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out(browser: Browser, page: str, scheme: str) -> None:
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    browser.open(page, *DESK)
    least, where = browser.evaluate(CONTRAST)
    browser.call("Emulation.setEmulatedMedia", features=[])
    assert least >= 4.5, where


@pytest.fixture
def small(browser: Browser, made: Path, tmp_path: Path) -> Browser:
    """The browser with the gallery of the two small figures, "hill" and "valley"."""
    gallery.write(made, tmp_path / "gallery.html")
    browser.open((tmp_path / "gallery.html").as_uri(), *DESK)
    return browser


SEEN = "[...document.querySelectorAll('article')].filter((one) => one.checkVisibility()).map((one) => one.id)"


def choose(browser: Browser, field: str, value: str) -> Any:
    browser.evaluate(
        f"(() => {{ const one = document.getElementById('find.{field}'); one.value = '{value}';"
        " one.dispatchEvent(new Event('input')); })()"
    )
    return browser.evaluate(SEEN)


def test_search_and_choice(small: Browser) -> None:
    assert small.evaluate(SEEN) == ["hill", "valley"]
    assert choose(small, "words", "RATE more") == ["valley"]
    assert small.evaluate("document.getElementById('find.count').textContent") == "1 of 2"
    assert small.evaluate("[...document.querySelectorAll('nav h3')].filter((one) => one.checkVisibility()).length") == 1
    assert choose(small, "words", "") == ["hill", "valley"]
    assert choose(small, "lecture", "lecture.2") == ["hill"]
    assert choose(small, "lecture", "") == ["hill", "valley"]
    assert choose(small, "verdict", "fails") == ["valley"]
    assert choose(small, "verdict", "inconclusive") == []


def test_the_keyboard_reaches_everything(small: Browser) -> None:
    count = small.evaluate("document.querySelectorAll('a, button:not([hidden]), input, select, summary').length")
    names = []
    for _ in range(count):
        small.press("Tab")
        names.append(small.evaluate("document.activeElement.textContent || document.activeElement.id"))
        assert small.evaluate("parseFloat(getComputedStyle(document.activeElement).outlineWidth)") >= 2
    assert names[0] == "Skip to the figures"
    assert {"find.words", "Whole screen"} < set(names)
    assert any(name.startswith("Animation") for name in names)
    # Without a mouse: from the first link to the figures.
    small.evaluate("document.querySelector('.skip').focus()")
    small.press("Enter")
    assert small.evaluate("location.hash") == "#page.figures"


def test_the_whole_screen(small: Browser) -> None:
    small.call("Runtime.evaluate", expression="document.querySelector('.whole').click()", userGesture=True)
    # Asked again and again, because the change may come before anybody listens for it.
    look = "function look(done) { document.fullscreenElement ? done() : setTimeout(look, 20, done); }"
    small.evaluate(f"{look} new Promise(look)")
    assert small.evaluate("document.fullscreenElement.alt") == "Figure: A hill"
    small.evaluate("document.exitFullscreen()")


def test_files_are_saved_whole(small: Browser, made: Path, tmp_path: Path) -> None:
    places = tmp_path / "saved"
    small.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(places))
    for name in ("hill.json", "hill.npz"):
        small.evaluate(f"document.querySelector('[download=\"{name}\"]').click()")
        for _ in range(200):
            if (places / name).is_file():
                break
            time.sleep(0.05)
        assert (places / name).read_bytes() == (made / name).read_bytes()


def test_on_paper(small: Browser) -> None:
    printed = base64.b64decode(small.call("Page.printToPDF", preferCSSPageSize=True, printBackground=True)["data"])
    # The contents, and a page or more for each figure.
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) >= 3
    small.call("Emulation.setEmulatedMedia", media="print")
    gone = "['.finder', '.whole', '.downloads'].filter((one) => document.querySelector(one).checkVisibility())"
    assert small.evaluate(gone) == []
    assert small.evaluate(SEEN) == ["hill", "valley"]
    small.call("Emulation.setEmulatedMedia", media="")
