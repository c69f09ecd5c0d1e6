"""HTML from templates: what is filled in is escaped unless it is markup already."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from html import escape
from importlib import resources
from string import Template

_MINUS = re.compile(r"(?<!\w)-(?=\d|inf)|(?<=<sup>)-")
_EXPONENT = re.compile(r"(?<!\w)(-?[\d.]+)e([+-])0*(\d+)")


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


def fill(template: str, /, **values: object) -> Html:
    """Return `template` with each $name replaced.

    >>> fill("<p>$text$mark</p>", text="1 < 2", mark=Html("<hr>"))
    '<p>1 &lt; 2<hr></p>'
    """
    safe = {key: value if isinstance(value, Html) else escape(str(value)) for key, value in values.items()}
    return Html(Template(template).substitute(safe))


def fill_file(file: str, /, **values: object) -> Html:
    """Return the template in the `file` of this package with each $name replaced."""
    return fill(text_of(file), **values)


def text_of(file: str) -> Html:
    """Return the content of a `file` of this package."""
    return Html(resources.files(__package__).joinpath(file).read_text(encoding="utf-8"))


def joined(parts: Iterable[Html]) -> Html:
    """Return `parts` one after the other, each on a line of its own."""
    return Html("\n".join(parts))


def embedded(kind: str, content: bytes) -> Html:
    """Return an address that is the content itself, of the given media type."""
    return Html(f"data:{kind};base64,{base64.b64encode(content).decode()}")


def typeset(numbers: str) -> Html:
    r"""Return numbers as they are printed: with true signs, and powers of ten for exponents.

    >>> typeset("[-1.5e-07, 2]"), typeset("<= 1e+10")
    ('[−1.5\xa0×\xa010<sup>−7</sup>, 2]', '≤ 10<sup>10</sup>')
    """
    text = _EXPONENT.sub(_power, escape(numbers, quote=False))
    text = text.replace("&lt;=", "≤").replace("&gt;=", "≥").replace("+-", "±")
    return Html(_MINUS.sub("−", text))


def _power(match: re.Match[str]) -> str:
    mantissa, sign, digits = match.groups()
    factor = "" if mantissa == "1" else "-" if mantissa == "-1" else f"{mantissa}\xa0×\xa0"
    return f"{factor}10<sup>{sign.strip('+')}{digits}</sup>"


def size(count: int) -> str:
    """Return a number of bytes in words.

    >>> size(900), size(13_018), size(1_271_388)
    ('1 kB', '13 kB', '1.3 MB')
    """
    return f"{max(1, round(count / 1000))} kB" if count < 999_500 else f"{count / 1e6:.1f} MB"
