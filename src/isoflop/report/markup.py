"""Escaping, one function a language. Names, notes and sources may come from anyone: they stay text."""

from __future__ import annotations

import re
import unicodedata

from isoflop.report.layout import clean

_MARKDOWN = str.maketrans({char: "\\" + char for char in "\\`*_{}[]#|$~"} | {"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_POWER = re.compile(r"(\d)e(-?\d+)\b")
_MARKDOWN_START = re.compile(r"^(?:(?P<mark>[-+=])|(?P<number>\d{1,9})(?P<end>[.)])(?=\s|$))")
_LATEX = {
    ord("\\"): r"\textbackslash{}", ord("{"): r"\{", ord("}"): r"\}", ord("$"): r"\$", ord("&"): r"\&", ord("%"): r"\%",
    ord("#"): r"\#", ord("_"): r"\_", ord("~"): r"\textasciitilde{}", ord("^"): r"\textasciicircum{}",
    ord("<"): r"\textless{}", ord(">"): r"\textgreater{}", ord('"'): "''", ord("·"): r"\(\cdot\)",
    ord("×"): r"\(\times\)", ord("÷"): r"\(\div\)", ord("§"): r"\S{}", ord("±"): r"\(\pm\)", ord("≤"): r"\(\le\)",
    ord("≥"): r"\(\ge\)", ord("≈"): r"\(\approx\)", ord("²"): r"\(^2\)", ord("³"): r"\(^3\)", ord("−"): r"\(-\)",
    ord("–"): "--", ord("…"): r"\ldots{}", ord("→"): r"\(\to\)", ord("∞"): r"\(\infty\)",
}  # fmt: skip
_GREEK = {"λ": "lambda"} | {
    char: unicodedata.name(char).rsplit(" ", 1)[-1].lower() for char in "αβγδεζηθικμνξπρστυφχψω"
}
_POWERS = dict(zip("⁰¹⁴⁵⁶⁷⁸⁹⁻", "01456789-", strict=True))
_LATEX |= str.maketrans({char: rf"\(\{name}\)" for char, name in _GREEK.items()})
_LATEX |= str.maketrans({char: rf"\(^{{{plain}}}\)" for char, plain in _POWERS.items()})


def html_escape(text: str) -> str:
    """`text` for HTML, in elements and in quoted attributes."""
    from html import escape  # with its table of entities, which only pages need

    return escape(clean(text), quote=True)


def markdown_text(text: str) -> str:
    r"""`text` for a Markdown line: marks escaped, `$` too (notebooks read it as mathematics).

    >>> markdown_text("train_cost = $4k <b>"), markdown_text("1. no list")
    ('train\\_cost = \\$4k &lt;b&gt;', '1\\. no list')
    """
    return _MARKDOWN_START.sub(_plain_start, clean(text).translate(_MARKDOWN))


def _plain_start(found: re.Match[str]) -> str:
    """The start of a line that would begin a list or underline a heading, as plain text."""
    return f"\\{found['mark']}" if found["mark"] else f"{found['number']}\\{found['end']}"


def markdown_cell(text: str) -> str:
    """`text` for a cell of a Markdown table."""
    return markdown_text(text)


def latex_text(text: str) -> str:
    r"""`text` for LaTeX, to stand in running text or inside `\text{...}`.

    >>> latex_text("$4k at 40 %")
    '\\$4k at 40 \\%'
    """
    return clean(text).translate(_LATEX)


def latex_value(text: str) -> str:
    r"""A written value for LaTeX, powers of ten as such.

    >>> latex_value("6.6e17 FLOP/$")
    '6.6\\(\\times 10^{17}\\) FLOP/\\$'
    """
    return _POWER.sub(r"\1\\(\\times 10^{\2}\\)", latex_text(text))


def mermaid_text(text: str) -> str:
    """`text` for a quoted Mermaid label: everything with a meaning there becomes a character code.

    >>> mermaid_text('a "b" <i>')
    'a #34;b#34; #60;i#62;'
    """
    return "".join(char if char.isalnum() or char in " .,=/·×%$§²³_()+-'" else f"#{ord(char)};" for char in clean(text))
